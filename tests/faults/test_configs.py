"""Settings that are being changed when the daemon dies, or the disk is full."""

from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_config import HermesConfigFiles
from hermesd.adapters.versions import VersionsOnDisk
from hermesd.domain.configuration import Change, ConfigFile, Schema
from hermesd.domain.errors import DiskFull
from hermesd.domain.profile import Home
from hermesd.domain.version import Origin
from hermesd.services.configs import replace_keeping
from tests.adapters.hermes_homes import home_at
from tests.fakes.clock import ManualClock
from tests.faults.injection import crash_at, fill_disk_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = "abcdefghijkl"
FILES = HermesConfigFiles()
OLD = "# mine\nmodel:\n  default: old # why\n"
NEW = "# mine\nmodel:\n  default: new # why\n"
ENV_OLD, ENV_NEW = "A_TOKEN=old\n", "A_TOKEN=new\n"


def furnished(place: Path) -> tuple[Home, VersionsOnDisk]:
    """A home with both files, of which nothing is kept yet."""
    home = home_at(place / "home", config__yaml=OLD, __env=ENV_OLD)
    return home, VersionsOnDisk(place / "versions", ManualClock())


def change(home: Home, versions: VersionsOnDisk) -> None:
    """Changes both files, as the service does."""
    for edit in FILES.plan(home, Schema(), [Change("model.default", "new"), Change("A_TOKEN", "new")]):
        replace_keeping(FILES, versions, BOT, edit, Origin.COMMAND)


def revert(home: Home, versions: VersionsOnDisk) -> None:
    """Takes the configuration back."""
    for edit in FILES.plan_text(home, ConfigFile.CONFIG, OLD.encode()):
        replace_keeping(FILES, versions, BOT, edit, Origin.REVERT)


def check(home: Home, versions: VersionsOnDisk) -> None:
    """Each file is the old or the new, and what was displaced is kept."""
    for file, old, new in ((ConfigFile.CONFIG, OLD, NEW), (ConfigFile.ENV, ENV_OLD, ENV_NEW)):
        now = (home.path / file).read_text()
        kept = [versions.read(BOT, file, one.number).decode() for one in versions.of(BOT, file)]
        assert now in (old, new)
        assert set(kept) <= {old, new}
        assert now == old or old in kept


@pytest.mark.parametrize("work", [change, revert])
def test_a_change_cut_off_at_any_step_loses_nothing(tmp_path: Path, work: object) -> None:
    """The same again finishes it, and every state that was there can be had back."""
    for step in count(1):
        home, versions = furnished(tmp_path / str(step))
        if work is revert:
            change(home, versions)
        has_crashed = crash_at(step, lambda: (revert if work is revert else change)(home, versions))  # noqa: B023
        check(home, versions)
        (revert if work is revert else change)(home, versions)
        assert (home.path / "config.yaml").read_text() == (OLD if work is revert else NEW)
        if not has_crashed:
            break
    assert step > 10


def test_a_full_disk_at_any_step_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """Whatever could not be written."""
    for step in count(1):
        home, versions = furnished(tmp_path / str(step))
        is_full = fill_disk_at(step, lambda: change(home, versions), DiskFull)  # noqa: B023
        check(home, versions)
        if not is_full:
            break
    assert step > 10
