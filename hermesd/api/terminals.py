"""Serves `TerminalsService`."""

from typing import Any

import grpc

from hermesd.api import convert
from hermesd.api.environments import foreign_secrets
from hermesd.domain.profile import ProfileName
from hermesd.domain.terminal import Terminal
from hermesd.services.terminals import Caller, Terminals
from hermesd.v1 import terminals_pb2, terminals_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class TerminalsServicer(terminals_pb2_grpc.TerminalsServiceServicer):
    """Translates for `services/terminals.py`."""

    def __init__(self, terminals: Terminals) -> None:
        self._terminals = terminals

    async def OpenTerminal(
        self, request: terminals_pb2.OpenTerminalRequest, context: Context
    ) -> terminals_pb2.OpenTerminalResponse:
        name = ProfileName.parse(request.profile)
        caller = Caller(request.pid, request.working_directory, list(request.environment_names))
        if request.program:
            plan = await self._terminals.open_program(name, request.program, caller)
        else:
            plan = await self._terminals.open(name, list(request.arguments), caller)
        return terminals_pb2.OpenTerminalResponse(
            terminal=plan.terminal.id,
            executable=plan.argv[0] if plan.argv else "",
            argv=plan.argv,
            environment_set=plan.environment_set,
            environment_unset=plan.environment_unset,
            working_directory=str(plan.working_directory or ""),
            foreign_secrets=foreign_secrets(plan.foreign),
        )

    async def ListTerminals(
        self, request: terminals_pb2.ListTerminalsRequest, context: Context
    ) -> terminals_pb2.ListTerminalsResponse:
        found = await self._terminals.all(request.profile)
        return terminals_pb2.ListTerminalsResponse(terminals=[_terminal(one) for one in found])


def _terminal(opened: Terminal) -> terminals_pb2.Terminal:
    """A terminal."""
    return terminals_pb2.Terminal(
        id=opened.id,
        profile=opened.profile.text,
        verb=opened.verb,
        pid=opened.process.pid,
        working_directory=opened.working_directory,
        tty=opened.tty,
        started_at=convert.timestamp(opened.started_at_s),
    )
