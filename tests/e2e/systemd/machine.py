"""A machine that systemd has booted, and the host that must not notice.

Owns: running commands in the machine, as root and as a person who lingers, and what could change on the host.
Must not know what is tried in it; `tests/e2e/systemd/boot.sh` knows how it is made.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BOOT = Path(__file__).parent / "boot.sh"
PROJECT = Path(__file__).resolve().parents[3]
COMMAND_LIMIT_S = 300.0
TOOLS = ("unshare", "nsenter", "ip", "pgrep", "useradd", "runuser", "systemctl", "dbus-daemon")
SYSTEMD = Path("/lib/systemd/systemd")
RESTLESS = {"kernel/ns_last_pid"}
"""Settings of the kernel that change by themselves."""


@dataclass(frozen=True)
class Person:
    """Somebody in the machine, with a service manager."""

    name: str
    uid: int
    home: str
    manager: tuple[str, ...]
    """How systemctl addresses it."""
    units: str
    """Where that manager looks for units."""

    @property
    def environment(self) -> dict[str, str]:
        """What their commands run in."""
        return {
            "HOME": self.home,
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_RUNTIME_DIR": f"/run/user/{self.uid}",
            "HERMESCTL_NO_AUTOSTART": "1",
        }


ROOT = Person("root", 0, "/root", ("systemctl", "--system"), "/etc/systemd/system")
LINGERER = Person(
    "lingerer", 1777, "/home/lingerer", ("systemctl", "--user"), "/home/lingerer/.config/systemd/user"
)


@dataclass(frozen=True)
class SystemdMachine:
    """A booted machine; its pid files are in `state`."""

    state: Path

    def boot(self) -> None:
        """Boots it, and lets the person in who lingers."""
        wanted = {PROJECT, Path(sys.prefix), Path(sys.base_prefix)}
        inner = {path for path in wanted if wanted & set(path.parents)}  # seen with what it lies in
        paths = [str(path) for path in sorted(wanted - inner) if not path.is_relative_to("/usr")]
        _run([BOOT, self.state, "up", *paths])
        self.ok(ROOT, "useradd", "-m", "-u", str(LINGERER.uid), LINGERER.name)
        self.ok(ROOT, "loginctl", "enable-linger", LINGERER.name)
        self.ok(ROOT, "systemctl", "start", f"user@{LINGERER.uid}.service")

    def down(self) -> None:
        """Ends it with everything in it."""
        _run([BOOT, self.state, "down"])

    def run(
        self, who: Person, *words: str, extra: Mapping[str, str] | None = None, stdin: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the checkout, whatever its exit code."""
        settings = [f"{name}={value}" for name, value in {**who.environment, **(extra or {})}.items()]
        become = ["runuser", "-u", who.name, "--"] if who.uid else []
        line = [*become, "env", "-i", "-C", str(PROJECT), *settings, *words]
        return subprocess.run(
            [str(BOOT), str(self.state), "exec", *line],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )

    def ok(self, who: Person, *words: str, extra: Mapping[str, str] | None = None, stdin: str = "") -> str:
        """Runs a command that must succeed and returns what it printed."""
        done = self.run(who, *words, extra=extra, stdin=stdin)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def write(self, who: Person, path: str, text: str) -> None:
        """Writes a file of theirs."""
        self.ok(who, "mkdir", "-p", str(Path(path).parent))
        self.ok(who, "tee", path, stdin=text)

    def units(self, who: Person) -> list[str]:
        """Names of every loaded unit of ours, active or not."""
        lines = self.ok(who, *who.manager, "list-units", "--all", "--plain", "--no-legend", "hermes*").splitlines()
        return [line.split()[0] for line in lines]


def missing() -> str:
    """What this host lacks for such a machine; empty if nothing."""
    if os.geteuid() != 0:
        return "root"
    if not SYSTEMD.exists():
        return str(SYSTEMD)
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return ", ".join(absent)
    tried = subprocess.run(["unshare", "--pid", "--fork", "--mount", "--net", "--cgroup", "true"], check=False)
    return "leave to make namespaces" if tried.returncode else ""


def host_state() -> dict[str, object]:
    """What a machine must leave as it was: settings of the kernel, mounts, control groups."""
    return {
        "settings": _settings(),
        "mounts": _mounts(),
        "groups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("hermes-e2e-*")),
    }


def _mounts() -> list[tuple[str, str, str, str]]:
    """What is mounted where, and whether it can be written; a size, for one, is its owner's to change."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [(device, place, kind, options.split(",")[0]) for device, place, kind, options, *_ in lines]


def _settings() -> dict[str, bytes]:
    """Every setting of the kernel that somebody could have changed, read-only counters left out."""
    top = Path("/proc/sys")
    found = {}
    for path in top.rglob("*"):
        name = str(path.relative_to(top))
        if name in RESTLESS or not path.is_file() or path.stat().st_mode & 0o222 == 0:
            continue
        try:
            found[name] = path.read_bytes()
        except OSError:  # some can only be written, or only on other hardware
            continue
    return found


def _run(words: list[object]) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
