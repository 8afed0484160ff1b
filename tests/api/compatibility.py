"""What in a contract would break a client that was built from an older one.

Owns: the comparison of two descriptor sets. Everything is compared by name, since people and JSON use names, and
by number, since the wire does. Additions are fine; what the older contract promised must be there unchanged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

Facts = Mapping[str, str | int | bool]
"""What a client relies on in one thing, by what it is called in a complaint."""


@dataclass
class Contract:
    """A contract as a flat table: kind and full name of each thing, and what is relied on in it."""

    things: dict[tuple[str, str], Facts] = field(default_factory=dict)

    @classmethod
    def read(cls, serialized: bytes) -> "Contract":
        """Flattens a serialized FileDescriptorSet."""
        contract = cls()
        for file in FileDescriptorSet.FromString(serialized).file:
            contract.things.update(_things_of_file(file))
        return contract


def breaks(released: Contract, current: Contract) -> list[str]:
    """What `current` no longer keeps of `released`, a sentence each, sorted."""
    complaints = []
    for (kind, name), promised in released.things.items():
        kept = current.things.get((kind, name))
        if kept is None:
            complaints.append(f"{kind} {name} is gone")
            continue
        complaints += [
            f"{kind} {name}: {what} was {value} and is {kept[what]}"
            for what, value in promised.items()
            if kept[what] != value
        ]
    return sorted(complaints)


Things = Iterator[tuple[tuple[str, str], Facts]]


def _things_of_file(file: FileDescriptorProto) -> Things:
    for message in file.message_type:
        yield from _things_of_message(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        yield from _things_of_enum(f"{file.package}.{enum.name}", enum)
    for service in file.service:
        name = f"{file.package}.{service.name}"
        yield ("service", name), {}
        for method in service.method:
            yield ("method", f"{name}.{method.name}"), _facts_of_method(method)


def _things_of_message(name: str, message: DescriptorProto) -> Things:
    yield ("message", name), {}
    for member in message.field:
        yield ("field", f"{name}.{member.name}"), _facts_of_field(message, member)
    for nested in message.nested_type:
        yield from _things_of_message(f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from _things_of_enum(f"{name}.{enum.name}", enum)


def _things_of_enum(name: str, enum: EnumDescriptorProto) -> Things:
    yield ("enum", name), {}
    for value in enum.value:
        yield ("enum value", f"{name}.{value.name}"), {"number": value.number}


def _facts_of_method(method: MethodDescriptorProto) -> Facts:
    return {
        "request": method.input_type,
        "response": method.output_type,
        "streaming of requests": method.client_streaming,
        "streaming of responses": method.server_streaming,
    }


def _facts_of_field(message: DescriptorProto, member: FieldDescriptorProto) -> Facts:
    in_oneof = member.HasField("oneof_index") and not member.proto3_optional
    return {
        "number": member.number,
        "type": member.type_name or FieldDescriptorProto.Type.Name(member.type),
        "repetition": FieldDescriptorProto.Label.Name(member.label),
        "presence": member.proto3_optional,
        "oneof": message.oneof_decl[member.oneof_index].name if in_oneof else "none",
        "JSON name": member.json_name,
    }
