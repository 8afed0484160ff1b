"""The same profiles in the hands of hermesctl and of hermes-agent's own commands, by turns."""

import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.house import CLIENT, Machine
from tests.fakes.model import ANSWER, MODEL, ModelServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]


def point_at(machine: Machine, profile: str, model_server: ModelServer) -> None:
    """Gives a profile a model, as a person with an editor would."""
    config = machine.root / "profiles" / profile / "config.yaml"
    config.write_text(
        f"model:\n  default: {MODEL}\n  provider: custom\n  base_url: {model_server.base_url}\n"
        "  context_length: 131072\n"
    )


def theirs(machine: Machine, hermes: Path, *words: str) -> str:
    """One of hermes-agent's own commands, which must succeed."""
    done = machine.run(hermes, *words, extra={"HERMES_DISABLE_LAZY_INSTALLS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(machine: Machine) -> list[str]:
    """What hermesctl lists."""
    return [one["name"] for one in machine.json("profile", "list")["items"]]


@pytest.mark.full
def test_what_hermesctl_makes_hermes_agent_runs_renames_and_deletes(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """It is listed, answers, gets another name with its commands, and goes; hermesctl follows each time."""
    hermes = runtimes["0.19.0"]
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "ours", "--description", "by us")
    assert "ours" in theirs(machine, hermes, "profile", "list")
    assert "by us" in theirs(machine, hermes, "profile", "describe", "ours")
    point_at(machine, "ours", model_server)
    assert theirs(machine, hermes, "-p", "ours", "-z", "hi") == f"{ANSWER}\n"
    before = machine.json("profile", "show", "ours")["id"]
    theirs(machine, hermes, "profile", "rename", "ours", "moved")
    assert machine.json("profile", "show", "moved")["id"] == before
    assert theirs(machine, hermes, "-p", "moved", "-z", "hi") == f"{ANSWER}\n"
    theirs(machine, hermes, "profile", "delete", "moved", "-y")
    assert names(machine) == ["default"]
    machine.ok("profile", "create", "moved")
    assert machine.json("profile", "show", "moved")["id"] != before


@pytest.mark.full
def test_what_hermes_agent_makes_hermesctl_runs_renames_and_deletes(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """It is listed, answers, gets another name, goes and comes back; hermes-agent follows each time."""
    hermes = runtimes["0.19.0"]
    machine.ok("daemon", "start")
    machine.ok("runtime", "add", str(hermes))
    theirs(machine, hermes, "profile", "create", "theirs", "--description", "by them")
    assert machine.json("profile", "show", "theirs")["description"] == "by them"
    point_at(machine, "theirs", model_server)
    assert machine.ok("-p", "theirs", "-z", "hi") == f"{ANSWER}\n"
    machine.ok("profile", "rename", "theirs", "moved")
    assert "moved" in theirs(machine, hermes, "profile", "list")
    assert theirs(machine, hermes, "-p", "moved", "-z", "hi") == f"{ANSWER}\n"
    machine.ok("profile", "delete", "moved", "--yes")
    assert "moved" not in theirs(machine, hermes, "profile", "list")
    machine.ok("profile", "trash", "restore", "moved")
    assert theirs(machine, hermes, "-p", "moved", "-z", "hi") == f"{ANSWER}\n"


@pytest.mark.full
def test_a_rename_by_hermes_agent_is_told(machine: Machine, runtimes: dict[str, Path]) -> None:
    """Within half a minute, by name."""
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    machine.ok("daemon", "restart")  # it looks at its start, and then by and by
    theirs(machine, runtimes["0.19.0"], "profile", "rename", "coder", "dev")

    def is_told() -> bool:
        return any(one["event_kind"] == "profile.renamed_elsewhere" for one in machine.json("events")["items"])

    wait_until(is_told, "the rename to be told", deadline_s=60.0)


@pytest.mark.ci
def test_a_sticky_default_that_is_gone_locks_nobody_out(empty_machine: Machine) -> None:
    """Every command works, and the choice can be made anew."""
    machine = empty_machine
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "coder")
    (machine.root / "active_profile").write_text("vanished\n")
    assert names(machine) == ["default", "coder"]
    machine.ok("profile", "use", "coder")
    (machine.root / "active_profile").write_text("vanished\n")
    machine.ok("profile", "use", "default")
    assert not (machine.root / "active_profile").exists()


@pytest.mark.ci
def test_everybody_chooses_at_once_and_nobody_fails(empty_machine: Machine) -> None:
    """Two loops that choose: no call fails, and the file names one of the two whenever it is read."""
    machine = empty_machine
    machine.ok("daemon", "start")
    for name in ("one", "two"):
        machine.ok("profile", "create", name)
    machine.ok("profile", "use", "one")
    seen = set()

    def choose(name: str) -> None:
        for _ in range(15):
            machine.ok("profile", "use", name)
            seen.add((machine.root / "active_profile").read_text())

    with ThreadPoolExecutor() as pool:
        list(pool.map(choose, ("one", "two")))
    assert seen <= {"one\n", "two\n"}


@pytest.mark.ci
def test_of_two_who_make_one_profile_nobody_gets_half_of_it(empty_machine: Machine) -> None:
    """One is made as one of them said; the other is told, unless both said the same."""
    machine = empty_machine
    machine.ok("daemon", "start")
    for number in range(4):
        creating = [
            subprocess.Popen(
                [CLIENT, "profile", "create", f"bot{number}", "--description", text],
                env=machine.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for text in ("first", "second")
        ]
        codes = sorted(one.wait() for one in creating)
        assert codes == [0, 5]
        assert machine.json("profile", "show", f"bot{number}")["description"] in ("first", "second")


@pytest.mark.ci
def test_what_is_made_is_private_whatever_the_umask_and_called_as_it_was_written(empty_machine: Machine) -> None:
    """Directories 0700, files 0600; and a name in capitals is good for every later command too."""
    machine = empty_machine
    before = os.umask(0)
    try:
        machine.ok("daemon", "start")
        machine.ok("profile", "create", "CamelCase")
    finally:
        os.umask(before)
    assert machine.json("profile", "show", "CamelCase")["name"] == "camelcase"
    assert machine.json("-p", "CamelCase", "profile", "show")["name"] == "camelcase"
    profiles = machine.root / "profiles"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (profiles / "camelcase").rglob("*")}
    assert modes == {0o700, 0o600}
    for path in (profiles / "camelcase", profiles / ".hermesd", machine.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
