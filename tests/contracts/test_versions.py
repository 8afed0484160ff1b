"""What all stores of versions do."""

from pathlib import Path

import pytest

from hermesd.adapters.versions import VersionsOnDisk
from hermesd.domain.configuration import VERSIONS_KEPT, ConfigFile
from hermesd.domain.errors import NotFound
from hermesd.domain.ports import Versions
from hermesd.domain.version import Origin
from tests.fakes.clock import ManualClock
from tests.fakes.versions import MemoryVersions

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT, OTHER = "abcdefghijkl", "mnopqrstuvwx"
CONFIG, ENV = ConfigFile.CONFIG, ConfigFile.ENV


@pytest.fixture(params=["disk", "memory"])
def versions(request: pytest.FixtureRequest, tmp_path: Path) -> Versions:
    """Files, then memory."""
    return VersionsOnDisk(tmp_path, ManualClock()) if request.param == "disk" else MemoryVersions()


def test_a_version_is_had_back_as_it_was(versions: Versions) -> None:
    """Byte for byte, under the profile and the file that it is of."""
    kept = versions.keep(BOT, CONFIG, b"a: 1\r\n\xff", Origin.FOUND)
    assert (kept.number, kept.origin, kept.size_bytes) == (1, Origin.FOUND, 7)
    assert versions.of(BOT, CONFIG) == [kept]
    assert versions.read(BOT, CONFIG, 1) == b"a: 1\r\n\xff"
    assert versions.of(BOT, ENV) == versions.of(OTHER, CONFIG) == []


def test_the_same_again_is_no_version(versions: Versions) -> None:
    """But an earlier state is, once there was another between."""
    first = versions.keep(BOT, ENV, b"A=1\n", Origin.FOUND)
    assert versions.keep(BOT, ENV, b"A=1\n", Origin.COMMAND) == first
    second = versions.keep(BOT, ENV, b"A=2\n", Origin.COMMAND)
    third = versions.keep(BOT, ENV, b"A=1\n", Origin.REVERT)
    assert versions.of(BOT, ENV) == [third, second, first]
    assert [one.number for one in (third, second, first)] == [3, 2, 1]


def test_the_oldest_go_and_numbers_are_never_given_again(versions: Versions) -> None:
    """What is left is the newest."""
    for number in range(VERSIONS_KEPT + 3):
        versions.keep(BOT, CONFIG, f"{number}".encode(), Origin.COMMAND)
    kept = [one.number for one in versions.of(BOT, CONFIG)]
    assert kept == list(range(VERSIONS_KEPT + 3, 3, -1))
    with pytest.raises(NotFound, match="no version 3 of config"):
        versions.read(BOT, CONFIG, 3)


def test_removed_is_removed(versions: Versions) -> None:
    """Twice is once, and others keep theirs."""
    for profile in (BOT, OTHER):
        versions.keep(profile, CONFIG, b"", Origin.FOUND)
    for _ in range(2):
        versions.remove(BOT)
    assert versions.of(BOT, CONFIG) == []
    assert len(versions.of(OTHER, CONFIG)) == 1
