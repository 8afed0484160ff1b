"""What people are promised when things go wrong, told as they would meet it: real programs, scripted gateways."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from hermesctl.client import Client
from hermesd.adapters import procfs
from hermesd.domain.record import GatewayRecord
from hermesd.v1 import daemon_pb2, events_pb2, gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway
from tests.e2e.accidents import cut_power, rewrite
from tests.e2e.census import Decoy, end_all, members
from tests.e2e.daemon import HURRIED, Daemon, scripted
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

READY, BACKOFF = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_BACKOFF
STOPPED, FAILED = gateways_pb2.GATEWAY_STATE_STOPPED, gateways_pb2.GATEWAY_STATE_FAILED
PARKED = gateways_pb2.GATEWAY_STATE_PARKED


@pytest.fixture
def daemon(stage: Daemon) -> Daemon:
    """A daemon that is not started yet, of whom nothing is left afterwards."""
    return stage


def furnish(daemon: Daemon, commands: dict[str, list[str]], **policy: float) -> None:
    """Makes these profiles with these programs, and starts the daemon."""
    daemon.make_homes(*commands)
    daemon.write_settings({name: scripted(*flags) for name, flags in commands.items()}, {**HURRIED, **policy})
    daemon.start()


def until_state(daemon: Daemon, profile: str, state: int) -> Gateway:
    """Waits for a gateway to be in a state."""
    wait_until(lambda: daemon.gateway(profile).state == state, f"{profile} to be in state {state}")
    return daemon.gateway(profile)


def pids(daemon: Daemon) -> dict[str, int]:
    """The main process of each gateway that has one."""
    return {name: found.process.pid for name, found in daemon.gateways().items() if found.process.pid}


def test_gateways_and_their_policy_survive_a_daemon_that_is_killed_twice(daemon: Daemon) -> None:
    """The same five processes, locks and logs; one that died meanwhile is started once; clients reconnect."""
    names = [f"bot{number}" for number in range(5)]
    furnish(daemon, {name: ["--lines", "3"] for name in names})
    before = {name: daemon.do("start", name).process for name in names}
    with Client(daemon.places.read_record()) as client:
        for _ in range(2):
            daemon.kill_and_start()
            assert {
                name: gateway.process for name, gateway in daemon.gateways().items() if name in before
            } == before
        answer = client.gateways.ListGateways(gateways_pb2.ListGatewaysRequest(), wait_for_ready=True)
        assert len(answer.gateways) == 6
    for name in names:
        assert procfs.holders(daemon.lock_of(daemon.gateway(name))) == [before[name].pid]
        log = Path(daemon.gateway(name).log_path)
        wait_until(lambda log=log: "line 2" in log.read_text(), f"what {name} prints")  # type: ignore[misc]

    daemon.kill()
    psutil.Process(before["bot0"].pid).kill()
    daemon.start()
    again = until_state(daemon, "bot0", READY)
    assert (again.restarts, again.last_exit.cause) == (1, gateways_pb2.EXIT_CAUSE_UNKNOWN)
    psutil.Process(before["bot1"].pid).kill()
    wait_until(lambda: daemon.gateway("bot1").restarts == 1, "an adopted gateway to be kept like any other")
    until_state(daemon, "bot1", READY)
    untouched = {name: before[name].pid for name in names[2:]}
    assert {name: pid for name, pid in pids(daemon).items() if name in untouched} == untouched
    wait_until(lambda: len(members(daemon.machine)) == 5, "five trees, and no more")


def test_a_recycled_pid_and_a_similar_name_are_nobodys_business(daemon: Daemon, tmp_path: Path) -> None:
    """A gateway and its daemon were killed, a stranger got the pid: it starts at once, and the stranger lives."""
    furnish(daemon, {"dev": [], "dev-test": []})
    neighbour = daemon.do("start", "dev-test").process
    main = daemon.do("start", "dev").process.pid
    daemon.kill()
    psutil.Process(main).kill()
    with Decoy(tmp_path / "stranger") as stranger:

        def recycled(record: GatewayRecord) -> GatewayRecord:
            assert record.process is not None
            is_main = record.process.pid == main
            process = replace(record.process, pid=stranger.identity.pid if is_main else record.process.pid)
            return replace(record, process=process)

        asyncio.run(rewrite(daemon, recycled))
        daemon.start()
        dev = until_state(daemon, "dev", READY)
        assert dev.process.pid not in (main, stranger.identity.pid)
        assert daemon.gateway("dev-test").process == neighbour
        daemon.do("stop", "dev")
        assert daemon.do("start", "dev").state == READY
        assert daemon.do("stop", "dev").state == STOPPED
        assert stranger.is_untouched
        assert daemon.gateway("dev-test").process == neighbour
        assert [member.profile for member in members(daemon.machine)] == ["dev-test"]


def test_each_way_to_end_is_answered_in_its_own_way(daemon: Daemon) -> None:
    """78 waits for a person, 75 is started again at once, 0 unasked is slowed down like a crash."""
    commands = {
        "wrong": ["--exit-after", "0", "--code", "78"],
        "restless": ["--exit-after", "2.5", "--code", "75"],
        "done": ["--exit-after", "0", "--code", "0"],
    }
    furnish(daemon, commands, backoff_first_s=30.0, backoff_limit_s=30.0, stable_s=0.1)
    for name in commands:
        daemon.call("start", name)
    wrong = until_state(daemon, "wrong", FAILED)
    assert (wrong.wish, wrong.restarts) == (gateways_pb2.WISH_UP, 0)
    done = until_state(daemon, "done", BACKOFF)
    assert (done.last_exit.cause, done.last_exit.code) == (gateways_pb2.EXIT_CAUSE_CRASHED, 0)
    wait_until(lambda: daemon.gateway("restless").restarts >= 2, "a gateway that asks for restarts to get them")
    assert daemon.gateway("restless").last_exit.cause == gateways_pb2.EXIT_CAUSE_RESTART_REQUESTED
    assert starts(daemon, "wrong") == starts(daemon, "done") == 1


def test_a_crash_loop_slows_down_spends_its_budget_and_then_waits_loudly(daemon: Daemon) -> None:
    """Each delay is longer, starts end at the budget, people are told once, and a new daemon knows all of it."""
    first_s, budget = 0.01, 12
    furnish(
        daemon,
        {"bot": ["--exit-after", "0", "--code", "1"]},
        backoff_first_s=first_s,
        backoff_limit_s=1.0,
        backoff_rare_s=1.0,
        starts_per_hour=budget,
    )
    daemon.call("start", "bot")
    wait_until(lambda: daemon.gateway("bot").state == PARKED, "all of its budget to be spent", deadline_s=60)
    parked = daemon.gateway("bot")
    assert starts(daemon, "bot") == budget
    daemon.kill_and_start()
    found = daemon.gateway("bot")
    assert (found.state, found.wish) == (PARKED, gateways_pb2.WISH_UP)
    assert found.next_start_at.ToSeconds() == pytest.approx(parked.next_start_at.ToSeconds(), abs=2)
    assert starts(daemon, "bot") == budget

    events = daemon.client.events.ListEvents(events_pb2.ListEventsRequest(profile="bot", page_size=1000)).events
    assert len([event for event in events if event.kind == "gateway.alert"]) == 1
    ends_s = [event.at.ToNanoseconds() / 1e9 for event in events if event.kind == "gateway.exited"]
    delays_s = [later - earlier for earlier, later in pairwise(ends_s)]
    for number, delay_s in enumerate(delays_s):
        assert delay_s >= min(first_s * 2**number, 1.0) * 0.8


def starts(daemon: Daemon, profile: str) -> int:
    """How often a scripted gateway was started, by what it wrote."""
    return Path(daemon.gateway(profile).log_path).read_text().splitlines().count("up")


def end_cleanly(daemon: Daemon) -> None:
    """The host is shut down in order: the daemon drains its gateways."""
    daemon.client.daemon.StopDaemon(daemon_pb2.StopDaemonRequest(gateways=True))
    daemon.wait()


def restart_container(daemon: Daemon) -> None:
    """Everything ends at once, in the same boot."""
    daemon.kill()
    end_all(daemon.machine, [])


def restore_files(daemon: Daemon) -> None:
    """What another machine's gateway left in its home comes to lie in this one."""
    home = daemon.machine.root / "profiles" / "a"
    stale = {"pid": 1, "kind": "hermes-gateway", "start_time": 1, "gateway_state": "stopped"}
    (home / "gateway_state.json").write_text(json.dumps(stale))
    (home / "gateway.pid").write_text(json.dumps(stale))
    daemon.kill()


