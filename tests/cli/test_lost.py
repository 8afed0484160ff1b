"""A daemon that dies while a command waits for its answer: it is said what may still be running."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from hermesctl.client import connect, connect_async, explain
from hermesctl.client.places import Places
from hermesctl.errors import HermesError
from hermesd.v1 import gateways_pb2, profiles_pb2
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

PROJECT = Path(__file__).resolve().parents[2]
MORTAL = f"""
import os, sys
sys.path.insert(0, {str(PROJECT)!r})
from tests.fakes.contract import profile
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World
from hermesctl.client.places import Places
class Mortal(World):
    def enter(self, context, request):
        method = type(request).__name__.removesuffix("Request")
        print(method, flush=True)
        if method == sys.argv[1]:
            os._exit(9)
        super().enter(context, request)
world = Mortal()
world.profiles["worker"] = profile("worker")
daemon = FakeDaemon(world, Places.locate(os.environ))
daemon.start()
print("serving", flush=True)
world.stopping.wait()
"""
"""A daemon that dies of the method its argument names, in the middle of the call."""

Mortal = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def mortal(environment: dict[str, str]) -> Iterator[Mortal]:
    """Starts such a daemon; it is gone after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(method: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", MORTAL, method]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def asked(process: "subprocess.Popen[bytes]") -> list[str]:
    """What it was asked, in order. It has ended."""
    out, _ = process.communicate(timeout=20)
    return out.decode().split()


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("gateway start worker", "StartGateway"),
        ("gateway stop worker", "StopGateway"),
        ("gateway enable worker", "EnableGateway"),
        ("profile create work", "CreateProfile"),
        ("runtime install", "InstallRuntime"),
        ("runtime use x", "UseRuntime"),
        ("operations cancel op1", "CancelOperation"),
    ],
)
def test_a_change_without_an_answer_may_still_be_running(run: Run, mortal: Mortal, line: str, method: str) -> None:
    """Exit 8, with where to look; it was asked for once, and is not again by the daemon that could be started."""
    daemon = mortal(method)
    ended = run(f"{line} -o json", variables={"HERMESCTL_NO_AUTOSTART": ""})
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.code, ended.out, error["reason"]) == (8, "", "DAEMON_ABSENT")
    assert error["message"] == "hermesd went away before it answered"
    assert "may still be running" in error["why"]
    assert [fix["command"] for fix in error["fixes"]] == ["hermesctl operations list"]
    assert asked(daemon).count(method) == 1


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("gateway list", "ListGateways"),
        ("gateway status worker", "GetGateway"),
        ("gateway why worker", "ExplainGateway"),
        ("logs worker -f", "ReadLogs"),
        ("chat", "OpenTerminal"),
        ("daemon status", "GetDaemon"),
    ],
)
def test_a_question_without_an_answer_leaves_nothing_behind(
    run: Run, mortal: Mortal, line: str, method: str
) -> None:
    """Exit 8, and nothing is said to be running."""
    daemon = mortal(method)
    ended = run(f"-p worker {line}" if line == "chat" else line)
    assert (ended.code, ended.out) == (8, "")
    assert ended.err == "error: hermesd went away before it answered\n  fix: hermesctl daemon start\n"
    assert asked(daemon).count(method) == 1


def test_an_operation_that_was_followed_is_named(run: Run, mortal: Mortal, world: World) -> None:
    """It has an id by then, under which the next daemon tells what became of it."""
    mortal("WatchOperation")
    ended = run("gateway start worker")
    assert ended.code == 8
    assert "operation op0000000001, which may still be running" in ended.err
    assert "hermesctl operations show op0000000001" in ended.err


def test_a_daemon_that_dies_of_being_stopped_is_stopped(run: Run, mortal: Mortal) -> None:
    """What counts is that it ends."""
    daemon = mortal("StopDaemon")
    assert run("daemon stop").out == "hermesd stopped; gateways keep running\n"
    assert asked(daemon) == ["StopDaemon"]


def test_an_answer_that_takes_too_long_is_told_apart(run: Run, daemon: FakeDaemon, world: World) -> None:
    """The daemon is there; what it was asked may go on."""
    late = Refusal("ANY", "too late", domain="elsewhere", code=grpc.StatusCode.DEADLINE_EXCEEDED)
    world.refused["StartGateway"] = world.refused["ListGateways"] = late
    changed, read = run("gateway start worker"), run("gateway list")
    assert (changed.code, read.code) == (8, 8)
    assert "error: hermesd did not answer in time" in changed.err
    assert "may still be running" in changed.err
    assert "may still be running" not in read.err


async def test_scripts_are_told_the_same(
    environment: dict[str, str], mortal: Mortal, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through both clients, and nothing is started for them."""
    for name in ("HOME", "HERMESCTL_NO_AUTOSTART"):
        monkeypatch.setenv(name, environment[name] if name == "HOME" else "")
    request = gateways_pb2.StartGatewayRequest(profile="worker")
    mortal("StartGateway")
    with pytest.raises(HermesError) as caught, connect() as client:
        client.gateways.StartGateway(request)
    assert "may still be running" in caught.value.why
    mortal("StartGateway")
    with pytest.raises(HermesError) as caught:
        async with connect_async() as other:
            await other.gateways.StartGateway(request)
    assert "may still be running" in caught.value.why
    last = mortal("StartGateway")
    with connect() as client:
        call = client.gateways.StartGateway.future(request)
        failure = call.exception()
    assert isinstance(failure, grpc.RpcError)
    assert explain(failure).reason == "DAEMON_ABSENT"
    last.wait()
    with pytest.raises(HermesError) as caught:
        connect()
    assert caught.value.reason == "DAEMON_ABSENT"
    assert places.running() is None


def test_a_daemon_that_left_before_it_was_asked_was_asked_nothing(
    environment: dict[str, str], mortal: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was never sent leaves nothing running."""
    monkeypatch.setenv("HOME", environment["HOME"])
    daemon = mortal("")
    client = connect()
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    with pytest.raises(HermesError) as caught, client:
        client.profiles.CreateProfile(profiles_pb2.CreateProfileRequest(profile="work"))
    assert (caught.value.message, caught.value.why) == ("hermesd is not running", "nothing answers on its socket")
