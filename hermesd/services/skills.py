"""Skills: what is bundled is brought into profiles, many at once.

Owns: which profiles, in which order, and that none changes meanwhile. One that cannot be synced is a failed result
and hinders no other. Must not know files, or how a skill is decided about.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.errors import Cancelled, HermesError, RuntimeMissing
from hermesd.domain.operation import Operation, OperationError, TargetResult
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.domain.skills import SkillSync
from hermesd.services.events import Events
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.operations import Job, Operations, Request, Resume, Resumption, Work
from hermesd.services.runtimes import Runtimes

KIND = "skills.sync"

AT_ONCE = 50
"""How many profiles are held and synced together: the more, the less is waited for the disk."""


@dataclass(frozen=True)
class SyncOrder:
    """Which profiles are to be synced, and how."""

    profiles: tuple[ProfileName, ...] = ()
    """None stands for all."""
    is_dry_run: bool = False
    verify: bool = False

    @property
    def parameters(self) -> str:
        """In a form that is equal for identical orders."""
        return json.dumps([sorted(name.text for name in self.profiles), self.is_dry_run, self.verify])


class Skills:
    """Syncs bundled skills into profiles."""

    def __init__(
        self, ports: Ports, events: Events, operations: Operations, homes: KnownHomes, runtimes: Runtimes
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._one_at_a_time = asyncio.Lock()
        """Held while profiles are synced: two syncs wait for each other instead of failing."""

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        return {KIND: self._resume}

    async def sync(self, order: SyncOrder, requester: str) -> Operation:
        """Brings bundled skills into the profiles; what became of each is a result of the operation.

        Raises:
            ProfileNotFound: one that is named does not exist.
        """
        for name in order.profiles:
            await self._homes.get(name)
        return await self._operations.start(
            Request(KIND, parameters=order.parameters), requester, self._syncing(order)
        )

    async def bundled_for(self, profile: ProfileName) -> tuple[Path, ...]:
        """Directories of the skills that come with the agent of a profile."""
        try:
            choice = await self._runtimes.choice_for(profile)
        except RuntimeMissing:
            return ()
        found = await asyncio.to_thread(choice.agent.bundled_skills, choice.runtime)
        return () if found is None else (found,)

    def _syncing(self, order: SyncOrder) -> Work:
        """A daemon that takes this up begins anew: what is synced already takes no time."""

        async def work(job: Job) -> None:
            names = order.profiles or [known.home.name for known in await self._homes.scan()]
            for at in range(0, len(names), AT_ONCE):
                if job.is_cancelled:
                    raise Cancelled("skills were synced only in a part of the profiles")
                job.report("sync", done=at, total=len(names))
                await self._sync_some(names[at : at + AT_ONCE], order, job)
            job.report("sync", done=len(names), total=len(names))
            if not order.profiles and not order.is_dry_run:
                await self._forget_others()

        return work

    async def _sync_some(self, names: Sequence[ProfileName], order: SyncOrder, job: Job) -> None:
        """Syncs profiles that nobody may change meanwhile."""
        outcomes: dict[ProfileName, SkillSync | HermesError] = {}
        async with self._one_at_a_time, AsyncExitStack() as held:
            found: dict[tuple[Path, ...], list[Identified]] = {}
            for name in names:
                try:
                    held.enter_context(self._operations.holding(job, name.text))
                    found.setdefault(await self.bundled_for(name), []).append(await self._homes.get(name))
                except HermesError as error:
                    outcomes[name] = error
            for bundled, group in found.items():
                outcomes |= await self._sync_group(group, bundled, order)
        for name in names:
            job.settle(_result(name, outcomes[name]))
        await asyncio.gather(*(self._tell(name, outcomes[name], order, job) for name in names))

    async def _sync_group(
        self, group: Sequence[Identified], bundled: Sequence[Path], order: SyncOrder
    ) -> dict[ProfileName, SkillSync | HermesError]:
        """Syncs profiles that have the same skills bundled."""
        names = [known.home.name for known in group]
        paths = [known.home.path for known in group]
        sync_all = self._ports.skills.sync_all
        try:
            outcomes = await asyncio.to_thread(
                sync_all, paths, bundled, verify=order.verify, is_dry_run=order.is_dry_run
            )
        except HermesError as error:
            return dict.fromkeys(names, error)
        return dict(zip(names, outcomes, strict=True))

    async def _tell(self, name: ProfileName, outcome: SkillSync | HermesError, order: SyncOrder, job: Job) -> None:
        if isinstance(outcome, HermesError):
            return
        for problem in outcome.problems:
            job.warn(f"{name}: {problem}")
        if outcome.has_changes and not order.is_dry_run:
            message = f"profile {name}: {outcome.summary}"
            await self._events.record("skills.synced", message, profile=name.text, **job.asked)

    async def _forget_others(self) -> None:
        """Drops what is remembered of homes that are neither there nor in the trash."""
        homes = await asyncio.to_thread(self._ports.homes.scan)
        trashed = await asyncio.to_thread(self._ports.trash.scan)
        paths = [*(home.path for home in homes), *(entry.path for entry in trashed)]
        await asyncio.to_thread(self._ports.skills.keep_only, paths)

    def _resume(self, operation: Operation) -> Resumption | None:
        names, is_dry_run, verify = json.loads(operation.parameters)
        order = SyncOrder(tuple(ProfileName(name) for name in names), is_dry_run, verify)
        return Resumption(self._syncing(order))


def _result(name: ProfileName, outcome: SkillSync | HermesError) -> TargetResult:
    if isinstance(outcome, SkillSync):
        return TargetResult(name.text, outcome.summary)
    return TargetResult(name.text, error=OperationError(outcome.reason, outcome.message, outcome.metadata))
