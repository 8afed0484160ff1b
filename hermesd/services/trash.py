"""The trash: deleted profiles are brought back, removed for good, and expire.

Owns: how long one is kept, who wins where two want the same one, and the order of the steps, so that a crash
between any two leaves something that the next start finishes. Must not know files.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hermesd.domain.errors import (
    AliasTaken,
    ArgumentInvalid,
    DiskFull,
    HermesError,
    NotFound,
    NotPermitted,
    ProfileExists,
)
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import Settings
from hermesd.domain.trash import Trashed, restored_aliases
from hermesd.services.events import Events
from hermesd.services.homes import KnownHomes
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.tasks import lasting

log = logging.getLogger(__name__)

CHECK_S = 600.0
"""How often it is looked whether something has been kept long enough."""

LIST_COMMAND = "hermesctl profile trash list"
STEM = 60
"""As much of a name as leaves room for a number behind it."""


@dataclass(frozen=True)
class TrashedView:
    """A deleted profile as it is shown."""

    entry: Trashed
    kept_until_s: float
    """Seconds since the epoch."""
    size_bytes: int | None
    """What its files take on disk; `None` if that was not asked for."""


@dataclass(frozen=True)
class Restoration:
    """What is to be brought back, and as what."""

    id: str
    name: ProfileName
    profile_id: str
    aliases: tuple[str, ...]


class Trash:
    """Shows, brings back and removes deleted profiles."""

    def __init__(
        self, ports: Ports, settings: Settings, events: Events, operations: Operations, homes: KnownHomes
    ) -> None:
        self._ports = ports
        self._kept_s = settings.trash_kept_s
        self._events = events
        self._operations = operations
        self._homes = homes
        self._taking = asyncio.Lock()
        """Held while an entry leaves the trash, whichever way."""
        self._housekeeping: asyncio.Task[None] | None = None

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {"trash.restore": self._resume_restore, "trash.empty": self._resume_empty}

    @property
    def is_removing(self) -> bool:
        """Whether an entry is just leaving the trash."""
        return self._taking.locked()

    def open(self) -> None:
        """Begins to let go of what has been kept long enough."""
        self._housekeeping = lasting(self._keep_house, "trash", self._ports.clock)

    def close(self) -> None:
        """Ends that."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()

    async def all(self, *, with_sizes: bool) -> list[TrashedView]:
        """Every deleted profile, the last deleted first."""
        found = await asyncio.to_thread(self._ports.trash.scan)
        return [await self._view(entry, with_sizes=with_sizes) for entry in found]

    async def restore(self, trash_id: str, name: ProfileName | None, requester: str) -> Operation:
        """Brings a profile back, under the name that it had unless another one is given.

        Raises:
            NotFound: it is not in the trash.
            ProfileExists: the name is in use.
        """
        note = (await self._find(trash_id)).note
        name = name or note.name
        restoration = Restoration(trash_id, name, note.profile_id, restored_aliases(note, name))
        parameters = json.dumps([trash_id, note.profile_id, restoration.aliases])
        request = Request("trash.restore", name.text, parameters, is_exclusive=True)
        if joined := self._operations.joined(request):
            return joined
        if await asyncio.to_thread(self._ports.homes.find, name) is not None:
            raise await self._name_taken(trash_id, name)
        return await self._operations.start(request, requester, self._restoring(restoration, is_resumed=False))

    async def empty(self, trash_ids: Sequence[str], requester: str) -> Operation:
        """Removes deleted profiles for good.

        Raises:
            ArgumentInvalid: none is named.
            NotFound: one of them is not in the trash.
        """
        if not trash_ids:
            raise ArgumentInvalid("no entry of the trash is named", fixes=[LIST_COMMAND])
        wanted = sorted(set(trash_ids))
        request = Request("trash.empty", parameters=json.dumps(wanted))
        if joined := self._operations.joined(request):
            return joined
        for trash_id in wanted:
            await self._find(trash_id)
        return await self._operations.start(request, requester, self._emptying(wanted))

    async def expire(self) -> None:
        """Removes what has been kept long enough."""
        now_s = self._ports.clock.now_s()
        for view in await self.all(with_sizes=False):
            if view.kept_until_s <= now_s:
                await self._remove(view.entry.note.id, {})

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.expire()
            except HermesError as error:
                log.warning("the trash is kept longer: %s", error.message)
            await self._ports.clock.sleep_s(CHECK_S)

    def _restoring(self, wanted: Restoration, *, is_resumed: bool) -> Work:
        """The steps of a restoration. Each may have been done already by a daemon that died."""

        async def work(job: Job) -> None:
            job.report("bring back")
            if not (is_resumed and await self._is_back(wanted)):
                await self._bring_back(wanted)
            job.report("alias")
            for alias in wanted.aliases:
                await self._make_alias(alias, wanted.name, job)
            name = wanted.name.text
            message = f"profile {name} is back from the trash"
            await self._events.record("profile.restored", message, profile=name, **job.asked)

        return work

    async def _bring_back(self, wanted: Restoration) -> None:
        async with self._taking:
            entry = await self._find(wanted.id)
            if wanted.profile_id:
                await self._homes.expect(wanted.profile_id, entry.identity, wanted.name)
            try:
                await asyncio.to_thread(self._ports.trash.restore, entry, wanted.name)
            except HermesError:
                if wanted.profile_id and not await self._is_back(wanted):
                    await self._homes.forget(wanted.profile_id)
                raise

    async def _is_back(self, wanted: Restoration) -> bool:
        """Whether an earlier daemon got as far as that: the entry is gone and the home is there."""
        if await self._look_up(wanted.id) is not None:
            return False
        if await asyncio.to_thread(self._ports.homes.find, wanted.name) is None:
            return False
        return (await self._homes.get(wanted.name)).id == wanted.profile_id or not wanted.profile_id

    async def _make_alias(self, alias: str, name: ProfileName, job: Job) -> None:
        try:
            await asyncio.to_thread(self._ports.aliases.create, alias, name)
        except (AliasTaken, DiskFull, NotPermitted) as error:
            job.warn(f"no alias '{alias}': {error.message}; use hermesctl -p {name}")

    def _emptying(self, trash_ids: Sequence[str]) -> Work:
        """What is gone already was removed by a daemon that died, or by somebody else meanwhile."""

        async def work(job: Job) -> None:
            for done, trash_id in enumerate(trash_ids):
                job.report("remove", done=done, total=len(trash_ids))
                await self._remove(trash_id, job.asked)

        return work

    async def _remove(self, trash_id: str, asked: Mapping[str, str]) -> None:
        """Removes an entry for good, with its gateway's output and dumps, and versions of its settings."""
        async with self._taking:
            entry = await self._look_up(trash_id)
            if entry is None:
                return
            if entry.note.profile_id:
                await asyncio.to_thread(self._ports.logs.remove, entry.note.profile_id)
                await asyncio.to_thread(self._ports.dumps.remove, entry.note.profile_id)
                await asyncio.to_thread(self._ports.versions.remove, entry.note.profile_id)
                await self._forget_samples(entry.note.profile_id)
            await asyncio.to_thread(self._ports.trash.remove, entry)
        name = entry.note.name.text
        message = f"the data of {name} are gone from the trash"
        await self._events.record("profile.purged", message, profile=name, **asked)

    async def _forget_samples(self, profile_id: str) -> None:
        """Nothing stays in the trash for their sake: they go by themselves when they are old."""
        try:
            await self._ports.samples.forget(profile_id)
        except HermesError as error:
            log.warning("samples of profile=%s are kept until they are old: %s", profile_id, error.message)

    async def _view(self, entry: Trashed, *, with_sizes: bool) -> TrashedView:
        size = await asyncio.to_thread(self._ports.trash.size_bytes, entry) if with_sizes else None
        return TrashedView(entry, entry.note.deleted_at_s + self._kept_s, size)

    async def _look_up(self, trash_id: str) -> Trashed | None:
        found = await asyncio.to_thread(self._ports.trash.scan)
        return next((entry for entry in found if entry.note.id == trash_id), None)

    async def _find(self, trash_id: str) -> Trashed:
        entry = await self._look_up(trash_id)
        if entry is None:
            raise NotFound(f"'{trash_id}' is not in the trash", fixes=[LIST_COMMAND])
        return entry

    async def _name_taken(self, trash_id: str, name: ProfileName) -> ProfileExists:
        number = 2
        while await asyncio.to_thread(self._ports.homes.find, _numbered(name, number)) is not None:
            number += 1
        return ProfileExists(
            f"cannot bring back '{name}': a profile of this name exists",
            fixes=[f"hermesctl profile trash restore {trash_id} --name {_numbered(name, number)}"],
            profile=name.text,
        )

    def _resume_restore(self, operation: Operation) -> Resumption | None:
        trash_id, profile_id, aliases = json.loads(operation.parameters)
        wanted = Restoration(trash_id, ProfileName(operation.profile), profile_id, tuple(aliases))
        return Resumption(self._restoring(wanted, is_resumed=True))

    def _resume_empty(self, operation: Operation) -> Resumption | None:
        return Resumption(self._emptying(json.loads(operation.parameters)))


def _numbered(name: ProfileName, number: int) -> ProfileName:
    return ProfileName(f"{name.text[:STEM]}-{number}")
