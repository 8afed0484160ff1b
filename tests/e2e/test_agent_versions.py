"""Each supported version of the real hermes-agent, driven by its adapter alone.

What is relied on here was read in its source and differs between versions: flags, exit codes, reports, settings.
"""

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.dotenvfile import read_env
from hermesd.domain.agent import ModelEndpoint, Setup
from hermesd.domain.gateway import Event
from hermesd.domain.process import ExitReport, ExitStatus, Phase, Probe, ProcessIdentity
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from tests.adapters.hermes_homes import home_at
from tests.fakes import model
from tests.fakes.model import ModelServer
from tests.tiers import sampled
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

AGENT = HermesAgent()
START_LIMIT_S = 90.0
END_LIMIT_S = 30.0


@pytest.fixture(params=sampled(["0.19.0", "0.18.2"]))
def runtime(request: pytest.FixtureRequest, runtimes: dict[str, Path]) -> Runtime:
    """Each version in turn."""
    return Runtime("tested", HERMES_AGENT, request.param, runtimes[request.param], is_managed=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home below a root that is not `~/.hermes`."""
    (tmp_path / "user").mkdir()
    return home_at(tmp_path / "root" / "profiles" / "coder")


def environment_of(home: Home, launch: Launch) -> dict[str, str]:
    """What a gateway or command gets, and nothing more."""
    user = home.path.parents[2] / "user"
    return {"HOME": str(user), "PATH": os.defpath, "LANG": "C.UTF-8", **launch.environment}


def enable_api(home: Home) -> int:
    """Gives the home an API on a free port of the kernel's choice."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    AGENT.set_up(home, Setup(enable_api_server=True, api_server_port=port), taken_ports=frozenset())
    return port


class Gateway:
    """A gateway under way."""

    def __init__(self, home: Home, child: "subprocess.Popen[bytes]", process: ProcessIdentity) -> None:
        self.home = home
        self.child = child
        self.process = process

    def probe(self) -> Probe:
        """What the adapter says of it."""
        return AGENT.probe(self.home, self.process)

    def until(self, phase: Phase) -> Probe:
        """Waits for a phase."""
        wait_until(lambda: self.probe().phase is phase, f"the gateway to be {phase}", deadline_s=START_LIMIT_S)
        return self.probe()

    def until_it_drains(self, is_wanted: bool) -> None:
        """Waits until it finishes its turns, or takes turns again."""
        wait_until(lambda: self.probe().is_draining == is_wanted, "the drain", deadline_s=START_LIMIT_S)

    def end(self, number: int) -> ExitReport:
        """Sends a signal and explains the end."""
        self.child.send_signal(number)
        return self.explained()

    def explained(self) -> ExitReport:
        """Waits for the end and explains it."""
        code = self.child.wait(END_LIMIT_S)
        status = ExitStatus(code=code) if code >= 0 else ExitStatus(signal=-code)
        return AGENT.explain_exit(self.home, self.process, status)


@contextmanager
def running(launch: Launch, home: Home) -> Iterator[tuple[ProcessIdentity, "subprocess.Popen[bytes]"]]:
    """A gateway, ended at last."""
    with (
        (home.path / "captured.log").open("ab") as log,
        subprocess.Popen(
            launch.argv, env=environment_of(home, launch), cwd="/", stdout=log, stderr=log, start_new_session=True
        ) as child,
    ):
        process = procfs.identity(child.pid, "spawn")
        assert process is not None
        try:
            yield process, child
        finally:
            child.kill()


@contextmanager
def started(runtime: Runtime, home: Home) -> Iterator[Gateway]:
    """A gateway started as the adapter says, ended at last."""
    with running(AGENT.launch(runtime, home), home) as (process, child):
        yield Gateway(home, child, process)


def run(runtime: Runtime, home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs one of the agent's commands as the adapter says."""
    launch = AGENT.command(runtime, home, arguments)
    return subprocess.run(
        launch.argv, env=environment_of(home, launch), capture_output=True, text=True, timeout=START_LIMIT_S
    )


def test_it_says_its_version(runtime: Runtime) -> None:
    """In the words the adapter expects."""
    assert AGENT.version(runtime.executable) == runtime.version


def test_it_brings_no_skills_from_the_package_index(runtime: Runtime) -> None:
    """Its wheels hold none."""
    assert AGENT.bundled_skills(runtime) is None


@pytest.mark.parametrize("key", ["", "sk-0123456789abcdef"])
def test_a_command_reaches_the_model(runtime: Runtime, home: Home, model_server: ModelServer, key: str) -> None:
    """Without a key, and with one that lies in `.env` alone."""
    endpoint = ModelEndpoint(model.MODEL, model_server.base_url, "MY_MODEL_KEY" if key else "", key)
    AGENT.set_up(home, Setup(endpoint), taken_ports=frozenset())
    done = run(runtime, home, "-z", "hi")
    assert (done.returncode, done.stdout.strip()) == (0, model.ANSWER), done.stderr
    assert set(model_server.authorizations) == {f"Bearer {key or 'no-key-required'}"}


def test_a_gateway_serves_its_api_with_the_models_key(
    runtime: Runtime, home: Home, model_server: ModelServer
) -> None:
    """Ready means that it answers; the one who listens is named if somebody else wants the port."""
    endpoint = ModelEndpoint(model.MODEL, model_server.base_url, "MY_MODEL_KEY", "sk-0123456789abcdef")
    AGENT.set_up(home, Setup(endpoint), taken_ports=frozenset())
    port = enable_api(home)
    key = read_env(home.path / ".env")["API_SERVER_KEY"]
    body = json.dumps({"model": "coder", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers)
        with urllib.request.urlopen(request, timeout=START_LIMIT_S) as answer:
            assert json.load(answer)["choices"][0]["message"]["content"] == model.ANSWER
        assert set(model_server.authorizations) == {"Bearer sk-0123456789abcdef"}
        found = AGENT.foreign_gateway(home, None)
        assert found is not None
        assert (found.pid, found.resolution) == (gateway.process.pid, f"kill -TERM {gateway.process.pid}")
        assert AGENT.foreign_gateway(home, gateway.process) is None


def test_it_ends_as_it_is_told(runtime: Runtime, home: Home) -> None:
    """With 75 to be restarted, and with 0 if the stop was announced.

    Unannounced, with 1, or with 0 within a second of being ready: neither was asked for, so it is a crash. The
    announcement alone begins the stop half a second later, so the signal must follow at once: one that comes when
    the agent is nearly gone ends it with the signal.
    """
    enable_api(home)
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)
        assert gateway.end(signal.SIGUSR1).event is Event.RESTART_REQUESTED
        assert gateway.child.returncode == 75
        assert AGENT.explain_exit(home, gateway.process, ExitStatus()).event is Event.RESTART_REQUESTED
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)
        AGENT.prepare_stop(home, gateway.process)
        gateway.end(signal.SIGTERM)
        assert gateway.child.returncode == 0
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)
        assert gateway.end(signal.SIGTERM).event is Event.CRASHED
        assert gateway.child.returncode in {0, 1}


def test_it_does_not_get_ready_on_a_port_of_somebody_elses(runtime: Runtime, home: Home) -> None:
    """0.19.0 ends with 78 and says why; 0.18.2 stays, and we say why."""
    port = enable_api(home)
    with socket.create_server(("127.0.0.1", port)), started(runtime, home) as gateway:
        if runtime.version == "0.18.2":
            assert "another program has this port" in gateway.until(Phase.DEGRADED).detail
        else:
            assert gateway.explained().event is Event.PORT_TAKEN
            assert gateway.child.returncode == 78


def test_a_gateway_without_platforms_is_ready(runtime: Runtime, home: Home) -> None:
    """It only runs its timers."""
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)


def test_a_gateway_drains_until_it_is_told_otherwise(runtime: Runtime, home: Home) -> None:
    """And says so itself, within its second."""
    with started(runtime, home) as gateway:
        gateway.until(Phase.READY)
        for is_wanted in (True, False):
            AGENT.drain(home, is_wanted=is_wanted)
            gateway.until_it_drains(is_wanted)
        assert gateway.probe().phase is Phase.READY
