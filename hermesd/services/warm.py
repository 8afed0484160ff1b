"""Keeping clients warm: a convenience that may fail without anybody noticing but the log.

Owns: starting them again when they end, ever more slowly. Must not know what they are.
"""

import logging

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Clock, WarmClients

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
STABLE_S = 60.0
"""After so long a run the pauses begin anew."""


async def keep_warm(clients: WarmClients, clock: Clock) -> None:
    """Runs the clients until it is cancelled, and again whenever they end."""
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = clock.monotonic_s()
        try:
            status = await clients.run()
            log.warning("clients=warm ended code=%s signal=%s", status.code, status.signal)
        except HermesError as error:
            log.warning("clients=warm not started: %s", error.message)
        if clock.monotonic_s() - began_s >= STABLE_S:
            pause_s = FIRST_PAUSE_S
        await clock.sleep_s(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
