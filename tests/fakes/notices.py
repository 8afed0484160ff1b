"""What processes say of themselves, by the hand of a test. Fake of `Notices`."""

import asyncio
from collections.abc import Sequence

from hermesd.domain.notice import Notice, parse_notice
from hermesd.domain.process import ProcessIdentity


class MemoryNotices:
    """Hears what a test lets be said."""

    def __init__(self, address: str = "/state/run/notify.sock") -> None:
        self.address = address
        self._heard: list[Notice] = []
        self._something = asyncio.Event()

    def say(self, process: ProcessIdentity, text: str) -> None:
        """A process sends a datagram."""
        notice = parse_notice(text.encode(), process.pid, process.start_ticks)
        if notice is not None:
            self._heard.append(notice)
            self._something.set()

    async def heard(self) -> Sequence[Notice]:
        """What was said since."""
        await self._something.wait()
        self._something.clear()
        notices, self._heard = self._heard, []
        return notices
