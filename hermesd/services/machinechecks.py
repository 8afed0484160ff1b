"""What the doctor looks at around profiles.

Owns: which checks there are, what each makes of what is seen, and what mends it. What an operation that runs is
just changing is nothing wrong. Must not know files or who asks.
"""

import asyncio
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from hermesd.domain.alias import Alias
from hermesd.domain.errors import ConfigInvalid, HermesError, RuntimeMissing
from hermesd.domain.findings import Severity, judge_disk, listed
from hermesd.domain.layout import PURGING
from hermesd.domain.ports import Ports
from hermesd.domain.profile import DEFAULT, ProfileName
from hermesd.domain.settings import Settings
from hermesd.services.checks import Found, Mend, Result, Surroundings, check_runtime
from hermesd.services.homes import KnownHomes
from hermesd.services.keepers import Keepers
from hermesd.services.operations import Operations
from hermesd.services.profiles import Profiles
from hermesd.services.runtimes import Runtimes
from hermesd.services.trash import Trash

FINE: Mapping[str, str] = {
    "default": "the sticky default names a profile",
    "alias": "every alias calls a profile",
    "litter": "nothing was left half done",
    "wishes": "every gateway that is wanted has a home",
    "units": "no service would start the gateway of a profile that is gone",
    "runtime": "the agent in use can be run",
    "settings": "the settings can be used, and name profiles that exist",
    "disk": "there is room for profiles and for what hermesd keeps",
    "state": "what hermesd keeps can be read, and by nobody else",
}
"""The checks in order, and what is said where nothing is wrong."""

FIX = "hermesctl doctor --all --fix"
EDIT_SETTINGS = "${EDITOR:-vi} ~/.config/hermesd/settings.toml"


