"""What every installer promises, fake or real."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.adapters.locked import Locks
from hermesd.domain.errors import Cancelled, NotFound
from hermesd.domain.ports import Installer
from hermesd.domain.runtime import HERMES_AGENT, InstallProgress
from tests.adapters.wheels import Index
from tests.fakes.installer import MemoryInstaller

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

VERSIONS = ("0.19.0", "0.18.2")


@pytest.fixture(params=["memory", "pip"])
def installer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installer]:
    """Each installer, with two versions to install and none installed."""
    if request.param == "memory":
        yield MemoryInstaller(tmp_path, VERSIONS)
        return
    index = Index(tmp_path / "index")
    for version in VERSIONS:
        index.offer(version)
    yield PipInstaller(tmp_path / "runtimes", index.environment, HermesAgent(), versions=Locks(index.locks))


def quietly(progress: InstallProgress) -> None:
    """Reports to nobody."""


def never() -> bool:
    """Is not cancelled."""
    return False


def at(phase: str) -> tuple[Callable[[InstallProgress], None], Callable[[], bool]]:
    """A report and a cancellation that comes when the installation reaches a phase."""
    seen: list[str] = []
    return lambda progress: seen.append(progress.phase), lambda: phase in seen


def test_versions_come_newest_first(installer: Installer) -> None:
    """The first is what people get who name none."""
    assert installer.versions() == list(VERSIONS)
    assert installer.installed() == []


def test_an_unknown_version_is_refused(installer: Installer) -> None:
    """And nothing is left."""
    with pytest.raises(NotFound):
        installer.install("9.9.9", quietly, never)
    assert installer.installed() == []


def test_an_installed_version_is_listed_and_not_installed_again(installer: Installer) -> None:
    """The second time returns the same at once, without any phase."""
    phases: list[InstallProgress] = []
    runtime = installer.install("0.19.0", phases.append, never)
    assert (runtime.kind, runtime.version, runtime.is_managed) == (HERMES_AGENT, "0.19.0", True)
    assert runtime.name.startswith("hermes-agent-0.19.0-")
    assert runtime.executable.is_absolute()
    assert installer.installed() == [runtime]
    assert list(dict.fromkeys(p.phase for p in phases)) == ["create environment", "download", "install", "check"]
    assert all(0 <= p.done <= p.total for p in phases)
    again: list[InstallProgress] = []
    assert installer.install("0.19.0", again.append, lambda: True) == runtime
    assert again == []


def test_a_cancelled_installation_leaves_nothing(installer: Installer) -> None:
    """It does not count as installed."""
    report, is_cancelled = at("create environment")
    with pytest.raises(Cancelled):
        installer.install("0.18.2", report, is_cancelled)
    assert installer.installed() == []
