"""What lies where profiles are and is none, and why."""

import os
import socket
from pathlib import Path

import pytest

from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain.layout import STAGING
from hermesd.domain.ports import MOST_IGNORED
from hermesd.domain.profile import DEFAULT

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

RULE = "a profile's name is 1 to 64 lower-case letters, digits, '_' or '-', starting with a letter or digit"


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """Where profiles are."""
    (tmp_path / "profiles" / "coder").mkdir(parents=True)
    return tmp_path / "profiles"


def told(profiles: Path) -> dict[str, str]:
    """Why each entry is none, by name."""
    found = HomesOnDisk(profiles.parent).ignored()
    assert [one.path for one in found] == sorted(one.path for one in found)
    return {one.path.removeprefix(f"{profiles}/"): one.why for one in found}


def test_every_kind_of_stray_is_explained(profiles: Path) -> None:
    """Names, files, links that lead nowhere, in a circle or to a file; never our own directory or a home."""
    for name in ("My Bot", "Coder", "-x", ".git", "a" * 65, DEFAULT, STAGING):
        (profiles / name).mkdir()
    (profiles / "notes").write_text("")
    os.mkfifo(profiles / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(profiles / "sock"))
    (profiles / "dangling").symlink_to("nothing")
    (profiles / "circle").symlink_to("circle")
    (profiles / "to-file").symlink_to("notes")
    (profiles / "linked").symlink_to("coder")
    assert told(profiles) == {
        **dict.fromkeys(("My Bot", "Coder", "-x", ".git", "a" * 65), RULE),
        DEFAULT: "'default' is the directory above all profiles",
        **dict.fromkeys(("notes", "pipe", "sock"), "it is not a directory"),
        "dangling": "it is a link that leads nowhere",
        "circle": "it is a link that leads in a circle",
        "to-file": "it is a link to what is not a directory",
    }
    homes = [home.name.text for home in HomesOnDisk(profiles.parent).scan()]
    assert homes == ["default", "coder", "linked"]


def test_names_that_are_no_text_or_steer_a_terminal_are_told(profiles: Path) -> None:
    """Bytes are spelled out; what is text stays as it is, and is the client's to show."""
    Path(os.fsdecode(os.fsencode(profiles) + b"/caf\xe9")).mkdir()
    (profiles / "a\x1b[31m\nb").mkdir()
    assert told(profiles).keys() == {"caf\\udce9", "a\x1b[31m\nb"}


def test_a_whole_collection_of_strays_is_cut_short(profiles: Path) -> None:
    """Whatever somebody keeps there, the answer stays small."""
    for number in range(MOST_IGNORED + 5):
        (profiles / f"File {number}").write_text("")
    assert len(told(profiles)) == MOST_IGNORED


def test_without_a_directory_of_profiles_there_are_no_strays(tmp_path: Path) -> None:
    """A fresh root has none."""
    assert HomesOnDisk(tmp_path).ignored() == []
