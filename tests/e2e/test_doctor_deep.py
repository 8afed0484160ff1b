"""The doctor and the agent's own one after the other, warm and cold, beside a gateway that runs."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.house import Machine, entries, free_port
from tests.fakes.model import MODEL, ModelServer

pytestmark = [pytest.mark.full, pytest.mark.e2e]


@pytest.fixture
def running(machine: Machine, model_server: ModelServer) -> Machine:
    """The profile `coder`, answering."""
    machine.ok("quickstart", "--model", MODEL, "--base-url", model_server.base_url, "--api-port", str(free_port()))
    return machine


@pytest.mark.parametrize("way", [{}, {"HERMESCTL_NO_WARM": "1"}], ids=["warm", "cold"])
def test_the_agents_own_doctor_runs_whole_for_the_profile(running: Machine, way: dict[str, str]) -> None:
    """By the alias as well; as JSON its words are talk."""
    running.ok("daemon", "status")
    done = running.run("coder", "doctor", extra=way)
    assert done.stdout.index("coder\n") < done.stdout.index("Hermes Doctor")
    done = running.ctl("doctor", "coder", "-o", "json", extra=way)
    data = json.loads(done.stdout)
    assert data["agent"]["exit_code"] is not None
    assert "Hermes Doctor" in done.stderr
    assert done.returncode == max(data["agent"]["exit_code"], 0)


def test_mending_beside_a_gateway_that_runs_disturbs_nothing(running: Machine) -> None:
    """It is the same process afterwards, ready, and its files are private."""
    home = running.root / "profiles" / "coder"
    before = running.gateway("coder")
    for path in entries(home):
        with suppress(FileNotFoundError):  # the gateway works in there
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
    (home / "skins").rmdir()
    assert running.ctl("doctor", "--all", "--fix").returncode == 0
    assert [home.stat().st_mode & 0o777, (home / "state.db").stat().st_mode & 0o777] == [0o700, 0o600]
    after = running.gateway("coder")
    assert (after["state"], after["process"]) == ("ready", before["process"])


def test_a_profile_that_hermes_agent_deleted_is_explained(running: Machine, runtimes: dict[str, Path]) -> None:
    """Its wish is on record, its home is gone, and its alias calls nobody."""
    running.ok("gateway", "start", "coder")
    done = running.run(runtimes["0.19.0"], "profile", "delete", "coder", "-y")
    assert done.returncode == 0, done.stdout
    items = json.loads(running.ctl("doctor", "--all", "-o", "json").stdout)["items"]
    wrong = {one["check"]: one for one in items if one["severity"] != "fine"}
    assert "'coder' is wanted up, but its home is gone" in wrong["wishes"]["message"]
    assert os.path.lexists(running.home / ".local" / "bin" / "coder") is ("alias" in wrong)


def test_without_an_agent_only_ours_looks(empty_machine: Machine) -> None:
    """It says that none is installed, and how one is."""
    empty_machine.ok("daemon", "start")
    empty_machine.ok("profile", "create", "coder")
    done = empty_machine.ctl("doctor", "coder")
    assert done.returncode == 1
    assert "fix: hermesctl runtime install" in done.stdout
    assert "the agent's own doctor did not run: no hermes-agent runtime is installed" in done.stderr
