"""A daemon that the first command starts where systemd is: neither a logout nor a gateway takes it along."""

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.systemd.machine import LINGERER, ROOT, Person, SystemdMachine
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

HERMESCTL = f"{sys.executable} -m hermesctl"
UNIT = f"""\
[Unit]
Description=hermesd

[Service]
Type=exec
ExecStart={sys.executable} -m hermesd
"""
LOGOUT_KILLS = "/etc/systemd/logind.conf.d/kill.conf"
AGENT = f"""\
#!/bin/sh
while [ ! -e ~/daemon-is-gone ]; do sleep 0.05; done
HERMESCTL_NO_AUTOSTART= {HERMESCTL} gateway list -o json >~/answer 2>~/notice
echo $? >~/code
exec sleep 3600
"""
"""A gateway whose agent uses hermesctl while there is no daemon."""


@dataclass(frozen=True)
class Household:
    """One person in the machine, who starts with nothing that runs."""

    machine: SystemdMachine
    who: Person

    def ctl(self, line: str) -> str:
        """Runs hermesctl, which must succeed and may start the daemon."""
        words = (sys.executable, "-m", "hermesctl", *shlex.split(line))
        return self.machine.ok(self.who, *words, extra={"HERMESCTL_NO_AUTOSTART": ""})

    def login(self, script: str) -> str:
        """Runs a script in a login session of its own, which ends with it."""
        return self.machine.ok(ROOT, "su", "-l", self.who.name, "-c", script)

    def daemon(self) -> Any:
        """What the daemon says of itself; `None` if there is none."""
        words = (sys.executable, "-m", "hermesctl", "daemon", "status", "-o", "json")
        told = json.loads(self.machine.run(self.who, *words).stdout)
        return told if told["running"] else None

    def read(self, path: str) -> str:
        """A file of the machine."""
        return self.machine.ok(ROOT, "cat", path)

    def group_of(self, pid: int) -> str:
        """The control group of a process."""
        lines = self.read(f"/proc/{pid}/cgroup").splitlines()
        return next(line for line in lines if ":name=systemd:" in line or line.startswith("0:")).split(":")[2]

    def manager_pid(self) -> int:
        """The process of their service manager."""
        if self.who.uid == 0:
            return 1
        shown = self.machine.ok(ROOT, "systemctl", "show", "--value", "--property=MainPID", f"user@{self.who.uid}")
        return int(shown)


@pytest.fixture(params=[ROOT, LINGERER], ids=["system-manager", "user-manager"])
def household(request: pytest.FixtureRequest, systemd_machine: SystemdMachine) -> Iterator[Household]:
    """Whoever it is, nothing of theirs is left after the test."""
    house = Household(systemd_machine, request.param)
    yield house
    house.ctl("daemon stop --gateways")
    systemd_machine.ok(ROOT, "rm", "-rf", f"{house.who.home}/.hermes", f"{house.who.home}/.config/hermesd")
    systemd_machine.ok(ROOT, "rm", "-f", f"{house.who.units}/hermesd.service")
    systemd_machine.ok(house.who, *house.who.manager, "daemon-reload")
    wait_until(lambda: systemd_machine.units(house.who) == [], "systemd to forget every unit")


def test_a_login_session_that_ends_leaves_the_daemon_it_started(systemd_machine: SystemdMachine) -> None:
    """Although its end kills what the session left behind: the daemon is in a scope of the person's manager."""
    house = Household(systemd_machine, LINGERER)
    systemd_machine.write(ROOT, LOGOUT_KILLS, "[Login]\nKillUserProcesses=yes\n")
    systemd_machine.ok(ROOT, "systemctl", "restart", "systemd-logind")
    try:
        marked = "sleep 3600 & echo $!; cat /proc/self/cgroup"
        said = house.login(f"{HERMESCTL} gateway list 2>&1 >/dev/null; {marked}").splitlines()
        assert said[0].startswith("hermesd was not running; started it (pid ")
        assert any("session-" in line for line in said[2:])
        gone = f"/proc/{said[1]}"
        wait_until(
            lambda: systemd_machine.run(ROOT, "test", "-e", gone).returncode != 0, "the session to be killed"
        )
        daemon = house.daemon()
        assert daemon["pid"] == int(said[0].rpartition("pid ")[2].rstrip(")"))
        group = house.group_of(daemon["pid"])
        assert f"/user@{LINGERER.uid}.service/" in group
        assert group.rpartition("/")[2].startswith("hermesd-")
        assert "started" not in house.login(f"{HERMESCTL} gateway list 2>&1")
    finally:
        house.ctl("daemon stop")
        systemd_machine.ok(ROOT, "rm", LOGOUT_KILLS)
        systemd_machine.ok(ROOT, "systemctl", "restart", "systemd-logind")
    wait_until(lambda: systemd_machine.units(LINGERER) == [], "systemd to forget the scope")


