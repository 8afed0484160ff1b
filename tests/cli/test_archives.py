"""`profile export` and `profile import`: what is shown, and that a file is whole or was not touched."""

import json
import os
from pathlib import Path

import pytest

from hermesd.v1 import archives_pb2 as v1
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

ARCHIVE = b"an archive of bot"


@pytest.fixture
def place(environment: dict[str, str]) -> Path:
    """Where files are written, with an archive and something that is none."""
    home = Path(environment["HOME"])
    (home / "bot.tar.gz").write_bytes(ARCHIVE)
    (home / "notes.txt").write_bytes(b"notes")
    (home / "there").mkdir()
    return home


def test_archives_are_shown_word_for_word(run: Run, daemon: FakeDaemon, place: Path) -> None:
    """Every form of both verbs, and every refusal."""
    lines = [
        f"profile export coder -o {place}/a.tgz",
        f"profile export coder -o {place}/a.tgz",
        f"profile export coder --output {place}/a.tgz --force --include-sessions",
        f"profile export coder -o {place}/b.tgz --json",
        f"profile export coder -o {place}/c.tgz -q",
        f"profile export worker -o {place}/d.tgz",
        f"profile export worker -o {place}/d.tgz --redact",
        "profile export coder --dry-run",
        "profile export coder --dry-run --json",
        "profile export worker --dry-run",
        f"profile export coder -o {place}/there",
        f"profile export coder -o {place}/gone/a.tgz",
        "profile export coder -o - --json",
        f"profile import {place}/bot.tar.gz --dry-run",
        f"profile import {place}/bot.tar.gz --dry-run --name other --json",
        f"profile import {place}/bot.tar.gz",
        f"profile import {place}/bot.tar.gz --name second --no-alias -o json",
        f"profile import {place}/notes.txt",
        f"profile import {place}/gone.tgz",
        f"profile import {place}/there",
        f"profile import {place}/bot.tar.gz --max-size lots",
        f"profile import {place}/bot.tar.gz --max-size 99999999T",
        "profile import",
        "profile export --help",
        "profile import --help",
    ]
    compare("archives", transcript(lines, run, place))
    left = {path.name for path in place.iterdir() if path.is_file()}
    assert left >= {"a.tgz", "b.tgz", "c.tgz", "d.tgz"}
    assert not [name for name in left if name.endswith(".part")]


def test_an_archive_can_be_piped(run: Run, daemon: FakeDaemon) -> None:
    """Its bytes alone are data; a terminal is not where they belong."""
    ended = run("profile export coder -o -")
    assert (ended.code, ended.out) == (0, "an archive of coder")
    shown = run("profile export coder -o -", columns=80)
    assert (shown.code, shown.out) == (2, "")
    assert "cannot be shown on a terminal" in shown.err


def test_an_archive_can_come_from_a_pipe(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Without a question; from a terminal there is none to come."""
    ended = run("profile import -", answers=ARCHIVE.decode())
    assert ended.code == 0
    assert "bot" in world.profiles
    assert run("profile import -", columns=80).code == 2


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 7), ("\n", 7), ("", 7)])
def test_a_person_sees_what_would_come_and_is_asked(
    run: Run, daemon: FakeDaemon, world: World, place: Path, answer: str, code: int
) -> None:
    """Only who says yes has it; what is sent then is what was looked at."""
    ended = run(f"profile import {place}/bot.tar.gz", columns=80, answers=answer)
    assert ended.code == code
    assert "arrives switched off" in ended.err
    assert "\x1b[2J" not in ended.err
    assert ("bot" in world.profiles) is (code == 0)
    orders = [
        call.order for _, call in world.calls if isinstance(call, v1.ImportProfileRequest | v1.PlanImportRequest)
    ]
    assert [bool(one.digest) for one in orders] == [False, True][: len(orders)]
    assert len(orders) == (2 if code == 0 else 1)


def test_who_says_yes_at_once_is_not_asked(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """Nor is anything sent twice."""
    assert run(f"profile import {place}/bot.tar.gz -y", columns=80).code == 0
    assert len([call for _, call in world.calls if isinstance(call, v1.ImportProfileRequest)]) == 1


def test_a_file_that_is_there_is_not_touched_by_a_failure(
    run: Run, daemon: FakeDaemon, world: World, place: Path
) -> None:
    """Not even with --force: it is replaced once the new one is whole."""
    before = (place / "bot.tar.gz").stat()
    world.refused["ExportProfile"] = Refusal("DISK_FULL", "no room for a copy")
    ended = run(f"profile export coder -o {place}/bot.tar.gz --force")
    assert ended.code == 1
    after = (place / "bot.tar.gz").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert {path.name for path in place.iterdir()} - {".local"} == {"bot.tar.gz", "notes.txt", "there"}


def test_a_name_that_is_taken_meanwhile_stays_the_others(
    run: Run, daemon: FakeDaemon, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote it did so while the archive was made."""

    def taken(made: str, target: Path, **_: object) -> None:
        target.write_bytes(b"theirs")
        raise FileExistsError(17, "exists")

    monkeypatch.setattr(os, "link", taken)
    ended = run(f"profile export coder -o {place}/new.tgz")
    assert ended.code == 5
    assert (place / "new.tgz").read_bytes() == b"theirs"
    assert not list(place.glob(".*part"))


def test_a_file_system_without_links_is_fine(
    run: Run, daemon: FakeDaemon, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of memory sticks are."""

    def refused(made: str, target: Path, **_: object) -> None:
        raise OSError(1, "not permitted")

    monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    assert run(f"profile export coder -o {place}/new.tgz").code == 0
    assert (place / "new.tgz").read_bytes() == b"an archive of coder"
    assert run(f"profile export coder -o {place}/new.tgz").code == 5


def test_a_full_disk_leaves_nothing(
    run: Run, daemon: FakeDaemon, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is said to be one."""

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        ended = run(f"profile export coder -o {place}/new.tgz --json")
    assert ended.code == 1
    assert json.loads(ended.err.splitlines()[-1])["error"]["reason"] == "DISK_FULL"
    assert not [path for path in place.iterdir() if "new" in path.name]


def test_the_archive_lies_where_it_was_asked_for(run: Run, daemon: FakeDaemon, place: Path) -> None:
    """By exactly that name."""
    assert run(f"profile export coder -o {place}/x.tgz").code == 0
    assert (place / "x.tgz").read_bytes() == b"an archive of coder"
    assert not (place / "x.tar.gz").exists()


def test_who_is_killed_leaves_nothing(
    run: Run, daemon: FakeDaemon, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being written has no name until it is whole."""
    before = {path.name for path in place.iterdir()}
    during: list[set[str]] = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        during.append({path.name for path in place.iterdir()})
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    assert run(f"profile export coder -o {place}/new.tgz").code == 0
    assert run(f"profile export coder -o {place}/new.tgz --force").code == 0
    assert during[0] == before
    assert during[2] == before | {"new.tgz"}
