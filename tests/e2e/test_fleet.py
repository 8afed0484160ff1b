"""Many gateways at once: callers that vanish or collide, a boot of sixty, a runaway, a hundred who watch."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterable, Collection, Sequence
from itertools import pairwise

import psutil
import pytest

from hermesctl.client import AsyncClient
from hermesd.v1 import events_pb2, gateways_pb2, operations_pb2, samples_pb2
from hermesd.v1.operations_pb2 import Operation
from tests.e2e.accidents import cut_power
from tests.e2e.census import members
from tests.e2e.daemon import Daemon
from tests.e2e.house import CLIENT, Api, Machine, free_port
from tests.e2e.understudy import BEATING, TELEGRAM, cast, home_of, play
from tests.fakes.model import MODEL, ModelServer
from tests.waiting import until, wait_until

pytestmark = pytest.mark.e2e

READY, PARKED = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_PARKED
SUCCEEDED = operations_pb2.OPERATION_STATE_SUCCEEDED
AT_ONCE = 4
WATCHERS = 100
EVENTS = 1_500
MEBI = 2**20
CAP_BYTES = 200 * MEBI
"""Captured output is cut every other second, into files of 10 MiB and what a flood adds in that time."""


def operations(daemon: Daemon, kind: str) -> list[Operation]:
    """Operations of a kind, oldest first."""
    found = daemon.client.operations.ListOperations(operations_pb2.ListOperationsRequest()).operations
    return [one for one in reversed(found) if one.kind == kind]


def starts(daemon: Daemon) -> Counter[str]:
    """How often the gateway of each profile was started since the beginning."""
    request = events_pb2.ListEventsRequest(kinds=["gateway.starting"], page_size=10_000)
    return Counter(event.profile for event in daemon.client.events.ListEvents(request).events)


def until_ready(daemon: Daemon, names: Sequence[str], *, deadline_s: float = 60.0) -> None:
    """Waits until these gateways are."""

    def are_ready() -> bool:
        gateways = daemon.gateways()
        return all(gateways[name].state == READY for name in names)

    wait_until(are_ready, "all to be ready", deadline_s=deadline_s)


def at_terminal(machine: Machine, *arguments: str) -> "subprocess.Popen[str]":
    """A command in a terminal of its own, which may be closed."""
    return subprocess.Popen(
        [str(CLIENT), *arguments],
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def once(command: str) -> str:
    """A tool that waits until it is told to go, and runs a command then; in one of the gateway's lives only."""
    return f"cd $HERMES_HOME; while [ ! -e go ]; do sleep 0.05; done; [ -e gone ] && exit; touch gone; {command}"


@pytest.mark.ci
def test_a_caller_that_dies_with_what_it_restarts_changes_nothing(stage: Daemon) -> None:
    """A tool inside a gateway restarts that gateway; it comes back, once, and who asked stays visible."""
    words = shlex.join(f"{name}={value}" for name, value in stage.machine.environment.items())
    tool = once(f"exec env {words} {CLIENT} gateway restart coder")
    play(stage, {"coder": (*BEATING, *TELEGRAM, "--run", tool), "other": (*BEATING, *TELEGRAM)})
    before = {name: stage.do("start", name).process for name in ("coder", "other")}
    (home_of(stage.machine, "coder") / "go").touch()
    wait_until(lambda: operations(stage, "gateway.restart"), "the tool to ask")
    (operation,) = operations(stage, "gateway.restart")
    stage.client.wait(operation)
    (operation,) = operations(stage, "gateway.restart")
    assert (operation.state, operation.profile) == (SUCCEEDED, "coder")
    assert operation.requester.startswith("hermesctl/")
    coder = stage.gateway("coder")
    assert (coder.state, coder.wish) == (READY, gateways_pb2.WISH_UP)
    assert coder.process.pid != before["coder"].pid
    assert stage.gateway("other").process == before["other"]
    assert starts(stage) == {"coder": 2, "other": 1}
    wait_until(
        lambda: len(members(stage.machine)) <= 3, "the tool's last life to end"
    )  # it waits, or found it gone
    assert operation.id in stage.machine.ok("operations", "list")


