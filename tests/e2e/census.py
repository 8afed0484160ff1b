"""Who lives on a machine: every process that is, or pretends to be, of a gateway's tree.

Owns: finding processes by what proves their descent, apart from the daemon's own bookkeeping. Must not know what
is wanted, and signals only what is proven to be of this machine.
"""

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from hermesd.adapters import procfs
from hermesd.domain.process import SPAWN_ID_VARIABLE, ProcessIdentity
from tests.e2e.daemon import scripted
from tests.e2e.house import Machine
from tests.waiting import wait_until


@dataclass(frozen=True)
class Member:
    """A process of a gateway's tree, by its environment."""

    profile: str
    process: ProcessIdentity


def members(machine: Machine) -> list[Member]:
    """Every living process with a spawn id whose home is on this machine."""
    found = []
    for pid in procfs.pids():
        environment = procfs.environ_of(pid) or {}
        spawn_id = environment.get(SPAWN_ID_VARIABLE, "")
        home = Path(environment.get("HERMES_HOME", "/"))
        if not spawn_id or not home.is_relative_to(machine.root):
            continue
        process = procfs.identity(pid, spawn_id)
        if process is not None and procfs.is_alive(process):
            found.append(Member(home.name, process))
    return found


def doubles(machine: Machine) -> list[str]:
    """Profiles with more than one tree at one moment, told in words.

    Trees come and go while one looks. Two of them were there at once if, having seen both, the first still lives.
    """
    seen: dict[str, dict[str, list[ProcessIdentity]]] = {}
    for member in members(machine):
        seen.setdefault(member.profile, {}).setdefault(member.process.spawn_id, []).append(member.process)
    return [
        f"{profile} has {len(trees)} trees: {list(trees.values())}"
        for profile, trees in seen.items()
        if sum(any(map(procfs.is_alive, tree)) for tree in trees.values()) > 1
    ]


def end_all(machine: Machine, locks: Iterable[Path]) -> None:
    """Kills whatever is left of any tree of this machine."""
    pids = {member.process.pid for member in members(machine)}
    pids |= {pid for lock in locks for pid in procfs.holders(lock)}
    left = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            left.append(psutil.Process(pid))
            left[-1].kill()
    psutil.wait_procs(left, timeout=5)


class Decoy:
    """A process with a gateway's command line that is nobody's gateway. Any signal would end it."""

    def __init__(self, directory: Path, *flags: str) -> None:
        directory.mkdir(exist_ok=True)
        output = directory / "decoy.out"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                scripted(*flags), env={"HERMES_HOME": str(directory)}, stdout=file, start_new_session=True
            )
        wait_until(lambda: "up" in output.read_text(), "the decoy to be up")
        found = procfs.identity(self._process.pid, "")
        assert found is not None
        self.identity = found

    @property
    def is_untouched(self) -> bool:
        """Whether it still lives."""
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
