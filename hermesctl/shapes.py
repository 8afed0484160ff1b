"""Messages as plain data, in the shape that scripts see.

Owns: the JSON shape: snake_case names, enums as lower-case words, times as RFC 3339, spans as seconds, null for
what is unset. Must not know which command shows it. A field called `kind` is renamed after its message
(`operation_kind`), because `kind` names the shape itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl.times import rfc3339

API_VERSION = "hermesd/v1"

Data = dict[str, Any]


def listing(kind: str, items: Iterable[Message | Data]) -> Data:
    """Several things of one kind."""
    return {"apiVersion": API_VERSION, "kind": f"{kind}List", "items": [plain(item) for item in items]}


def single(kind: str, item: Message | Data) -> Data:
    """One thing."""
    return {"apiVersion": API_VERSION, "kind": kind} | plain(item)


def plain(item: Message | Data) -> Data:
    """The fields of a message by name, or data as it is."""
    if not isinstance(item, Message):
        return dict(item)
    fields = cast("Iterable[FieldDescriptor]", item.DESCRIPTOR.fields)
    return {_name(item, field): _value(item, field) for field in fields}


def word(enum: EnumDescriptor, number: int) -> str:
    """The word for an enum value: lower case, without the enum's own name; empty for an unset one."""
    value = enum.values_by_number.get(number)
    if value is None:
        return f"unknown_{number}"  # a newer daemon's
    if number == 0:
        return ""
    return value.name.removeprefix(enum.values_by_number[0].name.removesuffix("UNSPECIFIED")).lower()


def seconds(moment: Timestamp) -> float:
    """A moment as seconds since the epoch."""
    return moment.seconds + moment.nanos / 1e9


def span(duration: Duration) -> float:
    """A span in seconds."""
    return duration.seconds + duration.nanos / 1e9


def _name(item: Message, field: FieldDescriptor) -> str:
    return f"{item.DESCRIPTOR.name.lower()}_kind" if field.name == "kind" else field.name


def _value(item: Message, field: FieldDescriptor) -> Any:
    value = getattr(item, field.name)
    if isinstance(value, Mapping):
        return {str(key): value[key] for key in sorted(value)}
    if field.is_repeated:
        return [_scalar(one, field) for one in value]
    if field.has_presence and not item.HasField(field.name):
        return None
    return _scalar(value, field)


def _scalar(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, Timestamp):
        return rfc3339(seconds(value))
    if isinstance(value, Duration):
        return span(value)
    if isinstance(value, Message):
        return plain(value)
    if field.enum_type is None:
        return value
    found = word(field.enum_type, value) or None
    return found.upper() if found and field.enum_type.name == "Reason" else found
