"""Imports: a profile out of an archive that anybody may have made.

Owns: the order of it: all of the archive is judged before a byte of it is written, what would run by itself is
switched off before anybody can see the home, and nothing is started. Must not know formats, or what could run.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.archive import Act, Arrival, ImportPlan
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.errors import (
    ArchiveCorrupt,
    ArchiveUnsafe,
    Cancelled,
    ChangedMeanwhile,
    HermesError,
    Interrupted,
    ProfileNameInvalid,
)
from hermesd.domain.findings import listed
from hermesd.domain.inventory import Judged, most_unpacked
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports, Spool
from hermesd.domain.profile import DEFAULT, Home, ProfileName
from hermesd.domain.version import Origin
from hermesd.services.aliases import add_alias
from hermesd.services.creations import UNPUBLISHED
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.runtimes import Runtimes

KIND = "profile.import"
RENAMING = "--name gives it another name"
_NAMED = 6
"""Things that a warning names before it counts them."""


@dataclass(frozen=True)
class NewImport:
    """How an archive is to be imported."""

    name: ProfileName | None = None
    """The profile's; that of the directory in the archive if it is `None`."""
    with_alias: bool = True
    most_bytes: int = 0
    """What it may unpack to; 0 for what its size allows."""
    digest: str = ""
    """SHA-256 of the archive that was looked at before; empty if none was."""


