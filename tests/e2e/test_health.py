"""Gateways that live and do not work: told by name, dumped, restarted ever more slowly; and well ones left alone.

The scripted ones stand in for hermes-agent, with hearts that beat a hundred times as fast.
"""

import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from hermesd.v1 import events_pb2, gateways_pb2
from hermesd.v1.events_pb2 import Event
from hermesd.v1.gateways_pb2 import Gateway, GatewayExplanation
from tests.e2e.daemon import Daemon
from tests.e2e.house import Api, Machine, free_port
from tests.e2e.understudy import BEATING, HASTY, TELEGRAM, play
from tests.fakes import telegram
from tests.fakes.model import MODEL, ModelServer
from tests.fakes.telegram import Mood, TelegramServer
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

READY, DEGRADED = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_DEGRADED
HUNG, BACKOFF = gateways_pb2.GATEWAY_STATE_HUNG, gateways_pb2.GATEWAY_STATE_BACKOFF
DUMPS_KEPT = 5
DUMP_BYTES = 1_000_000
SLEPT_S = 4 * HASTY["hung_after_s"]
"""Long enough for everything to seem hung to who does not know that nobody looked."""

REAL_POLICY = {
    "hung_after_s": 40.0,
    "look_s": 2.0,
    "grace_extra_s": 1.0,
    "degraded_after_s": 1.0,
    "unwell_after_s": 4.0,
}
"""For the real agent, whose heart beats every 30 s."""


def events(daemon: Daemon, profile: str) -> list[Event]:
    """What happened to the gateway of a profile, oldest first."""
    request = events_pb2.ListEventsRequest(profile=profile, kinds=["gateway"], page_size=500)
    return list(daemon.client.events.ListEvents(request).events)


def kinds(daemon: Daemon, profile: str) -> list[str]:
    """The same, in a word each."""
    return [event.kind.removeprefix("gateway.") for event in events(daemon, profile)]


def explained(daemon: Daemon, profile: str) -> GatewayExplanation:
    """Why it is as it is."""
    return daemon.client.gateways.ExplainGateway(gateways_pb2.ExplainGatewayRequest(profile=profile))


def until_state(daemon: Daemon, profile: str, state: int, *, deadline_s: float = 20.0) -> Gateway:
    """Waits for a gateway to be in a state."""
    what = f"{profile} to be {gateways_pb2.GatewayState.Name(state)}"  # type: ignore[arg-type]
    wait_until(lambda: daemon.gateway(profile).state == state, what, deadline_s=deadline_s)
    return daemon.gateway(profile)


def until_restarted(daemon: Daemon, profile: str, times: int) -> None:
    """Waits for so many restarts."""
    wait_until(lambda: daemon.gateway(profile).restarts >= times, f"{profile} to be restarted", deadline_s=180)


def delays_s(daemon: Daemon, profile: str) -> list[float]:
    """How long each end of a process was from the next start."""
    told = events(daemon, profile)
    times = [
        (one.kind, one.at.ToMilliseconds() / 1e3)
        for one in told
        if one.kind in ("gateway.exited", "gateway.starting")
    ]
    return [
        after - before
        for (kind, before), (following, after) in pairwise(times)
        if (kind, following) == ("gateway.exited", "gateway.starting")
    ]


def check_dumps(daemon: Daemon, profile: str, cause: int) -> None:
    """Few, small, for the owner only, named by `gateway why`, and of use."""
    dumps = explained(daemon, profile).dumps
    assert 0 < len(dumps) <= DUMPS_KEPT
    said = daemon.machine.ctl("gateway", "why", profile)
    for dump in dumps:
        status = Path(dump.path).stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert stat.S_IMODE(Path(dump.path).parent.stat().st_mode) == 0o700
        assert 0 < status.st_size == dump.size_bytes <= DUMP_BYTES
        assert dump.cause == cause
    assert dumps[0].path in said.stdout + said.stderr


@pytest.mark.ci
def test_what_lives_and_does_not_work_is_told_apart_dumped_and_restarted_ever_more_slowly(stage: Daemon) -> None:
    """A frozen loop, a lost platform and a start that never ends; who is well and idle is never touched."""
    parts: dict[str, Sequence[str]] = {
        "frozen": (*BEATING, "--freeze-after", "0.5", "--lines", "3"),
        "deaf": (*BEATING, *TELEGRAM, "--deafen-after", "0.5"),
        "stuck": (*BEATING, "--deadlock-at-start"),
        "idle": (*BEATING, *TELEGRAM),
        "late": (*BEATING, *TELEGRAM, "--mute-watchdog-after", "0.5"),
    }
    play(stage, parts)
    before = {name: stage.do("start", name).process for name in ("idle", "late")}
    for name in ("frozen", "deaf", "stuck"):
        stage.call("start", name)
    causes = {
        "frozen": gateways_pb2.EXIT_CAUSE_HUNG,
        "deaf": gateways_pb2.EXIT_CAUSE_UNWELL,
        "stuck": gateways_pb2.EXIT_CAUSE_START_TIMEOUT,
    }
    for name in causes:
        until_restarted(stage, name, 2)
    for name, cause in causes.items():
        exits = explained(stage, name).exits
        assert {one.cause for one in exits} == {cause}, exits
        first, second, *_ = delays_s(stage, name)
        assert second > 1.4 * first, (name, first, second)
        check_dumps(stage, name, cause)
    assert "hung" in kinds(stage, "frozen")
    (told, *_) = (one for one in events(stage, "deaf") if one.kind == "gateway.degraded")
    assert "telegram" in told.message
    assert {"hung", "degraded"}.isdisjoint(kinds(stage, "stuck"))
    for name in before:
        assert stage.gateway(name).process == before[name]
        assert stage.gateway(name).state == READY
        assert not explained(stage, name).dumps
        assert {"hung", "degraded", "exited"}.isdisjoint(kinds(stage, name))


