"""Archives over a real socket: bytes both ways, large lists in parts, and what a malformed stream is told."""

from collections.abc import AsyncIterator

import grpc
import pytest

from hermesd.api.archives import PAGE
from hermesd.domain.archive import Act, ActKind, Arrival
from hermesd.v1 import archives_pb2 as v1
from hermesd.v1 import archives_pb2_grpc, operations_pb2, operations_pb2_grpc
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]

CANARY = "canary-of-a-secret-0123456789"
HOOK = Act(ActKind.HOOK, "evil", is_disabled=True, enabling="move it")


async def export(served: Served, **options: bool) -> list[v1.ExportProfileResponse]:
    """All of an export of coder."""
    stub = archives_pb2_grpc.ArchivesServiceStub(served.channel)
    return [step async for step in stub.ExportProfile(v1.ExportProfileRequest(profile="Coder", **options))]


async def sent(*pieces: v1.ImportProfileRequest) -> AsyncIterator[v1.ImportProfileRequest]:
    """These messages, in order."""
    for piece in pieces:
        yield piece


async def planned(*pieces: v1.ImportProfileRequest) -> AsyncIterator[v1.PlanImportRequest]:
    """The same, to be planned."""
    for piece in pieces:
        yield v1.PlanImportRequest.FromString(piece.SerializeToString())


def order(**fields: object) -> v1.ImportProfileRequest:
    """The first message."""
    return v1.ImportProfileRequest(order=v1.ImportOrder(**fields))  # type: ignore[arg-type]


async def test_what_is_exported_can_be_imported(served: Served) -> None:
    """As another profile, planned first; the operation ends with the profile there."""
    served.house.archives.files["coder"] = {"SOUL.md": "me", ".env": "A=1"}
    served.house.agent.arrival = Arrival((HOOK,))
    steps = await export(served)
    assert [step.WhichOneof("step") for step in steps] == ["progress", "contents", "data", "data"]
    assert [one.path for one in steps[1].contents.entries] == ["SOUL.md"]
    assert [(one.path, one.why) for one in steps[1].contents.staying] == [(".env", "secrets")]
    pieces = [v1.ImportProfileRequest(data=step.data) for step in steps[2:]]
    stub = archives_pb2_grpc.ArchivesServiceStub(served.channel)
    plan = await stub.PlanImport(planned(order(profile="copy"), *pieces))
    assert (plan.profile, plan.file_count, plan.size_bytes) == ("copy", 1, 2)
    assert [(one.category, one.what, one.is_disabled, one.enabling) for one in plan.acts] == [
        ("hook", "evil", True, "move it")
    ]
    operation = await stub.ImportProfile(sent(order(profile="copy", digest=plan.digest), *pieces))
    watching = operations_pb2_grpc.OperationsServiceStub(served.channel)
    states = [
        one.state async for one in watching.WatchOperation(operations_pb2.WatchOperationRequest(id=operation.id))
    ]
    assert states[-1] == operations_pb2.OPERATION_STATE_SUCCEEDED
    assert served.house.archives.spools[-1].is_closed


async def test_a_long_list_comes_in_parts(served: Served) -> None:
    """For a message may have no more than four megabytes; and a dry run sends no archive."""
    names = [f"notes/{number:05}" for number in range(2 * PAGE + 5)]
    served.house.archives.files["coder"] = dict.fromkeys(names, "x")
    steps = await export(served, dry_run=True)
    parts = [step.contents for step in steps if step.HasField("contents")]
    assert [len(one.entries) for one in parts] == [PAGE, PAGE, 5]
    assert [entry.path for one in parts for entry in one.entries] == names
    assert not any(step.HasField("data") for step in steps)


async def test_an_export_that_would_leak_fails_without_the_secret(served: Served) -> None:
    """After its contents were told, so that everything that was found is known."""
    served.house.archives.files["coder"] = {"notes.md": CANARY}
    served.house.agent.known_secrets["coder"] = [CANARY]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await export(served)
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "A_TOKEN of .env in notes.md" in (failure.value.details() or "")
    assert CANARY not in repr(failure.value)
    redacted = await export(served, redact=True)
    assert [(one.path, one.secret, one.how) for one in redacted[1].contents.leaks] == [
        ("notes.md", ".env: A_TOKEN", "as it is")
    ]


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([], grpc.StatusCode.INVALID_ARGUMENT),
        ([v1.ImportProfileRequest(data=b"x")], grpc.StatusCode.INVALID_ARGUMENT),
        ([v1.ImportProfileRequest()], grpc.StatusCode.INVALID_ARGUMENT),
        ([order(), order()], grpc.StatusCode.INVALID_ARGUMENT),
        ([order(max_size_bytes=-1)], grpc.StatusCode.INVALID_ARGUMENT),
        ([order(profile="No!")], grpc.StatusCode.INVALID_ARGUMENT),
        ([order()], grpc.StatusCode.FAILED_PRECONDITION),
        ([order(), v1.ImportProfileRequest(data=b"x")], grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
async def test_a_malformed_stream_is_refused(
    served: Served, pieces: list[v1.ImportProfileRequest], code: grpc.StatusCode
) -> None:
    """By both methods, and the archive is let go."""
    stub = archives_pb2_grpc.ArchivesServiceStub(served.channel)
    for call in (stub.PlanImport(planned(*pieces)), stub.ImportProfile(sent(*pieces))):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
        assert failure.value.code() is code
    assert all(spool.is_closed for spool in served.house.archives.spools)
