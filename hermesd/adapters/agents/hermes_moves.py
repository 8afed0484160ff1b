"""Files of a hermes-agent home that name the home itself, or the profile.

Owns: how each is changed at once when the home gets another place or name (hermes-agent 0.19.0). Files that people
write are changed in the one key that would break. Must not know why a home has moved.
"""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermesd.adapters import jsontext
from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.textfile import read_text
from hermesd.adapters.yamlfile import parse_yaml, with_values
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.ownership import Owner, owner_of
from hermesd.domain.profile import ProfileName

JOBS = Path("cron") / "jobs.json"
STATE = "state.db"
REKEY = Path(__file__).with_name("hermes_rekey.py")
REKEY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Move:
    """From which name and place to which a profile's files are to be brought."""

    before: ProfileName
    before_path: Path
    after: ProfileName
    after_path: Path

    def moved(self, value: object) -> str | None:
        """A path inside the home as it is now; `None` for anything else, what all profiles share included."""
        old = str(self.before_path)
        if not isinstance(value, str) or not (value == old or value.startswith(f"{old}/")):
            return None
        below = value.removeprefix(old)
        names = [name for name in below.split("/") if name]
        if owner_of(names, is_root=self.before.is_default) in {Owner.SHARED, Owner.OURS}:
            return None
        return f"{self.after_path}{below}"


def change_json(path: Path, change: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """Changes a JSON file if there is anything to change, keeping its mode; says what stood in the way."""
    try:
        text = read_text(path)
        data = jsontext.parse(text) if text else None
    except (ConfigInvalid, ValueError):
        return [f"{path} cannot be read, and may still name the profile as before"]
    if not isinstance(data, dict):
        return []
    unchanged = json.dumps(data)
    told = change(data)
    if json.dumps(data) != unchanged:
        write_atomic(path, jsontext.rendered(data), stat.S_IMODE(path.stat().st_mode))
    return told


def move_paths(move: Move, data: dict[str, Any]) -> list[str]:
    """Jobs that work inside the home go on there."""
    jobs = data.get("jobs")
    for job in jobs if isinstance(jobs, list) else []:
        for key in ("workdir", "script"):
            if isinstance(job, dict) and (moved := move.moved(job.get(key))):
                job[key] = moved
    return []


def move_workplace(home: Path, move: Move, *, only_existing: bool = False) -> list[str]:
    """The directory that conversations start in; without it none would start.

    `home` is where the files are now. With `only_existing`, a directory that it has not got stays what it was.
    """
    path = home / CONFIG
    try:
        text = read_text(path)
        terminal = parse_yaml(text, path).get("terminal")
        moved = move.moved(terminal.get("cwd")) if isinstance(terminal, dict) else None
        is_there = moved and Path(f"{home}{moved.removeprefix(str(move.after_path))}").is_dir()
        if moved and (is_there or not only_existing):
            write_atomic(path, with_values(text, {("terminal", "cwd"): moved}, path).encode())
    except ConfigInvalid as error:
        return [error.message]
    return []


def rekey(state: Path, move: Move, root: Path | None) -> list[tuple[str, str]]:
    """Databases that know the profile by name or place, in a process of their own.

    With `root`, the boards that all profiles share are among them.
    Returns each that could not be changed, and why.
    """
    words = [str(state), move.before.text, move.after.text, str(move.before_path), str(move.after_path)]
    words += [] if root is None else [str(root)]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(REKEY), *words],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=REKEY_LIMIT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        return [("", str(error))]
    lines = (line.partition("\t") for line in done.stdout.splitlines())
    return [(path, why) for path, _, why in lines]


def mentions(home: Path, place: Path) -> list[Path]:
    """Files of people in a home that name a place."""
    named = re.compile(re.escape(str(place)) + r"(?![A-Za-z0-9_-])")
    found = []
    for path in (home / CONFIG, home / ENV):
        try:
            if named.search(read_text(path)):
                found.append(path)
        except ConfigInvalid:  # told with every look at the profile
            continue
    return found