@pytest.mark.full
def test_a_health_that_may_only_be_told_is_told_until_it_is_well(stage: Daemon) -> None:
    """Hung and degraded stay on the screen with the command for each until all is well; nobody is ended."""
    play(
        stage,
        {"bot": BEATING, "deaf": (*BEATING, *TELEGRAM, "--deafen-after", "0.5")},
        restart_hung=False,
        restart_unwell=False,
    )
    process = stage.do("start", "bot").process
    deaf = stage.do("start", "deaf").process
    time.sleep(4)  # how often it beats must have been seen, or nobody calls it hung so soon
    os.kill(process.pid, signal.SIGSTOP)
    until_state(stage, "bot", HUNG)
    until_state(stage, "deaf", DEGRADED)
    page = stage.machine.ctl("status").stdout
    assert "hung" in page
    assert "degraded" in page
    assert "hermesctl gateway why bot" in page
    assert "telegram" in stage.machine.ctl("gateway", "why", "deaf").stdout
    os.kill(process.pid, signal.SIGCONT)
    assert until_state(stage, "bot", READY).process == process
    assert stage.gateway("deaf").process == deaf
    assert not explained(stage, "bot").dumps


@pytest.mark.full
def test_nothing_is_touched_after_a_long_stall_of_our_own(stage: Daemon) -> None:
    """The daemon stands still, or it and the gateways do, as in a suspend; the next looks find all as it was."""
    play(stage, {"bot": (*BEATING, *TELEGRAM), "frozen": (*BEATING, "--freeze-after", "1000")})
    before = {name: stage.do("start", name).process for name in ("bot", "frozen")}
    assert stage.process is not None
    stopped = [stage.process.pid], [stage.process.pid, *(one.pid for one in before.values())]
    for pids in stopped:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(SLEPT_S)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2 * HASTY["look_s"])
    for name, process in before.items():
        assert stage.gateway(name).process == process
        assert {"hung", "degraded", "exited"}.isdisjoint(kinds(stage, name))


@pytest.mark.full
def test_the_condition_of_what_is_adopted_is_known_to_the_next_daemon(stage: Daemon) -> None:
    """One froze while no daemon ran, one had before, one is well: two are restarted, one is not."""
    parts = {
        "well": BEATING,
        "before": (*BEATING, "--freeze-after", "1"),
        "meanwhile": (*BEATING, "--freeze-after", "4"),
    }
    play(stage, parts)
    pids = {name: stage.do("start", name).process.pid for name in parts}
    stage.kill()
    time.sleep(4)
    stage.start()
    for name in ("before", "meanwhile"):
        until_restarted(stage, name, 1)
        assert explained(stage, name).exits[0].cause == gateways_pb2.EXIT_CAUSE_HUNG
    assert stage.gateway("well").process.pid == pids["well"]


@contextmanager
def real(machine: Machine, model: ModelServer, **policy: float) -> Iterator[Daemon]:
    """A ready profile `coder` of the real agent, under a daemon of this policy."""
    daemon = Daemon(machine)
    daemon.write_settings({}, {**REAL_POLICY, **policy})
    daemon.start()
    arguments = ["--model", MODEL, "--base-url", model.base_url, "--api-port", str(free_port())]
    machine.ok("quickstart", *arguments)
    try:
        yield daemon
    finally:
        daemon.disconnect()
        machine.ctl("daemon", "stop", "--gateways")
        daemon.wait()


