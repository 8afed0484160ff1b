"""The real hermes-agent, made to say that it is ready and that its loop goes round."""

import socket
import subprocess
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.process import Phase
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from tests.adapters.hermes_homes import home_at
from tests.e2e.test_agent_versions import END_LIMIT_S, START_LIMIT_S, environment_of, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

CONFIG = "# mine\nmodel: {default: m, provider: custom, base_url: 'http://127.0.0.1:9/v1'}\n"
POLICY = "agent:\n  max_turns: 7\n"
WATCHDOG_S = 1.0
SAVE = """
import os
from hermes_cli.config import load_config, save_config
from hermes_cli.env_loader import load_hermes_dotenv
config = load_config()
load_hermes_dotenv()
print(config["agent"]["max_turns"], config["gateway"]["systemd_watchdog_seconds"], os.environ["SITE_SAYS"])
save_config(config)
"""


class Listener:
    """Hears what gateways notify."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(START_LIMIT_S)

    def heard(self) -> str:
        """The next notification."""
        return self.socket.recv(4096).decode()

    def until(self, start: str) -> None:
        """Waits for one that begins so."""
        while not self.heard().startswith(start):
            pass


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A person's home, on a machine that manages something."""
    (tmp_path / "user").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "config.yaml").write_text(POLICY)
    (tmp_path / "site" / ".env").write_text("SITE_SAYS=yes\n")
    return home_at(tmp_path / "root" / "profiles" / "coder", config__yaml=CONFIG)


def test_a_gateway_says_that_it_is_ready_and_goes_round(
    runtimes: dict[str, Path], home: Home, tmp_path: Path
) -> None:
    """By a setting that only it is told; what the site manages holds, and the person's file never gets ours."""
    listener = Listener(tmp_path / "n.sock")
    agent = HermesAgent(
        tmp_path / "user",
        notify_address=str(tmp_path / "n.sock"),
        overlay=tmp_path / "managed",
        site=tmp_path / "site",
        watchdog_s=WATCHDOG_S,
    )
    runtime = Runtime("tested", HERMES_AGENT, "0.19.0", runtimes["0.19.0"], is_managed=True)
    launch = agent.launch(runtime, home)
    with listener.socket, running(launch, home) as (process, child):
        listener.until("READY=1")
        assert agent.probe(home, process).phase is Phase.READY
        listener.until("WATCHDOG=1")
        wait_until(lambda: bool(agent.probe(home, process).beats), "a heartbeat", deadline_s=START_LIMIT_S)
        assert (home.path / "config.yaml").read_text() == CONFIG
        assert saved_inside(launch, home) == "7 1 yes"
        assert "watchdog" not in (home.path / "config.yaml").read_text()
        agent.prepare_stop(home, process)
        child.terminate()
        listener.until("STOPPING=1")
        assert child.wait(END_LIMIT_S) == 0


def saved_inside(launch: Launch, home: Home) -> str:
    """What the agent's own code finds inside the gateway, which then saves all of its configuration."""
    python = Path(launch.argv[0]).parent / "python"
    done = subprocess.run(
        [python, "-c", SAVE],
        env=environment_of(home, launch),
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
