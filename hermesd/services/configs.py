"""Settings of profiles: looking at them, changing them, and having any earlier state of them back.

Owns: the order of a change: keep what is there, replace it only if it still is that, keep what is there now. Who
is killed in between, and who writes the same file beside us, has lost nothing. And that what others wrote is
noticed. Must not know what a setting means, nor any format.
"""

import asyncio
import hashlib
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hermesd.domain.agent import ConfigFiles, ConfigText
from hermesd.domain.configuration import (
    Change,
    ConfigFile,
    Difference,
    Edit,
    Schema,
    Shown,
    Value,
    differences,
    flattened,
    parse_key,
    plain,
    shown,
    similar_key,
    value_at,
)
from hermesd.domain.errors import ArgumentInvalid, BudgetSpent, ChangedMeanwhile, HermesError, NotFound
from hermesd.domain.findings import listed
from hermesd.domain.ports import Ports, Versions
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.version import Origin, Version
from hermesd.services.events import Events
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homes import Identified, KnownHomes
from hermesd.services.operations import Operations
from hermesd.services.runtimes import Runtimes
from hermesd.services.sharing import Sharing
from hermesd.services.tasks import lasting

log = logging.getLogger(__name__)

CHECK_S = 30.0
"""How often it is looked whether others wrote a file that hermesd has changed before."""

REVEALS, REVEALS_WITHIN_S = 10, 60.0
"""How many secrets of a profile are told in how many seconds."""

_ATTEMPTS = 5
"""How often a change is begun anew because somebody else wrote the file meanwhile."""

_NAMED = 5
"""Keys that an event names."""


@dataclass(frozen=True)
class Setting:
    """One value as it may be shown."""

    file: ConfigFile
    key: str
    shown: Shown
    is_default: bool = False
    """Whether no file sets it."""


@dataclass(frozen=True)
class ConfigView:
    """A file of settings as it may be shown."""

    file: ConfigFile
    path: Path
    text: str
    settings: Sequence[Setting]
    version: int
    """Number of this state; 0 if it is not kept."""


@dataclass(frozen=True)
class Replaced:
    """A file that was changed."""

    file: ConfigFile
    path: Path
    before: int
    """Number of the version that it had; 0 if there was no file."""
    after: int


@dataclass(frozen=True)
class ChangedSetting:
    """A setting that was changed, as it may be shown."""

    file: ConfigFile
    key: str
    before: Shown | None
    """`None` where there was none."""
    after: Shown | None


@dataclass(frozen=True)
class Updated:
    """What a change did; nothing if all was so already."""

    files: Sequence[Replaced]
    settings: Sequence[ChangedSetting]
    is_running: bool
    """Whether a gateway runs that began before the change."""
    notices: Sequence[str] = ()
    """What a person should know of it, a sentence each."""


