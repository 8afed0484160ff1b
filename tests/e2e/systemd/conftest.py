"""One machine at a time for all tests here; they leave no unit behind, and it leaves nothing on the host."""

import fcntl
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import shared
from tests.e2e.systemd.machine import SystemdMachine, host_state, missing


@pytest.fixture(scope="package")
def systemd_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdMachine]:
    """A booted machine."""
    if lack := missing():
        pytest.skip(f"no machine with a systemd of its own can be booted here: there is no {lack}")
    with (shared(tmp_path_factory) / "machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker's machine would be seen as a change of the host
        before = host_state()
        machine = SystemdMachine(tmp_path_factory.mktemp("machine"))
        machine.boot()
        yield machine
        machine.down()
        assert host_state() == before
