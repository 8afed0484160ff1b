"""Who has a claim by the locks that hermes-agent's own gateways take."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_locks import lock_directory, read_holders
from hermesd.domain.claims import Claim, ClaimKind
from tests.adapters.hermes_homes import myself
from tests.processes import ending

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "a1" * 32, agents_lock="telegram-bot-token-a1.lock")
UNLOCKED = Claim(ClaimKind.BOT, "matrix", "MATRIX_ACCESS_TOKEN", "a1" * 32)


def record(directory: Path, **changes: Any) -> Path:
    """A lock of this very process, as the agent writes it; keywords replace fields."""
    directory.mkdir(parents=True, exist_ok=True)
    said = {"pid": os.getpid(), "start_time": myself().start_ticks, "scope": "telegram-bot-token"}
    path = directory / BOT.agents_lock
    path.write_text(json.dumps(said | changes))
    return path


def holders(home: Path) -> dict[str, int]:
    """By a gateway whose home directory that is."""
    return read_holders([BOT, UNLOCKED], {"HOME": str(home)})


def usual(home: Path) -> Path:
    """Where locks lie if nobody says otherwise."""
    return home / ".local/state/hermes/gateway-locks"


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HOME": "/h"}, "/h/.local/state/hermes/gateway-locks"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/hermes/gateway-locks"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x", "HERMES_GATEWAY_LOCK_DIR": "/l"}, "/l"),
    ],
)
def test_locks_lie_where_the_gateways_environment_says(environment: dict[str, str], directory: str) -> None:
    """The most special variable first."""
    assert lock_directory(environment) == Path(directory)


def test_a_living_holder_is_named_and_its_lock_stays_as_it_is(tmp_path: Path) -> None:
    """Looking is all that is done."""
    path = record(usual(tmp_path))
    before = path.read_bytes(), path.stat().st_mtime_ns, os.listdir(path.parent)  # noqa: PTH208 - compared
    assert holders(tmp_path) == {BOT.key: os.getpid()}
    assert (path.read_bytes(), path.stat().st_mtime_ns, os.listdir(path.parent)) == before  # noqa: PTH208


@pytest.mark.parametrize(
    "changes",
    [*({"pid": pid} for pid in (0, -1, "1", True, 1 << 22)), {"start_time": 1}, {"start_time": None}],
)
def test_a_record_of_somebody_who_is_gone_names_nobody(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Nor does one whose pid is another process's by now."""
    record(usual(tmp_path), **changes)
    assert holders(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 9000])
def test_what_cannot_be_read_names_nobody(tmp_path: Path, text: str) -> None:
    """The agent writes it after it has made the file."""
    record(usual(tmp_path)).write_text(text)
    assert holders(tmp_path) == {}
    (usual(tmp_path) / BOT.agents_lock).unlink()
    (usual(tmp_path) / BOT.agents_lock).mkdir()
    assert holders(tmp_path) == {}


def test_a_command_name_with_spaces_hides_no_holder(tmp_path: Path) -> None:
    """Where the agent itself reads a wrong start time, and takes the lock for stale."""
    program = "import time; open('/proc/self/comm', 'w').write('a b c'); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program]
    with ending(subprocess.Popen(command, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        fields = Path(f"/proc/{process.pid}/stat").read_text().split()
        assert int(fields[21]) != procfs.start_ticks(process.pid)
        record(usual(tmp_path), pid=process.pid, start_time=procfs.start_ticks(process.pid))
        assert holders(tmp_path) == {BOT.key: process.pid}


def test_a_gateway_that_was_told_of_another_directory_is_found_there(tmp_path: Path) -> None:
    """A person's shell may say where state lies; hermesd's gateways do not inherit that."""
    elsewhere = tmp_path / "elsewhere"
    environment = {"XDG_STATE_HOME": str(elsewhere)}
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", "gateway", "run"]
    with ending(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ticks = procfs.start_ticks(process.pid)
        record(elsewhere / "hermes" / "gateway-locks", pid=process.pid, start_time=ticks)
        assert holders(tmp_path) == {BOT.key: process.pid}
    assert holders(tmp_path) == {}
    assert read_holders([UNLOCKED], {}) == {}