class Imports:
    """Takes profiles in."""

    def __init__(
        self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes, runtimes: Runtimes
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {KIND: self._resume}

    async def receive(self, pieces: AsyncIterator[bytes]) -> Spool:
        """Takes an archive in, which is gone with the daemon, or with whoever closes it.

        Raises:
            DiskFull, NotPermitted: there is no room for it.
        """
        spool = await asyncio.to_thread(self._ports.archives.spool)
        try:
            async for piece in pieces:
                await asyncio.to_thread(spool.write, piece)
        except BaseException:
            spool.close()
            raise
        return spool

    async def plan(self, spool: Spool, new: NewImport) -> ImportPlan:
        """What an import would do. It is unpacked for that where nobody sees it, and removed again.

        Raises:
            HermesError: as `start`.
        """
        name, what = await self._judged(spool, new)
        path = await self._homes.place_for(name, hint=RENAMING)
        arrival = await asyncio.to_thread(self._rehearsed, spool, new, name, what)
        return ImportPlan(name.text, path, spool.digest, what, arrival.acts)

    async def start(self, spool: Spool, new: NewImport, requester: str) -> Operation:
        """Makes a profile of the archive, which it closes in the end.

        Raises:
            ArchiveUnsafe, ArchiveCorrupt: it is not one to be written anywhere.
            ChangedMeanwhile: it is another one than was looked at before.
            ProfileNameInvalid, ProfileExists, ProfileBusy: the name cannot be had.
            NotPermitted: no home can be made.
        """
        try:
            name, what = await self._judged(spool, new)
            request = Request(KIND, name.text, _parameters(spool.digest, new), is_exclusive=True)
            if begun := self._operations.joined(request):
                spool.close()
                return begun
            await self._homes.place_for(name, hint=RENAMING)
            return await self._operations.start(request, requester, self._importing(name, new, spool, what))
        except BaseException:
            spool.close()
            raise

    async def _judged(self, spool: Spool, new: NewImport) -> tuple[ProfileName, Judged]:
        if new.digest and new.digest != spool.digest:
            raise ChangedMeanwhile("this is not the archive that was looked at before")
        try:
            what = await asyncio.to_thread(spool.judge, most_unpacked(spool.size_bytes, new.most_bytes))
        except (ArchiveUnsafe, ArchiveCorrupt) as error:
            raise _refused(error) from error
        return new.name or _named(what.root), what

    def _rehearsed(self, spool: Spool, new: NewImport, name: ProfileName, what: Judged) -> Arrival:
        with self._ports.archives.scratch(name.text) as place:
            return self._unpacked(spool, new, Home(name, place, UNPUBLISHED), what, is_cancelled=lambda: False)[0]

    def _unpacked(
        self, spool: Spool, new: NewImport, staged: Home, what: Judged, *, is_cancelled: Callable[[], bool]
    ) -> tuple[Arrival, list[str]]:
        """Fills a home that nobody can see; runs in a thread."""
        most_bytes = most_unpacked(spool.size_bytes, new.most_bytes)
        try:
            told = spool.unpack(what, most_bytes, staged.path, is_cancelled)
            arrival = self._runtimes.agent_of(staged.name).disarm(staged)
        except (ArchiveUnsafe, ArchiveCorrupt) as error:
            raise _refused(error) from error
        self._ports.home_inspector.make_missing(staged)
        return arrival, told

    def _importing(self, name: ProfileName, new: NewImport, spool: Spool, what: Judged) -> Work:
        async def work(job: Job) -> None:
            try:
                home, arrival = await self._make(name, new, spool, what, job)
            finally:
                spool.close()
            if arrival.original is not None:
                await job.attempt(self._keep(home, arrival.original), "the settings as they came")
            _tell_disabled(arrival.acts, home, job)
            await self._finish(name, new.with_alias, job)

        return work

    async def _make(
        self, name: ProfileName, new: NewImport, spool: Spool, what: Judged, job: Job
    ) -> tuple[Home, Arrival]:
        """Builds and publishes the home; a failure leaves nothing."""
        job.report("unpack")
        await self._homes.make_way(name)
        made: list[tuple[Arrival, list[str]]] = []

        def fill(staged: Path) -> None:
            home = Home(name, staged, UNPUBLISHED)
            made.append(self._unpacked(spool, new, home, what, is_cancelled=lambda: job.is_cancelled))
            if job.is_cancelled:
                raise Cancelled(f"the import of '{name}' was cancelled", profile=name.text)

        home = await asyncio.to_thread(self._ports.homes.create, name, {}, (), fill=fill)
        arrival, told = made[-1]
        for sentence in told:
            job.warn(sentence)
        return home, arrival

    async def _keep(self, home: Home, original: bytes) -> None:
        """Keeps the settings as they came as the first version, so that what was switched off can be had back."""
        known = await self._homes.get(home.name)
        files = self._runtimes.agent_of(home.name).config_files
        text = await asyncio.to_thread(files.read, known.home, ConfigFile.CONFIG)
        for data, origin in ((original, Origin.FOUND), (text.data, Origin.COMMAND)):
            if data is not None:
                await asyncio.to_thread(self._ports.versions.keep, known.id, ConfigFile.CONFIG, data, origin)

    async def _finish(self, name: ProfileName, with_alias: bool, job: Job) -> None:
        if with_alias:
            job.report("alias")
            await add_alias(self._ports, name, job)
        await job.attempt(self._record(name, job), "the history")

    async def _record(self, name: ProfileName, job: Job) -> None:
        digest = json.loads(job.operation.parameters)[0]
        message = f"profile {name} was imported"
        await self._events.record("profile.imported", message, profile=name.text, digest=digest, **job.asked)

    def _resume(self, operation: Operation) -> Resumption:
        """Without its archive, which died with the daemon, only a home that was published can be finished."""
        name = ProfileName.parse(operation.profile)
        with_alias = bool(json.loads(operation.parameters)[1])

        async def work(job: Job) -> None:
            if await asyncio.to_thread(self._ports.homes.find, name) is None:
                raise Interrupted(
                    f"the daemon ended while '{name}' was imported: nothing is left of it", profile=name.text
                )
            await self._finish(name, with_alias, job)

        return Resumption(work)


def _parameters(digest: str, new: NewImport) -> str:
    return json.dumps([digest, new.with_alias])


def _named(root: str) -> ProfileName:
    """The profile that an archive names. Raises `ProfileNameInvalid`."""
    if root == DEFAULT:
        raise ProfileNameInvalid(f"this archive was made of '{DEFAULT}', which is never replaced", hint=RENAMING)
    try:
        return ProfileName.parse_new(root)
    except ProfileNameInvalid as error:
        raise ProfileNameInvalid(error.message, hint=RENAMING) from error


def _refused(error: HermesError) -> HermesError:
    return type(error)(f"cannot import this archive: {error.message}", **error.metadata)


def _tell_disabled(acts: Sequence[Act], home: Home, job: Job) -> None:
    disabled = [act.what.partition(":")[0] for act in acts if act.is_disabled]
    more = len(disabled) - _NAMED
    told = [*disabled[:_NAMED], *([f"{more} more"] if more > 0 else [])]
    if disabled:
        job.warn(f"what would run by itself arrived switched off: {listed(told)}")
    if any(act.is_disabled and act.is_setting for act in acts):
        job.warn(f"hermesctl config diff 1 -p {home.name} shows which settings that changed")
