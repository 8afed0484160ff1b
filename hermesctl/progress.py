"""Following an operation until it ends.

Owns: progress on stderr, giving up waiting, and what Ctrl-C means: the operation goes on. Must not know what the
operation does, or import grpc before there is an operation: every verb's --help and completion import this.
"""

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hermesctl.errors import Fix, HermesError
from hermesctl.results import phrase
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.text import clean, shorten
from hermesctl.times import clock
from hermesd.v1.operations_pb2 import OPERATION_STATE_RUNNING, Operation

if TYPE_CHECKING:
    import grpc

    from hermesctl.client import Client

TICK_S = 0.2
"""How often a line with a running stopwatch is redrawn, and the end of waiting is looked at."""


def follow(
    session: Session,
    operation: Operation,
    *,
    timeout_s: float | None = None,
    tells_results: bool = False,
    tells_warnings: bool = True,
) -> Operation:
    """Waits until the operation succeeded, showing how far it is; its warnings are shown at the end.

    With `tells_results`, what became of each profile is progress too, where progress is lines. Without
    `tells_warnings` the caller sees to them, or shows them itself.

    Raises:
        HermesError: the operation's own reason; STILL_RUNNING, the time is over; DAEMON_ABSENT, the daemon
            went away meanwhile.
    """
    from hermesctl.client.failures import explain_operation

    line = ProgressLine(session, tells_results=tells_results)
    session.terminal.follow(operation.id)
    try:
        for current in _updates(session, session.client, operation, timeout_s):
            operation = current
            line.show(operation)
    except KeyboardInterrupt:
        line.clear()
        session.terminal.say(
            f"still running as operation {operation.id}; "
            f"{session.runnable(f'hermesctl operations wait {operation.id}')}\n"
        )
        raise
    finally:
        line.clear()
    if failure := explain_operation(operation):
        raise failure
    for message in operation.warnings if tells_warnings else ():
        session.warn(message)
    return operation


def _updates(
    session: Session, client: "Client", operation: Operation, timeout_s: float | None
) -> Iterator[Operation]:
    """Yields the operation at each change and each tick."""
    import grpc

    yield operation
    if operation.state != OPERATION_STATE_RUNNING:
        return
    arrivals: queue.SimpleQueue[Operation | grpc.RpcError | None] = queue.SimpleQueue()
    watch = client.watch(operation)
    threading.Thread(target=_pump, args=(watch, arrivals), daemon=True).start()
    now_s = session.terminal.monotonic_s
    end_s = None if timeout_s is None else now_s() + timeout_s
    while True:
        try:
            arrived = arrivals.get(timeout=TICK_S)
        except queue.Empty:
            arrived = operation
        if arrived is None:
            return
        if isinstance(arrived, grpc.RpcError):
            raise _lost(operation, arrived)
        operation = arrived
        yield operation
        if end_s is not None and now_s() >= end_s and operation.state == OPERATION_STATE_RUNNING:
            raise _still_running(operation)


def _pump(watch: Iterator[Operation], arrivals: "queue.SimpleQueue[Operation | grpc.RpcError | None]") -> None:
    """Moves what the daemon sends into the queue, so that the caller can wait for it and for time at once."""
    import grpc

    try:
        for operation in watch:
            arrivals.put(operation)
    except grpc.RpcError as error:
        arrivals.put(error)
    else:
        arrivals.put(None)


def _still_running(operation: Operation) -> HermesError:
    return HermesError(
        "STILL_RUNNING",
        f"stopped waiting for operation {operation.id}, which goes on",
        fixes=[Fix(f"hermesctl operations wait {operation.id}")],
        facts={"operation": operation.id, "profile": operation.profile},
    )


def _lost(operation: Operation, error: "grpc.RpcError") -> HermesError:
    from hermesctl.client.failures import explain

    failure = explain(error)
    if failure.reason != "DAEMON_ABSENT":
        return failure
    return HermesError(
        "DAEMON_ABSENT",
        f"the daemon went away during operation {operation.id}, which may still be running",
        why="it is finished or undone when the daemon starts again",
        fixes=[Fix("hermesctl daemon start"), Fix(f"hermesctl operations show {operation.id}")],
        facts={"operation": operation.id},
    )


class ProgressLine:
    """Progress on stderr: one line that changes on a terminal, else a line at each new phase."""

    def __init__(self, session: Session, *, tells_results: bool = False) -> None:
        self._session = session
        self._tells_results = tells_results
        self._told = 0
        self._columns = session.terminal.stderr_columns
        self._began_s = session.terminal.monotonic_s()
        self._last = ""

    def show(self, operation: Operation) -> None:
        """Shows how far the operation is."""
        if self._session.is_quiet:
            return
        if self._tells_results and self._columns is None:
            self._append_results(operation)
        elif operation.state != OPERATION_STATE_RUNNING:
            return
        elif self._columns is None:
            self._append(operation)
        else:
            self._redraw(operation, self._columns)

    def clear(self) -> None:
        """Takes the changing line away."""
        if self._columns is not None and self._last:
            self._session.terminal.say("\r\x1b[K")
        self._last = ""

    def _append(self, operation: Operation) -> None:
        phase = clean(operation.progress.phase)
        if phase and phase != self._last:
            self._session.terminal.say(f"{subject(operation)}: {phase}\n")
            self._last = phase

    def _append_results(self, operation: Operation) -> None:
        is_only_one = operation.progress.total == 1  # of which the result itself tells
        for one in () if is_only_one else operation.results[self._told :]:
            self._session.terminal.say(f"{clean(one.profile)}: {clean(phrase(one))}\n")
        self._told = len(operation.results)

    def _redraw(self, operation: Operation, columns: int) -> None:
        progress = operation.progress
        counted = f" {progress.done}/{progress.total}" if progress.total else ""
        waited_s = max(span(operation.elapsed), self._session.terminal.monotonic_s() - self._began_s)
        parts = [subject(operation), progress.phase + counted, progress.detail, clock(waited_s)]
        text = "  ".join(clean(part) for part in parts if part)
        if text != self._last:
            self._session.terminal.say(f"\r{shorten(text, columns - 1)}\x1b[K")
            self._last = text


def subject(operation: Operation) -> str:
    """What an operation works on, as a short phrase."""
    return clean(f"{operation.profile or operation.kind}")