class Configs:
    """Shows and changes settings."""

    def __init__(
        self,
        ports: Ports,
        events: Events,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        views: GatewayViews,
        sharing: Sharing,
    ) -> None:
        self._ports = ports
        self._events = events
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._views = views
        self._sharing = sharing
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One change of a profile's files at a time, by id, and one look at them."""
        self._reveals: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REVEALS))
        self._looking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to look at what others write."""
        self._looking = lasting(self._look_again_and_again, "configs", self._ports.clock)

    def close(self) -> None:
        """Ends that."""
        if self._looking is not None:
            self._looking.cancel()

    async def get(self, name: ProfileName, file: ConfigFile, version: int = 0) -> ConfigView:
        """A file as it is, or as it was in one of its versions.

        Raises:
            ProfileNotFound, NotFound, ConfigInvalid, Incompatible: there is no such thing.
        """
        known = await self._homes.get(name)
        files = self._files(name)
        found = await asyncio.to_thread(files.read, known.home, file)
        data = found.data or b""
        if version:
            data = await asyncio.to_thread(self._ports.versions.read, known.id, file, version)
        text, values = await asyncio.to_thread(_shown_both, files, file, data, found.path)
        settings = [Setting(file, key, shown(key, value)) for key, value in flattened(values)]
        current = version or await asyncio.to_thread(self._number, known.id, file, data)
        return ConfigView(file, found.path, text, settings, current)

    async def setting(self, name: ProfileName, key: str, *, is_variable: bool = False) -> Setting:
        """One value: as a file sets it, else as the agent has it by default.

        Raises:
            NotFound: nothing sets it.
            ArgumentInvalid, ProfileNotFound, ConfigInvalid, Incompatible, RuntimeMissing: it cannot be told.
        """
        file, found = await self._look_up(name, key, is_variable=is_variable)
        if found is not None:
            return Setting(file, key, _as_shown(key, found))
        default = None if file is ConfigFile.ENV else value_at(await self._defaults(name), parse_key(key))
        if default is None:
            raise NotFound(f"{key} is not set in {file} of {name}", profile=name.text)
        return Setting(file, key, _as_shown(key, default), is_default=True)

    async def reveal(self, name: ProfileName, key: str, requester: str, *, is_variable: bool = False) -> str:
        """A value as it is, secret or not; that it was told is recorded.

        Raises:
            BudgetSpent: many were told just now.
            NotFound, ArgumentInvalid, ProfileNotFound, ConfigInvalid, Incompatible: it cannot be told.
        """
        file, found = await self._look_up(name, key, is_variable=is_variable)
        if found is None:
            raise NotFound(f"{key} is not set in {file} of {name}", profile=name.text)
        await self._count_reveal(name, key, requester)
        return plain(found)

    async def open_text(self, name: ProfileName, file: ConfigFile, requester: str) -> tuple[ConfigText, str]:
        """All of a file for who is to edit it, secrets included, and its revision; that it was told is recorded.

        Raises:
            BudgetSpent: many were told just now.
            ProfileNotFound, ConfigInvalid, Incompatible: it cannot be read.
        """
        known = await self._homes.get(name)
        text = await asyncio.to_thread(self._files(name).read, known.home, file)
        await self._count_reveal(name, file, requester)
        return text, _revision(text.data)

    async def replace_text(
        self, name: ProfileName, file: ConfigFile, text: str, revision: str, requester: str = ""
    ) -> Updated:
        """Replaces a file by what a person made of it, if it still is what they opened.

        Raises:
            ConfigInvalid: nobody could read it; nothing was changed.
            ChangedMeanwhile: it is another one by now. For the rest see `update`.
        """
        known = await self._homes.get(name)
        files = self._files(name)

        def plan(_: frozenset[ConfigFile]) -> list[Edit]:
            if _revision(files.read(known.home, file).data) != revision:
                raise ChangedMeanwhile(f"{file} of {name} was changed since it was opened", profile=name.text)
            return files.plan_text(known.home, file, text.encode())

        return await self._change(known, plan, Origin.COMMAND, requester)

    async def _count_reveal(self, name: ProfileName, what: str, requester: str) -> None:
        told, now_s = self._reveals[name.text], self._ports.clock.monotonic_s()
        if len(told) == REVEALS and now_s - told[0] < REVEALS_WITHIN_S:
            raise BudgetSpent(
                f"cannot show {what}: {REVEALS} values of {name} were shown within {REVEALS_WITHIN_S:.0f} s",
                hint="wait a minute, or look into the file yourself",
            )
        told.append(now_s)
        message = f"{what} of {name} was shown"
        await self._events.record("config.revealed", message, profile=name.text, requester=requester, key=what)

    async def update(
        self, name: ProfileName, changes: Sequence[Change], requester: str = "", *, are_variables: bool = False
    ) -> Updated:
        """Sets and takes away keys, each in the file that it belongs to; what is so already is left alone.

        Raises:
            ArgumentInvalid, NotFound: a key or value cannot be written, or is not there to be taken away.
            ProfileNotFound, ProfileBusy, RuntimeMissing, Incompatible: there is nothing to change now.
            ConfigInvalid: a file cannot be read, or must be edited by hand.
            ChangedMeanwhile: others write it again and again.
            DiskFull, NotPermitted: it cannot be written.
        """
        if not changes:
            raise ArgumentInvalid("there is nothing to change")
        known = await self._homes.get(name)
        files = self._files(name)
        if are_variables:
            return await self._change(
                known,
                lambda done: files.plan_variables(known.home, [] if done else changes),
                Origin.COMMAND,
                requester,
            )
        choice = await self._runtimes.choice_for(name)
        environment = self._ports.gateway_environment
        schema = await asyncio.to_thread(files.schema, choice.runtime, environment)

        def plan(done: frozenset[ConfigFile]) -> list[Edit]:
            left = [change for change in changes if files.file_of(change.key) not in done]
            return files.plan(known.home, schema, left)

        done = await self._change(known, plan, Origin.COMMAND, requester)
        return replace(done, notices=(*done.notices, *_slips(files, schema, changes)))

    async def copy_variables(
        self, source: ProfileName, name: ProfileName, names: Sequence[str], requester: str = ""
    ) -> Updated:
        """Sets variables of a profile to what they are in `source`, which is only read.

        Raises:
            NotFound: one is not set there; nothing is changed then. For the rest see `update`.
        """
        if source == name:
            raise ArgumentInvalid(f"'{source}' and '{name}' are one profile")
        origin = (await self._homes.get(source)).home
        files = self._files(source)
        text = await asyncio.to_thread(files.read, origin, ConfigFile.ENV)
        values = await asyncio.to_thread(files.values, ConfigFile.ENV, text.data or b"", text.path)
        if missing := [one for one in names if one not in values]:
            verb = "are" if missing[1:] else "is"
            raise NotFound(
                f"{listed(missing)} {verb} not set in {ConfigFile.ENV} of {source}", profile=source.text
            )
        changes = [Change(one, plain(values[one])) for one in dict.fromkeys(names)]
        return await self.update(name, changes, requester, are_variables=True)

    async def versions(self, name: ProfileName, file: ConfigFile) -> list[Version]:
        """What is kept of a file, newest first. Raises `ProfileNotFound`, `NotPermitted`."""
        known = await self._homes.get(name)
        async with self._locks[known.id]:
            await self._notice(known, file)
        return await asyncio.to_thread(self._ports.versions.of, known.id, file)

    async def revert(self, name: ProfileName, file: ConfigFile, number: int, requester: str = "") -> Updated:
        """Makes a file what it was in one of its versions. That is a new version; none is taken away.

        Raises:
            NotFound: there is no such version. For the rest see `update`.
        """
        known = await self._homes.get(name)
        data = await asyncio.to_thread(self._ports.versions.read, known.id, file, number)
        files = self._files(name)

        def plan(_: frozenset[ConfigFile]) -> list[Edit]:
            return files.plan_text(known.home, file, data)

        return await self._change(known, plan, Origin.REVERT, requester)

    async def check(self) -> None:
        """Notices what others wrote into files that hermesd has changed before."""
        for known in await self._homes.scan():
            for file in ConfigFile:
                try:
                    async with self._locks[known.id]:
                        await self._notice(known, file)
                except HermesError as error:
                    log.warning("profile=%s %s is looked at later: %s", known.home.name, file, error.message)

    async def _look_again_and_again(self) -> None:
        while True:
            await self.check()
            await self._ports.clock.sleep_s(CHECK_S)

    async def _change(
        self,
        known: Identified,
        plan: Callable[[frozenset[ConfigFile]], list[Edit]],
        origin: Origin,
        requester: str,
    ) -> Updated:
        """Carries out what `plan` says, which is told which files are done; what was done is told in any case."""
        name = known.home.name
        self._operations.refuse_if_changing(name.text)
        replaced: list[Replaced] = []
        changed: list[Difference] = []
        async with self._locks[known.id]:
            for file in ConfigFile:
                await self._notice(known, file)
            try:
                await self._carry_out(known, plan, origin, replaced, changed)
            finally:
                if replaced:
                    await self._tell_changed(name, changed, origin, requester)
        gateway = await self._views.view(known)
        is_running = gateway.record.process is not None or gateway.foreign_pid is not None
        notices = await self._shared(known.home, changed)
        return Updated(replaced, [_changed(one) for one in changed], is_running, notices)

    async def _shared(self, home: Home, changed: Sequence[Difference]) -> list[str]:
        """Who else has a bot or login that was just set: of two gateways that need one, one waits."""
        keys = {one.key for one in changed if one.after is not None}
        claims = await asyncio.to_thread(self._runtimes.agent_of(home.name).claims, home)
        shared = await self._sharing.of(home.name, [claim for claim in claims if claim.source in keys])
        return [
            f"{one.claim.source} is what {listed(list(map(str, one.profiles)))} "
            f"{'have' if len(one.profiles) > 1 else 'has'} too: only one of their gateways runs at a time"
            for one in shared
        ]

    async def _carry_out(
        self,
        known: Identified,
        plan: Callable[[frozenset[ConfigFile]], list[Edit]],
        origin: Origin,
        replaced: list[Replaced],
        changed: list[Difference],
    ) -> None:
        """Adds what is done to the two lists; begins anew if somebody writes meanwhile."""
        files, versions = self._files(known.home.name), self._ports.versions
        for left in reversed(range(_ATTEMPTS)):
            done = frozenset(one.file for one in replaced)
            try:
                for edit in await asyncio.to_thread(plan, done):
                    one = await asyncio.to_thread(replace_keeping, files, versions, known.id, edit, origin)
                    replaced.append(one)
                    changed += edit.differences
            except ChangedMeanwhile:
                if not left:
                    raise
                continue
            return

    async def _tell_changed(
        self, name: ProfileName, changed: Sequence[Difference], origin: Origin, requester: str
    ) -> None:
        keys = ", ".join(one.key for one in changed)
        message = f"{_told(changed)} of {name} {'were' if len(changed) > 1 else 'was'} changed"
        facts = {"requester": requester, "keys": keys, "how": origin}
        await self._events.record("config.changed", message, profile=name.text, **facts)

    async def _notice(self, known: Identified, file: ConfigFile) -> None:
        """Keeps a state that somebody else made of a file, and tells of it. Called under the profile's lock."""
        kept = await asyncio.to_thread(self._ports.versions.of, known.id, file)
        if not kept:
            return
        files = self._files(known.home.name)
        text = await asyncio.to_thread(files.read, known.home, file)
        data = text.data
        before = await asyncio.to_thread(self._ports.versions.read, known.id, file, kept[0].number)
        if data is None or data == before:
            return
        version = await asyncio.to_thread(self._ports.versions.keep, known.id, file, data, Origin.ELSEWHERE)
        changed = await asyncio.to_thread(_changed_by_others, files, file, (before, data), text.path)
        name = known.home.name
        message = f"{file} of {name} was changed, and not by hermesd: {_told(changed)}"
        await self._events.record(
            "config.changed_elsewhere",
            message,
            profile=name.text,
            file=file,
            keys=", ".join(one.key for one in changed),
            before=str(kept[0].number),
            version=str(version.number),
        )

    async def _look_up(self, name: ProfileName, key: str, *, is_variable: bool) -> tuple[ConfigFile, Value]:
        known = await self._homes.get(name)
        files = self._files(name)
        file = ConfigFile.ENV if is_variable else files.file_of(key)
        keys = (key if is_variable else key.upper(),) if file is ConfigFile.ENV else parse_key(key)
        text = await asyncio.to_thread(files.read, known.home, file)
        values = await asyncio.to_thread(files.values, file, text.data or b"", text.path)
        return file, value_at(values, keys)

    async def _defaults(self, name: ProfileName) -> Mapping[str, Value]:
        choice = await self._runtimes.choice_for(name)
        files, environment = self._files(name), self._ports.gateway_environment
        return (await asyncio.to_thread(files.schema, choice.runtime, environment)).defaults

    def _number(self, profile_id: str, file: ConfigFile, data: bytes) -> int:
        """The newest version that holds these bytes; 0 if none does."""
        versions = self._ports.versions
        kept = versions.of(profile_id, file)[:1]
        return kept[0].number if kept and versions.read(profile_id, file, kept[0].number) == data else 0

    def _files(self, name: ProfileName) -> ConfigFiles:
        return self._runtimes.agent_of(name).config_files


