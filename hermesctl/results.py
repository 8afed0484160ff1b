"""What became of each profile, where an operation works on several.

Owns: how results are told, and which exit code they make. Must not know what the operation does.
"""

from collections.abc import Sequence

from hermesctl.errors import ExitCode, HermesError, from_metadata
from hermesctl.session import Session
from hermesctl.text import clean
from hermesd.v1 import errors_pb2
from hermesd.v1.operations_pb2 import Operation, TargetResult

MANY = "gateways."
"""How the kinds of operation begin whose targets were chosen together, so that any failure makes 10."""


def line(results: Sequence[TargetResult]) -> str:
    """Those that were done: "default (up to date), coder (+2 new)"."""
    return ", ".join(f"{clean(one.profile)} ({clean(one.summary)})" for one in _done(results))


def warn_of_failures(session: Session, results: Sequence[TargetResult]) -> None:
    """Tells why the others could not be done."""
    for one in results:
        if failed(one):
            session.warn(f"{one.profile}: {one.error.message}")


def refuse_if_only_failure(results: Sequence[TargetResult]) -> None:
    """Fails as the one profile did that the work was about.

    Raises:
        HermesError: for its reason.
    """
    if len(results) == 1 and results[0].HasField("error"):
        error = results[0].error
        raise from_metadata(reason_of(results[0]), error.message, dict(error.metadata))


def exit_code(operation: Operation) -> ExitCode:
    """0 if everything was done, 10 if some of it was, and that of the first failure if nothing was."""
    if operation.kind.startswith(MANY):
        return many_exit_code(operation)
    failures = [one for one in operation.results if failed(one)]
    if not failures:
        return ExitCode.DONE
    return ExitCode.PARTLY if _done(operation.results) else HermesError(reason_of(failures[0]), "").exit_code


def many_exit_code(operation: Operation) -> ExitCode:
    """0 if nothing failed, 10 if anything did, and that of the failure where there was only one to do."""
    failures = [one for one in operation.results if failed(one)]
    if not failures:
        return ExitCode.DONE
    return ExitCode.PARTLY if len(operation.results) > 1 else HermesError(reason_of(failures[0]), "").exit_code


def failed(result: TargetResult) -> bool:
    """Whether it could not be done."""
    return result.HasField("error")


def phrase(result: TargetResult) -> str:
    """What became of one, as a phrase to follow its name."""
    if failed(result):
        return f"failed: {result.error.message}"
    return f"skipped: {result.summary}" if result.is_skipped else result.summary


def _done(results: Sequence[TargetResult]) -> list[TargetResult]:
    return [one for one in results if not failed(one)]


def reason_of(result: TargetResult) -> str:
    """Why it could not be done, as the word that programs rely on."""
    return errors_pb2.Reason.Name(result.error.reason).removeprefix("REASON_")
