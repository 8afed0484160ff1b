"""What gateways say of themselves: that they are ready, and that their event loop goes round.

Owns: whose words are whose. What a process says is kept for whoever keeps it, by pid and start time, so that a
child, which inherits its parent's address, or a later process with the same pid speaks for nobody. Must not know
what follows from it.
"""

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Mapping

from hermesd.domain.masking import mask
from hermesd.domain.notice import Notice
from hermesd.domain.ports import Ports
from hermesd.domain.process import ProcessIdentity
from hermesd.services.tasks import lasting

WATCHDOG = "watchdog"
"""The source of beats that are heard here."""

STRANGERS = 64
"""Processes whose words are kept until somebody asks for them: one may speak before its start is recorded."""

Key = tuple[int, int]
"""Pid and start time: one process of this boot and no other."""


class Words:
    """What one process has said so far."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        """Set once it said that its start is complete."""
        self.beat_s: float | None = None
        """When its loop last gave a sign, by the monotonic clock; `None` if this daemon never heard one."""
        self.is_stopping = False
        """Whether it has begun to end by itself: from then on it sends no beats."""
        self.status = ""
        """What it last said that it does."""

    @property
    def beats(self) -> Mapping[str, float]:
        """Its beats as health counts them; none means that silence says nothing."""
        return {} if self.beat_s is None or self.is_stopping else {WATCHDOG: self.beat_s}


class Hearing:
    """Listens for all gateways."""

    def __init__(self, ports: Ports) -> None:
        self._notices = ports.notices
        self._clock = ports.clock
        self._kept: weakref.WeakValueDictionary[Key, Words] = weakref.WeakValueDictionary()
        """Of processes that somebody keeps; they are forgotten with their keeper's interest."""
        self._strangers: OrderedDict[Key, Words] = OrderedDict()
        self._listening: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to listen."""
        self._listening = lasting(self._listen, "hearing", self._clock)

    def close(self) -> None:
        """Ends that."""
        if self._listening is not None:
            self._listening.cancel()

    def attend(self, process: ProcessIdentity) -> Words:
        """What this process has said and will say, for as long as the answer is held on to."""
        key = (process.pid, process.start_ticks)
        words = self._kept.get(key) or self._strangers.pop(key, None) or Words()
        self._kept[key] = words
        return words

    async def _listen(self) -> None:
        while True:
            for notice in await self._notices.heard():
                self._take(notice)

    def _take(self, notice: Notice) -> None:
        words = self._words_of((notice.pid, notice.start_ticks))
        if notice.is_alive:
            words.beat_s = self._clock.monotonic_s()
        if notice.status is not None:
            words.status = mask(notice.status)
        words.is_stopping = words.is_stopping or notice.is_stopping
        if notice.is_ready:
            words.ready.set()

    def _words_of(self, key: Key) -> Words:
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        words = self._strangers.pop(key, None) or Words()
        self._strangers[key] = words
        if len(self._strangers) > STRANGERS:
            self._strangers.popitem(last=False)
        return words
