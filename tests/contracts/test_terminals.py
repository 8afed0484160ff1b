"""What all records of terminals do, whoever keeps them."""

from pathlib import Path

import pytest

from hermesd.adapters.terminalfiles import TerminalFiles
from hermesd.domain.ports import TerminalRecords
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from hermesd.domain.terminal import Terminal
from tests.fakes.terminals import MemoryTerminals

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture(params=["files", "memory"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> TerminalRecords:
    """Files, then memory."""
    return TerminalFiles(tmp_path) if request.param == "files" else MemoryTerminals()


def terminal(terminal_id: str, started_at_s: float = 1.5, directory: str = "/home/ana/müsli ✓") -> Terminal:
    """A command that runs."""
    process = ProcessIdentity("5f0c7a4e", 4711, 123456, "")
    return Terminal(terminal_id, ProfileName("coder"), "chat", process, directory, "/dev/pts/3", started_at_s)


def test_a_record_is_read_as_it_was_made(records: TerminalRecords) -> None:
    """Every field, in order of their starts."""
    later, earlier = terminal("a", 2.5), terminal("b", 1.25)
    records.save(later)
    records.save(earlier)
    assert records.all() == [earlier, later]


def test_a_record_replaces_the_one_of_the_same_id(records: TerminalRecords) -> None:
    """There is one of each."""
    records.save(terminal("a", directory="/a/long/way/home"))
    records.save(terminal("a", directory="/"))
    assert records.all() == [terminal("a", directory="/")]


def test_a_forgotten_record_is_gone(records: TerminalRecords) -> None:
    """Twice is once."""
    records.save(terminal("a"))
    records.save(terminal("b"))
    for _ in range(2):
        records.forget("a")
    assert records.all() == [terminal("b")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": "x"}', "null"])
def test_what_a_daemon_left_that_died_while_writing_is_no_record(tmp_path: Path, text: str) -> None:
    """Nor is it found again."""
    (tmp_path / "x.json").write_text(text)
    assert TerminalFiles(tmp_path).all() == []
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It says where somebody works."""
    TerminalFiles(tmp_path).save(terminal("a"))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
