"""What only the real installer has: environments, pip, and its words."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters import locks
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.adapters.locked import Locks
from hermesd.domain.errors import Cancelled, Incompatible, SourceUnreachable
from hermesd.domain.runtime import InstallProgress, Runtime
from tests.adapters.unprivileged import PROJECT, reachable_directory
from tests.adapters.wheels import Index

pytestmark = pytest.mark.adapters

VERSION = "0.19.0"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index that has the version."""
    made = Index(tmp_path / "index")
    made.offer(VERSION)
    return made


def installer_of(index: Index, directory: Path, **options: tuple[int, int]) -> PipInstaller:
    """An installer that knows this index alone."""
    return PipInstaller(directory, index.environment, HermesAgent(), versions=Locks(index.locks), **options)


def install(installer: PipInstaller, phases: list[InstallProgress] | None = None) -> Runtime:
    """Installs the version, never cancelled."""
    return installer.install(VERSION, (phases if phases is not None else []).append, lambda: False)


def left_in(directory: Path) -> list[str]:
    """What an installation left, but for the files of locks."""
    return [entry.name for entry in directory.iterdir() if entry.suffix != ".lock"]


@pytest.mark.ci
def test_an_installed_agent_runs_and_knows_its_packages(index: Index, tmp_path: Path) -> None:
    """It is told apart by its lock file and interpreter, is private, and lists what it was made of."""
    phases: list[InstallProgress] = []
    runtime = install(installer_of(index, tmp_path / "runtimes"), phases)
    assert HermesAgent().version(runtime.executable) == VERSION
    place = runtime.executable.parents[1]
    assert place.name == runtime.name
    assert (place / "requirements.txt").read_text() == Locks(index.locks).text(VERSION)
    assert (tmp_path / "runtimes").stat().st_mode & 0o777 == 0o700
    assert InstallProgress("download", "hermes_agent-0.19.0", 1, 1) in phases
    installer = installer_of(index, tmp_path / "runtimes")
    (place / "bin" / "python").unlink()  # as when the system's interpreter was removed
    assert installer.installed() == []


@pytest.mark.full
def test_a_directory_without_manifest_is_cleaned_up(index: Index, tmp_path: Path) -> None:
    """Nothing of a cut-off installation reaches the new one."""
    installer = installer_of(index, tmp_path / "runtimes")
    runtime = install(installer)
    place = runtime.executable.parents[1]
    (place / "runtime.json").unlink()
    (place / "leftover").touch()
    assert installer.installed() == []
    assert install(installer) == runtime
    assert not (place / "leftover").exists()


@pytest.mark.ci
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version"'])
def test_a_damaged_manifest_does_not_count(index: Index, tmp_path: Path, content: str) -> None:
    """Only a whole one says that everything is there."""
    place = tmp_path / "runtimes" / "hermes-agent-0.19.0-00000000"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / "bin" / "hermes").touch()
    (place / "runtime.json").write_text(content)
    assert installer_of(index, tmp_path / "runtimes").installed() == []


@pytest.mark.ci
def test_a_package_that_is_nowhere_is_told_and_leaves_nothing(index: Index, tmp_path: Path) -> None:
    """In pip's own last words."""
    next(index.wheels.iterdir()).unlink()
    with pytest.raises(SourceUnreachable, match=r"hermes-agent==0\.19\.0"):
        install(installer_of(index, tmp_path / "runtimes"))
    assert left_in(tmp_path / "runtimes") == []


@pytest.mark.full
def test_a_package_that_is_not_the_pinned_one_is_refused(index: Index, tmp_path: Path) -> None:
    """Whoever put it there."""
    index.lock(VERSION, "0" * 64)
    with pytest.raises(SourceUnreachable, match=r"(?i)hash"):
        install(installer_of(index, tmp_path / "runtimes"))
    assert left_in(tmp_path / "runtimes") == []


