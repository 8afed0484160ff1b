"""Members of an archive that a stranger made, each judged by its header before a byte of any is written.

Owns: which are refused, with all of their archive, how large it may become, and what is made of the others. What
an archive says of itself is never believed. Must not know whose the entries are, files or formats.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hermesd.domain.errors import ArchiveUnsafe

MOST_MEMBERS = 200_000
MOST_PATH_BYTES = 1024
"""What is longer fits into no path of Linux or macOS once it lies in a home."""

MOST_DEPTH = 64
RATIO = 100
"""How many times its own size an archive may become."""

ALWAYS_UNPACKED = 16 * 1024 * 1024
"""Bytes that any archive may become, however small it is."""

_DRIVE = re.compile(r"[A-Za-z]:")
_SET_ID = 0o6000

Names = tuple[str, ...]
"""The way from a home down to an entry."""


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


@dataclass(frozen=True)
class Staying:
    """An entry that does not come along."""

    path: str
    why: str


@dataclass(frozen=True)
class Judged:
    """An archive of which every member may be written."""

    root: str
    """Name of the directory that everything is in, which is that of the profile that was packed."""
    contents: Sequence[Content]
    """What is taken, directories before what is in them and links last."""
    left_out: Sequence[Staying]
    """What is in the archive and not taken."""


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
        if member.kind is Kind.DIRECTORY and self._is_directory(names):
            return  # it was met before by what lies in it
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

    def judged(self, why_left: Callable[[Names], str]) -> Judged:
        """What is taken, once all members were added; `why_left` tells why an entry is not, empty if it is.

        Raises:
            ArchiveUnsafe: a link leads out of the archive, or nowhere; or there is nothing in it.
        """
        if not self.root:
            raise ArchiveUnsafe("it is empty")
        for one in self._found.values():
            if one.kind is Kind.LINK:
                self._judge_link(one)
        reasons = {names: why for names in self._found if (why := why_left(names))}
        for one in self._found.values():
            if one.kind in _NAMING and _led_to(one) in reasons:
                reasons.setdefault(one.names, "what it leads to stays behind")
        taken = [one for one in self._found.values() if one.names not in reasons]
        left_out = [Staying(_shown("/".join(names)), why) for names, why in reasons.items()]
        return Judged(self.root, sorted(taken, key=lambda one: one.kind is Kind.LINK), left_out)

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

    def _is_directory(self, names: Names) -> bool:
        found = self._found.get(names)
        return found is not None and found.kind is Kind.DIRECTORY

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
