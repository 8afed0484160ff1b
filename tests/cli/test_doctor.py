"""The doctor: ours first, then the agent's own on the caller's terminal, and the worst exit code."""

import json
from pathlib import Path

import pytest

from hermesctl import cli
from hermesctl.client.places import Places
from hermesctl.terminal import NeedsOwnProcess
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.mark.parametrize(
    ("profile", "agents", "code"),
    [("coder", 0, 0), ("coder", 1, 1), ("coder", 130, 130), ("worker", 0, 1), ("worker", 1, 1), ("worker", 2, 2)],
)
def test_the_worst_exit_code_wins(run: Run, daemon: FakeDaemon, profile: str, agents: int, code: int) -> None:
    """Ours is 1 while an error is left, else 0."""
    assert run(f"doctor {profile}", code=agents).code == code
    assert run(f"doctor {profile} -o json", code=agents).code == code


def test_the_agents_doctor_runs_after_ours_as_it_was_typed(run: Run, daemon: FakeDaemon) -> None:
    """With the words behind `--`, and nothing of ours around what it says."""
    ended = run("doctor worker -- --fix --ack X", code=0)
    assert ended.out.startswith("worker\n")
    assert ended.out.endswith("\n  ✓ fine     units\n(hermes -p worker doctor --fix --ack X)\n")
    assert ended.err == ""


def test_its_words_are_talk_where_ours_are_data(run: Run, daemon: FakeDaemon) -> None:
    """A program reads one document, with how the agent's doctor ended."""
    ended = run("doctor coder -o json", code=3)
    assert json.loads(ended.out)["agent"] == {"exit_code": 3, "skipped": None}
    assert ended.err == "(hermes -p coder doctor)\n"


@pytest.mark.parametrize("line", ["doctor coder --no-agent", "doctor --all"])
def test_no_agent_runs_where_none_is_asked_for(run: Run, daemon: FakeDaemon, world: World, line: str) -> None:
    """Nor is any terminal opened for it."""
    assert "(hermes" not in run(line, code=0).out
    assert [name for name, _ in world.calls if name == "OpenTerminal"] == []


@pytest.mark.parametrize("reason", ["RUNTIME_MISSING", "INCOMPATIBLE"])
def test_an_agent_that_cannot_is_told_and_ours_counts(
    run: Run, daemon: FakeDaemon, world: World, reason: str
) -> None:
    """In the daemon's words."""
    world.refused["OpenTerminal"] = Refusal(reason, "no hermes-agent runtime is installed")
    ended = run("doctor coder", code=0)
    assert ended.code == 0
    assert ended.err == "warning: the agent's own doctor did not run: no hermes-agent runtime is installed\n"
    data = json.loads(run("doctor coder --json", code=0).out)
    assert data["agent"] == {"exit_code": None, "skipped": "no hermes-agent runtime is installed"}


def test_any_other_failure_is_one(run: Run, daemon: FakeDaemon, world: World) -> None:
    """What hermesd found has been said by then."""
    world.refused["OpenTerminal"] = Refusal("CONFIG_INVALID", "cannot work in /gone: no such directory")
    ended = run("doctor coder", code=0)
    assert (ended.code, ended.out.startswith("coder\n")) == (6, True)
    assert ended.err.startswith("error: cannot work in /gone")


def test_who_runs_others_commands_gives_it_back_before_anything_is_done(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """The agent's doctor needs the caller's whole environment; what needs none of it stays."""
    shared = FakeTerminal(environment, code=0)
    shared.is_shared = True
    with pytest.raises(NeedsOwnProcess):
        cli.run(["doctor", "coder", "--fix"], shared)
    assert world.calls == []
    assert cli.run(["doctor", "coder", "--no-agent"], shared) == 0


def test_a_change_to_a_profile_that_nobody_named_is_announced(run: Run, daemon: FakeDaemon) -> None:
    """As any change is; a look is not."""
    assert run("doctor --no-agent").err == ""
    assert run("doctor --no-agent --fix").err == "profile: default (override with -p)\n"


def program(directory: Path, name: str) -> Path:
    """Something that can be called."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def path_finding(run: Run, path: str) -> tuple[str, str]:
    """What is said of the alias of `coder` on this PATH."""
    found = json.loads(run("doctor coder --no-agent --json", variables={"PATH": path}).out)["items"]
    (one,) = (item for item in found if item["check"] == "path")
    return one["severity"], one["message"]


def test_an_alias_is_looked_for_as_the_callers_shell_does(
    run: Run, daemon: FakeDaemon, places: Places, tmp_path: Path
) -> None:
    """It may not be on PATH, or another program stands before it; the same directory by a link is the same."""
    aliases, other = places.home / ".local" / "bin", tmp_path / "other"
    program(aliases, "coder")
    assert path_finding(run, f"/usr/bin:{aliases}") == ("fine", "its aliases are found on PATH")
    (tmp_path / "link").symlink_to(aliases)
    assert path_finding(run, f"{tmp_path / 'link'}")[0] == "fine"
    hiding = program(other, "coder")
    assert path_finding(run, f"{aliases}:{other}")[0] == "fine"
    assert path_finding(run, f"{other}:{aliases}") == (
        "warning",
        f"'coder' runs {hiding}, which stands before its alias on PATH",
    )
    assert path_finding(run, "/usr/bin") == (
        "warning",
        f"{aliases} is not on PATH here, so that 'coder' cannot be called",
    )


def test_a_profile_without_aliases_needs_none_on_path(run: Run, daemon: FakeDaemon) -> None:
    """Nothing is said of it."""
    assert "path" not in run("doctor worker --no-agent").out
