"""An installer that is killed, at every phase."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.adapters.locked import Locks
from tests.adapters.wheels import Index
from tests.tiers import sampled

pytestmark = pytest.mark.adapters

PROJECT = Path(__file__).resolve().parents[2]

DRIVER = """
import json, os, signal, sys
from pathlib import Path
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.adapters.locked import Locks
directory, locks, environment, phase, detail = sys.argv[1:]
def report(progress):
    if progress.phase == phase and bool(progress.detail) == bool(detail):
        os.kill(os.getpid(), signal.SIGKILL)
installer = PipInstaller(Path(directory), json.loads(environment), HermesAgent(), versions=Locks(Path(locks)))
installer.install("0.19.0", report, lambda: False)
"""
"""Installs, and is killed at a phase; with `detail` only once that phase names something."""


@pytest.mark.parametrize(
    ("phase", "detail"),
    sampled([("download", "yes"), ("create environment", ""), ("download", ""), ("install", ""), ("check", "")]),
)
def test_the_next_run_completes_what_was_cut_off(tmp_path: Path, phase: str, detail: str) -> None:
    """Nothing half done counts as installed, a pip that still runs is waited for, and the result works."""
    index = Index(tmp_path / "index")
    index.offer("0.19.0")
    directory = tmp_path / "runtimes"
    arguments = [str(directory), str(index.locks), json.dumps(index.environment), phase, detail]
    killed = subprocess.run([sys.executable, "-c", DRIVER, *arguments], cwd=PROJECT)
    assert killed.returncode == -9
    installer = PipInstaller(directory, index.environment, HermesAgent(), versions=Locks(index.locks))
    assert installer.installed() == []
    runtime = installer.install("0.19.0", lambda progress: None, lambda: False)
    assert installer.installed() == [runtime]
    assert HermesAgent().version(runtime.executable) == "0.19.0"
    assert sorted(entry.name for entry in directory.iterdir()) == [runtime.name, f"{runtime.name}.lock"]
