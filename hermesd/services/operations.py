"""Operations: work that outlives its caller.

Owns: joining identical requests, refusing conflicting ones, recording, watching, and what becomes of work that
a dead daemon left. Must not know what any operation does.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hermesd.domain.errors import Cancelled, HermesError, Interrupted, NotFound, ProfileBusy
from hermesd.domain.masking import mask
from hermesd.domain.operation import Operation, OperationError, OperationState, Progress, TargetResult
from hermesd.domain.ports import OPERATIONS_KEPT, Ports
from hermesd.services.events import Events

log = logging.getLogger(__name__)

STARTED = "operation.started"
"""Kind of the event that tells one beginning of an operation."""

KEPT_IN_MEMORY = 100
"""Finished operations that are told from memory."""

RECORD_AGAIN_S = 10.0
"""How soon the end of an operation is recorded again that the store could not take, as on a full disk."""


class Job:
    """What the work of an operation is given: a way to report, to warn and to notice a cancellation."""

    def __init__(self, operation: Operation, began_s: float, changed: Callable[[Operation], None]) -> None:
        self.operation = operation
        self.began_s = began_s
        self.is_cancelled = False
        self._changed = changed

    @property
    def asked(self) -> Mapping[str, str]:
        """Who asked for it, as facts of the events that come of it."""
        return asked(self.operation)

    def report(self, phase: str, detail: str = "", done: int = 0, total: int = 0) -> None:
        """Says how far the work has come."""
        progress = Progress(phase, mask(detail), done, total)
        self._changed(replace(self.operation, progress=progress))

    def warn(self, text: str) -> None:
        """Adds a sentence that whoever waits should see; once, also where a step is repeated after a death."""
        warning = mask(text)
        if warning not in self.operation.warnings:
            self._changed(replace(self.operation, warnings=(*self.operation.warnings, warning)))

    async def attempt(self, work: Awaitable[object], what: str = "") -> None:
        """Does what must not undo the work when it fails: then that is told, and the work goes on."""
        try:
            await work
        except HermesError as error:
            self.warn(f"{what}: {error.message}" if what else error.message)

    def settle(self, result: TargetResult) -> None:
        """Adds what became of one of the profiles that the work is about."""
        self._changed(replace(self.operation, results=(*self.operation.results, result)))


Work = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True)
class Resumption:
    """How an operation goes on that an earlier daemon left."""

    work: Work
    other_profile: str = ""
    """As in its request."""
    source_profile: str = ""
    """As in its request."""


Resume = Callable[[Operation], Resumption | None]


@dataclass(frozen=True)
class Request:
    """What is asked for. Two equal requests are one operation while it runs."""

    kind: str
    profile: str = ""
    parameters: str = ""
    """Distinguishes requests of one kind; never holds a secret."""
    is_exclusive: bool = False
    """Whether it changes the profile itself, so that nothing else may work on the profile meanwhile."""
    other_profile: str = ""
    """A second name that it works on as well, such as the one a profile is to have."""
    source_profile: str = ""
    """A profile that it reads. Others may read it too and its gateway goes on, but nothing may change it."""

    @property
    def profiles(self) -> frozenset[str]:
        """Every name it works on."""
        return frozenset({self.profile, self.other_profile} - {""})

    def hinders(self, asked: "Request") -> str:
        """Name of the profile that keeps an exclusive request from being carried out beside this one, if any."""
        changed = self.profiles if self.is_exclusive else frozenset()
        clashing = (changed & (asked.profiles | {asked.source_profile})) | ({self.source_profile} & asked.profiles)
        return min(clashing - {""}, default="")


class Operations:
    """Runs, records and shows operations."""

    def __init__(self, ports: Ports, events: Events) -> None:
        self._ports = ports
        self._events = events
        self._jobs: dict[str, Job] = {}
        self._requests: dict[str, Request] = {}
        self._held: dict[str, str] = {}
        """Profiles that must not change for a while: by name, the operation that needs it."""
        self._unrecorded: dict[str, Operation] = {}
        """Ended, and running by what the store says: a daemon that came up now would do them again."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._change = asyncio.Event()

    async def start(self, request: Request, requester: str, work: Work) -> Operation:
        """Begins `work`, or joins the identical operation that runs.

        Raises:
            ProfileBusy: another operation stands in the way.
        """
        if joined := self.joined(request):
            return joined
        self._refuse_conflict(request)
        operation = Operation(
            id=self._ports.new_id(),
            kind=request.kind,
            profile=request.profile,
            parameters=request.parameters,
            requester=requester,
            started_at_s=self._ports.clock.now_s(),
        )
        self._admit(operation, request)
        recording = asyncio.create_task(self._record_start(operation))
        try:
            await asyncio.shield(recording)
        except asyncio.CancelledError:  # the caller went away: what is recorded must not only seem to run
            self._tasks.add(goes_on := asyncio.create_task(self._launch_once_recorded(recording, operation, work)))
            goes_on.add_done_callback(self._tasks.discard)
            raise
        except HermesError:
            self._forget(operation.id)
            raise
        self._launch(operation.id, work)
        return operation

    async def _launch_once_recorded(
        self, recording: "asyncio.Task[None]", operation: Operation, work: Work
    ) -> None:
        try:
            await recording
        except HermesError:
            self._forget(operation.id)
        else:
            self._launch(operation.id, work)

    async def keep(self, job: Job) -> None:
        """Records how far an operation has come, for whoever takes it up. A full disk does not hinder the work."""
        try:
            await self._ports.store.save_operation(self._current(job.operation))
        except HermesError as error:
            log.error("operation=%s not recorded: %s", job.operation.id, error.message)

    def under_way(self, is_meant: Callable[[Request], bool]) -> Operation | None:
        """The operation that runs and whose request is meant, if there is one.

        For those who would ask of the world what that operation has changed already.
        """
        running = (id_ for id_, request in self._requests.items() if is_meant(request))
        id_ = next(running, None)
        return None if id_ is None else self._jobs[id_].operation

    def joined(self, request: Request) -> Operation | None:
        """The identical operation, if it runs."""
        return self.under_way(lambda other: other == request)

    def refuse_if_changing(self, profile: str) -> None:
        """Refuses work on a profile that is itself being changed.

        Raises:
            ProfileBusy: an exclusive operation works on it.
        """
        for id_, other in self._requests.items():
            if profile in other.profiles and other.is_exclusive:
                raise _busy(self._jobs[id_].operation, profile)

    @contextmanager
    def holding(self, job: Job, profile: str) -> Iterator[None]:
        """Keeps a profile from being changed itself, for a moment within an operation that works on several.

        Raises:
            ProfileBusy: it is being changed, or is held by another operation.
        """
        self.refuse_if_changing(profile)
        self._refuse_if_held(profile)
        self._held[profile] = job.operation.id
        try:
            yield
        finally:
            del self._held[profile]

    async def all(self, *, profile: str, limit: int) -> list[Operation]:
        """Newest first; running ones with their progress as of now."""
        recorded = await self._ports.store.operations(profile=profile, limit=limit)
        return [self._current(operation) for operation in recorded]

    async def get(self, id_: str) -> Operation:
        """One operation.

        Raises:
            NotFound: there is none of this id in the history.
        """
        if id_ in self._jobs:
            return self._current(self._jobs[id_].operation)
        for operation in await self._ports.store.operations(profile="", limit=OPERATIONS_KEPT):
            if operation.id == id_:
                return operation
        raise NotFound(f"there is no operation '{id_}'", fixes=["hermesctl operations list"])

    async def watch(self, id_: str) -> AsyncGenerator[Operation, None]:
        """Yields the operation now and after each change, until it has finished."""
        shown: Operation | None = None
        while True:
            change = self._change
            current = await self.get(id_)
            if shown is None or replace(current, elapsed_s=shown.elapsed_s) != shown:
                shown = current
                yield current
            if current.state is not OperationState.RUNNING:
                return
            await change.wait()

    async def cancel(self, id_: str) -> Operation:
        """Asks an operation to stop; work that cannot stop half-way finishes."""
        if job := self._jobs.get(id_):
            job.is_cancelled = True
        return await self.get(id_)

    async def recover(self, resume: Mapping[str, Resume]) -> None:
        """Settles what the last daemon left running: resumed where its kind can be, else failed and said so."""
        for operation in await self._ports.store.operations(profile="", limit=OPERATIONS_KEPT):
            if operation.state is not OperationState.RUNNING:
                continue
            resumed = resume.get(operation.kind, _never)(operation)
            if resumed is None:
                await self._finish(operation, Interrupted(f"the daemon ended during {operation.kind}"))
            else:
                request = Request(
                    operation.kind,
                    operation.profile,
                    operation.parameters,
                    is_exclusive=bool(operation.profile),  # else an identical request would not join
                    other_profile=resumed.other_profile,
                    source_profile=resumed.source_profile,
                )
                self._admit(operation, request)
                self._launch(operation.id, resumed.work)

    async def close(self) -> None:
        """Abandons what runs; the next daemon settles it."""
        for job in self._jobs.values():
            job.is_cancelled = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for finished in list(self._unrecorded.values()):
            await self._record_again(finished)

    def _refuse_conflict(self, request: Request) -> None:
        if not request.profile:
            return
        if request.is_exclusive:
            for id_, other in self._requests.items():
                if profile := other.hinders(request):
                    raise _busy(self._jobs[id_].operation, profile)
            for profile in request.profiles:
                self._refuse_if_held(profile)
        else:
            self.refuse_if_changing(request.profile)

    def _refuse_if_held(self, profile: str) -> None:
        if id_ := self._held.get(profile):
            raise _busy(self._jobs[id_].operation, profile)

    def _launch(self, id_: str, work: Work) -> None:
        task = asyncio.create_task(self._run(self._jobs[id_], work), name=f"operation {id_}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, work: Work) -> None:
        failure: HermesError | None = None
        try:
            await work(job)
        except HermesError as error:
            failure = error
        except Exception:
            incident = self._ports.new_id()
            log.exception("operation=%s incident=%s", job.operation.id, incident)
            failure = HermesError("hermesd made a mistake", incident=incident)
        await self._finish(self._current(job.operation), failure)

    async def _finish(self, operation: Operation, failure: HermesError | None) -> None:
        finished = _finished(operation, failure, at_s=self._ports.clock.now_s())
        self._requests.pop(finished.id, None)  # first: an identical request from now on must not join the past
        if job := self._jobs.get(finished.id):
            job.operation = finished
        try:
            await self._ports.store.save_operation(finished)
        except HermesError as error:
            log.error("operation=%s is recorded later: %s", finished.id, error.message)
            self._unrecorded[finished.id] = finished
            self._tasks.add(later := asyncio.create_task(self._record_later(finished)))
            later.add_done_callback(self._tasks.discard)
        else:
            await self._tell_end(finished)
        self._drop_oldest_finished()
        self._wake()

    async def _record_later(self, finished: Operation) -> None:
        while finished.id in self._unrecorded:
            await self._ports.clock.sleep_s(RECORD_AGAIN_S)
            await self._record_again(finished)

    async def _record_again(self, finished: Operation) -> None:
        try:
            await self._ports.store.save_operation(finished)
        except HermesError:  # it was said when it ended
            return
        del self._unrecorded[finished.id]
        await self._tell_end(finished)

    async def _tell_end(self, finished: Operation) -> None:
        try:
            await self._events.record(
                f"operation.{finished.state}",
                _ended(finished),
                profile=finished.profile,
                work=finished.kind,
                **asked(finished),
            )
        except HermesError as error:
            log.error("operation=%s end not told: %s", finished.id, error.message)

    async def _record_start(self, operation: Operation) -> None:
        """Records and tells it at once, so that nobody waits twice for the disk."""
        await asyncio.gather(self._ports.store.save_operation(operation), self._tell_start(operation))

    async def _tell_start(self, operation: Operation) -> None:
        try:
            await self._events.record(
                STARTED,
                f"{operation.kind} started",
                profile=operation.profile,
                work=operation.kind,
                **asked(operation),
            )
        except HermesError as error:
            log.error("operation=%s start not recorded: %s", operation.id, error.message)

    def _note(self, operation: Operation) -> None:
        self._jobs[operation.id].operation = operation
        self._wake()

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    def _admit(self, operation: Operation, request: Request) -> None:
        self._requests[operation.id] = request
        self._jobs[operation.id] = Job(operation, self._ports.clock.monotonic_s(), self._note)

    def _drop_oldest_finished(self) -> None:
        finished = [id_ for id_ in self._jobs if id_ not in self._requests and id_ not in self._unrecorded]
        for id_ in finished[:-KEPT_IN_MEMORY]:
            del self._jobs[id_]

    def _forget(self, id_: str) -> None:
        del self._requests[id_]
        del self._jobs[id_]

    def _current(self, operation: Operation) -> Operation:
        job = self._jobs.get(operation.id)
        if job is None:
            return operation
        if job.operation.state is not OperationState.RUNNING:
            return job.operation
        return replace(job.operation, elapsed_s=self._ports.clock.monotonic_s() - job.began_s)


def asked(operation: Operation) -> Mapping[str, str]:
    """Who asked for an operation, as facts of an event."""
    return {"requester": operation.requester, "operation": operation.id}


def _ended(operation: Operation) -> str:
    """What is told of an end: why it failed, or what became of how many."""
    detail = operation.error.message if operation.error is not None else operation.tally
    return f"{operation.kind} {operation.state}" + (f": {detail}" if detail else "")


def _never(_: Operation) -> None:
    return None


def _busy(operation: Operation, profile: str) -> ProfileBusy:
    whose = "" if profile == operation.profile else f" of '{operation.profile}'"
    return ProfileBusy(
        f"{operation.kind}{whose} works on profile '{profile}'",
        fixes=[f"hermesctl operations show {operation.id}"],
        profile=profile,
        operation=operation.id,
    )


def _finished(operation: Operation, failure: HermesError | None, *, at_s: float) -> Operation:
    if failure is None:
        return replace(operation, state=OperationState.SUCCEEDED, finished_at_s=at_s)
    state = OperationState.CANCELLED if isinstance(failure, Cancelled) else OperationState.FAILED
    facts = {name: mask(value) for name, value in failure.metadata.items()}
    error = OperationError(failure.reason, mask(failure.message), facts)
    return replace(operation, state=state, error=error, finished_at_s=at_s)
