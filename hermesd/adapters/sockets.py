"""Who listens on TCP ports, as the kernel's own tables tell.

Owns: reading them, and finding the process behind a socket. Must not know why anybody asks. Nothing is connected
to or bound. A listener in another network namespace is not seen, and is in nobody's way here.
"""

import pwd
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from hermesd.adapters import procfs
from hermesd.domain.listening import LAST_PORT, Sockets

_TABLES = ("net/tcp", "net/tcp6")
_LISTENING = "0A"
_FLEETING = "sys/net/ipv4/ip_local_port_range"


@dataclass(frozen=True)
class Listener:
    """A socket that listens."""

    port: int
    uid: int
    """Of who made it."""
    inode: int

    @property
    def owner(self) -> str:
        """Name of that user, or the number of one without a name."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


class KernelSockets:
    """Asks the kernel."""

    def look(self) -> Sockets:
        """See the port."""
        return Sockets(frozenset(one.port for one in listeners()), fleeting_ports())


def listeners() -> Iterator[Listener]:
    """Every listening socket, in a pass over the head of each table; nothing where there is no such table."""
    for table in _TABLES:
        with suppress(FileNotFoundError), (procfs.PROC / table).open(encoding="ascii") as lines:
            next(lines, None)  # the headings
            for line in lines:
                fields = line.split()
                if fields[3] != _LISTENING:
                    break  # the kernel tells those that listen first, and of the others there may be very many
                yield Listener(int(fields[1].rpartition(":")[2], 16), int(fields[7]), int(fields[9]))


def fleeting_ports() -> range:
    """The ports that the kernel gives to connections; none where it does not tell."""
    try:
        first, last = (procfs.PROC / _FLEETING).read_text(encoding="ascii").split()
        return range(int(first), min(int(last), LAST_PORT) + 1)
    except (OSError, ValueError):
        return range(0)


def processes_of(sockets: Iterable[Listener]) -> dict[int, list[int]]:
    """Pids of the processes that have these sockets open, by inode, as far as we may look."""
    wanted = {f"socket:[{one.inode}]": one.inode for one in sockets}
    found: dict[int, list[int]] = {}
    for pid in procfs.pids() if wanted else ():
        for target in procfs.descriptors(pid):
            if target in wanted and pid not in found.setdefault(wanted[target], []):
                found[wanted[target]].append(pid)
    return found
