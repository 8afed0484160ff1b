"""The contract as it is written: explained throughout, scoped where it concerns a profile, and kept."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from tests.api.compatibility import Contract, breaks
from tests.tools import stubs

pytestmark = [pytest.mark.fast, pytest.mark.api]

LEAST_WORDS = 2
"""A comment shorter than this explains nothing. `Process id.` does."""

MACHINE_WIDE = {
    "GetDaemonRequest",
    "StopDaemonRequest",
    "ListProfilesRequest",
    "ListGatewaysRequest",
    "GetOperationRequest",
    "WatchOperationRequest",
    "CancelOperationRequest",
    "ListRuntimesRequest",
    "InstallRuntimeRequest",
    "RegisterRuntimeRequest",
    "UseRuntimeRequest",
    "ListTrashRequest",
    "EmptyTrashRequest",
    "SyncSkillsRequest",
    "ChangeGatewaysRequest",
    "ReadLogsRequest",
    "ListClaimsRequest",
    "PlanImportRequest",
    "ImportProfileRequest",
}
"""Requests that concern no profile in particular, or several, or are pieces of which the first has the name."""

FILTERS = {
    "ListOperationsRequest",
    "ListEventsRequest",
    "WatchEventsRequest",
    "WatchSamplesRequest",
    "ListTerminalsRequest",
    "ListAliasesRequest",
    "ExamineRequest",
}
"""Requests whose profile only narrows a list, so that it may be empty. Every other profile is required."""

RENAMING = {"RestoreProfileRequest"}
"""Requests that say by an id which profile they mean, so that its new name may be left out."""

NUMBERS = {
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_UINT32,
    FieldDescriptorProto.TYPE_UINT64,
    FieldDescriptorProto.TYPE_FLOAT,
    FieldDescriptorProto.TYPE_DOUBLE,
}
MEASURES = frozenset("id code number count port token ticks lines seconds bytes percent major minor".split())
"""Words of which one says what a number counts or measures."""


@dataclass(frozen=True)
class Thing:
    """One thing that must be explained."""

    kind: str
    name: str
    comment: str
    is_number: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Path_ = tuple[int, ...]


class Explained:
    """One file of the contract with its comments, which protoc keys by paths of field numbers and indices."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}

    def things(self) -> Iterator[Thing]:
        """Everything in the file that needs a comment."""
        for index, service in enumerate(self._file.service):
            yield self._thing("service", service.name, (6, index))
            for number, method in enumerate(service.method):
                yield self._thing("method", f"{service.name}.{method.name}", (6, index, 2, number))
        for index, message in enumerate(self._file.message_type):
            yield from self._message(message.name, message, (4, index))
        for index, enum in enumerate(self._file.enum_type):
            yield from self._enum(enum.name, enum, (5, index))

    def _thing(self, kind: str, name: str, path: Path_, *, is_number: bool = False) -> Thing:
        return Thing(kind, name, self._comments.get(path, ""), is_number)

    def _message(self, name: str, message: DescriptorProto, path: Path_) -> Iterator[Thing]:
        yield self._thing("message", name, path)
        for index, member in enumerate(message.field):
            is_number = member.type in NUMBERS
            yield self._thing("field", f"{name}.{member.name}", (*path, 2, index), is_number=is_number)
        written = [
            oneof for oneof in message.oneof_decl if not oneof.name.startswith("_")
        ]  # `optional` makes others
        for index, oneof in enumerate(written):
            yield self._thing("oneof", f"{name}.{oneof.name}", (*path, 8, index))
        for index, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(f"{name}.{nested.name}", nested, (*path, 3, index))
        for index, enum in enumerate(message.enum_type):
            yield from self._enum(f"{name}.{enum.name}", enum, (*path, 4, index))

    def _enum(self, name: str, enum: EnumDescriptorProto, path: Path_) -> Iterator[Thing]:
        yield self._thing("enum", name, path)
        for index, value in enumerate(enum.value):
            yield self._thing("enum value", f"{name}.{value.name}", (*path, 2, index))


@pytest.fixture(scope="module")
def files() -> list[FileDescriptorProto]:
    """The contract's files with their comments."""
    return list(FileDescriptorSet.FromString(stubs.descriptor_set(with_comments=True)).file)


@pytest.fixture(scope="module")
def things(files: list[FileDescriptorProto]) -> list[Thing]:
    """Everything in the contract that needs a comment."""
    return [thing for file in files for thing in Explained(file).things()]


