"""Which profile a command works on."""

import os
from pathlib import Path

import pytest

from hermesctl.errors import HermesError
from hermesctl.selection import Selection, Source, choose, homes

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


@pytest.mark.parametrize(
    "home",
    [
        "profiles/ghost",
        "profiles",
        "profiles/coder/sub",
        "elsewhere",
        "",
        "profiles/Loud",
        "profiles/default",
        "file",
    ],
)
def test_a_home_that_is_no_profiles_home_chooses_nothing(root: Path, home: str) -> None:
    """HERMES_HOME counts only when it is exactly a profile's home; that of a deleted profile is none."""
    for name in ("Loud", "default", "coder/sub"):
        (root / "profiles" / name).mkdir()
    (root / "file").write_text("")
    variables = {"HERMES_HOME": str(root / home) if home else ""}
    assert choose("", "", variables, root).source is Source.STICKY


@pytest.mark.parametrize("home", ["profiles/coder", "./profiles/coder", "~/.hermes/profiles/coder"])
def test_a_relative_home_chooses_nothing(root: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it leads depends on who looks."""
    monkeypatch.chdir(root)
    assert choose("", "", {"HERMES_HOME": home}, root).source is Source.STICKY


def test_the_root_and_links_to_homes_are_homes(root: Path, tmp_path: Path) -> None:
    """HERMES_HOME is compared by where it leads."""
    (tmp_path / "link").symlink_to(root / "profiles" / "coder")
    assert choose("", "", {"HERMES_HOME": str(root)}, root).name == "default"
    assert choose("", "", {"HERMES_HOME": str(tmp_path / "link")}, root).name == "coder"


def test_a_home_that_is_a_link_itself_is_its_profiles(root: Path, tmp_path: Path) -> None:
    """A link below `profiles/` is a home, under its own name; what it leads to is that profile's as well."""
    (tmp_path / "elsewhere").mkdir()
    for name in ("mail", "post"):
        (root / "profiles" / name).symlink_to(tmp_path / "elsewhere")
    (root / "profiles" / "astray").symlink_to(tmp_path / "nowhere")
    for home, name in (("mail", "mail"), ("post/", "post"), ("./post", "post")):
        assert choose("", "", {"HERMES_HOME": f"{root}/profiles/{home}"}, root).name == name
    assert choose("", "", {"HERMES_HOME": str(tmp_path / "elsewhere")}, root).name == "mail"
    assert choose("", "", {"HERMES_HOME": f"{root}/profiles/astray"}, root).source is Source.STICKY


def test_what_nobody_typed_is_read_leniently(root: Path) -> None:
    """Space and upper case do not matter, as everywhere."""
    assert choose("", "", {"HERMESCTL_PROFILE": " Coder\n"}, root).name == "coder"
    assert choose("", "", {"HERMESCTL_PROFILE": " \t"}, root).source is Source.STICKY
    (root / "active_profile").write_text("\n Coder \n\n")
    assert choose("", "", {}, root) == Selection("coder", Source.STICKY)


ODD = ["a b", "../x", "coder\nworker", "\x1b[31mred", "$(id)", "-p", "ж", "x" * 65, "a" * 5000]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_name_is_refused_with_the_way_out(root: Path, text: str) -> None:
    """Before anything is done, and saying where it is written, for nobody typed it."""
    with pytest.raises(HermesError) as caught:
        choose("", "", {"HERMESCTL_PROFILE": text}, root)
    failure = caught.value
    assert (failure.reason, failure.why) == ("PROFILE_NAME_INVALID", "it comes from: HERMESCTL_PROFILE")
    assert failure.fixes[0].command == "unset HERMESCTL_PROFILE"
    (root / "active_profile").write_text(text)
    with pytest.raises(HermesError) as caught:
        choose("", "", {}, root)
    assert (caught.value.reason, caught.value.why) == ("PROFILE_NAME_INVALID", "it comes from: sticky default")
    assert caught.value.fixes[0].command == "hermesctl profile use --clear"
    assert choose("coder", "", {"HERMESCTL_PROFILE": text}, root).name == "coder"


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_a_sticky_default_that_is_no_file_is_none(root: Path, kind: str) -> None:
    """Nothing waits for what somebody put there."""
    path = root / "active_profile"
    path.unlink()
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    assert choose("", "", {}, root).source is Source.NONE


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


def test_homes_are_what_the_daemon_takes_for_profiles(root: Path) -> None:
    """Directories with the name of a profile, sorted."""
    for name in ("b", "a", ".hermesd", "Loud", "default", "sp ace", "-x"):
        (root / "profiles" / name).mkdir()
    (root / "profiles" / "file").write_text("")
    assert homes(root) == ["a", "b", "coder"]
    assert homes(root / "none") == []
