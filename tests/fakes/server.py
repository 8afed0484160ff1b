"""A daemon made of dictionaries, for the client to talk to.

Owns: answering every call from memory over a real socket, with a `daemon.json` beside it. Must not know hermesd's
services: the client is tested against the contract alone.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hermesctl.client.places import Places, start_ticks_of
from hermesd.v1 import (
    aliases_pb2_grpc,
    archives_pb2_grpc,
    claims_pb2_grpc,
    configs_pb2_grpc,
    daemon_pb2_grpc,
    doctor_pb2_grpc,
    environments_pb2_grpc,
    events_pb2_grpc,
    gateways_pb2_grpc,
    logs_pb2_grpc,
    operations_pb2_grpc,
    profiles_pb2_grpc,
    runtimes_pb2_grpc,
    samples_pb2_grpc,
    skills_pb2_grpc,
    terminals_pb2_grpc,
    trash_pb2_grpc,
)
from tests.fakes.server_archives import Archives
from tests.fakes.server_configs import Configs
from tests.fakes.server_daemon import DaemonServicer, Doctor, Environments, Events, Operations, Runtimes, Terminals
from tests.fakes.server_gateways import Claims, Gateways, Logs, Samples
from tests.fakes.server_profiles import Aliases, Profiles, Skills, Trash
from tests.fakes.world import World


class FakeDaemon:
    """A world behind a socket. Serves from `start` until `stop`."""

    def __init__(self, world: World, places: Places, socket: Path | None = None) -> None:
        self.world = world
        self._places = places
        self._socket = socket or places.state / "api.sock"
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16))
        profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(Profiles(world), self._server)
        gateways_pb2_grpc.add_GatewaysServiceServicer_to_server(Gateways(world), self._server)
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(Operations(world), self._server)
        events_pb2_grpc.add_EventsServiceServicer_to_server(Events(world), self._server)
        runtimes_pb2_grpc.add_RuntimesServiceServicer_to_server(Runtimes(world), self._server)
        environments_pb2_grpc.add_EnvironmentsServiceServicer_to_server(Environments(world), self._server)
        terminals_pb2_grpc.add_TerminalsServiceServicer_to_server(Terminals(world), self._server)
        skills_pb2_grpc.add_SkillsServiceServicer_to_server(Skills(world), self._server)
        trash_pb2_grpc.add_TrashServiceServicer_to_server(Trash(world), self._server)
        doctor_pb2_grpc.add_DoctorServiceServicer_to_server(Doctor(world), self._server)
        aliases_pb2_grpc.add_AliasesServiceServicer_to_server(Aliases(world), self._server)
        logs_pb2_grpc.add_LogsServiceServicer_to_server(Logs(world), self._server)
        samples_pb2_grpc.add_SamplesServiceServicer_to_server(Samples(world), self._server)
        claims_pb2_grpc.add_ClaimsServiceServicer_to_server(Claims(world), self._server)
        configs_pb2_grpc.add_ConfigsServiceServicer_to_server(Configs(world), self._server)
        archives_pb2_grpc.add_ArchivesServiceServicer_to_server(Archives(world), self._server)
        daemon_pb2_grpc.add_DaemonServiceServicer_to_server(DaemonServicer(world), self._server)
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)

    def start(self) -> None:
        """Binds the socket and writes `daemon.json`."""
        self._places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        directory = os.open(self._socket.parent, os.O_PATH)
        self._server.add_insecure_port(f"unix:/proc/self/fd/{directory}/{self._socket.name}")
        self._server.start()
        os.close(directory)
        self.write_record()

    def write_record(self, **changes: object) -> None:
        """Writes `daemon.json`, saying that this process is the daemon but for these keys."""
        record = {
            "socket": str(self._socket),
            "pid": os.getpid(),
            "start_ticks": start_ticks_of(os.getpid()),
            "started_at": "2026-09-21T14:13:20Z",
            "version": self.world.version,
            "boot_id": "b",
            "root": str(self._places.root),
        }
        self._places.daemon_file.write_text(json.dumps(record | changes))

    def stop(self, grace_s: float | None = None) -> None:
        """Ends, leaving `daemon.json` behind as a crash does; calls under way get that long to finish."""
        self._server.stop(grace_s).wait()


def serve() -> None:
    """Serves an empty world as the daemon of this process's environment, until a client stops it."""
    daemon = FakeDaemon(World(), Places.locate(os.environ))
    daemon.start()
    print("serving", flush=True)
    daemon.world.stopping.wait()
    daemon.stop(grace_s=5.0)
