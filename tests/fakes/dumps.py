"""Dumps in memory. Fake of `Dumps`; passes the suite of `tests/contracts/test_dumps.py`."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from hermesd.domain.dump import DUMPS_KEPT, Dump
from hermesd.domain.process import ExitCause, ProcessIdentity
from tests.fakes.faults import Faults


class MemoryDumps:
    """Remembers what it was told to keep."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.texts: dict[Path, str] = {}
        """What each dump says that is there."""
        self.hangs = False
        """Whether keeping a dump never ends."""
        self._dumps: defaultdict[str, list[Dump]] = defaultdict(list)
        self._numbers = count()

    async def keep(
        self, profile_id: str, process: ProcessIdentity, cause: ExitCause, detail: str, lines: Sequence[str]
    ) -> Path:
        while self.hangs:
            await asyncio.get_running_loop().create_future()
        self.faults.trip("keep")
        number = next(self._numbers)
        path = Path(f"/nowhere/dumps/{profile_id}/{number:06d}-{cause}.txt")
        text = "\n".join([f"dump of process {process.pid}", f"why: {cause}: {detail}", *lines])
        self.texts[path] = text
        self._dumps[profile_id].insert(0, Dump(path, float(number), cause, len(text.encode())))
        for old in self._dumps[profile_id][DUMPS_KEPT:]:
            del self.texts[old.path]
        del self._dumps[profile_id][DUMPS_KEPT:]
        return path

    def of(self, profile_id: str) -> list[Dump]:
        self.faults.trip("of")
        return list(self._dumps[profile_id])

    def remove(self, profile_id: str) -> None:
        self.faults.trip("remove")
        for dump in self._dumps.pop(profile_id, []):
            del self.texts[dump.path]
