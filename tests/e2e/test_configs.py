"""Settings with the real hermes-agent on the other side: the same rules, and nothing lost between two writers."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.house import Machine

pytestmark = [pytest.mark.e2e]

VERSIONS = [pytest.param("0.19.0", marks=pytest.mark.ci), pytest.param("0.18.2", marks=pytest.mark.full)]
KEYS = 40
CANARY = "canary-of-a-secret-0123456789"

COMMENTED = """\
# how this agent works
model:
  default: fake-model   # the fast one
  provider: custom
custom_providers:
- name: one
  api_key: ${ONE_KEY}
terminal: {cwd: /work}  # where it works
"""
WORDS = [
    ("approvals.mode", "off"),
    ("agent.max_turns", "007"),
    ("display.compact", "on"),
    ("custom_providers.0.name", "eins"),
    ("model.api_base", "http://127.0.0.1:1/v1"),
    ("some.new.number", "1.50"),
    ("some.new.text", "-5"),
    ("API_SERVER_PORT", "18642"),
    ("terminal.timeout", "90"),
    ("model.default", "gpt-5"),
]
"""Keys that hermes-agent treats in ways of their own, and how somebody sets them."""


def place(machine: Machine, name: str) -> Path:
    """Where a profile's files are."""
    return machine.root / "profiles" / name


def made(machine: Machine, hermes: Path, *names: str, config: str = COMMENTED) -> None:
    """An agent in use, and profiles with settings of a person's."""
    machine.ok("daemon", "start")
    machine.ok("runtime", "use", hermes.parts[-3])
    for name in names:
        machine.ok("profile", "create", name)
        (place(machine, name) / "config.yaml").write_text(config)


def settings(machine: Machine, name: str) -> Any:
    """What a profile's configuration says."""
    return yaml.safe_load((place(machine, name) / "config.yaml").read_text())


def theirs(machine: Machine, hermes: Path, name: str, key: str, value: str) -> int:
    """hermes-agent's own command, and its exit code."""
    return machine.run(hermes, "-p", name, "config", "set", key, value).returncode


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_mean_what_hermes_agent_makes_of_them(
    machine: Machine, runtimes: dict[str, Path], version: str
) -> None:
    """The same keys set by its own command and by ours say the same; ours keeps the comments."""
    made(machine, runtimes[version], "ours", "theirs")
    for key, value in WORDS:
        machine.ok("config", "set", f"{key}={value}", "-p", "ours")
        assert theirs(machine, runtimes[version], "theirs", key, value) == 0
    ours, other = (
        yaml.safe_load((place(machine, name) / "config.yaml").read_text()) for name in ("ours", "theirs")
    )
    if version == "0.18.2":  # which made numbers and yeses of texts, and kept the name that is not read
        other["approvals"]["mode"] = "off"
        other["model"].setdefault("base_url", other["model"].pop("api_base", None))
    assert ours == other
    text = (place(machine, "ours") / "config.yaml").read_text()
    assert all(part in text for part in ("# how this agent works\n", "# the fast one\n", "# where it works\n"))
    env = [(place(machine, name) / ".env").read_text().splitlines() for name in ("ours", "theirs")]
    variables = [{line for line in lines if line and not line.startswith("#")} for lines in env]
    assert variables[0] == variables[1]


def at_once(*works: Callable[[], None]) -> None:
    """Does things in threads of their own, begun at the same moment."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


@pytest.mark.ci
def test_two_of_our_writers_lose_nothing(machine: Machine, runtimes: dict[str, Path]) -> None:
    """Forty keys each, in both files, and every comment is still there."""
    made(machine, runtimes["0.19.0"], "coder")

    def write(who: str) -> None:
        for number in range(KEYS):
            words = (f"{who}.key{number}={number}", f"{who}_{number}_API_KEY=true")
            machine.ok("config", "set", *words, "-p", "coder")

    at_once(lambda: write("ana"), lambda: write("ben"))
    found = settings(machine, "coder")
    wanted = {f"key{number}": number for number in range(KEYS)}
    assert (found["ana"], found["ben"]) == (wanted, wanted)
    assert (place(machine, "coder") / "config.yaml").read_text().startswith(COMMENTED)
    names = (place(machine, "coder") / ".env").read_text()
    assert all(f"{who}_{number}_API_KEY=" in names for who in ("ANA", "BEN") for number in range(KEYS))


@pytest.mark.full
def test_nothing_is_lost_beside_hermes_agents_own_writer(machine: Machine, runtimes: dict[str, Path]) -> None:
    """It may write over ours, as it takes no lock: then ours is in a version, and that it went is told."""
    hermes = runtimes["0.19.0"]
    made(machine, hermes, "coder")

    def ours() -> None:
        for number in range(KEYS):
            machine.ok("config", "set", f"ours.key{number}={number}", "-p", "coder")

    def other() -> None:
        for number in range(KEYS):
            assert theirs(machine, hermes, "coder", f"theirs.key{number}", str(number)) == 0

    at_once(ours, other)
    versions = machine.json("config", "history", "-p", "coder")["items"]
    assert len(versions) > 1
    found = settings(machine, "coder")
    now = {f"{who}.{key}" for who in ("ours", "theirs") for key in found.get(who, {})}
    wanted = {f"{who}.key{number}" for who in ("ours", "theirs") for number in range(KEYS)}
    kept = machine.state / "versions"
    before = "".join(path.read_text() for path in kept.rglob("*") if path.parent.name == "config.yaml")
    told = " ".join(one["message"] for one in machine.json("events", "-n", "1000")["items"])
    for key in wanted - now:
        who, name = key.split(".")
        assert f"{name}: " in before, f"{key} is gone"
        assert "changed, and not by hermesd" in told, who


@pytest.mark.ci
def test_a_secret_is_nowhere_but_in_its_file_and_its_private_versions(
    machine: Machine, runtimes: dict[str, Path]
) -> None:
    """Neither in output, logs, events nor in what is kept for others; both can be had back."""
    made(machine, runtimes["0.19.0"], "coder", config=f"model:\n  api_key: {CANARY}\n# token: {CANARY}\n")
    said = []
    for words in (
        ("env", "list", "-p", "coder"),
        ("config", "get", "model", "-p", "coder"),
        ("config", "get", "model.api_key", "-p", "coder"),
        ("config", "show", "-p", "coder"),
        ("config", "set", "a=1", "-p", "coder"),
        ("config", "diff", "-p", "coder"),
        ("config", "history", "-p", "coder", "-o", "json"),
        ("config", "unset", "model.api_key", "-p", "coder"),
        ("config", "diff", "1", "-p", "coder", "-o", "json"),
        ("config", "revert", "1", "-p", "coder"),
        ("events", "-o", "json"),
        ("operations", "list", "-o", "json"),
    ):
        done = machine.ctl(*words)
        assert done.returncode == 0, (words, done.stderr)
        said.append(done.stdout + done.stderr)
    piped = machine.run("sh", "-c", f"printf %s {CANARY} | hermesctl env set MY_TOKEN -p coder")
    said.append(piped.stdout + piped.stderr)
    assert CANARY not in "".join(said)
    kept = {path for path in machine.state.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}
    assert kept
    assert {path.parents[2].name for path in kept} == {"versions"}
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}
    assert all(path.stat().st_uid == os.geteuid() for path in kept)
    assert (place(machine, "coder") / "config.yaml").read_text().endswith(f"# token: {CANARY}\n")