def unexplained(things: list[Thing]) -> list[str]:
    """Names of what has no comment worth the name."""
    return [str(thing) for thing in things if len(thing.comment.split()) < LEAST_WORDS]


def unmeasured(things: list[Thing]) -> list[str]:
    """Names of the numbers whose comment does not say what they count or measure."""
    numbers = [thing for thing in things if thing.is_number]
    return [
        str(thing)
        for thing in numbers
        if not MEASURES & {w.strip('.,:;()"').lower() for w in thing.comment.split()}
    ]


def test_everything_is_explained(things: list[Thing]) -> None:
    """Every service, method, message, field, enum, value and oneof says what it means."""
    assert unexplained(things) == []


def test_numbers_say_what_they_measure(things: list[Thing]) -> None:
    """A number's comment names its unit, or what it counts."""
    assert unmeasured(things) == []


def test_every_kind_of_thing_is_looked_at(things: list[Thing]) -> None:
    """The walk reaches every kind of thing, so that a missing comment cannot hide."""
    assert {thing.kind for thing in things} == {
        "service",
        "method",
        "message",
        "field",
        "oneof",
        "enum",
        "enum value",
    }


@pytest.mark.parametrize("file", stubs.sources())
def test_file_is_explained(file: str) -> None:
    """Every file of the contract opens with what it is about."""
    assert (stubs.PROTO / file).read_text().startswith("// ")


def test_a_missing_comment_is_noticed() -> None:
    """The check of comments can fail."""
    bare = [Thing("field", "Bot.name", ""), Thing("field", "Bot.age", " Age.\n", is_number=True)]
    assert unexplained(bare) == ["field Bot.name", "field Bot.age"]
    assert unmeasured(bare) == ["field Bot.age"]


def requests(files: list[FileDescriptorProto]) -> dict[str, DescriptorProto]:
    """Every request message, by name."""
    messages = {f".{file.package}.{message.name}": message for file in files for message in file.message_type}
    methods = [method for file in files for service in file.service for method in service.method]
    return {messages[method.input_type].name: messages[method.input_type] for method in methods}


def names_a_profile(request: DescriptorProto) -> bool:
    """Whether the request has one profile, by name."""
    return any(
        (member.name, member.type, member.label)
        == ("profile", FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.LABEL_OPTIONAL)
        for member in request.field
    )


def test_scoped_requests_name_their_profile(files: list[FileDescriptorProto]) -> None:
    """A request that concerns a profile has a field for it, and those that have none are written out."""
    without = {name for name, request in requests(files).items() if not names_a_profile(request)}
    assert without == MACHINE_WIDE


def test_required_profiles_say_so(files: list[FileDescriptorProto], things: list[Thing]) -> None:
    """Where a profile is required the contract says it, and only filters and new names may be left out."""
    comments = {thing.name: thing.comment for thing in things}
    for name in requests(files).keys() - MACHINE_WIDE:
        assert ("Required" in comments[f"{name}.profile"]) is (name not in FILTERS | RENAMING), name


def test_each_method_has_its_own_request(files: list[FileDescriptorProto]) -> None:
    """A method's request is named after it and used by it alone, so that each can grow by itself."""
    for file in files:
        for service in file.service:
            for method in service.method:
                assert method.input_type == f".{file.package}.{method.name}Request"


def test_released_contract_is_kept() -> None:
    """Nothing that was released is renumbered, renamed, retyped or removed."""
    released = Contract.read(stubs.RELEASED.read_bytes())
    assert released.things
    assert breaks(released, Contract.read(stubs.descriptor_set())) == []


def test_committed_stubs_are_current() -> None:
    """The stubs in the repository are what the contract generates."""
    with tempfile.TemporaryDirectory() as scratch:
        stale = stubs.differing(stubs.generate(Path(scratch)))
    assert stale == [], "if it is meant: python -m tests.tools.stubs"


def test_stale_stub_is_noticed(tmp_path: Path) -> None:
    """A stub that differs, one that is missing and one that is left over are all named."""
    fresh = stubs.generate(tmp_path)
    (fresh / "daemon_pb2.py").write_text("# changed")
    (fresh / "errors_pb2.py").unlink()
    (fresh / "news_pb2.py").write_text("# added")
    assert stubs.differing(fresh) == ["daemon_pb2.py", "errors_pb2.py", "news_pb2.py"]
