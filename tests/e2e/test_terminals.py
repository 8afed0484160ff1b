"""Commands on the caller's own terminal, as if they had been typed without hermesctl: on real terminals."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desk import PROFILE, Desk, client, furnished
from tests.e2e.screens import CTRL_C, CTRL_D, CTRL_Z
from tests.fakes import model
from tests.fakes.model import ANSWER
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

EXEC = client("exec", "-p", PROFILE, "--")
BULK_BYTES = 100_000_000
PROMPT = "coder ❯"  # noqa: RUF001 - it is the agent's
BUSY = "⚕ ❯"  # noqa: RUF001 - the agent's too: its prompt while it works, and only then


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, runtimes_directory: Path) -> Iterator[Desk]:
    """A desk at which nobody has sat yet."""
    with model.serving() as server, furnished(tmp_path_factory.mktemp("desk"), runtimes_directory, server) as made:
        yield made


def terminals(desk: Desk) -> list[Any]:
    """What the daemon knows to run."""
    items: list[Any] = desk.machine.json("terminal", "list")["items"]
    return items


def needs(program: str) -> str:
    """The path of a program; the test is skipped where there is none."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def kill_daemon(desk: Desk) -> None:
    """Ends the daemon without a chance to do anything, and starts the next one."""
    os.kill(desk.machine.json("daemon", "status")["pid"], signal.SIGKILL)
    wait_until(lambda: desk.machine.ctl("daemon", "status").returncode != 0, "the daemon to be gone")
    desk.machine.ok("daemon", "start")


def test_a_chat_is_the_agents_own(desk: Desk) -> None:
    """Typed into, answered, interrupted; known to the daemon and to the next one; ended with the agent's code."""
    with desk.at_screen(*client("-p", PROFILE, "chat")) as chat:
        before = chat.settings
        chat.until(PROMPT)
        (listed,) = terminals(desk)
        assert (listed["profile"], listed["verb"], listed["pid"]) == (PROFILE, "chat", chat.process.pid)
        assert (listed["working_directory"], listed["tty"]) == (str(desk.work), chat.tty)
        chat.enter("hello")
        chat.until(ANSWER)
        chat.until(PROMPT)

        kill_daemon(desk)
        assert terminals(desk) == [listed]
        with desk.model.thinking():
            asked = len(desk.model.requests)
            chat.enter("take your time")
            wait_until(lambda: len(desk.model.requests) > asked, "the model to be asked")
            chat.until(BUSY)
            chat.press(CTRL_C)
            chat.until(PROMPT)
        chat.enter("again")
        chat.until(ANSWER)
        chat.until(PROMPT)
        assert chat.insist(CTRL_D) == 0
        assert chat.settings == before
    assert terminals(desk) == []


def test_the_set_up_asks_its_first_question(desk: Desk) -> None:
    """And leaves the terminal as it was when somebody thinks better of it."""
    with desk.at_screen(*client("-p", PROFILE, "setup")) as setup:
        before = setup.settings
        setup.until("How would you like to set up Hermes?")
        setup.until("Quick Setup")
        assert setup.insist(CTRL_C) == 1  # it asks again, without its menu, and may miss a key in between
        assert setup.settings == before


def test_less_pages_through_a_file(desk: Desk, tmp_path: Path) -> None:
    """A full screen, keys without Enter, and the terminal as it was."""
    text = tmp_path / "text"
    text.write_text("".join(f"line {number}\n" for number in range(1, 1001)))
    with desk.at_screen(*EXEC, needs("less"), text) as less:
        before = less.settings
        less.until("line 39")
        assert less.settings != before
        less.press("G")
        less.until("line 1000")
        less.press("q")
        assert less.ended() == 0
        assert less.settings == before


def test_vim_writes_a_file(desk: Desk, tmp_path: Path) -> None:
    """Its own modes and all."""
    text = tmp_path / "text"
    with desk.at_screen(*EXEC, needs("vim"), "-u", "NONE", text) as vim:
        before = vim.settings
        vim.until("~")
        vim.press("ihello")
        vim.until("hello")
        vim.press("\x1b")
        vim.enter(":x")
        assert vim.ended() == 0
        assert vim.settings == before
    assert text.read_text() == "hello\n"


def test_the_shells_job_control_is_the_shells(desk: Desk) -> None:
    """Ctrl-Z stops it, `fg` brings it back, Ctrl-C ends it with 130, and `$?` is its own."""
    command = " ".join([*EXEC, "sh", "-c", "'while :; do read line && echo \"<$line>\"; done'"])
    with desk.at_screen(needs("bash"), "--norc", "--noprofile", "-i", PS1="at-prompt$ ") as bash:
        bash.until("at-prompt$ ")
        before = bash.settings
        bash.enter(command)
        wait_until(lambda: len(terminals(desk)) == 1, "the command to run")
        cooked = bash.settings
        assert cooked != before
        bash.enter("before")
        bash.until("<before>")
        bash.press(CTRL_Z)
        bash.until("Stopped")
        bash.until("at-prompt$ ")
        assert terminals(desk)[0]["verb"] == "exec sh"
        bash.enter("fg")
        wait_until(lambda: bash.settings == cooked, "the command to have the terminal again")
        bash.enter("after")
        bash.until("<after>")
        bash.press(CTRL_C)
        bash.until("at-prompt$ ")
        bash.enter("echo status=$?")
        bash.until("status=130")
        bash.enter(" ".join([*EXEC, "sh", "-c", "'exit 75'"]))
        bash.enter("echo status=$?")
        bash.until("status=75")
        bash.enter("exit")
        bash.ended()


