"""In which control group of systemd this process is. Owns: reading /proc for that. Must not know what it means."""

from pathlib import Path

SYSTEMD_HIERARCHY = "name=systemd"
"""Where systemd keeps its groups beside those of version 1; alone, version 2 is the hierarchy without a name."""


def own_control_group() -> str:
    """Path of our control group; empty where there is none."""
    try:
        lines = Path("/proc/self/cgroup").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return ""
    paths = {hierarchy: path for _, hierarchy, path in (line.split(":", 2) for line in lines)}
    return paths.get(SYSTEMD_HIERARCHY, paths.get("", ""))
