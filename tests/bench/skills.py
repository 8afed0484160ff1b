"""Bundled skills in many profiles: first copy, nothing to do, verified, one skill changed; beside hermes-agent.

hermes-agent syncs one profile in a process of its own, as its update does. A few profiles are sampled and the rest
is extrapolated, which the output says.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.domain.skills import SkillSync

FILES = 5
"""Files of a skill."""
SETTLED_S = 0.2
"""After this long, what was written can be told from what is written later."""
CODE = "from tools.skills_sync import sync_skills; sync_skills(quiet=True)"


class Fleet:
    """Profiles without skills, and a bundle."""

    def __init__(self, place: Path, profiles: int, skills: int) -> None:
        self.bundle, self.own = place / "bundle", place / "own"
        self.own.mkdir()
        self.root = place / "root"
        self.homes = [self.root / "profiles" / f"p{number}" for number in range(profiles)]
        for home in self.homes:
            home.mkdir(parents=True)
        for number in range(skills):
            self.write(number, "1")
        self.keeper = SkillsOnDisk(self.root, place / "records", self.own)

    def write(self, number: int, version: str) -> None:
        """Bundles a skill."""
        skill = self.bundle / f"category-{number % 15}" / f"skill-{number}"
        (skill / "references").mkdir(parents=True, exist_ok=True)
        (skill / "SKILL.md").write_text(f"---\nname: skill-{number}\n---\n{version}\n" + "text\n" * 400)
        for other in range(FILES - 1):
            (skill / "references" / f"{other}.md").write_text("more\n" * 600)

    def sync(self, *, verify: bool = False) -> float:
        """Syncs all profiles; returns the seconds it took."""
        began = time.perf_counter()
        outcomes = self.keeper.sync_all(self.homes, [self.bundle], verify=verify)
        taken_s = time.perf_counter() - began
        assert all(isinstance(one, SkillSync) for one in outcomes)
        return taken_s


def upstream(fleet: Fleet, agent: Path, homes: Sequence[Path]) -> float:
    """Seconds that hermes-agent takes for all profiles, from the median of some."""
    taken = []
    for home in homes:
        environment = {
            "HOME": str(home),
            "HERMES_HOME": str(home),
            "HERMES_BUNDLED_SKILLS": str(fleet.bundle),
            "PATH": "/usr/bin:/bin",
        }
        began = time.perf_counter()
        subprocess.run([agent.parent / "python", "-c", CODE], env=environment, capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * len(fleet.homes)


def repeated(measured: Callable[[int], float], rounds: int) -> float:
    """The median of some rounds, after one that is not counted."""
    return statistics.median([measured(number) for number in range(rounds + 1)][1:])


def main(options: list[str]) -> None:
    """Runs the bench and prints it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench skills", description=__doc__)
    parser.add_argument("--profiles", type=int, default=100)
    parser.add_argument("--skills", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--agent", type=Path, help="the hermes of an environment with hermes-agent, to compare with"
    )
    parser.add_argument("--sampled", type=int, default=3, help="profiles that it syncs")
    chosen = parser.parse_args(options)
    with tempfile.TemporaryDirectory(prefix="hermesd-bench-") as place:
        run(Fleet(Path(place), chosen.profiles, chosen.skills), chosen)


def run(fleet: Fleet, chosen: argparse.Namespace) -> None:
    """Measures one fleet."""
    print(f"{chosen.skills} skills of {FILES} files, {chosen.profiles} profiles")
    ours = {"first copy": fleet.sync()}
    time.sleep(SETTLED_S)
    fleet.sync(verify=True)

    def one_changed(number: int) -> float:
        fleet.write(0, f"changed {number}")
        time.sleep(SETTLED_S)
        return fleet.sync()

    ours["nothing to do, by stamps"] = repeated(lambda _: fleet.sync(), chosen.rounds)
    ours["nothing to do, verified"] = repeated(lambda _: fleet.sync(verify=True), chosen.rounds)
    ours["one skill changed"] = repeated(one_changed, chosen.rounds)
    theirs: dict[str, float] = {}
    if chosen.agent is not None:
        fresh = [fleet.root / f"fresh-{number}" for number in range(chosen.sampled)]
        for home in fresh:
            home.mkdir()
        theirs["first copy"] = upstream(fleet, chosen.agent, fresh)
        theirs["nothing to do, by stamps"] = upstream(fleet, chosen.agent, fresh)
        theirs["nothing to do, verified"] = theirs["nothing to do, by stamps"]
        fleet.write(0, "changed at last")
        theirs["one skill changed"] = upstream(fleet, chosen.agent, fresh)
        print(f"hermes-agent: median of {chosen.sampled} profiles, times {chosen.profiles}")
    print(f"{'':28}{'hermesd':>12}{'hermes-agent':>16}{'ratio':>8}")
    for title, taken_s in ours.items():
        line = f"{title:28}{taken_s * 1000:9.1f} ms"
        if title in theirs:
            line += f"{theirs[title] * 1000:13.0f} ms{theirs[title] / taken_s:8.0f}"
        print(line)
