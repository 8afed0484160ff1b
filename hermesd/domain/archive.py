"""Archives of profiles that people hand to each other.

Owns: what of a home travels in one, which members of a stranger's are taken, and how large it may become. A secret
never travels, and what an archive says of itself is never believed. Must not know files, formats or gRPC.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hermesd.domain.errors import ArchiveUnsafe
from hermesd.domain.ownership import Owner, owner_of

MOST_MEMBERS = 200_000
MOST_PATH_BYTES = 1024
"""What is longer fits into no path of Linux or macOS once it lies in a home."""

MOST_DEPTH = 64
RATIO = 100
"""How many times its own size an archive may become."""

ALWAYS_UNPACKED = 16 * 1024 * 1024
"""Bytes that any archive may become, however small it is."""

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
_DRIVE = re.compile(r"[A-Za-z]:")
_SET_ID = 0o6000
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

Names = tuple[str, ...]
"""The way from a home down to an entry."""


def stays_because(names: Sequence[str], *, is_root: bool, has_sessions: bool) -> str:
    """Why an entry of a home does not travel; empty if it does.

    `is_root` says that the home is the default profile's, `has_sessions` that conversations are wanted.
    """
    owner = owner_of(names, is_root=is_root)
    is_travelling = owner in _TRAVELLING or (owner is Owner.SESSIONS and has_sessions)
    if is_travelling and tuple(names[:1]) not in {(name,) for name in _CONSENTS}:
        return ""
    return _STAYING[owner]


def is_taken(names: Sequence[str]) -> bool:
    """Whether an entry of an archive is taken into a new home, by whomever it was packed.

    What an interrupted writer left beside a database is: hermes-agent packs both as they are, and without it the
    database would be of an earlier moment, or damaged.
    """
    if ending := next((ending for ending in _SIDECARS if names[-1].endswith(f".db{ending}")), ""):
        names = (*names[:-1], names[-1].removesuffix(ending))
    return not stays_because(names, is_root=False, has_sessions=True)


def why_unportable(name: str) -> str:
    """Why no archive can hold an entry of this name; empty if it can."""
    if any(ord(char) < ord(" ") or ord(char) == 0x7F for char in name):
        return "a control character is in its name"
    if "\\" in name:
        return "a backslash is in its name, which elsewhere divides a path"
    return "its name reads like a drive" if _DRIVE.match(name) else ""


def same_elsewhere(names: Sequence[str]) -> str:
    """What two paths have in common that are one on a file system which ignores case."""
    return unicodedata.normalize("NFC", "/".join(names)).casefold()


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
class Staying:
    """An entry of a home that an archive does not hold."""

    path: str
    why: str


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


class Kind(StrEnum):
    """What a member of an archive is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    HARD_LINK = "hard link"
    OTHER = "device, pipe or another thing that is no file"


_NAMING = frozenset({Kind.LINK, Kind.HARD_LINK})
"""What is only another way to something else."""


@dataclass(frozen=True)
class Member:
    """A member as its header tells."""

    path: str
    kind: Kind
    size_bytes: int = 0
    mode: int = 0o600
    target: str = ""
    """Where a link leads."""


@dataclass(frozen=True)
class Content:
    """What is to be made of a member, in a home."""

    names: Names
    kind: Kind
    size_bytes: int = 0
    is_program: bool = False
    target: str = ""
    """Of a link, its text; of a hard link, the path in the home of the file that it is another name of."""


def most_unpacked(packed_bytes: int, asked_bytes: int = 0) -> int:
    """How many bytes an archive of this size may become; `asked_bytes` is a person's own word."""
    return asked_bytes or max(ALWAYS_UNPACKED, RATIO * packed_bytes)


