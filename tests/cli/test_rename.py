"""What a rename says when not everything followed."""

from collections.abc import Callable

import pytest

from hermesctl.errors import ExitCode
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1.operations_pb2 import Operation
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def test_a_gateway_that_did_not_come_back_is_partly_done(
    run: Run, daemon: FakeDaemon, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile has its new name; the warning says where to look, and so does the exit code."""
    begin = world.begin

    def crashing(kind: str, name: str, effect: Callable[[], None]) -> Operation:
        def with_crash() -> None:
            effect()
            world.profiles["helper"].gateway.state = g.GATEWAY_STATE_BACKOFF

        return begin(kind, name, with_crash)

    monkeypatch.setattr(world, "begin", crashing)
    world.warnings = ["renamed, but its gateway is not up; see hermesctl gateway why helper"]
    ended = run("profile rename coder helper")
    assert ended.code == ExitCode.PARTLY
    assert "renamed coder to helper" in ended.out
    assert "state  gateway backoff" in ended.out
    assert "warning: renamed, but its gateway is not up" in ended.err


def test_what_keeps_a_gateway_at_rest_is_no_failure(run: Run, daemon: FakeDaemon, world: World) -> None:
    """One that was not up before need not be up after."""
    world.profiles["coder"].gateway.state = g.GATEWAY_STATE_FAILED
    ended = run("profile rename coder helper")
    assert ended.code == ExitCode.DONE
    assert "state" not in ended.out


def test_the_flag_and_the_name_must_agree(run: Run, daemon: FakeDaemon, world: World) -> None:
    """`-p` names the profile that is meant, never its new name."""
    assert run("-p coder profile rename worker helper").code == ExitCode.USAGE
    assert run("-p coder profile rename coder helper").code == ExitCode.DONE
    assert "helper" in world.profiles
