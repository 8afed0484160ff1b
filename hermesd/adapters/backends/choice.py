"""Which backend a daemon uses.

Owns: where the manager's bus is, whether that manager outlives whoever started it, and what is said of the choice.
Must not know how a backend does its work. Where systemd is, comes from our uid alone: the variables of a shell may
be another user's, or gone with a session.
"""

import asyncio
import logging
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.session import SessionBackend
from hermesd.domain.errors import HermesError
from hermesd.domain.ports import Clock
from hermesd.domain.settings import BackendKind

if TYPE_CHECKING:
    from hermesd.adapters.backends.systemd import SystemdBackend
    from hermesd.adapters.backends.systemd_bus import Systemd

log = logging.getLogger(__name__)

SYSTEM_BUS = Path("/run/dbus/system_bus_socket")
USER_DIRECTORIES = Path("/run/user")
LINGERING = Path("/var/lib/systemd/linger")


@dataclass(frozen=True)
class ManagerSite:
    """Where the service manager of a user is: root has the system's, everybody else one of their own."""

    uid: int

    @property
    def bus(self) -> Path:
        """Its bus."""
        return SYSTEM_BUS if self.uid == 0 else USER_DIRECTORIES / str(self.uid) / "bus"

    def mortality(self) -> str:
        """Why the manager, and all that it keeps, may end while the machine runs; empty if it does not."""
        if self.uid == 0:
            return ""
        try:
            name = pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid} has no passwd entry and cannot linger"
        if (LINGERING / name).exists():
            return ""
        return f"the manager of {name} ends with the last login; `loginctl enable-linger {name}` keeps it"

    def keeps_us(self) -> bool:
        """Whether hermesd itself runs under this manager, and so ends with it in any case."""
        return f"/user@{self.uid}.service/" in (cgroups.of(os.getpid()) or "")


async def choose_backend(
    kind: BackendKind, clock: Clock, *, root: Path, root_id: str
) -> "SessionBackend | SystemdBackend":
    """The backend that the settings ask for. Says in the log which one it is, and why.

    systemd that was asked for is used even if it is not there now: it may come back, and gateways wait for it.
    """
    if kind is BackendKind.SESSION:
        log.info("backend=session, as the settings say")
        return SessionBackend(clock)
    from hermesd.adapters.backends.systemd import SystemdBackend  # here, as D-Bus is only needed with it
    from hermesd.adapters.backends.systemd_bus import Systemd

    site = ManagerSite(os.geteuid())
    systemd = Systemd(site.bus)
    backend = SystemdBackend(clock, systemd, suffix_of(root, root_id))
    objection = await _objection(systemd, backend)
    mortality = site.mortality()
    if kind is BackendKind.AUTO and mortality and not site.keeps_us():
        objection = objection or mortality
    if objection and kind is BackendKind.AUTO:
        log.info("backend=session, because: %s", objection)
        return SessionBackend(clock)
    if objection:
        log.error("backend=systemd, as the settings say, but: %s", objection)
    else:
        log.info("backend=systemd, because it answers at %s", site.bus)
    if mortality:
        log.warning("gateways will not outlive the last login: %s", mortality)
    return backend


async def _objection(systemd: "Systemd", backend: "SystemdBackend") -> str:
    """Why systemd cannot be used; empty if it can."""
    try:
        await asyncio.to_thread(systemd.check)
        await backend.leave_gateway()
    except HermesError as error:
        return error.message
    return ""


def suffix_of(root: Path, root_id: str) -> str:
    """Empty for the root that is the account's own; a daemon with another root, or another HOME, has its id."""
    try:
        own = Path(pwd.getpwuid(os.geteuid()).pw_dir, ".hermes")
    except KeyError:
        return root_id
    return "" if root == Path(os.path.realpath(own)) else root_id
