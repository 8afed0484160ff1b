"""What is promised of the machine's ports, by the kernel's tables and by the fake."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hermesd.adapters.sockets import KernelSockets
from hermesd.domain.listening import LAST_PORT
from hermesd.domain.ports import SocketTables
from tests.fakes.sockets import MemorySockets

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


class Scene:
    """Ports of one kind, and somebody who listens."""

    def __init__(self, sockets: SocketTables, stack: ExitStack) -> None:
        self.sockets = sockets
        self._stack = stack

    def listen(self, family: socket.AddressFamily) -> int:
        """Somebody listens on a port that was free."""
        if isinstance(self.sockets, MemorySockets):
            self.sockets.listening.add(40_001)
            return 40_001
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        try:
            server = self._stack.enter_context(socket.create_server((host, 0), family=family))
        except OSError:
            pytest.skip("this machine has no such addresses")
        return int(server.getsockname()[1])

    def leave(self, port: int) -> None:
        """Nobody does any more."""
        if isinstance(self.sockets, MemorySockets):
            self.sockets.listening.discard(port)
        self._stack.close()


@pytest.fixture(params=[MemorySockets, KernelSockets])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Each kind in turn."""
    with ExitStack() as stack:
        yield Scene(request.param(), stack)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_what_listens_is_seen_until_it_ends(scene: Scene, family: socket.AddressFamily) -> None:
    """At whatever address."""
    port = scene.listen(family)
    assert port in scene.sockets.look().listening
    scene.leave(port)
    assert port not in scene.sockets.look().listening


def test_fleeting_ports_are_ports(scene: Scene) -> None:
    """None are, where the system does not tell."""
    fleeting = scene.sockets.look().fleeting
    assert all(0 < port <= LAST_PORT for port in fleeting)
