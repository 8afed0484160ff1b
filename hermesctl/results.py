"""What became of each profile, where an operation works on several.

Owns: how results are told, and which exit code they make. Must not know what the operation does.
"""

from collections.abc import Sequence

from hermesctl.errors import ExitCode, HermesError, from_metadata
from hermesctl.session import Session
from hermesctl.text import clean
from hermesd.v1 import errors_pb2
from hermesd.v1.operations_pb2 import Operation, TargetResult


def line(results: Sequence[TargetResult]) -> str:
    """Those that were done: "default (up to date), coder (+2 new)"."""
    return ", ".join(f"{clean(one.profile)} ({clean(one.summary)})" for one in _done(results))


def warn_of_failures(session: Session, results: Sequence[TargetResult]) -> None:
    """Tells why the others could not be done."""
    for one in results:
        if one.HasField("error"):
            session.warn(f"{one.profile}: {one.error.message}")


def refuse_if_only_failure(results: Sequence[TargetResult]) -> None:
    """Fails as the one profile did that the work was about.

    Raises:
        HermesError: for its reason.
    """
    if len(results) == 1 and results[0].HasField("error"):
        error = results[0].error
        raise from_metadata(_reason(results[0]), error.message, dict(error.metadata))


def exit_code(operation: Operation) -> ExitCode:
    """0 if everything was done, 10 if some of it was, and that of the first failure if nothing was."""
    failed = [one for one in operation.results if one.HasField("error")]
    if not failed:
        return ExitCode.DONE
    return ExitCode.PARTLY if _done(operation.results) else HermesError(_reason(failed[0]), "").exit_code


def _done(results: Sequence[TargetResult]) -> list[TargetResult]:
    return [one for one in results if not one.HasField("error")]


def _reason(result: TargetResult) -> str:
    return errors_pb2.Reason.Name(result.error.reason).removeprefix("REASON_")