class MachineChecks:
    """Looks at what surrounds profiles."""

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        operations: Operations,
        homes: KnownHomes,
        runtimes: Runtimes,
        keepers: Keepers,
        profiles: Profiles,
        trash: Trash,
    ) -> None:
        self._ports = ports
        self._settings = settings
        self._operations = operations
        self._homes = homes
        self._runtimes = runtimes
        self._keepers = keepers
        self._profiles = profiles
        self._trash = trash

    async def look(self, around: Surroundings) -> Result:
        """Everything that concerns no single profile that there is."""
        return {
            "default": await self._default(around),
            "alias": self._alias(around),
            "litter": await self._litter(),
            "wishes": await self._wishes(),
            "units": _units(around),
            "runtime": await self._runtime(),
            "settings": await self._settings_file(around),
            "disk": await self._disk(),
            "state": await self._state(),
        }

    async def _default(self, around: Surroundings) -> list[Found]:
        try:
            text = await asyncio.to_thread(self._ports.homes.written_default)
        except ConfigInvalid as error:
            path = error.metadata["path"]
            return [Found("kind", Severity.ERROR, error.message, f"ls -ld {shlex.quote(path)}")]
        if text is None or not text.strip():
            return []
        try:
            name = ProfileName.parse(text)
        except HermesError:
            what = "the sticky default is no name, so that commands of hermes-agent do not know whom to work for"
            return [Found("garbled", Severity.ERROR, what, FIX, self._profiles.clear_lost_default)]
        if name.is_default or around.has(name) or self._is_changing(name.text):
            return []
        what = f"the sticky default is '{name}', which is no profile, so that commands of hermes-agent fail"
        return [
            Found("lost", Severity.ERROR, what, FIX, self._profiles.clear_lost_default, owner=name.text),
        ]

    def _alias(self, around: Surroundings) -> list[Found]:
        told = []
        for alias in around.aliases:
            name = alias.profile
            if around.has(name) or name.is_default or self._is_changing(name.text):
                continue
            what = f"the alias '{alias.name}' calls '{name}', which is no profile"
            if not alias.is_ours:
                remove = f"rm {shlex.quote(str(alias.path))}"
                told.append(Found(alias.name, Severity.WARNING, what, remove))
                continue
            told.append(Found(alias.name, Severity.WARNING, what, FIX, self._removed(alias), owner=name.text))
        return told

    def _removed(self, alias: Alias) -> Mend:
        async def mend() -> None:
            if await asyncio.to_thread(self._ports.homes.find, alias.profile) is None:
                await asyncio.to_thread(self._ports.aliases.remove, alias)

        return mend

    async def _litter(self) -> list[Found]:
        """Looked for first: whatever an operation has made since then is not among it."""
        lying = await asyncio.to_thread(self._ports.homes.litter)
        if self._trash.is_removing or self._operations.under_way(lambda one: one.kind == "trash.empty"):
            return []
        left = [path for path in lying if not self._is_of_operation(path)]
        if not left:
            return []

        async def mend() -> None:
            for path in left:
                await asyncio.to_thread(self._ports.homes.remove_litter, path)

        verb = "was" if len(left) == 1 else "were"
        what = f"{listed([path.name for path in left])} {verb} left by something that was cut off"
        return [Found("litter", Severity.WARNING, what, FIX, mend)]

    async def _wishes(self) -> list[Found]:
        told = []
        for lost in await self._homes.lost():
            record = self._keepers.record_of(lost.id)
            if not record.gateway.wanted_up or self._is_changing(lost.name):
                continue
            since = f" since {_moment(record.since_s)}" if record.since_s is not None else ""
            what = (
                f"'{lost.name}' is wanted up, but its home is gone; it rests{since} and starts should it come back"
            )
            told.append(Found(lost.id, Severity.WARNING, what))
        return told

    async def _runtime(self) -> list[Found]:
        try:
            choice = await self._runtimes.choice_for(ProfileName(DEFAULT))
        except RuntimeMissing as error:
            return [Found("missing", Severity.ERROR, error.message, error.metadata.get("fix", ""))]
        return await check_runtime(choice)

    async def _settings_file(self, around: Surroundings) -> list[Found]:
        problem = await asyncio.to_thread(self._ports.machine_inspector.settings_problem)
        if problem:
            what = f"the daemon could not be started again: {problem}"
            return [Found("unusable", Severity.ERROR, what, EDIT_SETTINGS)]
        unknown = [name for name in self._settings.profiles if not around.has(ProfileName(name))]
        return [
            Found(
                name, Severity.WARNING, f"the settings have [profile.{name}], which is no profile", EDIT_SETTINGS
            )
            for name in unknown
        ]

    async def _disk(self) -> list[Found]:
        disks = await asyncio.to_thread(self._ports.machine_inspector.disks)
        return [
            Found(str(disk.path), *judged, f"df -h {shlex.quote(str(disk.path))}")
            for disk in disks
            if (judged := judge_disk(disk))
        ]

    async def _state(self) -> list[Found]:
        told = []
        try:
            await self._ports.store.operations(profile="", limit=1)
        except HermesError as error:
            told.append(Found("store", Severity.ERROR, error.message, error.metadata.get("fix", "")))
        for one in await asyncio.to_thread(self._ports.machine_inspector.exposed):
            what = f"other users have rights to {one.path} (mode {one.mode:o})"
            told.append(Found(str(one.path), Severity.ERROR, what, FIX, self._private(one.path)))
        return told

    def _private(self, path: Path) -> Mend:
        async def mend() -> None:
            await asyncio.to_thread(self._ports.machine_inspector.make_private, path)

        return mend

    def _is_of_operation(self, path: Path) -> bool:
        """Whether an operation that runs works on a profile of whose name this entry is."""
        return bool(
            self._operations.under_way(
                lambda one: any(path.name.removeprefix(PURGING).startswith(f"{name}-") for name in one.profiles)
            )
        )

    def _is_changing(self, name: str) -> bool:
        return self._operations.under_way(lambda one: name in one.profiles) is not None


def _units(around: Surroundings) -> list[Found]:
    """Of profiles that are gone. Those of other roots are none of ours."""
    root = next((known.home.path for known in around.homes if known.home.name.is_default), None)
    return [
        Found(
            str(unit.path),
            Severity.ERROR if unit.is_enabled else Severity.WARNING,
            f"{unit.path} of hermes-agent is for '{unit.home.name}', which is no profile",
            unit.removal,
        )
        for unit in around.units
        if unit.home is not None
        and root is not None
        and unit.home.parent == root / "profiles"
        and around.home_at(unit.home) is None
    ]


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
