"""A service manager on a bus of its own, whose scopes are entries in a table.

It speaks D-Bus on a socket, so that the client's own conversation is tried as well. Control groups it cannot make:
a test lets `hermesd.adapters.backends.cgroups.of` be answered by `group_of`.
"""

import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, Parser, new_error, new_method_return, new_signal

from hermesd.adapters import procfs
from hermesd.adapters.backends.systemd_bus import MANAGER, NO_SUCH_UNIT, UNIT_EXISTS
from hermesd.domain.process import ProcessIdentity

SLICE_GROUP = "/hermes.slice"
DECLINED = "org.freedesktop.DBus.Error.Failed"


class Declined(Exception):
    """An answer that is an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name
        self.text = text


@dataclass
class Scope:
    """A unit of the fake."""

    description: str
    process: ProcessIdentity | None
    """Who was put into it; `None` was nobody."""
    properties: dict[str, Any] = field(default_factory=dict)
    """Everything that was asked for it."""


@dataclass
class FakeSystemd:
    """What it knows, and how it is disposed. Everything may be changed at any time."""

    socket: Path
    scopes: dict[str, Scope] = field(default_factory=dict)
    has_slice: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    """Names of errors that calls are answered with, by method."""
    mute: set[str] = field(default_factory=set)
    """Methods that are never answered."""
    job_result: str = "done"
    moves: bool = True
    """Whether processes get into their scopes."""
    forgets: bool = True
    """Whether a scope goes when its process ends; else it must be stopped."""
    seen_pid: int = field(default_factory=os.getpid)
    """Pid of the client as this manager sees it."""
    stopped: list[str] = field(default_factory=list)
    added: dict[int, str] = field(default_factory=dict)
    """Further processes and their scopes."""

    def group_of(self, pid: int) -> str | None:
        """The control group of a living process, as /proc would show it."""
        found = procfs.stat(pid)
        if found is None:
            return None
        for name, scope in self.scopes.items():
            if found.is_alive and (self.added.get(pid) == name or (scope.process and scope.process.pid == pid)):
                return f"{SLICE_GROUP}/{name}"
        return "/"

    def call(self, member: str, body: tuple[Any, ...], path: str) -> tuple[str | None, tuple[Any, ...]]:
        """Answers a method call: signature and values."""
        if member in self.errors:
            raise Declined(self.errors[member], f"{member} is declined")
        match member:
            case "Hello":
                return "s", (":1.7",)
            case "AddMatch" | "Subscribe":
                return None, ()
            case "GetConnectionUnixProcessID":
                return "u", (self.seen_pid,)
            case "ListUnitsByPatterns":
                return "a(ssssssouso)", (self._rows(body[1]),)
            case "StopUnit":
                return self._stop(body[0])
            case "StartTransientUnit":
                return self._start(*body)
            case "Get" if body[1] == "Version":
                return "v", (("s", "252"),)
            case "Get":
                return "v", (("s", f"{SLICE_GROUP}/{bytes.fromhex(path[1:]).decode()}"),)
        raise Declined("org.freedesktop.DBus.Error.UnknownMethod", member)

    def _rows(self, patterns: list[str]) -> list[tuple[Any, ...]]:
        if self.forgets:
            self.scopes = {name: one for name, one in self.scopes.items() if one.process and _lives(one.process)}
        return [
            (name, one.description, "loaded", "active", "running", "", f"/{name.encode().hex()}", 0, "", "/")
            for name, one in self.scopes.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        ]

    def _stop(self, name: str) -> tuple[str, tuple[str]]:
        self.stopped.append(name)
        if self.scopes.pop(name, None) is None:
            raise Declined(NO_SUCH_UNIT, f"Unit {name} not loaded.")
        return "o", ("/job/1",)

    def _start(self, name: str, mode: str, properties: list[Any], auxiliary: list[Any]) -> tuple[str, tuple[str]]:
        if name in self.scopes or (auxiliary and self.has_slice):
            raise Declined(UNIT_EXISTS, f"Unit {name} was already loaded or has a fragment file.")
        values = {key: value for key, (_, value) in properties}
        (pid,) = values["PIDs"]
        self.has_slice = True
        if self.job_result == "done":
            process = procfs.identity(pid, "") if self.moves else None
            self.scopes[name] = Scope(values["Description"], process, values)
        return "o", ("/job/2",)


def _lives(process: ProcessIdentity) -> bool:
    return procfs.is_alive(process)


class _Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    server: "_Server"

    def handle(self) -> None:
        while (line := self.rfile.readline()) != b"BEGIN\r\n":
            if not line:
                return
            self.wfile.write(b"OK 0123456789abcdef0123456789abcdef\r\n")
        parser, self._serials = Parser(), count(1)
        while data := self.rfile.read1():
            parser.add_data(data)
            while (message := parser.get_next_message()) is not None:
                self._answer(message)

    def _answer(self, message: Message) -> None:
        systemd, fields = self.server.systemd, message.header.fields
        member = fields[HeaderFields.member]
        if member in systemd.mute:
            return
        try:
            signature, body = systemd.call(member, message.body, fields[HeaderFields.path])
        except Declined as declined:
            self._send(new_error(message, declined.name, "s", (declined.text,)))
            return
        self._send(new_method_return(message, signature, body))
        if member == "StartTransientUnit":
            signal = DBusAddress(MANAGER.object_path, interface=MANAGER.interface)
            for job, result in (("/job/1", "canceled"), (body[0], systemd.job_result)):
                self._send(new_signal(signal, "JobRemoved", "uoss", (1, job, message.body[0], result)))

    def _send(self, message: Message) -> None:
        self.wfile.write(message.serialise(serial=next(self._serials)))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, systemd: FakeSystemd) -> None:
        self.systemd = systemd
        super().__init__(str(systemd.socket), _Conversation)


@contextmanager
def systemd_at(socket: Path) -> Iterator[FakeSystemd]:
    """A manager that listens on that socket."""
    systemd = FakeSystemd(socket)
    with _Server(systemd) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield systemd
        finally:
            server.shutdown()
            serving.join()