@pytest.mark.full
def test_the_real_agent_stopped_in_its_tracks_is_hung_dumped_and_replaced(
    machine: Machine, model_server: ModelServer
) -> None:
    """SIGSTOP: told as hung, its stacks are kept, it is killed, and answers again; never hung while idle."""
    with real(machine, model_server) as daemon:
        process = daemon.gateway("coder").process
        time.sleep(REAL_POLICY["hung_after_s"] + 2 * REAL_POLICY["look_s"])
        assert daemon.gateway("coder").process == process
        assert "hung" not in kinds(daemon, "coder")
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: "hung" in kinds(daemon, "coder"), "it to be hung", deadline_s=90)
        wait_until(lambda: daemon.gateway("coder").process.pid not in (0, process.pid), "another", deadline_s=60)
        until_state(daemon, "coder", READY, deadline_s=60)
        assert not psutil.pid_exists(process.pid)
        assert daemon.gateway("coder").last_exit.cause == gateways_pb2.EXIT_CAUSE_HUNG
        check_dumps(daemon, "coder", gateways_pb2.EXIT_CAUSE_HUNG)
        dump = Path(explained(daemon, "coder").dumps[0].path).read_text(errors="replace")
        api = Api.of(machine, "coder")
        assert api.key not in dump
        assert "Thread" in dump or "wchan" in dump or "stack" in dump.lower()
        assert json.loads(api.chat("hi", stream=False))["choices"]


def takes(stranger: socket.socket, port: int) -> bool:
    """Listens there, unless somebody else does."""
    try:
        stranger.bind(("127.0.0.1", port))
    except OSError:
        return False
    stranger.listen()
    return True


@pytest.mark.full
def test_the_real_agent_whose_port_was_taken_waits_and_says_who_has_it(
    machine: Machine, model_server: ModelServer
) -> None:
    """A stranger listens there before the next start: the wish stays, the page names the port, and it returns."""
    with real(machine, model_server, backoff_port_s=3.0) as daemon:
        api = Api.of(machine, "coder")
        psutil.Process(daemon.gateway("coder").process.pid).kill()
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wait_until(lambda: takes(stranger, api.port), "its port to be free")
            wait_until(
                lambda: (
                    daemon.gateway("coder").last_exit.cause == gateways_pb2.EXIT_CAUSE_PORT_TAKEN
                    or str(api.port) in daemon.gateway("coder").detail
                ),
                "the port to be named",
                deadline_s=60,
            )
            said = machine.ctl("gateway", "why", "coder")
            assert str(api.port) in said.stdout + said.stderr
            assert daemon.gateway("coder").wish == gateways_pb2.WISH_UP
        until_state(daemon, "coder", READY, deadline_s=90)


@pytest.fixture
def bot_api() -> Iterator[TelegramServer]:
    """A Telegram on loopback."""
    with telegram.serving() as server:
        yield server


@pytest.mark.full
def test_the_real_agent_without_telegram_is_degraded_and_lives(
    machine: Machine, model_server: ModelServer, bot_api: TelegramServer
) -> None:
    """Silent at its start: degraded for telegram, its API answers, nobody restarts it; well when Telegram is back.

    And a token that Telegram refuses is shown to nobody, although the agent writes it into its own report.
    """
    token = "1111:" + "A" * 35
    with real(machine, model_server) as daemon:
        daemon.do("stop", "coder")
        home = machine.root / "profiles" / "coder"
        with (home / ".env").open("a") as env:
            env.write(f"TELEGRAM_BOT_TOKEN={token}\nTELEGRAM_ALLOWED_USERS=42\n")
        with (home / "config.yaml").open("a") as config:
            config.write(f"platforms:\n  telegram:\n    extra:\n      base_url: {bot_api.base_url}\n")
        bot_api.behave(Mood.SILENT)
        daemon.call("start", "coder")
        degraded = until_state(daemon, "coder", DEGRADED, deadline_s=120)
        assert "telegram" in degraded.detail
        assert "telegram" in machine.ctl("gateway", "why", "coder").stdout
        assert json.loads(Api.of(machine, "coder").chat("hi", stream=False))["choices"]
        bot_api.behave(Mood.UNAUTHORIZED)
        wait_until(lambda: "rejected" in (home / "gateway_state.json").read_text(), "a refusal", deadline_s=200)
        wait_until(lambda: "rejected" in daemon.gateway("coder").detail, "it to be told")
        for words in (
            ["status"],
            ["gateway", "why", "coder"],
            ["events"],
            ["gateway", "status", "coder", "-o", "json"],
            ["events", "-o", "json"],
            ["logs", "coder"],
            ["logs", "coder", "-o", "jsonl"],
            ["gateway", "logs", "coder"],
            ["gateway", "status", "coder"],
        ):
            said = machine.ctl(*words)
            assert token not in said.stdout + said.stderr
        assert token in (home / "logs" / "agent.log").read_text()
        assert "1111:…" in machine.ctl("logs", "coder").stdout
        found = machine.ctl("logs", "coder", "--grep", "1111:…", "-o", "jsonl").stdout
        assert "rejected" in found
        assert "rejected" not in machine.ctl("logs", "coder", "--grep", token, "-o", "jsonl").stdout
        bot_api.behave(Mood.WELL)
        well = until_state(daemon, "coder", READY, deadline_s=400)
        assert well.process == degraded.process
        bot_api.deliver(token, "hello")
        wait_until(lambda: any(one.chat == 42 for one in bot_api.sent), "an answer", deadline_s=60)
