"""What is shown of a profile: its page, what lies beside profiles, and what a deletion takes away."""

import json
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from hermesctl import deletion_view, profile_view
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1 import profiles_pb2 as v1
from hermesd.v1 import terminals_pb2
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import at, gateway, usage
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.fixture
def furnished(world: World) -> World:
    """A profile about which there is everything to say."""
    coder = world.profiles["coder"]
    coder.MergeFrom(
        v1.Profile(
            display_name="The Coder",
            description_is_generated=True,
            has_env=True,
            env_names=[f"KEY_{number}" for number in range(8)],
            has_soul=True,
            key_env="ANTHROPIC_API_KEY",
            has_key=True,
            distribution="telemetry@0.1.0",
            is_sticky_default=True,
            channels=[v1.Channel(platform="telegram", variable="T", fingerprint="ab12cd34ef9f")],
        )
    )
    coder.gateway.restarts = 2
    coder.gateway.enabled = False
    world.terminals.append(
        terminals_pb2.Terminal(id="t1", profile="coder", verb="chat", pid=99, tty="/dev/pts/1", started_at=at(60))
    )
    world.plan = v1.DeletionPlan(
        session_count=38,
        job_count=1,
        secret_count=5,
        origin="github.com/acme/telemetry",
        leftovers=[
            v1.Leftover(
                message="the service hermes-gateway-coder.service is hermes-agent's",
                fix="systemctl --user disable --now hermes-gateway-coder.service",
            ),
            v1.Leftover(message="'chat' (pid 99) still works in it: end it"),
        ],
    )
    return world


PAGES = ["profile show coder", "profile show worker", "profile delete coder --dry-run", "profile list", "status"]


def test_everything_there_is_to_say_is_said(
    run: Run, daemon: FakeDaemon, furnished: World, tmp_path: Path
) -> None:
    """In a pipe and on a terminal."""
    found = transcript([*PAGES, "profile show coder -o json"], run, tmp_path)
    found += "\n" + transcript(PAGES, lambda line: run(line, columns=120), tmp_path)
    compare("pages", found)


def test_a_home_below_the_caller_s_is_written_as_people_do(run: Run, daemon: FakeDaemon, world: World) -> None:
    """On a terminal; programs, and paths elsewhere, get it in full."""
    home = {"HOME": "/home/ana"}
    world.profiles["coder"].path = "/home/ana/.hermes/profiles/coder"
    on_terminal = profile_view._short(world.profiles["coder"].path, _Terminal(home, 80))  # type: ignore[arg-type]
    assert on_terminal == "~/.hermes/profiles/coder"
    for path, columns in (("/home/ana/.hermes", None), ("/home/anaconda/x", 80), ("/home/ana", 80)):
        assert profile_view._short(path, _Terminal(home, columns)) == path  # type: ignore[arg-type]


class _Terminal:
    """What a page asks of one."""

    def __init__(self, environment: dict[str, str], columns: int | None) -> None:
        self.environment = environment
        self.columns = columns


def test_a_size_that_was_not_found_in_time_is_a_least_one(run: Run, daemon: FakeDaemon, world: World) -> None:
    """On the page, in the list, and before a deletion."""
    world.usage = usage(2_000_000_000, is_partial=True)
    assert "(more than 2.0 GB: state.db 1.6 GB, skills 300 MB, logs 80 MB)\n" in run("profile show coder").out
    assert ">2.0 GB" in run("profile list --disk").out
    assert "more than 2.0 GB: no sessions" in run("profile delete coder --dry-run").out


def test_a_page_waits_only_so_long_for_the_size(run: Run, daemon: FakeDaemon, world: World) -> None:
    """The daemon is told how long; a list that was asked to measure takes what it takes."""
    run("profile show coder")
    run("profile list --disk")
    limits = [request.limit for method, request in world.calls if method == "MeasureProfile"]  # type: ignore[attr-defined]
    assert limits[0] == Duration(seconds=1, nanos=500_000_000)
    assert limits[1:] == [Duration()] * 3


def test_a_list_measures_only_what_was_asked_for(run: Run, daemon: FakeDaemon, world: World) -> None:
    """A list is quick, whatever its format."""
    for line in ("profile list", "profile list -o json", "profile list -o name", "status"):
        run(line)
    assert not [method for method, _ in world.calls if method == "MeasureProfile"]
    items = json.loads(run("profile list -o json").out)["items"]
    assert {one["disk"] for one in items} == {None}
    items = json.loads(run("profile list -o json --disk").out)["items"]
    assert {one["disk"]["bytes"] for one in items} == {412_300_000}
    assert "DISK" in run("profile list -o wide").out


