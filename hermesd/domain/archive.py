"""Archives of profiles that people hand to each other.

Owns: what of a home travels in one, and what is told of an archive that is made or taken in. A secret never
travels. Which members of a stranger's archive are taken is judged in `domain/inventory.py`. Must not know files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hermesd.domain.inventory import Judged, Staying
from hermesd.domain.ownership import Owner, owner_of

_TRAVELLING = frozenset(
    {
        Owner.PERSON,
        Owner.SETTINGS,
        Owner.PERSONALITY,
        Owner.MEMORY,
        Owner.SKILLS,
        Owner.CRON,
        Owner.EXTENSIONS,
        Owner.PROFILE,
    }
)
_CONSENTS = frozenset({"shell-hooks-allowlist.json"})
"""What the person on this machine allowed to run, which is no setting to hand on."""

_SIDECARS = ("-wal", "-journal")
_STAYING: dict[Owner, str] = {
    Owner.SECRETS: "secrets",
    Owner.CHANNELS: "logins and people of messaging platforms",
    Owner.SESSIONS: "conversations",
    Owner.HISTORY: "earlier states",
    Owner.CACHE: "made again when needed",
    Owner.RUNTIME: "belongs to processes",
    Owner.LOG: "logs",
    Owner.SHARED: "not the profile's own",
    Owner.OURS: "not the profile's own",
    Owner.SETTINGS: "what was allowed to run on this machine",
}


def stays_because(names: Sequence[str], *, is_root: bool, has_sessions: bool) -> str:
    """Why an entry of a home does not travel; empty if it does.

    `is_root` says that the home is the default profile's, `has_sessions` that conversations are wanted.
    """
    owner = owner_of(names, is_root=is_root)
    is_travelling = owner in _TRAVELLING or (owner is Owner.SESSIONS and has_sessions)
    if is_travelling and tuple(names[:1]) not in {(name,) for name in _CONSENTS}:
        return ""
    return _STAYING[owner]


def not_taken_because(names: Sequence[str]) -> str:
    """Why an entry of an archive is not taken into a new home, by whomever it was packed; empty if it is.

    What an interrupted writer left beside a database is: hermes-agent packs both as they are, and without it the
    database would be of an earlier moment, or damaged.
    """
    ending = next((ending for ending in _SIDECARS if names[-1].endswith(f".db{ending}")), "")
    names = (*names[:-1], names[-1].removesuffix(ending))
    return stays_because(names, is_root=False, has_sessions=True)


@dataclass(frozen=True)
class Secret:
    """A value that must not leave a machine, and where it was found."""

    profile: str
    file: str
    """Path of the file in its home."""
    key: str
    """Its variable, or the dotted names above it."""
    value: str = field(repr=False)


@dataclass(frozen=True)
class Leak:
    """A secret in what would be handed out."""

    path: str
    """Where it stands, in the home."""
    secret: str
    """Which one, by its file and key; with its profile if that is another one."""
    how: str
    """How it is written there."""


@dataclass(frozen=True)
class Entry:
    """A file or directory that an archive holds."""

    path: str
    size_bytes: int
    is_directory: bool = False


@dataclass(frozen=True)
class ExportOrder:
    """How a profile is to be exported."""

    has_sessions: bool = False
    """Whether conversations come along."""
    is_redacting: bool = False
    """Whether secrets are written over, instead of keeping the export from being made."""


@dataclass(frozen=True)
class Contents:
    """What an archive holds, known before its first byte."""

    entries: Sequence[Entry]
    staying: Sequence[Staying] = ()
    leaks: Sequence[Leak] = ()
    """Secrets that would leave with it; if they are written over, that did stand there."""
    warnings: Sequence[str] = ()
    """What a person has to know, a sentence each."""


@dataclass(frozen=True)
class Staged:
    """A private copy of a profile, as it is to be packed."""

    root: str
    """Name of the directory that everything is in."""
    path: Path
    contents: Contents


class ActKind(StrEnum):
    """How something in an imported profile could act."""

    HOOK = "hook"
    PLUGIN = "plugin"
    JOB = "job"
    SERVER = "server of tools"
    COMMAND = "command in the settings"
    REDIRECT = "redirection of the model"
    PEOPLE = "people let in"
    GUARD = "lowered guard"
    SKILL = "skill with programs"
    PERSONA = "instructions"


@dataclass(frozen=True)
class Act:
    """Something in an imported profile that could act, or steer what the agent does."""

    kind: ActKind
    what: str
    """Its name and what it would do, without any secret."""
    is_disabled: bool = False
    """Whether it arrives switched off: it would have run by itself."""
    enabling: str = ""
    """How a person switches it on."""
    is_setting: bool = False
    """Whether it is one of the settings, whose earlier version has it."""


@dataclass(frozen=True)
class Arrival:
    """A profile out of an archive, in staging, as it may be published."""

    acts: Sequence[Act]
    original: bytes | None = field(default=None, repr=False)
    """Its `config.yaml` as it came, if anything in there was switched off."""


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do."""

    name: str
    path: Path
    """Where the home will be."""
    digest: str
    """SHA-256 of the archive, hexadecimal."""
    judged: Judged
    acts: Sequence[Act] = ()