@pytest.mark.ci
def test_two_terminals_restart_all_and_one_is_closed(stage: Daemon) -> None:
    """The second joins the first: each gateway restarts once, what was stopped stays so, one operation tells."""
    names = ("coder", "worker", "idle", "stopped")
    play(stage, dict.fromkeys(names, (*BEATING, *TELEGRAM, "--ready-after", "0.4")), starts_at_once=2)
    stage.machine.ok("gateway", "start", *names[:3])
    before = starts(stage)
    first = at_terminal(stage.machine, "gateway", "restart", "--all")
    second = at_terminal(stage.machine, "gateway", "restart", "--all")
    time.sleep(0.2)
    os.killpg(first.pid, signal.SIGHUP)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, out + err
    first.communicate(timeout=60)
    assert first.returncode != 0
    until_ready(stage, names[:3])
    assert starts(stage) - before == Counter(names[:3])
    assert stage.gateway("stopped").wish == gateways_pb2.WISH_DOWN
    (operation,) = operations(stage, "gateways.restart")
    assert operation.state == SUCCEEDED
    assert operation.requester.startswith("hermesctl/")
    assert {one.profile for one in operation.results if not one.is_skipped} == set(names[:3])
    for name in names[:3]:
        assert name in out + err


def starting_by_proc(machine: Machine) -> int:
    """How many gateways have a process and do not say that they run; a program may be several until it is one."""
    pids: dict[str, set[int]] = {}
    for member in members(machine):
        pids.setdefault(member.profile, set()).add(member.process.pid)
    return sum(not is_up(machine, profile, found) for profile, found in pids.items())


def is_up(machine: Machine, profile: str, pids: Collection[int]) -> bool:
    """Whether one of these processes has said that the gateway of a profile runs."""
    try:
        said = json.loads((home_of(machine, profile) / "gateway_state.json").read_text())
    except FileNotFoundError:
        return False
    return said.get("pid") in pids and said.get("gateway_state") == "running"


@pytest.mark.full
def test_a_boot_of_sixty_is_staggered_and_starts_only_whom_somebody_could_reach(stage: Daemon) -> None:
    """Of sixty wanted ones forty have no channel: those are parked; of the others never more than four start."""
    machine = stage.machine
    reached = [f"bot{number:02}" for number in range(20)]
    deaf = [f"mute{number:02}" for number in range(40)]
    flags = (*BEATING, *TELEGRAM, "--ready-after", "0.3")
    play(stage, dict.fromkeys(reached, flags), starts_at_once=AT_ONCE)
    for name in deaf:
        cast(machine, name, *flags, has_channel=False)
    machine.ok("gateway", "start", "--all")
    machine.ok("gateway", "start", *deaf)  # by name: without a channel, nobody is meant by `--all`
    until_ready(stage, [*reached, *deaf])
    cut_power(stage)
    stage.start()
    began_s, most, answers_s = time.monotonic(), 0, list[float]()
    while not all(stage.gateways()[name].state == READY for name in reached):
        most = max(most, starting_by_proc(machine))
        asked_s = time.monotonic()
        machine.ok("gateway", "list")
        answers_s.append(time.monotonic() - asked_s)
        assert time.monotonic() < began_s + 120
    gateways = stage.gateways()
    print(
        f"20 ready in {time.monotonic() - began_s:.1f} s, {most} at once; list took {max(answers_s):.3f} s at most"
    )
    assert 0 < most <= AT_ONCE
    assert {gateways[name].state for name in deaf} == {PARKED}
    assert {gateways[name].wish for name in deaf} == {gateways_pb2.WISH_UP}
    assert {member.profile for member in members(machine)} == set(reached)
    assert "nothing could reach it" in machine.ctl("gateway", "why", deaf[0]).stdout

    (home_of(machine, deaf[0]) / ".env").write_text(f"TELEGRAM_BOT_TOKEN=77:{'B' * 35}\n")
    until_ready(stage, deaf[:1], deadline_s=90)


