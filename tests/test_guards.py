"""The guards of `tests/conftest.py` themselves, tried on small suites of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import PROJECT, areas, marking_fault

pytestmark = [pytest.mark.fast, pytest.mark.domain]

MARKS = "import pytest\npytestmark = [pytest.mark.fast, pytest.mark.domain]\n"


def run_suite(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Runs one test module under a copy of our guards, in a process of its own."""
    (folder / "tests").mkdir()
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for name in ("conftest.py", "measuring.py"):
        shutil.copy(PROJECT / "tests" / name, folder / "tests")
    (folder / "tests" / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-cov"]
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("markers", "fault"),
    [
        ({"fast", "domain"}, ""),
        ({"full", "api", "cli", "parametrize"}, ""),
        ({"domain"}, "and has none"),
        ({"fast", "ci", "domain"}, "and has ci, fast"),
        ({"fast"}, "at least one of adapters, api"),
    ],
)
def test_markers_are_one_tier_and_an_area(markers: set[str], fault: str) -> None:
    """A test has exactly one tier and an area, or it is said what is missing."""
    found = marking_fault(markers, areas())
    assert bool(found) is bool(fault)
    assert fault in found


def test_areas_come_from_the_project_file() -> None:
    """The areas are the markers that `pyproject.toml` lists besides the tiers."""
    assert areas() == {"domain", "services", "adapters", "api", "cli", "e2e"}


def test_unmarked_test_is_not_collected(tmp_path: Path) -> None:
    """A suite with a test that no tier would run does not run at all, whatever is selected."""
    ran = run_suite(tmp_path, "def test_it() -> None:\n    pass\n")
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_it needs exactly one of fast, ci, full, soak" in ran.stderr


def test_process_left_behind_fails_its_test_and_ends(tmp_path: Path) -> None:
    """A child that a test forgets is named, ended, and blamed on that test alone."""
    forgetting = "import os\ndef test_it():\n    os.posix_spawn('/bin/sleep', ['sleep', '987'], {})\n"
    ran = run_suite(tmp_path, MARKS + forgetting + "def test_next():\n    pass\n")
    left = re.search(r"processes left behind: (\d+) sleep 987", ran.stdout)
    assert left
    assert "2 passed, 1 error" in ran.stdout
    assert not psutil.pid_exists(int(left.group(1)))


def test_seed_is_printed(tmp_path: Path) -> None:
    """The seed that repeats a run is printed whether or not something failed."""
    ran = run_suite(tmp_path, f"{MARKS}def test_it(rng):\n    assert rng.random() < 1\n")
    assert ran.returncode == pytest.ExitCode.OK
    assert "repeat this run with --randomly-seed=" in ran.stdout
