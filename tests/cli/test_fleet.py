"""One verb for many gateways: what is asked of the daemon, and what a person is told meanwhile."""

from pathlib import Path

import pytest

from hermesctl import cli
from hermesctl.errors import ExitCode
from hermesd.v1 import gateways_pb2 as v1
from tests.cli.conftest import Ended, Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.fixture
def run_here(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs a command in a directory that holds two files."""
    for name in ("work.txt", "ghost"):
        (tmp_path / name).touch()

    def run_command(line: str) -> Ended:
        fake = FakeTerminal(environment)
        fake.working_directory = tmp_path
        code = cli.run(line.split(), fake)
        return Ended(code, fake.output.getvalue(), fake.talk.getvalue())

    return run_command


def asked(world: World, method: str) -> list[object]:
    """The requests of one kind, in order."""
    return [request for name, request in world.calls if name == method]


def test_one_name_asks_as_it_always_did(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Also one that is typed twice, without the detour of an operation for many."""
    for line in ("gateway restart coder", "gateway restart coder coder", "gateway restart"):
        assert run(line).code == 0
    assert asked(world, "ChangeGateways") == []
    assert len(asked(world, "RestartGateway")) == 3


def test_a_tool_does_not_wait_for_the_end_of_its_own_gateway(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Which waits for its tools; nor for many, of whom its own may be one. Others and starts are waited for."""
    world.hanging |= {"gateway.restart", "gateway.stop", "gateways.restart"}
    home = Path(environment["HOME"]) / ".hermes" / "profiles" / "coder"
    home.mkdir(parents=True)
    inside = {**environment, "HERMESD_SPAWN_ID": "s1", "HERMES_HOME": str(home)}
    for line in ("gateway restart coder", "gateway stop", "gateway disable --now", "gateway restart --all"):
        fake = FakeTerminal(inside)
        assert cli.run(line.split(), fake) == ExitCode.DONE
        assert "operation " in fake.output.getvalue()
        assert "inside the gateway of coder" in fake.talk.getvalue()
    world.hanging.clear()
    for line in ("gateway restart worker", "gateway start coder", "gateway start --all"):
        fake = FakeTerminal(inside)
        cli.run(line.split(), fake)
        assert "inside" not in fake.talk.getvalue()


def test_patterns_and_all_go_to_the_daemon_as_they_are(run: Run, daemon: FakeDaemon, world: World) -> None:
    """It knows who there is at the moment at which it begins."""
    run("gateway stop profile/coder wo* --exclude work? --at-once 3")
    run("gateway start -A")
    first, second = asked(world, "ChangeGateways")
    assert first == v1.ChangeGatewaysRequest(
        verb=v1.GATEWAY_VERB_STOP, profiles=["coder", "wo*"], exclude=["work?"], at_once=3
    )
    assert second == v1.ChangeGatewaysRequest(verb=v1.GATEWAY_VERB_START, all=True)


def test_a_pattern_that_the_shell_replaced_is_explained(run_here: Run, daemon: FakeDaemon) -> None:
    """By quotes, whether or not the file could be a profile; nothing is asked for."""
    ended = run_here("gateway restart work.txt")
    assert ended.code == ExitCode.USAGE
    assert "'work.txt' is not a profile name" in ended.err
    assert "hermesctl gateway restart 'work*'" in ended.err
    ended = run_here("gateway restart coder ghost")
    assert ended.code == ExitCode.NOT_FOUND
    assert "a file of this name is here" in ended.err
    assert "a file of this name" not in run_here("gateway restart coder phantom").err


def test_people_see_which_are_under_way(run: Run, daemon: FakeDaemon) -> None:
    """One line that changes, and the results once at the end."""
    ended = run("gateway restart coder default", columns=80)
    assert ended.err.count("\n") == 0
    assert "gateways.restart  work 2/2  a thing" in ended.err
    assert ended.out.count("coder") == 1


def test_who_stops_waiting_is_told_how_to_go_on(run: Run, daemon: FakeDaemon, world: World) -> None:
    """The daemon goes on with all of them."""
    world.hanging.add("gateways.restart")
    ended = run("gateway restart --all --timeout 0s")
    assert ended.code == ExitCode.STILL_RUNNING
    assert "hermesctl operations wait op" in ended.err
