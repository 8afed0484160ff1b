"""Archives on disk: what is refused, what becomes of links, databases and modes, and where secrets are found."""

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import sqlite3
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermesd.adapters.archives import ArchivesOnDisk, SpoolFile
from hermesd.adapters.needles import Needles
from hermesd.domain.archive import ExportOrder, Leak, Secret, Staged
from hermesd.domain.errors import ArchiveCorrupt, ArchiveUnsafe, HermesError
from hermesd.domain.inventory import most_unpacked
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at
from tests.adapters.hostile import HOSTILE, ROOT, Hostile, good, member, packed, top
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CANARY = "canary-of-a/secret+0123456789"
SECRET = Secret("bot", ".env", "MY_TOKEN", CANARY)
REDACTING = ExportOrder(has_sessions=True, is_redacting=True)


@pytest.fixture
def archives(tmp_path: Path) -> ArchivesOnDisk:
    """Below a root without profiles."""
    (tmp_path / "profiles" / ".hermesd").mkdir(parents=True, mode=0o700)
    return ArchivesOnDisk(tmp_path)


@pytest.fixture
def spool(archives: ArchivesOnDisk) -> Iterator[SpoolFile]:
    """An archive that has yet to arrive."""
    made = archives.spool()
    yield made
    made.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where something is unpacked."""
    made = tmp_path / "target"
    made.mkdir(mode=0o700)
    return made


def unpacked(spool: SpoolFile, data: bytes, target: Path) -> list[str]:
    """All of an archive; returns what is told."""
    spool.write(data)
    most_bytes = most_unpacked(len(data))
    return spool.unpack(spool.judge(most_bytes), most_bytes, target, lambda: False)


def staged(archives: ArchivesOnDisk, home: Home, order: ExportOrder = REDACTING) -> Staged:
    """A copy of a home, searched for the canary."""
    return archives.stage(home, order, [SECRET], lambda _: [], lambda *_: None, lambda: False)


def home_with(place: Path, **files: str) -> Home:
    """A home with these files."""
    return home_at(place / "profiles" / "bot", "bot", **files)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.name)
def test_what_must_not_be_unpacked_is_refused_before_anything_is_written(
    spool: SpoolFile, tmp_path: Path, hostile: Hostile
) -> None:
    """With its reason, and without a trace."""
    before = snapshot(tmp_path)
    data = hostile.data()
    spool.write(data)
    with pytest.raises(HermesError) as refusal:
        spool.judge(most_unpacked(len(data)))
    assert refusal.value.reason in {"ARCHIVE_UNSAFE", "ARCHIVE_CORRUPT"}
    assert hostile.why in refusal.value.message
    assert refusal.value.message.isprintable()
    assert snapshot(tmp_path) == before


def test_there_are_enough_of_them() -> None:
    """Each is another way to do harm."""
    assert len({one.name for one in HOSTILE}) == len(HOSTILE) >= 40


def test_a_person_may_say_how_much_it_becomes(spool: SpoolFile) -> None:
    """Whoever packed ten gigabytes of zeros knows it."""
    data = packed(top(), member(f"{ROOT}/big", b"\0" * (32 << 20)))
    spool.write(data)
    with pytest.raises(ArchiveUnsafe) as refusal:
        spool.judge(most_unpacked(len(data)))
    assert "--max-size" in refusal.value.metadata["hint"]
    assert len(spool.judge(most_unpacked(len(data), 64 << 20)).contents) == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_harmless(data: st.DataObject) -> None:
    """Whatever single byte of it is another one, packed or unpacked."""
    raw = bytearray(gzip.decompress(good()) if data.draw(st.booleans()) else good())
    is_packed = raw[:2] == b"\x1f\x8b"
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    written = bytes(raw) if is_packed else gzip.compress(bytes(raw))
    with closing(SpoolFile(Path(tempfile.gettempdir()))) as spool:
        spool.write(written)
        with suppress(ArchiveUnsafe, ArchiveCorrupt):
            for one in spool.judge(1 << 24).contents:
                assert not {"", ".", ".."}.intersection(one.names)


def test_links_within_an_archive_are_made(spool: SpoolFile, target: Path) -> None:
    """hermes-agent packs them, and does not take them back. A second name of a file becomes a file."""
    link = {"type": tarfile.SYMTYPE}
    unpacked(
        spool,
        packed(
            top(),
            member(f"{ROOT}/sub/file", b"text"),
            member(f"{ROOT}/near", linkname="sub/file", **link),
            member(f"{ROOT}/sub/up", linkname="../sub", **link),
            member(f"{ROOT}/second", type=tarfile.LNKTYPE, linkname=f"{ROOT}/sub/file"),
        ),
        target,
    )
    assert (target / "near").readlink() == Path("sub/file")
    assert (target / "sub/up").resolve() == target / "sub"
    assert (target / "second").read_text() == "text"
    assert (target / "second").stat().st_nlink == 1


def test_everything_is_private_and_of_no_later_than_now(spool: SpoolFile, target: Path) -> None:
    """Programs stay programs. Who may read a file is not the stranger's to say."""
    unpacked(
        spool,
        packed(
            top(),
            member(f"{ROOT}/open", b"x", mode=0o666, mtime=1_600_000_000),
            member(f"{ROOT}/run.sh", b"x", mode=0o777, mtime=9_999_999_999),
            member(f"{ROOT}/dir", type=tarfile.DIRTYPE, mode=0o777),
        ),
        target,
    )
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()}
    assert modes == {"open": 0o600, "run.sh": 0o700, "dir": 0o700}
    assert (target / "open").stat().st_mtime == 1_600_000_000
    assert (target / "run.sh").stat().st_mtime < 9_999_999_999


