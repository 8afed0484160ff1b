"""The name for people in `profile.yaml`, beside what the agent keeps there."""

import os
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.errors import ConfigInvalid, DiskFull, ProfileNotFound
from hermesd.domain.profile import DISPLAY_NAME_LENGTH, Home
from tests.adapters.hermes_homes import home_at
from tests.faults.injection import crash_at, fill_disk_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ABOUT = "# mine\ndescription: Writes   # code\ndescription_auto: true\nother: [1, 2]\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that says what it is for."""
    return home_at(tmp_path / "coder", profile__yaml=ABOUT)


def test_all_other_bytes_stay(home: Home) -> None:
    """A line is added; comments, order and unknown keys are as they were."""
    agent = HermesAgent()
    agent.set_display_name(home, "Front: Desk")
    path = home.path / "profile.yaml"
    assert path.read_text() == f'{ABOUT}display_name: "Front: Desk"\n'
    facts = agent.facts(home)
    assert (facts.display_name, facts.description, facts.description_is_generated) == (
        "Front: Desk",
        "Writes",
        True,
    )
    agent.set_display_name(home, "")
    assert path.read_text() == f'{ABOUT}display_name: ""\n'
    assert agent.facts(home).display_name == ""


def test_what_is_so_already_is_not_written(home: Home) -> None:
    """Nor is a file made to say that there is no such name."""
    agent = HermesAgent()
    agent.set_display_name(home, "Desk")
    before = (home.path / "profile.yaml").stat().st_ino
    agent.set_display_name(home, "Desk")
    assert (home.path / "profile.yaml").stat().st_ino == before
    (home.path / "profile.yaml").unlink()
    agent.set_display_name(home, "")
    assert not (home.path / "profile.yaml").exists()
    agent.set_display_name(home, "Desk")
    assert (home.path / "profile.yaml").stat().st_mode & 0o777 == 0o600


def test_a_name_that_somebody_else_wrote_is_bounded(home: Home) -> None:
    """One line, not longer than one of ours."""
    (home.path / "profile.yaml").write_text(f"display_name: |\n  two\n  lines {'x' * 100}\n")
    shown = HermesAgent().facts(home).display_name
    assert shown.startswith("two lines xxx")
    assert len(shown) == DISPLAY_NAME_LENGTH


@pytest.mark.parametrize(
    "text", ["a: [", "- x\n", "a: &x 1\nb: *x\ndisplay_name: *x\nc: {display_name: 1}\n? [z]\n: 1\n"]
)
def test_a_file_that_cannot_be_changed_safely_is_left(home: Home, text: str) -> None:
    """CONFIG_INVALID, with every byte as it was, or the change is exactly what was meant."""
    (home.path / "profile.yaml").write_text(text)
    try:
        HermesAgent().set_display_name(home, "Desk")
    except ConfigInvalid:
        assert (home.path / "profile.yaml").read_text() == text
    else:
        assert HermesAgent().facts(home).display_name == "Desk"


def test_a_link_out_of_the_home_is_not_written_through(tmp_path: Path, home: Home) -> None:
    """Whosever that file is. One within the home is followed."""
    outside = tmp_path / "outside.yaml"
    outside.write_text("x: 1\n")
    path = home.path / "profile.yaml"
    path.rename(home.path / "real.yaml")
    path.symlink_to(outside)
    with pytest.raises(ConfigInvalid, match="leads out of the profile"):
        HermesAgent().set_display_name(home, "Desk")
    assert outside.read_text() == "x: 1\n"
    path.unlink()
    path.symlink_to("real.yaml")
    HermesAgent().set_display_name(home, "Desk")
    assert path.is_symlink()
    assert "Desk" in (home.path / "real.yaml").read_text()


def test_a_home_that_is_gone_is_not_made_again(home: Home) -> None:
    """PROFILE_NOT_FOUND, and nothing lies there."""
    (home.path / "profile.yaml").unlink()
    home.path.rmdir()
    with pytest.raises(ProfileNotFound):
        HermesAgent().set_display_name(home, "Desk")
    assert not os.path.lexists(home.path)


def test_a_write_that_is_cut_off_leaves_the_old_or_the_new(home: Home) -> None:
    """At any step, and on a full disk."""
    path = home.path / "profile.yaml"
    outcomes = set()
    step = 1
    while crash_at(step, lambda: HermesAgent().set_display_name(home, "Desk")):
        outcomes.add(path.read_text())
        path.write_text(ABOUT)
        step += 1
    assert outcomes <= {ABOUT, f"{ABOUT}display_name: Desk\n"}
    assert step > 4
    path.write_text(ABOUT)
    step = 1
    while fill_disk_at(step, lambda: HermesAgent().set_display_name(home, "Desk"), DiskFull):
        assert path.read_text() in {ABOUT, f"{ABOUT}display_name: Desk\n"}
        path.write_text(ABOUT)
        step += 1
    assert path.read_text() == f"{ABOUT}display_name: Desk\n"
