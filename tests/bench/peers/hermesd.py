"""hermesd itself, real, with `command` profiles; as patient with crashes as told."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import grpc

from hermesctl.client import Client
from hermesctl.client.places import Places
from hermesctl.errors import HermesError
from hermesd.v1 import gateways_pb2 as v1
from tests.bench.peers.contract import Room
from tests.e2e.house import CLIENT, Machine

EAGER: Mapping[str, float] = {"backoff_first_s": 0, "backoff_limit_s": 0, "backoff_rare_s": 0}
"""A policy with which every crash is answered at once."""
UNBOUND: Mapping[str, float] = {"starts_per_hour": 1_000_000, "starts_per_day": 1_000_000}
"""A start budget that no bench spends: what is measured is not how long a spent one waits."""
START_LIMIT_S = 120.0
CALL_LIMIT_S = 5.0
POLL_S = 0.002


class Hermesd:
    """The daemon in the foreground; its children are the gateways of profiles that are empty directories."""

    def __init__(self, room: Room, name: str, policy: Mapping[str, float]) -> None:
        self.name = name
        self.room = room
        self.is_patient = policy != EAGER
        self._policy = policy
        self._machine = Machine(room.home)
        room.environment = self._machine.environment

    def prepare(self, count: int) -> None:
        """Makes profiles, wishes their gateways up and ends the daemon with them: the wishes stay."""
        for number in range(count):
            (self._machine.root / "profiles" / f"c{number}").mkdir(parents=True)
        self._write_settings(count)
        self.start()
        self._wait(self.is_serving)
        with self.connect() as client:
            requests = [v1.StartGatewayRequest(profile=f"c{number}") for number in range(count)]
            for operation in [client.gateways.StartGateway(request) for request in requests]:
                client.wait(operation)
        self.stop()

    def start(self) -> int:
        """A daemon that finds wishes."""
        return self.room.launch([sys.executable, "-m", "hermesd"])

    def start_again(self) -> int:
        """The same."""
        return self.start()

    def status_all(self) -> Sequence[str]:
        """hermesctl gateway list."""
        return [str(CLIENT), "gateway", "list"]

    def status_one(self, number: int) -> Sequence[str]:
        """hermesctl gateway status NAME, which shows the end of its log too."""
        return [str(CLIENT), "gateway", "status", f"c{number}"]

    def restart_one(self, number: int) -> Sequence[str]:
        """hermesctl gateway restart NAME, which waits until it is ready."""
        return [str(CLIENT), "gateway", "restart", f"c{number}"]

    def is_serving(self) -> bool:
        """Whether it answers what every gateway does."""
        try:
            if not self._places().read_record().is_alive:
                return False
            with self.connect() as client:
                client.gateways.ListGateways(v1.ListGatewaysRequest(), timeout=CALL_LIMIT_S)
        except (HermesError, grpc.RpcError):
            return False
        return True

    def stop(self) -> None:
        """hermesctl daemon stop --gateways."""
        self._machine.ctl("daemon", "stop", "--gateways")
        self.room.wait_empty(START_LIMIT_S)

    def connect(self) -> Client:
        """A client of this daemon."""
        return Client(self._places().read_record())

    def calls(self, client: Client, number: int) -> Mapping[str, Callable[[], object]]:
        """What the three commands ask of the daemon, without the client's own start."""
        profile = f"c{number}"
        gateways = client.gateways
        return {
            "status of all": lambda: gateways.ListGateways(v1.ListGatewaysRequest()),
            "status of one": lambda: gateways.GetGateway(v1.GetGatewayRequest(profile=profile)),
            "restart of one": lambda: client.wait(
                gateways.RestartGateway(v1.RestartGatewayRequest(profile=profile))
            ),
        }

    def _write_settings(self, count: int) -> None:
        policy = "".join(f"{key} = {value}\n" for key, value in {**UNBOUND, **self._policy}.items())
        profiles = "".join(
            f"[profile.c{number}]\ncommand = {json.dumps(self.room.children.command(number))}\n"
            for number in range(count)
        )
        settings = self.room.home / ".config" / "hermesd" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text(f'[daemon]\nbackend = "session"\n[gateway]\n{policy}{profiles}')

    def _places(self) -> Places:
        return Places.locate(self.room.environment)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + START_LIMIT_S
        while not condition():
            if time.monotonic() >= deadline_s:
                raise TimeoutError(f"{self.name} does not serve")
            time.sleep(POLL_S)
