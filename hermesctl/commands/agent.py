"""Commands that belong to the agent: this process becomes the agent, on the caller's own terminal.

Owns: asking the daemon what to execute, and doing it. Must print nothing of its own.
"""

from hermesctl.arguments import AgentCommand
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.session import Session
from hermesctl.terminal import Program
from hermesd.v1 import terminals_pb2 as v1


def become(session: Session, command: AgentCommand) -> None:
    """Replaces this process by the agent's command.

    Raises:
        HermesError: the daemon's reason; RUNTIME_MISSING, the agent's program is gone; ARGUMENT_INVALID, a word
            is not text.
    """
    profile = session.select()
    answer = session.client.terminals.OpenTerminal(_request(session, profile, command))
    session.close()
    unset = list(answer.environment_unset)
    program = Program(answer.executable, list(answer.argv), dict(answer.environment_set), unset)
    try:
        session.terminal.become(program)
    except OSError as error:
        raise HermesError(
            "RUNTIME_MISSING",
            f"cannot run {answer.executable}",
            why=error.strerror or str(error),
            fixes=[Fix("hermesctl runtime install")],
        ) from error


def _request(session: Session, profile: str, command: AgentCommand) -> v1.OpenTerminalRequest:
    terminal = session.terminal
    unreadable = [word for word in command.arguments if not _is_text(word)]
    if unreadable:
        raise usage(f"'{unreadable[0]}' is not valid UTF-8")
    directory = str(terminal.working_directory)
    return v1.OpenTerminalRequest(
        profile=profile,
        arguments=command.arguments,
        working_directory=directory if _is_text(directory) else "",
        environment_names=[name for name in terminal.environment_names if _is_text(name)],
        pid=terminal.pid,
    )


def _is_text(word: str) -> bool:
    """Whether a word from the system was valid UTF-8, which is all that can be sent."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
