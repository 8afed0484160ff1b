"""`hermesctl exec`: any program with a profile's environment, on the caller's own terminal.

Owns: finding the program as a shell does, and a shell's exit codes where it cannot be run. Must print nothing of
its own once it runs. The caller's PATH stays as it is: the environment that an agent is installed in has a Python
of its own, which must not stand before the person's.
"""

import errno
import os
import stat
from dataclasses import replace
from typing import NoReturn

import click

from hermesctl.commands.agent import open_terminal, program_of
from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.session import Session
from hermesctl.terminal import Program, Terminal
from hermesctl.trailing import Trailing

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
SHELL = "/bin/sh"
"""Runs what is executable and has no other interpreter, as it does for execvp."""


@click.command("exec", cls=Trailing, trailing_metavar="COMMAND [ARGS]...")
@click.pass_obj
def exec_(session: Session, words: tuple[str, ...]) -> None:
    """Run any program with the environment of a profile: HERMES_HOME is set to its home."""
    if not words:
        raise usage("'exec' needs a command after '--'", fixes=[Fix("hermesctl exec --help")])
    executable = find(words[0], session.terminal)
    program = program_of(open_terminal(session, program=words[0]))
    _become(session.terminal, replace(program, executable=executable, argv=list(words)))


def find(program: str, terminal: Terminal) -> str:
    """The file that a shell would run.

    Raises:
        HermesError: NOT_FOUND with 127, there is none; NOT_PERMITTED with 126, none may be executed.
    """
    if "/" in program:
        candidates = [program]
    else:
        path = terminal.environment.get("PATH", DEFAULT_PATH)
        candidates = [os.path.join(entry or ".", program) for entry in path.split(":")]  # noqa: PTH118 - as typed
    files = [one for one in candidates if _is_file(_seen(one, terminal))]
    for file in files:
        if os.access(_seen(file, terminal), os.X_OK):
            return file
    if files:
        raise _cannot_run(files[0], "permission denied")
    is_agent = program == "hermes"
    raise HermesError(
        "NOT_FOUND",
        f"there is no program '{program}'",
        fixes=[Fix("hermesctl hermes --")] if is_agent else [],
        exit_code=ExitCode.NO_PROGRAM,
    )


def _become(terminal: Terminal, program: Program) -> NoReturn:
    try:
        try:
            terminal.become(program)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            argv = [SHELL, program.executable, *program.argv[1:]]
            terminal.become(replace(program, executable=SHELL, argv=argv))
    except OSError as error:
        raise _cannot_run(program.executable, error.strerror or str(error)) from error


def _seen(file: str, terminal: Terminal) -> str:
    """A path as it is found from the caller's directory."""
    return os.path.join(terminal.working_directory, file)  # noqa: PTH118 - a trailing slash must stay


def _is_file(path: str) -> bool:
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - a trailing slash must stay
    except OSError:
        return False


def _cannot_run(file: str, why: str) -> HermesError:
    return HermesError("NOT_PERMITTED", f"cannot run {file}", why=why, exit_code=ExitCode.NOT_EXECUTABLE)
