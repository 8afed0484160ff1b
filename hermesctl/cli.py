"""The whole program as one function: words in, exit code out.

Owns: the table of commands, and the one place where every ending becomes an exit code. Whoever calls `run` may
do so again with another terminal. Must not touch this process's own streams.
"""

import errno
import traceback
from collections.abc import Sequence

import click

from hermesctl import __version__
from hermesctl.arguments import AgentCommand, is_json_wanted, split, suggestion
from hermesctl.errors import ExitCode, Fix, HermesError, usage
from hermesctl.launch.wire import LOST
from hermesctl.options import Group, version_option
from hermesctl.render import Format
from hermesctl.report import report
from hermesctl.session import Session
from hermesctl.terminal import NeedsOwnProcess, Terminal

NOUN_ALIASES = {"p": "profile", "gw": "gateway", "ops": "operations"}
COMMANDS = {
    "quickstart": ("hermesctl.commands.quickstart:quickstart", "From nothing to a gateway that answers."),
    "status": ("hermesctl.commands.status:status", "All gateways, what is wrong and what to do about it."),
    "top": ("hermesctl.commands.top:top", "What gateways use, live."),
    "profile": ("hermesctl.commands.profile:profile", "Create, choose, look at and delete profiles."),
    "gateway": ("hermesctl.commands.gateway:gateway", "Start, stop and look at gateways."),
    "claims": ("hermesctl.commands.claims:claims", "Which gateway has which bot, login and port."),
    "config": ("hermesctl.commands.config:config", "Settings of a profile, and every earlier state of them."),
    "skills": ("hermesctl.commands.skills:skills", "Bring bundled skills into profiles; all else is the agent's."),
    "logs": ("hermesctl.commands.logs:logs", "What gateways, agents and the daemon wrote."),
    "runtime": ("hermesctl.commands.runtime:runtime", "List, install and choose agents."),
    "daemon": ("hermesctl.commands.daemon:daemon", "Run, start, stop and look at the daemon."),
    "operations": ("hermesctl.commands.operations:operations", "Follow and cancel what takes long."),
    "doctor": ("hermesctl.commands.doctor:doctor", "What is wrong with a profile, and with the machine."),
    "events": ("hermesctl.commands.events:events", "What happened."),
    "terminal": ("hermesctl.commands.terminals:terminal", "Commands that run on somebody's terminal."),
    "env": ("hermesctl.commands.env:env", "Keys and tokens of a profile, and the variables its processes get."),
    "exec": ("hermesctl.commands.exec:exec_", "Any program with the environment of a profile."),
    "hermes": ("hermesctl.commands.hermes:hermes", "The agent with exactly these arguments."),
    "completion": ("hermesctl.commands.completion:completion", "What Tab does in bash, zsh and fish."),
    "version": ("hermesctl.commands.version:version", "The versions of everything."),
    "__complete": ("hermesctl.commands.complete:complete", "What the scripts of completion ask."),
}
NOUNS = frozenset({*COMMANDS, *NOUN_ALIASES})
HELP = """Keeps Hermes profiles, and one gateway process per profile the way you asked.

Any other command is the agent's own and runs as it is: `hermesctl chat`, `hermesctl -p coder setup`,
`hermesctl -z "hi"`. `-p NAME` may stand anywhere."""
EXIT_CODE_HELP = """Exit codes: 0 done or yes, 1 failed, 2 usage, 3 no, 4 not found, 5 conflict, 6 not now,
7 declined or cancelled, 8 no daemon, 9 not permitted, 10 partly done, 11 still running."""

PROGRAM = Group(
    "hermesctl",
    help=HELP,
    epilog=EXIT_CODE_HELP,
    late=COMMANDS,
    aliases=NOUN_ALIASES,
    is_top=True,
    params=[version_option()],
    context_settings={"max_content_width": 100},
)


