"""`env effective`: names, origins and what is left out; no value of the caller's is sent or shown."""

import json
from pathlib import Path

import pytest

from hermesd.v1 import environments_pb2 as v1
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

CANARY = "sk-theirs-0123456789"


@pytest.fixture(autouse=True)
def described(world: World) -> None:
    """One variable of each origin."""
    for name, origin, value in (
        ("HERMES_HOME", v1.ENVIRONMENT_ORIGIN_AGENT, "/home/ana/.hermes/profiles/coder"),
        ("LANG", v1.ENVIRONMENT_ORIGIN_DAEMON, "C.UTF-8"),
        ("OPENAI_API_KEY", v1.ENVIRONMENT_ORIGIN_PROFILE, "…"),
        ("USER", v1.ENVIRONMENT_ORIGIN_ACCOUNT, "ana\x1b[2J"),
    ):
        world.described.append(v1.EnvironmentVariable(name=name, origin=origin, value=value))
    world.foreign_values = [CANARY]


def test_environments_are_shown_word_for_word(run: Run, daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """Of a gateway, and of a command that would be called here."""
    lines = [
        "env effective -p coder",
        "env effective -p coder --for command",
        "env effective -p coder --for command -o json",
        "env effective -o name",
        "env effective -p ghost",
        "env effective --for cron",
        "env --help",
        "env effective --help",
    ]
    variables = {"SPELL": CANARY, "HERMES_PROFILE": "x", "MINE": "sk-mine-0123456789", "BAD\udcff": "1"}
    written = transcript(lines, lambda line: run(line, variables=variables), Path(environment["HOME"]))
    compare("environments", written)
    assert "0123456789" not in written


def test_no_value_of_the_callers_is_sent(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Only names, and those only for a command."""
    for purpose in ("gateway", "command"):
        run(["env", "effective", "--for", purpose], variables={"SPELL": CANARY})
    (_, first), (_, second) = world.calls
    assert isinstance(first, v1.DescribeEnvironmentRequest)
    assert isinstance(second, v1.DescribeEnvironmentRequest)
    assert list(first.environment_names) == []
    assert "SPELL" in second.environment_names
    assert CANARY.encode() not in second.SerializeToString()


def test_what_is_left_out_for_its_value_is_told(run: Run, daemon: FakeDaemon) -> None:
    """And why."""
    items = json.loads(run("env effective --for command -o json", variables={"SPELL": CANARY}).out)["items"]
    (found,) = [one for one in items if one["name"] == "SPELL"]
    assert found == {"name": "SPELL", "origin": "caller", "value": None, "left_out": "foreign"}
