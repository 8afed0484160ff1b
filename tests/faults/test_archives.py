"""Exports and imports that are cut off, or meet a full disk, at any step."""

import io
import json
import tarfile
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.archives import ArchivesOnDisk
from hermesd.adapters.homeinspector import HomeInspectorOnDisk
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain.archive import ExportOrder
from hermesd.domain.errors import DiskFull
from hermesd.domain.inventory import ALWAYS_UNPACKED
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from tests.adapters.hostile import member, packed, top
from tests.faults.injection import crash_at, fill_disk_at, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER, BOT = ProfileName("coder"), ProfileName("bot")
CANARY = "canary-of-a-secret-0123456789"
CONFIG = "# mine\nhooks: {x: [{command: rm}]}\nmcp_servers: {a: {command: b}}\n"
ARCHIVE = packed(
    top(),
    member("bot/config.yaml", CONFIG.encode()),
    member("bot/SOUL.md", b"who I am"),
    member("bot/hooks/evil/handler.py", b"x"),
    member("bot/cron/jobs.json", json.dumps({"jobs": [{"id": "1"}]}).encode()),
    member("bot/notes/big.txt", b"text " * 5000),
    member("bot/notes/link", type=tarfile.SYMTYPE, linkname="big.txt"),
)


def root_with_profile(place: Path) -> Path:
    """A root with `coder`, in which a secret stands where it should not."""
    home = place / "profiles" / "coder"
    files = {
        "SOUL.md": "me",
        ".env": f"MY_TOKEN={CANARY}\n",
        "notes/a.md": f"see {CANARY}",
        "config.yaml": "a: 1\n",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return place


def staged(root: Path) -> list[str]:
    """What lies in staging."""
    return sorted(path.name for path in (root / "profiles/.hermesd/new").glob("*"))


def export(root: Path) -> bytes:
    """As the service does it."""
    archives, agent = ArchivesOnDisk(root), HermesAgent(copy_workers=1)
    home = HomesOnDisk(root).find(CODER)
    assert home is not None
    made = archives.stage(
        home,
        ExportOrder(is_redacting=True),
        agent.secrets(home),
        lambda copy: agent.hide_settings(copy, is_written=True),
        lambda *_: None,
        lambda: False,
    )
    data = b"".join(archives.pack(made))
    archives.drop(made)
    return data


def take_in(root: Path) -> None:
    """As the service does it."""
    archives, agent = ArchivesOnDisk(root), HermesAgent()
    spool = archives.spool()
    try:
        spool.write(ARCHIVE)

        def fill(place: Path) -> None:
            made = Home(BOT, place, HomeIdentity(0, 0, 0))
            spool.unpack(spool.judge(ALWAYS_UNPACKED), ALWAYS_UNPACKED, place, lambda: False)
            agent.disarm(made)
            HomeInspectorOnDisk().make_missing(made)

        HomesOnDisk(root).create(BOT, {}, (), fill=fill)
    finally:
        spool.close()


def check_profile(root: Path) -> None:
    """Wholly there with nothing that would run by itself, or not at all."""
    home = root / "profiles" / "bot"
    if not home.exists():
        return
    assert (home / "notes/link").read_text() == "text " * 5000
    assert (home / "config.yaml").read_text() == "# mine\nmcp_servers: {a: {command: b, enabled: false}}\n"
    assert not (home / "hooks").exists()
    assert json.loads((home / "cron/jobs.json").read_text())["jobs"][0]["enabled"] is False
    assert (home / ".env").exists()


def test_an_export_cut_off_at_any_step_leaves_nothing(tmp_path: Path, unflushed: None) -> None:
    """After recovery there is no copy, and the profile is what it was."""
    for step in count(1):
        root = root_with_profile(tmp_path / str(step))
        before = snapshot(root / "profiles/coder")
        has_crashed = crash_at(step, partial(export, root))
        assert snapshot(root / "profiles/coder") == before
        HomesOnDisk(root).recover()
        assert staged(root) == []
        if not has_crashed:
            break
    assert step > 10


def test_an_export_onto_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, unflushed: None) -> None:
    """At any step; what is left is removed at once."""
    for step in count(1):
        root = root_with_profile(tmp_path / str(step))
        is_full = fill_disk_at(step, partial(export, root), DiskFull)
        assert staged(root) == []
        if not is_full:
            break
    assert step > 5


def test_an_import_cut_off_at_any_step_is_whole_or_not_there(tmp_path: Path, unflushed: None) -> None:
    """Never with a hook that would run; and the same again is fine, or refused for being there."""
    outcomes = set()
    for step in count(1):
        root = tmp_path / str(step)
        root.mkdir()
        has_crashed = crash_at(step, partial(take_in, root))
        check_profile(root)
        HomesOnDisk(root).recover()
        assert staged(root) == []
        is_there = (root / "profiles/bot").exists()
        outcomes.add(is_there)
        if not is_there:
            take_in(root)
            check_profile(root)
        if not has_crashed:
            break
    assert step > 20
    assert outcomes == {True, False}


def test_an_import_onto_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, unflushed: None) -> None:
    """At any step until it is published."""
    for step in count(1):
        root = tmp_path / str(step)
        root.mkdir()
        is_full = fill_disk_at(step, partial(take_in, root), DiskFull)
        check_profile(root)
        assert staged(root) == []
        if not is_full:
            break
    assert step > 15


def test_what_was_exported_holds_no_secret(tmp_path: Path) -> None:
    """The archive that the tests above cut off is a good one."""
    data = export(root_with_profile(tmp_path))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {one.name: archive.extractfile(one) for one in archive if one.isreg()}
        texts = {name: file.read() for name, file in members.items() if file is not None}
    assert set(texts) == {"coder/SOUL.md", "coder/config.yaml", "coder/notes/a.md"}
    assert CANARY.encode() not in b"".join(texts.values())