def test_a_new_window_size_reaches_the_program(desk: Desk) -> None:
    """At once."""
    with desk.at_screen(
        *EXEC, "sh", "-c", 'trap "stty size" WINCH; stty size; while :; do sleep 0.05; done'
    ) as shell:
        shell.until("40 100")
        shell.resize(50, 132)
        shell.until("50 132")


def test_a_one_shot_says_exactly_what_the_agent_says(desk: Desk) -> None:
    """Through pipes, byte by byte, on both streams."""
    agents = desk.machine.json("runtime", "list")["items"]
    executable = next(one["executable"] for one in agents if one["is_current"])
    theirs = subprocess.run(
        [executable, "-p", PROFILE, "-z", "hi"],
        env={**desk.environment, "HERMES_HOME": str(desk.home)},
        cwd=desk.work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    line = f"{' '.join(client('-p', PROFILE, '-z', 'hi'))} 2>errors | cat"
    ours = subprocess.run(
        ["sh", "-c", line], env=desk.environment, cwd=desk.work, capture_output=True, check=False
    )
    assert (theirs.returncode, theirs.stdout) == (0, f"{ANSWER}\n".encode())
    assert ours.stdout == theirs.stdout
    assert (desk.work / "errors").read_bytes() == theirs.stderr == b""


def test_a_hundred_megabytes_pass_both_ways_unchanged(desk: Desk, tmp_path: Path) -> None:
    """Every byte there is, in through a pipe and out through another."""
    block = bytes(range(256)) * 4096
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for _ in range(BULK_BYTES // len(block) + 1):
            file.write(block)
    line = f"cat {source} | {' '.join(EXEC)} cat | cat > {target}"
    subprocess.run(["sh", "-c", line], env=desk.environment, cwd=desk.work, check=True)
    with source.open("rb") as sent, target.open("rb") as received:
        assert hashlib.file_digest(sent, "sha256").digest() == hashlib.file_digest(received, "sha256").digest()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["sh", "-c", "exit 0"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM),
        (["sh", "-c", "kill -KILL $$"], -signal.SIGKILL),
        (["no-such-program"], 127),
        (["/etc/passwd"], 126),
        ([sys.executable, "-c", "import signal; assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN"], 0),
    ],
    ids=["0", "7", "terminated", "killed", "not found", "not executable", "signals"],
)
def test_the_end_is_the_programs_own(desk: Desk, words: list[str], code: int) -> None:
    """Exit codes and signals, and a shell's codes where nothing can be run."""
    assert desk.run(*EXEC, *words).returncode == code


def test_a_program_is_told_the_profile_and_nothing_secret(desk: Desk) -> None:
    """The home, and no variable that another agent or the profile's own `.env` holds."""
    (desk.home / ".env").write_text("MY_TOKEN=canary-0123456789\n")
    done = desk.run(*EXEC, "env", HERMES_PROFILE="other", TERMINAL_CWD="/usr", EDITOR="vi")
    told = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert told["HERMES_HOME"] == str(desk.home)
    assert told["EDITOR"] == "vi"
    assert told["PATH"] == desk.environment["PATH"]
    assert {"HERMES_PROFILE", "TERMINAL_CWD", "HERMESD_ALLOW_TEMP", "MY_TOKEN"}.isdisjoint(told)
    assert "GRPC_VERBOSITY" not in told


def test_a_killed_daemon_leaves_commands_alone_and_the_next_one_knows_them(desk: Desk) -> None:
    """Until they end, whether or not a daemon sees it."""
    argv = [*EXEC, "cat"]
    with subprocess.Popen(
        argv, env=desk.environment, cwd=desk.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as cat:
        wait_until(lambda: len(terminals(desk)) == 1, "the command to run")
        before = terminals(desk)
        kill_daemon(desk)
        assert terminals(desk) == before
        assert cat.communicate(b"still here", timeout=20)[0] == b"still here"
        assert cat.returncode == 0
    assert terminals(desk) == []


def test_the_emergency_line_needs_no_daemon(desk: Desk) -> None:
    """Nor does it start one; the agent is the one that was in use."""
    desk.machine.ok("daemon", "stop")
    done = desk.run(*client("hermes", "--direct", "-p", PROFILE, "--", "-z", "hi"), HERMES_HOME="/nonsense")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ANSWER}\n", "")
    assert desk.machine.ctl("daemon", "status").returncode != 0
    desk.machine.ok("daemon", "start")
