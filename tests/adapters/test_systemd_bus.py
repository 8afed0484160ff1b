"""What is said to systemd, and what becomes of its refusals."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermesd.adapters.backends import systemd_bus
from hermesd.adapters.backends.systemd_bus import Systemd, Unit, UnitExists
from hermesd.domain.errors import HermesError, NotPermitted
from tests.fakes.systemd import FakeSystemd, systemd_at
from tests.processes import ending

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ERROR = "org.freedesktop.DBus.Error."


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSystemd]:
    """A manager with an empty table."""
    with systemd_at(tmp_path / "bus") as made:
        yield made


@pytest.fixture
def systemd(fake: FakeSystemd) -> Systemd:
    """The client of it."""
    return Systemd(fake.socket)


@pytest.fixture
def pid() -> Iterator[int]:
    """A process to be put somewhere."""
    with ending(subprocess.Popen(["/bin/sleep", "60"])) as process:
        yield process.pid


def test_a_scope_is_made_once(fake: FakeSystemd, systemd: Systemd, pid: int) -> None:
    """With its slice or in the one that is there; the second of a name is refused as such."""
    systemd.start_scope("a.scope", pid, "first")
    systemd.start_scope("b.scope", pid, "second")
    with pytest.raises(UnitExists, match=r"a\.scope"):
        systemd.start_scope("a.scope", pid, "third")
    assert [(name, one.description) for name, one in fake.scopes.items()] == [
        ("a.scope", "first"),
        ("b.scope", "second"),
    ]


def test_units_are_found_by_pattern(systemd: Systemd, pid: int) -> None:
    """With what they are for, and their control groups."""
    systemd.start_scope("a.scope", pid, "first")
    systemd.start_scope("ab.scope", pid, "second")
    assert [unit.name for unit in systemd.units("a*.scope")] == ["a.scope", "ab.scope"]
    (unit,) = systemd.units("ab.scope")
    assert unit.description == "second"
    assert systemd.control_group(unit) == "/hermes.slice/ab.scope"
    assert systemd.units("b.scope") == []


def test_a_job_that_fails_is_told(fake: FakeSystemd, systemd: Systemd, pid: int) -> None:
    """Not that it was asked for counts, but what became of it."""
    fake.job_result = "failed"
    with pytest.raises(HermesError, match="the job is failed"):
        systemd.start_scope("a.scope", pid, "first")


def test_stopping_what_is_gone_is_done(fake: FakeSystemd, systemd: Systemd) -> None:
    """It is what was wanted."""
    systemd.stop(Unit("a.scope", "", "/"))
    assert fake.stopped == ["a.scope"]
    fake.errors["StopUnit"] = f"{ERROR}Failed"
    with pytest.raises(HermesError, match="StopUnit is declined"):
        systemd.stop(Unit("a.scope", "", "/"))


@pytest.mark.parametrize("name", ["AccessDenied", "AuthFailed", "InteractiveAuthorizationRequired"])
def test_refused_access_is_told_as_such(fake: FakeSystemd, systemd: Systemd, name: str, pid: int) -> None:
    """A person can mend it, by permissions."""
    fake.errors["StartTransientUnit"] = f"{ERROR}{name}"
    with pytest.raises(NotPermitted, match="StartTransientUnit is declined"):
        systemd.start_scope("a.scope", pid, "first")
    fake.has_slice = True
    fake.errors["StartTransientUnit"] = f"{ERROR}{name}"
    with pytest.raises(NotPermitted):
        systemd.start_scope("a.scope", pid, "first")


def test_a_manager_in_another_world_is_not_used(fake: FakeSystemd, systemd: Systemd) -> None:
    """Where our pid means somebody else, it would put strangers into scopes."""
    systemd.check()
    fake.seen_pid += 1
    with pytest.raises(HermesError, match="outside this container"):
        systemd.check()


def test_a_manager_that_is_silent_is_given_up(
    fake: FakeSystemd, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time."""
    monkeypatch.setattr(systemd_bus, "CALL_LIMIT_S", 0.05)
    fake.mute.add("Get")
    with pytest.raises(HermesError, match="does not answer"):
        systemd.check()


@pytest.mark.parametrize(
    "make",
    [lambda path: None, Path.touch, lambda path: path.symlink_to("/nowhere/bus")],
    ids=["none", "file", "link"],
)
def test_a_bus_that_is_not_there_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """With its path and what the system says."""
    make(tmp_path / "bus")
    with pytest.raises(HermesError, match=rf"cannot use systemd at {tmp_path / 'bus'}: \w+"):
        Systemd(tmp_path / "bus").units("*")