def test_a_profile_that_vanishes_while_others_are_measured_spoils_nothing(
    run: Run, daemon: FakeDaemon, world: World
) -> None:
    """Its size is not known any more."""
    world.refused["MeasureProfile"] = Refusal("PROFILE_NOT_FOUND", "there is no profile 'coder'")
    ended = run("profile list --disk")
    assert (ended.code, ended.err) == (0, "")
    world.refused["MeasureProfile"] = Refusal("NOT_PERMITTED", "no")
    assert run("profile list --disk").code == 9


def test_what_is_no_profile_is_told_beside_the_list(run: Run, daemon: FakeDaemon, world: World) -> None:
    """As talk for people, as data for programs, and to nobody who wants names or quiet."""
    world.ignored += [
        v1.IgnoredEntry(path=f"/home/ana/.hermes/profiles/My \x1b[31mBot {number}", why="a reason")
        for number in range(12)
    ]
    told = run("profile list").err.splitlines()
    assert told[0] == "no profile: /home/ana/.hermes/profiles/My Bot 0: a reason"
    assert (len(told), told[-1]) == (11, "and 2 more; -o json lists them")
    for line in ("profile list -q", "profile list -o name", "profile list -o json", "profile list -o jsonl"):
        assert run(line).err == ""
    assert len(json.loads(run("profile list -o json").out)["ignored"]) == 12


def test_before_a_deletion_its_plan_is_shown(
    run: Run, daemon: FakeDaemon, furnished: World, tmp_path: Path
) -> None:
    """What goes, what stays, and the way back or that there is none."""
    found = [
        transcript([line], lambda one: run(one, columns=100, answers="no\n"), tmp_path)
        for line in ("profile delete coder", "profile delete coder --purge")
    ]
    compare("deletion", "\n".join(found))
    assert "coder" in furnished.profiles


def test_counts_that_are_not_known_are_not_made_up(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Nor is one of a thing many."""
    world.plan = v1.DeletionPlan(session_count=1, secret_count=1)
    told = run("profile delete coder --dry-run").out
    assert "1 session, 74 skills, no scheduled jobs, .env with 1 secret\n" in told
    page = deletion_view.plan_page(v1.DeletionPlan(profile=v1.Profile(name="x")))
    assert "sessions not counted, no skills, scheduled jobs not counted\n" in page


def test_of_a_home_that_is_a_link_only_the_link_goes(run: Run, daemon: FakeDaemon, world: World) -> None:
    """What it leads to stays, and the page does not say that it went."""
    world.plan = v1.DeletionPlan(link_target="/srv/coder")
    told = run("profile delete coder --dry-run").out
    assert "  link     only the link goes; /srv/coder stays, with 412 MB: no sessions," in told
    assert "  data " not in told


def test_a_gateway_that_is_wanted_and_down_will_not_come_back(run: Run, daemon: FakeDaemon, world: World) -> None:
    """It is said where no process is there to be stopped."""
    stopped = gateway("coder", g.GATEWAY_STATE_PARKED, wish=g.WISH_UP)
    world.profiles["coder"].gateway.CopyFrom(stopped)
    assert "gateway  is wanted, and will not be started again\n" in run("profile delete coder --dry-run").out


def test_a_dry_run_is_refused_for_what_the_deletion_would_be(run: Run, daemon: FakeDaemon, world: World) -> None:
    """And deletes nothing when it is not."""
    world.refused["PlanDeletion"] = Refusal("GATEWAY_FOREIGN", "a gateway that hermesd did not start serves it")
    assert run("profile delete coder --dry-run").code == 6
    assert not [method for method, _ in world.calls if method == "DeleteProfile"]


def test_only_the_default_profile_is_shown_under_another_name(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Its name in commands stays; an empty one takes the other back; other profiles are renamed for good."""
    ended = run(["profile", "rename", "default", "Front \x1b[31mDesk"])
    assert (ended.code, ended.out) == (
        0,
        "✓ default is shown as Front Desk; in commands it is default as before\n",
    )
    assert "default" in world.profiles
    assert run(["profile", "rename", "Default", ""]).out == "✓ default is shown under its own name\n"
