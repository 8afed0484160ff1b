"""Exports: a profile handed out as an archive, without any secret.

Owns: the order of it: a private copy, a search of all of it, and only then the first byte. Must not know formats.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass

from hermesd.domain.archive import Contents, ExportOrder, Leak, Secret, Staged
from hermesd.domain.errors import ArchiveUnsafe
from hermesd.domain.findings import listed
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home, ProfileName
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes, refuse_other
from hermesd.services.operations import Operations
from hermesd.services.runtimes import Runtimes

_NAMED = 8
"""Leaks that a refusal names."""


@dataclass(frozen=True)
class Phase:
    """How far an export is."""

    name: str
    done: int = 0
    total: int = 0
    """0 if nobody knows."""


Exported = Phase | Contents | bytes
"""What an export gives in turn: phases, what it holds, then its bytes."""


class Exports:
    """Hands profiles out."""

    def __init__(
        self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes, runtimes: Runtimes
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes

    async def export(
        self, name: ProfileName, order: ExportOrder, requester: str, *, is_dry_run: bool = False
    ) -> AsyncGenerator[Exported]:
        """Gives phases, then what it holds, and unless it `is_dry_run` its bytes. Its gateway may run meanwhile.

        Raises:
            ProfileNotFound, ProfileBusy: there is no such profile, or it is being changed.
            ArchiveUnsafe: a secret would leave with it; each is named.
            ConfigInvalid: its settings cannot be searched.
            DiskFull, NotPermitted: no copy can be made of it.
        """
        known = await self._homes.get(name)
        self._operations.refuse_if_changing(name.text)
        secrets = await self._secrets()
        staging = _Staging()
        try:
            async for phase in staging.phases(lambda: self._stage(known.home, order, secrets, staging)):
                yield phase
            await asyncio.to_thread(refuse_other, self._ports, known.home)
            contents = staging.staged.contents
            yield contents
            _refuse_leaks(name, contents, order)
            if is_dry_run:
                return
            async for chunk in _in_threads(self._ports.archives.pack(staging.staged)):
                yield chunk
            await self._record(name, contents, requester)
        finally:
            await staging.drop(self._ports.archives.drop)

    def _stage(self, home: Home, order: ExportOrder, secrets: list[Secret], staging: "_Staging") -> Staged:
        agent = self._runtimes.agent_of(home.name)
        return self._ports.archives.stage(
            home,
            order,
            secrets,
            lambda copy: agent.hide_settings(copy, is_written=order.is_redacting),
            staging.report,
            lambda: staging.is_cancelled,
        )

    async def _secrets(self) -> list[Secret]:
        """Those of every profile: people paste what is not the profile's own."""
        found = []
        for known in await self._homes.scan():
            agent = self._runtimes.agent_of(known.home.name)
            found += await asyncio.to_thread(agent.secrets, known.home)
        return found

    async def _record(self, name: ProfileName, contents: Contents, requester: str) -> None:
        facts = {
            "requester": requester,
            "entries": str(len(contents.entries)),
            "redacted": str(len(contents.leaks)),
        }
        await self._events.record("profile.exported", f"{name} was exported", profile=name.text, **facts)


class _Staging:
    """A copy that is being made in a thread, while whoever waits is told how far it is."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._phases: asyncio.Queue[Phase | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Staged] | None = None

    @property
    def staged(self) -> Staged:
        """The copy; raises whatever kept it from being made."""
        assert self._task is not None
        return self._task.result()

    def report(self, name: str, done: int, total: int) -> None:
        """Called from the thread."""
        self._loop.call_soon_threadsafe(self._phases.put_nowait, Phase(name, done, total))

    async def phases(self, stage: Callable[[], Staged]) -> AsyncGenerator[Phase]:
        """Makes the copy; ends once it is there."""
        self._task = asyncio.create_task(asyncio.to_thread(stage))
        self._task.add_done_callback(lambda _: self._phases.put_nowait(None))
        while (phase := await self._phases.get()) is not None:
            yield phase
        await self._task

    async def drop(self, remove: Callable[[Staged], None]) -> None:
        """Removes the copy, also one that is being made while nobody waits for it any more."""
        self.is_cancelled = True
        if self._task is None:
            return
        await asyncio.wait([self._task])
        if not self._task.cancelled() and self._task.exception() is None:
            await asyncio.to_thread(remove, self._task.result())


async def _in_threads(chunks: Generator[bytes]) -> AsyncGenerator[bytes]:
    """One piece after the other, each made in a thread."""
    try:
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk
    finally:
        await asyncio.to_thread(chunks.close)


def _refuse_leaks(name: ProfileName, contents: Contents, order: ExportOrder) -> None:
    if not contents.leaks or order.is_redacting:
        return
    told = [_told(leak) for leak in contents.leaks[:_NAMED]]
    more = len(contents.leaks) - len(told)
    told += [f"{more} more"] if more else []
    raise ArchiveUnsafe(
        f"cannot export '{name}': secrets would leave with it: {listed(told)}",
        hint="take them out of there, or have them written over in the archive",
        fixes=[f"hermesctl profile export {name} --redact"],
        profile=name.text,
    )


def _told(leak: Leak) -> str:
    """Of the settings themselves the key says it all."""
    file, _, key = leak.secret.partition(": ")
    place = f"{key} in {leak.path}" if file == leak.path else f"{key} of {file} in {leak.path}"
    return place if leak.how == "as it is" else f"{place} ({leak.how})"
