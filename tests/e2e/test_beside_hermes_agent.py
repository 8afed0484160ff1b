"""What hermes-agent's own commands do to gateways that are not theirs, beside ours of the real agent.

Its defects are provoked as they happen to people: by a stop of another profile, by status pollers, by a copy of a
home whose gateway runs, and by a signal at the wrong moment.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from hermesd.v1 import gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway
from tests.e2e.daemon import Daemon
from tests.e2e.house import Machine, free_port
from tests.processes import ending
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.e2e]

POLLER = Path(__file__).parent / "polling_program.py"
READY, STOPPED = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_STOPPED
POLICY = {"grace_extra_s": 5.0, "backoff_first_s": 0.2, "backoff_limit_s": 0.5, "stable_s": 3600.0}
SHORT, LONG = "a", "ab"
"""Two names, one of which the other begins with."""


@pytest.fixture
def daemon(machine: Machine) -> Iterator[Daemon]:
    """A daemon whose gateways are the real agent's, without platforms."""
    daemon = Daemon(machine)
    daemon.make_homes(SHORT, LONG)
    daemon.write_settings({}, POLICY)
    daemon.start()
    machine.ok("runtime", "install")
    yield daemon
    daemon.disconnect()
    machine.ctl("daemon", "stop", "--gateways")
    daemon.wait()


def home_of(daemon: Daemon, profile: str) -> Path:
    """The home of a profile."""
    root = daemon.machine.root
    return root if profile == "default" else root / "profiles" / profile


def report(daemon: Daemon, profile: str) -> Any:
    """What a gateway says of itself; nothing yet while it writes it for the first time."""
    try:
        return json.loads((home_of(daemon, profile) / "gateway_state.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}


def theirs(daemon: Daemon, hermes: Path, *words: str) -> str:
    """What one of hermes-agent's own commands prints, whatever its exit code, which says nothing there."""
    done = daemon.machine.run(hermes, *words, extra={"HERMES_DISABLE_LAZY_INSTALLS": "1"})
    return done.stdout + done.stderr


def until_ready(daemon: Daemon, profile: str) -> Gateway:
    """Waits for a gateway to be ready."""
    wait_until(lambda: daemon.gateway(profile).state == READY, f"{profile} to be ready", deadline_s=120)
    return daemon.gateway(profile)


def test_the_default_profiles_gateway_is_the_default_profiles(daemon: Daemon, runtimes: dict[str, Path]) -> None:
    """Whatever is chosen as the sticky default, which hermes-agent follows where nobody names a profile."""
    daemon.machine.ok("profile", "use", LONG)
    process = daemon.do("start", "default").process
    assert report(daemon, "default")["pid"] == process.pid
    assert not (home_of(daemon, LONG) / "gateway_state.json").exists()
    assert daemon.do("start", LONG).process.pid != process.pid
    assert "-p default" in " ".join(psutil.Process(process.pid).cmdline())
    assert str(process.pid) in theirs(daemon, runtimes["0.19.0"], "-p", "default", "gateway", "status")


def test_a_stop_of_another_profile_with_hermes_agent_ends_nothing_for_long(
    daemon: Daemon, runtimes: dict[str, Path]
) -> None:
    """Its search takes what names nobody for the default profile's, and `ab` for `a`: ours lives, or returns."""
    hermes = runtimes["0.19.0"]
    before = daemon.do("start", LONG).process
    theirs(daemon, hermes, "-p", "default", "gateway", "stop")
    assert daemon.gateway(LONG).process == before
    assert psutil.Process(before.pid).is_running()
    theirs(daemon, hermes, "-p", SHORT, "gateway", "stop")
    after = until_ready(daemon, LONG)
    assert (after.wish, after.restarts) == (gateways_pb2.WISH_UP, int(after.process != before))
    assert daemon.gateway(SHORT).state == STOPPED


@contextmanager
def asking(daemon: Daemon, hermes: Path, profile: str) -> Iterator[None]:
    """Two programs that ask for one gateway without end."""
    said = {
        "HOME": str(daemon.machine.home),
        "PATH": "/usr/bin:/bin",
        "HERMES_HOME": str(home_of(daemon, profile)),
    }
    command = [str(hermes.parent / "python"), "-u", str(POLLER)]
    with ExitStack() as all_of_them:
        for number in range(2):
            log = daemon.machine.home / f"poller{number}"
            output = all_of_them.enter_context(log.open("wb"))
            all_of_them.enter_context(ending(subprocess.Popen(command, env=said, stdout=output)))
            wait_until(lambda log=log: log.read_text(), "it to be asked for")  # type: ignore[misc]
        yield


def test_whoever_asks_hermes_agent_all_the_time_disturbs_no_start(
    daemon: Daemon, runtimes: dict[str, Path]
) -> None:
    """Its question can take lock and record from one that begins: ours is ready, known and stopped as ever."""
    with asking(daemon, runtimes["0.19.0"], LONG):
        for _ in range(4):
            begun = daemon.do("start", LONG)
            assert (begun.state, begun.restarts) == (READY, 0)
            assert daemon.gateway(LONG).process == begun.process
            assert report(daemon, LONG)["pid"] == begun.process.pid
            ended = daemon.do("stop", LONG)
            assert (ended.state, ended.last_exit.code) == (STOPPED, 0)
            wait_until(partial(is_gone, begun.process.pid), "it to be gone")


def is_gone(pid: int) -> bool:
    """Whether nothing has this pid."""
    return not psutil.pid_exists(pid)


@pytest.mark.parametrize("delay_s", [0.0, 0.4, 1.5])
def test_a_gateway_that_is_ended_as_it_begins_comes_back(daemon: Daemon, delay_s: float) -> None:
    """With an API it ends with 0 within its first second, as if it had been asked to; it is started again."""
    api = f"API_SERVER_ENABLED=true\nAPI_SERVER_KEY=0123456789abcdef0123\nAPI_SERVER_PORT={free_port()}\n"
    (home_of(daemon, LONG) / ".env").write_text(api)
    daemon.call("start", LONG)
    wait_until(lambda: report(daemon, LONG).get("gateway_state") == "running", "it to call itself running")
    pid = report(daemon, LONG)["pid"]
    time.sleep(delay_s)  # the moment is what is tried
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: daemon.gateway(LONG).process.pid not in (0, pid), "another process", deadline_s=60)
    again = until_ready(daemon, LONG)
    assert (again.restarts, again.wish) == (1, gateways_pb2.WISH_UP)


def test_a_copy_of_a_home_whose_gateway_runs_is_another_profile(daemon: Daemon, runtimes: dict[str, Path]) -> None:
    """It runs nothing, stopping it ends nothing, both run side by side; hermes-agent would stop the original."""
    original = daemon.do("start", LONG).process
    shutil.copytree(home_of(daemon, LONG), home_of(daemon, "copy"), symlinks=True)
    assert report(daemon, "copy")["pid"] == original.pid
    copy = daemon.gateway("copy")
    assert (copy.state, copy.process.pid, copy.foreign.pid) == (STOPPED, 0, 0)
    daemon.machine.ok("gateway", "stop", "copy")
    assert daemon.gateway(LONG).process == original
    assert daemon.do("start", "copy").process.pid != original.pid
    daemon.machine.ok("profile", "delete", "copy", "--yes")
    assert daemon.gateway(LONG).process == original
    assert psutil.Process(original.pid).is_running()
    listed = theirs(daemon, runtimes["0.19.0"], "-p", LONG, "gateway", "status")
    assert str(original.pid) in listed
