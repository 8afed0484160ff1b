"""What services may rely on of `ClaimLocks`, together with the backend whose trees hold them."""

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hermesd.adapters import claimfiles, locks, procfs
from hermesd.adapters.backends import cgroups
from hermesd.adapters.backends.systemd import SystemdBackend
from hermesd.adapters.backends.systemd_bus import Systemd
from hermesd.adapters.claimlocks import ClaimLocksOnDisk
from hermesd.adapters.clock import SystemClock
from hermesd.domain.claims import Claim, ClaimHolder, ClaimKind, ClaimNote
from hermesd.domain.errors import PortInUse, TokenInUse
from hermesd.domain.ports import ClaimLocks
from hermesd.domain.process import ProcessIdentity, SpawnSpec
from tests.contracts.test_backend import RealScene, Scene, ScriptedScene
from tests.fakes.claimlocks import ScriptedClaimLocks
from tests.fakes.systemd import systemd_at
from tests.processes import BACKEND, real_backend, start_id

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BOT = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "a1" * 32)
OTHER = Claim(ClaimKind.BOT, "discord", "DISCORD_BOT_TOKEN", "b2" * 32)
PORT = Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=8643)
ALL = (BOT, OTHER, PORT)


def note_of(name: str) -> ClaimNote:
    """For whom a gateway takes claims."""
    return ClaimNote(name, f"id-{name}", start_id(name), "/home/ana/.hermes")


@dataclass
class Stage:
    """Locks, and the scene whose trees hold them."""

    locks: ClaimLocks
    scene: Scene

    def spec(self, name: str, *claims: Claim, daemon: bool = False) -> SpawnSpec:
        """A start with these claims."""
        spec = self.scene.spec(name)
        flags = ("--daemon", "--daemon-clears-environment") if daemon else ()
        return replace(spec, argv=(*spec.argv, *flags), claims=self.locks.of(claims, note_of(name)))

    async def start(self, name: str, *claims: Claim, daemon: bool = False) -> ProcessIdentity:
        """Starts it."""
        return await self.scene.start_spec(self.spec(name, *claims, daemon=daemon))

    def held(self) -> set[str]:
        """Keys of what is held."""
        return set(self.locks.holders(ALL))

    async def clear(self, name: str) -> None:
        """Ends what is left of its tree."""
        await self.scene.backend.clear(start_id(name), self.scene.spec(name).lock_path)


@pytest.fixture(params=["scripted", BACKEND, "fake-systemd"] if BACKEND == "session" else [BACKEND])
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The fake, and files with each backend."""
    directory = tmp_path / "claims"
    directory.mkdir()
    with contextlib.ExitStack() as opened:
        made: Scene
        if request.param == "scripted":
            made = ScriptedScene(tmp_path)
            assert isinstance(made, ScriptedScene)
            found: ClaimLocks = ScriptedClaimLocks(made.scripted)
        else:
            found = ClaimLocksOnDisk(directory)
            made = RealScene(tmp_path, lambda: real_backend(SystemClock()))
        if request.param == "fake-systemd":
            fake = opened.enter_context(systemd_at(tmp_path / "bus"))
            monkeypatch.setattr(cgroups, "of", fake.group_of)
            made = RealScene(tmp_path, lambda: SystemdBackend(SystemClock(), Systemd(fake.socket)))
        yield Stage(found, made)
        await made.close()


def test_each_thing_is_taken_once_and_by_all_in_one_order(stage: Stage) -> None:
    """Whatever the order in which it is read."""
    again = replace(BOT, source="platforms.telegram.token")
    taken = stage.locks.of((PORT, BOT, again, OTHER), note_of("coder"))
    assert [one.claim for one in taken] == sorted(ALL, key=lambda claim: claim.key)
    assert taken == stage.locks.of(ALL, note_of("coder"))
    assert len({one.path for one in taken}) == 3


async def test_claims_are_held_from_the_start_to_the_end_of_the_tree(stage: Stage) -> None:
    """And named by whom they were taken for."""
    assert stage.locks.holders(ALL) == {}
    process = await stage.start("coder", BOT, PORT)
    holders = stage.locks.holders(ALL)
    assert holders.keys() == {BOT.key, PORT.key}
    assert holders[BOT.key] == holders[PORT.key] == ClaimHolder((process.pid,), note_of("coder"), process.pid)
    stage.scene.strike(process, signal.SIGKILL)
    await stage.scene.backend.wait(process)
    assert stage.held() == set()


async def test_who_needs_what_is_held_is_refused_and_holds_nothing(stage: Stage) -> None:
    """All or none: what was free before is free after, and the holder has noticed nothing."""
    holder = await stage.start("coder", OTHER)
    with pytest.raises(TokenInUse, match="discord"):
        await stage.start("work", BOT, OTHER, PORT)
    assert stage.held() == {OTHER.key}
    await stage.start("third", PORT)
    with pytest.raises(PortInUse, match="8643"):
        await stage.start("work", PORT)
    assert stage.locks.holders([OTHER])[OTHER.key].main_pid == holder.pid


async def test_the_daemons_end_frees_nothing(stage: Stage) -> None:
    """Nor does it keep anything itself."""
    process = await stage.start("coder", BOT)
    await stage.scene.restart_daemon()
    assert stage.locks.holders([BOT])[BOT.key].main_pid == process.pid
    with pytest.raises(TokenInUse):
        await stage.start("work", BOT)


async def test_what_a_gateway_leaves_behind_holds_its_claims_until_it_is_ended(stage: Stage) -> None:
    """Also if nothing but descriptors tells whose it is; the profile's own next start is not blocked by itself."""
    if isinstance(stage.scene, ScriptedScene):
        stage.scene.scripted.leaves_tree = True
    process = await stage.start("coder", BOT, daemon=True)
    stage.scene.strike(process, signal.SIGKILL)
    await stage.scene.backend.wait(process)
    left = stage.locks.holders([BOT])[BOT.key]
    assert (left.note, left.main_pid, len(left.pids)) == (note_of("coder"), None, 1)
    with pytest.raises(TokenInUse):
        await stage.start("work", BOT)
    await stage.clear("coder")
    assert stage.held() == set()
    assert await stage.start("coder", BOT) != process