def test_what_no_profile_takes_over_is_left_out(spool: SpoolFile) -> None:
    """Keys, logins, who may talk to the bot, and everything of processes."""
    refused = (
        ".env auth.json pairing/a.json gateway.pid gateway_state.json processes.json logs/a.log web_cache/x"
    ).split()
    names = [*refused, "shell-hooks-allowlist.json", "config.yaml", "cron/jobs.json"]
    data = packed(top(), *(member(f"{ROOT}/{name}", b"x") for name in names))
    spool.write(data)
    what = spool.judge(most_unpacked(len(data)))
    taken = {"/".join(one.names) for one in what.contents}
    assert taken == {"config.yaml", "cron", "cron/jobs.json"}
    assert {one.path for one in what.left_out} >= {*refused, "shell-hooks-allowlist.json"}


def test_a_database_comes_with_what_its_log_holds(spool: SpoolFile, target: Path, tmp_path: Path) -> None:
    """hermes-agent packs both while somebody writes; what was committed is there, in one file."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE sessions (id TEXT)")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("INSERT INTO sessions VALUES ('late')")
        database.commit()
        parts = [member(f"{ROOT}/{one.name}", one.read_bytes()) for one in sorted(tmp_path.glob("state.db*"))]
    assert len(parts) == 3
    assert unpacked(spool, packed(top(), *parts), target) == []
    assert [one.name for one in target.iterdir()] == ["state.db"]
    with closing(sqlite3.connect(target / "state.db")) as database:
        assert database.execute("SELECT id FROM sessions").fetchall() == [("late",)]


def test_links_are_packed_as_what_they_lead_to(archives: ArchivesOnDisk, spool: SpoolFile, tmp_path: Path) -> None:
    """So that hermes-agent takes the archive; what leads out or in a circle stays behind and is told."""
    home = home_with(tmp_path, SOUL__md="me")
    (home.path / "skills" / "a").mkdir(parents=True)
    (home.path / "skills" / "a" / "SKILL.md").write_text("skill")
    (home.path / "skills" / "alias").symlink_to("a")
    (home.path / "soul").symlink_to("SOUL.md")
    (home.path / "skills" / "a" / "up").symlink_to("..")
    (home.path / "out").symlink_to("/etc/passwd")
    copy = staged(archives, home)
    data = b"".join(archives.pack(copy))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert all(one.isfile() or one.isdir() for one in archive)
        assert {"bot/soul", "bot/skills/alias/SKILL.md"} <= set(archive.getnames())
    told = [*copy.contents.warnings, *(one.path for one in copy.contents.staying)]
    assert any(line.startswith("out -> /etc/passwd") for line in told)
    assert "skills/a/up" in told


def test_what_cannot_be_imported_is_not_packed(archives: ArchivesOnDisk, spool: SpoolFile, tmp_path: Path) -> None:
    """Whatever we pack, we take: names that no archive of ours may hold stay behind and are told."""
    home = home_with(tmp_path, SOUL__md="me")
    for name in ("README", "readme", "a\nb", "c\\d", "x" * 200 + "/" + "y" * 200 + "/" + "z" * 200 + "/f"):
        (home.path / name).parent.mkdir(parents=True, exist_ok=True)
        (home.path / name).write_text(name[:5])
    copy = staged(archives, home)
    data = b"".join(archives.pack(copy))
    spool.write(data)
    what = spool.judge(most_unpacked(len(data)))
    assert {one.names[0][:6] for one in what.contents} == {"README", "SOUL.m", "xxxxxx"}
    reasons = {one.path[:6]: one.why for one in copy.contents.staying}
    assert "same file as README" in reasons["readme"]
    assert "control character" in reasons["a\\x0ab"]
    assert "backslash" in reasons["c\\d"]


WRITTEN: dict[str, Callable[[], bytes]] = {
    "as it is": lambda: f"see {CANARY} here".encode(),
    "in base64": lambda: base64.b64encode(f"user:{CANARY}!".encode()),
    "in base64 of addresses": lambda: base64.urlsafe_b64encode(f"ab{CANARY}".encode()),
    "in an address": lambda: f"https://x/?token={quote(CANARY, safe='')}&a=1".encode(),
    "in an address, in small letters": lambda: (
        quote(CANARY, safe="").replace("%2B", "%2b").replace("%2F", "%2f").encode()
    ),
    "in JSON": lambda: json.dumps({"a": [CANARY]}).encode(),
    "across a MiB": lambda: b"x" * ((1 << 20) - 10) + CANARY.encode(),
    "at the very end": lambda: b"\0" * 77 + CANARY.encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_secret_is_found_however_it_is_written(archives: ArchivesOnDisk, tmp_path: Path, how: str) -> None:
    """And taken out of there without moving what is behind it."""
    home = home_with(tmp_path)
    data = WRITTEN[how]()
    (home.path / "notes.bin").write_bytes(data)
    copy = staged(archives, home)
    assert [(one.path, one.secret) for one in copy.contents.leaks] == [("notes.bin", ".env: MY_TOKEN")]
    after = (copy.path / "notes.bin").read_bytes()
    assert len(after) == len(data)
    assert not Needles([SECRET]).find(after)
    assert (home.path / "notes.bin").read_bytes() == data
    assert CANARY not in repr(copy)


def zipped(data: bytes) -> bytes:
    """In a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", data)
    return stream.getvalue()


