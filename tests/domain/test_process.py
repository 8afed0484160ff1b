"""Processes and operations as values: how an end is told, and what identifies what."""

from dataclasses import FrozenInstanceError

import pytest

from hermesd.domain.gateway import Event
from hermesd.domain.operation import Operation, OperationState, Progress
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, LastExit, Phase, Probe, ProcessIdentity

pytestmark = [pytest.mark.fast, pytest.mark.domain]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ExitStatus(), "unknown"),
        (ExitStatus(code=0), "exit code 0"),
        (ExitStatus(code=75), "exit code 75"),
        (ExitStatus(signal=9), "signal 9"),
    ],
)
def test_end_is_told_as_it_was(status: ExitStatus, text: str) -> None:
    """Exit code 0 is an end like any other, and what the kernel does not tell is not made up."""
    assert str(status) == text


def test_process_is_identified_by_everything() -> None:
    """A pid that is used again, or a start time that repeats after a reboot, is another process."""
    process = ProcessIdentity("boot", 7, 100, "spawn")
    others = {
        ProcessIdentity("boot2", 7, 100, "spawn"),
        ProcessIdentity("boot", 8, 100, "spawn"),
        ProcessIdentity("boot", 7, 101, "spawn"),
        ProcessIdentity("boot", 7, 100, "spawn2"),
    }
    assert len(others) == 4
    assert process not in others


def test_values_do_not_change() -> None:
    """What was recorded of an end cannot be altered afterwards."""
    last = LastExit(ExitCause.CRASHED, ExitStatus(code=1), "", 0.0)
    with pytest.raises(FrozenInstanceError):
        last.detail = "x"  # type: ignore[misc]
    assert ExitReport(Event.CRASHED, ExitCause.CRASHED).detail == ""
    assert Probe(Phase.READY).detail == ""


def test_fresh_operation_runs_without_a_result() -> None:
    """An operation that was just made runs, knows no progress and has no end."""
    operation = Operation("id", "gateway.start", "coder", "", "cli", 0.0)
    assert operation.state is OperationState.RUNNING
    assert operation.progress == Progress(phase="", detail="", done=0, total=0)
    assert (operation.error, operation.finished_at_s, operation.warnings) == (None, None, ())