async def test_a_start_that_fails_holds_nothing(stage: Stage) -> None:
    """A program that is not there."""
    spec = replace(stage.spec("coder", *ALL), argv=("/nowhere/hermes",))
    if isinstance(stage.scene, ScriptedScene):
        return
    with contextlib.suppress(Exception):
        await stage.scene.backend.start(spec)
    assert stage.held() == set()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the files lie."""
    return tmp_path


def aged(path: Path) -> None:
    """Makes a file one that was last used long ago."""
    os.utime(path, (time.time() - 9_999, time.time() - 9_999))


def test_files_of_what_nobody_holds_are_removed(directory: Path) -> None:
    """Not those that are held, wanted, or were used a short while ago; nor anything else that lies there."""
    disk = ClaimLocksOnDisk(directory)
    paths = {one.claim: one.path for one in disk.of(ALL, note_of("coder"))}
    for path in (*paths.values(), directory / "port-1.lock", directory / "notes.txt"):
        path.touch()
        aged(path)
    (directory / "port-2.lock").touch()
    with locks.acquire(paths[BOT]):
        disk.tidy([OTHER])
        assert {path.name for path in directory.iterdir()} == {
            paths[BOT].name, paths[OTHER].name, "notes.txt", "port-2.lock",
        }  # fmt: skip


def test_a_file_that_is_taken_while_it_is_removed_stays_a_lock(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the removal somebody starts."""
    disk = ClaimLocksOnDisk(directory)
    (lock,) = disk.of([BOT], note_of("coder"))
    lock.path.touch()
    aged(lock.path)
    with contextlib.ExitStack() as held:

        def seen(_: object) -> dict[Path, list[int]]:
            held.enter_context(locks.acquire(lock.path))
            return {}

        monkeypatch.setattr(procfs, "holders_of", seen)
        disk.tidy([])
        assert lock.path.exists()
        with pytest.raises(TokenInUse), claimfiles.taken([lock]):
            pass


def test_a_file_that_goes_meanwhile_is_no_failure(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another daemon tidies too."""
    (directory / "port-1.lock").symlink_to("nowhere")
    ClaimLocksOnDisk(directory, kept_s=-1).tidy([])
    monkeypatch.setattr(Path, "glob", lambda *_: iter([directory / "port-2.lock"]))
    ClaimLocksOnDisk(directory, kept_s=-1).tidy([])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"process": null}', '{"process": {"pid": 1}}'])
def test_a_note_that_cannot_be_read_leaves_the_holder_unnamed(directory: Path, text: str) -> None:
    """It may be read in the moment in which it is written."""
    disk = ClaimLocksOnDisk(directory)
    (lock,) = disk.of([BOT], note_of("coder"))
    lock.path.write_text(text)
    with locks.acquire(lock.path):
        assert disk.holders([BOT]) == {BOT.key: ClaimHolder((os.getpid(),))}


def test_a_note_that_cannot_be_written_hinders_no_start(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the lock is worth as much; nobody is named, least of all who had it before."""
    disk = ClaimLocksOnDisk(directory)
    (lock,) = disk.of([BOT], note_of("coder"))
    with claimfiles.taken([lock]):
        assert disk.holders([BOT])[BOT.key].note == note_of("coder")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with claimfiles.taken([replace(lock, note=note_of("work"))]) as taken:
        taken.name(ProcessIdentity("b", 1, 2, "s"))
        assert disk.holders([BOT])[BOT.key].note is None


def test_a_lock_that_is_held_for_a_moment_is_waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever removes a file takes it, and that must not park a bot."""
    (lock,) = ClaimLocksOnDisk(directory).of([BOT], note_of("coder"))
    passing = [locks.acquire(lock.path)]
    monkeypatch.setattr(time, "sleep", lambda _: passing.pop().release())
    with claimfiles.taken([lock]) as taken:
        assert len(taken.fds) == 1


def test_nothing_stays_open(directory: Path) -> None:
    """Neither of what was taken nor of what was refused."""
    held = ClaimLocksOnDisk(directory).of(ALL, note_of("coder"))
    before = sorted(Path("/proc/self/fd").iterdir())
    with claimfiles.taken(held), pytest.raises((TokenInUse, PortInUse)), claimfiles.taken(held[1:]):
        pass
    assert sorted(Path("/proc/self/fd").iterdir()) == before
