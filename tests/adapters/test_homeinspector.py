"""Homes on disk that hermes-agent, sudo, crashes and people have damaged: what is seen, what mending touches."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters import homeinspector
from hermesd.adapters.homeinspector import HomeInspectorOnDisk
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.reach import Reach
from hermesd.domain import layout
from hermesd.domain.conditions import HomeCondition, Matter
from hermesd.domain.profile import DEFAULT, Home, ProfileName
from tests.adapters.unprivileged import NOBODY, reachable_directory, said_by_nobody
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TEXTS = layout.fresh_files(description="", with_skills=True)


@pytest.fixture
def root() -> Iterator[Path]:
    """A root that everybody can reach."""
    with reachable_directory() as place:
        HomesOnDisk(place / "root").create(ProfileName("other"), TEXTS, layout.DIRECTORIES)
        for one in (place / "root", place / "root" / "profiles"):
            one.chmod(0o755)
        yield place / "root"


def made_by_hermes_agent(root: Path, name: str = "theirs") -> Home:
    """A home as hermes-agent 0.19.0 makes it with the usual umask, and as a gateway leaves it."""
    path = root / "profiles" / name
    path.mkdir()
    for directory in layout.DIRECTORIES:
        (path / directory).mkdir()
    for file in (".env", "SOUL.md", "config.yaml", "state.db", "gateway.pid"):
        (path / file).write_text("a: 1\n")
        (path / file).chmod(0o644)
    (path / ".env").chmod(0o600)
    for entry in (path, *(path / one for one in layout.DIRECTORIES)):
        entry.chmod(0o755)
    (path / "gateway.pid").chmod(0o755)
    return found(root, name)


def found(root: Path, name: str) -> Home:
    """A home that is there."""
    home = HomesOnDisk(root).find(ProfileName(name))
    assert home is not None
    return home


def look(home: Home) -> HomeCondition:
    """What is seen."""
    return HomeInspectorOnDisk().look(home)


def exposed(home: Home) -> dict[str, bool]:
    """What others have rights to, and whether they can get there."""
    return {os.path.relpath(one.path, home.path): one.is_reachable for one in look(home).exposed}


def test_conversations_in_an_open_home_can_be_read(root: Path) -> None:
    """By anybody; what is empty, or not worth hiding, is not told of."""
    home = made_by_hermes_agent(root)
    assert exposed(home) == {".": True, "state.db": True}
    (home.path / "memories" / "MEMORY.md").write_text("he likes tea")
    (home.path / "config.yaml").write_text("model:\n  api_key: sk-1\n")
    assert exposed(home) == {".": True, "state.db": True, "memories": True, "config.yaml": True}
    kinds = {one.path.name: one.matter for one in look(home).exposed}
    assert kinds["config.yaml"] is Matter.SECRET
    assert kinds["state.db"] is Matter.PRIVATE


def test_behind_a_private_home_only_secrets_matter(root: Path) -> None:
    """For a home is opened by a slip, and copied with its modes."""
    home = made_by_hermes_agent(root)
    home.path.chmod(0o700)
    assert exposed(home) == {}
    (home.path / ".env").chmod(0o640)
    assert exposed(home) == {".env": False}


def test_an_open_home_below_a_closed_directory_cannot_be_reached(root: Path) -> None:
    """It is told of, and that nobody gets there."""
    home = made_by_hermes_agent(root)
    root.chmod(0o700)
    assert exposed(home) == {".": False, "state.db": False}


def test_what_others_reach_is_what_they_really_read(root: Path) -> None:
    """Asked of the kernel, as somebody else."""
    home = made_by_hermes_agent(root)
    for path, mode in ((root, 0o755), (root, 0o711), (root, 0o700), (home.path, 0o750), (home.path, 0o711)):
        root.chmod(0o755)
        home.path.chmod(0o755)
        path.chmod(mode)
        tried = "\ntry:\n    open(given); print('read')\nexcept PermissionError:\n    print('refused')\n"
        is_read = said_by_nobody(tried, home.path / "state.db") == "read\n"
        assert exposed(home).get("state.db", False) is is_read, oct(mode)


def test_a_group_reaches_only_where_each_directory_lets_it(root: Path) -> None:
    """Members of one group enter by its rights, and by everybody's where a directory is another group's."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to any group")
    home = root / "profiles" / "theirs"
    home.mkdir()
    for path, mode in ((root, 0o755), (root / "profiles", 0o755), (home, 0o750)):
        path.chmod(mode)
    os.chown(home, 0, NOBODY)
    assert Reach(home).is_open
    (home / "file").touch(0o640)
    assert not Reach(home).may_use((home / "file").stat())
    os.chown(home / "file", 0, NOBODY)
    assert Reach(home).may_use((home / "file").stat())
    root.chmod(0o750)
    assert not Reach(home).is_open


def test_mending_modes_touches_nothing_else(root: Path) -> None:
    """No byte, no other profile; what a link leads to stays as it is."""
    home = made_by_hermes_agent(root)
    outside = root / "outside"
    outside.write_text("not ours to close")
    outside.chmod(0o644)
    (home.path / ".env.link").symlink_to(outside)
    (home.path / "auth.json").symlink_to(outside)
    others = snapshot(root / "profiles" / "other")
    before = snapshot(home.path)
    HomeInspectorOnDisk().make_private(home, [one.path for one in look(home).exposed] + [home.path / "auth.json"])
    after = snapshot(home.path)
    assert exposed(home) == {}
    assert {name for name in before if before[name] != after[name]} == {"state.db"}
    assert before["state.db"][1] == after["state.db"][1]
    assert after["state.db"][0] == "-rw-------"
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert outside.stat().st_mode & 0o777 == 0o644
    assert snapshot(root / "profiles" / "other") == others


