"""Copies of trees that are hostile, or in use."""

import errno
import fcntl
import os
import socket
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hermesd.adapters import copying, treecopy
from hermesd.adapters.treecopy import Leftovers, Names, Order, copy_tree
from hermesd.domain.errors import Cancelled
from tests.adapters.unprivileged import reachable_directory, said_by_nobody
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LONG_AGO_NS = 1_700_000_000_123_456_789


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty tree."""
    made = tmp_path / "source"
    made.mkdir()
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty, private directory."""
    made = tmp_path / "target"
    made.mkdir(0o700)
    return made


def write(path: Path, data: bytes = b"x", mode: int = 0o644) -> Path:
    """A file that has been as it is for long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return path


def copy(
    source: Path,
    target: Path,
    *,
    is_wanted: Callable[[Names], bool] = lambda _: True,
    is_cancelled: Callable[[], bool] = lambda: False,
    workers: int = 1,
) -> Leftovers:
    """Copies everything, unless said otherwise."""
    return copy_tree(Order(source, target, target, is_wanted, is_cancelled, workers))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_tree_is_copied_private_and_with_its_times(source: Path, target: Path, workers: int) -> None:
    """Directories 0700, files 0600, programs 0700, whatever they were; the source stays as it is."""
    write(source / "a" / "b" / "c.txt", b"text")
    write(source / "a" / "run.sh", b"#!/bin/sh\n", 0o4755)
    write(source / "empty", b"", 0o666)
    for number in range(300):
        write(source / "many" / f"{number}", str(number).encode())
    (source / "a" / "hollow").mkdir(mode=0o777)
    os.utime(source / "a", ns=(LONG_AGO_NS, LONG_AGO_NS))
    before = snapshot(source)
    assert copy(source, target, workers=workers) == Leftovers()
    assert snapshot(source) == before
    after = snapshot(target)
    assert {path: data for path, (_, data) in after.items()} == {path: data for path, (_, data) in before.items()}
    assert {mode for path, (mode, _) in after.items() if path != "a/run.sh"} == {"-rw-------", "drwx------"}
    assert after["a/run.sh"][0] == "-rwx------"
    assert (target / "a" / "b" / "c.txt").stat().st_mtime_ns == LONG_AGO_NS
    assert (target / "a").stat().st_mtime_ns == LONG_AGO_NS


def test_what_is_not_wanted_is_not_even_looked_into(source: Path, target: Path) -> None:
    """Asked by names from the top."""
    write(source / "logs" / "x")
    write(source / "keep" / "logs")
    asked: list[Names] = []

    def is_wanted(names: Names) -> bool:
        asked.append(names)
        return names != ("logs",)

    copy(source, target, is_wanted=is_wanted)
    assert sorted(snapshot(target)) == ["keep", "keep/logs"]
    assert ("logs", "x") not in asked


def test_files_of_a_fresh_home_give_way(source: Path, target: Path) -> None:
    """To files, and to links."""
    write(target / "SOUL.md", b"fresh and long")
    write(target / ".env", b"fresh")
    (target / "skills").mkdir(mode=0o700)
    write(source / ".env", b"mine")
    write(source / "skills" / "a" / "SKILL.md")
    write(source / "soul" / "SOUL.md", b"me")
    (source / "SOUL.md").symlink_to("soul/SOUL.md")
    copy(source, target)
    assert (target / ".env").read_bytes() == b"mine"
    assert (target / "SOUL.md").read_bytes() == b"me"
    assert (target / "skills" / "a" / "SKILL.md").is_file()


def test_links_inside_stay_and_links_out_are_told(source: Path, target: Path, tmp_path: Path) -> None:
    """Nothing is ever read through one. An absolute link into the tree becomes relative, so that it holds."""
    write(tmp_path / "outside" / "secret", b"secret")
    write(source / "a" / "b" / "file")
    (source / "a" / "relative").symlink_to("b/file")
    (source / "a" / "absolute").symlink_to(source / "a" / "b")
    (source / "top").symlink_to(source)
    (source / "dangling").symlink_to("nowhere")
    (source / "loop").symlink_to("loop")
    (source / "deep").symlink_to("a/b")
    (source / "out").symlink_to(tmp_path / "outside")
    (source / "up").symlink_to("../outside/secret")
    (source / "beside").symlink_to(f"{source}2")
    (source / "a" / "b" / "round").symlink_to("../../deep/../../../outside/secret")
    (source / "a" / "root").symlink_to("..")
    (source / "through").symlink_to("a/root/../outside")
    (source / "unwanted").symlink_to("logs/x")
    left = copy(source, target, is_wanted=lambda names: names[:1] != ("logs",))
    found = [path for path in target.rglob("*") if path.is_symlink()]
    links = {str(path.relative_to(target)): str(path.readlink()) for path in found}
    assert links == {
        "a/relative": "b/file",
        "a/absolute": "b",
        "a/root": "..",
        "dangling": "nowhere",
        "deep": "a/b",
        "loop": "loop",
        "top": ".",
    }
    told = sorted("/".join(names) for names, _ in left.links)
    assert told == ["a/b/round", "beside", "out", "through", "unwanted", "up"]
    assert b"secret" not in b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())


def test_pipes_sockets_and_names_that_are_no_text(source: Path, target: Path) -> None:
    """Special files are left out without waiting for anybody; names are taken as bytes."""
    os.mkfifo(source / "pipe")
    name = os.fsdecode(b"\xff\xfe\n.txt")
    write(source / name / name, b"kept")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(source)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    assert copy(source, target) == Leftovers()
    assert [path.name for path in target.iterdir()] == [name]
    assert (target / name / name).read_bytes() == b"kept"


def test_a_tree_may_be_deeper_than_any_path(source: Path, target: Path) -> None:
    """Directories are reached name by name."""
    depth, name = 30, "d" * 200
    make_deep(source, name, depth)
    assert copy(source, target) == Leftovers()
    top = os.open(target, os.O_RDONLY)
    try:
        deepest = treecopy.descend(top, [name] * depth)
        os.close(deepest)
    finally:
        os.close(top)
    for tree in (source, target):
        remove_deep(tree, name, depth)


def make_deep(top: Path, name: str, depth: int) -> None:
    """Directories below each other, deeper than a path can say."""
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


def remove_deep(top: Path, name: str, depth: int) -> None:
    """Takes them away again, which pytest could not."""
    with treecopy.opened(top) as descriptor:
        for number in reversed(range(depth)):
            above = treecopy.descend(descriptor, [name] * number)
            os.rmdir(name, dir_fd=above)
            os.close(above)


def test_hard_links_and_holes(source: Path, target: Path) -> None:
    """Two names of one file become two files; a file of holes takes no more room than before."""
    write(source / "one", b"same")
    (source / "two").hardlink_to(source / "one")
    with (source / "sparse").open("wb") as file:
        file.seek(32 * 1024 * 1024)
        file.write(b"end")
        file.truncate(64 * 1024 * 1024)
    (source / "hollow").touch()
    os.truncate(source / "hollow", 1024 * 1024)
    for name in ("sparse", "hollow"):
        os.utime(source / name, ns=(LONG_AGO_NS, LONG_AGO_NS))
    copy(source, target)
    assert (target / "two").read_bytes() == b"same"
    assert (target / "one").stat().st_nlink == 1
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (target / "sparse").stat().st_blocks <= (source / "sparse").stat().st_blocks
    assert (target / "hollow").read_bytes() == bytes(1024 * 1024)


def test_databases_are_left_to_others(source: Path, target: Path) -> None:
    """With whatever lies beside them for those who have them open, under any name."""
    with closing(sqlite3.connect(source / "notes.dat")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (a)")
        database.commit()
        write(source / "my-wal")
        left = copy(source, target)
    assert left.databases == [("notes.dat",)]
    assert [path.name for path in target.iterdir()] == ["my-wal"]


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.ENOSYS, errno.EIO])
def test_a_kernel_that_copies_nothing_is_no_obstacle(
    source: Path, target: Path, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the bytes are read and written."""

    def refuse(*_: object) -> int:
        raise OSError(refusal, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(copying, "CHUNK_BYTES", 1000)
    write(source / "a", bytes(range(256)) * 20)
    copy(source, target)
    assert (target / "a").read_bytes() == bytes(range(256)) * 20


def test_a_file_that_shares_its_blocks_is_not_copied(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system can do that."""
    shared: list[int] = []

    def share(new: int, request: int, old: int) -> None:
        assert request == copying.FICLONE
        os.pwrite(new, os.pread(old, 100, 0), 0)
        shared.append(old)

    monkeypatch.setattr(fcntl, "ioctl", share)
    monkeypatch.delattr(os, "copy_file_range")
    write(source / "a", b"shared")
    copy(source, target)
    assert (target / "a").read_bytes() == b"shared"
    assert len(shared) == 1


def test_a_file_that_cannot_be_read_is_told(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk costs one file and not the copy."""
    write(source / "bad", b"x" * 10)
    write(source / "good")

    def broken(descriptor: int, *_: object) -> bytes:
        if os.fstat(descriptor).st_size == 10:
            raise OSError(errno.EIO, "broken")
        return b"x"

    monkeypatch.setattr(os, "copy_file_range", broken)
    monkeypatch.setattr(os, "pread", broken)
    left = copy(source, target)
    assert left.unreadable == [("bad",)]
    assert (target / "good").read_bytes() == b"x"


def test_what_its_owner_may_not_read_is_told() -> None:
    """Files, directories and what they hold; the rest arrives."""
    program = """
from hermesd.adapters.treecopy import Order, copy_tree
source, target = given / "source", given / "target"
for name in ("open", "closed"):
    (source / name).mkdir(parents=True)
    (source / name / "file").write_text("x")
(source / "secret").write_text("x")
(source / "secret").chmod(0)
(source / "closed").chmod(0)
target.mkdir(0o700)
left = copy_tree(Order(source, target, target, lambda _: True, lambda: False, 1))
print(sorted(left.unreadable), sorted(str(p.relative_to(target)) for p in target.rglob("*")))
(source / "closed").chmod(0o700)
"""
    with reachable_directory() as directory:
        directory.chmod(0o777)
        said = said_by_nobody(program, directory)
    assert said == "[('closed',), ('secret',)] ['open', 'open/file']\n"


def test_cancelling_is_noticed_in_the_middle_of_a_file(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only between files."""
    monkeypatch.setattr(copying, "CHUNK_BYTES", 10)
    write(source / "a", b"x" * 1000)
    asked = iter([False] * 5)
    with pytest.raises(Cancelled):
        copy(source, target, is_cancelled=lambda: next(asked, True))
    assert 0 < (target / "a").stat().st_size < 100


def test_a_thread_that_fails_ends_the_copy(source: Path, target: Path) -> None:
    """With its failure, and with no thread left."""
    for number in range(50):
        write(source / f"{number}" / "file")
    threads = threading.active_count()
    with pytest.raises(Cancelled):
        copy(source, target, is_cancelled=lambda: len(list(target.iterdir())) > 5, workers=4)
    assert threading.active_count() == threads


def test_a_source_that_is_gone_is_a_failure(source: Path, target: Path) -> None:
    """Unlike what vanishes inside it."""
    with pytest.raises(FileNotFoundError):
        copy(source / "gone", target)


@contextmanager
def meddling(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], None]) -> Iterator[None]:
    """Does something each time bytes are copied."""
    real = os.copy_file_range

    def copied(*arguments: int) -> int:
        done = real(*arguments)
        deed()
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, "copy_file_range", copied)
        yield


def test_a_file_that_changes_meanwhile_is_copied_again(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is of one moment."""
    path = write(source / "a", b"old and long")
    versions = iter([b"newer", b"newest one"])

    def change() -> None:
        for data in versions:
            path.write_bytes(data)
            break

    with meddling(monkeypatch, change):
        left = copy(source, target)
    assert left == Leftovers()
    assert (target / "a").read_bytes() == b"newest one"


def test_a_file_that_never_rests_is_told(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copy is kept, for most of such files only grow."""
    path = write(source / "a", b"x")

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with meddling(monkeypatch, grow):
        left = copy(source, target)
    assert left.unsettled == [("a",)]
    assert (target / "a").stat().st_size > 0


def test_what_vanishes_or_becomes_something_else_is_no_failure(source: Path, target: Path, tmp_path: Path) -> None:
    """A file, a directory, or a directory that becomes a link outside between being seen and being read."""
    for name in ("gone", "dir/file", "trap/file", "link"):
        write(source / name)
    write(tmp_path / "outside" / "file", b"secret")
    (source / "link").unlink()
    (source / "link").symlink_to("gone")
    seen: set[Names] = set()

    def is_wanted(names: Names) -> bool:
        if names in seen:
            return True
        seen.add(names)
        if names == ("gone",):
            (source / "gone").unlink()
        if names == ("dir",):
            (source / "dir").rename(source / "elsewhere")
        if names == ("trap",):
            (source / "trap").rename(tmp_path / "trapped")
            (source / "trap").symlink_to(tmp_path / "outside")
        return names != ("elsewhere",)

    left = copy(source, target, is_wanted=is_wanted)
    assert left.unreadable == []
    assert b"secret" not in b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())


def test_modes_are_private_whatever_the_umask(source: Path, target: Path) -> None:
    """The daemon's own may be anything."""
    write(source / "a" / "b", mode=0o755)
    before = os.umask(0o277)
    try:
        copy(source, target)
    finally:
        os.umask(before)
    assert stat.S_IMODE((target / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "a" / "b").stat().st_mode) == 0o700
