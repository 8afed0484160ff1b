"""Why a profile that somebody names is not there.

Owns: what is remembered of names that profiles had. Must not know files, or bring anything back.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from hermesd.domain.errors import HermesError
from hermesd.domain.ports import EVENTS_KEPT, Ports
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.record import Binding

RENAMED = ("profile.renamed", "profile.renamed_elsewhere")
"""What is recorded of a rename, whoever did it."""


@dataclass(frozen=True)
class Absence:
    """What became of a profile, and the command to go on with."""

    message: str
    fix: str


async def explain_absence(
    ports: Ports, name: ProfileName, homes: Collection[Home], bindings: Collection[Binding]
) -> Absence | None:
    """What became of the profile that had a name; `None` if none is known to have had it.

    Whoever has been deleted, renamed or removed is looked for in this order, for a name can have been several
    profiles', and what lies in the trash can be had again.
    """
    return await _in_trash(ports, name) or await _renamed(ports, name, homes) or _removed(name, homes, bindings)


async def _in_trash(ports: Ports, name: ProfileName) -> Absence | None:
    try:
        found = await asyncio.to_thread(ports.trash.scan)
    except HermesError:  # who cannot look there cannot bring it back either
        return None
    if not any(entry.note.name == name for entry in found):
        return None
    return Absence("it was deleted and is in the trash", f"hermesctl profile trash restore {name}")


async def _renamed(ports: Ports, name: ProfileName, homes: Collection[Home]) -> Absence | None:
    told = [
        happening
        for kind in RENAMED
        for happening in await ports.store.events(after=0, profile="", limit=EVENTS_KEPT, kinds=[kind])
        if happening.facts.get("before") == name.text
    ]
    after = max(told, key=lambda one: one.token).profile if told else ""
    if not any(home.name.text == after for home in homes):
        return None
    return Absence(f"it was renamed and is called '{after}' now", f"hermesctl profile show {after}")


def _removed(name: ProfileName, homes: Collection[Home], bindings: Collection[Binding]) -> Absence | None:
    """A home that vanished without hermesd; its record waits, for a home can come back from a backup."""
    present = {home.identity for home in homes}
    if not any(one.name == name.text and one.home not in present for one in bindings):
        return None
    what = "its home was removed, and not by hermesd; should it come back, its gateway goes on as it was"
    return Absence(what, "hermesctl profile list")
