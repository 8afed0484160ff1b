"""A gateway that somebody started by hand, and what is kept of one that does not end."""

import json
import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from tests.e2e.house import COMMAND_LIMIT_S, Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

START_LIMIT_S = 120.0


@pytest.fixture
def running(machine: Machine) -> Machine:
    """A machine with a daemon, a runtime in use and the profile coder, stopped."""
    with machine.settings.open("a") as settings:
        settings.write("[gateway]\ngrace_extra_s = 2\n")
    machine.ok("daemon", "start")
    machine.ok("runtime", "install")
    machine.ok("profile", "create", "coder")
    return machine


@contextmanager
def by_hand(machine: Machine, agent: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The gateway of coder as a person starts it without hermesd."""
    argv = [str(agent), "-p", "coder", "gateway", "run"]
    environment = {**machine.environment, "HERMES_DISABLE_LAZY_INSTALLS": "1"}
    out = subprocess.DEVNULL
    with subprocess.Popen(argv, env=environment, cwd=machine.home, stdin=out, stdout=out, stderr=out) as process:
        try:
            wait_until(
                lambda: machine.gateway("coder")["state"] == "foreign", "the gateway", deadline_s=START_LIMIT_S
            )
            yield process
        finally:
            process.kill()


def test_a_gateway_started_by_hand_is_named_and_its_line_makes_way(
    running: Machine, runtimes: dict[str, Path]
) -> None:
    """Start and deletion are refused with what to run; run as it stands, it ends the gateway, and ours starts."""
    with by_hand(running, runtimes["0.19.0"]) as process:
        found = running.gateway("coder")
        assert found["foreign"]["pid"] == process.pid
        said = running.ctl("gateway", "start", "coder")
        assert said.returncode == 6
        what, why, first, second, *_ = said.stderr.splitlines()
        assert what == "error: cannot start gateway 'coder'"
        assert f"hermesd did not start the one that runs: pid {process.pid} of " in why
        assert first.split("fix: ")[1] == f"kill -TERM {process.pid}"
        assert second.split() == ["hermesctl", "gateway", "start", "coder"]
        for command in ("gateway stop coder", "gateway restart coder", "profile delete coder -y"):
            done = running.ctl("-o", "json", *command.split())
            assert done.returncode == 6
            assert json.loads(done.stderr.splitlines()[-1])["error"]["reason"] == "GATEWAY_FOREIGN"
        assert process.poll() is None
        running.run(*shlex.split(found["foreign"]["resolution"]))
        process.wait(COMMAND_LIMIT_S)
    running.ok("gateway", "start", "coder")
    assert running.gateway("coder")["state"] == "ready"


def test_the_real_agent_that_does_not_end_leaves_a_dump(running: Machine) -> None:
    """Stopped in its tracks, it takes no signal; what it was doing is kept before it is killed."""
    running.ok("gateway", "start", "coder")
    pid = running.gateway("coder")["process"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    running.ok("gateway", "stop", "coder")
    assert procfs.stat(pid) is None
    events = running.json("events")["items"]
    (dumped,) = [one for one in events if one["event_kind"] == "gateway.dumped"]
    path = Path(dumped["facts"]["path"])
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "State: T (stopped)" in text
    assert "waits in" in text
    assert "Hermes" in text.partition("== last lines")[2]
    assert path.is_relative_to(running.state / "dumps")
