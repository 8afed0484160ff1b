"""The one failure of the client, and the one table of exit codes.

Owns: what a failure is made of and which exit code each reason has. Must not know gRPC (see
`client/failures.py`) or how a failure is printed (see `report.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of hermesctl's own commands; an agent's command ends with the agent's code."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NEGATIVE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    PRECONDITION = 6
    DECLINED = 7
    NO_DAEMON = 8
    NOT_PERMITTED = 9
    PARTLY = 10
    STILL_RUNNING = 11
    NOT_EXECUTABLE = 126
    NO_PROGRAM = 127
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


EXIT_CODES: Mapping[str, ExitCode] = {
    "ARGUMENT_INVALID": ExitCode.USAGE,
    "PROFILE_NAME_INVALID": ExitCode.USAGE,
    "PROFILE_REQUIRED": ExitCode.USAGE,
    "PROFILE_CONFLICT": ExitCode.USAGE,
    "PROFILE_NOT_FOUND": ExitCode.NOT_FOUND,
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "PROFILE_EXISTS": ExitCode.CONFLICT,
    "ALIAS_TAKEN": ExitCode.CONFLICT,
    "FILE_EXISTS": ExitCode.CONFLICT,
    "PORT_IN_USE": ExitCode.CONFLICT,
    "TOKEN_IN_USE": ExitCode.CONFLICT,
    "PROFILE_BUSY": ExitCode.CONFLICT,
    "GATEWAY_MISCONFIGURED": ExitCode.PRECONDITION,
    "GATEWAY_FOREIGN": ExitCode.PRECONDITION,
    "BUDGET_SPENT": ExitCode.PRECONDITION,
    "RUNTIME_MISSING": ExitCode.PRECONDITION,
    "INCOMPATIBLE": ExitCode.PRECONDITION,
    "CHANGED_MEANWHILE": ExitCode.PRECONDITION,
    "CONFIG_INVALID": ExitCode.PRECONDITION,
    "ARCHIVE_UNSAFE": ExitCode.PRECONDITION,
    "ARCHIVE_CORRUPT": ExitCode.PRECONDITION,
    "GATEWAY_CRASHED": ExitCode.FAILED,
    "GATEWAY_NOT_READY": ExitCode.FAILED,
    "GATEWAY_STUCK": ExitCode.FAILED,
    "SOURCE_UNREACHABLE": ExitCode.FAILED,
    "STATE_CORRUPT": ExitCode.FAILED,
    "DISK_FULL": ExitCode.FAILED,
    "INTERNAL": ExitCode.FAILED,
    "AGENT_FAILED": ExitCode.FAILED,
    "GATEWAY_NOT_RUNNING": ExitCode.PRECONDITION,
    "INTERRUPTED": ExitCode.FAILED,
    "DECLINED": ExitCode.DECLINED,
    "CANCELLED": ExitCode.DECLINED,
    "DAEMON_ABSENT": ExitCode.NO_DAEMON,
    "VERSION_SKEW": ExitCode.NO_DAEMON,
    "STATE_TOO_NEW": ExitCode.NO_DAEMON,
    "NOT_PERMITTED": ExitCode.NOT_PERMITTED,
    "STILL_RUNNING": ExitCode.STILL_RUNNING,
}
"""Exit code of each reason in `proto/hermesd/v1/errors.proto`."""

DEFAULT_FIXES: Mapping[str, str] = {
    "PROFILE_NOT_FOUND": "hermesctl profile list",
    "PROFILE_EXISTS": "hermesctl profile list",
    "RUNTIME_MISSING": "hermesctl runtime install",
    "DISK_FULL": "df -h",
}
"""What to run where the daemon names no command of its own."""


CLAIM_REASONS = frozenset({"PORT_IN_USE", "TOKEN_IN_USE"})
WAITING = "it waits, and starts by itself once that is free"
"""What becomes of a gateway whose claim somebody has."""


@dataclass(frozen=True)
class Fix:
    """One way out: a command that can be run as it stands, and what it does where that is not plain."""

    command: str
    text: str = ""


class HermesError(Exception):
    """What could not be done, and why.

    `reason` is a word programs may rely on. `message` starts in lower case and has no full stop; `why` says only
    what is known. `facts` are the daemon's metadata. Texts may hold what others wrote: clean before showing.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        why: str = "",
        fixes: Sequence[Fix] = (),
        facts: Mapping[str, str] | None = None,
        exit_code: ExitCode | None = None,
    ) -> None:
        """`exit_code` is for commands that must end as another program would, whatever the reason."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.why = why
        self.fixes = tuple(fixes)
        self.facts = dict(facts or {})
        self._exit_code = exit_code

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that ends with this failure; a newer daemon's unknown reason is a failure."""
        return self._exit_code or EXIT_CODES.get(self.reason, ExitCode.FAILED)


