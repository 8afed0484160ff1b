"""Where processes of others come from, on a /proc made by hand."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from hermesd.adapters import origins, procfs

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

GATEWAY, SHELL, MANAGER = 4711, 4700, 900
USER = "/user.slice/user-1000.slice/user@1000.service/app.slice"
SESSION = "/user.slice/user-1000.slice/session-3.scope"
CONTAINER = "0123456789ab" + "c" * 52


@dataclass
class Proc:
    """A /proc."""

    path: Path

    def add(
        self, pid: int, cgroup: str, *, parent: int = 1, session: int = 0, tty: int = 0, name: str = "python"
    ) -> Path:
        """A process; its session is its own unless said otherwise."""
        directory = self.path / str(pid)
        directory.mkdir()
        rest = [str(parent), "1", str(session or pid), str(tty), *["0"] * 14, "5000", *["0"] * 5]
        (directory / "stat").write_text(f"{pid} ({name}) S {' '.join(rest)}")
        (directory / "comm").write_text(f"{name}\n")
        (directory / "cgroup").write_text(f"0::{cgroup}\n")
        return directory


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    """A /proc in which nothing runs but this process, for a person of uid 1000."""
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(procfs, "owner", lambda _: 1000)
    monkeypatch.setattr(origins, "_account", lambda uid: {0: "root", 1000: "ana", 1001: "bob"}.get(uid, str(uid)))
    (tmp_path / "stat").write_text("cpu 1\nbtime 1700000000\n")
    made = Proc(tmp_path)
    made.add(os.getpid(), f"{USER}/hermesd.service")
    return made


def told(proc: Proc) -> tuple[str, str]:
    """The unit and the line."""
    found = origins.origin_of(GATEWAY)
    return found.unit, found.resolution


def test_who_started_it_by_hand_ends_it_by_hand(proc: Proc) -> None:
    """The scope of a login is no unit of the gateway's."""
    proc.add(SHELL, SESSION, name="bash")
    proc.add(GATEWAY, SESSION, parent=SHELL, session=SHELL, tty=34819)
    found = origins.origin_of(GATEWAY)
    assert (found.unit, found.resolution, found.owner, found.tty) == ("", "kill -TERM 4711", "ana", "/dev/pts/3")
    assert found.started_at_s == 1_700_000_000 + 5000 / os.sysconf("SC_CLK_TCK")


def test_what_a_unit_keeps_is_ended_through_the_unit(proc: Proc) -> None:
    """Or it would be started again at once."""
    proc.add(MANAGER, "/user.slice/user-1000.slice/user@1000.service/init.scope", name="systemd")
    proc.add(GATEWAY, f"{USER}/hermes-gateway-coder.service", parent=MANAGER)
    assert told(proc) == ("hermes-gateway-coder.service", "systemctl --user stop hermes-gateway-coder.service")


def test_a_shell_may_stand_between(proc: Proc) -> None:
    """Nothing else of importance ends with it."""
    proc.add(SHELL, f"{USER}/bot.service", name="sh")
    proc.add(GATEWAY, f"{USER}/bot.service", parent=SHELL, session=SHELL)
    assert told(proc) == ("bot.service", "systemctl --user stop bot.service")


def test_a_unit_of_the_system_needs_root(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is root needs nothing more."""
    proc.add(GATEWAY, "/system.slice/hermes-gateway\\x2dx.service")
    assert told(proc)[1] == "sudo systemctl stop 'hermes-gateway\\x2dx.service'"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert told(proc)[1] == "systemctl stop 'hermes-gateway\\x2dx.service'"


@pytest.mark.parametrize(
    ("main", "shell_session"), [("sshd", SHELL), ("cron", SHELL), ("supervisord", 800), ("python", 800)]
)
def test_units_of_others_are_left_alone(proc: Proc, main: str, shell_session: int) -> None:
    """Of the login itself where no session has a scope, of cron, of a supervisor, of a notebook."""
    proc.add(800, f"/system.slice/{main}.service", name=main)
    proc.add(SHELL, f"/system.slice/{main}.service", parent=800, session=shell_session, name="sh")
    proc.add(GATEWAY, f"/system.slice/{main}.service", parent=SHELL, session=shell_session)
    assert told(proc) == ("", "kill -TERM 4711")


def test_an_orphan_in_the_unit_of_another_is_ended_alone(proc: Proc) -> None:
    """Its parent is the manager's too, yet the unit was not made for it."""
    proc.add(800, "/system.slice/ssh.service", name="sshd")
    proc.add(GATEWAY, "/system.slice/ssh.service")
    assert told(proc) == ("", "kill -TERM 4711")


def test_another_persons_is_ended_as_that_person(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, or by number where the account has none; root may end anybody's."""
    proc.add(GATEWAY, SESSION)
    for uid, line in ((1001, "sudo -u bob kill -TERM 4711"), (4242, "sudo -u '#4242' kill -TERM 4711")):
        monkeypatch.setattr(procfs, "owner", lambda _, uid=uid: uid)
        assert told(proc)[1] == line
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert told(proc)[1] == "kill -TERM 4711"
    monkeypatch.setattr(procfs, "owner", lambda _: None)
    assert origins.origin_of(GATEWAY).owner == ""


def test_another_persons_manager_is_asked_as_that_person(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which needs to know where it is."""
    proc.add(GATEWAY, USER.replace("1000", "1001") + "/bot.service")
    stop = "env XDG_RUNTIME_DIR=/run/user/1001 systemctl --user stop bot.service"
    assert told(proc)[1] == f"sudo -u bob {stop}"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert told(proc)[1] == f"runuser -u bob -- {stop}"


@pytest.mark.parametrize(
    ("cgroup", "line"),
    [
        (f"/system.slice/docker-{CONTAINER}.scope", "docker stop 0123456789ab"),
        (f"/docker/{CONTAINER}", "docker stop 0123456789ab"),
        (f"/user.slice/libpod-{CONTAINER}.scope/container", "podman stop 0123456789ab"),
    ],
)
def test_what_runs_in_a_container_ends_with_it(proc: Proc, cgroup: str, line: str) -> None:
    """Unless hermesd is in there as well."""
    proc.add(GATEWAY, cgroup)
    program = shlex.split(line)[0]
    assert told(proc) == (f"{program} container 0123456789ab", line)
    (proc.path / str(os.getpid()) / "cgroup").write_text(f"0::{cgroup}\n")
    assert told(proc) == ("", "kill -TERM 4711")


def test_a_slot_of_s6_is_told_to_stay_down(proc: Proc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By where its supervisor works, or by its name if nobody may know that."""
    supervisor = proc.add(300, "/", name="s6-supervise")
    proc.add(GATEWAY, "/", parent=300)
    slot = tmp_path / "run" / "gateway-coder"
    slot.mkdir(parents=True)
    (supervisor / "cwd").symlink_to(slot)
    assert told(proc) == (f"s6 slot {slot}", f"s6-svc -d {slot}")
    (supervisor / "cwd").unlink()
    (supervisor / "cmdline").write_bytes(b"s6-supervise\0gateway-coder\0")
    monkeypatch.setattr(origins, "_SLOTS", str(tmp_path / "run"))
    assert told(proc)[1] == f"s6-svc -d {slot}"
    slot.rmdir()
    assert told(proc)[1] == "kill -TERM 4711"


def test_of_a_process_that_is_gone_little_is_known(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended while it was looked at."""
    monkeypatch.setattr(procfs, "owner", lambda _: None)
    assert origins.origin_of(GATEWAY) == origins.Origin("", None, "", "", "kill -TERM 4711")
