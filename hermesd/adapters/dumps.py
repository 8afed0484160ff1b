"""Dumps of processes (port `Dumps`): text files, a directory for each profile.

Owns: their names, their number, and that looking at a process takes a bounded time: what hangs hangs in a thread
of its own, which nothing waits for. Must not know when a dump is wanted.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hermesd.adapters import dumptext, processlook, pyspy
from hermesd.adapters.atomic import TEMPORARY_SUFFIX, sync_directory, write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.adapters.processlook import Section
from hermesd.adapters.trees import ensure_private, remove_tree
from hermesd.domain.dump import DUMPS_KEPT, Dump
from hermesd.domain.ports import Clock
from hermesd.domain.process import ExitCause, ProcessIdentity

LOOK_LIMIT_S = 8.0
"""How long a process is looked at; what was seen by then is kept."""

_SECOND, _TICK = timedelta(seconds=1), timedelta(microseconds=1)
_STAMP = "%Y%m%dT%H%M%S.%f"
_NAME = re.compile(rf"(\d{{8}}T\d{{6}}\.\d{{6}})Z-({'|'.join(ExitCause)})\.txt")


class DumpsOnDisk:
    """Dumps below one directory."""

    def __init__(
        self, directory: Path, clock: Clock, search_path: str, *, look_limit_s: float = LOOK_LIMIT_S
    ) -> None:
        """`search_path` is where py-spy is looked for, as in PATH."""
        self._directory = directory
        self._clock = clock
        self._search_path = search_path
        self._look_limit_s = look_limit_s

    async def keep(
        self, profile_id: str, process: ProcessIdentity, cause: ExitCause, detail: str, lines: Sequence[str]
    ) -> Path:
        """Looks, then writes. Raises `DiskFull`, `NotPermitted`."""
        at_s = self._clock.now_s()
        sections = await self._look(process)
        head = _head(process, at_s, f"{cause}: {detail}" if detail else cause)
        text = dumptext.render(head, sections, lines)
        return await asyncio.to_thread(self._write, self._directory / profile_id, at_s, cause, text)

    def of(self, profile_id: str) -> list[Dump]:
        """Those of one profile, newest first."""
        directory = self._directory / profile_id
        with translating(directory, "read"):
            return _dumps_in(directory)

    def remove(self, profile_id: str) -> None:
        """Deletes the profile's directory."""
        directory = self._directory / profile_id
        with translating(directory, "remove"):
            remove_tree(directory)
            sync_directory(self._directory)

    async def _look(self, process: ProcessIdentity) -> list[Section]:
        """What could be seen in time, in the order in which it is told."""
        found: dict[str, Section] = {}
        loop, is_done = asyncio.get_running_loop(), asyncio.Event()

        def look() -> None:
            try:
                _look_into(found, process, self._search_path)
            finally:
                with suppress(RuntimeError):  # the daemon has ended meanwhile: nobody waits any more
                    loop.call_soon_threadsafe(is_done.set)

        threading.Thread(target=look, name=f"dump of {process.pid}", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._look_limit_s):
                await is_done.wait()
        seen = dict(found)
        if not is_done.is_set():
            late = f"looking took longer than {self._look_limit_s:g} s: some is missing"
            seen["note"] = Section("note", (late,))
        return [
            seen[name]
            for name in ("note", "python", "threads", "process", "descriptors", "family")
            if name in seen
        ]

    def _write(self, directory: Path, at_s: float, cause: ExitCause, text: bytes) -> Path:
        with translating(directory):
            ensure_private(directory)
            for left in directory.glob(f".*{TEMPORARY_SUFFIX}"):  # of a daemon that died while writing
                left.unlink(missing_ok=True)
            path = _write_new(directory, at_s, cause, text)
            others = [one.path for one in _dumps_in(directory) if one.path != path]
            for old in others[DUMPS_KEPT - 1 :]:
                old.unlink(missing_ok=True)
        return path


def _look_into(found: dict[str, Section], process: ProcessIdentity, search_path: str) -> None:
    """Looks at all there is, what cannot hang first."""
    with processlook.held(process) as fd:
        if fd is None:
            found["note"] = Section("note", ("it had ended before it could be looked at",))
            return
        looks: tuple[tuple[str, Callable[[], Section]], ...] = (
            ("process", lambda: processlook.status(fd)),
            ("threads", lambda: processlook.threads(fd)),
            ("python", lambda: _python(process.pid, search_path)),
            ("descriptors", lambda: processlook.descriptors(fd)),
            ("family", lambda: processlook.family(process)),
        )
        for name, look in looks:
            section = look()
            if processlook.seen(fd, process.pid) is None:
                found["note"] = Section("note", ("it ended while it was looked at",))
                return
            found[name] = section


def _head(process: ProcessIdentity, at_s: float, why: str) -> list[str]:
    return [
        f"dump of process {process.pid}",
        f"at: {_moment(at_s).isoformat(timespec='seconds')}",
        f"why: {why}",
        f"boot: {process.boot_id}",
        f"start ticks: {process.start_ticks}",
        f"spawn: {process.spawn_id or 'unknown'}",
    ]


def _python(pid: int, search_path: str) -> Section:
    return Section("python stacks", tuple(pyspy.python_stacks(pid, search_path)))


def _dumps_in(directory: Path) -> list[Dump]:
    """Newest first by their names; other files are none."""
    found = []
    for path in directory.glob("*.txt") if directory.is_dir() else ():
        if parts := _NAME.fullmatch(path.name):
            taken_at = datetime.strptime(parts[1], _STAMP).replace(tzinfo=UTC)
            found.append(Dump(path, taken_at.timestamp(), ExitCause(parts[2]), path.stat().st_size))
    return sorted(found, key=lambda one: one.path.name, reverse=True)


def _write_new(directory: Path, at_s: float, cause: ExitCause, text: bytes) -> Path:
    """Writes a dump under a name of its own, which comes after that of any other of the same second."""
    moment = _moment(at_s)
    newest = max((_moment(one.at_s) for one in _dumps_in(directory)), default=moment - _SECOND)
    if moment <= newest < moment + _SECOND:
        moment = newest + _TICK
    path = directory / f"{moment.strftime(_STAMP)}Z-{cause}.txt"
    write_atomic(path, text, exclusive=True)
    return path


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
