"""How durable files are written."""

import errno
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.atomic import leftovers, write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.domain.errors import DiskFull, HermesError
from tests.adapters.unprivileged import failure_as_nobody, reachable_directory

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody can reach and only its owner can write."""
    with reachable_directory() as directory:
        yield directory


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Umasks from the most open to one that takes everything away."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_mode_is_exact_whatever_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    """The umask neither opens nor closes a file."""
    write_atomic(tmp_path / "file", b"text", mode)
    assert mode_of(tmp_path / "file") == mode


def test_wider_mode_of_the_old_file_is_not_kept(tmp_path: Path) -> None:
    """A secret that was readable by all is not any more."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_atomic(path, b"new")
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o600)


def test_file_is_flushed_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that survives a power cut: write, flush, rename, flush the directory."""
    happened: list[str] = []

    def recorded(name: str) -> Any:
        call = getattr(os, name)

        def record(*arguments: Any, **options: Any) -> Any:
            is_directory = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            happened.append(f"{name} directory" if is_directory else name)
            return call(*arguments, **options)

        return record

    for name in ("write", "fsync", "rename", "replace"):
        monkeypatch.setattr(os, name, recorded(name))
    write_atomic(tmp_path / "file", b"text")
    assert happened == ["write", "fsync", "replace", "fsync directory"]


def test_reader_sees_old_or_new_while_it_is_replaced(tmp_path: Path) -> None:
    """A descriptor opened before the write goes on reading the old bytes."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_writers_at_the_same_time_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    """Each succeeds, whoever is last; a temporary name that several share would fail some of them."""
    path, texts = tmp_path / "file", [f"writer {number}\n".encode() * 100 for number in range(4)]

    def write(text: bytes) -> None:
        for _ in range(50):
            write_atomic(path, text)
            assert path.read_bytes() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))
    assert list(tmp_path.iterdir()) == [path]


def test_symlink_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """A file kept elsewhere, as in a repository of dotfiles, is written there."""
    target = tmp_path / "dotfiles" / "config"
    target.parent.mkdir()
    link = tmp_path / "config"
    link.symlink_to("dotfiles/config")
    for text in (b"first", b"second"):
        write_atomic(link, text)
        assert (link.is_symlink(), target.read_bytes()) == (True, text)
    assert [entry.name for entry in target.parent.iterdir()] == ["config"]


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_exclusive_write_replaces_nothing(tmp_path: Path, kind: str) -> None:
    """Whatever has the name keeps it, and no temporary file is left."""
    path = tmp_path / "name"
    if kind == "file":
        path.write_bytes(b"old")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    before = path.lstat()
    with pytest.raises(FileExistsError):
        write_atomic(path, b"new", exclusive=True)
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    """A directory cannot be replaced by a file; nothing else is there afterwards."""
    (tmp_path / "name").mkdir()
    with pytest.raises(OSError, match="name"):
        write_atomic(tmp_path / "name", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["name"]


def test_leftovers_are_those_of_one_file(tmp_path: Path) -> None:
    """Only temporary files of the very path are litter."""
    for name in (".a.xyz.tmp", ".b.xyz.tmp", "a", "a.tmp"):
        (tmp_path / name).touch()
    assert leftovers(tmp_path / "a") == [tmp_path / ".a.xyz.tmp"]


def test_full_device_raises_disk_full(tmp_path: Path) -> None:
    """The real system's answer when nothing more fits."""
    path = tmp_path / "a b" / "file"
    with pytest.raises(DiskFull) as caught, translating(path), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert caught.value.metadata["path"] == str(path)
    assert caught.value.metadata["fix"] == f"df -h {tmp_path}"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "DISK_FULL"),
        (errno.EDQUOT, "DISK_FULL"),
        (errno.EACCES, "NOT_PERMITTED"),
        (errno.EPERM, "NOT_PERMITTED"),
        (errno.EROFS, "NOT_PERMITTED"),
    ],
)
def test_refusal_of_the_system_names_path_and_fix(tmp_path: Path, code: int, reason: str) -> None:
    """Everything that a person can mend has a reason, and a command that shows what is wrong."""
    path = tmp_path / "missing" / "file"
    with pytest.raises(HermesError) as caught, translating(path, "lock"):
        raise OSError(code, os.strerror(code))
    assert caught.value.reason == reason
    assert caught.value.message.startswith(f"cannot lock {path}: ")
    assert caught.value.metadata["fix"].endswith(f" {tmp_path}")


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    """A missing directory is no question of permission."""
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "file", b"x")


def test_refused_directory_raises_not_permitted(open_directory: Path) -> None:
    """A person without rights is told which path it is."""
    path = open_directory / "file"
    reason, named, message = failure_as_nobody("atomic.write_atomic(given, b'x')", path)
    assert (reason, named) == ("NOT_PERMITTED", str(path))
    assert message == f"cannot write {path}: permission denied"
    assert not path.exists()
