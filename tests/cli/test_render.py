"""Formats: the same facts for people and for programs."""

import json
from pathlib import Path

import pytest
import yaml

from hermesctl.shapes import plain, word
from hermesctl.tables import Column, Layout, page, table
from hermesctl.terminal import ColourChoice, Terminal
from hermesd.v1 import errors_pb2, gateways_pb2, operations_pb2, profiles_pb2
from tests.cli.conftest import Run
from tests.fakes.contract import at
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal, Screen
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

COMMANDS = [
    "status",
    "version",
    "daemon status",
    "daemon start",
    "profile",
    "profile list",
    "profile show coder",
    "profile current",
    "profile use coder",
    "profile create new",
    "profile delete worker --yes",
    "profile trash list",
    "gateway list",
    "gateway status coder",
    "gateway is-active coder",
    "gateway start coder",
    "gateway start coder --no-wait",
    "gateway stop coder",
    "gateway restart coder",
    "gateway logs coder",
    "logs coder",
    "runtime list",
    "runtime install",
    "runtime add /opt/hermes",
    "operations list",
    "events",
    "terminal list",
    "env effective",
    "env effective --for command",
    "quickstart",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_speaks_every_format(run: Run, daemon: FakeDaemon, line: str) -> None:
    """JSON and YAML say the same, jsonl is JSON by the line, and all of it names its kind."""
    ended = run(f"{line} -o json")
    assert ended.code == 0
    data = json.loads(ended.out)
    assert data["apiVersion"] == "hermesd/v1"
    assert data["kind"][0].isupper()
    assert (
        yaml.safe_load(run(f"{line.replace('delete worker', 'delete coder')} -o yaml").out)["kind"] == data["kind"]
    )
    for text in run(f"-o jsonl {line.replace('delete worker', 'delete new')}").out.splitlines():
        assert json.loads(text)["type"] == "result"


@pytest.mark.parametrize("line", COMMANDS)
def test_the_common_options_stand_anywhere(run: Run, daemon: FakeDaemon, line: str) -> None:
    """Before the noun, between, and at the end."""
    words = line.split()
    places = [["--json", *words], [*words, "--json"]] + (
        [[words[0], "--json", *words[1:]]] if len(words) > 1 else []
    )
    kinds = []
    for argv in places:
        if "delete" in argv:
            run("profile create worker -q")
        kinds.append(json.loads(run(argv).out)["kind"])
    assert len(set(kinds)) == 1


@pytest.mark.parametrize("flag", [["-p", "coder"], ["--profile", "coder"], ["--profile=coder"]])
def test_the_profile_flag_stands_anywhere(run: Run, daemon: FakeDaemon, flag: list[str]) -> None:
    """In every position of a command of ours."""
    words = ["gateway", "is-active"]
    for position in range(len(words) + 1):
        ended = run([*words[:position], *flag, *words[position:]])
        assert (ended.code, ended.out) == (0, "ready\n")


def test_names_are_arguments_again(run: Run, daemon: FakeDaemon) -> None:
    """What `-o name` prints can be given to a command."""
    for name in run("profile list -o name").out.split():
        assert run(["profile", "show", name]).code == 0
    for name in run("gateway list -o name").out.split():
        assert run(["gateway", "status", name]).code in {0, 3}
    run("gateway start coder")
    for name in run("operations list -o name").out.split():
        assert run(["operations", "show", name]).code == 0


def test_enums_are_words_times_are_utc_and_unset_is_null() -> None:
    """The shape that scripts rely on."""
    data = plain(
        operations_pb2.Operation(
            id="x",
            kind="gateway.start",
            state=operations_pb2.OPERATION_STATE_RUNNING,
            error=operations_pb2.OperationError(
                reason=errors_pb2.REASON_PORT_IN_USE, metadata={"b": "2", "a": "1"}
            ),
            started_at=at(0),
        )
    )
    assert data["operation_kind"] == "gateway.start"
    assert data["state"] == "running"
    assert data["error"]["reason"] == "PORT_IN_USE"
    assert list(data["error"]["metadata"]) == ["a", "b"]
    assert data["started_at"] == "2026-09-21T14:13:20Z"
    assert (data["finished_at"], data["elapsed"], data["progress"]) == (None, None, None)


def test_absent_numbers_are_not_zero() -> None:
    """An exit code that is not known is null."""
    assert plain(gateways_pb2.GatewayExit())["code"] is None
    assert plain(gateways_pb2.GatewayExit(code=0))["code"] == 0


def test_a_word_of_a_newer_daemon_is_marked() -> None:
    """An enum value that is not known here does not become another one."""
    assert word(gateways_pb2.GatewayState.DESCRIPTOR, 99) == "unknown_99"
    assert word(gateways_pb2.GatewayState.DESCRIPTOR, 0) == ""


def test_hostile_names_are_safe_in_every_format(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Shown as escapes to people, exact to programs."""
    evil = "evil\x1b[2J\u202e\nname"
    world.profiles["coder"].description = evil
    for form in ("table", "wide", "json", "jsonl", "yaml"):
        text = run(["profile", "list", "-o", form], columns=200, variables={"NO_COLOR": "1"}).out
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert json.loads(run("profile show coder -o json").out)["description"] == evil
    assert yaml.safe_load(run("profile show coder -o yaml").out)["description"] == evil


def test_a_locale_without_utf_8_gets_ascii_only(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Symbols have stand-ins, and JSON escapes."""
    world.profiles["coder"].description = "Grüße…"
    plain_locale = {"LC_ALL": "C"}
    data = run("profile show coder -o json", variables=plain_locale).out
    assert data.isascii()
    assert json.loads(data)["description"] == "Grüße…"
    assert run("profile show coder -o yaml", variables=plain_locale).out.isascii()
    assert run("status", variables=plain_locale, encoding="ascii").out.isascii()
    assert run("profile show coder", variables=plain_locale, encoding="ascii").out.isascii()


@pytest.mark.parametrize(
    ("variables", "choice", "columns", "has_colour"),
    [
        ({}, "auto", 80, True),
        ({}, "auto", None, False),
        ({"NO_COLOR": "1"}, "auto", 80, False),
        ({"NO_COLOR": ""}, "auto", 80, True),
        ({"FORCE_COLOR": "1"}, "auto", None, True),
        ({"FORCE_COLOR": "0"}, "auto", None, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", 80, False),
        ({"TERM": "dumb"}, "auto", 80, False),
        ({"NO_COLOR": "1"}, "always", None, True),
        ({"FORCE_COLOR": "1"}, "never", 80, False),
    ],
)
def test_who_decides_about_colour(
    variables: dict[str, str], choice: str, columns: int | None, has_colour: bool
) -> None:
    """The flag, then NO_COLOR, then FORCE_COLOR, then what the stream is."""
    terminal = FakeTerminal(variables, columns=columns)
    terminal.colour_choice = ColourChoice(choice)
    assert terminal.has_colour(terminal.stdout) is has_colour


def test_colour_can_be_forced_through_a_pipe(run: Run, daemon: FakeDaemon) -> None:
    """`--color always` is for pagers."""
    assert "\x1b[32m" in run("gateway list --color always").out
    assert "\x1b" not in run("gateway list --color never", columns=80).out


@pytest.mark.parametrize("columns", [1, 20, 40, 80, 200])
def test_tables_fit_as_far_as_they_can(columns: int) -> None:
    """Wide columns give way first, then the last ones; two are always shown."""
    rows = [("name", "x" * 30, 12345, "y" * 50)]
    shape = [
        Column[tuple[str, str, int, str]]("A", lambda row: row[0]),
        Column[tuple[str, str, int, str]]("B", lambda row: row[1]),
        Column[tuple[str, str, int, str]]("N", lambda row: str(row[2]), is_number=True),
        Column[tuple[str, str, int, str]]("C", lambda row: row[3]),
    ]
    lines = table(rows, shape, Layout(columns=columns)).splitlines()
    assert all(len(line) <= max(columns, 14) for line in lines)
    assert lines[1].startswith("name  x")
    assert len(table(rows, shape, Layout(columns=columns, is_wide=True)).splitlines()[1]) == 4 + 30 + 5 + 50 + 6


def test_pages_leave_out_what_is_not_known() -> None:
    """An empty value has no line."""
    assert page("title", [("One", "1"), ("Two", "")]) == "title\n  One         1\n"


def test_lists_can_be_limited_to_one_profile(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Only by naming it: no default applies."""
    run("gateway start coder")
    run("gateway start worker")
    assert len(run("operations list --no-headers").out.splitlines()) == 2
    assert "worker" not in run("operations list -p coder").out


def test_the_size_of_a_real_terminal_is_asked_for() -> None:
    """COLUMNS wins; a stream that only looks like a terminal is eighty columns wide."""
    screen = Screen(is_tty=True)
    terminal = Terminal(
        screen, screen, screen, {"COLUMNS": "33"}, ["COLUMNS"], Path("/"), 1, FakeTerminal({}).replaced
    )
    assert terminal.columns == 33
    terminal.environment = {"COLUMNS": "none"}
    assert terminal.columns == 80


def test_quickstart_sends_the_key_from_the_environment_and_never_shows_it(
    run: Run, daemon: FakeDaemon, world: World
) -> None:
    """The key reaches the daemon once and nothing else."""
    line = "quickstart --model m --base-url http://127.0.0.1:1/v1 --api-key-env MY_KEY --api-port 9000"
    ended = run(line, variables={"MY_KEY": "sk-canary"})
    assert ended.code == 0
    assert "sk-canary" not in ended.out + ended.err
    (request,) = [message for method, message in world.calls if method == "SetUpProfile"]
    assert isinstance(request, profiles_pb2.SetUpProfileRequest)
    assert (request.model.key, request.model.key_env, request.api_server_port) == ("sk-canary", "MY_KEY", 9000)


def test_quickstart_uses_an_agent_that_is_there(run: Run, daemon: FakeDaemon, world: World) -> None:
    """`--runtime` registers it once, relative to the caller's directory, and installs nothing."""
    world.runtimes.clear()
    assert "agent in use" in run("quickstart --runtime venv/bin/hermes").err
    assert world.runtimes[0].executable == "/home/ana/desk/venv/bin/hermes"
    assert "agent already in use" in run("quickstart --runtime venv/bin/hermes").err
    assert "InstallRuntime" not in [method for method, _ in world.calls]


def test_quickstart_names_the_shortest_command_that_works(
    run: Run, daemon: FakeDaemon, environment: dict[str, str]
) -> None:
    """The alias where its directory is on PATH, else the long form."""
    path = f"{environment['HOME']}/.local/bin:/usr/bin"
    assert "chat        coder chat\n" in run("quickstart", variables={"PATH": path}).err
    assert "chat        hermesctl -p coder chat\n" in run("quickstart").err
