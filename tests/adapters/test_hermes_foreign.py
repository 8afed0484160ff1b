"""Gateways of hermes-agent that somebody else started, proven by record, start time and lock."""

import fcntl
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters import heldlocks, procfs
from hermesd.adapters.agents.hermes_foreign import disown, foreign_gateway
from hermesd.domain.errors import DiskFull
from hermesd.domain.process import Foreign
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at, myself
from tests.adapters.unprivileged import reachable_directory, said_by_nobody
from tests.faults.injection import crash_at, fill_disk_at
from tests.processes import ending

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

Holder = subprocess.Popen[bytes]

RECORDS = ["gateway.pid", "gateway.lock", "gateway_state.json"]
LOCKING = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, 2); print(flush=True); input()"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / "coder")


@pytest.fixture
def holder(home: Home) -> Iterator[Holder]:
    """A process that took the gateway's lock, as a gateway that somebody started does."""
    argv = [sys.executable, "-c", LOCKING, str(home.path / "gateway.lock")]
    with ending(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process


def ticks(pid: int) -> int:
    """When a process started."""
    found = procfs.start_ticks(pid)
    assert found is not None
    return found


def record(home: Home, pid: int, name: str = "gateway.pid", **more: int) -> None:
    """Writes a record as hermes-agent does."""
    (home.path / name).write_text(json.dumps({"pid": pid, "kind": "hermes-gateway", **more}))


@pytest.mark.parametrize("name", RECORDS)
def test_a_gateway_of_somebody_elses_is_found(home: Home, holder: Holder, name: str) -> None:
    """By its record, of either form, and its lock; our own is not foreign."""
    for said in (str(holder.pid), json.dumps({"pid": holder.pid, "start_time": ticks(holder.pid)})):
        (home.path / name).write_text(f"{said}\n")
        for own in (None, myself()):
            found = foreign_gateway(home.path, own)
            assert found is not None
            assert (found.pid, found.is_proven) == (holder.pid, True)
        assert foreign_gateway(home.path, procfs.identity(holder.pid, "spawn")) is None


def test_it_is_told_in_detail(home: Home, holder: Holder) -> None:
    """Whose it is, since when, and the line that ends it."""
    record(home, holder.pid)
    found = foreign_gateway(home.path, None)
    assert found is not None
    assert found.resolution == f"kill -TERM {holder.pid}"
    assert found.owner == pwd.getpwuid(os.geteuid()).pw_name
    assert found.started_at_s is not None
    assert abs(found.started_at_s - (home.path / "gateway.pid").stat().st_mtime) < 60


@pytest.mark.parametrize(
    "content", ["", "x", "[]", "-1", "true", '{"pid": "7"}', '{"pid": 4194305}', '{"pid": %d, "start_time": 1}']
)
def test_a_record_alone_proves_nothing(home: Home, holder: Holder, content: str) -> None:
    """Garbage, a dead pid, a pid that was given to somebody else."""
    for name in RECORDS:
        (home.path / name).write_text(content.replace("%d", str(holder.pid)))
    assert foreign_gateway(home.path, None) is None


def test_a_process_without_the_lock_is_no_gateway(home: Home) -> None:
    """Its record may be years old, and its pid another's."""
    record(home, os.getpid(), start_time=ticks(os.getpid()))
    (home.path / "gateway.lock").touch()
    assert foreign_gateway(home.path, None) is None


def test_the_gateway_of_the_original_is_not_that_of_its_copy(tmp_path: Path, home: Home, holder: Holder) -> None:
    """A copied home names the original's gateway in every file, but that one holds the original's lock."""
    copy = home_at(tmp_path / "copy")
    for name in RECORDS:
        record(home, holder.pid, name, start_time=ticks(holder.pid))
        (copy.path / name).write_bytes((home.path / name).read_bytes())
    assert foreign_gateway(copy.path, None) is None
    assert foreign_gateway(home.path, None) is not None


def test_a_copy_forgets_the_gateway_of_the_original(tmp_path: Path, home: Home, holder: Holder) -> None:
    """Or hermes-agent would not start its own; what else its report says stays, and the original's stays whole."""
    copy = home_at(tmp_path / "copy")
    record(home, holder.pid, "gateway_state.json", start_time=ticks(holder.pid), desired_state=1)
    before = (home.path / "gateway_state.json").read_bytes()
    (copy.path / "gateway_state.json").write_bytes(before)
    for place in (home, copy):
        disown(place.path)
    assert (home.path / "gateway_state.json").read_bytes() == before
    assert json.loads((copy.path / "gateway_state.json").read_text()) == {
        "kind": "hermes-gateway",
        "desired_state": 1,
    }
    assert (copy.path / "gateway_state.json").stat().st_mode & 0o777 == 0o600


def test_who_is_gone_needs_no_forgetting(home: Home) -> None:
    """The agent finds out by itself, and a report that it cannot read is its own to mend."""
    for text in (json.dumps({"pid": os.getpid(), "start_time": 1}), json.dumps({"pid": 1 << 23}), "[", "7", "[]"):
        (home.path / "gateway_state.json").write_text(text)
        disown(home.path)
        assert (home.path / "gateway_state.json").read_text() == text


def test_forgetting_that_is_cut_off_leaves_the_old_report_or_the_new(
    tmp_path: Path, home: Home, holder: Holder
) -> None:
    """At any step, and on a full disk."""
    copy = home_at(tmp_path / "copy").path / "gateway_state.json"
    record(home, holder.pid, copy.name, start_time=ticks(holder.pid))
    old = (home.path / copy.name).read_bytes()
    new = json.dumps({"kind": "hermes-gateway"}).encode()
    for is_crash in (True, False):
        copy.write_bytes(old)
        for step in count(1):
            work = partial(disown, copy.parent)
            if not (crash_at(step, work) if is_crash else fill_disk_at(step, work, DiskFull)):
                break
            assert copy.read_bytes() in (old, new)
            copy.write_bytes(old)
        assert step > 3
        assert copy.read_bytes() == new


def test_a_copy_whose_report_is_a_link_does_not_write_into_the_original(
    tmp_path: Path, home: Home, holder: Holder
) -> None:
    """As of a home that was copied as links."""
    copy = home_at(tmp_path / "copy").path / "gateway_state.json"
    record(home, holder.pid, copy.name, start_time=ticks(holder.pid))
    copy.symlink_to(home.path / copy.name)
    before = (home.path / copy.name).read_bytes()
    disown(copy.parent)
    assert (home.path / copy.name).read_bytes() == before
    assert json.loads(copy.read_text()) == {"kind": "hermes-gateway"}


def test_a_renamed_home_keeps_its_gateway(home: Home, holder: Holder) -> None:
    """It is the lock file that counts, wherever it lies by now."""
    record(home, holder.pid, start_time=ticks(holder.pid))
    moved = home.path.rename(home.path.with_name("writer"))
    found = foreign_gateway(moved, None)
    assert found is not None
    assert found.pid == holder.pid


def test_a_gateway_whose_files_were_taken_away_is_still_one(tmp_path: Path, home: Home, holder: Holder) -> None:
    """hermes-agent removes record and lock file if it is asked for the status at the wrong moment."""
    record(home, holder.pid, "gateway_state.json", start_time=ticks(holder.pid))
    (home.path / "gateway.lock").unlink()
    found = foreign_gateway(home.path, None)
    assert found is not None
    assert found.pid == holder.pid
    copy = home_at(tmp_path / "copy")
    (copy.path / "gateway_state.json").write_bytes((home.path / "gateway_state.json").read_bytes())
    (copy.path / "gateway.lock").touch()
    assert foreign_gateway(copy.path, None) is None


def test_an_inherited_lock_counts(home: Home) -> None:
    """The kernel names who took it, which may be gone; whoever has the descriptor holds it."""
    with (home.path / "gateway.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        argv = [sys.executable, "-c", "input()"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=[lock.fileno()])
    with ending(process):
        record(home, process.pid)
        found = foreign_gateway(home.path, None)
        assert found is not None
        assert found.pid == process.pid


def test_looking_never_takes_the_lock(home: Home, holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even for a moment it could make a gateway fail that is just starting."""

    def refuse(*_: object) -> None:
        raise AssertionError("the lock was tried")

    record(home, holder.pid)
    for name in ("flock", "lockf", "fcntl"):
        monkeypatch.setattr(fcntl, name, refuse)
    assert isinstance(foreign_gateway(home.path, None), Foreign)


# --- gateways of other users


LOOKING = """
found = hermes_foreign.foreign_gateway(given, None)
print(found and (found.pid, found.owner, found.is_proven, found.resolution))
"""
FOREIGN_UID = 64_999


@contextmanager
def gateway_of(uid: int, home: Path) -> Iterator[int]:
    """A gateway of this user's, with its record."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    becoming = f"import os; os.setgroups([]); os.setgid({uid}); os.setuid({uid}); "
    argv = [sys.executable, "-c", LOCKING.replace("file =", f"{becoming}file ="), str(home / "gateway.lock")]
    (home / "gateway.lock").touch()
    (home / "gateway.lock").chmod(0o666)
    with ending(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        (home / "gateway.pid").write_text(json.dumps({"pid": process.pid, "start_time": ticks(process.pid)}))
        yield process.pid


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that everybody can look into."""
    with reachable_directory() as directory:
        yield directory


@pytest.mark.parametrize(("uid", "owner"), [(0, "root"), (FOREIGN_UID, str(FOREIGN_UID))])
def test_a_gateway_of_another_user_is_found(open_home: Path, uid: int, owner: str) -> None:
    """Its descriptors are nobody's to look at, so the kernel's table of locks proves it."""
    with gateway_of(uid, open_home) as pid:
        said = said_by_nobody(LOOKING, open_home)
    line = f"sudo -u {owner} kill -TERM {pid}" if uid == 0 else f"sudo -u '#{owner}' kill -TERM {pid}"
    assert said.strip() == repr((pid, owner, True, line))


def test_root_finds_everybodys_gateway(open_home: Path) -> None:
    """And may end it as it is."""
    with gateway_of(FOREIGN_UID, open_home) as pid:
        found = foreign_gateway(open_home, None)
    assert found is not None
    assert (found.pid, found.owner) == (pid, str(FOREIGN_UID))
    assert found.resolution == f"kill -TERM {pid}"


def test_a_stale_record_of_another_users_process_proves_nothing(open_home: Path) -> None:
    """It lives, but holds another lock: it is the gateway of the home that this one is a copy of."""
    with gateway_of(FOREIGN_UID, open_home), reachable_directory() as copy:
        for name in ("gateway.pid", "gateway.lock"):
            (copy / name).write_bytes((open_home / name).read_bytes())
            (copy / name).chmod(0o644)
        assert said_by_nobody(LOOKING, copy).strip() == "None"


def test_where_the_table_may_name_it_otherwise_the_record_counts(open_home: Path) -> None:
    """As on stacked file systems; it is said that no more is known."""
    elsewhere = "from hermesd.adapters import heldlocks\nheldlocks._mount = lambda _: (0, 99, 'overlay')\n"
    blind = "heldlocks._locks = lambda _: []\n"
    with gateway_of(FOREIGN_UID, open_home) as pid:
        assert f"({pid}, '{FOREIGN_UID}', True" in said_by_nobody(elsewhere + LOOKING, open_home)
        assert f"({pid}, '{FOREIGN_UID}', False" in said_by_nobody(elsewhere + blind + LOOKING, open_home)


def test_a_gateway_in_a_container_is_found(open_home: Path) -> None:
    """Its record has the pid that it has in there; the lock tells which process that is here."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("only root can make a pid namespace")
    lock = open_home / "gateway.lock"
    inside = [unshare, "--fork", "--pid", "--kill-child", sys.executable, "-c", LOCKING, str(lock)]
    with ending(subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        (taker,) = heldlocks.takers(lock)
        assert procfs.inner_pid(taker) == 1
        for start_time, expected in ((ticks(taker), taker), (1, None)):
            (open_home / "gateway.pid").write_text(json.dumps({"pid": 1, "start_time": start_time}))
            found = foreign_gateway(open_home, None)
            assert (found and found.pid) == expected


def test_a_gateway_that_proc_hides_is_found_by_its_lock(
    home: Home, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where /proc shows a person nothing but their own processes."""
    record(home, holder.pid, start_time=ticks(holder.pid))
    for name in ("stat", "owner"):
        monkeypatch.setattr(procfs, name, lambda _: None)
    found = foreign_gateway(home.path, None)
    assert found is not None
    assert (found.pid, found.owner, found.started_at_s) == (holder.pid, "", None)