def test_only_entries_of_the_home_are_mended(root: Path) -> None:
    """Whatever is asked."""
    home = made_by_hermes_agent(root)
    other = root / "profiles" / "other" / ".env"
    other.chmod(0o644)
    HomeInspectorOnDisk().make_private(home, [other, root, home.path / "gone"])
    assert (other.stat().st_mode & 0o777, root.stat().st_mode & 0o777) == (0o644, 0o755)


def test_a_home_that_is_a_link_is_looked_at_and_never_mended(root: Path) -> None:
    """Its directory is somebody else's place."""
    home = made_by_hermes_agent(root)
    moved = root / "elsewhere"
    home.path.rename(moved)
    home.path.symlink_to(moved)
    (moved / "plans").rmdir()
    home = found(root, "theirs")
    before = snapshot(moved)
    condition = look(home)
    assert condition.is_link
    assert condition.missing == ("plans",)
    HomeInspectorOnDisk().make_private(home, [one.path for one in condition.exposed])
    HomeInspectorOnDisk().make_missing(home)
    assert snapshot(moved) == before
    assert moved.stat().st_mode & 0o777 == 0o755


def test_what_sudo_left_is_counted_and_not_followed(root: Path) -> None:
    """Everywhere below the home, but not in other profiles of the root."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    home = found(root, "other")
    for name in ("logs/agent.log", "sessions/a/b.json"):
        (home.path / name).parent.mkdir(exist_ok=True)
        (home.path / name).touch()
        os.chown(home.path / name, NOBODY, NOBODY)
    others = look(home).owned_by_others
    assert (others.count, others.owners) == (2, (NOBODY,))
    assert {path.name for path in others.examples} == {"agent.log", "b.json"}
    assert not others.is_in_the_way
    assert look(found(root, DEFAULT)).owned_by_others.count == 0


def test_a_home_with_very_many_entries_is_not_searched_for_ever(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them are."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    home = found(root, "other")
    for number in range(30):
        (home.path / f"{number:02d}").touch()
        os.chown(home.path / f"{number:02d}", NOBODY, NOBODY)
    monkeypatch.setattr(homeinspector, "MOST_ENTRIES", 11)
    assert look(home).owned_by_others.count == 10 - len([".env"])


def test_what_belongs_to_others_is_in_the_way_of_whoever_cannot_write_it(root: Path) -> None:
    """And a home that is closed to its reader is told of as such."""
    home = found(root, "other")
    for path in (home.path, *home.path.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055)
    program = (
        "home = homes.HomesOnDisk(given).find(homes.ProfileName('other'))\n"
        "condition = homeinspector.HomeInspectorOnDisk().look(home)\n"
        "print(condition.is_closed, condition.owned_by_others.is_in_the_way, condition.missing)\n"
    )
    assert said_by_nobody(program, root) == "True True ()\n"


def test_what_is_missing_is_made_private_and_nothing_is_replaced(root: Path) -> None:
    """A directory that is a file, or a link to nowhere, is for a person to see to."""
    home = made_by_hermes_agent(root)
    for name in ("plans", "skins", "workspace"):
        (home.path / name).rmdir()
    (home.path / ".env").unlink()
    (home.path / "skins").write_text("a file")
    (home.path / "workspace").symlink_to("/nowhere")
    condition = look(home)
    assert (condition.missing, condition.obstructed) == (("plans", ".env"), ("skins", "workspace"))
    before = snapshot(home.path)
    HomeInspectorOnDisk().make_missing(home)
    after = snapshot(home.path)
    assert after.keys() - before.keys() == {"plans", ".env"}
    assert (after["plans"][0], after[".env"][0]) == ("drwx------", "-rw-------")
    assert {name: after[name] for name in before} == before
    assert look(home).missing == ()


def test_a_directory_in_which_nothing_is_a_profile(root: Path) -> None:
    """As hermes-agent leaves one that it was making or deleting; the root is one whatever is in it."""
    (root / "profiles" / "cut" / "skills").mkdir(parents=True)
    assert look(found(root, "cut")).is_half
    assert not look(made_by_hermes_agent(root)).is_half
    assert not look(found(root, DEFAULT)).is_half
    assert look(found(root, DEFAULT)).missing == ()


def test_a_configuration_that_was_set_aside_is_told_until_somebody_mends_it(root: Path) -> None:
    """By the times of the two files."""
    home = made_by_hermes_agent(root)
    copy = home.path / "config.yaml.corrupt.20260720-101010.bak"
    shutil.copy2(home.path / "config.yaml", copy)
    assert look(home).set_aside == (copy,)
    os.utime(home.path / "config.yaml", (copy.stat().st_mtime + 1,) * 2)
    assert look(home).set_aside == ()
    (home.path / "config.yaml").unlink()
    assert look(home).set_aside == (copy,)


def test_lines_of_the_environment_that_nobody_understands_are_numbered(root: Path) -> None:
    """Their text, which may be a secret, is not repeated."""
    home = made_by_hermes_agent(root)
    (home.path / ".env").write_text('# fine\nA=1\nexport B="2"\nC D E "\n\nF=3\n= x\n')
    assert look(home).unclear_lines == (4, 7)


def test_a_home_that_is_gone_has_nothing_to_be_told_of(root: Path) -> None:
    """Whoever removed it knows."""
    home = made_by_hermes_agent(root)
    shutil.rmtree(home.path)
    assert look(home) == HomeCondition()
