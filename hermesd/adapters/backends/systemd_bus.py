"""A systemd manager as it shows itself on its bus.

Owns: what is said on D-Bus, and what a refusal means. Must not know what runs in a unit. Everything here blocks,
up to the limits below, and is called in a thread; each call has a connection of its own, so that a bus that was
restarted needs no mending and an idle daemon holds none.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jeepney import (
    DBusAddress,
    DBusErrorResponse,
    MatchRule,
    Message,
    Properties,
    message_bus,
    new_method_call,
)
from jeepney.auth import AuthenticationError
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import unwrap_msg

from hermesd.domain.errors import HermesError, NotPermitted, ProfileBusy
from hermesd.domain.limits import NO_LIMITS, Limit, Limits

CALL_LIMIT_S = 10.0
"""How long the manager may take to answer."""
JOB_LIMIT_S = 30.0
"""How long it may take to make a scope, for which there is nothing to wait."""
STOP_LIMIT_S = 90.0
"""How long a unit's processes may take to end when the machine shuts down; systemd's own default."""

NAME = "org.freedesktop.systemd1"
MANAGER = DBusAddress("/org/freedesktop/systemd1", NAME, f"{NAME}.Manager")
REFUSED = ("AccessDenied", "AuthFailed", "InteractiveAuthorizationRequired")
UNIT_EXISTS = f"{NAME}.UnitExists"
NO_SUCH_UNIT = f"{NAME}.NoSuchUnit"

Property = tuple[str, tuple[str, object]]
"""A name, and a value with its D-Bus type."""
SLICE = "hermes.slice"
SLICE_PROPERTIES: list[Property] = [("Description", ("s", "Hermes gateways")), ("StopWhenUnneeded", ("b", True))]
"""A slice that nobody configured goes with its last unit."""


LIMIT_PROPERTIES = {
    Limit.MEMORY_MAX: ("MemoryMax", 1),
    Limit.CPU_QUOTA: ("CPUQuotaPerSecUSec", 10_000),
    Limit.TASKS_MAX: ("TasksMax", 1),
}
"""What systemd calls each limit, and how many of its units are one of ours."""


class UnitExists(ProfileBusy):
    """There is a unit of that name already."""


@dataclass(frozen=True)
class Unit:
    """A unit that the manager has loaded."""

    name: str
    description: str
    path: str
    """Of its object on the bus."""


class Systemd:
    """The manager behind a bus.

    Every method raises `HermesError` if the bus cannot be reached or the manager does not answer or declines, and
    `NotPermitted` if access is refused.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def check(self) -> None:
        """Returns if the manager answers. Raises `HermesError` if our pids mean other processes to it."""
        with self._connected() as bus:
            (seen,) = _call(bus, message_bus.GetConnectionUnixProcessID(bus.unique_name))
            if seen != os.getpid():
                raise HermesError(f"cannot use systemd at {self.socket}: it runs outside this container")
            _property(bus, MANAGER, "Version")

    def start_scope(self, name: str, pid: int, description: str, limits: Limits = NO_LIMITS) -> None:
        """Puts a process into a scope of its own; returns when that is done.

        Raises:
            UnitExists: there is a unit of that name.
        """
        with self._connected() as bus, _jobs_of(bus, name) as ended:
            job = _start(bus, name, [*_scope_properties(pid, description), *_limit_properties(limits)])
            result = _result_of(bus, job, ended)
        if result != "done":
            raise HermesError(f"cannot start unit {name}: systemd says that the job is {result}", unit=name)

    def units(self, pattern: str) -> list[Unit]:
        """Every loaded unit whose name matches."""
        with self._connected() as bus:
            (rows,) = _call(bus, new_method_call(MANAGER, "ListUnitsByPatterns", "asas", ([], [pattern])))
        return [Unit(name=row[0], description=row[1], path=row[6]) for row in rows]

    def control_group(self, unit: Unit) -> str:
        """Path of the control group of a scope; empty if it has none."""
        with self._connected() as bus:
            return str(_property(bus, DBusAddress(unit.path, NAME, f"{NAME}.Scope"), "ControlGroup"))

    def stop(self, unit: Unit) -> None:
        """Asks for a unit to be stopped; one that is gone needs nothing."""
        with self._connected() as bus:
            try:
                _call(bus, new_method_call(MANAGER, "StopUnit", "ss", (unit.name, "replace")))
            except DBusErrorResponse as refusal:
                if refusal.name != NO_SUCH_UNIT:
                    raise

    @contextmanager
    def _connected(self) -> Iterator[DBusConnection]:
        """A connection; whatever goes wrong on it is said in the domain's terms."""
        try:
            with (
                closing(prep_socket(str(self.socket), timeout=CALL_LIMIT_S)) as socket,
                DBusConnection(socket) as bus,
            ):
                yield bus
        except PermissionError as error:
            raise NotPermitted(f"cannot use systemd at {self.socket}: permission denied") from error
        except TimeoutError as error:
            raise HermesError(f"cannot use systemd at {self.socket}: it does not answer") from error
        except OSError as error:
            raise HermesError(f"cannot use systemd at {self.socket}: {error.strerror}") from error
        except AuthenticationError as error:
            raise NotPermitted(f"cannot use systemd at {self.socket}: the bus does not let us in") from error
        except DBusErrorResponse as error:
            raise self._refusal(error) from error

    def _refusal(self, error: DBusErrorResponse) -> HermesError:
        kind = NotPermitted if error.name.rpartition(".")[2] in REFUSED else HermesError
        said = error.data[0] if error.data else error.name
        return kind(f"systemd at {self.socket} refuses: {said}")


