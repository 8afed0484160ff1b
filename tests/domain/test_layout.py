"""What a fresh home contains: files that hermes-agent reads as they are meant."""

from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.layout import DIRECTORIES, STAGING, fresh_files
from hermesd.domain.profile import NAME_PATTERN

pytestmark = [pytest.mark.fast, pytest.mark.domain]

ONE_LINE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_plain_home_has_secrets_and_soul() -> None:
    """A home without wishes of its own has the two files every agent has."""
    assert set(fresh_files(description="", with_skills=True)) == {".env", "SOUL.md"}


def test_opting_out_of_skills_leaves_a_note() -> None:
    """A profile without bundled skills says so in the file that hermes-agent looks for."""
    assert set(fresh_files(description="", with_skills=False)) == {".env", "SOUL.md", ".no-bundled-skills"}


@given(ONE_LINE)
def test_description_survives_yaml(description: str) -> None:
    """Whatever people write as a description, YAML reads it back."""
    text = fresh_files(description=description, with_skills=True)["profile.yaml"]
    assert yaml.safe_load(text) == {"description": description, "description_auto": False}


def test_fresh_secrets_set_nothing() -> None:
    """The file for secrets holds explanations only."""
    lines = fresh_files(description="", with_skills=True)[".env"].splitlines()
    assert lines
    assert all(line.startswith("#") for line in lines)


@pytest.mark.parametrize("with_skills", [True, False])
def test_everything_stays_inside_the_home(with_skills: bool) -> None:
    """Names are plain and none is both file and directory, and every text ends with a line end."""
    files = fresh_files(description="bot", with_skills=with_skills)
    names = [*files, *DIRECTORIES]
    assert len(names) == len(set(names))
    assert all(PurePosixPath(name).name == name for name in names)
    assert all(text.endswith("\n") for text in files.values())


def test_staging_is_no_profile() -> None:
    """The directory beside the profiles cannot be taken for one."""
    assert not NAME_PATTERN.fullmatch(STAGING)
