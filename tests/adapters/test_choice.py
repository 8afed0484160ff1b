"""Which backend is taken where, and what is said of it."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters.backends import cgroups, choice
from hermesd.adapters.backends.choice import ManagerSite, choose_backend, suffix_of
from hermesd.adapters.backends.session import SessionBackend
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.clock import SystemClock
from hermesd.domain.settings import BackendKind
from tests.fakes.systemd import FakeSystemd, systemd_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

UID = os.geteuid()
UNKNOWN_UID = 2**31 - 7


@pytest.fixture
def fake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[FakeSystemd]:
    """A manager where ours would be, for a person who does not linger."""
    caplog.set_level(logging.INFO)
    with systemd_at(tmp_path / "bus") as made:
        monkeypatch.setattr(ManagerSite, "bus", property(lambda _: made.socket))
        monkeypatch.setattr(ManagerSite, "mortality", lambda _: "")
        monkeypatch.setattr(cgroups, "of", lambda _: "/")
        yield made


async def chosen(kind: BackendKind, root: Path = Path("/nowhere")) -> SessionBackend | SystemdBackend:
    """The backend that is chosen, closed."""
    backend = await choose_backend(kind, SystemClock(), root=root, root_id="0123456789ab")
    await backend.close()
    return backend


async def test_systemd_is_taken_where_it_answers(fake: FakeSystemd, caplog: pytest.LogCaptureFixture) -> None:
    """One line says so."""
    assert isinstance(await chosen(BackendKind.AUTO), SystemdBackend)
    (record,) = caplog.records
    assert record.message == f"backend=systemd, because it answers at {fake.socket}"


async def test_sessions_are_taken_where_nobody_answers(
    fake: FakeSystemd, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says why."""
    fake.errors["Hello"] = "org.freedesktop.DBus.Error.AccessDenied"
    assert isinstance(await chosen(BackendKind.AUTO), SessionBackend)
    (record,) = caplog.records
    assert record.message.startswith("backend=session, because: systemd at ")
    assert "Hello is declined" in record.message


async def test_sessions_are_taken_where_they_are_asked_for(
    fake: FakeSystemd, caplog: pytest.LogCaptureFixture
) -> None:
    """systemd is not even asked."""
    fake.mute.add("Hello")
    assert isinstance(await chosen(BackendKind.SESSION), SessionBackend)
    assert [record.message for record in caplog.records] == ["backend=session, as the settings say"]


async def test_systemd_that_was_asked_for_is_waited_for(
    fake: FakeSystemd, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else is used in its place behind a person's back."""
    fake.errors["Hello"] = "org.freedesktop.DBus.Error.AccessDenied"
    assert isinstance(await chosen(BackendKind.SYSTEMD), SystemdBackend)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "but: systemd at" in record.message


@pytest.mark.parametrize(
    ("kind", "cgroup", "expected", "is_warned"),
    [
        (BackendKind.AUTO, "/user.slice/session-1.scope", SessionBackend, False),
        (BackendKind.AUTO, f"/user.slice/user@{UID}.service/app.slice/hermesd.service", SystemdBackend, True),
        (BackendKind.SYSTEMD, "/user.slice/session-1.scope", SystemdBackend, True),
    ],
)
async def test_a_manager_that_ends_with_the_login_is_not_relied_on(
    fake: FakeSystemd,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: BackendKind,
    cgroup: str,
    expected: type[object],
    is_warned: bool,
) -> None:
    """Gateways would end with a login that the daemon outlives, unless it runs under that manager itself."""
    monkeypatch.setattr(ManagerSite, "mortality", lambda _: "it ends")
    monkeypatch.setattr(cgroups, "of", lambda _: cgroup)
    assert isinstance(await chosen(kind), expected)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == (
        ["gateways will not outlive the last login: it ends"] if is_warned else []
    )


def test_the_manager_is_found_by_uid() -> None:
    """Whatever a shell says."""
    assert ManagerSite(0).bus == Path("/run/dbus/system_bus_socket")
    assert ManagerSite(1777).bus == Path("/run/user/1777/bus")


def test_a_person_lingers_if_systemd_remembers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a file of their name; the system's manager needs none."""
    monkeypatch.setattr(choice, "LINGERING", tmp_path)
    assert ManagerSite(0).mortality() == ""
    nobody = ManagerSite(65534)
    assert "loginctl enable-linger nobody" in nobody.mortality()
    (tmp_path / "nobody").touch()
    assert nobody.mortality() == ""
    assert "no passwd entry" in ManagerSite(UNKNOWN_UID).mortality()


@pytest.mark.parametrize(
    ("root", "uid", "suffix"),
    [("~/.hermes", UID, ""), ("/srv/hermes", UID, "0123"), ("/.hermes", UNKNOWN_UID, "0123")],
)
def test_only_the_accounts_own_root_needs_no_suffix(
    monkeypatch: pytest.MonkeyPatch, root: str, uid: int, suffix: str
) -> None:
    """Two daemons of one person never have scopes of the same name, not even with different HOMEs."""
    monkeypatch.delenv("HOME", raising=False)
    path = Path(os.path.realpath(Path(root).expanduser()))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert suffix_of(path, "0123") == suffix
