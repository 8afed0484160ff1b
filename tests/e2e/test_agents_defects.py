"""What hermes-agent's own bookkeeping gets wrong, beside what ours says of the same thing."""

import json
import subprocess
from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.domain.claims import ClaimTable, Contender
from tests.processes import GATEWAY, PYTHON, ending
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.full]

PROGRAM = Path(__file__).parent / "defects_program.py"
IRC = "IRC_SERVER=irc.example\nIRC_CHANNEL=#c\nIRC_NICKNAME=bot\n"


def test_names_with_spaces_and_locks_that_never_refuse(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """The agent takes a field of a process's name for its start, and a refusal of an IRC lock for a yes."""
    log = tmp_path / "log"
    with (
        log.open("wb") as output,
        ending(subprocess.Popen([*PYTHON, str(GATEWAY), "--comm", "a b c"], stdout=output)) as process,
    ):
        wait_until(lambda: "up" in log.read_text(), "the program to be up")
        said = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HERMES_HOME": str(tmp_path)}
        command = [str(runtimes["0.19.0"].parent / "python"), str(PROGRAM), str(process.pid)]
        found = json.loads(subprocess.run(command, env=said, capture_output=True, check=True, timeout=60).stdout)
        ours = procfs.stat(process.pid)
        assert ours is not None
        assert ours.start_ticks == _start_by_the_kernel(process.pid)
        assert found["start"] != ours.start_ticks
    assert (found["first"], found["second"], found["is_taken_for_yes"]) == (True, False, True)


def test_two_profiles_of_one_irc_bot_are_never_both_started(tmp_path: Path) -> None:
    """Whatever the agent's lock says."""
    wanted = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").write_text(IRC)
        wanted.append(tuple(read_claims(tmp_path / name)))
    first, second = wanted
    holder = Contender("1", "a", 1.0, wanted=first, held=first, is_live=True)
    table = ClaimTable([holder, Contender("2", "b", 2.0, wanted=second)])
    (denial,) = table.denials("2")
    assert (denial.claim.platform, denial.holder) == ("irc", holder)
    assert table.starters() == []


def _start_by_the_kernel(pid: int) -> int:
    """Field 22, counted behind the last parenthesis, as proc(5) says."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
