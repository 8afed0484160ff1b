"""The file of samples: what becomes of one that cannot be used, and how large it gets."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hermesd.adapters.samplestore import SqliteSamples
from hermesd.domain.errors import HermesError, NotPermitted
from hermesd.domain.samples import HALF_HOUR_S, HALF_HOURS_KEPT, MINUTES_KEPT, Sample

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ONE = Sample(1_800_000_060.0, 60.0, 0.25, 80 * 1024 * 1024, 30, 5, 2, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "samples.db"


async def kept(path: Path) -> list[Sample]:
    """What a daemon reads that begins on this file."""
    store = SqliteSamples(path)
    try:
        return await store.all("a")
    finally:
        await store.close()


async def add(path: Path, *samples: Sample) -> None:
    """What a daemon adds that begins on this file."""
    store = SqliteSamples(path)
    for sample in samples:
        await store.add({"a": sample})
    await store.close()


async def test_samples_outlive_the_daemon(path: Path) -> None:
    """In a file that nobody else may read."""
    await add(path, ONE)
    assert await kept(path) == [ONE]
    assert path.stat().st_mode & 0o777 == 0o600


def wreck(path: Path) -> None:
    """Damages what every query needs."""
    with path.open("r+b") as file:
        file.write(b"\0" * 4096)


def of_the_future(path: Path) -> None:
    """A newer hermesd wrote it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()


def without_a_table(path: Path) -> None:
    """It says what it is and is not that."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE half_hours")
    connection.close()


@pytest.mark.parametrize("spoil", [wreck, of_the_future, without_a_table])
async def test_a_file_that_cannot_be_used_is_set_aside(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept, a line says so, and samples go on from there."""
    await add(path, ONE)
    spoil(path)
    with caplog.at_level(logging.WARNING):
        assert await kept(path) == []
    assert "begun anew" in caplog.text
    assert Path(f"{path}.aside").exists()
    await add(path, ONE)
    assert await kept(path) == [ONE]


async def test_damage_that_shows_later_costs_what_was_kept_and_nothing_that_comes(path: Path) -> None:
    """The minute under way is written to the new file."""
    store = SqliteSamples(path)
    await store.add({"a": ONE})
    await asyncio.get_running_loop().run_in_executor(store._thread, _spoil, store)
    await store.add({"a": ONE})
    await store.close()
    assert await kept(path) == [ONE]


def _spoil(store: SqliteSamples) -> None:
    assert store._connection is not None
    store._connection.execute("DROP TABLE half_hours")


@pytest.mark.parametrize("steps", range(4))
async def test_setting_aside_may_be_cut_off_anywhere(
    path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next daemon goes on: the log of the old file never becomes one of the new file."""
    crashed = SqliteSamples(path)
    await crashed.add({"a": ONE})
    log = path.with_name("samples.db-wal").read_bytes()  # as a crash leaves it
    await crashed.close()
    wreck(path)
    path.with_name("samples.db-wal").write_bytes(log)
    replace = os.replace
    done: list[str] = []

    def cut_off(source: str, target: str) -> None:
        if len(done) == steps:
            raise OSError(5, "cut off")
        done.append(source)
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", cut_off)
        store = SqliteSamples(path)
        try:
            await store.all("a")
        except (OSError, HermesError):
            await store.close()
        else:
            await store.close()
    await add(path, ONE)
    assert await kept(path) in ([ONE], [ONE, ONE])


async def test_a_file_that_may_not_be_written_loses_samples_only(path: Path) -> None:
    """And is used once it may be."""
    store = SqliteSamples(path)
    path.mkdir()
    with pytest.raises((HermesError, OSError)):
        await store.add({"a": ONE})
    path.rmdir()
    await store.add({"a": ONE})
    assert await store.all("a") == [ONE]
    await store.close()


async def test_a_file_that_another_program_uses_is_waited_for(path: Path) -> None:
    """What came meanwhile is lost."""
    await add(path, ONE)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = SqliteSamples(path)
    with pytest.raises(NotPermitted):
        await store.add({"a": ONE})
    other.close()
    await store.add({"a": ONE})
    assert len(await store.all("a")) == 2
    await store.close()


async def test_a_full_disk_loses_one_minute(path: Path) -> None:
    """What was there before stays, and the next minute is added."""
    store = SqliteSamples(path)
    await store.add({"a": ONE})
    await asyncio.get_running_loop().run_in_executor(store._thread, _limit, store, 1)
    with pytest.raises(HermesError):
        await store.add({f"profile{number}": ONE for number in range(20_000)})
    await asyncio.get_running_loop().run_in_executor(store._thread, _limit, store, 1_000_000)
    await store.add({"a": ONE})
    assert await store.all("a") == [ONE, ONE]
    await store.close()


def _limit(store: SqliteSamples, pages: int) -> None:
    assert store._connection is not None
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


async def test_the_file_is_bounded(path: Path) -> None:
    """However long it is written to, it has as many rows as are kept, and ids that nobody has any more go."""
    store = SqliteSamples(path)
    await store.add({"gone": ONE})
    await store.add({"a": ONE})
    await asyncio.get_running_loop().run_in_executor(store._thread, _age, store)
    for number in range(3):
        await store.add({"a": Sample(ONE.at_s + number * HALF_HOUR_S, 60.0, 0.0, 0, 0, 0, 0, 0)})
    await store.close()
    await add(path, ONE)
    connection = sqlite3.connect(path)
    least = {
        table: connection.execute(f"SELECT min(turn) FROM {table}").fetchone()[0]
        for table in ("minutes", "half_hours")
    }
    (newest,) = connection.execute("SELECT max(turn) FROM minutes").fetchone()
    assert least["minutes"] > newest - MINUTES_KEPT
    assert least["half_hours"] > newest - HALF_HOURS_KEPT
    assert connection.execute("SELECT id FROM profiles").fetchall() == [("a",)]
    connection.close()


def _age(store: SqliteSamples) -> None:
    """As if thirty days had gone by."""
    assert store._connection is not None
    store._connection.execute(f"UPDATE minutes SET turn = {HALF_HOURS_KEPT + 10} WHERE turn = 2")
