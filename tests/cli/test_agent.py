"""Commands of the agent: the client becomes it and adds nothing."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from hermesctl import cli
from hermesctl.client.places import Places
from hermesctl.terminal import Program
from hermesd.v1 import terminals_pb2
from tests.fakes.contract import at
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import Executed, FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def become(argv: list[str], terminal: FakeTerminal) -> Executed:
    """What the client became; it has said nothing."""
    with pytest.raises(Executed) as caught:
        cli.run(argv, terminal)
    assert terminal.output.getvalue() == ""
    assert terminal.talk.getvalue() == ""
    return caught.value


def asked(world: World) -> terminals_pb2.OpenTerminalRequest:
    """The one question that was asked."""
    ((method, request),) = world.calls
    assert method == "OpenTerminal"
    assert isinstance(request, terminals_pb2.OpenTerminalRequest)
    return request


def test_the_agent_gets_the_words_and_the_callers_environment(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Less what the daemon removes, plus what it sets; values never leave the process."""
    world.environment_set["HERMES_HOME"] = "/home/ana/.hermes/profiles/coder"
    terminal = FakeTerminal(environment | {"HERMES_PROFILE": "x", "EDITOR": "vi", "SECRET": "s3cret"})
    became = become(["-p", "coder", "chat", "-q", "two words"], terminal)
    assert became.executable == "/runtimes/hermes"
    assert became.argv == ["hermes", "-p", "coder", "chat", "-q", "two words"]
    assert became.environment["HERMES_HOME"] == "/home/ana/.hermes/profiles/coder"
    assert became.environment["EDITOR"] == "vi"
    assert "HERMES_PROFILE" not in became.environment
    request = asked(world)
    assert (request.pid, request.working_directory) == (7, "/home/ana/desk")
    assert "SECRET" in request.environment_names
    assert b"s3cret" not in request.SerializeToString()


