"""The gRPC server: servicers, health and reflection on one unix socket.

Owns: what is served. Must not know where the socket lies or who may reach it: the directory sees to that.
"""

from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hermesd.api.aliases import AliasesServicer
from hermesd.api.archives import ArchivesServicer
from hermesd.api.claims import ClaimsServicer
from hermesd.api.configs import ConfigsServicer
from hermesd.api.daemon import DaemonServicer
from hermesd.api.doctor import DoctorServicer
from hermesd.api.environments import EnvironmentsServicer
from hermesd.api.errors import Translator
from hermesd.api.events import EventsServicer
from hermesd.api.gateways import GatewaysServicer
from hermesd.api.logs import LogsServicer
from hermesd.api.operations import OperationsServicer
from hermesd.api.profiles import ProfilesServicer
from hermesd.api.reflection import SERVICE, Reflection
from hermesd.api.runtimes import RuntimesServicer
from hermesd.api.samples import SamplesServicer
from hermesd.api.skills import SkillsServicer
from hermesd.api.terminals import TerminalsServicer
from hermesd.api.trash import TrashServicer
from hermesd.v1 import (
    aliases_pb2,
    aliases_pb2_grpc,
    archives_pb2,
    archives_pb2_grpc,
    claims_pb2,
    claims_pb2_grpc,
    configs_pb2,
    configs_pb2_grpc,
    daemon_pb2,
    daemon_pb2_grpc,
    doctor_pb2,
    doctor_pb2_grpc,
    environments_pb2,
    environments_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    gateways_pb2,
    gateways_pb2_grpc,
    logs_pb2,
    logs_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    profiles_pb2,
    profiles_pb2_grpc,
    runtimes_pb2,
    runtimes_pb2_grpc,
    samples_pb2,
    samples_pb2_grpc,
    skills_pb2,
    skills_pb2_grpc,
    terminals_pb2,
    terminals_pb2_grpc,
    trash_pb2,
    trash_pb2_grpc,
)

FILES = (
    profiles_pb2, aliases_pb2, gateways_pb2, operations_pb2, events_pb2, runtimes_pb2, skills_pb2, terminals_pb2,
    environments_pb2, trash_pb2, doctor_pb2, logs_pb2, samples_pb2, claims_pb2, configs_pb2, archives_pb2,
    daemon_pb2,
)  # fmt: skip


@dataclass(frozen=True)
class Servicers:
    """One servicer a noun."""

    profiles: ProfilesServicer
    gateways: GatewaysServicer
    operations: OperationsServicer
    events: EventsServicer
    runtimes: RuntimesServicer
    skills: SkillsServicer
    terminals: TerminalsServicer
    environments: EnvironmentsServicer
    trash: TrashServicer
    doctor: DoctorServicer
    aliases: AliasesServicer
    logs: LogsServicer
    samples: SamplesServicer
    claims: ClaimsServicer
    configs: ConfigsServicer
    archives: ArchivesServicer
    daemon: DaemonServicer


async def make_server(servicers: Servicers) -> grpc.aio.Server:
    """A server that is not bound yet."""
    server = grpc.aio.server(interceptors=[Translator()])
    profiles_pb2_grpc.add_ProfilesServiceServicer_to_server(servicers.profiles, server)
    gateways_pb2_grpc.add_GatewaysServiceServicer_to_server(servicers.gateways, server)
    operations_pb2_grpc.add_OperationsServiceServicer_to_server(servicers.operations, server)
    events_pb2_grpc.add_EventsServiceServicer_to_server(servicers.events, server)
    runtimes_pb2_grpc.add_RuntimesServiceServicer_to_server(servicers.runtimes, server)
    skills_pb2_grpc.add_SkillsServiceServicer_to_server(servicers.skills, server)
    terminals_pb2_grpc.add_TerminalsServiceServicer_to_server(servicers.terminals, server)
    environments_pb2_grpc.add_EnvironmentsServiceServicer_to_server(servicers.environments, server)
    trash_pb2_grpc.add_TrashServiceServicer_to_server(servicers.trash, server)
    doctor_pb2_grpc.add_DoctorServiceServicer_to_server(servicers.doctor, server)
    aliases_pb2_grpc.add_AliasesServiceServicer_to_server(servicers.aliases, server)
    logs_pb2_grpc.add_LogsServiceServicer_to_server(servicers.logs, server)
    samples_pb2_grpc.add_SamplesServiceServicer_to_server(servicers.samples, server)
    claims_pb2_grpc.add_ClaimsServiceServicer_to_server(servicers.claims, server)
    configs_pb2_grpc.add_ConfigsServiceServicer_to_server(servicers.configs, server)
    archives_pb2_grpc.add_ArchivesServiceServicer_to_server(servicers.archives, server)
    daemon_pb2_grpc.add_DaemonServiceServicer_to_server(servicers.daemon, server)
    names = [service.full_name for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
    checks = health.aio.HealthServicer()
    for name in ["", *names]:
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_generic_rpc_handlers((Reflection([*names, health.SERVICE_NAME, SERVICE]),))
    return server