@pytest.mark.full
def test_a_runaway_is_seen_and_others_go_on(stage: Daemon) -> None:
    """One leaks and one floods its log: usage tells which, the log keeps its cap, and commands are answered."""
    machine = stage.machine
    parts = {
        "leaky": (*BEATING, *TELEGRAM, "--leak", "20_000_000"),
        "loud": (*BEATING, *TELEGRAM, "--flood", "100000"),
        "idle": (*BEATING, *TELEGRAM),
    }
    play(stage, parts)
    machine.ok("gateway", "start", *parts)
    before = stage.gateway("idle").process
    most, answers_s, rss = 0, list[float](), list[int]()
    watch = stage.client.samples.WatchSamples(samples_pb2.WatchSamplesRequest(profile="leaky"))
    for answer in watch:
        rss += [one.rss_bytes for one in answer.samples]
        most = max(most, stage.captured_bytes("loud"))
        asked_s = time.monotonic()
        machine.ok("status")
        answers_s.append(time.monotonic() - asked_s)
        if len(rss) >= 20:
            break
    watch.cancel()
    print(f"log {most / MEBI:.0f} MiB, status {max(answers_s):.3f} s at most; leak {rss[-1] / MEBI:.0f} MiB")
    assert rss[-1] > rss[1] + 100 * MEBI
    assert all(later >= earlier for earlier, later in pairwise(rss[2:]))
    assert most < CAP_BYTES
    assert stage.gateway("idle").process == before
    assert stage.gateway("leaky").usage.rss_bytes > 4 * stage.gateway("idle").usage.rss_bytes


@pytest.mark.full
def test_a_hundred_watch_and_one_never_reads(stage: Daemon) -> None:
    """All others hear of everything or of a gap; the daemon keeps nothing for the one, and nobody waits for it."""
    play(stage, {"bot": (*BEATING, *TELEGRAM)})
    assert stage.process is not None
    daemon = psutil.Process(stage.process.pid)
    asyncio.run(_watch_all(stage, EVENTS // 10))
    before = daemon.memory_info().rss
    last = asyncio.run(_watch_all(stage, EVENTS))
    grown = daemon.memory_info().rss - before
    print(f"{WATCHERS} watchers, {EVENTS} events, up to {last}: the daemon grew by {grown / MEBI:.1f} MiB")
    assert grown < 30 * MEBI
    assert stage.do("start", "bot").state == READY


async def _watch_all(stage: Daemon, events: int) -> int:
    """The last token, which each reader came to."""
    newest = events_pb2.ListEventsRequest(page_size=1)
    async with AsyncClient(stage.places.read_record()) as client:
        known = await client.events.ListEvents(newest)
        request = events_pb2.WatchEventsRequest(resume_token=known.events[-1].token)
        calls = [client.events.WatchEvents(request) for _ in range(WATCHERS)]
        seen = [0] * (WATCHERS - 1)  # the last of them never reads
        reading = [asyncio.create_task(_read(call, seen, number)) for number, call in enumerate(calls[:-1])]
        for number in range(events):
            if number % 2:
                await client.gateways.EnableGateway(gateways_pb2.EnableGatewayRequest(profile="bot"))
            else:
                await client.gateways.DisableGateway(gateways_pb2.DisableGatewayRequest(profile="bot"))
        last = (await client.events.ListEvents(newest)).events[-1].token
        assert last >= known.events[-1].token + events
        await until(lambda: min(seen) >= last, "everybody to hear the end", deadline_s=60)
        for task in reading:
            task.cancel()
        for call in calls:
            call.cancel()
        return last


async def _read(call: AsyncIterable[events_pb2.WatchEventsResponse], seen: list[int], number: int) -> None:
    """Notes how far a reader has come."""
    async for answer in call:
        token = answer.event.token
        assert answer.HasField("gap") or token > seen[number]
        seen[number] = max(seen[number], token)


@pytest.mark.full
def test_the_real_agents_tool_restarts_its_own_gateway(machine: Machine, model_server: ModelServer) -> None:
    """Asked by a model, in the middle of a turn: the turn dies, and the gateway answers again."""
    machine.ok("daemon", "start")
    arguments = ["--model", MODEL, "--base-url", model_server.base_url, "--api-port", str(free_port())]
    machine.ok("quickstart", *arguments)
    before = machine.gateway("coder")["process"]["pid"]
    model_server.command = f"HERMESD_ALLOW_TEMP=1 HERMESCTL_NO_AUTOSTART=1 {CLIENT} gateway restart coder"
    api = Api.of(machine, "coder")
    try:
        api.chat("restart yourself", stream=False)
    except OSError as error:  # it died with its gateway, which is what it was asked for
        print(error)
    model_server.command = ""
    wait_until(
        lambda: (machine.gateway("coder")["process"] or {}).get("pid") not in (None, before), "another process"
    )
    wait_until(lambda: machine.gateway("coder")["state"] == "ready", "it to be ready", deadline_s=60)
    assert json.loads(api.chat("hi", stream=False))["choices"]
    assert "gateway.restart" in machine.ok("operations", "list")
