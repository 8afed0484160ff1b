"""hermes-agent's own locks: that we look where it makes them, and what becomes of one that four want at once."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters import account
from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.adapters.agents.hermes_locks import lock_directory
from hermesd.domain import environment

pytestmark = [pytest.mark.e2e]

PROGRAM = Path(__file__).parent / "locks_program.py"


def asked(executable: Path, said: dict[str, str], trials: int = 0) -> Any:
    """What the agent's own code does with this environment."""
    command = [str(executable.parent / "python"), str(PROGRAM), str(trials)]
    done = subprocess.run(command, env=said, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


@pytest.mark.ci
@pytest.mark.parametrize("shell", [{}, {"XDG_STATE_HOME": "x"}, {"HERMES_GATEWAY_LOCK_DIR": "l"}], ids=str)
def test_its_locks_are_looked_for_where_it_makes_them(
    runtimes: dict[str, Path], tmp_path: Path, shell: dict[str, str]
) -> None:
    """Of every tested version, by directory and by name."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".env").write_text("TELEGRAM_BOT_TOKEN=1:stale\n")
    (claim,) = read_claims(home)
    for number, executable in enumerate(runtimes.values()):
        base = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HERMES_HOME": str(home)}
        said = base | {name: str(tmp_path / f"{value}{number}") for name, value in shell.items()}
        found = asked(executable, said)
        assert (Path(found["directory"]), found["name"]) == (lock_directory(said), claim.agents_lock)
        assert sha256(b"1:stale").hexdigest()[:16] in claim.agents_lock
        Path(found["directory"], found["name"]).unlink(missing_ok=True)


@pytest.mark.ci
def test_our_gateways_make_theirs_where_a_plain_shell_does() -> None:
    """So that each is seen by the other; a shell that says where state lies is seen by what it was told."""
    person = account.account()
    shell = {**person, "XDG_STATE_HOME": "/elsewhere", "HERMES_GATEWAY_LOCK_DIR": "/other"}
    assert lock_directory(environment.for_gateway(shell, person)) == lock_directory({"HOME": person["HOME"]})


@pytest.mark.full
def test_several_win_one_stale_lock_of_the_agents(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """Why hermesd decides before anything starts: here, nobody ever met another holder."""
    said = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HERMES_HOME": str(tmp_path)}
    winners = asked(runtimes["0.19.0"], said, trials=25)["winners"]
    assert max(winners) > 1
