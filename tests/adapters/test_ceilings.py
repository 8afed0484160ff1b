"""Which ceilings a control group has, by what the kernel writes there; `tests/e2e/systemd` has real ones."""

from pathlib import Path

import pytest

from hermesd.adapters.backends import ceilings
from hermesd.adapters.backends.ceilings import ceilings_of
from hermesd.domain.limits import Limit

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

SCOPE = "/hermes.slice/hermes-gateway-coder.scope"
FREE = {
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "pids/pids.max": "max\n",
}
HELD = {
    "memory/memory.limit_in_bytes": "2147483648\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "pids/pids.max": "500\n",
}


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where control groups are mounted; none are there yet."""
    monkeypatch.setattr(ceilings, "MOUNTED", tmp_path)
    return tmp_path


def write(directory: Path, files: dict[str, str]) -> None:
    """Makes files."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def first_version(files: dict[str, str]) -> dict[str, str]:
    """The files of the scope in hierarchies of version 1."""
    return {f"{name.partition('/')[0]}{SCOPE}/{name.partition('/')[2]}": text for name, text in files.items()}


def test_the_first_version_has_a_hierarchy_for_each_ceiling(mounted: Path) -> None:
    """No limit is a number there that is larger than any machine's memory."""
    write(mounted, first_version(FREE))
    assert ceilings_of(SCOPE) == frozenset()
    write(mounted, first_version(HELD))
    assert ceilings_of(SCOPE) == frozenset(Limit)


def test_the_second_version_has_one_hierarchy(mounted: Path) -> None:
    """A controller that was not handed down leaves no file."""
    write(mounted, {"cgroup.controllers": "cpu memory pids\n"})
    scope = mounted / SCOPE.lstrip("/")
    write(scope, {"memory.max": "2147483648\n", "cpu.max": "max 100000\n"})
    assert ceilings_of(SCOPE) == {Limit.MEMORY_MAX}
    write(scope, {"memory.max": "max\n", "cpu.max": "150000 100000\n", "pids.max": "500\n"})
    assert ceilings_of(SCOPE) == {Limit.CPU_QUOTA, Limit.TASKS_MAX}


def test_a_group_that_is_gone_has_none(mounted: Path) -> None:
    """It went with its last process."""
    assert ceilings_of(SCOPE) == frozenset()
