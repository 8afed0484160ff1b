"""Where processes are, as /proc tells it on every kind of hierarchy."""

from pathlib import Path

import pytest

from hermesd.adapters import procfs
from hermesd.adapters.backends import cgroups

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

SCOPE = "/hermes.slice/hermes-gateway-coder.scope"
UNIFIED = f"0::{SCOPE}\n"
HYBRID = f"12:name=systemd:{SCOPE}\n4:memory:/elsewhere\n0::{SCOPE}\n"
LEGACY = f"12:name=systemd:{SCOPE}\n4:memory:/elsewhere\n3:cpu,cpuacct:/\n"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc without processes."""
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    return tmp_path


def put(proc: Path, pid: int, content: str) -> None:
    """Puts a process there."""
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "cgroup").write_text(content)


@pytest.mark.parametrize("content", [UNIFIED, HYBRID, LEGACY], ids=["unified", "hybrid", "legacy"])
def test_the_unit_of_a_process_is_told(proc: Path, content: str) -> None:
    """Whatever versions of control groups there are side by side."""
    put(proc, 7, content)
    assert cgroups.of(7) == SCOPE
    assert cgroups.unit_of(7) == "hermes-gateway-coder.scope"


@pytest.mark.parametrize("content", ["", "0::/\n", "4:memory:/elsewhere\n"])
def test_a_process_may_be_in_no_unit(proc: Path, content: str) -> None:
    """Without systemd, or as a zombie."""
    put(proc, 7, content)
    assert cgroups.unit_of(7) == ""
    assert cgroups.unit_of(8) == ""


def test_members_are_those_in_the_group_and_below(proc: Path) -> None:
    """A group whose name begins alike is another; no group has nobody."""
    put(proc, 7, UNIFIED)
    put(proc, 8, f"0::{SCOPE}/below: it\n")
    put(proc, 9, f"0::{SCOPE}-two\n")
    put(proc, 10, "0::/\n")
    assert sorted(cgroups.members(SCOPE)) == [7, 8]
    assert cgroups.members("") == []
