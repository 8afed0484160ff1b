"""The children of benches tell when they begin, and are counted by what the kernel shows."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.bench.children import Children
from tests.processes import ending
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.services]

LIMIT_S = 20.0


def test_a_child_is_counted_from_its_own_word_and_by_its_number(tmp_path: Path) -> None:
    """Two processes under one number are doubles; what began before the question is no answer."""
    children = Children(tmp_path)
    began_s = time.perf_counter()
    with ending(subprocess.Popen(children.command(7))) as first:
        up_s = children.wait([7], began_s, LIMIT_S)
        assert began_s < up_s <= time.perf_counter()
        with pytest.raises(TimeoutError):
            children.wait([7], time.perf_counter(), 0)
        again_s = time.perf_counter()
        with ending(subprocess.Popen(children.command(7))) as second:
            children.wait([7], again_s, LIMIT_S)
            both = {first.pid, second.pid}
            wait_until(lambda: set(children.living().get(7, [])) == both, "both to be the sleep they become")
    assert children.living() == {}
    children.close()


def test_a_program_of_its_own_is_the_same_child(tmp_path: Path) -> None:
    """Supervisors that want a script get one that bears the number."""
    children = Children(tmp_path)
    program = tmp_path / "run"
    program.write_text(children.script(3))
    began_s = time.perf_counter()
    with ending(subprocess.Popen(["/bin/sh", str(program)])) as process:
        children.wait([3], began_s, LIMIT_S)
        wait_until(lambda: children.living() == {3: [process.pid]}, "the child to be a sleep")
    children.close()
