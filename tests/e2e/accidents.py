"""What befalls a whole machine, as far as a daemon can tell the difference.

Owns: ends of everything at once, and records that say something else afterwards. Must not know what a test proves.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hermesd.adapters.store import SqliteStore
from hermesd.domain.record import GatewayRecord
from tests.e2e.census import end_all
from tests.e2e.daemon import Daemon


def cut_power(daemon: Daemon) -> None:
    """Everything ends at once, and the next boot has another name."""
    daemon.kill()
    end_all(daemon.machine, [])
    asyncio.run(rewrite(daemon, in_an_earlier_boot))


def in_an_earlier_boot(record: GatewayRecord) -> GatewayRecord:
    """The same record, made before the machine was started anew."""
    assert record.process is not None
    return replace(record, process=replace(record.process, boot_id="an earlier boot"))


async def rewrite(daemon: Daemon, changed: Callable[[GatewayRecord], GatewayRecord]) -> None:
    """Changes what is recorded of every process, while no daemon runs."""
    store = await SqliteStore.open(daemon.places.state / "store.db")
    for record in await store.gateways():
        if record.process is not None:
            await store.save_gateway(changed(record))
    await store.close()
