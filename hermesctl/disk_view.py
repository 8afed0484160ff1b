"""What a profile takes on disk, asked for and said.

Owns: how long a person waits for the figure, and how it is written. Must not know which page it is on.
"""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from hermesctl.session import Session
from hermesctl.tables import EMPTY
from hermesctl.text import size
from hermesd.v1 import profiles_pb2 as v1

PAGE_LIMIT = Duration(seconds=1, nanos=500_000_000)
"""How long a page that says more than the size waits for it."""

LARGEST = 3
"""Entries that are named."""


def measure(session: Session, name: str, limit: Duration | None = None) -> v1.DiskUsage:
    """What a profile takes; with a limit, as far as it was found by then."""
    return session.client.profiles.MeasureProfile(v1.MeasureProfileRequest(profile=name, limit=limit))


def measure_all(session: Session, names: Iterable[str]) -> dict[str, v1.DiskUsage]:
    """What each of these profiles takes; who vanishes meanwhile is left out."""
    import grpc

    from hermesctl.client import explain

    usages = {}
    for name in names:
        try:
            usages[name] = measure(session, name)
        except grpc.RpcError as error:
            if explain(error).reason != "PROFILE_NOT_FOUND":
                raise
    return usages


def total(usage: v1.DiskUsage | None) -> str:
    """The figure alone."""
    if usage is None:
        return EMPTY
    return f">{size(usage.bytes)}" if usage.is_partial else size(usage.bytes)


def summary(usage: v1.DiskUsage) -> str:
    """The figure and where most of it is."""
    largest = [f"{part.name} {size(part.bytes)}" for part in usage.parts[:LARGEST] if part.bytes]
    more = "more than " if usage.is_partial else ""
    return f"{more}{size(usage.bytes)}" + (f": {', '.join(largest)}" if largest else "")
