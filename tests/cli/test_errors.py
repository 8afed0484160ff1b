"""The one failure of the client, its exit codes and how it is told."""

import json
from pathlib import Path

import grpc
import pytest

from hermesctl.errors import EXIT_CODES, ExitCode, Fix, HermesError, from_metadata
from hermesctl.report import report
from hermesd.v1 import errors_pb2
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

REASONS = [name.removeprefix("REASON_") for name in errors_pb2.Reason.keys() if name != "REASON_UNSPECIFIED"]  # noqa: SIM118

KNOWN = {
    2: "ARGUMENT_INVALID PROFILE_NAME_INVALID PROFILE_REQUIRED PROFILE_CONFLICT",
    4: "PROFILE_NOT_FOUND NOT_FOUND",
    5: "PROFILE_EXISTS ALIAS_TAKEN FILE_EXISTS PORT_IN_USE TOKEN_IN_USE PROFILE_BUSY",
    6: "GATEWAY_MISCONFIGURED GATEWAY_FOREIGN BUDGET_SPENT RUNTIME_MISSING INCOMPATIBLE CONFIG_INVALID "
    "CHANGED_MEANWHILE GATEWAY_NOT_RUNNING",
    1: "GATEWAY_CRASHED GATEWAY_NOT_READY GATEWAY_STUCK SOURCE_UNREACHABLE STATE_CORRUPT DISK_FULL "
    "AGENT_FAILED INTERNAL INTERRUPTED",
    7: "DECLINED CANCELLED",
    8: "DAEMON_ABSENT VERSION_SKEW STATE_TOO_NEW",
    9: "NOT_PERMITTED",
    11: "STILL_RUNNING",
}


def told(error: HermesError, *, is_json: bool = False, verbosity: int = 0, program: str = "hermesctl") -> str:
    """The failure as it appears on stderr."""
    terminal = FakeTerminal({})
    terminal.program = program
    report(error, terminal, is_json=is_json, verbosity=verbosity)
    assert terminal.output.getvalue() == ""
    return terminal.talk.getvalue()


def test_every_reason_of_the_contract_has_an_exit_code_and_no_other() -> None:
    """The table and the contract name the same reasons."""
    assert sorted(EXIT_CODES) == sorted(REASONS)


@pytest.mark.parametrize(("code", "reasons"), KNOWN.items())
def test_exit_codes_keep_their_meaning(code: int, reasons: str) -> None:
    """Scripts rely on them."""
    assert {reason: EXIT_CODES[reason] for reason in reasons.split()} == dict.fromkeys(reasons.split(), code)


def test_a_reason_of_a_newer_daemon_is_a_failure() -> None:
    """What is not known is not taken for success."""
    assert HermesError("WEATHER_BAD", "it rains").exit_code is ExitCode.FAILED


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_reaches_the_exit_code(run: Run, daemon: FakeDaemon, world: World, reason: str) -> None:
    """From the daemon's trailing metadata to the process's end, with its own words and fixes."""
    world.refused["ListProfiles"] = Refusal(
        reason, "cannot list profiles: the moon is full", {"hint": "wait", "fix": "hermesctl status"}
    )
    ended = run("profile list")
    assert ended.code == EXIT_CODES[reason]
    assert ended.out == ""
    assert ended.err.splitlines()[:3] == [
        "error: cannot list profiles",
        "  why: the moon is full; wait",
        "  fix: hermesctl status",
    ]


