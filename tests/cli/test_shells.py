"""Completion in real shells: bash, zsh and fish, each as a person starts it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hermesctl.completion import scripts
from hermesctl.options import SHELLS
from hermesd.domain.alias import render
from hermesd.domain.profile import ProfileName
from tests.cli import shells
from tests.cli.shells import Fish, Interactive
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.cli]

Opened = AbstractContextManager[Interactive | Fish]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """Each shell that is installed."""
    name: str = request.param
    shells.need(name)
    return name


@pytest.fixture
def person(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has hermesctl, the profile `coder` and its command `mate`."""
    home = Path(environment["HOME"])
    shells.install_client(tmp_path / "bin")
    make_alias(home, "mate")
    (home / ".hermes" / "profiles" / "coder").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "README.md").write_text("")
    path = f"{tmp_path / 'bin'}:{home / '.local' / 'bin'}:/usr/bin:/bin"
    return environment | {"PATH": path, "LANG": "C.UTF-8", "HERMESCTL_NO_AUTOSTART": "1"}


def make_alias(home: Path, name: str) -> None:
    """Writes what the daemon writes."""
    path = home / ".local" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(Path("/nowhere/launcher"), ProfileName("coder")))
    path.chmod(0o755)


def opened(shell: str, person: dict[str, str], tmp_path: Path, before: str = "") -> Opened:
    """A shell that has read the printed script."""
    script = tmp_path / f"hermesctl.{shell}"
    script.write_text(scripts.completion(shell, FakeTerminal({})))
    ready = "compinit -u -D\n" if shell == "zsh" else ""
    return shells.opened(shell, f"{before}{ready}source {script}\n", person, tmp_path / "work")


@pytest.fixture
def at(shell: str, person: dict[str, str], tmp_path: Path) -> Iterator[Interactive | Fish]:
    """The shell, with the script."""
    with opened(shell, person, tmp_path) as running:
        yield running


def test_a_unique_beginning_is_completed(at: Interactive | Fish) -> None:
    """Nouns, verbs, options and their values, profiles, the agent's commands, for hermesctl and for an alias."""
    for keys, expected in (
        ("hermesctl prof", "hermesctl profile"),
        ("hermesctl gateway is", "hermesctl gateway is-active"),
        ("hermesctl status --output=ya", "hermesctl status --output=yaml"),
        ("hermesctl -p cod", "hermesctl -p coder"),
        ("hermesctl --profile=cod", "hermesctl --profile=coder"),
        ("hermesctl -p coder kan", "hermesctl -p coder kanban"),
        ("hermesctl daemon stop --gat", "hermesctl daemon stop --gateways"),
        ("mate gateway rest", "mate gateway restart"),
        ("mate chat READ", "mate chat README.md"),
        ("hermesctl runtime add READ", "hermesctl runtime add README.md"),
        ("hermesctl gateway start zz", "hermesctl gateway start zz"),
        ("hermesctl bogus READ", "hermesctl bogus READ"),
        ("ls READ", "ls README.md"),
        ("some-other-command READ", "some-other-command README.md"),
    ):
        assert at.completed(keys).rstrip() == expected


def test_candidates_are_listed_with_what_they_are(at: Interactive | Fish, daemon: FakeDaemon) -> None:
    """Live profiles with their state; it may take more than one Tab on a busy machine, for each waits a moment."""
    wait_until(lambda: "backoff" in at.listed("hermesctl gateway start "), "the daemon to be quick enough")
    listed = at.listed("hermesctl gateway st")
    assert all(verb in listed for verb in ("start", "stop", "status"))


def test_the_command_of_a_later_profile_is_completed(at: Interactive | Fish, person: dict[str, str]) -> None:
    """In a shell that is open already, even under a name that the shell completes for another program."""
    for name in ("late", "gcc"):
        make_alias(Path(person["HOME"]), name)
        assert at.completed(f"{name} gateway rest").rstrip() == f"{name} gateway restart"


def test_a_path_to_the_command_is_completed(at: Interactive | Fish, person: dict[str, str]) -> None:
    """However the command is called."""
    for program in ("~/.local/bin/mate", f"{person['HOME']}/.local/bin/mate"):
        assert at.completed(f"{program} gateway rest").rstrip() == f"{program} gateway restart"


