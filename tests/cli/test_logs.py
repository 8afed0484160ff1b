"""`hermesctl logs`: what is asked of the daemon, and what people and scripts see of the answer."""

import json
import re
from pathlib import Path
from random import Random

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl.literals import literals
from hermesctl.logview import LogView
from hermesd.v1 import logs_pb2 as v1
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import NOW_S, at
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def record(profile: str, seconds_ago: int, text: str, **fields: object) -> v1.LogRecord:
    """A record of an agent's gateway, unless the fields say else."""
    made = v1.LogRecord(
        profile=profile, source=v1.LOG_SOURCE_AGENT, at=at(seconds_ago), level=v1.LOG_LEVEL_INFO, text=text
    )
    made.MergeFrom(v1.LogRecord(**fields))  # type: ignore[arg-type]
    return made


@pytest.fixture
def logged(world: World) -> World:
    """A world in which something was logged."""
    world.log.clear()
    world.records += [
        record("coder", 90_000, "yesterday's", logger="gateway.run"),
        record(
            "coder", 90, "model retry 1/3 (529)", level=v1.LOG_LEVEL_WARNING, logger="agent.loop", session="s-1"
        ),
        *(record("coder", 80 - n, "still no route", level=v1.LOG_LEVEL_WARNING, logger="net") for n in range(5)),
        record(
            "worker",
            60,
            "it broke\nTraceback (most recent call last):\n  File x\nKeyError: \x1b[31m1",
            level=v1.LOG_LEVEL_ERROR,
            logger="gateway.run",
        ),
        record("worker", 50, "printed", source=v1.LOG_SOURCE_GATEWAY, level=0, is_rough=True),
        record("", 40, "socket=x", source=v1.LOG_SOURCE_DAEMON, logger="hermesd.app"),
    ]
    world.notices.append(v1.LogNotice(profile="worker", message="errors.log is not read: it is a link"))
    return world


SCENE = [
    "logs coder",
    "logs coder worker",
    "logs -A -o wide -n 4",
    "logs w*",
    "logs coder --no-fold -n 3",
    "logs coder -n 0",
    "logs worker -o jsonl",
    "logs worker -o json -n 1",
    "logs --source daemon",
    "logs coder worker --grep broke",
    "logs coder worker --grep r[eo]",
    "logs coder worker --grep ^Key",
    "logs coder --grep nothing",
    "logs coder -q --grep nothing",
    "gateway logs coder worker -n 2",
]


def test_logs_look_like_this_in_a_pipe(run: Run, daemon: FakeDaemon, logged: World, tmp_path: Path) -> None:
    """Exact times, no colour."""
    compare("logs", transcript(SCENE, run, tmp_path))


def test_logs_look_like_this_on_a_terminal(run: Run, daemon: FakeDaemon, logged: World, tmp_path: Path) -> None:
    """Times of the day, colours, and how to end a follower."""
    logged.coming.append(record("coder", 0, "new", logger="gateway.run"))
    lines = [
        "logs coder worker",
        "logs coder -f -n 1",
        "logs coder worker -f --grep w$ -q",
        "logs -f --source daemon",
    ]
    compare("logs-tty", transcript(lines, lambda line: run(line, columns=80), tmp_path))


def asked(world: World) -> v1.ReadLogsRequest:
    """What the daemon was asked last."""
    request = next(one for method, one in reversed(world.calls) if method == "ReadLogs")
    assert isinstance(request, v1.ReadLogsRequest)
    return request


PLAIN = {"plain text", "one|two", r"a\.b \(c\)"}
"""Expressions that say nothing but letters."""


def ago(seconds: float) -> Timestamp:
    """So long before the client's present."""
    return Timestamp(seconds=int(NOW_S - seconds))


