"""Snapshots of databases, at rest, in use, and damaged."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hermesd.adapters import snapshots
from hermesd.adapters.snapshots import Snapshots
from hermesd.domain.errors import Cancelled, HermesError

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ROWS = 2000

Looks = dict[str, tuple[int, int, bytes]]


def make(path: Path, mode: str) -> Path:
    """A database with some rows, closed."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 200) for n in range(ROWS)))
        database.commit()
    return path


def die_while(path: Path, *statements: str) -> None:
    """A program opens a database, does something and dies without closing it."""
    lines = "\n".join(f"c.execute({statement!r})" for statement in statements)
    program = f"import sqlite3, os, sys\nc = sqlite3.connect(sys.argv[1])\n{lines}\nos._exit(0)"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def taken(*paths: Path) -> list[tuple[Path, str]]:
    """Snapshots of all of them, beside them; returns what was told."""
    with Snapshots([(path, copy_of(path)) for path in paths]) as begun:
        return begun.finish(lambda: False)


def copy_of(path: Path) -> Path:
    """Where the snapshot of a database is put."""
    return path.parent / "copies" / path.name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where databases lie, with a directory for their copies, and names that need care."""
    made = tmp_path / os.fsdecode(b"with space?#%41\xff")
    (made / "copies").mkdir(parents=True)
    return made


def looks(directory: Path) -> Looks:
    """All that can be seen of what lies in a directory."""
    found = {}
    for path in directory.iterdir():
        if path.is_file():
            status = path.stat()
            found[path.name] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


def count(path: Path) -> int:
    """How many rows a sound database has."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found: int = database.execute("SELECT count(*) FROM t").fetchone()[0]
        return found


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_at_rest_leaves_no_trace_of_its_copy(place: Path, mode: str) -> None:
    """Neither beside the source nor beside the copy, which is private and as old."""
    path = make(place / "state.db", mode)
    before = looks(place)
    assert taken(path) == []
    assert looks(place) == before
    assert [path.name for path in (place / "copies").iterdir()] == ["state.db"]
    assert copy_of(path).stat().st_mode & 0o777 == 0o600
    assert copy_of(path).stat().st_mtime_ns == path.stat().st_mtime_ns
    assert count(copy_of(path)) == ROWS


def test_what_is_in_the_log_of_writes_is_in_the_copy(place: Path) -> None:
    """While somebody has it open, most of a database may be there."""
    path = make(place / "state.db", "WAL")
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO t VALUES (1, 'new')")
        database.commit()
        assert taken(path) == []
        assert count(copy_of(path)) == ROWS + 1
        database.execute("INSERT INTO t VALUES (1, 'newer')")
        database.commit()
    assert count(path) == ROWS + 2


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Somebody writes a pair of rows again and again, without ever pausing."""
    stop = threading.Event()

    def work() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as database:
            while not stop.is_set():
                database.execute("INSERT INTO t VALUES (1, 'x')")
                database.execute("INSERT INTO t VALUES (2, 'x')")
                database.commit()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_writer_that_never_pauses_is_neither_waited_for_nor_disturbed(place: Path, mode: str) -> None:
    """The copy is of one moment: no pair of rows is torn."""
    path = make(place / "state.db", mode)
    with writing(path):
        assert taken(path) == []
    assert (count(copy_of(path)) - ROWS) % 2 == 0
    assert count(path) >= count(copy_of(path))


def test_what_a_writer_left_when_it_died_is_brought_to_an_end_in_the_copy_alone(place: Path) -> None:
    """A log that was not written back, and a change that was not finished."""
    logged = make(place / "logged.db", "WAL")
    die_while(logged, "INSERT INTO t VALUES (1, 'x')", "COMMIT")
    Path(f"{logged}-shm").unlink()
    cut = make(place / "cut.db", "DELETE")
    die_while(cut, "PRAGMA cache_size=5", "UPDATE t SET b = 'changed'")
    assert Path(f"{cut}-journal").exists()
    before = looks(place)
    assert taken(logged, cut) == []
    assert looks(place) == before
    assert count(copy_of(logged)) == ROWS + 1
    with closing(sqlite3.connect(copy_of(cut))) as database:
        assert database.execute("SELECT count(*) FROM t WHERE b = 'changed'").fetchone() == (0,)
    assert sorted(path.name for path in (place / "copies").iterdir()) == ["cut.db", "logged.db"]


def test_a_damaged_database_is_copied_as_it_is_and_told(place: Path) -> None:
    """Somebody may still save it. The others are copied all the same; one that is gone is nobody's loss."""
    bad = place / "bad.db"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    good = make(place / "good.db", "WAL")
    ((path, why),) = taken(bad, place / "gone.db", good)
    assert path == bad
    assert "damaged" in why
    assert copy_of(bad).read_bytes() == bad.read_bytes()
    assert count(copy_of(good)) == ROWS


def test_what_cannot_be_read_is_told(place: Path) -> None:
    """And the copy goes on."""
    (place / "odd.db").mkdir()
    ((_, why),) = taken(place / "odd.db")
    assert "cannot be read" in why


def test_what_cannot_be_written_is_a_failure(place: Path) -> None:
    """As the system says."""
    path = make(place / "state.db", "WAL")
    (place / "copies").rmdir()
    with pytest.raises(FileNotFoundError):
        taken(path)


def test_cancelling_ends_the_program(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is left, however much there is to do."""
    program = place / "slow.py"
    program.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(snapshots, "PROGRAM", program)
    with Snapshots([(place / "a", place / "b")]) as begun, pytest.raises(Cancelled):
        begun.finish(lambda: True)


@pytest.mark.parametrize("text", ["raise SystemExit('broken')", "import os; os.close(0); os.kill(os.getpid(), 9)"])
def test_a_program_that_fails_is_a_failure(place: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that was not made must not be taken for one."""
    program = place / "broken.py"
    program.write_text(text)
    monkeypatch.setattr(snapshots, "PROGRAM", program)
    with Snapshots([(place / "a", place / "b")] * 5000) as begun, pytest.raises(HermesError, match="cannot copy"):
        begun.finish(lambda: False)


def test_nothing_to_copy_starts_nothing() -> None:
    """Most directories have no database."""
    with Snapshots([]) as begun:
        assert begun.finish(lambda: False) == []
