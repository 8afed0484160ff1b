"""Serves `EnvironmentsService`."""

from collections.abc import Mapping
from typing import Any

import grpc

from hermesd.domain.digests import ForeignSecrets
from hermesd.domain.environment import Removal
from hermesd.domain.profile import ProfileName
from hermesd.services.environments import Environments, Origin, Variable
from hermesd.v1 import environments_pb2 as v1
from hermesd.v1 import environments_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

ORIGINS: Mapping[Origin, v1.EnvironmentOrigin.ValueType] = {
    Origin.ACCOUNT: v1.ENVIRONMENT_ORIGIN_ACCOUNT,
    Origin.DAEMON: v1.ENVIRONMENT_ORIGIN_DAEMON,
    Origin.CALLER: v1.ENVIRONMENT_ORIGIN_CALLER,
    Origin.SETTINGS: v1.ENVIRONMENT_ORIGIN_SETTINGS,
    Origin.AGENT: v1.ENVIRONMENT_ORIGIN_AGENT,
    Origin.PROFILE: v1.ENVIRONMENT_ORIGIN_PROFILE,
}
REMOVALS: Mapping[Removal, v1.EnvironmentRemoval.ValueType] = {
    Removal.STEERING: v1.ENVIRONMENT_REMOVAL_STEERING,
    Removal.BOT: v1.ENVIRONMENT_REMOVAL_BOT,
    Removal.KEY: v1.ENVIRONMENT_REMOVAL_KEY,
}


class EnvironmentsServicer(environments_pb2_grpc.EnvironmentsServiceServicer):
    """Translates for `services/environments.py`."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    async def DescribeEnvironment(
        self, request: v1.DescribeEnvironmentRequest, context: Context
    ) -> v1.DescribeEnvironmentResponse:
        name = ProfileName.parse(request.profile)
        if request.purpose != v1.ENVIRONMENT_PURPOSE_COMMAND:
            found = await self._environments.of_gateway(name)
            return v1.DescribeEnvironmentResponse(variables=map(_variable, found))
        told = await self._environments.of_command(name, list(request.environment_names))
        removed = sorted(told.removed.items())
        return v1.DescribeEnvironmentResponse(
            variables=map(_variable, told.variables),
            removed=[v1.RemovedVariable(name=one, why=REMOVALS[why]) for one, why in removed],
            foreign_secrets=foreign_secrets(told.foreign),
        )


def foreign_secrets(foreign: ForeignSecrets) -> v1.ForeignSecrets:
    """What tells the values that other profiles keep secret."""
    return v1.ForeignSecrets(salt=foreign.salt, digests=sorted(foreign.digests))


def _variable(variable: Variable) -> v1.EnvironmentVariable:
    return v1.EnvironmentVariable(name=variable.name, origin=ORIGINS[variable.origin], value=variable.value)
