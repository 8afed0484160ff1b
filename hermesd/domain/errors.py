"""The failures that hermesd can explain, one class per reason.

Owns: which reason a failure has and which facts go with it. Must not know gRPC, exit codes or wording of the
client: `hermesd/api/errors.py` is the only place where these meet. Reasons are the names of `Reason` in
`proto/hermesd/v1/errors.proto`.
"""

from collections.abc import Sequence
from typing import ClassVar


class HermesError(Exception):
    """A failure with a reason.

    The message says what could not be done and why, in lower case and without a full stop. `fixes` are
    commands that can be run as they stand; `hint` is a sentence for what no command mends. Nothing in here
    may be a secret.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, hint: str = "", fixes: Sequence[str] = (), **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata)
        if hint:
            self.metadata["hint"] = hint
        if fixes:
            self.metadata["fix"] = "\n".join(fixes)


class ArgumentInvalid(HermesError):
    """The request is malformed."""

    reason = "ARGUMENT_INVALID"


class ProfileNameInvalid(HermesError):
    """The name breaks the rules of `domain/profile.py`."""

    reason = "PROFILE_NAME_INVALID"


class ProfileRequired(HermesError):
    """A scoped request named no profile."""

    reason = "PROFILE_REQUIRED"


class ProfileNotFound(HermesError):
    """There is no such profile."""

    reason = "PROFILE_NOT_FOUND"


class NotFound(HermesError):
    """There is no such operation, runtime or terminal."""

    reason = "NOT_FOUND"


class ProfileExists(HermesError):
    """The name is in use."""

    reason = "PROFILE_EXISTS"


class AliasTaken(HermesError):
    """The alias would hide or replace something that is not ours."""

    reason = "ALIAS_TAKEN"


class PortInUse(HermesError):
    """A port the gateway needs belongs to another program."""

    reason = "PORT_IN_USE"


class TokenInUse(HermesError):
    """A bot or a login that the gateway needs is another gateway's."""

    reason = "TOKEN_IN_USE"


class ProfileBusy(HermesError):
    """Another operation works on the profile."""

    reason = "PROFILE_BUSY"


class GatewayMisconfigured(HermesError):
    """The agent refused its configuration (exit code 78)."""

    reason = "GATEWAY_MISCONFIGURED"


class GatewayForeign(HermesError):
    """A gateway that hermesd did not start serves the profile."""

    reason = "GATEWAY_FOREIGN"


class RuntimeMissing(HermesError):
    """No runtime is installed that the profile could use."""

    reason = "RUNTIME_MISSING"


class Incompatible(HermesError):
    """Runtime, interpreter or platform is not one hermesd works with."""

    reason = "INCOMPATIBLE"


class ConfigInvalid(HermesError):
    """A configuration file cannot be read or parsed."""

    reason = "CONFIG_INVALID"


class GatewayCrashed(HermesError):
    """The gateway ended before it was ready."""

    reason = "GATEWAY_CRASHED"


class GatewayNotReady(HermesError):
    """The gateway missed its start limit."""

    reason = "GATEWAY_NOT_READY"


class GatewayStuck(HermesError):
    """The gateway's process survived being killed."""

    reason = "GATEWAY_STUCK"


class SourceUnreachable(HermesError):
    """A package source did not answer or refused."""

    reason = "SOURCE_UNREACHABLE"


class StateCorrupt(HermesError):
    """The daemon's database is damaged."""

    reason = "STATE_CORRUPT"


class DiskFull(HermesError):
    """A file system is full or a quota is used up."""

    reason = "DISK_FULL"


class Cancelled(HermesError):
    """The operation was cancelled or superseded."""

    reason = "CANCELLED"


class StateTooNew(HermesError):
    """The daemon's database was written by a newer hermesd."""

    reason = "STATE_TOO_NEW"


class NotPermitted(HermesError):
    """The operating system refused access."""

    reason = "NOT_PERMITTED"


class BudgetSpent(HermesError):
    """No start is left in the rolling budget."""

    reason = "BUDGET_SPENT"


class ChangedMeanwhile(HermesError):
    """What was to be changed is not what it was when it was read."""

    reason = "CHANGED_MEANWHILE"


class AgentFailed(HermesError):
    """The agent could not do what it was asked to."""

    reason = "AGENT_FAILED"


class Interrupted(HermesError):
    """The daemon ended before the operation did."""

    reason = "INTERRUPTED"


class GatewayNotRunning(HermesError):
    """The gateway does not run, so that it cannot do what was asked of it."""

    reason = "GATEWAY_NOT_RUNNING"


class ArchiveUnsafe(HermesError):
    """An archive holds what must not be written here, or would hold what must not leave."""

    reason = "ARCHIVE_UNSAFE"


class ArchiveCorrupt(HermesError):
    """An archive is damaged, cut off, or none."""

    reason = "ARCHIVE_CORRUPT"