def from_metadata(reason: str, message: str, metadata: Mapping[str, str]) -> HermesError:
    """The failure that the daemon describes by a reason, a sentence and its metadata.

    "cannot do this: because of that" is told as what and why, and a hint joins the why.
    """
    if reason in CLAIM_REASONS and metadata.get("claim") and metadata.get("profile"):
        return _of_claim(reason, message, metadata)
    facts = dict(metadata)
    hint = facts.pop("hint", "")
    commands = [line for line in facts.pop("fix", "").splitlines() if line.strip()]
    commands = commands or [DEFAULT_FIXES[reason]] if reason in DEFAULT_FIXES else commands
    closest = [name for name in facts.get("closest", "").replace(",", " ").split() if name]
    what, because = _split(message)
    suggestion = f"did you mean {' or '.join(repr(name) for name in closest)}?" if closest else ""
    if "did you mean" in f"{message}{hint}":
        suggestion = ""
    incident = f"incident {facts['incident']} in the daemon's log" if "incident" in facts else ""
    why = "; ".join(part for part in (because, hint, suggestion, incident) if part)
    return HermesError(reason, what, why=why, fixes=[Fix(line.strip()) for line in commands], facts=facts)


def _of_claim(reason: str, message: str, metadata: Mapping[str, str]) -> HermesError:
    """Why a gateway waits instead of starting, and what can be done about it in either profile."""
    facts = dict(metadata)
    profile, holder = facts["profile"], facts.get("holder", "")
    given = [Fix(line.strip()) for line in facts.pop("fix", "").splitlines() if line.strip()]
    hint = facts.pop("hint", "")
    other = holder.strip("'") if holder.startswith("'") and holder.endswith("'") else ""
    stop = [Fix(f"hermesctl gateway stop {other}", "stop the other gateway")] if other else []
    why = "; ".join(part for part in (message, WAITING, hint) if part)
    fixes = given or [_own(reason, facts), *stop]
    return HermesError(reason, f"gateway '{profile}' did not start", why=why, fixes=fixes, facts=facts)


def _own(reason: str, facts: Mapping[str, str]) -> Fix:
    """How a profile gets a bot, or a port, of its own; the agent's setup asks for no ports."""
    profile, source = facts["profile"], f" ({facts['source']})" if facts.get("source") else ""
    if reason == "PORT_IN_USE":
        return Fix(f"hermesctl claims show {profile}", f"see where {profile} has its port from{source}")
    return Fix(f"hermesctl -p {profile} gateway setup", f"give {profile} a bot of its own{source}")


def usage(message: str, *, why: str = "", fixes: Sequence[Fix] = ()) -> HermesError:
    """A command line that cannot be understood."""
    return HermesError("ARGUMENT_INVALID", message, why=why, fixes=fixes)


def _split(message: str) -> tuple[str, str]:
    if message.startswith("cannot ") and ": " in message:
        what, _, because = message.partition(": ")
        return what, because
    return message, ""
