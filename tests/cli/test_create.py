"""`profile create`: which profile is cloned, how it is asked for, and what is offered at a Tab."""

import pytest

from hermesd.v1 import profiles_pb2 as v1
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

SETTINGS, EVERYTHING = v1.CLONE_EXTENT_SETTINGS, v1.CLONE_EXTENT_EVERYTHING

ASKED = {
    "--clone": ("default", SETTINGS),
    "--clone -p coder": ("coder", SETTINGS),
    "--clone-from worker": ("worker", SETTINGS),
    "--clone-from profile/worker": ("worker", SETTINGS),
    "--clone-from worker -p coder": ("worker", SETTINGS),
    "--clone --clone-from worker": ("worker", SETTINGS),
    "--clone-all": ("default", EVERYTHING),
    "--clone-all --clone": ("default", EVERYTHING),
    "--clone-all --clone-from worker": ("worker", EVERYTHING),
    "": ("", v1.CLONE_EXTENT_UNSPECIFIED),
    "-p coder": ("", v1.CLONE_EXTENT_UNSPECIFIED),
}


def sent(world: World) -> v1.CreateProfileRequest:
    """The creation that the daemon was asked for."""
    (found,) = (request for method, request in world.calls if method == "CreateProfile")
    assert isinstance(found, v1.CreateProfileRequest)
    return found


@pytest.mark.parametrize("options", ASKED, ids=lambda one: one or "none")
def test_the_client_says_what_is_cloned(options: str, run: Run, daemon: FakeDaemon, world: World) -> None:
    """By name: the daemon never chooses. More beats less, and a named source beats a chosen one."""
    assert run(f"profile create work {options}").code == 0
    asked = sent(world)
    assert (asked.clone_from, asked.clone_extent) == ASKED[options]
    assert (asked.strip_channels, asked.keep_cron) == (False, False)


def test_a_source_that_nobody_typed_is_told(run: Run, daemon: FakeDaemon, world: World) -> None:
    """With where it comes from; one that was typed is not."""
    chosen = {"HERMESCTL_PROFILE": "coder"}
    told = run("profile create work --clone", variables=chosen)
    assert "cloning coder (HERMESCTL_PROFILE; override with --clone-from)\n" in told.err
    assert "cloning" not in run("profile create other --clone-from coder", variables=chosen).err
    assert "cloning" not in run("profile create quiet --clone -q", variables=chosen).err


def test_how_to_clone_is_passed_on(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Every option of the command line is in the request."""
    run(
        "profile create work --clone-from coder --channels strip --cron keep --model m --description d "
        "--no-alias --no-skills"
    )
    assert sent(world) == v1.CreateProfileRequest(
        profile="work",
        description="d",
        no_alias=True,
        no_skills=True,
        clone_from="coder",
        clone_extent=SETTINGS,
        strip_channels=True,
        keep_cron=True,
        model="m",
    )


def test_the_defaults_can_be_typed(run: Run, daemon: FakeDaemon, world: World) -> None:
    """For scripts that say what they rely on."""
    run("profile create work --clone-from coder --channels keep --cron pause")
    assert (sent(world).strip_channels, sent(world).keep_cron) == (False, False)


def test_a_dry_run_asks_for_nothing_else(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Also with --start."""
    assert run("profile create work --clone-from coder --start --dry-run").code == 0
    assert [method for method, _ in world.calls] == ["PlanCreation"]


def test_a_blank_profile_needs_no_plan(run: Run, daemon: FakeDaemon, world: World) -> None:
    """One question less."""
    run("profile create work")
    assert "PlanCreation" not in [method for method, _ in world.calls]


def test_a_clone_that_cannot_be_made_shows_no_plan(run: Run, daemon: FakeDaemon, world: World) -> None:
    """stdout stays empty, the exit code is the reason's."""
    world.failing["profile.create"] = Refusal("DISK_FULL", "cannot make /x: the file system is full")
    ended = run("profile create work --clone-from coder")
    assert (ended.code, ended.out) == (1, "")


def test_what_is_shared_is_a_warning_and_the_start_still_tried(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Made and not started is partly done."""
    world.warnings.append("shared with coder: BOT_TOKEN; the gateway of coder runs")
    world.failing["gateway.start"] = Refusal("PORT_IN_USE", "cannot start the gateway of 'work': taken")
    ended = run("profile create work --clone-from coder --start")
    assert ended.code == 10
    assert "warning: shared with coder: BOT_TOKEN" in ended.err
    assert "✓ created work" in ended.out


def test_a_fix_can_be_pasted_whatever_the_name(run: Run, daemon: FakeDaemon) -> None:
    """Quoted where a shell would take it apart."""
    ended = run(["profile", "create", "my $(id)", "--channels", "strip"])
    assert ended.code == 2
    assert "hermesctl profile create 'my $(id)' --clone --channels strip\n" in ended.err