class Inventory:
    """The members of an archive, each judged by its header before a byte of any is written."""

    def __init__(self, most_bytes: int) -> None:
        self.root = ""
        """Name of the one directory that everything is in."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._found: dict[Names, Content] = {}
        self._spellings: dict[str, Names] = {}
        self._count = 0

    def add(self, member: Member) -> None:
        """Takes a member down.

        Raises:
            ArchiveUnsafe: it is not one to be written anywhere, and neither is any other of its archive.
        """
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise ArchiveUnsafe(f"it has more than {MOST_MEMBERS} members")
        names = self._names(member)
        if not names:
            if member.kind is not Kind.DIRECTORY:
                raise ArchiveUnsafe(f"'{_shown(member.path)}' is all that it holds, and no directory")
            return
        self._judge(member, names)
        self._place(names)
        content = Content(names, member.kind, member.size_bytes, bool(member.mode & 0o100), member.target)
        if member.kind is Kind.HARD_LINK:
            content = self._another_name(member, content)
        self._bytes += content.size_bytes
        if self._bytes > self._most_bytes:
            raise ArchiveUnsafe(
                f"it would become more than {self._most_bytes} bytes, which is far more than its size",
                hint="--max-size says how much it may become, if you trust who made it",
            )
        self._found[names] = content

    def contents(self) -> list[Content]:
        """What is to be made, directories before what is in them and links last.

        Raises:
            ArchiveUnsafe: a link leads out of the archive, or nowhere.
        """
        if not self.root:
            raise ArchiveUnsafe("it is empty")
        for one in self._found.values():
            if one.kind is Kind.LINK:
                self._judge_link(one)
        return sorted(self._found.values(), key=lambda one: one.kind is Kind.LINK)

    def _names(self, member: Member) -> Names:
        """The names below the archive's one directory."""
        path = member.path.removeprefix("./").rstrip("/")
        names = tuple(path.split("/"))
        if member.path.startswith("/"):
            raise ArchiveUnsafe(f"'{_shown(member.path)}' is an absolute path")
        if path in {"", "."}:
            return ()
        if any(name in {"", ".", ".."} for name in names):
            raise ArchiveUnsafe(f"'{_shown(member.path)}' leads out of its place")
        for name in names:
            if why := why_unportable(name):
                raise ArchiveUnsafe(f"'{_shown(member.path)}': {why}")
        if len(path.encode(errors="surrogateescape")) > MOST_PATH_BYTES or len(names) > MOST_DEPTH:
            raise ArchiveUnsafe(f"'{_shown(member.path)[:60]}...' is too long a path")
        if self.root not in {"", names[0]}:
            raise ArchiveUnsafe(
                f"it holds '{_shown(self.root)}' and '{_shown(names[0])}': one directory is expected"
            )
        self.root = names[0]
        return names[1:]

    def _judge(self, member: Member, names: Names) -> None:
        path = _shown("/".join(names))
        if member.kind is Kind.OTHER:
            raise ArchiveUnsafe(f"'{path}' is a {member.kind}")
        if member.size_bytes < 0:
            raise ArchiveUnsafe(f"'{path}' has an impossible size")
        if member.mode & _SET_ID and member.kind is not Kind.DIRECTORY:
            raise ArchiveUnsafe(f"'{path}' would run with somebody else's rights (its set-id bits)")
        if names in self._found:
            raise ArchiveUnsafe(f"'{path}' is in it twice")
        for depth in range(1, len(names)):
            above = self._found.get(names[:depth])
            if above is not None and above.kind is not Kind.DIRECTORY:
                raise ArchiveUnsafe(f"'{path}' lies in a {above.kind}")

    def _place(self, names: Names) -> None:
        """Takes down how each part of a path is written, and the directories that have no member of their own."""
        for depth in range(1, len(names) + 1):
            part = names[:depth]
            spelled = self._spellings.setdefault(same_elsewhere(part), part)
            if spelled != part:
                one, other = _shown("/".join(spelled)), _shown("/".join(part))
                raise ArchiveUnsafe(f"'{one}' and '{other}' are one file on some systems")
            if depth < len(names) and part not in self._found:
                self._found[part] = Content(part, Kind.DIRECTORY)

    def _another_name(self, member: Member, content: Content) -> Content:
        """A hard link, as a copy of a file that was met before; its size counts again."""
        first = self._names(Member(member.target, Kind.FILE))
        found = self._found.get(first)
        if found is None or found.kind is not Kind.FILE:
            raise ArchiveUnsafe(f"'{_shown('/'.join(content.names))}' is another name of nothing in it")
        return Content(content.names, Kind.HARD_LINK, found.size_bytes, found.is_program, "/".join(first))

    def _judge_link(self, link: Content) -> None:
        """Only what leads straight to a file or directory of the archive may stay; not what lies behind a link."""
        path, target = _shown("/".join(link.names)), link.target
        ways = target.split("/")
        below = _without_ups(ways)
        is_straight = len(ways) - len(below) < len(link.names) and not {"", ".", ".."}.intersection(below)
        found = self._found.get(_led_to(link)) if is_straight else None
        if found is None or found.kind is Kind.LINK:
            raise ArchiveUnsafe(f"'{path}' is a link to '{_shown(target)}', which is nothing in it")


def _led_to(link: Content) -> Names:
    """The entry that a judged link leads to, or whose other name a hard link is."""
    ways = tuple(link.target.split("/"))
    if link.kind is Kind.HARD_LINK:
        return ways
    below = tuple(_without_ups(ways))
    return (*link.names[: len(link.names) - 1 - (len(ways) - len(below))], *below)


def _without_ups(ways: Sequence[str]) -> Sequence[str]:
    for number, way in enumerate(ways):
        if way != "..":
            return ways[number:]
    return ()


def _shown(text: str) -> str:
    """A path as any terminal can show it."""
    decoded = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in decoded)


class ActKind(StrEnum):
    """How something in an imported profile could act."""

    HOOK = "hook"
    PLUGIN = "plugin"
    JOB = "job"
    SERVER = "server of tools"
    COMMAND = "command in the settings"
    REDIRECT = "redirection of the model"
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
class Judged:
    """An archive of which every member may be written."""

    root: str
    """Name of the directory that everything is in, which is that of the profile that was packed."""
    contents: Sequence[Content]
    """What is taken, directories before what is in them and links last."""
    left_out: Sequence[Staying]
    """What is in the archive and not taken."""


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


def judged(inventory: Inventory) -> Judged:
    """What is taken of an archive that was judged to its end, and what is not.

    Raises:
        ArchiveUnsafe: a link leads out of it, or nowhere.
    """
    taken, left_out = list[Content](), list[Staying]()
    for one in inventory.contents():
        if is_taken(one.names):
            taken.append(one)
        else:
            why = stays_because(one.names, is_root=False, has_sessions=True)
            left_out.append(Staying(_shown("/".join(one.names)), why))
    names = {one.names for one in taken}
    lost = {one.names for one in taken if one.kind in _NAMING and _led_to(one) not in names}
    left_out += [Staying(_shown("/".join(own)), "what it leads to stays behind") for own in sorted(lost)]
    return Judged(inventory.root, [one for one in taken if one.names not in lost], left_out)
