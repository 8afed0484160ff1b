"""A start with claims by a process that is killed on the way; `python -m … DIRECTORY WAY STEP SPAWN_ID`.

Owns: where it can be killed: before and after each call to the system that matters. Exits with 3 if it outlives
the start. Must not judge.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hermesd.adapters import spawn
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.domain.claims import Claim, ClaimKind, ClaimNote
from hermesd.domain.process import SpawnSpec
from tests.processes import spec_of

CLAIMS = tuple(Claim(ClaimKind.BOT, platform, "TOKEN", "a1" * 32) for platform in ("discord", "slack", "telegram"))
CALLS: tuple[tuple[Any, str], ...] = (
    (fcntl, "flock"),
    (os, "ftruncate"),
    (os, "pwrite"),
    (subprocess, "Popen"),
    (os, "pidfd_open"),
)
STEPS = 2 * (4 + 3 * len(CLAIMS) + 2)
"""Four locks; for each claim its note emptied, written, and written again; a process and its descriptor.
Before and after each."""
OUTLIVED = 3


def spec_with_claims(directory: Path, spawn_id: str, name: str = "coder") -> SpawnSpec:
    """A start that needs all claims."""
    note = ClaimNote(name, f"id-{name}", spawn_id, "/root")
    claims = ClaimLocksOnDisk(directory / "claims").of(CLAIMS, note)
    return replace(spec_of(directory, "/bin/sleep", "60", name=name, spawn_id=spawn_id), claims=claims)


def main(directory: Path, way: str, step: int, spawn_id: str) -> None:
    """Starts, and dies at that step."""
    reached = 0

    def tick() -> None:
        nonlocal reached
        reached += 1
        if reached == step:
            os.kill(os.getpid(), 9)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **keywords: Any) -> Any:
            tick()
            found = call(*arguments, **keywords)
            tick()
            return found

        return made

    spec = spec_with_claims(directory, spawn_id)
    for module, name in CALLS:
        setattr(module, name, counted(getattr(module, name)))
    getattr(spawn, way)(spec)
    sys.exit(OUTLIVED)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
