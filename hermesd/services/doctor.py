"""The doctor: looks at profiles and at what surrounds them, and mends what can be mended without losing anything.

Owns: what is examined, and that mending works alone on its profile. What is told to be mended was looked at again
afterwards. Must not know any check.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from hermesd.domain.errors import HermesError
from hermesd.domain.findings import Finding, Severity
from hermesd.domain.operation import Operation
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services import homechecks, machinechecks
from hermesd.services.checks import Found, Result, Surroundings, surroundings
from hermesd.services.homechecks import HomeChecks
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.machinechecks import MachineChecks
from hermesd.services.operations import Job, Operations, Request
from hermesd.services.runtimes import Runtimes

KIND = "profile.mend"

Look = Callable[[Surroundings], Awaitable[Result]]


@dataclass(frozen=True)
class _Subject:
    """Whom findings are about."""

    profile: str
    look: Look
    fine: Mapping[str, str]


class Doctor:
    """Examines profiles."""

    def __init__(
        self,
        ports: Ports,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        of_homes: HomeChecks,
        of_machine: MachineChecks,
    ) -> None:
        self._ports = ports
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._of_homes = of_homes
        self._of_machine = of_machine

    async def examine(self, name: ProfileName, *, fix: bool, requester: str) -> list[Finding]:
        """One profile.

        Raises:
            ProfileNotFound: there is none.
            ProfileBusy: it is to be mended, and is being changed by somebody else.
        """
        known = await self._homes.get(name)
        is_mended_already = self._operations.under_way(lambda one: one.kind == KIND and one.profile == name.text)
        if fix and not is_mended_already:
            self._operations.refuse_if_changing(name.text)
        subject = self._profile(known, is_alone=True)
        return await self._examine(subject, await self._look_around(), fix=fix, requester=requester)

    async def examine_all(self, *, fix: bool, requester: str) -> list[Finding]:
        """The machine, then every profile; one that is being changed by somebody else is not mended."""
        around = await self._look_around()
        subjects = [_Subject("", self._of_machine.look, machinechecks.FINE)]
        subjects += [self._profile(known, is_alone=False) for known in around.homes]
        found = [await self._examine(one, around, fix=fix, requester=requester) for one in subjects]
        return [finding for findings in found for finding in findings]

    def _profile(self, known: Identified, *, is_alone: bool) -> _Subject:
        async def look(around: Surroundings) -> Result:
            return await self._of_homes.look(known, around, is_alone=is_alone)

        return _Subject(known.home.name.text, look, homechecks.FINE)

    async def _look_around(self) -> Surroundings:
        return await surroundings(self._ports, self._homes, self._runtimes)

    async def _examine(
        self, subject: _Subject, around: Surroundings, *, fix: bool, requester: str
    ) -> list[Finding]:
        found = await subject.look(around)
        mendable = [one for founds in found.values() for one in founds if one.mend is not None]
        if not fix or not mendable:
            return _findings(subject, found)
        failures = await self._mend(mendable, requester)
        after = await subject.look(await self._look_around())
        return _findings(subject, after, before=found, failures=failures)

    async def _mend(self, mendable: Sequence[Found], requester: str) -> dict[str, str]:
        """Mends what can be; returns why not, by key."""
        failures: dict[str, str] = {}
        for owner in sorted({one.owner for one in mendable}):
            own = [one for one in mendable if one.owner == owner]
            if owner:
                failures |= await self._mend_alone(owner, own, requester)
            else:
                failures |= await _mended(own)
        return failures

    async def _mend_alone(self, owner: str, mendable: Sequence[Found], requester: str) -> dict[str, str]:
        """As an operation that keeps others off the profile, for they would change what was looked at."""
        failures: dict[str, str] = {}

        async def work(job: Job) -> None:
            job.report("mend")
            failures.update(await _mended(mendable))

        parameters = json.dumps(sorted(one.key for one in mendable))
        request = Request(KIND, owner, parameters, is_exclusive=True)
        try:
            ended = await self._end_of(await self._operations.start(request, requester, work))
        except HermesError as error:  # somebody is at it, or nothing can be recorded
            return dict.fromkeys((one.key for one in mendable), error.message)
        if ended.error is not None:
            return {one.key: ended.error.message for one in mendable} | failures
        return failures

    async def _end_of(self, operation: Operation) -> Operation:
        ended = operation
        async with aclosing(self._operations.watch(operation.id)) as states:
            async for current in states:
                ended = current
        return ended


async def _mended(mendable: Sequence[Found]) -> dict[str, str]:
    failures = {}
    for one in mendable:
        try:
            if one.mend is not None:
                await one.mend()
        except HermesError as error:
            failures[one.key] = error.message
    return failures


def _findings(
    subject: _Subject,
    found: Result,
    *,
    before: Result | None = None,
    failures: Mapping[str, str] | None = None,
) -> list[Finding]:
    """What is wrong and what is fine, in the order of the checks; what is wrong no more counts as mended."""
    told = []
    for check in subject.fine:
        if check not in found:
            continue
        left = {one.key for one in found[check]}
        mended = [one for one in (before or {}).get(check, []) if one.mend is not None and one.key not in left]
        told += [_finding(subject, check, one, is_fixed=True) for one in mended]
        told += [_finding(subject, check, one, why=(failures or {}).get(one.key, "")) for one in found[check]]
        if not mended and not left:
            told.append(Finding(check, subject.profile, Severity.FINE, subject.fine[check]))
    return told


def _finding(subject: _Subject, check: str, found: Found, *, why: str = "", is_fixed: bool = False) -> Finding:
    message = f"{found.message}; it could not be mended: {why}" if why else found.message
    return Finding(
        check,
        subject.profile,
        found.severity,
        message,
        found.fix,
        is_fixable=found.mend is not None,
        is_fixed=is_fixed,
    )