@pytest.mark.parametrize("reason", REASONS)
def test_an_operation_fails_like_a_call(run: Run, daemon: FakeDaemon, world: World, reason: str) -> None:
    """The same reason has the same exit code wherever it comes from."""
    world.failing["gateway.start"] = Refusal(reason, "cannot start the gateway of 'worker': no luck")
    ended = run("gateway start worker -o json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.code, ended.out) == (EXIT_CODES[reason], "")
    assert (error["reason"], error["exit"], error["profile"]) == (reason, ended.code, "worker")


def test_lines_of_a_failure_are_aligned() -> None:
    """What, why, how to mend it with or without words, and where to read on."""
    error = HermesError(
        "GATEWAY_CRASHED",
        "gateway 'worker' did not start",
        why="it ended with exit code 1",
        fixes=[Fix("hermesctl gateway start worker", "try again"), Fix("hermesctl gateway logs worker", "read")],
        facts={"profile": "worker"},
    )
    assert told(error, verbosity=1).splitlines() == [
        "error: gateway 'worker' did not start",
        "  why: it ended with exit code 1",
        "  fix: try again     hermesctl gateway start worker",
        "       read          hermesctl gateway logs worker",
        "  see: hermesctl gateway logs worker",
        "  reason: GATEWAY_CRASHED profile=worker exit=1",
    ]


def test_a_program_that_is_not_on_the_path_is_named_by_its_path() -> None:
    """A fix can be pasted where hermesctl is called by its path."""
    error = HermesError("DAEMON_ABSENT", "hermesd is not running", fixes=[Fix("hermesctl daemon start")])
    assert "fix: /venv/bin/hermesctl daemon start" in told(error, program="/venv/bin/hermesctl")


@pytest.mark.parametrize(
    ("reason", "facts", "pointer"),
    [
        ("INTERNAL", {"incident": "ab12"}, "hermesctl daemon status"),
        ("PORT_IN_USE", {"profile": "coder"}, "hermesctl gateway status coder"),
        ("PROFILE_BUSY", {"operation": "op1"}, "hermesctl operations show op1"),
        ("GATEWAY_NOT_READY", {"profile": "coder"}, "hermesctl gateway logs coder"),
    ],
)
def test_some_failures_say_where_to_read_on(reason: str, facts: dict[str, str], pointer: str) -> None:
    """`see:` appears only where there is something to read."""
    assert f"see: {pointer}" in told(HermesError(reason, "no", facts=facts))
    assert "see:" not in told(HermesError(reason, "no"))


def test_a_failure_in_json_has_all_its_parts() -> None:
    """Keys are there even when nothing is known."""
    data = json.loads(told(HermesError("NOT_FOUND", "no 'x'"), is_json=True))
    assert data == {
        "error": {
            "reason": "NOT_FOUND",
            "message": "no 'x'",
            "why": None,
            "fixes": [],
            "profile": None,
            "operation": None,
            "exit": 4,
            "request_id": None,
            "facts": {},
        }
    }


def test_hostile_words_of_others_do_not_reach_the_terminal() -> None:
    """An agent's error cannot paint over ours."""
    error = from_metadata(
        "GATEWAY_CRASHED", "it said \x1b[2J\n\u202eevil", {"fix": "rm\x07", "profile": "\x1b]0;x\x07"}
    )
    text = told(error, verbosity=1)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    assert text.count("\n") == 4


def test_near_names_are_suggested_once() -> None:
    """The daemon's list becomes a question, unless its own words asked already."""
    assert from_metadata("PROFILE_NOT_FOUND", "no", {"closest": "worker,walker"}).why == (
        "did you mean 'worker' or 'walker'?"
    )
    hinted = {"closest": "worker", "hint": "did you mean 'worker'?"}
    assert from_metadata("PROFILE_NOT_FOUND", "no", hinted).why == "did you mean 'worker'?"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, "VERSION_SKEW"),
        (grpc.StatusCode.UNAVAILABLE, "DAEMON_ABSENT"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DAEMON_ABSENT"),
        (grpc.StatusCode.UNKNOWN, "INTERNAL"),
    ],
)
def test_a_failure_without_a_reason_is_told_from_its_status(
    run: Run, daemon: FakeDaemon, world: World, code: grpc.StatusCode, reason: str
) -> None:
    """What does not come from hermesd itself is still explained."""
    world.refused["ListProfiles"] = Refusal("ANY", "no", domain="elsewhere", code=code)
    ended = run("profile list -o json")
    assert json.loads(ended.err)["error"]["reason"] == reason


def test_a_defect_is_one_sentence_unless_more_is_asked_for(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback reaches a terminal only with -v."""

    def defect(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("hermesctl.fleet.survey", defect)
    ended = run("status")
    assert ended.code == 1
    assert "failed unexpectedly: RuntimeError" in ended.err
    assert "Traceback" not in ended.err
    assert "Traceback" in run("status -v").err


def test_a_full_disk_is_told_as_such(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Refusals of the operating system have reasons too."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr("hermesctl.selection.read_sticky", full)
    ended = run("profile current -o json")
    assert json.loads(ended.err)["error"]["reason"] == "DISK_FULL"
