"""Skills beside the real hermes-agent: what either syncs, the other finds nothing to do about."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hermesd.adapters.skilllibrary import SkillsOnDisk
from hermesd.domain.skills import Decision, SkillSync
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.full, pytest.mark.e2e]

CODE = "import json; from tools.skills_sync import sync_skills; print(json.dumps(sync_skills(quiet=True)))"
NOTHING: dict[str, list[str]] = {
    "copied": [],
    "updated": [],
    "cleaned": [],
    "suppressed": [],
    "shadowed_by_external": [],
}


class Desk:
    """A home, a bundle of some kinds of skill, and both programs."""

    def __init__(self, place: Path, agent: Path) -> None:
        self.place, self.agent = place, agent
        self.root, self.bundle, self.own = place / "root", place / "bundle", place / "own"
        self.home = self.root / "profiles" / "coder"
        for directory in (self.home, self.own):
            directory.mkdir(parents=True)
        self.write("arts/paint", "SKILL.md", "---\nname: Fine Painting\n---\n1")
        self.write("arts/paint", "references/a/b.md", "deep")
        self.write("arts/paint", "references/a.md", "sorted by parts, not as text")
        self.write("arts/sing", "SKILL.md", "1")
        self.write("arts/sing", "scripts/run.sh", "#!/bin/sh\n")
        (self.bundle / "arts/sing/scripts/run.sh").chmod(0o755)
        self.write("arts/sing/choir", "SKILL.md", "within another one")
        (self.bundle / "arts/DESCRIPTION.md").write_text("about")

    def write(self, skill: str, file: str, text: str) -> None:
        """A file of a bundled skill."""
        path = self.bundle / skill / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ours(self) -> SkillSync:
        """hermesd syncs."""
        library = SkillsOnDisk(self.root, self.place / "records", self.own)
        (outcome,) = library.sync_all([self.home], [self.bundle], verify=True)
        assert isinstance(outcome, SkillSync)
        return outcome

    def theirs(self) -> dict[str, object]:
        """hermes-agent syncs."""
        environment = {
            "HOME": str(self.place),
            "HERMES_HOME": str(self.home),
            "HERMES_BUNDLED_SKILLS": str(self.bundle),
            "PATH": "/usr/bin:/bin",
        }
        python = self.agent.parent / "python"
        said = subprocess.run([python, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
        found: dict[str, object] = json.loads(said.stdout)
        return found


@pytest.fixture(params=["0.18.2", "0.19.0"])
def desk(request: pytest.FixtureRequest, runtimes: dict[str, Path], tmp_path: Path) -> Desk:
    """Nothing is synced yet, for every version of the agent."""
    return Desk(tmp_path, runtimes[request.param])


def test_hermes_agent_finds_nothing_to_do_after_us(desk: Desk) -> None:
    """Neither at first, nor after an update, an edit and a deletion; and changes no byte of any skill."""
    desk.ours()
    desk.write("arts/paint", "SKILL.md", "---\nname: Fine Painting\n---\n2")
    desk.ours()
    (desk.home / "skills/arts/sing/SKILL.md").write_text("mine")
    desk.ours()
    before = snapshot(desk.home / "skills")
    found = desk.theirs()
    assert {name: found.get(name, []) for name in NOTHING} == NOTHING
    assert found["user_modified"] == ["sing"]
    assert snapshot(desk.home / "skills") == before


def test_we_find_nothing_to_do_after_hermes_agent(desk: Desk) -> None:
    """Its copies are known as what they are: untouched ones are updated."""
    desk.theirs()
    assert desk.ours().summary == "up to date"
    desk.write("arts/paint", "SKILL.md", "---\nname: Fine Painting\n---\n2")
    assert desk.ours().decisions["Fine Painting"] is Decision.UPDATE


def test_our_own_skills_survive_that_hermes_agent_forgets_them(desk: Desk) -> None:
    """It drops lines of what it does not bundle; untouched copies are still updated, deleted ones stay away."""
    for name in ("one", "two"):
        (desk.own / "ours" / name).mkdir(parents=True)
        (desk.own / "ours" / name / "SKILL.md").write_text("1")
    desk.ours()
    assert desk.theirs()["cleaned"] == ["one", "two"]
    (desk.own / "ours/one/SKILL.md").write_text("2")
    shutil.rmtree(desk.home / "skills/ours/two")
    told = desk.ours().decisions
    assert (told["one"], told["two"]) == (Decision.UPDATE, Decision.KEEP_DELETED)


def test_a_bare_line_costs_no_edit_with_either(desk: Desk) -> None:
    """Alone, hermes-agent takes the edit for what was installed, and overwrites it with the next version."""
    skill = desk.home / "skills/arts/sing"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("mine")
    (desk.home / "skills/.bundled_manifest").write_text("sing\n")
    desk.ours()
    desk.theirs()
    desk.write("arts/sing", "SKILL.md", "2")
    desk.theirs()
    assert (skill / "SKILL.md").read_text() == "mine"
