"""Private machines, a loopback model and the real hermes-agent."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters import account
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.installer import PipInstaller
from hermesd.domain import environment
from tests.e2e.census import end_all
from tests.e2e.daemon import Daemon
from tests.e2e.house import Machine
from tests.fakes import model
from tests.fakes.model import ModelServer


@pytest.fixture(scope="session")
def runtimes_directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the tested versions of the real agent are installed, once for all tests.

    Only the full tier needs an older one than the newest. HERMESD_TEST_RUNTIMES names one to keep between runs.
    """
    kept = os.environ.get("HERMESD_TEST_RUNTIMES")
    directory = Path(kept) if kept else shared(tmp_path_factory) / "runtimes"
    inherited = account.inherited_environment()
    installer = PipInstaller(directory, environment.for_installer(inherited, account.account()), HermesAgent())
    is_full = any(item.get_closest_marker("full") for item in request.session.items)
    for version in installer.versions() if is_full else installer.versions()[:1]:
        installer.install(version, lambda _: None, lambda: False)
    return directory


def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary directory of this run, which several workers may have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def runtimes(runtimes_directory: Path) -> dict[str, Path]:
    """The executable of each tested version."""
    found = runtimes_directory.glob("hermes-agent-*/bin/hermes")
    return {path.parts[-3].split("-")[2]: path for path in found}


@pytest.fixture
def empty_machine(tmp_path: Path) -> Iterator[Machine]:
    """A home with nothing but a setting: the host's service manager is none of a test's business.

    Whatever is left running at the end fails the test.
    """
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    machine = Machine(home)
    machine.settings.parent.mkdir(parents=True)
    machine.settings.write_text('[daemon]\nbackend = "session"\n')
    yield machine
    assert machine.clean_up() == []


@pytest.fixture
def machine(empty_machine: Machine, runtimes_directory: Path) -> Machine:
    """A home in which the runtimes are installed already."""
    share = empty_machine.home / ".local" / "share" / "hermesd"
    share.mkdir(parents=True)
    (share / "runtimes").symlink_to(runtimes_directory)
    return empty_machine


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A model on loopback."""
    with model.serving() as server:
        yield server


@pytest.fixture
def stage(empty_machine: Machine) -> Iterator[Daemon]:
    """A daemon that is not started yet, for gateways that only look like hermes-agent; nothing is left of them."""
    daemon = Daemon(empty_machine)
    yield daemon
    locks = list((daemon.places.state / "locks").glob("*.lock"))
    if daemon.process is not None:
        daemon.kill()
    daemon.disconnect()
    end_all(empty_machine, locks)
