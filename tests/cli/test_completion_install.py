"""Where completion scripts are put, and what is left alone there."""

import re
import stat
from pathlib import Path

import pytest

from hermesctl.completion import scripts
from hermesctl.completion.installing import MARK, MARKED_BYTES, PLACES
from hermesctl.options import SHELLS
from tests.cli.conftest import Run
from tests.fakes.terminal import FakeTerminal

pytestmark = [pytest.mark.fast, pytest.mark.cli]

USUAL = {
    "bash": ".local/share/bash-completion/completions/hermesctl",
    "zsh": ".local/share/zsh/site-functions/_hermesctl",
    "fish": ".config/fish/completions/hermesctl.fish",
}


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    """The person's home."""
    return Path(environment["HOME"])


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_put_where_its_shell_looks(run: Run, home: Path, shell: str) -> None:
    """The very text that is printed, readable, with nothing left beside it; a second time changes nothing."""
    printed = run(f"completion {shell}").out
    assert run(f"completion {shell} --install").code == 0
    path = home / USUAL[shell]
    assert path.read_text() == printed
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
    before = path.stat()
    again = run(f"completion {shell} --install")
    assert again.out.startswith("✓ already current: ")
    assert path.stat() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("shell", "variable", "path"),
    [
        ("bash", "XDG_DATA_HOME", "bash-completion/completions/hermesctl"),
        ("bash", "BASH_COMPLETION_USER_DIR", "completions/hermesctl"),
        ("zsh", "XDG_DATA_HOME", "zsh/site-functions/_hermesctl"),
        ("fish", "XDG_CONFIG_HOME", "fish/completions/hermesctl.fish"),
    ],
)
def test_a_place_of_ones_own_is_honoured(run: Run, tmp_path: Path, shell: str, variable: str, path: str) -> None:
    """As the shells themselves honour it."""
    run(f"completion {shell} --install", variables={variable: str(tmp_path / "own")})
    assert (tmp_path / "own" / path).is_file()


def test_a_relative_place_is_ignored(run: Run, home: Path) -> None:
    """It would mean another one in every directory."""
    run("completion bash --install", variables={"XDG_DATA_HOME": "data", "BASH_COMPLETION_USER_DIR": "x"})
    assert (home / USUAL["bash"]).is_file()


@pytest.mark.parametrize("shell", SHELLS)
def test_an_older_script_of_ours_is_replaced(run: Run, home: Path, shell: str) -> None:
    """Its first lines say whose it is."""
    path = home / USUAL[shell]
    path.parent.mkdir(parents=True)
    path.write_text(scripts.completion(shell, FakeTerminal({})) + "# of an older release\n")
    assert run(f"completion {shell} --install").out.startswith("✓ wrote ")
    assert "older" not in path.read_text()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kind", ["file", "directory", "late mark", "link"])
def test_what_somebody_else_put_there_is_left_alone(run: Run, home: Path, shell: str, kind: str) -> None:
    """Exit code 5, with commands that keep it aside."""
    path = home / USUAL[shell]
    path.parent.mkdir(parents=True)
    other = home / "theirs"
    other.write_text("x" * MARKED_BYTES + MARK if kind == "late mark" else "complete -W a hermesctl\n")
    match kind:
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to(other)
        case _:
            path.write_text(other.read_text())
    ended = run(f"completion {shell} --install")
    assert ended.code == 5
    assert ended.err == (
        f"error: cannot install the completion of {shell}\n"
        f"  why: somebody else wrote {path}\n"
        f"  fix: keep it aside     mv {path} {path}.before\n"
        f"                         hermesctl completion {shell} --install\n"
    )
    assert path.is_dir() or path.read_text() == other.read_text()


def test_a_link_to_a_script_of_ours_stays_a_link(run: Run, home: Path) -> None:
    """People keep such files in a repository of their own."""
    path = home / USUAL["bash"]
    path.parent.mkdir(parents=True)
    kept = home / "dotfiles"
    kept.write_text(f"# {MARK} bash`, long ago\n")
    path.symlink_to(kept)
    assert run("completion bash --install").code == 0
    assert path.is_symlink()
    assert "_hermesctl()" in kept.read_text()


def test_what_cannot_be_written_is_explained(run: Run, home: Path) -> None:
    """A file where a directory is needed."""
    (home / ".local").write_text("")
    ended = run("completion bash --install")
    assert (ended.code, ended.out) == (1, "")
    assert ".local" in ended.err


def test_fish_learns_the_commands_of_profiles_when_it_starts(run: Run, home: Path) -> None:
    """It would look for a completion of theirs by their own names; nothing is written where one part cannot be."""
    loader = home / ".config" / "fish" / "conf.d" / "hermesctl.fish"
    loader.parent.mkdir(parents=True)
    loader.write_text("# mine\n")
    assert run("completion fish --install").code == 5
    assert not (home / USUAL["fish"]).exists()
    loader.unlink()
    assert f"✓ wrote {loader}\n" in run("completion fish --install").out


def test_nothing_that_people_write_themselves_is_touched(run: Run, home: Path) -> None:
    """Start-up files are theirs: what to add is said, and added by nobody."""
    for name in (".bashrc", ".zshrc"):
        (home / name).write_text("mine\n")
    told = "".join(run(f"completion {shell} --install").out for shell in SHELLS)
    assert {(home / name).read_text() for name in (".bashrc", ".zshrc")} == {"mine\n"}
    assert f"    source {home / USUAL['bash']}\n" in told
    assert f"    fpath=({(home / USUAL['zsh']).parent} $fpath)\n" in told


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", ["hermesctl", "/opt/my tools/hermesctl", "/opt/my tools/python3 -m hermesctl"])
def test_a_script_calls_the_program_as_its_caller_can(shell: str, program: str) -> None:
    """Also where hermesctl is not on PATH, and where there is a space in its path."""
    terminal = FakeTerminal({})
    terminal.program = program
    text = scripts.completion(shell, terminal)
    called = {
        "hermesctl": "hermesctl __complete",
        "/opt/my tools/hermesctl": "'/opt/my tools/hermesctl' __complete",
    }.get(program, "'/opt/my tools/python3' -m hermesctl __complete")
    assert f" {called} {shell} " in text
    assert not re.search("@[A-Z]+@", text)
    assert set(PLACES) == set(SHELLS)
