"""What homes and the machine around them are like, as it was seen on disk.

Owns: what is seen, and which files of a home hold secrets or conversations (hermes-agent 0.19.0). Must not know
how anything is looked at, nor how bad it is: that is `domain/findings.py`.
"""

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

OTHERS = 0o077
"""The rights of everybody but the owner."""


class Matter(StrEnum):
    """What is lost when others read a file."""

    SECRET = "secret"
    """Keys and tokens; they should be private wherever they lie."""
    PRIVATE = "private"
    """Conversations and what was made of them; they are private behind a private directory."""


SECRET_NAMES = frozenset({".env", ".op.env", "auth.json", "honcho.json"})
"""Files of a home that hold keys and tokens (hermes-agent 0.19.0)."""

SECRET_COPIES = (".env.", "auth.json.")
"""How copies of them begin, which people and editors leave."""

SAMPLES = frozenset({".env.example", ".env.template", ".env.sample"})
"""Lower case; they come with distributions and hold none."""

CONFIG_NAMES = ("config.yaml",)
"""How files begin that may hold keys, in which case they are secret too."""

PRIVATE_FILES = ("state.db", "response_store.db")
"""How databases begin; their journals lie beside them."""

PRIVATE_DIRECTORIES = frozenset("sessions memories logs cron workspace home pairing platforms".split())

HOLDS_KEY = re.compile(
    r"""^[ \t]*["']?[\w.-]*(?:api_?key|token|secret|password)["']?[ \t]*:[ \t]*"""
    r"""(?!\$|null\b|~|\#|["'](?:\$|["']))[^\s]""",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of YAML that gives a key its value: no reference to a variable, and not nothing."""


def matter_of(name: str, *, is_directory: bool, holds_key: bool = False) -> Matter | None:
    """What an entry of a home is worth to others; `None` if nothing. `holds_key` is asked of configurations."""
    if is_directory:
        return Matter.PRIVATE if name in PRIVATE_DIRECTORIES else None
    if name in SECRET_NAMES or (name.startswith(SECRET_COPIES) and name.lower() not in SAMPLES):
        return Matter.SECRET
    if name.startswith(CONFIG_NAMES):
        return Matter.SECRET if holds_key else None
    return Matter.PRIVATE if name.startswith(PRIVATE_FILES) else None


@dataclass(frozen=True)
class Exposed:
    """Something to which others have rights that they should not have."""

    path: Path
    mode: int
    matter: Matter | None
    """`None` for a directory whose own content is not secret."""
    is_reachable: bool
    """Whether somebody else can get there, past every directory above it."""

    @property
    def is_writable(self) -> bool:
        """Whether the rights of others go beyond reading."""
        return bool(self.mode & 0o022)


@dataclass(frozen=True)
class OwnedByOthers:
    """Files that belong to another user, such as those that sudo left."""

    count: int = 0
    owners: tuple[int, ...] = ()
    """User ids, sorted."""
    examples: tuple[Path, ...] = ()
    is_in_the_way: bool = False
    """Whether one of them cannot be read or written."""


@dataclass(frozen=True)
class HomeCondition:
    """What the entries of a home are like."""

    is_link: bool = False
    """Whether the home is a link to a directory elsewhere, in which nothing may be mended."""
    is_closed: bool = False
    """Whether its owner may not read, write or enter it, so that nothing else is known."""
    exposed: tuple[Exposed, ...] = ()
    owned_by_others: OwnedByOthers = OwnedByOthers()
    missing: tuple[str, ...] = ()
    """Directories and files of a fresh home that are not there."""
    obstructed: tuple[str, ...] = ()
    """Those in whose place there is something else."""
    is_half: bool = False
    """Whether nothing is there that makes a directory a profile."""
    set_aside: tuple[Path, ...] = ()
    """Broken configurations that hermes-agent copied and that nobody has mended since."""
    unclear_lines: tuple[int, ...] = ()
    """Lines of `.env` that nobody understands."""


@dataclass(frozen=True)
class Disk:
    """The file system that a path lies on."""

    path: Path
    device: int
    free_bytes: int
    total_bytes: int
    free_files: int
    total_files: int
    """0 where files are not counted."""
    network_kind: str = ""
    """Its kind if it lies on another machine."""
    is_read_only: bool = False


@dataclass(frozen=True)
class Unit:
    """A service of a service manager that would start a gateway of hermes-agent's own."""

    path: Path
    home: Path | None
    """The home that it is for; `None` if it does not say."""
    is_enabled: bool
    is_of_system: bool
    """Whether it belongs to the whole machine's manager, so that only root can remove it."""

    @property
    def removal(self) -> str:
        """The command that ends and removes it. A unit's name needs no quotes."""
        manager = "sudo systemctl" if self.is_of_system else "systemctl --user"
        remove = "sudo rm" if self.is_of_system else "rm"
        return f"{manager} disable --now {self.path.name} && {remove} {shlex.quote(str(self.path))}"
