"""Logs as people read them: of many profiles and sources, in one order.

Owns: which logs a question concerns, how much is read in one turn, and that a reader who is slow or gone costs
nothing. Must not know files or formats.

Reading is pulled: nothing is read on until the reader has taken what was read before.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.logmerge import Duplicates, Merge, added
from hermesd.domain.logs import Record, Source, Wanted
from hermesd.domain.ports import Log, Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.runtimes import Runtimes

POLL_S = 0.25
"""How often followers look for what is new."""

HOMES_S = 2.0
"""How often they look whether profiles were renamed, made or removed."""

MOST_LINES = 100_000
"""Last records that one call can ask for."""

TAIL_CHARACTERS = 16_000_000
"""Text that the last records may have; beyond it there are fewer of them."""

TURN_STEPS = 16
"""Pieces that are read in one turn of a thread, for other work waits for a thread too."""

BATCH_RECORDS = 1_000
BATCH_CHARACTERS = 262_144
"""What one answer carries: far below what a message may."""


@dataclass(frozen=True)
class Question:
    """What somebody wants to read."""

    profiles: Sequence[ProfileName]
    sources: frozenset[Source]
    wanted: Wanted
    lines: int | None
    """Only the last ones of what is there; `None` for all."""
    is_following: bool
    has_new_profiles: bool = False
    """Whether profiles that are made meanwhile are meant as well."""


@dataclass(frozen=True)
class Notice:
    """Something that a reader should know."""

    profile: str
    message: str
    is_gap: bool = False


@dataclass(frozen=True)
class Batch:
    """The next records."""

    records: Sequence[Record] = ()
    notices: Sequence[Notice] = ()
    is_caught_up: bool = False
    """Whether all that was there when the question was asked has been given."""


@dataclass(frozen=True)
class _Opened:
    """One log of a question."""

    home: Identified | None
    """Whose it is; `None` for the machine."""
    source: Source
    log: Log

    @property
    def profile(self) -> str:
        """Name of the profile; empty for the machine."""
        return self.home.home.name.text if self.home else ""


class _Forwards:
    def __init__(self, log: Log) -> None:
        self.next = log.later


class _Backwards:
    def __init__(self, log: Log) -> None:
        self.next = log.earlier


class Logs:
    """Reads logs."""

    def __init__(self, ports: Ports, homes: KnownHomes, runtimes: Runtimes) -> None:
        self._clock = ports.clock
        self._reader = ports.log_reader
        self._homes = homes
        self._runtimes = runtimes

    async def read(self, question: Question) -> AsyncGenerator[Batch, None]:
        """The records that are there, oldest first, then, for who follows, new ones. Ends when its reader does.

        Raises:
            ProfileNotFound: one of the profiles is not there.
            ArgumentInvalid: the question makes no sense.
        """
        _check(question)
        known = [await self._homes.get(name) for name in dict.fromkeys(question.profiles)]
        opened = await asyncio.to_thread(self._open, question, known)
        duplicates = Duplicates()
        async for batch in self._existing(question, opened, duplicates):
            yield batch
        if question.is_following:
            yield Batch(notices=_notices(opened), is_caught_up=True)
            async for batch in self._coming(question, opened, duplicates):
                yield batch
        elif notices := _notices(opened):
            yield Batch(notices=notices)

    def _open(self, question: Question, known: Sequence[Identified]) -> list[_Opened]:
        opened = [one for home in known for one in self._of_profile(question.sources, home)]
        wanted = question.wanted
        if Source.DAEMON in question.sources:
            opened.append(_Opened(None, Source.DAEMON, self._reader.of_daemon()))
            wanted = replace(wanted, profiles=frozenset(one.home.name.text for one in known))
        return _begun(opened, wanted, question)

    def _of_profile(self, sources: frozenset[Source], known: Identified) -> Iterator[_Opened]:
        name = known.home.name
        agent = self._runtimes.agent_of(name)
        for file in agent.log_files():
            if file.source in sources:
                log = self._reader.of_agent(name.text, known.home.path, file, agent.masking(known.home))
                yield _Opened(known, file.source, log)
        if Source.GATEWAY in sources:
            yield _Opened(
                known, Source.GATEWAY, self._reader.captured(name.text, known.id, agent.masking(known.home))
            )

    async def _existing(
        self, question: Question, opened: Sequence[_Opened], duplicates: Duplicates
    ) -> AsyncIterator[Batch]:
        if question.lines is None:
            merge = Merge([_Forwards(one.log) for one in opened], duplicates)
            is_done = False
            while not is_done:
                records, is_done = await asyncio.to_thread(_turn, merge)
                for batch in _batches(records, _notices(opened)):
                    yield batch
            return
        merge = Merge([_Backwards(one.log) for one in opened], duplicates, is_backward=True)
        found, notice = await self._last(merge, question.lines)
        found.reverse()
        for batch in _batches(found, [*_notices(opened), *notice]):
            yield batch

    async def _last(self, merge: Merge, lines: int) -> tuple[list[Record], list[Notice]]:
        """The last records, newest first, and what there is to say about their number."""
        found: list[Record] = []
        characters = 0
        is_done = lines == 0
        while not is_done and len(found) < lines:
            records, is_done = await asyncio.to_thread(_turn, merge)
            for record in records[: lines - len(found)]:
                characters += len(record.text)
                if characters > TAIL_CHARACTERS:
                    what = f"only the last {len(found)} records are shown: there is too much text in {lines}"
                    return found, [Notice("", what, is_gap=True)]
                found.append(record)
        return found, []

    async def _coming(
        self, question: Question, opened: list[_Opened], duplicates: Duplicates
    ) -> AsyncIterator[Batch]:
        def look() -> tuple[list[Record], bool]:
            pieces = [one.log.added() for one in opened]
            may_be_more = any(piece is not None for piece in pieces)
            return added([piece or [] for piece in pieces], duplicates), may_be_more

        looked_s = self._clock.monotonic_s()
        while True:
            records, may_be_more = await asyncio.to_thread(look)
            for batch in _batches(records, _notices(opened)):
                yield batch
            if not may_be_more:
                await self._clock.sleep_s(POLL_S)
            if question.profiles and self._clock.monotonic_s() - looked_s >= HOMES_S:
                looked_s = self._clock.monotonic_s()
                opened, fresh = await self._followed(question, opened)
                async for batch in self._existing(replace(question, lines=None), fresh, duplicates):
                    yield batch
                opened += fresh

    async def _followed(
        self, question: Question, opened: Sequence[_Opened]
    ) -> tuple[list[_Opened], list[_Opened]]:
        """The logs of profiles that are still there, under the names they have now, and those of new profiles."""
        found = {known.id: known for known in await self._homes.scan()}
        if not found:  # that says more about the file system than about profiles
            return list(opened), []
        known_ids = {one.home.id for one in opened if one.home is not None}
        for home in {one.home for one in opened if one.home is not None and one.home.id in found}:
            now = found[home.id].home
            if now != home.home:
                for one in opened:
                    if one.home is None or one.home.id == home.id:
                        one.log.follow_rename(now.name.text, now.path)
        followed = [
            one if one.home is None else replace(one, home=found[one.home.id])
            for one in opened
            if one.home is None or one.home.id in found
        ]
        made = [known for id_, known in found.items() if id_ not in known_ids] if question.has_new_profiles else []
        fresh = [one for known in made for one in self._of_profile(question.sources, known)]
        return followed, await asyncio.to_thread(_begun, fresh, question.wanted, question)


def _begun(opened: list[_Opened], wanted: Wanted, question: Question) -> list[_Opened]:
    for one in opened:
        one.log.begin(wanted, share=len(opened), is_following=question.is_following)
    return opened


def _check(question: Question) -> None:
    if question.lines is not None and question.lines > MOST_LINES:
        raise ArgumentInvalid(
            f"{question.lines} lines are more than can be sent", hint=f"ask for at most {MOST_LINES}, or for all"
        )
    if question.is_following and question.wanted.until_s is not None:
        raise ArgumentInvalid("what is followed has no end", hint="leave out the end, or do not follow")
    if not question.profiles and question.sources != {Source.DAEMON}:
        raise ArgumentInvalid("no profile is named", hint="only the daemon's log can be read without one")


def _turn(merge: Merge) -> tuple[list[Record], bool]:
    """A bounded amount of reading: what it gave, and whether that was the end."""
    records: list[Record] = []
    for _ in range(TURN_STEPS):
        found = merge.step()
        if found is None:
            return records, True
        records += found
        if len(records) >= BATCH_RECORDS:
            break
    return records, False


def _notices(opened: Sequence[_Opened]) -> list[Notice]:
    notices: list[Notice] = []
    for one in opened:
        notices += [Notice(one.profile, problem) for problem in one.log.take_problems()]
        if one.log.take_losses():
            what = f"some lines of {one.source} were removed before they were read"
            notices.append(Notice(one.profile, what, is_gap=True))
    return notices


def _batches(records: Sequence[Record], notices: Sequence[Notice]) -> Iterator[Batch]:
    """As many answers as it takes; none if there is nothing to say."""
    begin = characters = 0
    for at, record in enumerate(records):
        if at - begin >= BATCH_RECORDS or characters >= BATCH_CHARACTERS:
            yield Batch(records[begin:at], notices)
            begin, characters, notices = at, 0, ()
        characters += len(record.text)
    if begin < len(records) or notices:
        yield Batch(records[begin:], notices)
