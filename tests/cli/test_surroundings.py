"""What is seen around a command that needs a daemon: marks of a gateway, and service managers."""

import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesctl.background import control_groups, managers, surroundings
from hermesctl.background.managers import Answer, Manager, managers_of
from hermesctl.background.surroundings import gateway_around, is_manager_wanted, look
from hermesctl.background.ways import UNIT, Surroundings
from hermesctl.client.places import Places

pytestmark = [pytest.mark.fast, pytest.mark.cli]

LOCK = Path("hermesd") / "0123456789ab" / "locks" / "coder.lock"


@pytest.fixture(autouse=True)
def _in_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests themselves run."""
    monkeypatch.setattr(surroundings, "own_control_group", lambda: "/user.slice/session-1.scope")


@pytest.fixture
def claim(tmp_path: Path) -> Iterator[int]:
    """A descriptor of a lock file as gateways have one, not locked yet."""
    path = tmp_path / LOCK
    path.parent.mkdir(parents=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_outside_a_gateway_there_is_no_mark() -> None:
    """An empty variable is none either."""
    assert gateway_around({}) == gateway_around({"HERMESD_SPAWN_ID": ""}) == ""


def test_the_mark_of_a_gateways_tree_is_seen() -> None:
    """Every process of it has the variable, unless it threw its environment away."""
    assert gateway_around({"HERMESD_SPAWN_ID": "4f2c"}) == "HERMESD_SPAWN_ID is set"


def test_an_inherited_claim_is_seen(claim: int, tmp_path: Path) -> None:
    """A process that holds a gateway's lock is of its tree; the same file merely open says nothing."""
    assert gateway_around({}) == ""
    fcntl.flock(claim, fcntl.LOCK_EX)
    assert gateway_around({}) == f"this process holds a gateway's lock, {tmp_path / LOCK}"


@pytest.mark.parametrize(
    ("group", "is_inside"),
    [
        ("/hermes.slice/hermes-gateway-coder.scope", True),
        ("/user.slice/user@1.service/app.slice/hermes-gateway.service", True),
        ("/system.slice/hermesd.service", False),
        ("", False),
    ],
)
def test_a_gateways_control_group_is_seen(monkeypatch: pytest.MonkeyPatch, group: str, is_inside: bool) -> None:
    """Ours and the agent's own alike; the daemon's is none."""
    monkeypatch.setattr(surroundings, "own_control_group", lambda: group)
    assert bool(gateway_around({})) is is_inside


def test_every_process_has_a_control_group_or_none() -> None:
    """A path, whichever version of control groups the machine has."""
    assert control_groups.own_control_group()[:1] in {"/", ""}


@pytest.mark.parametrize(
    ("text", "is_wanted"),
    [
        (None, True),
        ("", True),
        ('[daemon]\nbackend = "auto"\n', True),
        ('[daemon]\nbackend = "session"\n', False),
        ("daemon = 1\n", True),
        ("not toml", True),
    ],
)
def test_people_who_want_no_service_manager_get_none(places: Places, text: str | None, is_wanted: bool) -> None:
    """As their settings say; settings that cannot be read are for the daemon to complain about."""
    if text is not None:
        places.settings.parent.mkdir(parents=True)
        places.settings.write_text(text)
    assert is_manager_wanted(places) is is_wanted


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine that looks as if systemd ran it, with root's manager on its bus."""
    monkeypatch.setattr(managers, "BOOTED", tmp_path)
    monkeypatch.setattr(managers, "SYSTEM_BUS", tmp_path / "bus")
    monkeypatch.setattr(managers, "USER_DIRECTORIES", tmp_path / "user")
    monkeypatch.setattr(managers, "LINGERING", tmp_path / "linger")
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen()
        yield tmp_path


