"""The program `hermesd`: what it says when it cannot start."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from hermesd import __main__ as program
from hermesd import app, log
from hermesd.domain.errors import ProfileBusy

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture(autouse=True)
def _private_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leaves the log of the tests as it was."""
    monkeypatch.setattr(sys, "argv", ["hermesd"])
    monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    for handler in [one for one in root.handlers if one not in before[0]]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[1])


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception, log_path: Path | None = None) -> None:
    """Lets the daemon fail, after it has begun its log or before."""

    def run(_: object) -> NoReturn:
        if log_path is not None:
            log.set_up(log_path)
        raise error

    monkeypatch.setattr(app, "run", run)


def test_a_refusal_is_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line each for what and why, with the exit code of its reason."""
    fail_with(monkeypatch, ProfileBusy("a daemon runs already", hint="stop it first"))
    assert program.main() == 5
    assert capsys.readouterr().err == "error: a daemon runs already\n  why: stop it first\n"


def test_a_mistake_is_one_line_and_its_traceback_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to read Python to learn that it was not their fault."""
    path = tmp_path / "daemon.log"
    fail_with(monkeypatch, ZeroDivisionError("boom"), path)
    assert program.main() == 1
    assert capsys.readouterr().err == (
        f"error: hermesd ends, for a mistake of its own\n  why: {path} has the traceback\n"
    )
    assert "Traceback" in path.read_text()
    assert "ZeroDivisionError: boom" in path.read_text()


def test_without_a_log_the_traceback_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no other place for it yet."""
    fail_with(monkeypatch, ZeroDivisionError("boom"))
    assert program.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: hermesd ends, for a mistake of its own\nTraceback")
    assert "ZeroDivisionError: boom" in said
