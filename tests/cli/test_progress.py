"""Following an operation: giving up, being interrupted, losing the daemon."""

import json
import threading

import grpc
import pytest

from hermesctl import cli, progress
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def test_a_timeout_ends_the_waiting_and_not_the_operation(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Exit code 11, with the command that waits on."""
    world.hanging.add("gateway.start")
    ended = run("gateway start worker --timeout 0s -o json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.code, ended.out) == (11, "")
    assert error["reason"] == "STILL_RUNNING"
    assert error["fixes"] == [{"text": None, "command": f"hermesctl operations wait {error['operation']}"}]


def test_an_interrupt_leaves_the_operation_running(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C says under which id it goes on, and ends with 130."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.ProgressLine, "show", interrupted)
    ended = run("gateway start worker")
    assert ended.code == 130
    assert ended.err == "still running as operation op0000000001; hermesctl operations wait op0000000001\n"


def test_a_daemon_that_goes_away_meanwhile_is_told_apart(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """The operation is not lost: the next daemon finishes or undoes it."""
    world.hanging.add("gateway.start")
    terminal = FakeTerminal(environment)
    stopper = threading.Timer(0.0, daemon.stop)

    def stop_once_told(text: str) -> None:
        FakeTerminal.say(terminal, text)
        if "prepare" in text:
            stopper.start()

    terminal.say = stop_once_told  # type: ignore[method-assign]
    assert cli.run(["gateway", "start", "worker"], terminal) == 8
    stopper.join()
    assert "the daemon went away during operation op0000000001" in terminal.talk.getvalue()
    assert "hermesctl operations show op0000000001" in terminal.talk.getvalue()


def test_quiet_means_no_progress(run: Run, daemon: FakeDaemon) -> None:
    """Failures would still be told."""
    assert run("gateway start worker -q").err == ""
    assert run("gateway start worker -q", columns=80).err == ""


def test_following_needs_no_daemon_for_a_finished_operation(run: Run, daemon: FakeDaemon) -> None:
    """Nothing is watched that cannot change."""
    run("gateway start worker")
    world_calls = daemon.world.calls
    world_calls.clear()
    run("operations wait op0000000001")
    assert [method for method, _ in world_calls] == ["GetOperation"]


def test_another_failure_of_the_watch_keeps_its_reason(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an absent daemon gets the words for one."""
    from tests.fakes.world import Refusal

    daemon.world.refused["WatchOperation"] = Refusal("NOT_FOUND", "forgotten", code=grpc.StatusCode.NOT_FOUND)
    ended = run("gateway start worker -q")
    assert (ended.code, ended.err) == (4, "error: forgotten\n")