def test_managers_are_found_where_they_listen(booted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has two, root one; without a listener, or without systemd at all, there is none."""
    assert managers_of(0) == [Manager(0)]
    assert managers_of(1777) == [Manager(0)]
    (booted / "user" / "1777").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(booted / "user" / "1777" / "bus"))
        assert managers_of(1777) == [Manager(0)]
        bus.listen()
        assert managers_of(1777) == [Manager(1777), Manager(0)]
    monkeypatch.setattr(managers, "BOOTED", booted / "nowhere")
    assert managers_of(1777) == []


def test_a_manager_lasts_if_it_lingers_or_keeps_us_anyway(booted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's always does; a user's own ends with the last login, unless they linger."""
    monkeypatch.setattr(managers, "own_control_group", lambda: "/user.slice/user-65534.slice/session-1.scope")
    assert Manager(0).is_lasting
    assert not Manager(4_000_001).is_lasting  # nobody's passwd entry
    seen = [Manager(65534).is_lasting]
    (booted / "linger").mkdir()
    (booted / "linger" / "nobody").touch()
    seen.append(Manager(65534).is_lasting)
    (booted / "linger" / "nobody").unlink()
    group = "/user.slice/user-65534.slice/user@65534.service/app.slice/x.service"
    monkeypatch.setattr(managers, "own_control_group", lambda: group)
    assert [*seen, Manager(65534).is_lasting] == [False, True, True]


@pytest.fixture
def systemctl(booted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of files with what `systemctl` answers to each verb."""
    monkeypatch.setattr(managers, "PATH", f"{booted}:/usr/bin:/bin")
    tool = booted / "systemctl"
    tool.write_text(f'#!/bin/sh\nshift 3\ncat "{booted}/said-$1" 2>/dev/null || exit 1\n')
    tool.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return booted


def test_a_manager_that_does_not_answer_is_not_used(systemctl: Path, places: Places) -> None:
    """A socket alone is no manager."""
    assert look(places, {}) == Surroundings()


def test_a_manager_that_answers_is_used(systemctl: Path, places: Places) -> None:
    """Without our unit it encloses; unless the person wants none."""
    (systemctl / "said-show").write_text("LoadState=not-found\n")
    assert look(places, {"HERMESD_SPAWN_ID": "x"}) == Surroundings("HERMESD_SPAWN_ID is set", Manager(0), None)
    places.settings.parent.mkdir(parents=True)
    places.settings.write_text('[daemon]\nbackend = "session"\n')
    assert look(places, {}) == Surroundings()


def test_our_unit_is_used_whatever_the_settings(systemctl: Path, places: Places) -> None:
    """Somebody has installed it, for this root."""
    shown = "LoadState=loaded\nExecStart={ argv[]=/py -m hermesd ; }\nUser=\nnonsense\n"
    (systemctl / "said-show").write_text(f"{shown}Environment=HOME={places.home}\n")
    assert look(places, {}).unit == Manager(0)
    (systemctl / "said-show").write_text(f"{shown}Environment=\n")
    assert look(places, {}).unit is None
    (systemctl / "said-show-environment").write_text(f"LANG=C\nHOME={places.home}\n")
    assert look(places, {}).unit == Manager(0)


def test_a_tool_that_is_missing_or_slow_is_no_answer(booted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ends a command."""
    monkeypatch.setattr(managers, "PATH", str(booted))
    assert Manager(0).ask("show", UNIT) is None
    assert Manager(0).run(["/bin/sleep", "60"], limit_s=0.05) is None
    assert Manager(0).run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], limit_s=5) == Answer(
        3, "out\n", "err\n"
    )
    assert Manager(0).variables() == {}


def test_a_persons_manager_is_found_by_their_uid_alone() -> None:
    """Whatever the shell says of its runtime directory."""
    assert (Manager(1777).flag, Manager(1777).address) == ("--user", {"XDG_RUNTIME_DIR": "/run/user/1777"})
    assert (Manager(0).flag, Manager(0).address) == ("--system", {})