@pytest.mark.full
def test_packages_that_do_not_fit_together_are_refused(index: Index, tmp_path: Path) -> None:
    """A lock file that misses one is found out before anybody relies on it."""
    index.offer(VERSION, requires="absent-package")
    with pytest.raises(Incompatible, match="absent-package"):
        install(installer_of(index, tmp_path / "runtimes"))
    assert left_in(tmp_path / "runtimes") == []


@pytest.mark.full
def test_an_agent_that_says_another_version_is_refused(index: Index, tmp_path: Path) -> None:
    """It would be driven wrongly."""
    index.offer(VERSION, says="0.1.0")
    with pytest.raises(Incompatible, match=r"it is 0\.1\.0"):
        install(installer_of(index, tmp_path / "runtimes"))


@pytest.mark.ci
def test_cancelling_ends_pip_and_leaves_nothing(index: Index, tmp_path: Path) -> None:
    """In the middle of its work."""
    phases: list[InstallProgress] = []
    with pytest.raises(Cancelled):
        installer_of(index, tmp_path / "runtimes").install(
            VERSION, phases.append, lambda: any(p.phase == "download" for p in phases)
        )
    assert left_in(tmp_path / "runtimes") == []


@pytest.mark.ci
@pytest.mark.parametrize("python", [(3, 10), (3, 14)])
def test_an_interpreter_nobody_tried_is_refused(index: Index, tmp_path: Path, python: tuple[int, int]) -> None:
    """Before anything is made."""
    with pytest.raises(Incompatible, match=f"{python[0]}.{python[1]}"):
        install(installer_of(index, tmp_path / "runtimes", python=python))
    assert not (tmp_path / "runtimes").exists()


@pytest.fixture
def survivor(index: Index, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A pip that outlived its daemon: somebody who holds the installation's lock."""
    directory = tmp_path / "runtimes"
    directory.mkdir()
    running = installer_of(index, directory)
    place = running._place(VERSION, Locks(index.locks).text(VERSION))
    with locks.acquire(place.with_name(f"{place.name}.lock")) as lock:
        process = subprocess.Popen(["/bin/sleep", "60"], pass_fds=(lock.fd,))
    with process:
        yield process
        process.kill()


@pytest.mark.ci
@pytest.mark.usefixtures("survivor")
def test_waiting_for_another_installation_can_be_cancelled(index: Index, tmp_path: Path) -> None:
    """It is said what is waited for."""
    phases: list[InstallProgress] = []
    with pytest.raises(Cancelled):
        installer_of(index, tmp_path / "runtimes").install(VERSION, phases.append, lambda: bool(phases))
    assert [p.phase for p in phases] == ["wait"]


@pytest.mark.ci
def test_an_installation_that_ends_is_followed_by_ours(
    index: Index, tmp_path: Path, survivor: "subprocess.Popen[bytes]"
) -> None:
    """The lock is free as soon as its last holder is gone."""

    def end_survivor(progress: InstallProgress) -> None:
        if progress.phase == "wait":
            survivor.kill()

    runtime = installer_of(index, tmp_path / "runtimes").install(VERSION, end_survivor, lambda: False)
    assert runtime.version == VERSION


UNPRIVILEGED = """
import json, os, sys
from pathlib import Path
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.domain.errors import NotPermitted
installer = PipInstaller(Path(sys.argv[1]), {}, HermesAgent())
installer.versions()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    installer.install("0.19.0", print, lambda: False)
except NotPermitted as error:
    print(error.message)
"""
"""Everything is imported before the rights are given up: nobody may not be allowed to read the interpreter."""


@pytest.mark.ci
def test_a_directory_that_cannot_be_made_is_told() -> None:
    """By its path."""
    with reachable_directory() as directory:
        wanted = directory / "runtimes"
        if os.geteuid() != 0:
            pytest.skip("only root can become somebody else")
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(wanted)], cwd=PROJECT, capture_output=True, text=True
        )
    assert (done.stdout, done.stderr) == (f"cannot install into {wanted}: permission denied\n", "")
