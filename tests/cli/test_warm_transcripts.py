"""Every transcript, warm and cold: the same exit codes and the same bytes on both streams."""

import os
import pty
import struct
import termios
from collections.abc import Iterator, Sequence
from fcntl import ioctl
from pathlib import Path

import pytest

from hermesctl.client.places import Places
from tests.cli.conftest import fleet
from tests.cli.test_transcripts import FAILURES, READING, SCENES
from tests.cli.workers import COLD, LAUNCH, Workers, call, ended
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal
from tests.tiers import sampled

pytestmark = pytest.mark.cli

OFTEN = ("gateways",)
"""Scenes whose lines show most of what could differ."""

Said = tuple[str, int, str, str]
"""A command line, its exit code, and what it wrote."""


class Desk:
    """A person with a daemon of their own, who calls the client in one way."""

    def __init__(self, home: Path, command: Sequence[str]) -> None:
        home.mkdir()
        self._home = home
        self.environment = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
            "TERM": "xterm",
            "HERMESCTL_NO_AUTOSTART": "1",
        }
        self.places = Places.locate(self.environment)
        self.places.root.mkdir()
        self.world = fleet()
        self.daemon = FakeDaemon(self.world, self.places)
        self._command = command

    def run(self, line: str, **variables: str) -> Said:
        """Runs a line with pipes for streams."""
        caller = call(line, self.environment | variables, command=self._command, cwd=self._home)
        code, out, err = ended(caller)
        return self._said(line, code, out, err)

    def run_on_terminal(self, line: str, columns: int, typed: str = "", **variables: str) -> Said:
        """Runs a line on a terminal, to which both streams go."""
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        caller = call(
            line, self.environment | variables, command=self._command, cwd=self._home,
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b"".join(_read(ours))
        os.close(ours)
        return self._said(line, caller.wait(), shown.decode(), "")

    def _said(self, line: str, code: int, out: str, err: str) -> Said:
        return line, code, self._without_place(out), self._without_place(err)

    def _without_place(self, text: str) -> str:
        return text.replace(str(self._home), "/HOME").replace(self.places.state.name, "ROOT")


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:  # nobody holds its other end any more
            return


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[tuple[Desk, Desk]]:
    """Two alike: one where workers wait, one that calls the whole program."""
    warm, cold = Desk(tmp_path / "warm", LAUNCH), Desk(tmp_path / "cold", COLD)
    for desk in (warm, cold):
        desk.daemon.start()
    with Workers(warm.places) as workers:
        yield warm, cold
    for desk in (warm, cold):
        desk.daemon.stop()
    assert workers.said == b""


@pytest.mark.parametrize(
    "name", sampled([*OFTEN, *sorted(SCENES.keys() - {*OFTEN, "quickstart"})], few=len(OFTEN))
)
def test_scripts_and_pipes_see_the_same(desks: tuple[Desk, Desk], name: str) -> None:
    """Every line of the transcripts, one after the other, each on its own daemon."""
    warm, cold = desks
    for line in SCENES[name]:
        assert warm.run(line) == cold.run(line)
    assert [type(one) for _, one in warm.world.calls] == [type(one) for _, one in cold.world.calls]


@pytest.mark.ci
def test_quickstart_says_the_same(desks: tuple[Desk, Desk]) -> None:
    """It runs in its caller's process either way."""
    for desk in desks:
        del desk.world.profiles["coder"], desk.world.profiles["worker"]
        desk.world.runtimes.clear()
    warm, cold = desks
    for line in SCENES["quickstart"]:
        assert warm.run(line) == cold.run(line)


@pytest.mark.parametrize("columns", sampled([80, 40, 200]))
def test_people_see_the_same(desks: tuple[Desk, Desk], columns: int) -> None:
    """On a terminal of any width."""
    warm, cold = desks
    for line in READING:
        assert warm.run_on_terminal(line, columns) == cold.run_on_terminal(line, columns)


@pytest.mark.parametrize(
    "variables",
    sampled(
        [
            {"NO_COLOR": "1"},
            {"TERM": "dumb"},
            {"LC_ALL": "C"},
            {"LC_ALL": "POSIX"},
            {"LC_ALL": "C.UTF-8"},
            {"LANG": "xx_YY.ISO-8859-1"},
            {"COLUMNS": "33"},
            {"FORCE_COLOR": "1"},
            {"TZ": "Asia/Tokyo"},
            {"HERMESCTL_PROFILE": "worker"},
            {"HERMESCTL_PROFILE": "gh\u00f6st"},
            {"HERMES_HOME": "/nowhere"},
        ],
        few=4,
    ),
    ids=str,
)
def test_the_callers_environment_counts(desks: tuple[Desk, Desk], variables: dict[str, str]) -> None:
    """Not the worker's."""
    warm, cold = desks
    for line in ("status", "gateway status worker", "profile", "gateway start worker"):
        assert warm.run_on_terminal(line, 80, **variables) == cold.run_on_terminal(line, 80, **variables)
        assert warm.run(line, **variables) == cold.run(line, **variables)


@pytest.mark.parametrize("typed", sampled(["worker\n", "no\n", "\x04"]))
def test_questions_are_asked_and_answered(desks: tuple[Desk, Desk], typed: str) -> None:
    """Whoever types is heard by a worker too."""
    warm, cold = desks
    found = [desk.run_on_terminal("profile delete worker", 80, typed) for desk in desks]
    assert found[0] == found[1]
    assert found[0][1] == (0 if typed == "worker\n" else 7)
    assert ("worker" in warm.world.profiles) is ("worker" in cold.world.profiles)


@pytest.mark.full
def test_failures_are_the_same(desks: tuple[Desk, Desk]) -> None:
    """What the daemon knows of a failure, as lines and as JSON."""
    warm, cold = desks
    for reason, facts in FAILURES.items():
        for desk in desks:
            refusal = Refusal(reason, "cannot start the gateway of 'worker': no luck", facts)
            desk.world.failing["gateway.start"] = refusal
        for line in ("gateway start worker", "gateway start worker -q --json", "gateway start worker -v"):
            assert warm.run(line) == cold.run(line)


@pytest.mark.ci
def test_an_absent_daemon_is_told_the_same(desks: tuple[Desk, Desk]) -> None:
    """A worker that finds none gives the command back."""
    warm, cold = desks
    for desk in desks:
        desk.places.daemon_file.unlink()
    for line in ("profile list", "daemon status", "daemon stop", "version", "chat", "gateway is-active coder"):
        assert warm.run(line) == cold.run(line)
