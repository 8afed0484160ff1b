"""What `top` shows, as the daemon tells it.

Owns: following samples and, less often, states, and finding the daemon again when it went away. Must not know how
anything is shown.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hermesctl.client import Client
from hermesctl.errors import HermesError
from hermesctl.session import Session
from hermesd.v1.gateways_pb2 import Gateway, ListGatewaysRequest
from hermesd.v1.samples_pb2 import Sample, WatchSamplesRequest

STATES_S = 2.0
"""How often states are asked for while samples come every second."""

RETRY_S = 1.0
"""How long the daemon is left alone that could not be reached."""

CALL_LIMIT_S = 10.0


@dataclass(frozen=True)
class News:
    """What is known."""

    gateways: Sequence[Gateway] = ()
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """By profile."""
    trouble: str = ""
    """Why nothing newer is."""


def gateways(client: Client) -> list[Gateway]:
    """Every gateway as it is now."""
    return list(client.gateways.ListGateways(ListGatewaysRequest(), timeout=CALL_LIMIT_S).gateways)


class Feed:
    """Follows the daemon in a thread of its own. `news` is what it knows by now."""

    def __init__(self, session: Session, known: Sequence[Gateway]) -> None:
        self.news = News(known)
        self._session = session
        self._tell: Callable[[], None] = lambda: None
        self._has_ended = threading.Event()
        self._call: Iterator[object] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    @contextmanager
    def following(self, tell: Callable[[], None]) -> Iterator[None]:
        """Follows while the block lasts; calls `tell`, from the thread, when there are news."""
        self._tell = tell
        self._thread.start()
        try:
            yield
        finally:
            self._has_ended.set()
            if (call := self._call) is not None:
                call.cancel()  # type: ignore[attr-defined]
            self._thread.join(timeout=RETRY_S)

    def _follow(self) -> None:
        while not self._has_ended.is_set():
            try:
                with self._session.connect() as client:
                    self._read(client)
            except HermesError as error:
                self._publish(replace(self.news, trouble=error.message))
            self._has_ended.wait(RETRY_S)

    def _read(self, client: Client) -> None:
        monotonic_s = self._session.terminal.monotonic_s
        states, asked_s = gateways(client), monotonic_s()
        call = client.samples.WatchSamples(WatchSamplesRequest())
        self._call = call
        if self._has_ended.is_set():
            call.cancel()
        for answer in call:
            if monotonic_s() - asked_s >= STATES_S:
                states, asked_s = gateways(client), monotonic_s()
            self._publish(News(states, {one.profile: one for one in answer.samples}))

    def _publish(self, news: News) -> None:
        if not self._has_ended.is_set():
            self.news = news
            self._tell()