def test_the_daemon_gets_a_scope_of_its_own(household: Household) -> None:
    """In the person's own manager, with nothing of the session's environment; gateways get theirs beside it."""
    words = (sys.executable, "-m", "hermesctl", "gateway", "list")
    canaries = {"HERMESCTL_NO_AUTOSTART": "", "TELEGRAM_BOT_TOKEN": "1111:canary"}
    household.machine.ok(household.who, *words, extra=canaries)
    pid = household.daemon()["pid"]
    assert household.group_of(pid).rpartition("/")[2].endswith(".scope")
    environment = household.read(f"/proc/{pid}/environ")
    assert "canary" not in environment
    assert f"HOME={household.who.home}\0" in environment
    assert "backend=systemd" in household.read(f"{household.daemon()['state_directory']}/logs/daemon.out")


def test_an_agent_that_needs_the_daemon_gets_one_that_is_not_its_own(household: Household) -> None:
    """The manager starts it: it adopts the gateway that asked for it, and lives on when that one is stopped."""
    home = household.who.home
    household.machine.write(household.who, f"{home}/agent", AGENT)
    household.machine.ok(household.who, "chmod", "+x", f"{home}/agent")
    household.machine.write(
        household.who, f"{home}/.config/hermesd/settings.toml", f'[profile.coder]\ncommand = ["{home}/agent"]\n'
    )
    household.machine.ok(ROOT, "rm", "-f", f"{home}/daemon-is-gone", f"{home}/code")
    household.ctl("profile create coder")
    household.ctl("gateway start coder")
    household.ctl("daemon stop")
    household.machine.ok(household.who, "touch", f"{home}/daemon-is-gone")
    wait_until(lambda: household.machine.run(ROOT, "test", "-s", f"{home}/code").returncode == 0, "the agent")
    assert household.read(f"{home}/code") == "0\n", household.read(f"{home}/notice")
    pid = household.daemon()["pid"]
    assert household.read(f"{home}/notice") == f"hermesd was not running; started it (pid {pid})\n"
    assert json.loads(household.read(f"{home}/answer"))["items"][0]["profile"] in {"coder", "default"}
    assert household.group_of(pid).rpartition("/")[2].endswith(".service")
    assert int(household.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[1]) == household.manager_pid()
    assert "HERMESD_SPAWN_ID" not in household.read(f"/proc/{pid}/environ")
    household.ctl("gateway stop coder")
    assert household.daemon()["pid"] == pid
    household.ctl("profile delete coder --purge --yes")


def test_an_installed_unit_is_what_is_started(household: Household) -> None:
    """One that keeps this root; one for another root is left alone."""
    unit = f"{household.who.units}/hermesd.service"
    household.machine.write(household.who, unit, UNIT)
    household.machine.ok(household.who, *household.who.manager, "daemon-reload")
    household.ctl("gateway list")
    first = household.daemon()["pid"]
    assert household.group_of(first).rpartition("/")[2] == "hermesd.service"
    household.ctl("daemon restart")
    assert household.group_of(household.daemon()["pid"]).rpartition("/")[2] == "hermesd.service"
    assert household.daemon()["pid"] != first
    household.ctl("daemon stop")
    household.machine.write(household.who, unit, f"{UNIT}Environment=HERMESD_ROOT={household.who.home}/other\n")
    household.machine.ok(household.who, *household.who.manager, "daemon-reload")
    household.ctl("gateway list")
    assert household.group_of(household.daemon()["pid"]).rpartition("/")[2].endswith(".scope")


def test_a_unit_that_fails_is_told_with_the_command_that_says_more(household: Household) -> None:
    """Exit 8 at once, not after waiting for something that has ended."""
    broken = UNIT.replace("-m hermesd", "-m hermesd --bogus")
    household.machine.write(household.who, f"{household.who.units}/hermesd.service", broken)
    household.machine.ok(household.who, *household.who.manager, "daemon-reload")
    words = (sys.executable, "-m", "hermesctl", "gateway", "list")
    done = household.machine.run(household.who, *words, extra={"HERMESCTL_NO_AUTOSTART": ""})
    assert (done.returncode, done.stdout) == (8, "")
    assert "error: hermesd did not start" in done.stderr
    assert f"fix: see what it says     systemctl {household.who.manager[1]} status hermesd.service" in done.stderr
    household.machine.ok(household.who, *household.who.manager, "reset-failed", "hermesd.service")
