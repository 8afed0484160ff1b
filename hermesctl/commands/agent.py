"""Commands that belong to the agent: this process becomes the agent, on the caller's own terminal.

Owns: asking the daemon what to execute, and doing it. Must print nothing of its own.
"""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from hermesctl.arguments import AgentCommand
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.session import Session
from hermesctl.terminal import Foreign, Program
from hermesd.v1 import terminals_pb2 as v1
from hermesd.v1.environments_pb2 import ForeignSecrets


def become(session: Session, command: AgentCommand) -> None:
    """Replaces this process by the agent's command.

    Raises:
        HermesError: the daemon's reason; RUNTIME_MISSING, the agent's program is gone; ARGUMENT_INVALID, a word
            is not text.
    """
    answer = open_terminal(session, arguments=command.arguments)
    run_agent(session, program_of(answer))


def open_terminal(
    session: Session, *, profile: str = "", arguments: Sequence[str] = (), program: str = ""
) -> v1.OpenTerminalResponse:
    """Tells the daemon what this process is about to become: a command of the agent, or another program.

    `profile` is the one that the command line names, where not by a flag.

    Raises:
        HermesError: the daemon's reason; ARGUMENT_INVALID, a word is not text.
    """
    session.is_pass_through = True
    unreadable = [word for word in (*arguments, program) if not _is_text(word)]
    if unreadable:
        raise usage(f"'{unreadable[0]}' is not valid UTF-8")
    terminal = session.terminal
    directory = str(terminal.working_directory)
    request = v1.OpenTerminalRequest(
        profile=session.select(profile),
        arguments=arguments,
        working_directory=directory if _is_text(directory) else "",
        environment_names=textual(terminal.environment_names),
        pid=terminal.pid,
        program=program,
    )
    answer = session.client.terminals.OpenTerminal(request)
    session.close()
    return answer


def program_of(answer: v1.OpenTerminalResponse) -> Program:
    """The daemon's answer as what a terminal becomes."""
    return Program(
        answer.executable,
        list(answer.argv),
        dict(answer.environment_set),
        list(answer.environment_unset),
        answer.working_directory,
        foreign_of(answer.foreign_secrets),
    )


def foreign_of(told: ForeignSecrets) -> Foreign:
    """What tells the values that other profiles keep secret."""
    return Foreign(told.salt, frozenset(told.digests))


def run_agent(session: Session, program: Program) -> NoReturn:
    """Becomes the agent.

    Raises:
        HermesError: RUNTIME_MISSING, its program is gone; CONFIG_INVALID, its directory is.
    """
    try:
        session.terminal.become(program)
    except OSError as error:
        why = error.strerror or str(error)
        if program.working_directory and error.filename == program.working_directory:
            raise HermesError("CONFIG_INVALID", f"cannot work in {program.working_directory}", why=why) from error
        raise HermesError(
            "RUNTIME_MISSING",
            f"cannot run {program.executable}",
            why=why,
            fixes=[Fix("hermesctl runtime install")],
        ) from error


def textual(names: Iterable[str]) -> list[str]:
    """Those of the caller's names that can be sent."""
    return [name for name in names if _is_text(name)]


def _is_text(word: str) -> bool:
    """Whether a word from the system was valid UTF-8, which is all that can be sent."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
