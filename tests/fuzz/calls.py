"""What clients say: calls of the contract, and command lines that a launcher hands over.

Owns: a daemon on fakes for each input, and what every call is held to. Must not know what a method does.
"""

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from hermesctl.launch import wire
from hermesctl.warm import request
from hermesd.api.server import FILES
from tests.api.serving import serving
from tests.fuzz.target import target
from tests.waiting import DEADLINE_S

METHODS: Sequence[MethodDescriptor] = [
    method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]
NEXT = b"|~|"
"""Stands between the calls of one input; the first byte of each chooses its method."""
PATIENCE_S = 0.3
"""How long a stream is listened to. The house's clock stands still, so what is to come comes at once."""
MOST = 5
DEEPEST = 2
ZERO = "/dev/zero"
DEFECTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


def _filled(kind: type[Message], word: str, number: int, *, depth: int = 0) -> Message:
    """A message in which every field says something."""
    made = kind()
    for field in kind.DESCRIPTOR.fields:
        value = _value(field, word, number, depth)
        if value is None:
            continue
        if field.is_repeated:
            getattr(made, field.name).append(value)
        elif isinstance(value, Message):
            getattr(made, field.name).CopyFrom(value)
        else:
            setattr(made, field.name, value)
    return made


def _value(field: Any, word: str, number: int, depth: int) -> Any:
    if field.message_type is not None:
        is_map = field.message_type.GetOptions().map_entry
        if is_map or depth > DEEPEST:
            return None
        return _filled(GetMessageClass(field.message_type), word, number, depth=depth + 1)
    if field.type == FieldDescriptor.TYPE_STRING:
        return word
    if field.type == FieldDescriptor.TYPE_BYTES:
        return word.encode()
    return bool(number % 2) if field.type == FieldDescriptor.TYPE_BOOL else number


def _seeds() -> Iterator[bytes]:
    for index, method in enumerate(METHODS):
        kind = GetMessageClass(method.input_type)
        for word, number in (("coder", 1), ("../x", 2), ("default", 0)):
            yield bytes([index]) + _filled(kind, word, number).SerializeToString()
    indices = {method.name: bytes([index]) for index, method in enumerate(METHODS)}
    coder = b"\n\x05coder"
    yield NEXT.join(indices[name] + coder for name in ("StartGateway", "RestartGateway", "DeleteProfile"))


@target(*_seeds())
def calls(data: bytes) -> None:
    """Each call is answered, or refused with a reason that is no mistake of ours; no operation is one either."""
    asked = []
    for part in data.split(NEXT)[:MOST]:
        method = METHODS[part[0] % len(METHODS) if part else 0]
        with suppress(DecodeError):
            asked.append((method, GetMessageClass(method.input_type).FromString(part[1:])))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        asyncio.run(_ask(asked, Path(place)))


async def _ask(asked: Sequence[tuple[MethodDescriptor, Message]], place: Path) -> None:
    async with serving(place) as daemon:
        for method, message in asked:
            await _call(daemon.channel, method, message)
            await daemon.house.clock.settle()
        for operation in await daemon.house.services.operations.all(profile="", limit=99):
            assert operation.error is None or operation.error.reason != "INTERNAL", operation


async def _call(channel: grpc.aio.Channel, method: MethodDescriptor, message: Message) -> None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    encode, decode = type(message).SerializeToString, GetMessageClass(method.output_type).FromString
    code, details = grpc.StatusCode.OK, ""
    try:
        if method.server_streaming:
            async for _ in channel.unary_stream(path, encode, decode)(message, timeout=PATIENCE_S):
                pass
        else:
            await channel.unary_unary(path, encode, decode)(message, timeout=DEADLINE_S)
    except grpc.aio.AioRpcError as error:
        code, details = error.code(), error.details() or ""
    assert code not in DEFECTS, f"{path}: {details}"
    assert method.server_streaming or code is not grpc.StatusCode.DEADLINE_EXCEEDED, path


def _zeros() -> int:
    """How many of this process's descriptors lead to `ZERO`."""
    return sum(os.path.realpath(link) == ZERO for link in Path("/proc/self/fd").iterdir())


@target(
    wire.pack(
        wire.REQUEST,
        [b"0.1.0", b"mnt:[1]", b"1:2", b"22", b"3", b"hermesctl", b"-p", b"coder", b"HOME=/root", b"A"],
    ),
    wire.pack(wire.REQUEST, [b""]),
)
def command_request(data: bytes) -> None:
    """A request, or none of ours; no descriptor is left."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        given = [os.open(ZERO, os.O_RDONLY) for _ in range(4 if data.startswith(b"R") else 1)]
        socket.send_fds(theirs, [data or b"R"], given)
        for descriptor in given:
            os.close(descriptor)
        theirs.shutdown(socket.SHUT_WR)
        with suppress(wire.Lost):
            request.close(request.Request.receive(ours).descriptors)
    assert _zeros() == 0