def test_secrets_of_other_profiles_are_left_behind(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Under whatever name the caller has them; the daemon tells them without saying them."""
    world.foreign_values = ["sk-theirs-1"]
    world.environment_set["SET"] = "sk-theirs-1"
    terminal = FakeTerminal(
        environment | {"A": "sk-theirs-1", "B": " sk-theirs-1\n", "C": "sk-mine-1", "D\udcff": "1"}
    )
    for line in (["chat"], ["exec", "--", "true"]):
        became = become(line, terminal).environment
        assert {"A", "B"}.isdisjoint(became)
        assert (became["C"], became["D\udcff"], became["SET"]) == ("sk-mine-1", "1", "sk-theirs-1")


def test_a_plain_call_uses_the_sticky_default_silently(
    environment: dict[str, str], daemon: FakeDaemon, world: World, places: Places
) -> None:
    """A pass-through command adds no word of ours."""
    places.root.mkdir()
    (places.root / "active_profile").write_text("worker\n")
    become(["chat"], FakeTerminal(environment))
    assert asked(world).profile == "worker"


def test_names_that_are_no_text_are_left_out(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Only UTF-8 can be sent; the variable itself stays."""
    terminal = FakeTerminal(environment | {"BAD\udcff": "1"})
    terminal.working_directory = Path("/home/\udcff")
    became = become(["chat"], terminal)
    assert became.environment["BAD\udcff"] == "1"
    assert asked(world).working_directory == ""


def test_a_word_that_is_no_text_is_refused(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """It could not reach the agent unchanged."""
    terminal = FakeTerminal(environment)
    assert cli.run(["chat", "-q", "\udcff"], terminal) == 2
    assert "is not valid UTF-8" in terminal.talk.getvalue()


def test_an_agent_that_is_gone_is_a_missing_runtime(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """Its program was removed after the daemon answered."""

    class Gone(FakeTerminal):
        def replaced(self, program: Program) -> NoReturn:
            raise FileNotFoundError(2, "No such file or directory")

    terminal = Gone(environment)
    assert cli.run(["chat"], terminal) == 6
    assert "cannot run /runtimes/hermes" in terminal.talk.getvalue()


def test_an_unknown_sticky_default_is_explained(
    environment: dict[str, str], daemon: FakeDaemon, places: Places
) -> None:
    """Nobody typed the name, so the error says where it comes from."""
    places.root.mkdir()
    (places.root / "active_profile").write_text("ghost\n")
    terminal = FakeTerminal(environment)
    assert cli.run(["gateway", "status"], terminal) == 4
    assert terminal.talk.getvalue().splitlines() == [
        "error: there is no profile 'ghost'",
        "  why: the name comes from: sticky default",
        "  fix: hermesctl profile use --clear",
        "       hermesctl profile list",
    ]


def test_changes_to_a_profile_that_was_not_named_are_announced(
    environment: dict[str, str], daemon: FakeDaemon
) -> None:
    """Reading is not."""
    chosen = environment | {"HERMESCTL_PROFILE": "coder"}
    terminal = FakeTerminal(chosen)
    cli.run(["gateway", "stop"], terminal)
    assert terminal.talk.getvalue().startswith("profile: coder (HERMESCTL_PROFILE; override with -p)\n")
    reading = FakeTerminal(chosen)
    cli.run(["gateway", "status"], reading)
    assert reading.talk.getvalue() == ""


def test_the_agent_starts_where_the_daemon_says(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Else where its caller is."""
    assert become(["chat"], FakeTerminal(environment)).directory == ""
    world.workplace = "/project"
    assert become(["chat"], FakeTerminal(environment)).directory == "/project"


def test_a_directory_that_is_gone_is_not_taken_for_a_missing_agent(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """The message names what is missing."""

    class Gone(FakeTerminal):
        def replaced(self, program: Program) -> NoReturn:
            raise FileNotFoundError(2, "No such file or directory", program.working_directory)

    world.workplace = "/project"
    terminal = Gone(environment)
    assert cli.run(["chat"], terminal) == 6
    assert "cannot work in /project" in terminal.talk.getvalue()


@pytest.mark.parametrize(
    "line", ["hermes -p coder -- frob -p x -o json --help", "-p coder hermes -- frob -p x -o json --help"]
)
def test_what_follows_is_not_interpreted(
    environment: dict[str, str], daemon: FakeDaemon, world: World, line: str
) -> None:
    """Not even what looks like ours."""
    became = become(line.split(), FakeTerminal(environment))
    assert became.argv == "hermes -p coder frob -p x -o json --help".split()
    assert asked(world).profile == "coder"


def test_what_fights_the_daemon_is_passed_on_only_to_those_who_insist(
    environment: dict[str, str], daemon: FakeDaemon
) -> None:
    """The refusal names our own command, and asks nothing of the daemon."""
    terminal = FakeTerminal(environment)
    assert cli.run("hermes -p coder -- gateway restart".split(), terminal) == 2
    assert "hermesctl gateway restart -p coder" in terminal.talk.getvalue()
    assert "--unsafe passes it on" in terminal.talk.getvalue()
    became = become("hermes --unsafe -p coder -- gateway restart".split(), FakeTerminal(environment))
    assert became.argv[-2:] == ["gateway", "restart"]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("hermes chat -q hi", "hermesctl hermes -- chat"),
        ("hermes", "hermesctl hermes --help"),
        ("exec -p coder less file --x", "hermesctl exec -- less file"),
        ("exec", "hermesctl exec --help"),
        ("exec --", "hermesctl exec --help"),
    ],
)
def test_where_ours_ends_must_be_said(environment: dict[str, str], line: str, fix: str) -> None:
    """Or `-p` would be ours or theirs by chance."""
    terminal = FakeTerminal(environment)
    assert cli.run(line.split(), terminal) == 2
    assert f"fix: {fix}\n" in terminal.talk.getvalue()


def test_a_program_gets_the_profiles_environment_and_its_words_stay_here(
    environment: dict[str, str], daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """It is found on the caller's PATH; the daemon learns its name and not what it is told."""
    program = tmp_path / "tool"
    program.write_text("")
    program.chmod(0o755)
    world.environment_set["HERMES_HOME"] = "/home/ana/.hermes/profiles/coder"
    changed = environment | {"PATH": f"/nonsense:{tmp_path}", "HERMES_X": "1", "EDITOR": "vi"}
    became = become("exec -p coder -- tool -p s3cret -- x".split(), FakeTerminal(changed))
    assert (became.executable, became.argv) == (str(program), "tool -p s3cret -- x".split())
    assert became.environment["HERMES_HOME"] == "/home/ana/.hermes/profiles/coder"
    assert became.environment["PATH"] == changed["PATH"]
    assert "HERMES_X" not in became.environment
    request = asked(world)
    assert (request.program, list(request.arguments), request.pid) == ("tool", [], 7)
    assert b"s3cret" not in request.SerializeToString()


@pytest.mark.parametrize("path", ["{here}", "bin", "", ":/nonsense"])
def test_programs_are_found_as_a_shell_finds_them(
    environment: dict[str, str], daemon: FakeDaemon, tmp_path: Path, path: str
) -> None:
    """Absolute, relative to the caller's directory, and in it where an entry is empty."""
    (tmp_path / "bin").mkdir()
    for place in (tmp_path / "bin" / "tool", tmp_path / "tool"):
        place.write_text("")
        place.chmod(0o755)
    terminal = FakeTerminal(environment | {"PATH": path.format(here=tmp_path)})
    terminal.working_directory = tmp_path
    became = become(["exec", "-p", "coder", "--", "tool"], terminal)
    assert became.executable == {"bin": "bin/tool", "{here}": f"{tmp_path}/tool"}.get(path, "./tool")
    assert become(["exec", "-p", "coder", "--", "./tool"], terminal).executable == "./tool"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("nothing-of-that-name", 127, "there is no program 'nothing-of-that-name'"),
        ("hermes", 127, "hermesctl hermes --"),
        ("./closed", 126, "cannot run ./closed"),
        ("closed", 126, "permission denied"),
        ("./", 127, "there is no program './'"),
        ("./no/closed", 127, "there is no program"),
        ("closed/", 127, "there is no program"),
    ],
)
def test_what_cannot_be_run_ends_as_in_a_shell(
    environment: dict[str, str], world: World, tmp_path: Path, words: str, code: int, said: str
) -> None:
    """127 for what is not there and 126 for what may not be run; nobody had to be asked."""
    (tmp_path / "closed").write_text("")
    terminal = FakeTerminal(environment | {"PATH": str(tmp_path)})
    terminal.working_directory = tmp_path
    assert cli.run(["exec", "--", *words.split()], terminal) == code
    assert said in terminal.talk.getvalue()
    assert world.calls == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOENT, 126), (errno.EACCES, 126), (errno.E2BIG, 126)])
