"""Profiles made by either program, with the real hermes-agent: listed, run, renamed and deleted by the other."""

import hashlib
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.desk import Desk, furnished
from tests.e2e.house import Api, Machine, free_port
from tests.fakes.model import ANSWER, MODEL, ModelServer

pytestmark = [pytest.mark.full, pytest.mark.e2e]

TOKEN = "123456789:AAE-canary-0123456789abcdefghij"


@pytest.fixture
def desk(tmp_path: Path, runtimes_directory: Path, model_server: ModelServer) -> Iterator[Desk]:
    """The profile `coder`, which talks to the model and has a bot."""
    with furnished(tmp_path, runtimes_directory, model_server) as made:
        with (made.home / ".env").open("a") as file:
            file.write(f"TELEGRAM_BOT_TOKEN={TOKEN}\nEXA_API_KEY=exa-canary\n")
        yield made


@pytest.fixture
def hermes(runtimes: dict[str, Path]) -> Path:
    """hermes-agent's own command."""
    return runtimes["0.19.0"]


def digest(root: Path) -> str:
    """Names, modes and contents of everything below a directory."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        found.update(f"{path} {mode}".encode())
        if stat.S_ISREG(mode):
            found.update(path.read_bytes())
    return found.hexdigest()


def modes(home: Path) -> set[str]:
    """What others may do in a home, by the letters of `ls`."""
    entries = [home, *home.rglob("*")]
    return {stat.filemode(one.lstat().st_mode)[4:] for one in entries if not one.is_symlink()}


def assert_theirs_works_as_ours(machine: Machine, name: str) -> None:
    """Listed, shown, run, renamed and deleted by hermesctl."""
    assert name in [one["name"] for one in machine.json("profile", "list")["items"]]
    assert machine.json("profile", "show", name)["model"] == MODEL
    assert machine.ok("-p", name, "-z", "hi") == f"{ANSWER}\n"
    machine.ok("profile", "rename", name, "ours")
    assert machine.ok("-p", "ours", "-z", "hi") == f"{ANSWER}\n"
    machine.ok("profile", "delete", "ours", "--yes")
    assert not (machine.root / "profiles" / "ours").exists()


def assert_ours_works_as_theirs(machine: Machine, hermes: Path, name: str) -> None:
    """Listed, shown, run, renamed and deleted by hermes-agent."""
    assert name in machine.run(hermes, "profile", "list").stdout
    shown = machine.run(hermes, "profile", "show", name).stdout
    assert ".env:" in shown
    assert "exists" in shown
    assert machine.run(hermes, "-p", name, "-z", "hi").stdout == f"{ANSWER}\n"
    assert machine.run(hermes, "profile", "rename", name, "theirs").returncode == 0
    assert machine.run(hermes, "-p", "theirs", "-z", "hi").stdout == f"{ANSWER}\n"
    assert machine.run(hermes, "profile", "delete", "theirs", "--yes").returncode == 0
    assert [one["name"] for one in machine.json("profile", "list")["items"]] == ["default", "coder"]


def test_a_blank_profile_of_ours_is_one_of_hermes_agent_s(desk: Desk, hermes: Path) -> None:
    """Private, with the model it was made with; and hermes-agent uses it like one of its own."""
    machine = desk.machine
    machine.ok("profile", "create", "writer", "--model", MODEL, "--description", "Writes")
    home = machine.root / "profiles" / "writer"
    assert modes(home) == {"------"}
    assert (home / "config.yaml").read_text() == f"model:\n  default: {MODEL}\n"
    assert machine.json("profile", "show", "writer")["description"] == "Writes"
    assert "Writes" in machine.run(hermes, "profile", "describe", "writer").stdout
    endpoint = f"model:\n  default: {MODEL}\n  provider: custom\n  base_url: {desk.model.base_url}\n"
    (home / "config.yaml").write_text(f"{endpoint}  context_length: 131072\n")
    assert_ours_works_as_theirs(machine, hermes, "writer")


def test_a_blank_profile_of_theirs_is_one_of_ours(desk: Desk, hermes: Path) -> None:
    """Simply there, with its alias."""
    machine = desk.machine
    assert machine.run(hermes, "profile", "create", "theirs").returncode == 0
    (machine.root / "profiles" / "theirs" / "config.yaml").write_bytes((desk.home / "config.yaml").read_bytes())
    assert machine.json("profile", "show", "theirs")["aliases"] == ["theirs"]
    assert_theirs_works_as_ours(machine, "theirs")


def test_a_clone_of_ours_is_one_of_hermes_agent_s(desk: Desk, hermes: Path) -> None:
    """Settings and keys byte for byte, fresh sessions; what is shared is named and the token is said nowhere."""
    machine = desk.machine
    before = digest(desk.home)
    plan = machine.json("profile", "create", "work", "--clone-from", "coder", "--dry-run")
    assert [one["variable"] for one in plan["shared"]] == ["TELEGRAM_BOT_TOKEN"]
    assert not (machine.root / "profiles" / "work").exists()
    done = machine.ctl("profile", "create", "work", "--clone-from", "coder")
    assert done.returncode == 0, done.stderr
    assert "shared with coder: TELEGRAM_BOT_TOKEN" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    home = machine.root / "profiles" / "work"
    for name in ("config.yaml", ".env", "SOUL.md"):
        assert (home / name).read_bytes() == (desk.home / name).read_bytes()
    assert modes(home) == {"------"}
    assert list((home / "sessions").iterdir()) == []
    assert digest(desk.home) == before
    assert_ours_works_as_theirs(machine, hermes, "work")


def test_a_clone_without_channels_has_no_bot(desk: Desk) -> None:
    """Its other keys it has, byte for byte in a file that lacks one line."""
    machine = desk.machine
    done = machine.ctl("profile", "create", "work", "--clone-from", "coder", "--channels", "strip")
    assert "shared" not in done.stderr
    text = (machine.root / "profiles" / "work" / ".env").read_text()
    assert "EXA_API_KEY=exa-canary\n" in text
    assert TOKEN not in text


def test_a_model_replaces_one_line_of_a_clone(desk: Desk) -> None:
    """Everything else is as its source says, comments too."""
    machine = desk.machine
    config = desk.home / "config.yaml"
    config.write_text(f"# mine\n{config.read_text()}  # its end\n")
    machine.ok("profile", "create", "work", "--clone-from", "coder", "--model", "other/model")
    cloned = (machine.root / "profiles" / "work" / "config.yaml").read_text()
    assert cloned == config.read_text().replace(f"default: {MODEL}", "default: other/model")


def test_a_clone_of_theirs_is_one_of_ours(desk: Desk, hermes: Path) -> None:
    """Whatever modes it has."""
    machine = desk.machine
    assert machine.run(hermes, "profile", "create", "theirs", "--clone-from", "coder").returncode == 0
    assert_theirs_works_as_ours(machine, "theirs")


def test_a_whole_clone_of_theirs_is_one_of_ours(desk: Desk, hermes: Path) -> None:
    """The same."""
    machine = desk.machine
    made = machine.run(hermes, "-p", "coder", "profile", "create", "theirs", "--clone-all")
    assert made.returncode == 0, made.stdout
    assert_theirs_works_as_ours(machine, "theirs")


@contextmanager
def writing(home: Path) -> Iterator[None]:
    """Memory and a skill change every 50 ms meanwhile."""
    ended = threading.Event()

    def write() -> None:
        number = 0
        skill = home / "skills" / "mine" / "SKILL.md"
        skill.parent.mkdir(parents=True, exist_ok=True)
        while not ended.wait(0.05):
            number += 1
            for path in (home / "memories" / "MEMORY.md", skill):
                temporary = path.with_name(f"{path.name}.tmp")
                temporary.write_text(f"{number} " * 2000)
                temporary.replace(path)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_everything_is_cloned_while_the_gateway_works(
    machine: Machine, model_server: ModelServer, hermes: Path
) -> None:
    """Conversations whole, files each of one moment; the source goes on, and hermes-agent works with the clone."""
    port = str(free_port())
    machine.ok("quickstart", "--model", MODEL, "--base-url", model_server.base_url, "--api-port", port)
    source, clone = (machine.root / "profiles" / name for name in ("coder", "backup"))
    api = Api.of(machine, "coder")
    api.chat("remember the seven herons", stream=False)
    before = machine.gateway("coder")["process"]["pid"]
    with writing(source):
        api.chat("and the three owls", stream=False)
        done = machine.ctl("profile", "create", "backup", "--clone-from", "coder", "--clone-all")
    assert done.returncode == 0, done.stderr
    assert machine.gateway("coder")["process"]["pid"] == before
    assert json.loads(api.chat("hi", stream=False))["choices"][0]["message"]["content"] == ANSWER

    for path in (clone / "memories" / "MEMORY.md", clone / "skills" / "mine" / "SKILL.md"):
        assert len(set(path.read_text().split())) == 1
    with sqlite3.connect(clone / "state.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    listed = machine.run(hermes, "-p", "backup", "sessions", "list").stdout
    assert "seven herons" in listed
    assert "three owls" in listed
    assert not any((clone / name).exists() for name in ("gateway.pid", "gateway.lock", "gateway_state.json"))
    assert machine.json("profile", "show", "backup")["id"] != machine.json("profile", "show", "coder")["id"]
    assert (machine.gateway("backup")["state"], machine.gateway("backup")["wish"]) == ("stopped", "down")

    machine.ok("gateway", "start", "backup")
    answer = json.loads(Api.of(machine, "backup").chat("hi", stream=False))
    assert answer["choices"][0]["message"]["content"] == ANSWER
    machine.ok("gateway", "stop", "backup")
    assert machine.run(hermes, "profile", "delete", "backup", "--yes").returncode == 0
    assert not os.path.lexists(clone)
