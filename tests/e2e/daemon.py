"""A real daemon of a private machine that a test may kill, and the calls that people would make to it.

Owns: the daemon's process and one connection to it at a time. Must not know what a test proves.
"""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hermesctl.client import Client
from hermesctl.client.places import Places
from hermesctl.errors import HermesError
from hermesd.v1 import gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway
from hermesd.v1.operations_pb2 import Operation
from tests.e2e.house import Machine
from tests.processes import GATEWAY, PYTHON
from tests.waiting import wait_until

HURRIED: Mapping[str, float] = {
    "start_limit_s": 5.0,
    "stable_s": 0.5,
    "grace_extra_s": 0.4,
    "kill_retry_s": 0.2,
    "backoff_first_s": 0.05,
    "backoff_limit_s": 0.4,
    "backoff_rare_s": 0.4,
    "starts_per_hour": 1_000_000,
    "starts_per_day": 1_000_000,
}
"""A policy without patience, for tests that have none."""


def scripted(*flags: str) -> list[str]:
    """The command of a scripted gateway."""
    return [*PYTHON, str(GATEWAY), *flags]


@dataclass
class Daemon:
    """The daemon of a machine: started in the foreground as a child of the test, ended in any way."""

    machine: Machine
    process: "subprocess.Popen[bytes] | None" = None
    program: Sequence[str] = ("-m", "hermesd")
    """What the interpreter runs; another one may change what it runs on."""
    _client: Client | None = field(default=None, repr=False)

    @property
    def places(self) -> Places:
        """Where it keeps what it keeps."""
        return Places.locate(self.machine.environment)

    @property
    def client(self) -> Client:
        """The connection to the running daemon."""
        assert self._client is not None
        return self._client

    def write_settings(
        self, commands: Mapping[str, Sequence[str]], policy: Mapping[str, float | bool] = HURRIED
    ) -> None:
        """Says which programs the profiles run, from the daemon's next start on."""
        lines = ["[daemon]", "backend = 'session'", "[gateway]"]
        lines += [f"{key} = {str(value).lower()}" for key, value in policy.items()]
        for name, argv in commands.items():
            words = ", ".join(f"'{word}'" for word in argv)
            lines += [f"[profile.{name}]", f"command = [{words}]"]
        path = self.machine.home / ".config" / "hermesd" / "settings.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(lines) + "\n"
        tomllib.loads(text)
        path.write_text(text)

    def make_homes(self, *names: str) -> None:
        """Makes profiles, as somebody with a shell would."""
        for name in names:
            (self.machine.root / "profiles" / name).mkdir(mode=0o700, parents=True)

    def start(self) -> None:
        """Starts it and waits until it serves."""
        self.disconnect()
        with (self.machine.home / "daemon.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *self.program],
                env=self.machine.environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(self._is_serving, "the daemon to serve")

    def kill(self) -> None:
        """Ends it without a chance to do anything."""
        self._end(signal.SIGKILL)

    def end(self) -> None:
        """Asks it to end; gateways live on."""
        self._end(signal.SIGTERM)

    def wait(self) -> None:
        """Waits until it has ended by itself."""
        assert self.process is not None
        self.process.wait(timeout=60)
        self.process = None

    def kill_and_start(self) -> None:
        """One crash."""
        self.kill()
        self.start()

    def output(self) -> str:
        """What it said, for people who look for a mistake."""
        logs = [self.machine.home / "daemon.out", self.places.state / "logs" / "daemon.log"]
        return "\n".join(path.read_text()[-8000:] for path in logs if path.exists())

    def call(self, verb: str, profile: str, *, timeout_s: float = 20.0) -> Operation:
        """Asks for `start`, `stop` or `restart`; returns what it answers at once.

        Raises:
            grpc.RpcError: it refused, or did not answer.
        """
        stub = self.client.gateways
        match verb:
            case "start":
                return stub.StartGateway(gateways_pb2.StartGatewayRequest(profile=profile), timeout=timeout_s)
            case "stop":
                return stub.StopGateway(gateways_pb2.StopGatewayRequest(profile=profile), timeout=timeout_s)
            case _:
                return stub.RestartGateway(gateways_pb2.RestartGatewayRequest(profile=profile), timeout=timeout_s)

    def do(self, verb: str, profile: str) -> Gateway:
        """The same, waits until it is done, and returns the gateway then."""
        self.client.wait(self.call(verb, profile))
        return self.gateway(profile)

    def gateway(self, profile: str) -> Gateway:
        """One gateway."""
        return self.client.gateways.GetGateway(gateways_pb2.GetGatewayRequest(profile=profile))

    def gateways(self) -> dict[str, Gateway]:
        """Every gateway, by profile."""
        found = self.client.gateways.ListGateways(gateways_pb2.ListGatewaysRequest()).gateways
        return {gateway.profile: gateway for gateway in found}

    def lock_of(self, gateway: Gateway) -> Path:
        """The file whose lock a gateway's tree holds."""
        return self.places.state / "locks" / f"{Path(gateway.log_path).stem}.lock"

    def captured_bytes(self, profile: str) -> int:
        """Size of what its gateway wrote and is still there, in files that come and go."""
        log, size = Path(self.gateway(profile).log_path), 0
        for path in log.parent.glob(f"{log.name}*"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def _is_serving(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the daemon ended with {code}\n{self.output()}"
        try:
            record = self.places.read_record()
        except HermesError:
            return False
        if record.pid != self.process.pid or not record.is_alive:
            return False
        self._client = Client(record)
        if self._client.is_serving():
            return True
        self.disconnect()
        return False

    def _end(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)
        self.process.wait()
        self.process = None

    def disconnect(self) -> None:
        """Closes the connection; the next daemon gets another one."""
        if self._client is not None:
            self._client.close()
            self._client = None
