"""What surrounds homes on this machine: file systems, services, the daemon's own directories."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hermesd.adapters import machineinspector
from hermesd.adapters.machineinspector import MachineInspectorOnDisk
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

UNIT = """\
[Service]
ExecStart=/venv/bin/python -m hermes_cli.main --profile {name} gateway run
Environment="PATH=/venv/bin"
Environment="HERMES_HOME={home}"
"""

Inspect = Callable[..., MachineInspectorOnDisk]


@pytest.fixture
def inspect(tmp_path: Path) -> Inspect:
    """An inspector of a root with one directory of the daemon's."""
    for name in ("root", "state"):
        (tmp_path / name).mkdir(0o700)

    def made(**changes: object) -> MachineInspectorOnDisk:
        settings: dict[str, object] = {
            "kept": (tmp_path / "state",),
            "private": (tmp_path / "state", tmp_path / "state" / "store.db"),
            "units": {tmp_path / "user": False, tmp_path / "system": True},
            "read_settings": lambda: None,
        }
        return MachineInspectorOnDisk(tmp_path / "root", **(settings | changes))  # type: ignore[arg-type]

    return made


def test_a_file_system_is_told_once_with_what_is_left(inspect: Inspect, tmp_path: Path) -> None:
    """As the kernel counts what anybody may use; a place that is not there is left out."""
    (disk,) = inspect(kept=(tmp_path / "state", tmp_path / "gone")).disks()
    told = os.statvfs(tmp_path)
    assert (disk.path, disk.device) == (tmp_path / "root", tmp_path.stat().st_dev)
    assert disk.total_bytes == told.f_blocks * told.f_frsize
    assert 0 <= disk.free_bytes <= disk.total_bytes
    assert inspect().disk(tmp_path / "gone") is None


def test_a_read_only_file_system_is_known() -> None:
    """By the flags that it is mounted with."""
    inspector = MachineInspectorOnDisk(
        Path("/proc"), kept=(Path("/dev"),), private=(), units={}, read_settings=lambda: None
    )
    assert [disk.is_read_only for disk in inspector.disks()] == [
        bool(os.statvfs(path).f_flag & os.ST_RDONLY) for path in ("/proc", "/dev")
    ]


def test_a_network_file_system_is_known(inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its kind."""
    monkeypatch.setattr(machineinspector, "network_file_system", lambda path: "nfs4")
    assert [disk.network_kind for disk in inspect().disks()] == ["nfs4"]


def write_unit(directory: Path, name: str, text: str) -> Path:
    """A service."""
    directory.mkdir(exist_ok=True)
    path = directory / f"hermes-gateway{name}.service"
    path.write_text(text)
    return path


def test_services_are_told_by_home_and_by_whether_they_start(inspect: Inspect, tmp_path: Path) -> None:
    """Those of the whole machine too; nothing of them is touched."""
    home = tmp_path / "root" / "profiles" / "coder"
    own = write_unit(tmp_path / "user", "-coder", UNIT.format(name="coder", home=home))
    other = write_unit(tmp_path / "system", "-0a1b2c3d", UNIT.format(name="x", home="/elsewhere"))
    wants = tmp_path / "user" / "default.target.wants"
    wants.mkdir()
    (wants / own.name).symlink_to(own)
    before = snapshot(tmp_path)
    found = {unit.path: unit for unit in inspect().units()}
    assert (found[own].home, found[own].is_enabled, found[own].is_of_system) == (home, True, False)
    assert (found[other].home, found[other].is_enabled, found[other].is_of_system) == (
        Path("/elsewhere"),
        False,
        True,
    )
    assert snapshot(tmp_path) == before


def test_a_service_that_names_no_home_goes_by_its_own_name(inspect: Inspect, tmp_path: Path) -> None:
    """The default profile's has none behind it; what is no name is nobody's."""
    text = "[Service]\nExecStart=/venv/bin/hermes gateway run\n"
    for name in ("", "-coder", "-Not a name"):
        write_unit(tmp_path / "user", name, text)
    homes = {unit.path.name: unit.home for unit in inspect().units()}
    assert homes == {
        "hermes-gateway.service": tmp_path / "root",
        "hermes-gateway-coder.service": tmp_path / "root" / "profiles" / "coder",
        "hermes-gateway-Not a name.service": None,
    }


def test_what_starts_no_gateway_is_no_such_service(inspect: Inspect, tmp_path: Path) -> None:
    """Masked, dangling, somebody else's, or a directory of that name."""
    write_unit(tmp_path / "user", "-a", "[Service]\nExecStart=/usr/bin/proxy hermes\n")
    (tmp_path / "user" / "hermes-gateway-b.service").symlink_to("/dev/null")
    (tmp_path / "user" / "hermes-gateway-c.service").symlink_to("/nowhere")
    (tmp_path / "user" / "hermes-gateway-d.service").mkdir()
    assert inspect().units() == []


def test_only_what_is_the_daemons_is_closed(inspect: Inspect, tmp_path: Path) -> None:
    """A link is left alone, and so is what it leads to."""
    for name in ("state", "root"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "state" / "store.db").symlink_to(tmp_path / "root")
    assert [(one.path, one.mode) for one in inspect().exposed()] == [(tmp_path / "state", 0o755)]
    for path in (tmp_path / "state", tmp_path / "state" / "store.db", tmp_path / "root"):
        inspect().make_private(path)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("state", "root")] == [0o700, 0o755]
