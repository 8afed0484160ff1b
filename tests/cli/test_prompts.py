"""The chosen profile in the prompts of real shells, held against what hermesctl itself would choose."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hermesctl.completion import scripts
from hermesctl.errors import HermesError
from hermesctl.options import SHELLS
from hermesctl.selection import DEFAULT, surroundings
from tests.cli import shells
from tests.cli.conftest import Run

pytestmark = [pytest.mark.fast, pytest.mark.cli]

SIGN = "\u276f"
SHOWN = {
    "bash": (
        "PS1='at '\n{script}\n__hermesctl_before_prompt\nprintf '%s' \"${{PS1@P}}\"\n",
        ["--norc", "--noprofile"],
    ),
    "zsh": ("PROMPT='at '\n{script}\n__hermesctl_before_prompt\nprint -nrP -- $PROMPT\n", ["-f"]),
    "fish": (
        "function fish_prompt; echo -n 'at '; end\n{script}\nemit fish_prompt\nfish_prompt\n",
        ["--no-config"],
    ),
}
"""How each shell is made to show its prompt without a terminal: its own expansion, our own hook."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """Each shell that is installed."""
    name: str = request.param
    shells.need(name)
    return name


@pytest.fixture
def root(environment: dict[str, str]) -> Path:
    """A root with profiles, some of them links."""
    root = Path(environment["HOME"]) / ".hermes"
    for name in ("coder", "worker", "a-b_9", "Loud", "default"):
        (root / "profiles" / name).mkdir(parents=True)
    (root.parent / "elsewhere").mkdir()
    (root / "profiles" / "linked").symlink_to(root.parent / "elsewhere")
    return root


Show = Callable[..., str]


@pytest.fixture
def show(shell: str, environment: dict[str, str], root: Path, tmp_path: Path) -> Show:
    """The prompt of the shell with these variables, where PATH leads nowhere: no program could be started."""

    def shown(after: str = "", **variables: str) -> str:
        text, arguments = SHOWN[shell]
        ended = subprocess.run(
            [shells.need(shell), *arguments, "-c", text.format(script=f"{scripts.prompt(shell)}\n{after}")],
            env=environment | {"PATH": str(tmp_path / "nowhere"), "LANG": "C.UTF-8"} | variables,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ended.stderr == b""
        return ended.stdout.decode()

    return shown


def expected(environment: dict[str, str], root: Path) -> str:
    """What hermesctl would work on; empty for `default` and where it would refuse."""
    try:
        name = surroundings(environment, root).name
    except HermesError:
        return ""
    return "" if name == DEFAULT else f"{name} {SIGN} "


CHOICES: list[tuple[str | None, dict[str, str]]] = [
    (None, {}),
    ("coder\n", {}),
    ("  Coder \n\n", {}),
    ("\n\ta-b_9", {}),
    ("default\n", {}),
    ("ghost\n", {}),
    ("", {}),
    ("coder\nworker\n", {}),
    ("coder", {"HERMESCTL_PROFILE": "worker"}),
    ("coder", {"HERMESCTL_PROFILE": " WORKER\n"}),
    ("coder", {"HERMESCTL_PROFILE": " "}),
    ("coder", {"HERMESCTL_PROFILE": "default"}),
    ("coder", {"HERMESCTL_PROFILE": "no name"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/worker"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/worker///"}),
    ("coder", {"HERMES_HOME": "{root}"}),
    ("coder", {"HERMES_HOME": "{root}/profiles"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/gone"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/Loud"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/default"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/linked"}),
    ("coder", {"HERMES_HOME": "{root}/../elsewhere"}),
    ("coder", {"HERMES_HOME": "profiles/worker"}),
    ("coder", {"HERMES_HOME": "{root}/profiles/worker", "HERMESCTL_PROFILE": "coder"}),
    ("coder", {"HERMESD_ROOT": "{root}/../elsewhere"}),
    ("coder", {"HERMESD_ROOT": "", "HERMES_HOME": ""}),
]


@pytest.mark.parametrize(("sticky", "variables"), CHOICES)
def test_the_prompt_shows_what_hermesctl_would_choose(
    show: Show, environment: dict[str, str], root: Path, sticky: str | None, variables: dict[str, str]
) -> None:
    """The same order of choices, read by the shell itself; nothing where the choice is `default`."""
    if sticky is not None:
        (root / "active_profile").write_text(sticky)
    chosen = {name: value.format(root=root) for name, value in variables.items()}
    chosen_root = Path(os.path.realpath(chosen.get("HERMESD_ROOT") or root))
    assert show(**chosen) == expected(environment | chosen, chosen_root) + "at "


HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "${PATH}",
    "%n%F{red}x",
    "\\u@\\h",
    "a;touch pwned",
    "\x1b]0;title\x07",
    "\x1b[31mred",
    "a\tb",
    "-n",
    "_x",
    "x" * 65,
    "ünïcödé",
    "../coder",
    "coder'",
    "*",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_name_is_never_shown(show: Show, root: Path, tmp_path: Path, text: str) -> None:
    """Neither shown nor expanded, wherever it stands."""
    (root / "active_profile").write_text(f"{text}\n")
    assert show() == "at "
    assert show(HERMESCTL_PROFILE=text) == "at "
    assert show(HERMES_HOME=f"{root}/profiles/{text}") == "at "
    assert not (tmp_path / "pwned").exists()


def test_bytes_that_are_no_text_are_never_shown(show: Show, root: Path) -> None:
    """Whatever the locale makes of them."""
    (root / "active_profile").write_bytes(b"cod\xffer\n")
    for locale in ("C.UTF-8", "C"):
        assert show(LC_ALL=locale) == "at "


@pytest.mark.parametrize("kind", ["directory", "pipe", "unreadable link"])
def test_a_sticky_default_that_is_no_file_hangs_nothing(show: Show, root: Path, kind: str) -> None:
    """A prompt that waits for a pipe would be the end of the shell."""
    path = root / "active_profile"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(path)
    assert show() == "at "


@pytest.mark.parametrize(
    ("variables", "sign"),
    [
        ({"LC_ALL": "C"}, ">"),
        ({"LC_ALL": "", "LC_CTYPE": "C", "LANG": "C.UTF-8"}, ">"),
        ({"LC_ALL": "C.utf8", "LANG": "C"}, SIGN),
        ({"LANG": ""}, ">"),
    ],
)
def test_the_sign_is_one_that_the_terminal_can_show(show: Show, variables: dict[str, str], sign: str) -> None:
    """By the locale, as hermesctl judges it."""
    assert show(HERMESCTL_PROFILE="coder", **variables) == f"coder {sign} at "


def test_fish_shows_the_exit_codes_of_what_ran_before() -> None:
    """A prompt that shows them is asked before anything of ours runs."""
    prompt = "function fish_prompt; echo -n $status $pipestatus 'at '; end\n"
    script = f"{prompt}{scripts.prompt('fish')}\nfalse | true | false\nfish_prompt"
    command = [shells.need("fish"), "--no-config", "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == "1 1 0 1 at "


def test_a_second_reading_changes_nothing(shell: str, show: Show) -> None:
    """People source their start-up files again."""
    script = scripts.prompt(shell)
    assert show(after=f"{script}\n", HERMESCTL_PROFILE="coder") == f"coder {SIGN} at "


def test_the_client_prints_what_the_shell_evaluates(run: Run, shell: str) -> None:
    """Plain ASCII, so that it survives any locale on its way."""
    ended = run(f"profile prompt {shell}", variables={"LC_ALL": "C"})
    assert ended.out == scripts.prompt(shell)
    assert ended.out.isascii()


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_real_prompt_follows_the_choice(
    environment: dict[str, str], root: Path, name: str, tmp_path: Path
) -> None:
    """From one command to the next, at a real terminal, with the exit code where the prompt shows it."""
    shells.need(name)
    code = {"bash": "PS1='$?ready> '", "zsh": "PS1='%?ready> '"}[name]
    setup = f"{scripts.prompt(name)}\n{code}\n"
    with shells.opened(name, setup, environment | {"LANG": "C.UTF-8"}, tmp_path) as at:
        assert isinstance(at, shells.Interactive)
        (root / "active_profile").write_text("coder\n")
        assert at.run("true").splitlines()[-1].endswith(f"coder {SIGN} 0")
        (root / "active_profile").write_text("worker\n")
        assert at.run("(exit 7)").splitlines()[-1].endswith(f"worker {SIGN} 7")
        assert at.run("export HERMESCTL_PROFILE=default").splitlines()[-1].endswith("0")
        assert "worker" not in at.run("true")