def test_quotes_and_spaces_are_understood(at: Interactive | Fish) -> None:
    """As the program itself would get the words."""
    assert at.completed('hermesctl   "gateway"   rest').rstrip() == 'hermesctl   "gateway"   restart'
    assert "coder" in at.completed('hermesctl -p "cod')


def test_a_word_before_the_cursor_is_completed(shell: str, at: Interactive | Fish) -> None:
    """What stands behind it stays."""
    if isinstance(at, Fish):
        pytest.skip("fish is asked without a cursor")
    keys = "hermesctl gatew start" + shells.BACK * len(" start")
    assert at.completed(keys).split() == ["hermesctl", "gateway", "start"]


def test_hostile_names_never_reach_the_shell(
    at: Interactive | Fish, person: dict[str, str], tmp_path: Path
) -> None:
    """What somebody else put below `profiles/` is neither offered nor executed."""
    for name in ("$(touch pwned)", "`touch pwned`", "a;touch pwned", "\x1b[31mred", "x\ny", "-rf", "q'uote"):
        (Path(person["HOME"]) / ".hermes" / "profiles" / name).mkdir()
    listed = at.listed("hermesctl gateway start ")
    assert "coder" in listed
    assert not any(bad in listed for bad in ("touch", "\x1b[31m", "-rf", "uote"))
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["README.md"]


def test_a_shell_without_the_program_says_nothing(shell: str, person: dict[str, str], tmp_path: Path) -> None:
    """It was uninstalled and its script was not."""
    (tmp_path / "bin" / "hermesctl").unlink()
    with opened(shell, person, tmp_path) as at:
        assert at.completed("hermesctl prof").rstrip() == "hermesctl prof"
        assert "not found" not in at.listed("hermesctl prof")


def test_what_is_installed_works_in_a_new_shell(shell: str, person: dict[str, str], tmp_path: Path) -> None:
    """With the lines that `--install` tells people to add."""
    said = shells.run_client(tmp_path / "bin", f"completion {shell} --install", person)
    added = "".join(f"{line.strip()}\n" for line in said.splitlines() if line.startswith("    "))
    unsafe = added.replace("&& compinit", "&& compinit -u -D")  # root's own directories look insecure to zsh
    with shells.opened(shell, unsafe, person, tmp_path / "work") as at:
        assert at.completed("hermesctl prof").rstrip() == "hermesctl profile"
        assert at.completed("mate gateway rest").rstrip() == "mate gateway restart"


def test_zsh_completes_the_variable_too(person: dict[str, str], tmp_path: Path) -> None:
    """It lets completion know what a value is for."""
    with opened("zsh", person, tmp_path) as at:
        for keys, expected in (
            ("HERMESCTL_PROFILE=cod", "HERMESCTL_PROFILE=coder"),
            ("export HERMESCTL_PROFILE=cod", "export HERMESCTL_PROFILE=coder"),
            ("HERMESCTL_PROFILE=x hermesctl prof", "HERMESCTL_PROFILE=x hermesctl profile"),
        ):
            assert at.completed(keys).rstrip() == expected


LOADER = """
_earlier() { case $1 in known) complete -W 'earlier-word' known; return 124 ;; esac; return 1; }
complete -D -o bashdefault -o default -F _earlier
"""


def test_bash_keeps_an_earlier_loader_of_completions(person: dict[str, str], tmp_path: Path) -> None:
    """bash-completion loads its completions by the same hook, and goes on doing so."""
    with opened("bash", person, tmp_path, LOADER) as at:
        assert at.completed("known earl").rstrip() == "known earlier-word"
        assert at.completed("unknown READ").rstrip() == "unknown README.md"
        make_alias(Path(person["HOME"]), "late")
        assert at.completed("late gateway rest").rstrip() == "late gateway restart"


def test_bash_takes_odd_options_and_a_second_reading(person: dict[str, str], tmp_path: Path) -> None:
    """People source their start-up files again, and have options that break careless scripts."""
    odd = "shopt -s failglob nullglob nocasematch\nset -u\n"
    with opened("bash", person, tmp_path, odd) as at:
        assert isinstance(at, Interactive)
        assert at.run(f"source {tmp_path}/hermesctl.bash").count("\n") == 1
        assert at.completed("hermesctl prof").rstrip() == "hermesctl profile"
        assert at.completed("mate gateway rest").rstrip() == "mate gateway restart"
        assert at.completed("unknown READ").rstrip() == "unknown README.md"