def test_a_program_that_the_system_refuses_is_told(
    environment: dict[str, str], daemon: FakeDaemon, number: int, code: int
) -> None:
    """An interpreter that is gone, no permission after all, too many arguments."""

    class Refusing(FakeTerminal):
        def replaced(self, program: Program) -> NoReturn:
            raise OSError(number, os.strerror(number))

    terminal = Refusing(environment)
    assert cli.run(["exec", "-p", "coder", "--", "/bin/sh"], terminal) == code
    assert os.strerror(number) in terminal.talk.getvalue()


def test_a_script_without_an_interpreter_is_the_shells(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """As it is wherever programs are found on PATH."""

    class Kernel(FakeTerminal):
        def replaced(self, program: Program) -> NoReturn:
            if program.executable != "/bin/sh":
                raise OSError(errno.ENOEXEC, "Exec format error")
            super().replaced(program)

    became = become(["exec", "-p", "coder", "--", "/bin/ls", "-l"], Kernel(environment))
    assert became.argv == ["/bin/sh", "/bin/ls", "-l"]


def test_what_runs_on_terminals_is_listed(environment: dict[str, str], daemon: FakeDaemon, world: World) -> None:
    """With the profile, the verb, and where it was called from: the directory and the terminal."""
    world.terminals.append(
        terminals_pb2.Terminal(
            id="t1",
            profile="coder",
            verb="exec less",
            pid=99,
            working_directory="/src",
            tty="/dev/pts/3",
            started_at=at(60),
        )
    )
    terminal = FakeTerminal(environment, columns=100)
    assert cli.run(["terminal", "list"], terminal) == 0
    assert terminal.output.getvalue().splitlines() == [
        "ID  PROFILE  VERB       PID  TTY    STARTED  DIRECTORY",
        "t1  coder    exec less   99  pts/3  1m       /src",
    ]
    terminal = FakeTerminal(environment)
    assert cli.run(["terminal", "list", "-o", "json"], terminal) == 0
    assert '"tty": "/dev/pts/3"' in terminal.output.getvalue()
