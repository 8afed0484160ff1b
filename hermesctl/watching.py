"""The stream of events of a daemon that may go away and come back.

Owns: resuming where the stream broke off, and noticing that nobody reads any more what is made of it. Must not
know what an event means. The command runs in its caller's own process: a stream may last for ever, and workers are
few.
"""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hermesctl.errors import HermesError
from hermesctl.session import Session
from hermesd.v1 import events_pb2 as v1

if TYPE_CHECKING:
    import grpc

WAITING = 1000
"""Events that may wait in this process; then the daemon is read from no further."""

RETRY_S = 0.2
"""How often is looked whether a daemon that went away is back."""


@dataclass(frozen=True)
class Lost:
    """The daemon went away. Nothing comes until it is back."""


@dataclass(frozen=True)
class Back:
    """A daemon is there again; what happened meanwhile follows."""

    after: int
    """Token of the last event that came."""


Item = v1.Event | v1.Gap | Lost | Back
_Arrivals = queue.Queue[Any]
"""What the daemon sent, then the failure that ended it, or `None` for a proper end."""


class EventStream:
    """Events as they happen, from behind a token on (0: from the next one)."""

    def __init__(self, session: Session, *, after: int, kinds: Sequence[str] = ()) -> None:
        session.terminal.need_own_process()
        self._session = session
        self._last = after
        self._kinds = kinds
        self._arrivals: _Arrivals | None = None
        self._open()

    @property
    def is_lost(self) -> bool:
        """Whether the daemon is away."""
        return self._arrivals is None

    def take(self, wait_s: float) -> list[Item]:
        """What has come, as soon as something has; nothing if that takes longer.

        Raises:
            BrokenPipeError: nobody reads stdout any more.
            HermesError: the daemon refuses the stream, or one came back that is of no use.
        """
        if not self._session.terminal.has_reader:
            self._session.terminal.discard_output()
            raise BrokenPipeError
        if self._arrivals is None:
            return self._come_back(wait_s)
        return [item for arrived in _taken(self._arrivals, wait_s) for item in self._items(arrived)]

    def _items(self, arrived: "v1.WatchEventsResponse | grpc.RpcError | None") -> Iterator[Item]:
        if not isinstance(arrived, v1.WatchEventsResponse):
            self._lose(arrived)
            yield Lost()
        elif arrived.HasField("gap"):
            self._last = max(arrived.gap.next_token - 1, 0)
            yield arrived.gap
        else:
            self._last = arrived.event.token
            yield arrived.event

    def _lose(self, error: "grpc.RpcError | None") -> None:
        if error is not None and not is_absence(error):
            raise error
        self._session.close()
        self._arrivals = None

    def _come_back(self, wait_s: float) -> list[Item]:
        record = self._session.places.running()
        if record is not None and record.is_listening:
            try:
                self._open()
            except HermesError as error:
                if error.reason != "DAEMON_ABSENT":  # it went away again meanwhile
                    raise
            else:
                return [Back(self._last)]
        time.sleep(min(wait_s, RETRY_S))
        return []

    def _open(self) -> None:
        request = v1.WatchEventsRequest(
            resume_token=self._last, profile=self._session.profile.name, kinds=self._kinds
        )
        call = self._session.running_client.events.WatchEvents(request)
        self._arrivals = queue.Queue(WAITING)
        threading.Thread(target=_pump, args=(call, self._arrivals), daemon=True).start()


def newest_token(session: Session) -> int:
    """The token of the newest event of all; 0 if there is none."""
    found = session.client.events.ListEvents(v1.ListEventsRequest(page_size=1)).events
    return found[-1].token if found else 0


def is_absence(error: "grpc.RpcError") -> bool:
    """Whether a call failed for the daemon that ended, and not for what it said."""
    import grpc

    from hermesctl.client.failures import explain

    if error.code() is grpc.StatusCode.CANCELLED:  # by a server that ends
        return True
    return explain(error).reason == "DAEMON_ABSENT"


def _pump(call: Iterator[v1.WatchEventsResponse], arrivals: _Arrivals) -> None:
    """Moves what the daemon sends into the queue, so that the caller can wait for it and for time at once."""
    import grpc

    try:
        for answer in call:
            arrivals.put(answer)
    except grpc.RpcError as error:
        arrivals.put(error)
    else:
        arrivals.put(None)


def _taken(arrivals: _Arrivals, wait_s: float) -> Iterator[Any]:
    """All that waits, once something does."""
    try:
        yield arrivals.get(timeout=wait_s)
        for _ in range(WAITING):
            yield arrivals.get_nowait()
    except queue.Empty:
        return
