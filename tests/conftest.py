"""What holds for every test: its markers, its seed, its time and what it may leave behind.

A test carries exactly one tier marker and at least one area marker; both are listed in `pyproject.toml`. A test
that outlives its tier's limit ends the run with every thread's stack, so that a hang names itself. A test that
leaves a child process behind fails, and the process is ended.
"""

import faulthandler
import os
import random
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import hypothesis
import psutil
import pytest

from tests import measuring

PROJECT = Path(__file__).resolve().parents[1]

TIER_LIMITS_S: dict[str, float | None] = {"fast": 120.0, "ci": 600.0, "full": 3600.0, "soak": None}
"""Tiers, and how long one test of each may take in seconds; `None` for as long as it likes."""

EXIT_WAIT_S = 3.0
"""How long children that are about to end may take after their test."""

hypothesis.settings.register_profile("project", deadline=None, print_blob=True)
hypothesis.settings.load_profile("project")

STACKS = pytest.StashKey[TextIO]()


def areas() -> frozenset[str]:
    """The area markers: every marker of `pyproject.toml` that is no tier."""
    pytest_options = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    names = {marker.partition(":")[0] for marker in pytest_options["markers"]}
    return frozenset(names - TIER_LIMITS_S.keys())


def marking_fault(markers: set[str], area_names: frozenset[str]) -> str:
    """What is wrong with a test's markers; empty if nothing."""
    tiers = sorted(markers & TIER_LIMITS_S.keys())
    if len(tiers) != 1:
        return f"needs exactly one of {', '.join(TIER_LIMITS_S)} and has {', '.join(tiers) or 'none'}"
    if not markers & area_names:
        return f"needs at least one of {', '.join(sorted(area_names))}"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the real standard error, which outlives pytest's capturing, for the stacks of a hanging test.

    No test starts a daemon by accident: one that is to be started on its own takes this variable away. A shell's
    background job ignores Ctrl-C, and what it runs would, too: here it counts.
    """
    config.stash[STACKS] = os.fdopen(os.dup(2), "w")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["HERMESCTL_NO_AUTOSTART"] = "1"


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """A worker's coverage begins with its session."""
    measuring.take_away()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Lets go of it."""
    config.stash[STACKS].close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses tests that no tier or no area would run, before any selection hides them."""
    area_names = areas()
    faults = []
    for item in items:
        fault = marking_fault({marker.name for marker in item.iter_markers()}, area_names)
        if fault:
            faults.append(f"{item.nodeid} {fault}")
    if faults:
        raise pytest.UsageError("\n".join(faults))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how to repeat this run's random order and numbers."""
    seed = run_seed(config)
    terminalreporter.write_line(f"random seed {seed}: repeat this run with --randomly-seed={seed}")


def run_seed(config: pytest.Config) -> int:
    """The number behind this run's order and random numbers; 0 without pytest-randomly."""
    return int(config.getoption("randomly_seed", default=0))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that the printed seed repeats, whatever order the tests run in."""
    return random.Random(f"{run_seed(request.config)} {request.node.nodeid}")


@pytest.fixture(autouse=True)
def _time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends a run that hangs, with the stacks of all threads."""
    limits = [TIER_LIMITS_S[m.name] for m in request.node.iter_markers() if m.name in TIER_LIMITS_S]
    if limits[0] is None:
        yield
        return
    faulthandler.dump_traceback_later(limits[0], exit=True, file=request.config.stash[STACKS])
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    """Fails a test that leaves child processes behind; those of wider fixtures were there before it."""
    myself = psutil.Process()
    before = set(myself.children(recursive=True))
    yield
    started = set(myself.children(recursive=True)) - before
    if not started:
        return
    _, alive = psutil.wait_procs(started, timeout=EXIT_WAIT_S)
    left = [_describe_and_kill(process) for process in alive]
    psutil.wait_procs(alive, timeout=EXIT_WAIT_S)
    if left:
        pytest.fail(f"processes left behind: {'; '.join(left)}", pytrace=False)


def _describe_and_kill(process: psutil.Process) -> str:
    try:
        description = f"{process.pid} {' '.join(process.cmdline()) or process.name()}"
        process.kill()
    except psutil.NoSuchProcess:
        return f"{process.pid}, which ended late"
    return description
