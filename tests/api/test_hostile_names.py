"""Names that somebody chose to do harm, or by mistake: each refused with a sentence, or made and nothing else."""

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio

from hermesctl.client.failures import explain
from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.places import Places
from hermesd.api.server import make_server
from hermesd.app import Ending, servicers_of
from hermesd.v1 import profiles_pb2, profiles_pb2_grpc
from tests.faults.injection import snapshot
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.api]

REFUSED = [
    "", " ", "\t\n", ".", "..", "../evil", "..\\evil", "a/b", "/etc/passwd", "a/../../b", "./a", "~", "~root",
    "a/", ".hermesd", ".hidden", "-", "--help", "-rf", "_a", "a.b", "a..b", "con.txt", "a b", "a\tb", "a\nb",
    "a\rb", "a\x00b", "\x00", "a\x1b[31m", "a\x7f", "a'b", 'a"b', "a`id`", "$(id)", "${HOME}", "$HOME", "a|b",
    "a;rm -rf", "a&b", "a>b", "a<b", "a*", "a?", "[a]", "{a,b}", "a%2e%2e", "%2e%2e", "%00", "a\\b", "a:b",
    "a=b", "a,b", "a@b", "a#b", "!a", "a" * 65, "a" * 5000, "hermes", "default", "DEFAULT", " Root ", "test",
    "tmp", "sudo",
    "\N{CYRILLIC SMALL LETTER ES}oder", "cod\N{CYRILLIC SMALL LETTER IE}r",
    "\N{FULLWIDTH LATIN SMALL LETTER C}oder",
    "c\N{LATIN SMALL LETTER O WITH DIAERESIS}der", "co\N{ZERO WIDTH SPACE}der", "co\N{RIGHT-TO-LEFT OVERRIDE}der",
    "\N{LATIN SMALL LIGATURE FI}le", "\N{CIRCLED DIGIT ONE}", "\N{ARABIC-INDIC DIGIT THREE}", "\N{OWL}",
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}stanbul",
]  # fmt: skip
"""Exit code 2: none of these is a name that a new profile may have."""

MADE = {
    "CamelCase": "camelcase",
    "  padded ": "padded",
    "trailing\n": "trailing",
    "\u212aelvin": "kelvin",
    "profiles": "profiles",
    "active_profile": "active_profile",
    "chat": "chat",
    "hermesctl": "hermesctl",
    "con": "con",
    "nul": "nul",
    "null": "null",
    "true": "true",
    "1e3": "1e3",
    "0": "0",
    "0x1f": "0x1f",
    "a--b": "a--b",
    "a-": "a-",
    "a_": "a_",
    "z" * 64: "z" * 64,
}
"""What is made of the others. The sign for kelvin is the letter k once it is in lower case."""

TAKEN = ["file", "dangling", "directory", "pipe", "link"]
"""Exit code 5: something has the name already, whatever it is."""


@dataclass
class Place:
    """A machine's root and bin, and the daemon's client."""

    directory: Path
    stub: Any

    async def create(self, name: str) -> int:
        """The exit code of a creation's request; a refusal has its sentence."""
        try:
            await self.stub.CreateProfile(profiles_pb2.CreateProfileRequest(profile=name))
        except grpc.aio.AioRpcError as error:
            failure = explain(error)
            assert failure.reason != "INTERNAL"
            assert failure.message
            return int(failure.exit_code)
        return 0


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Place, House]]:
    """A daemon that serves, on real files."""
    root = tmp_path / "machine" / ".hermes"
    (root / "profiles").mkdir(parents=True)
    homes = HomesOnDisk(root)
    aliases = AliasesInBin(tmp_path / "machine" / "bin", tmp_path / "machine" / "current", "")
    house = House(homes=cast("Any", homes), aliases=cast("Any", aliases))
    await house.open()
    server = await make_server(servicers_of(house.services, Places(tmp_path, root), Ending()))
    server.add_insecure_port(f"unix:{tmp_path}/api.sock")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/api.sock") as channel:
        yield Place(tmp_path / "machine", profiles_pb2_grpc.ProfilesServiceStub(channel)), house
    await server.stop(None)
    await house.close()


async def test_hostile_names_are_refused_and_leave_no_trace(place: tuple[Place, House]) -> None:
    """Nothing on disk has changed after all of them, and nothing was recorded."""
    made, house = place
    before = snapshot(made.directory)
    codes = {name: await made.create(name) for name in REFUSED}
    assert {name: code for name, code in codes.items() if code != 2} == {}
    assert snapshot(made.directory) == before
    assert await house.store.operations(profile="", limit=100) == []
    assert len(REFUSED) > 60


async def test_strange_names_that_are_names_are_made_where_they_belong(place: tuple[Place, House]) -> None:
    """Below `profiles/`, private, under the name in lower case; an alias only where it hides nothing of Hermes."""
    made, house = place
    for typed, name in MADE.items():
        assert (typed, await made.create(typed)) == (typed, 0)
        await house.clock.settle()
        home = made.directory / ".hermes" / "profiles" / name
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    homes = sorted(path.name for path in (made.directory / ".hermes" / "profiles").iterdir())
    assert homes == sorted([".hermesd", *MADE.values()])
    aliases = {path.name for path in (made.directory / "bin").iterdir()}
    assert aliases == set(MADE.values()) - {"chat", "hermesctl"}


async def test_a_name_that_something_has_is_refused(place: tuple[Place, House]) -> None:
    """A file, a link that leads nowhere, a pipe: nothing of it is followed, replaced or opened."""
    made, _ = place
    profiles = made.directory / ".hermes" / "profiles"
    (profiles / "file").write_text("somebody's")
    (profiles / "dangling").symlink_to(made.directory / "nowhere")
    (profiles / "directory").mkdir()
    (profiles / "link").symlink_to(made.directory)
    os.mkfifo(profiles / "pipe")
    before = snapshot(made.directory)
    assert {name: await made.create(name) for name in TAKEN} == dict.fromkeys(TAKEN, 5)
    assert snapshot(made.directory) == before
