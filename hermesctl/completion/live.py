"""Names that exist now.

Owns: asking the daemon within a moment, and what to offer where it does not answer. Must not start it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hermesctl import selection
from hermesctl.errors import HermesError
from hermesctl.session import Session

if TYPE_CHECKING:
    from hermesctl.client import Client

LIMIT_S = 0.05
"""How long a Tab waits for the daemon."""

MOST = 50
"""How many operations are offered, the newest."""

Named = list[tuple[str, str]]
"""Names, each with what it is."""


def profiles(session: Session) -> Named:
    """Every profile with its gateway's state; without it where the daemon does not answer in time."""

    def ask(client: "Client") -> Named:
        from hermesctl.gateway_view import state_word
        from hermesd.v1.gateways_pb2 import ListGatewaysRequest

        answer = client.gateways.ListGateways(ListGatewaysRequest(), timeout=LIMIT_S)
        return [(one.profile, state_word(one)) for one in answer.gateways]

    return _ask(session, ask) or [
        (name, "") for name in (selection.DEFAULT, *selection.homes(session.places.root))
    ]


def operations(session: Session) -> Named:
    """Operations, the newest first."""

    def ask(client: "Client") -> Named:
        from hermesctl.shapes import word
        from hermesd.v1.operations_pb2 import ListOperationsRequest, OperationState

        request = ListOperationsRequest(profile=session.profile.name, page_size=MOST)
        answer = client.operations.ListOperations(request, timeout=LIMIT_S)
        states = OperationState.DESCRIPTOR
        return [(one.id, " ".join([word(states, one.state), one.kind, one.profile])) for one in answer.operations]

    return _ask(session, ask)


def runtimes(session: Session) -> Named:
    """Agents that can be used."""

    def ask(client: "Client") -> Named:
        from hermesd.v1.runtimes_pb2 import ListRuntimesRequest

        answer = client.runtimes.ListRuntimes(ListRuntimesRequest(), timeout=LIMIT_S)
        return [(one.name, f"{one.kind} {one.version}") for one in answer.runtimes]

    return _ask(session, ask)


def terminals(session: Session) -> Named:
    """Commands of the agent that run."""

    def ask(client: "Client") -> Named:
        from hermesd.v1.terminals_pb2 import ListTerminalsRequest

        request = ListTerminalsRequest(profile=session.profile.name)
        answer = client.terminals.ListTerminals(request, timeout=LIMIT_S)
        return [(one.id, f"{one.profile} {one.verb}") for one in answer.terminals]

    return _ask(session, ask)


def trash(session: Session) -> Named:
    """Deleted profiles, by name and by the id of each deletion."""

    def ask(client: "Client") -> Named:
        from hermesd.v1.trash_pb2 import ListTrashRequest

        found = client.trash.ListTrash(ListTrashRequest(), timeout=LIMIT_S).profiles
        names = {one.profile: one.description for one in reversed(found)}
        return [*names.items(), *((one.id, one.profile) for one in found)]

    return _ask(session, ask)


def aliases(session: Session) -> Named:
    """Aliases that hermesd made, with what each calls."""

    def ask(client: "Client") -> Named:
        from hermesd.v1.aliases_pb2 import ListAliasesRequest

        found = client.aliases.ListAliases(ListAliasesRequest(), timeout=LIMIT_S).aliases
        return [(one.name, one.profile) for one in found if one.is_ours]

    return _ask(session, ask)


def _ask(session: Session, question: Callable[["Client"], Named]) -> Named:
    """What the daemon answers; nothing if none lives, or none that we can talk to in time."""
    try:
        record = session.places.read_living_record()
        from hermesctl.client import Client  # takes long to import
        from hermesctl.client.connection import check_version

        check_version(record)
        with Client(record) as client:
            return question(client)
    except HermesError:
        return []


BY_NOUN: Mapping[str, Callable[[Session], Named]] = {
    "profile": profiles,
    "gateway": profiles,
    "logs": profiles,
    "top": profiles,
    "claims": profiles,
    "operations": operations,
    "runtime": runtimes,
    "skills": profiles,
    "terminal": terminals,
    "trash": trash,
    "soul": profiles,
}
"""What a noun, or its verbs, are given the name of."""
