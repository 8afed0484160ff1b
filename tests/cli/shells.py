"""Real shells at a real pty, as a person has them, in a private home.

Owns: starting one, pressing keys, and reading what the command line says then. Must not know what a test proves.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

ANSWER_S = 30
"""How long a shell may take for anything, in seconds."""

TAB, BACK, ERASE, TELL = "\t", "\x02", "\x15", "\x07"

STARTS = {
    "bash": (
        "PS1='ready> '\n"
        "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; bind 'set completion-query-items 0'\n"
        "tell() { printf '\\n<<%s>>\\n' \"$READLINE_LINE\"; READLINE_LINE=; }\n"
        "bind -x '\"\\C-g\": tell'\n"
    ),
    "zsh": (
        "PS1='ready> '; unsetopt beep prompt_cr; autoload -U compinit\n"
        'tell() { print -r -- ""; print -r -- "<<$BUFFER>>"; BUFFER=; zle reset-prompt }\n'
        "zle -N tell; bindkey -e; bindkey '^G' tell\n"
    ),
}
"""Start-up files that make a shell predictable, and tell and clear its command line at Ctrl-G."""


def need(shell: str) -> str:
    """The shell's path; skips the test where it is not installed."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    return path


def install_client(directory: Path) -> None:
    """Puts a `hermesctl` into a directory that runs this tree's."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "hermesctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hermesctl "$@"\n')
    program.chmod(0o755)


def run_client(directory: Path, words: str, environment: Mapping[str, str]) -> str:
    """What that `hermesctl` prints; it must succeed."""
    command = [str(directory / "hermesctl"), *words.split()]
    return subprocess.run(command, env=dict(environment), check=True, capture_output=True, text=True).stdout


class Interactive:
    """bash or zsh, at a pty."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self._child = child
        self._child.expect_exact("ready> ")

    def completed(self, keys: str) -> str:
        """The command line after these keys and a Tab."""
        self._child.send(f"{keys}{TAB}{TELL}")
        return self._told()

    def listed(self, keys: str) -> str:
        """What is shown of the candidates after these keys."""
        self._child.send(f"{keys}{TAB}{TAB}")
        self._child.expect_exact(keys)
        self._child.send(TELL)
        self._told()
        return str(self._child.before)

    def run(self, command: str) -> str:
        """Runs a command and returns what is shown until the next prompt."""
        self._child.sendline(command)
        self._child.expect_exact("ready> ")
        return str(self._child.before)

    def _told(self) -> str:
        self._child.expect(re.compile("<<(.*?)>>", re.DOTALL))
        assert self._child.match is not None
        return str(self._child.match.group(1))  # type: ignore[union-attr]


class Fish:
    """fish, which tells its candidates without a terminal."""

    def __init__(self, path: str, setup: str, environment: Mapping[str, str], directory: Path) -> None:
        self._path = path
        self._setup = setup
        self._environment = dict(environment)
        self._directory = directory

    def completed(self, keys: str) -> str:
        """The same, where there is one candidate."""
        candidates = [line.partition("\t")[0] for line in self.listed(keys).splitlines()]
        if len(candidates) != 1:
            return keys
        return keys[: keys.rfind(" ") + 1] + candidates[0]

    def listed(self, keys: str) -> str:
        """All candidates, each with what it is."""
        return self.run(f"complete -C '{keys}'")

    def run(self, command: str) -> str:
        """Runs a command in a new shell and returns what it writes."""
        plain = [] if not self._setup else ["--no-config"]
        ended = subprocess.run(
            [self._path, *plain, "-c", f"{self._setup}\n{command}"],
            env=self._environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
        assert ended.stderr == ""
        return ended.stdout


@contextmanager
def opened(
    shell: str, setup: str, environment: Mapping[str, str], directory: Path
) -> "Iterator[Interactive | Fish]":
    """A shell that has run `setup`, in a directory; it ends with the block."""
    path = need(shell)
    if shell == "fish":
        yield Fish(path, setup, environment, directory)
        return
    start = Path(environment["HOME"]) / {"bash": ".bashrc", "zsh": ".zshrc"}[shell]
    start.write_text(STARTS[shell] + setup)
    arguments = ["--noprofile"] if shell == "bash" else ["-d"]
    child = pexpect.spawn(
        path,
        arguments,
        env={"TERM": "dumb", **environment},
        cwd=str(directory),
        encoding="utf-8",
        timeout=ANSWER_S,
        dimensions=(50, 160),
        echo=True,
    )
    try:
        yield Interactive(child)
    finally:
        child.close(force=True)
