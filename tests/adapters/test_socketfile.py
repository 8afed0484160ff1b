"""The socket's place in the file system, short enough for the kernel and recognised when it was taken."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermesd.adapters.socketfile import LONGEST_ADDRESS, SocketFile

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@contextmanager
def bound(address: str) -> Iterator[None]:
    """Somebody listens there."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address.removeprefix("unix:"))
        yield


def test_a_short_path_is_its_own_address(tmp_path: Path) -> None:
    """What fits is not disguised."""
    path = tmp_path / "api.sock"
    assert SocketFile(path).address == f"unix:{path}"


def test_a_path_beyond_the_kernels_limit_can_still_be_bound(tmp_path: Path) -> None:
    """A home far down the tree is reached through its open directory."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    file = SocketFile(directory / "api.sock")
    assert len(file.address) < LONGEST_ADDRESS
    with bound(file.address):
        file.remember()
        assert (directory / "api.sock").is_socket()
        assert file.is_ours()


def test_the_bound_file_is_private(tmp_path: Path) -> None:
    """Its mode keeps others out even if its directory did not."""
    file = SocketFile(tmp_path / "api.sock")
    with bound(file.address):
        file.remember()
        assert (tmp_path / "api.sock").stat().st_mode & 0o777 == 0o600


def test_a_taken_or_replaced_file_is_not_ours(tmp_path: Path) -> None:
    """Gone, or another one of the same name: either way nobody reaches us any more."""
    file = SocketFile(tmp_path / "api.sock")
    with bound(file.address):
        file.remember()
        held = tmp_path / "held"
        (tmp_path / "api.sock").rename(held)
        assert not file.is_ours()
        with bound(file.address):
            assert not file.is_ours()
        file.clear()
        held.rename(tmp_path / "api.sock")
        assert file.is_ours()


def test_clearing_twice_is_fine(tmp_path: Path) -> None:
    """Gone already is what was wanted."""
    file = SocketFile(tmp_path / "api.sock")
    with bound(file.address):
        file.clear()
        file.clear()
    assert not (tmp_path / "api.sock").exists()
