"""A fake daemon with a small fleet, and a way to run the client against it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hermesctl import cli
from hermesctl.client.places import Places
from hermesctl.completion import live
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1.doctor_pb2 import SEVERITY_ERROR, SEVERITY_WARNING, Finding
from hermesd.v1.profiles_pb2 import Soul
from tests.fakes.contract import alias, at, finding, gateway, profile, runtime
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local times are those of UTC, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to offer less at a tab."""
    monkeypatch.setattr(live, "LIMIT_S", 20.0)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a person whose home is private to the test."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "HERMESCTL_NO_AUTOSTART": "1"}


@pytest.fixture
def places(environment: dict[str, str]) -> Places:
    """Where that person's daemon is."""
    return Places.locate(environment)


@pytest.fixture
def world() -> World:
    """A fleet of the test's own."""
    return fleet()


def fleet() -> World:
    """A fleet with one gateway in each kind of condition."""
    made = World(runtimes=[runtime()], log=["INFO gateway up", "\x1b[31mERROR\x1b[0m telegram: retry 1/3"])
    crash = g.GatewayExit(cause=g.EXIT_CAUSE_CRASHED, code=1, detail="Traceback: boom", at=at(41))
    for one in (
        profile("default"),
        profile(
            "coder",
            description="Writes and reviews code",
            model="anthropic/claude-opus-4",
            provider="anthropic",
            aliases=["coder"],
            gateway=gateway("coder", g.GATEWAY_STATE_READY),
            runtime=made.runtimes[0].name,
        ),
        profile(
            "worker",
            model="qwen3-coder",
            base_url="http://127.0.0.1:11434/v1",
            gateway=gateway("worker", g.GATEWAY_STATE_BACKOFF, since=at(41), last_exit=crash, wish=g.WISH_UP),
            problems=["config.yaml: line 3 is not YAML"],
        ),
    ):
        made.profiles[one.name] = one
    made.findings += findings()
    made.souls["coder"] = Soul(text="You write code.\n", revision="4f2c1aa0")
    made.aliases += [
        alias("coder", "coder"),
        alias("bot", "worker", is_ours=False),
        alias("old", "ghost", has_profile=False),
    ]
    return made


def findings() -> list[Finding]:
    """One of each kind, and what is fine."""
    edit = "${EDITOR:-vi} /home/ana/.hermes/profiles/worker/config.yaml"
    return [
        finding("", "default", "the sticky default is 'ghost', which is no profile", severity=SEVERITY_ERROR,
                fix="hermesctl doctor --all --fix", is_fixable=True),
        finding("", "disk", "there is room"),
        finding("", "litter", "nothing was left half done"),
        finding("coder", "modes", "nobody else can read what is private"),
        finding("coder", "parts", "every part is there"),
        finding("worker", "modes", "other users of this machine can read .env", severity=SEVERITY_ERROR,
                fix="hermesctl doctor worker --fix", is_fixable=True),
        finding("worker", "parts", "plans is missing", severity=SEVERITY_WARNING,
                fix="hermesctl doctor worker --fix", is_fixable=True),
        finding("worker", "config", "line 3 is\x1b[2J not YAML", severity=SEVERITY_WARNING, fix=edit),
        finding("worker", "units", "no service would start a second gateway"),
    ]  # fmt: skip


@pytest.fixture
def daemon(world: World, places: Places) -> Iterator[FakeDaemon]:
    """The fake daemon, serving."""
    serving = FakeDaemon(world, places)
    serving.start()
    yield serving
    serving.stop()


Run = Callable[..., Ended]


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs one command line; further arguments describe the terminal."""

    def run_command(line: str | list[str], **terminal: object) -> Ended:
        argv = line.split() if isinstance(line, str) else line
        variables = environment | dict(terminal.pop("variables", {}))  # type: ignore[call-overload]
        fake = FakeTerminal(variables, **terminal)  # type: ignore[arg-type]
        code = cli.run(argv, fake)
        return Ended(code, fake.output.getvalue(), fake.talk.getvalue())

    return run_command