def restore_home(daemon: Daemon) -> None:
    """A backup made on another machine takes the place of a home in which a gateway runs."""
    home = daemon.machine.root / "profiles" / "a"
    restored = shutil.copytree(home, home.with_name("unpacked"))
    shutil.rmtree(home)
    restored.rename(home)
    restore_files(daemon)


def restore_everything(daemon: Daemon) -> None:
    """A machine is made anew, and every home comes from the backup."""
    restart_container(daemon)
    profiles = daemon.machine.root / "profiles"
    restored = shutil.copytree(profiles, profiles.with_name("unpacked"))
    shutil.rmtree(profiles)
    restored.rename(profiles)


@pytest.mark.parametrize(
    "end", [end_cleanly, cut_power, restart_container, restore_files, restore_home, restore_everything]
)
def test_wishes_survive_every_kind_of_end(daemon: Daemon, end: Callable[[Daemon], None]) -> None:
    """What was wanted is there again, what was stopped or disabled is not, and what crashed is tried again."""
    furnish(daemon, {"a": [], "b": [], "c": ["--exit-after", "0", "--code", "1"], "d": []}, backoff_first_s=3.0)
    daemon.do("start", "a")
    for name in ("b", "d"):
        daemon.do("start", name)
        wait_until(partial(starts, daemon, name), f"{name} to have worked in its home")
        daemon.do("stop", name)
    daemon.call("start", "c")
    until_state(daemon, "c", BACKOFF)
    daemon.client.gateways.DisableGateway(gateways_pb2.DisableGatewayRequest(profile="d"))
    tries = starts(daemon, "c")

    end(daemon)
    daemon.start()
    until_state(daemon, "a", READY)
    wait_until(lambda: starts(daemon, "c") > tries, "a crashed gateway to be tried again")
    assert daemon.gateway("b").state == daemon.gateway("d").state == STOPPED
    assert not daemon.gateway("d").enabled
    assert {member.profile for member in members(daemon.machine)} <= {"a", "c"}