OWN_PROCESS = frozenset({"quickstart", "daemon"})
"""Nouns whose commands start what outlives them, or read variables that their caller names."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


def run(argv: Sequence[str], terminal: Terminal) -> int:
    """Runs one command line on a terminal and returns its exit code; an agent's command never returns."""
    session = Session(terminal)
    try:
        with session:
            return _dispatch(argv, session)
    except HermesError as error:
        return _fail(error, session, argv)
    except click.UsageError as error:
        return _fail(_usage_error(error), session, argv)
    except BrokenPipeError:
        return ExitCode.PIPE_CLOSED
    except OSError as error:
        return _fail(_system_error(error), session, argv)
    except Exception as error:  # noqa: BLE001 - a defect, which must not end in a traceback
        return _fail(_defect(error, session), session, argv)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED


def _dispatch(argv: Sequence[str], session: Session) -> int:
    if argv[:1] == [LOST]:
        raise _lost(argv[1])
    command = split(argv, NOUNS)
    if isinstance(command, AgentCommand):
        from hermesctl.commands.agent import become

        if command.profile:
            session.profile.set(command.profile)
        become(session, command)
        return ExitCode.DONE
    if session.terminal.is_shared and OWN_PROCESS & set(command.arguments):
        raise NeedsOwnProcess
    width = session.terminal.columns or 80
    try:
        with PROGRAM.make_context(
            "hermesctl", list(command.arguments), obj=session, terminal_width=min(width, 100)
        ) as context:
            code = PROGRAM.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    return code if isinstance(code, int) else ExitCode.DONE


def _lost(operation: str) -> HermesError:
    """What a launcher says whose worker died; `operation` is what the command waited for, empty if nothing."""
    what = "the process that ran this command has died"
    if operation:
        return HermesError(
            "STILL_RUNNING",
            what,
            why=f"operation {operation} goes on in the daemon",
            fixes=[Fix(f"hermesctl operations wait {operation}")],
            facts={"operation": operation},
        )
    why = "what it asked of the daemon may still be running"
    return HermesError("INTERNAL", what, why=why, fixes=[Fix("hermesctl operations list")])


def _fail(error: HermesError, session: Session, argv: Sequence[str]) -> int:
    is_json = session.form in {Format.JSON, Format.JSONL} or is_json_wanted(argv)
    report(error, session.terminal, is_json=is_json, verbosity=session.verbosity)
    return error.exit_code


def _defect(error: Exception, session: Session) -> HermesError:
    """A failure that nobody foresaw. Its traceback is for those who ask for it."""
    if session.verbosity:
        session.terminal.say("".join(traceback.format_exception(error)))
    where = traceback.extract_tb(error.__traceback__)[-1]
    return HermesError(
        "INTERNAL",
        f"hermesctl {__version__} failed unexpectedly: {type(error).__name__}",
        why=f"this is a defect, in {where.name} line {where.lineno}; -v says more",
    )


def _usage_error(error: click.UsageError) -> HermesError:
    """What click found wrong with the command line, in our words."""
    path = error.ctx.command_path if error.ctx else "hermesctl"
    fixes = [Fix(f"{path} --help")]
    if isinstance(error, click.NoSuchOption):
        known = [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []
        message = f"'{error.option_name}' is not an option of '{path}'"
        return usage(message, why=suggestion(error.option_name, known), fixes=fixes)
    message = " ".join(error.format_message().split()).rstrip(".")
    return usage(message[:1].lower() + message[1:], fixes=fixes)


def _system_error(error: OSError) -> HermesError:
    """A refusal of the operating system that no command explained."""
    reasons = {
        errno.ENOSPC: "DISK_FULL",
        errno.EDQUOT: "DISK_FULL",
        errno.EACCES: "NOT_PERMITTED",
        errno.EPERM: "NOT_PERMITTED",
        errno.EROFS: "NOT_PERMITTED",
    }
    where = f" {error.filename}" if error.filename else ""
    what = f"hermesctl {__version__} cannot go on"
    return HermesError(reasons.get(error.errno or 0, "INTERNAL"), what, why=f"{error.strerror or error}{where}")