def replace_keeping(
    files: ConfigFiles, versions: Versions, profile_id: str, edit: Edit, origin: Origin
) -> Replaced:
    """Makes an edit. Wherever this ends, nothing is lost: what is displaced is kept before.

    Raises:
        ChangedMeanwhile, ProfileNotFound, ArgumentInvalid, DiskFull, NotPermitted: the file is what it was, unless
            only the new version could not be kept any more.
    """
    before = 0
    if edit.before is not None:
        before = versions.keep(profile_id, edit.file, edit.before, Origin.FOUND).number
    files.write(edit)
    after = versions.keep(profile_id, edit.file, edit.after, origin).number
    return Replaced(edit.file, edit.path, before, after)


def _changed(one: Difference) -> ChangedSetting:
    before, after = (None if value is None else shown(one.key, value) for value in (one.before, one.after))
    return ChangedSetting(one.file, one.key, before, after)


def _as_shown(key: str, value: Value) -> Shown:
    """A value as it may be shown; of several, each in its own line."""
    if not isinstance(value, Mapping | list) or not value:
        return shown(key, value)
    lines = [(one, shown(f"{key}.{one}", below)) for one, below in flattened(value)]
    text = "\n".join(f"{one}: {below.text}" for one, below in lines)
    return Shown(text, is_secret=any(below.is_secret for _, below in lines))