def test_options_become_a_question(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Whatever the daemon can narrow, it is asked to."""
    line = "logs coder --since 10m --until 1m --level WARN --session s-1 --component agent --component x.y -n 7"
    assert run(f"{line} --source agent --source errors --grep telegram:.Conflict").code == 0
    assert asked(world) == v1.ReadLogsRequest(
        profiles=["coder"],
        sources=[v1.LOG_SOURCE_AGENT, v1.LOG_SOURCE_ERRORS],
        since=ago(600),
        until=ago(60),
        level=v1.LOG_LEVEL_WARNING,
        contains=["telegram:"],
        session="s-1",
        loggers=["agent", "run_agent", "model_tools", "batch_runner", "x.y"],
    )


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("logs coder", 100),
        ("logs coder -n 5", 5),
        ("logs coder --since 1h", None),
        ("logs coder --since 1h -n 5", 5),
        ("logs coder --grep plain", 100),
        ("logs coder --grep pl.in", None),
    ],
)
def test_how_many_are_asked_for(run: Run, daemon: FakeDaemon, world: World, line: str, lines: int | None) -> None:
    """The last hundred, or all since a moment; an expression that only we can match is counted here."""
    run(line)
    request = asked(world)
    assert (request.lines if request.HasField("lines") else None) == lines


@pytest.mark.parametrize(
    ("line", "profiles"),
    [
        ("logs", ["default"]),
        ("-p coder logs", ["coder"]),
        ("logs coder worker coder", ["coder", "worker"]),
        ("logs profile/coder", ["coder"]),
        ("logs *o*e*", ["coder", "worker"]),
        ("logs [cd]*", ["default", "coder"]),
        ("logs --all", ["default", "coder", "worker"]),
        ("logs --source daemon", []),
        ("-p coder logs --source daemon", ["coder"]),
        ("logs --source daemon --source agent", ["default"]),
    ],
)
def test_which_profiles_are_meant(
    run: Run, daemon: FakeDaemon, world: World, line: str, profiles: list[str]
) -> None:
    """Names, patterns, all, or the one that is chosen; only the daemon's own log needs none."""
    assert run(line).code == 0
    assert [*asked(world).profiles] == sorted(profiles, key=["default", "coder", "worker"].index)


def test_a_profile_may_be_called_like_a_log(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Then it is meant."""
    world.profiles["errors"] = world.profiles["coder"]
    world.profiles["errors"].gateway.profile = "errors"
    assert run("logs errors").code == 0


@pytest.mark.parametrize(
    ("pattern", "needles"),
    [
        ("plain text", ("plain text",)),
        (r"a\.b \(c\)", ("a.b (c)",)),
        (r"a\.\w+bcd", ("bcd",)),
        ("^start.*of$", ("start",)),
        ("colou?r", ("colo",)),
        ("ab*", ("a",)),
        ("ab+c", ("ab",)),
        ("x{3}abc", ("abc",)),
        ("one|two", ("one", "two")),
        ("one|t.", ("one", "t")),
        ("one|.", ()),
        ("error (foo|bar(x|y)) at", ("error ",)),
        ("(ab|cd)?efg[x)|]hi", ("efg",)),
        ("[]a]bc[^]b]", ("bc",)),
        (r"(?:a)bc(?P<n>d)(?=e)", ("bc",)),
        ("(?i)telegram", ()),
        ("(?i:tele)gram", ()),
        (r"\x41bc", ()),
        (r"a(b)\1", ()),
        (r"\d\d", ()),
        ("(a|b)", ()),
        ("", ()),
    ],
)
def test_literals_are_certain(pattern: str, needles: tuple[str, ...]) -> None:
    """What is said to stand in every match does; where that is not sure, nothing is said."""
    found = literals(pattern)
    assert found.needles == needles
    assert found.is_all is (pattern in PLAIN)


def view(terminal: FakeTerminal, **options: bool) -> LogView:
    """A view of one profile."""
    return LogView(terminal, ["coder"], **{"is_folding": True, "is_wide": False, "has_one": True, **options})


def test_interleaved_repetitions_are_folded(environment: dict[str, str]) -> None:
    """Two sources that flood at the same time do not hide that each repeats itself."""
    flood = [
        record("coder", 9 - number // 2, "again", source=source)
        for number in range(10)
        for source in (v1.LOG_SOURCE_AGENT, v1.LOG_SOURCE_GATEWAY)[number % 2 : number % 2 + 1]
    ]
    shown = view(FakeTerminal(environment))
    assert shown.lines(flood).count("again") == 2
    assert shown.lines([record("coder", 3, "else")]) == (
        "… repeated 4 times until 2026-09-21T14:13:15Z\n2026-09-21T14:13:17Z  INFO   agent  else\n"
    )
    assert shown.end() == "… repeated 4 times until 2026-09-21T14:13:15Z\n"
    assert shown.end() == ""


def test_a_follower_is_told_of_repetitions_now_and_then(environment: dict[str, str]) -> None:
    """A flood that never changes is not silence."""
    terminal = FakeTerminal(environment)
    now_s = 0.0
    terminal.monotonic_s = lambda: now_s
    shown = view(terminal)
    assert shown.lines([record("coder", 9, "again")] * 3).count("\n") == 1
    assert shown.lines([record("coder", 8, "again")]) == ""
    now_s = 5.0
    assert shown.lines([record("coder", 7, "again")]) == "… repeated 4 times until 2026-09-21T14:13:13Z\n"
    assert shown.lines([record("coder", 6, "again")]) == ""


def test_a_follower_that_is_interrupted_is_told_the_rest(
    run: Run, daemon: FakeDaemon, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was folded is not lost with Ctrl-C; half a document is none."""
    world.log[:] = ["again"] * 3

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hermesctl.commands.logs._say_following", interrupt)
    ended = run("logs coder -f")
    assert (ended.code, ended.out.splitlines()[1]) == (130, "… repeated 2 times until 2026-09-21T14:12:20Z")
    ended = run("logs coder -f --json")
    assert ended.code == 130
    assert [json.loads(line)["text"] for line in ended.out.splitlines()] == ["again"] * 3


def test_literals_never_leave_out_a_match(rng: Random) -> None:
    """Whatever matches an expression made of anything has one of its literals."""
    parts = [
        "a",
        "b",
        "ab",
        ".",
        "a*",
        "b?",
        "(a|b)",
        "[ab]",
        "|",
        "(?:ab)+",
        r"\w",
        r"\.",
        "a{2}",
        "^",
        "$",
        "(a)?",
    ]
    checked = 0
    for _ in range(3000):
        pattern = "".join(rng.choices(parts, k=rng.randrange(1, 6)))
        found = literals(pattern)
        text = "".join(rng.choices("ab.c", k=8))
        is_match = re.search(pattern, text) is not None
        has_one = any(needle in text for needle in found.needles)
        assert has_one or not is_match or not found.needles, (pattern, text)
        assert has_one is is_match or not found.is_all, (pattern, text)
        checked += is_match and bool(found.needles)
    assert checked > 300


@pytest.mark.parametrize("pattern", ["[a", "a{" + "9" * 5000 + "}", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_what_is_no_expression_is_said(run: Run, daemon: FakeDaemon, pattern: str) -> None:
    """However Python refuses it; nothing is asked of the daemon."""
    ended = run(["logs", "coder", "--grep", pattern])
    assert ended.code == 2
    assert "is no regular expression" in ended.err
