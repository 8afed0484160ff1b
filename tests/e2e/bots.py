"""Profiles of the real hermes-agent with bots at loopback stand-ins, and a daemon that keeps them.

Owns: what the files of such a profile say, and gateways of the agent that a person starts by hand. Each comes to
a stand-in by a door of its own name. Must not know what a test proves.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermesd.v1 import gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway
from tests.e2e.daemon import Daemon
from tests.e2e.house import Machine
from tests.fakes import model, signal_cli, telegram
from tests.fakes.model import ANSWER, MODEL, ModelServer
from tests.fakes.signal_cli import SignalServer
from tests.fakes.telegram import TelegramServer
from tests.waiting import wait_until

TOKEN, OTHER_TOKEN = (f"{number}111:{'A' * 35}" for number in (1, 2))
ACCOUNT = "+15550001111"
START_LIMIT_S = 120.0
"""For the real agent on a busy machine."""

READY, PARKED = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_PARKED

POLICY: Mapping[str, float] = {"grace_extra_s": 2.0, "backoff_first_s": 0.5, "look_s": 2.0}
_WORDS = "Hello"
"""Of the model's answer, what no platform's markup changes."""


@dataclass
class Bots:
    """A machine on which bots live, and the platforms that they know."""

    daemon: Daemon
    model: ModelServer
    telegram: TelegramServer
    signal: SignalServer
    agent: Path
    """The executable that gateways started by hand run."""

    @property
    def machine(self) -> Machine:
        """Where they live."""
        return self.daemon.machine

    def home(self, profile: str) -> Path:
        """The home of a profile."""
        return self.machine.root / "profiles" / profile

    def give(self, profile: str, token: str = "", account: str = "", **more: str) -> None:
        """Makes a profile, if it is not there, and says which bots are its; nothing else of its `.env` stays."""
        home = self.home(profile)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = {"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_ALLOWED_USERS": token and "42"}
        said |= {"SIGNAL_ACCOUNT": account, "SIGNAL_HTTP_URL": account and self.signal.url(profile)}
        said |= {"SIGNAL_ALLOWED_USERS": account and "*"}
        lines = [f"{name}={value}\n" for name, value in {**said, **more}.items() if value]
        draft = home / ".env.draft"
        draft.write_text("".join(lines))
        draft.chmod(0o600)
        draft.replace(home / ".env")
        told = {"default": MODEL, "provider": "custom", "base_url": self.model.base_url, "context_length": 131072}
        platforms = {"telegram": {"extra": {"base_url": self.telegram.url(profile)}}} if token else {}
        (home / "config.yaml").write_text(json.dumps({"model": told, "platforms": platforms}))

    def until(self, profile: str, state: int) -> Gateway:
        """Waits for a gateway to be in a state."""
        what = f"{profile} to be {gateways_pb2.GatewayState.Name(state)}"  # type: ignore[arg-type]
        wait_until(lambda: self.daemon.gateway(profile).state == state, what, deadline_s=START_LIMIT_S)
        return self.daemon.gateway(profile)

    def until_polled(self, profile: str, token: str = TOKEN) -> None:
        """Waits until a profile listens to what Telegram has for its bot."""
        heard = self.telegram.polled_by(profile, token)
        what = f"{profile} to poll"
        wait_until(lambda: self.telegram.polled_by(profile, token) > heard, what, deadline_s=START_LIMIT_S)

    def answers(self, profile: str, token: str = TOKEN) -> None:
        """A person writes to a bot, which answers through the door of this profile."""
        before = len(self.telegram.sent)
        self.telegram.deliver(token, "hi")

        def is_answered() -> bool:
            found = self.telegram.sent[before:]
            return any(
                (one.token, one.chat, one.door) == (token, 42, profile) and _WORDS in one.text for one in found
            )

        wait_until(is_answered, f"an answer of {profile}", deadline_s=START_LIMIT_S)

    def answers_on_signal(self, profile: str, account: str = ACCOUNT) -> None:
        """The same on Signal."""
        wait_until(lambda: self.signal.listeners(account), f"{profile} to listen", deadline_s=START_LIMIT_S)
        before = len(self.signal.sent)
        self.signal.deliver(account, "hi")

        def is_answered() -> bool:
            found = self.signal.sent[before:]
            return any((one.account, one.door) == (account, profile) and ANSWER in one.text for one in found)

        wait_until(is_answered, f"an answer of {profile} on Signal", deadline_s=START_LIMIT_S)

    def came_by(self, profile: str) -> int:
        """Requests of a profile at any platform."""
        return self.telegram.came_by(profile) + self.signal.came_by(profile)

    def report(self, profile: str) -> Any:
        """What the agent says of itself; nothing if it has not said anything yet."""
        try:
            return json.loads((self.home(profile) / "gateway_state.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    @contextmanager
    def by_hand(self, profile: str, **shell: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A gateway as a person starts it without hermesd, from a shell with these variables; killed at last."""
        argv = [str(self.agent), "-p", profile, "gateway", "run"]
        environment = {**self.machine.environment, "HERMES_DISABLE_LAZY_INSTALLS": "1", **shell}
        out = subprocess.DEVNULL
        with subprocess.Popen(
            argv, env=environment, cwd=self.machine.home, stdin=out, stdout=out, stderr=out
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def living(machine: Machine, runtimes: Mapping[str, Path], version: str = "0.19.0") -> Iterator[Bots]:
    """A daemon without profiles whose gateways are the real agent's; all of it is ended at last."""
    with model.serving() as asked, telegram.serving() as bot_api, signal_cli.serving() as signals:
        daemon = Daemon(machine)
        daemon.write_settings({}, POLICY)
        daemon.start()
        if version == "0.19.0":
            machine.ok("runtime", "install")
        else:
            added = machine.ok("runtime", "add", str(runtimes[version]), "-o", "name").strip()
            machine.ok("runtime", "use", added.rpartition("/")[2])
        try:
            yield Bots(daemon, asked, bot_api, signals, runtimes[version])
        finally:
            if daemon.process is None:
                daemon.start()
            daemon.disconnect()
            machine.ctl("daemon", "stop", "--gateways")
            daemon.wait()
