"""Which profile a command works on."""

from pathlib import Path

import pytest

from hermesctl.errors import HermesError
from hermesctl.selection import Selection, Source, choose

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with one profile and a sticky default."""
    root = tmp_path / ".hermes"
    (root / "profiles" / "coder").mkdir(parents=True)
    (root / "active_profile").write_text("sticky\n")
    return root


def test_each_choice_gives_way_to_the_one_before_it(root: Path) -> None:
    """Argument, flag, variable, home, sticky default, default: in this order."""
    variables = {"HERMESCTL_PROFILE": "variable", "HERMES_HOME": str(root / "profiles" / "coder")}
    assert choose("named", "", variables, root) == Selection("named", Source.ARGUMENT)
    assert choose("", "flag", variables, root) == Selection("flag", Source.FLAG)
    assert choose("", "", variables, root) == Selection("variable", Source.VARIABLE)
    del variables["HERMESCTL_PROFILE"]
    assert choose("", "", variables, root) == Selection("coder", Source.HOME)
    assert choose("", "", {}, root) == Selection("sticky", Source.STICKY)
    (root / "active_profile").unlink()
    assert choose("", "", {}, root) == Selection("default", Source.NONE)


def test_only_what_is_typed_is_explicit(root: Path) -> None:
    """Everything else is announced before a change."""
    assert choose("named", "", {}, root).is_explicit
    assert choose("", "flag", {}, root).is_explicit
    assert not choose("", "", {"HERMESCTL_PROFILE": "x"}, root).is_explicit
    assert not choose("", "", {}, root).is_explicit


def test_an_argument_and_a_flag_may_agree_but_not_disagree(root: Path) -> None:
    """A person who names two profiles meant one of them; we do not guess which."""
    assert choose("coder", "coder", {}, root).name == "coder"
    with pytest.raises(HermesError) as caught:
        choose("coder", "worker", {}, root)
    assert (caught.value.reason, caught.value.exit_code) == ("PROFILE_CONFLICT", 2)


@pytest.mark.parametrize("home", ["profiles/ghost", "profiles", "profiles/coder/sub", "elsewhere", ""])
def test_a_home_that_is_no_profiles_home_chooses_nothing(root: Path, home: str) -> None:
    """HERMES_HOME counts only when it is exactly a profile's home."""
    variables = {"HERMES_HOME": str(root / home) if home else ""}
    assert choose("", "", variables, root).source is Source.STICKY


def test_the_root_and_links_to_homes_are_homes(root: Path, tmp_path: Path) -> None:
    """HERMES_HOME is compared by where it leads."""
    (tmp_path / "link").symlink_to(root / "profiles" / "coder")
    assert choose("", "", {"HERMES_HOME": str(root)}, root).name == "default"
    assert choose("", "", {"HERMES_HOME": str(tmp_path / "link")}, root).name == "coder"


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"])
def test_an_empty_sticky_default_is_none(root: Path, content: bytes) -> None:
    """The file says nothing, so nothing is chosen."""
    (root / "active_profile").write_bytes(content)
    assert choose("", "", {}, root).source is Source.NONE


def test_a_root_that_does_not_exist_has_no_sticky_default(tmp_path: Path) -> None:
    """Before the first profile, the default is the default."""
    assert choose("", "", {}, tmp_path / "none").name == "default"
    (tmp_path / "file").write_text("")
    assert choose("", "", {}, tmp_path / "file").name == "default"