NESTED: dict[str, Callable[[bytes], bytes]] = {
    "notes.gz": gzip.compress,
    "notes.bz2": bz2.compress,
    "notes.xz": lzma.compress,
    "notes.zip": zipped,
    "notes.tar.gz": lambda data: packed(member("a", data)),
    "notes.zip.gz": lambda data: gzip.compress(zipped(data)),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_secret_is_found_in_what_is_packed(archives: ArchivesOnDisk, tmp_path: Path, name: str) -> None:
    """It cannot be written over there, so that the file stays behind, and that is said."""
    home = home_with(tmp_path)
    (home.path / name).write_bytes(NESTED[name](f"see {CANARY} here".encode() * 3))
    kept = staged(archives, home, ExportOrder())
    assert kept.contents.leaks == [Leak(name, ".env: MY_TOKEN", "as it is")]
    copy = staged(archives, home)
    assert copy.contents.leaks == kept.contents.leaks
    assert not (copy.path / name).exists()
    assert [one.why for one in copy.contents.staying if one.path == name] == [
        "it holds .env: MY_TOKEN, which could not be written over"
    ]


def test_what_cannot_be_searched_is_told(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """Kinds that cannot be opened, damaged ones, and what lies too deep."""
    deep = b"text"
    for _ in range(4):
        deep = gzip.compress(deep)
    home = home_with(tmp_path)
    for name, data in {"a.zst": b"\x28\xb5\x2f\xfd123", "b.gz": gzip.compress(b"x" * 999)[:-9], "c": deep}.items():
        (home.path / name).write_bytes(data)
    warnings = "\n".join(staged(archives, home, ExportOrder()).contents.warnings)
    assert "a.zst: it is zstd, which cannot be searched" in warnings
    assert "b.gz: it looks like an archive and cannot be unpacked" in warnings
    assert "c: it is an archive within 3 others" in warnings


def test_a_secret_before_what_cannot_be_searched_is_found(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """The rest is told as well."""
    home = home_with(tmp_path)
    data = packed(member("a", CANARY.encode()), member("b.zst", b"\x28\xb5\x2f\xfd123"))
    (home.path / "both.tar.gz").write_bytes(data)
    contents = staged(archives, home, ExportOrder()).contents
    assert [one.path for one in contents.leaks] == ["both.tar.gz"]
    assert "both.tar.gz: it is zstd" in contents.warnings[0]


def test_a_secret_in_a_database_is_found_and_taken_out(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """Also where the row lies in pieces, in a full-text index, and in what was deleted."""
    home = home_with(tmp_path)
    with closing(sqlite3.connect(home.path / "state.db")) as database:
        database.executescript(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, content TEXT, note BLOB);"
            "CREATE INDEX by_content ON messages (content);"
            "CREATE VIRTUAL TABLE found USING fts5 (content, content=messages, content_rowid=id);"
            "CREATE TRIGGER added AFTER INSERT ON messages BEGIN"
            " INSERT INTO found (rowid, content) VALUES (new.id, new.content); END;"
        )
        for place in (0, 3000, 4070, 4080, 8150):
            database.execute("INSERT INTO messages (content) VALUES (?)", ("y" * place + CANARY + "z" * 5000,))
        database.execute("INSERT INTO messages (note) VALUES (?)", (CANARY.encode(),))
        database.execute("INSERT INTO messages (content) VALUES (?)", (f"gone {CANARY}",))
        database.execute("DELETE FROM messages WHERE content LIKE 'gone%'")
        database.commit()
    assert staged(archives, home, ExportOrder(has_sessions=True)).contents.leaks == [
        Leak("state.db", ".env: MY_TOKEN", "as it is")
    ]
    copy = staged(archives, home)
    assert [one.path for one in copy.contents.entries] == ["state.db"]
    with closing(sqlite3.connect(copy.path / "state.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        texts = [row[0] for row in database.execute("SELECT content FROM messages WHERE content NOT NULL")]
        assert len(texts) == 5
        assert all("REDACTED" in text and CANARY not in text for text in texts)
        assert database.execute("SELECT count(*) FROM found WHERE found MATCH 'canary'").fetchone() == (0,)
    assert CANARY.encode() not in (copy.path / "state.db").read_bytes()


def test_a_word_that_is_short_is_not_searched_for(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """It could stand anywhere."""
    home = home_with(tmp_path, notes__md="password: hunter2")
    copy = archives.stage(
        home,
        ExportOrder(),
        [Secret("bot", ".env", "PASS", "hunter2")],
        lambda _: [],
        lambda *_: None,
        lambda: False,
    )
    assert copy.contents.leaks == []


def test_each_line_of_a_key_is_a_secret(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """Keys of several lines are indented, or joined, where they are pasted."""
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    home = home_with(tmp_path, notes__md=f"  {lines[1]}\n", other__md="-----BEGIN PRIVATE KEY-----")
    secret = Secret("bot", "auth.json", "private_key", key)
    copy = archives.stage(home, ExportOrder(), [secret], lambda _: [], lambda *_: None, lambda: False)
    assert [one.path for one in copy.contents.leaks] == ["notes.md"]


def test_whatever_stands_around_a_secret_it_is_found_in_base64() -> None:
    """At each of the three places that a byte can have in four characters."""
    needles = Needles([SECRET])
    for before in range(12):
        for behind in range(4):
            written = base64.b64encode(os.urandom(before) + CANARY.encode() + os.urandom(behind))
            assert needles.find(written), (before, behind)


def test_many_entries_are_packed_without_being_held(archives: ArchivesOnDisk, tmp_path: Path) -> None:
    """Pieces are of about a MiB, however much there is."""
    home = home_with(tmp_path)
    (home.path / "big").write_bytes(os.urandom(5 << 20))
    pieces = [len(one) for one in archives.pack(staged(archives, home))]
    assert max(pieces) <= 1 << 20
    assert sum(pieces) > 5 << 20
