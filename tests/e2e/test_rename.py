"""A profile whose gateway runs gets another name, with the real hermes-agent."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.e2e.house import CLIENT, Api, Machine, free_port
from tests.fakes.model import ANSWER, MODEL, ModelServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]


@pytest.fixture
def running(machine: Machine, model_server: ModelServer) -> Machine:
    """The profile `coder`, answering, as the sticky default."""
    machine.ok("quickstart", "--model", MODEL, "--base-url", model_server.base_url, "--api-port", str(free_port()))
    machine.ok("profile", "use", "coder")
    return machine


def sessions(machine: Machine, hermes: Path, profile: str) -> str:
    """What the agent itself lists."""
    done = machine.run(hermes, "-p", profile, "sessions", "list")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_gateway_answers_again_under_the_new_name(running: Machine, runtimes: dict[str, Path]) -> None:
    """Sessions, memory, alias and default came along, for hermes-agent too; nothing is left under the old name."""
    machine, hermes = running, runtimes["0.19.0"]
    old = Api.of(machine, "coder")
    old.chat("remember the seven herons", stream=False)
    assert "seven herons" in sessions(machine, hermes, "coder")
    before = machine.json("profile", "show", "coder")

    done = machine.ctl("profile", "rename", "coder", "dev-bot")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    after = machine.json("profile", "show", "dev-bot")
    assert (after["id"], after["aliases"], after["is_sticky_default"]) == (before["id"], ["dev-bot"], True)
    assert (after["gateway"]["state"], after["gateway"]["wish"]) == ("ready", "up")
    assert after["gateway"]["process"]["pid"] != before["gateway"]["process"]["pid"]
    assert not psutil.pid_exists(before["gateway"]["process"]["pid"])

    api = Api.of(machine, "dev-bot")
    assert api.port == old.port
    assert json.loads(api.chat("hi", stream=False))["choices"][0]["message"]["content"] == ANSWER
    assert "seven herons" in sessions(machine, hermes, "dev-bot")
    assert machine.run("dev-bot", "-z", "hi").stdout == f"{ANSWER}\n"

    listed = machine.run(hermes, "profile", "list").stdout
    assert "dev-bot" in listed
    assert "coder" not in listed
    shown = machine.run(hermes, "profile", "show", "dev-bot").stdout
    assert "dev-bot → hermes -p dev-bot" in shown
    assert not (machine.root / "profiles" / "coder").exists()
    assert not (machine.home / ".local" / "bin" / "coder").exists()
    assert (machine.root / "active_profile").read_text() == "dev-bot\n"
    assert machine.ctl("profile", "show", "coder").returncode == 4
    assert machine.ctl("profile", "rename", "dev-bot", "dev-bot").returncode == 5


def test_a_profile_that_hermes_agent_made_is_renamed_at_rest(machine: Machine, runtimes: dict[str, Path]) -> None:
    """Both list it under its new name, it is not started, and hermes-agent can rename it back."""
    hermes = runtimes["0.19.0"]
    machine.ok("daemon", "start")
    assert machine.run(hermes, "profile", "create", "theirs", "--no-alias").returncode == 0
    machine.ok("profile", "rename", "theirs", "ours")
    found = machine.json("profile", "show", "ours")
    assert (found["gateway"]["state"], found["aliases"]) == ("stopped", [])
    listed = machine.run(hermes, "profile", "list").stdout
    assert "ours" in listed
    assert "theirs" not in listed
    assert machine.run(hermes, "profile", "rename", "ours", "theirs").returncode == 0
    assert machine.json("profile", "show", "theirs")["id"] == found["id"]


def renames(machine: Machine) -> list[dict[str, str]]:
    """Every rename in the history."""
    items = machine.json("operations", "list")["items"]
    return [one for one in items if one["operation_kind"] == "profile.rename"]


def test_a_rename_that_a_kill_cuts_off_is_finished_by_the_next_daemon(running: Machine) -> None:
    """While the gateway drains or starts: the next daemon goes on, and one gateway answers under the new name."""
    machine = running
    daemon = json.loads((machine.state / "daemon.json").read_text())
    with subprocess.Popen(
        [CLIENT, "profile", "rename", "coder", "dev-bot"], env=machine.environment, stderr=subprocess.DEVNULL
    ):
        wait_until(lambda: renames(machine), "the rename to begin")
        os.kill(daemon["pid"], signal.SIGKILL)
    machine.ok("daemon", "start")
    (operation,) = renames(machine)
    machine.ok("operations", "wait", operation["id"])
    machine.ok("gateway", "start", "dev-bot")
    answer = json.loads(Api.of(machine, "dev-bot").chat("hi", stream=False))
    assert answer["choices"][0]["message"]["content"] == ANSWER
    assert [one["name"] for one in machine.json("profile", "list")["items"]] == ["default", "dev-bot"]
