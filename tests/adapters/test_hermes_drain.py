"""Asking a gateway of hermes-agent to take no new turns."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.errors import DiskFull, NotPermitted
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at
from tests.faults.injection import crash_at, fill_disk_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

AGENT = HermesAgent()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / "profiles" / "coder")


def request_in(home: Home) -> Path:
    """Where the agent looks."""
    return home.path / ".drain_request.json"


def ask(home: Home) -> None:
    """Asks for it."""
    AGENT.drain(home, is_wanted=True)


def test_the_request_is_as_the_agent_reads_it(home: Home) -> None:
    """Private, of this boot and of the first process of this machine or container."""
    ask(home)
    said = json.loads(request_in(home).read_text())
    assert set(said) == {"action", "requested_at", "principal", "epoch", "suppress_notification"}
    assert (said["action"], said["principal"], said["suppress_notification"]) == ("drain", "hermesd", False)
    assert said["epoch"] == f"{procfs.boot_id()}:{procfs.start_ticks(1)}"
    assert request_in(home).stat().st_mode & 0o777 == 0o600


def test_a_request_is_withdrawn_whoever_made_it(home: Home) -> None:
    """The agent knows only one; without one nothing is to be done."""
    AGENT.drain(home, is_wanted=False)
    request_in(home).write_text("{}")
    AGENT.drain(home, is_wanted=False)
    assert list(home.path.iterdir()) == []


def test_a_home_that_is_gone_has_nobody_to_ask(home: Home) -> None:
    """Neither way, and nothing is made in its place."""
    shutil.rmtree(home.path)
    ask(home)
    AGENT.drain(home, is_wanted=False)
    assert not os.path.lexists(home.path)


def test_no_link_is_followed_out_of_the_home(home: Home, tmp_path: Path) -> None:
    """Neither to write nor to remove."""
    outside = tmp_path / "outside.json"
    outside.write_text("mine")
    for is_wanted in (True, False):
        request_in(home).unlink(missing_ok=True)
        request_in(home).symlink_to(outside)
        AGENT.drain(home, is_wanted=is_wanted)
        assert request_in(home).is_file() == is_wanted
        assert outside.read_text() == "mine"


def test_a_request_that_is_cut_off_is_there_or_not(home: Home) -> None:
    """At any step: a half one would drain the gateway for ever, whatever boots."""
    step = 1
    while crash_at(step, lambda: ask(home)):
        if request_in(home).exists():
            assert json.loads(request_in(home).read_text())["epoch"]
        step += 1
    assert step > 4
    step = 1
    request_in(home).unlink()
    while fill_disk_at(step, lambda: ask(home), DiskFull):
        step += 1
    assert step > 2


def test_a_request_that_cannot_be_removed_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway goes on draining."""
    ask(home)

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "read-only", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(NotPermitted, match="cannot remove"):
        AGENT.drain(home, is_wanted=False)