def _scope_properties(pid: int, description: str) -> list[Property]:
    return [
        ("Description", ("s", description)),
        ("Slice", ("s", SLICE)),
        ("PIDs", ("au", [pid])),
        ("CollectMode", ("s", "inactive-or-failed")),
        ("KillMode", ("s", "control-group")),  # a scope has no main process that could be asked first
        ("SendSIGHUP", ("b", False)),
        ("TimeoutStopUSec", ("t", int(STOP_LIMIT_S * 1e6))),
    ]


def _limit_properties(limits: Limits) -> list[Property]:
    """Memory in bytes, processor time in microseconds a second, and a count of tasks."""
    return [
        (name, ("t", limits[limit] * factor))
        for limit, (name, factor) in LIMIT_PROPERTIES.items()
        if limit in limits
    ]


def _start(bus: DBusConnection, name: str, properties: list[Property]) -> str:
    """Asks for a transient unit, and for its slice if that is not there; returns the job."""
    try:
        return _start_transient(bus, name, properties, [(SLICE, SLICE_PROPERTIES)])
    except DBusErrorResponse as refusal:
        if refusal.name != UNIT_EXISTS:
            raise
    try:  # the slice is there and cannot be asked for once more, or the unit itself is
        return _start_transient(bus, name, properties, [])
    except DBusErrorResponse as refusal:
        if refusal.name != UNIT_EXISTS:
            raise
        raise UnitExists(f"cannot start unit {name}: there is one already", unit=name) from refusal


def _start_transient(
    bus: DBusConnection,
    name: str,
    properties: list[Property],
    auxiliary: list[tuple[str, list[Property]]],
) -> str:
    body = (name, "replace", properties, auxiliary)
    (job,) = _call(bus, new_method_call(MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body))
    return str(job)


@contextmanager
def _jobs_of(bus: DBusConnection, name: str) -> Iterator[deque[Message]]:
    """Hears how jobs of a unit end."""
    rule = MatchRule(type="signal", interface=MANAGER.interface, member="JobRemoved", path=MANAGER.object_path)
    rule.add_arg_condition(2, name)
    _call(bus, message_bus.AddMatch(rule))
    _call(bus, new_method_call(MANAGER, "Subscribe"))
    with bus.filter(rule, queue=deque()) as ended:
        yield ended


def _result_of(bus: DBusConnection, job: str, ended: deque[Message]) -> str:
    while True:
        _, path, _, result = bus.recv_until_filtered(ended, timeout=JOB_LIMIT_S).body
        if path == job:
            return str(result)


def _property(bus: DBusConnection, address: DBusAddress, name: str) -> object:
    ((_, value),) = _call(bus, Properties(address).get(name))
    return value


def _call(bus: DBusConnection, message: Message) -> tuple[Any, ...]:
    """Raises `DBusErrorResponse` if the manager or the bus refuses."""
    answer: tuple[Any, ...] = unwrap_msg(bus.send_and_get_reply(message, timeout=CALL_LIMIT_S))
    return answer
