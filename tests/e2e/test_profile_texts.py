"""What profiles are for, who they are to be and what calls them, with the real hermes-agent on the other side."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import CLIENT, Machine
from tests.fakes.model import ANSWER, MODEL, ModelServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]

KEY = "sk-canary-7f3a"
VERSIONS = [pytest.param("0.19.0", marks=pytest.mark.ci), pytest.param("0.18.2", marks=pytest.mark.full)]


@pytest.fixture
def served(machine: Machine, model_server: ModelServer) -> Machine:
    """A daemon, and the profile `coder` with a model and a key."""
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    config = f"model:\n  default: {MODEL}\n  provider: custom\n  base_url: {model_server.base_url}\n"
    (home(machine) / "config.yaml").write_text(f"{config}  api_key: ${{MODEL_KEY}}\n  context_length: 131072\n")
    (home(machine) / ".env").write_text(f"MODEL_KEY={KEY}\n")
    return machine


def home(machine: Machine) -> Path:
    """Where the profile's files are."""
    return machine.root / "profiles" / "coder"


def use(machine: Machine, executable: Path) -> None:
    """Makes an agent the one in use."""
    machine.ok("runtime", "use", executable.parts[-3])


def agent(machine: Machine, executable: Path, *arguments: str) -> str:
    """What hermes-agent itself prints; it must succeed."""
    done = machine.run(executable, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def souls(server: ModelServer) -> list[str]:
    """What the model was told first, in each request so far."""
    return [str(body["messages"][0]["content"]) for body in server.requests]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_agent_describes_its_profile(
    served: Machine, runtimes: dict[str, Path], model_server: ModelServer, version: str
) -> None:
    """With its own model and key; both sides read what the other wrote; no comment is lost and no key is told."""
    hermes, about = runtimes[version], home(served) / "profile.yaml"
    use(served, hermes)
    about.write_text("# mine\nother: 1\n")
    assert served.ok("profile", "describe", "coder", "--auto") == f"✓ described coder: [auto] {ANSWER}\n"
    assert about.read_text() == f"# mine\nother: 1\ndescription: {json.dumps(ANSWER)}\ndescription_auto: true\n"
    assert model_server.authorizations == [f"Bearer {KEY}"]
    assert agent(served, hermes, "profile", "describe", "coder") == f"[auto] {ANSWER}\n"
    agent(served, hermes, "profile", "describe", "coder", "--text", "Theirs: code")
    assert served.ok("profile", "describe", "coder") == "Theirs: code\n"
    assert served.ctl("profile", "describe", "coder", "--auto").returncode == 2
    kept = [path for path in served.state.rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


@pytest.mark.full
def test_hermes_agent_lists_our_aliases_and_we_leave_its_own(served: Machine, runtimes: dict[str, Path]) -> None:
    """Theirs are told of, and neither replaced nor removed."""
    hermes, binaries = runtimes["0.19.0"], served.home / ".local" / "bin"
    served.ok("profile", "alias", "coder", "--name", "helper")
    assert "helper" in agent(served, hermes, "profile", "list")
    assert served.run("helper", "profile", "current").stdout == "coder\n"
    agent(served, hermes, "profile", "alias", "coder", "--name", "theirs")
    before = (binaries / "theirs").read_bytes()
    assert served.ctl("profile", "alias", "coder", "--name", "theirs", "--remove").returncode == 5
    done = served.ctl("profile", "alias", "coder", "--remove")
    assert done.stdout == "✓ removed coder, which called coder\n✓ removed helper, which called coder\n"
    assert f"others wrote {binaries / 'theirs'}" in done.stderr
    assert [path.name for path in binaries.iterdir()] == ["theirs"]
    assert (binaries / "theirs").read_bytes() == before


@pytest.mark.full
def test_a_soul_takes_effect_in_new_conversations(
    served: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """One that goes on keeps the old text, as the client says."""
    use(served, runtimes["0.19.0"])
    served.run(CLIENT, "profile", "soul", "set", "coder", "-f", "-", stdin="You are the heron.\n")
    assert served.ok("profile", "soul", "show", "coder") == "You are the heron.\n"
    assert served.run("coder", "chat", "-Q", "-q", "hi").returncode == 0
    assert "You are the heron." in souls(model_server)[-1]
    served.run(CLIENT, "profile", "soul", "set", "coder", "-f", "-", stdin="You are the otter.\n")
    assert served.run("coder", "chat", "-c", "-Q", "-q", "again").returncode == 0
    assert "You are the heron." in souls(model_server)[-1]
    assert served.run("coder", "chat", "-Q", "-q", "hi").returncode == 0
    assert "You are the otter." in souls(model_server)[-1]


@pytest.mark.ci
def test_a_soul_is_edited_beside_warm_clients(empty_machine: Machine) -> None:
    """In the caller's own process; a shell's own pipe is read there too."""
    machine = empty_machine
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    wait_until((machine.state / "run" / "cmd.sock").exists, "warm clients")
    editor = {"EDITOR": "sed -i s/helpful/patient/"}
    done = machine.ctl("profile", "soul", "edit", "coder", extra=editor)
    assert (done.returncode, done.stderr) == (0, "")
    assert "+You are a patient" in done.stdout
    assert "You are a patient" in (home(machine) / "SOUL.md").read_text()
    piped = machine.run("bash", "-c", f"{CLIENT} profile soul set coder -f <(printf 'From a pipe.')")
    assert (piped.returncode, machine.ok("profile", "soul", "show", "coder")) == (0, "From a pipe.")
    failed = machine.ctl("profile", "soul", "edit", "coder", extra={"EDITOR": "false"})
    assert (failed.returncode, (home(machine) / "SOUL.md").read_text()) == (7, "From a pipe.")


def describers(machine: Machine) -> list[int]:
    """Pids of agents that are asked to describe something."""
    return [pid for pid, words in machine.command_lines().items() if "hermes_describer" in " ".join(words)]


@pytest.mark.full
def test_a_description_that_is_cut_off_is_none(
    served: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """By who asked for it, and by the end of the daemon: the agent ends, or what it says is lost."""
    use(served, runtimes["0.19.0"])
    before = (home(served) / "SOUL.md").read_bytes()
    with model_server.thinking():
        with subprocess.Popen(
            [CLIENT, "profile", "describe", "coder", "--auto"], env=served.environment, stderr=subprocess.DEVNULL
        ) as asking:
            wait_until(lambda: model_server.requests, "the agent to ask its model")
            (operation,) = [one for one in operations(served) if one["state"] == "running"]
            served.ok("operations", "cancel", operation["id"])
            assert asking.wait() == 7
        wait_until(lambda: not describers(served), "the agent to be ended")
        with subprocess.Popen(
            [CLIENT, "profile", "describe", "coder", "--auto"], env=served.environment, stderr=subprocess.DEVNULL
        ) as asking:
            wait_until(lambda: len(model_server.requests) > 1, "the agent to ask its model")
            os.kill(served.json("daemon", "status")["pid"], signal.SIGKILL)
            assert asking.wait() == 8
    served.ok("daemon", "start")
    wait_until(lambda: not describers(served), "the agent to end")
    assert operations(served)[0]["error"]["reason"] == "INTERRUPTED"
    assert not (home(served) / "profile.yaml").exists()
    assert (home(served) / "SOUL.md").read_bytes() == before


def operations(machine: Machine) -> list[Any]:
    """Descriptions that were asked for, the last first."""
    items = machine.json("operations", "list")["items"]
    return [one for one in items if one["operation_kind"] == "profile.describe"]