def _shown_both(files: ConfigFiles, file: ConfigFile, data: bytes, path: Path) -> tuple[str, Mapping[str, Value]]:
    """A file as text that may be shown, and as values that may not."""
    return files.masked(file, data, path), files.values(file, data, path)


def _changed_by_others(
    files: ConfigFiles, file: ConfigFile, states: tuple[bytes, bytes], path: Path
) -> list[Difference]:
    """Which keys; none if one of the two states cannot be read."""
    try:
        before, after = (files.values(file, data, path) for data in states)
        return differences(file, before, after)
    except HermesError:
        return []


def _revision(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()


def _slips(files: ConfigFiles, schema: Schema, changes: Sequence[Change]) -> list[str]:
    """Which keys the agent does not know, where it knows one that is much like it."""
    keys = [one.key for one in changes if one.text is not None and files.file_of(one.key) is ConfigFile.CONFIG]
    found = {key: other for key in keys if (other := similar_key(schema.defaults, key))}
    return [f"the agent knows no setting {key}; did you mean {other}?" for key, other in found.items()]


def _told(changed: Sequence[Difference]) -> str:
    keys = [one.key for one in changed[:_NAMED]]
    more = len(changed) - len(keys)
    return listed([*keys, *([f"{more} more"] if more else [])]) or "no key that can be read"
