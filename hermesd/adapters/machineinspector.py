"""What surrounds homes, looked at from outside.

Owns: asking file systems how full they are, finding services that hermes-agent made, and the modes of the daemon's
own directories. Must not know how bad it is. Services are read and never touched.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hermesd.adapters.mounts import network_file_system
from hermesd.adapters.privacy import keep_private
from hermesd.domain.conditions import OTHERS, Disk, Exposed, Matter, Unit
from hermesd.domain.errors import HermesError
from hermesd.domain.profile import DEFAULT, NAME_PATTERN

UNIT = "hermes-gateway*.service"
"""What hermes-agent 0.19.0 calls its services: one for the default profile, one for each other."""

UNIT_BYTES = 65_536
STARTS_GATEWAY = re.compile(r"^ExecStart=.*\bgateway\s+run\b", re.MULTILINE)
HOME_OF_UNIT = re.compile(r'^Environment=["\']?HERMES_HOME=([^"\'\n]+)', re.MULTILINE)
STEM = re.compile(r"hermes-gateway(?:-(.+))?\.service")


class MachineInspectorOnDisk:
    """The machine (port `MachineInspector`) around one root."""

    def __init__(
        self,
        root: Path,
        *,
        kept: Sequence[Path],
        private: Sequence[Path],
        units: Mapping[Path, bool],
        read_settings: Callable[[], object],
    ) -> None:
        """`kept` is where the daemon writes, `private` what nobody else may see.

        `units` are directories of services, with whether they are the whole machine's. `read_settings` raises
        `HermesError` where the settings cannot be used.
        """
        self._root = root
        self._kept = kept
        self._private = private
        self._units = units
        self._read_settings = read_settings

    def disk(self, path: Path) -> Disk | None:
        """The file system that a path lies on; what only root may fill counts as taken."""
        try:
            told, device = os.statvfs(path), path.stat().st_dev
            kind = network_file_system(path)
        except OSError:
            return None
        return Disk(
            path,
            device,
            free_bytes=told.f_bavail * told.f_frsize,
            total_bytes=told.f_blocks * told.f_frsize,
            free_files=told.f_favail,
            total_files=told.f_files,
            network_kind=kind,
            is_read_only=bool(told.f_flag & os.ST_RDONLY),
        )

    def disks(self) -> list[Disk]:
        """The root's first; another place on the same file system is not told of again."""
        found = [disk for path in (self._root, *self._kept) if (disk := self.disk(path)) is not None]
        return list({disk.device: disk for disk in reversed(found)}.values())[::-1]

    def units(self) -> list[Unit]:
        """Services that run a gateway, by path."""
        return [
            unit
            for directory, is_of_system in self._units.items()
            for path in sorted(directory.glob(UNIT))
            if (unit := self._unit(path, is_of_system=is_of_system)) is not None
        ]

    def exposed(self) -> list[Exposed]:
        """By path."""
        return [
            Exposed(path, stat.S_IMODE(found.st_mode), Matter.PRIVATE, is_reachable=True)
            for path, found in _found(self._private)
            if found.st_mode & OTHERS and not stat.S_ISLNK(found.st_mode)
        ]

    def make_private(self, path: Path) -> None:
        """Of what `exposed` can name, and of nothing else."""
        if path in self._private:
            keep_private(path)

    def settings_problem(self) -> str:
        """What reading them says."""
        try:
            self._read_settings()
        except HermesError as error:
            return error.message
        return ""

    def _unit(self, path: Path, *, is_of_system: bool) -> Unit | None:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a link to nowhere, or masked
                return None
            with path.open("rb") as file:
                text = file.read(UNIT_BYTES).decode(errors="replace")
        except OSError:
            return None
        if not STARTS_GATEWAY.search(text):
            return None
        said = HOME_OF_UNIT.search(text)
        home = Path(said.group(1).strip()) if said else self._home_by_name(path.name)
        is_enabled = any(True for kind in ("wants", "requires") for _ in path.parent.glob(f"*.{kind}/{path.name}"))
        return Unit(path, home, is_enabled=is_enabled, is_of_system=is_of_system)

    def _home_by_name(self, unit: str) -> Path | None:
        found = STEM.fullmatch(unit)
        name = (found.group(1) or DEFAULT) if found else ""
        if name == DEFAULT:
            return self._root
        return self._root / "profiles" / name if NAME_PATTERN.fullmatch(name) else None


def _found(paths: Sequence[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for path in paths:
        try:
            yield path, path.lstat()
        except OSError:  # not made yet
            continue
