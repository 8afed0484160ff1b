"""What the files of a profile say about its skills, beside the skills themselves.

Owns: the manifest, opting out, suppression, who else brings skills, and what is in the way. Reads and renders.
Must not know what becomes of a skill. Names and formats are those of hermes-agent 0.19.0.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from hermesd.adapters import jsontext
from hermesd.adapters.oserrors import translating
from hermesd.adapters.skilltrees import name_of, skills_below
from hermesd.adapters.yamlfile import Data, read_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.layout import OPT_OUT
from hermesd.domain.skills import Line

MANIFEST = ".bundled_manifest"
SUPPRESSED = ".curator_suppressed"
HUB_LOCK = ".hub/lock.json"
CONFIG = "config.yaml"
ENCODING = ("utf-8", "surrogateescape")
"""What somebody else wrote into a manifest comes back as it was."""


class SkillHome:
    """One profile's home, by its real path, as it is when first asked."""

    def __init__(self, home: Path) -> None:
        self.path = Path(os.path.realpath(home))
        self.skills = self.path / "skills"
        self._root = str(self.skills)
        self._reach: dict[str, str] = {}
        """By directory: what is in the way to it; empty if nothing is."""

    @cached_property
    def manifest(self) -> bytes | None:
        """The manifest as it is; `None` if there is none, or what has its name is no file.

        Raises:
            NotPermitted: it cannot be read. Without it, all that a person deleted would come back.
        """
        return _read(self.skills / MANIFEST, follows=False)

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """What the manifest says: hash by name, empty where it is bare."""
        return parse_manifest(self.manifest or b"")

    def line(self, name: str) -> Line:
        """What kind of line a skill has."""
        said = self.lines.get(name)
        return Line.NONE if said is None else Line.FULL if said else Line.BARE

    @cached_property
    def is_opted_out(self) -> bool:
        """Whether nobody wants bundled skills here."""
        return (self.path / OPT_OUT).exists()

    @cached_property
    def suppressed(self) -> frozenset[str]:
        """Names of skills that the agent itself has put away."""
        text = (_read(self.skills / SUPPRESSED) or b"").decode(*ENCODING)
        lines = (line.strip() for line in text.splitlines())
        return frozenset(line for line in lines if line and not line.startswith("#"))

    @cached_property
    def from_hub(self) -> frozenset[str]:
        """Names of skills that were installed from a registry."""
        try:
            installed = jsontext.parse(_read(self.skills / HUB_LOCK) or b"{}").get("installed", {})
            return frozenset(installed) | {_folder(entry) for entry in installed.values()}
        except (ValueError, AttributeError, TypeError):  # damaged: hermes-agent too takes it for empty
            return frozenset()

    @cached_property
    def external(self) -> frozenset[str]:
        """Names of skills in directories outside, which the configuration names."""
        return frozenset(name for directory in self._external_directories() for name in _names_below(directory))

    def own_names(self, bundled: frozenset[str]) -> frozenset[str]:
        """Names of skills that lie somewhere else than bundled ones, given the places of these."""
        return frozenset(
            name
            for path in skills_below(self.skills)
            if path not in bundled
            for name in _names(self.skills / path)
        )

    def obstacle(self, path: str) -> str:
        """What is in the way to a skill, a sentence; empty if nothing is."""
        if not self._reach:
            self._reach[""] = _obstacle(str(self.skills)) or self._manifest_obstacle()
        at = ""
        for part in path.split("/"):
            if self._reach[at]:
                break
            inside = f"{at}/{part}" if at else part
            if inside not in self._reach:
                self._reach[inside] = _obstacle(f"{self._root}/{inside}")
            at = inside
        return self._reach[at]

    @cached_property
    def surroundings(self) -> str:
        """Stands for the files that say what is wanted here, without the manifest, which we write as well."""
        home = str(self.path)
        files = (f"skills/{SUPPRESSED}", f"skills/{HUB_LOCK}", OPT_OUT, CONFIG)
        return str([_status(f"{home}/{name}", follows=True) for name in files])

    @cached_property
    def control(self) -> str:
        """Stands for everything here but the skills themselves: who sees it unchanged need not look again."""
        place = _status(str(self.skills))
        text = f"{place[:2] if place else None} {self.surroundings}\n".encode()
        return hashlib.sha256(text + (self.manifest if self.manifest is not None else b"\0")).hexdigest()

    def _manifest_obstacle(self) -> str:
        status = _status(f"{self.skills}/{MANIFEST}")
        if status is None or stat.S_ISREG(status[0]):
            return ""
        return f"{self.skills / MANIFEST} is no file, and is left alone"

    def _external_directories(self) -> Iterator[Path]:
        raw = _read(self.path / CONFIG)
        if raw is None or b"external_dirs" not in raw:  # parsing takes long, and few have them
            return
        for said in _list(_section(self.path / CONFIG).get("external_dirs")):
            text = said.replace("${HERMES_HOME}", str(self.path)).replace("$HERMES_HOME", str(self.path))
            directory = Path(os.path.realpath(self.path / os.path.expanduser(os.path.expandvars(text))))  # noqa: PTH111
            if said and directory != Path(os.path.realpath(self.skills)) and directory.is_dir():
                yield directory


def parse_manifest(data: bytes) -> dict[str, str]:
    """Hash by name; empty for lines of the first form, which have none."""
    found = {}
    for line in data.decode(*ENCODING).splitlines():
        name, _, said = line.partition(":")
        if line.strip():
            found[name.strip()] = said.strip()
    return found


def render_manifest(lines: Mapping[str, str]) -> bytes:
    """The manifest that says so."""
    return ("\n".join(f"{name}:{said}" for name, said in sorted(lines.items())) + "\n").encode(*ENCODING)


def _read(path: Path, *, follows: bool = True) -> bytes | None:
    """The bytes of a file; `None` if there is none."""
    with translating(path, "read"):
        try:
            status = path.stat() if follows else path.lstat()
            return path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None


def _status(path: str, *, follows: bool = False) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(path, follow_symlinks=follows)  # noqa: PTH116 - asked for hundreds of homes
    except OSError:
        return None
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns


def _obstacle(path: str) -> str:
    status = _status(path)
    if status is None or stat.S_ISDIR(status[0]):
        return ""
    return f"{path} is {'a link' if stat.S_ISLNK(status[0]) else 'no directory'}, and is left alone"


def _section(path: Path) -> Data:
    try:
        section = read_yaml(path).get("skills")
    except ConfigInvalid:  # hermes-agent too goes on without external directories
        return {}
    return section if isinstance(section, dict) else {}


def _list(said: object) -> list[str]:
    return [str(one).strip() for one in (said if isinstance(said, list) else [said] if said else [])]


def _folder(entry: Mapping[str, object]) -> str:
    return str(entry.get("install_path") or "").rpartition("/")[2]


def _names_below(directory: Path) -> Iterator[str]:
    for path in skills_below(directory):
        yield from _names(directory / path)


def _names(skill: Path) -> tuple[str, str]:
    return skill.name, name_of(str(skill))
