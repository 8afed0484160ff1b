"""hermesd as a unit of a real systemd: whatever becomes of the daemon, the same gateways are still there."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import hermesd
from tests.e2e.systemd.machine import LINGERER, PROJECT, ROOT, Person, SystemdMachine
from tests.waiting import wait_until

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

PROFILES = ("coder", "coder-two")
"""One name begins with the other."""
GATEWAY = PROJECT / "tests" / "fakes" / "gateway.py"
SETTINGS = "".join(
    f'[profile.{name}]\ncommand = ["{sys.executable}", "-I", "{GATEWAY}", "--daemon", "--term-code", "0"]\n'
    for name in PROFILES
)
UNIT = f"""\
[Unit]
Description=hermesd

[Service]
Type=exec
ExecStart={sys.executable} -m hermesd
Environment=PYTHONDONTWRITEBYTECODE=1
Restart=on-failure
RestartSec=100ms
"""
"""Nothing protects what the daemon starts: systemd ends its whole control group at every stop."""
NEWER = f"{hermesd.__version__}.post1"
UPGRADE = f"import hermesd\n\nhermesd.__version__ = '{NEWER}'\n"
"""What an interpreter reads first, if it finds it: the next start is one of another release."""


@dataclass(frozen=True)
class Household:
    """One person's hermesd in the machine."""

    machine: SystemdMachine
    who: Person

    def systemctl(self, *words: str) -> str:
        """Tells their manager something."""
        return self.machine.ok(self.who, *self.who.manager, *words)

    def ctl(self, *words: str) -> str:
        """Runs hermesctl, which must succeed."""
        return self.machine.ok(self.who, sys.executable, "-m", "hermesctl", *words)

    def daemon(self) -> Any:
        """What the daemon says of itself; `None` while there is none."""
        words = (sys.executable, "-m", "hermesctl", "daemon", "status", "-o", "json")
        done = self.machine.run(self.who, *words)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def gateways(self) -> dict[str, Any]:
        """Process and state of each gateway, by profile."""
        items = json.loads(self.ctl("gateway", "list", "-o", "json"))["items"]
        return {item["profile"]: (item["state"], item["process"]) for item in items if item["profile"] in PROFILES}

    def unit_of(self, pid: int) -> str:
        """The unit that a process runs in."""
        lines = self.machine.ok(self.who, "cat", f"/proc/{pid}/cgroup").splitlines()
        return next(line for line in lines if ":name=systemd:" in line or line.startswith("0:")).rpartition("/")[2]

    def trees(self) -> list[str]:
        """Pids of every process of a gateway."""
        return self.machine.run(self.who, "pgrep", "-u", str(self.who.uid), "-f", str(GATEWAY)).stdout.split()

    def after(self, *words: str) -> Any:
        """The next daemon, after systemctl did something to this one."""
        before = self.main_pid()
        self.systemctl(*words)
        wait_until(lambda: self.main_pid() not in (0, before), f"a new daemon after {words}")
        return self.serving()

    def serving(self) -> Any:
        """What the daemon says of itself as soon as it serves."""
        answers: list[Any] = []

        def is_new() -> bool:
            answers.append(self.daemon())
            return answers[-1] is not None and answers[-1]["pid"] == self.main_pid()

        wait_until(is_new, "the daemon to serve")
        return answers[-1]

    def main_pid(self) -> int:
        """The daemon as systemd knows it; 0 if there is none."""
        return int(self.systemctl("show", "--value", "--property=MainPID", "hermesd"))


@pytest.fixture(scope="module", params=[ROOT, LINGERER], ids=["system-manager", "user-manager"])
def household(request: pytest.FixtureRequest, systemd_machine: SystemdMachine) -> Iterator[Household]:
    """A running daemon that has two gateways; nothing of it is left after the tests."""
    house = Household(systemd_machine, request.param)
    systemd_machine.write(house.who, f"{house.who.home}/.config/hermesd/settings.toml", SETTINGS)
    systemd_machine.write(house.who, f"{house.who.units}/hermesd.service", UNIT)
    house.systemctl("daemon-reload")
    house.systemctl("start", "hermesd")
    house.serving()
    for name in PROFILES:
        house.ctl("profile", "create", name)
        house.ctl("gateway", "start", name)
    yield house
    for name in PROFILES:
        house.ctl("profile", "delete", name, "--purge", "--yes")
    house.systemctl("stop", "hermesd")
    systemd_machine.ok(house.who, "rm", "-rf", f"{house.who.units}/hermesd.service.d")
    assert house.trees() == []
    wait_until(lambda: systemd_machine.units(house.who) == [], "systemd to forget every unit")


def test_gateways_live_through_every_end_of_their_daemon(household: Household) -> None:
    """Restarted, killed, aborted as by a watchdog, upgraded: the daemon is another, its gateways are the same."""
    gateways = household.gateways()
    assert [state for state, _ in gateways.values()] == ["ready", "ready"]
    for name, (_, process) in gateways.items():
        assert household.unit_of(process["pid"]) == f"hermes-gateway-{name}.scope"
    assert household.unit_of(household.main_pid()) == "hermesd.service"
    trees = household.trees()

    for words in (("restart", "hermesd"), ("kill", "-s", "KILL", "hermesd"), ("kill", "-s", "ABRT", "hermesd")):
        household.after(*words)
        assert household.gateways() == gateways, words

    library = f"{household.who.home}/newer"
    household.machine.write(household.who, f"{library}/sitecustomize.py", UPGRADE)
    drop_in = f"{household.who.units}/hermesd.service.d/newer.conf"
    household.machine.write(household.who, drop_in, f"[Service]\nEnvironment=PYTHONPATH={library}\n")
    household.systemctl("daemon-reload")
    assert household.after("restart", "hermesd")["version"] == NEWER
    assert household.gateways() == gateways
    assert household.trees() == trees


def test_a_gateway_that_falls_gets_a_new_scope(household: Household) -> None:
    """With a new process and under the same name; its neighbour is not touched."""
    before = household.gateways()
    pid = before["coder"][1]["pid"]
    household.machine.ok(household.who, "kill", "-9", str(pid))

    def is_back() -> bool:
        state, process = household.gateways()["coder"]
        return bool(state == "ready" and process["pid"] != pid)

    wait_until(is_back, "the gateway to be back")
    after = household.gateways()
    assert household.unit_of(after["coder"][1]["pid"]) == "hermes-gateway-coder.scope"
    assert after["coder-two"] == before["coder-two"]
