"""What all makers and readers of archives do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hermesd.adapters.archives import ArchivesOnDisk
from hermesd.domain.archive import ExportOrder, Leak, Secret, Staged
from hermesd.domain.errors import ArchiveCorrupt, ArchiveUnsafe, Cancelled
from hermesd.domain.inventory import ALWAYS_UNPACKED
from hermesd.domain.ports import Archives, Spool
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from tests.fakes.archives import MemoryArchives

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CANARY = "canary-of-a-secret-0123456789"
SECRET = Secret("coder", ".env", "MY_TOKEN", CANARY)
OTHERS = Secret("worker", ".env", "MY_TOKEN", CANARY)
FILES = {
    "SOUL.md": "who I am",
    "memories/MEMORY.md": f"remember {CANARY} well",
    "work/notes.txt": "x" * 5000,
    ".env": f"MY_TOKEN={CANARY}",
    "state.db": "talk",
    "gateway.pid": "4711",
    "logs/agent.log": "lines",
}


@dataclass
class Subject:
    """Archives under test, with a home to pack and a way to look at what was unpacked."""

    archives: Archives
    home: Home
    target: Path
    read: Callable[[Path], dict[str, str]]
    phases: list[str] = field(default_factory=list)
    spools: list[Spool] = field(default_factory=list)

    def stage(self, order: ExportOrder = ExportOrder(), *, is_cancelled: bool = False) -> Staged:  # noqa: B008
        """A copy of the home."""
        return self.archives.stage(
            self.home,
            order,
            [SECRET],
            lambda _: [],
            lambda phase, _, __: self.phases.append(phase),
            lambda: is_cancelled,
        )

    def spooled(self, data: bytes) -> Spool:
        """An archive that has arrived, in pieces."""
        spool = self.archives.spool()
        self.spools.append(spool)
        for start in range(0, len(data), 7):
            spool.write(data[start : start + 7])
        return spool


def read(place: Path) -> dict[str, str]:
    """Texts by path."""
    return {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}


@pytest.fixture(params=["disk", "memory"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """A root with one profile, then the same in memory."""
    made = made_in(tmp_path, request.param)
    yield made
    for spool in made.spools:
        spool.close()


def made_in(tmp_path: Path, kind: str) -> Subject:
    """Of this kind."""
    path = tmp_path / "profiles" / "coder"
    home = Home(ProfileName("coder"), path, HomeIdentity(1, 2, 3))
    target = tmp_path / "target"
    if kind == "memory":
        memory = MemoryArchives({"coder": dict(FILES)})
        return Subject(memory, home, target, lambda place: memory.unpacked[place])
    for name, text in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    (tmp_path / "profiles" / ".hermesd").mkdir(mode=0o700)
    target.mkdir(mode=0o700)
    return Subject(ArchivesOnDisk(tmp_path), home, target, read)


def test_what_is_packed_is_unpacked(subject: Subject) -> None:
    """Everything that travels, and nothing else; the copy is gone afterwards."""
    staged = subject.stage()
    data = b"".join(subject.archives.pack(staged))
    subject.archives.drop(staged)
    spool = subject.spooled(data)
    what = spool.judge(ALWAYS_UNPACKED)
    assert what.root == "coder"
    assert spool.unpack(what, ALWAYS_UNPACKED, subject.target, lambda: False) == []
    travelling = ("SOUL.md", "memories/MEMORY.md", "work/notes.txt")
    assert subject.read(subject.target) == {name: FILES[name] for name in travelling}
    assert subject.phases[0] == "copy"


def test_what_stays_behind_is_told_with_the_reason(subject: Subject) -> None:
    """Each entry once; conversations only where they are not asked for."""
    staying = {one.path.partition("/")[0]: one.why for one in subject.stage().contents.staying}
    assert staying == {
        ".env": "secrets",
        "gateway.pid": "belongs to processes",
        "logs": "logs",
        "state.db": "conversations",
    }
    with_sessions = subject.stage(ExportOrder(has_sessions=True)).contents
    assert "state.db" in [one.path for one in with_sessions.entries]


def test_a_secret_is_found_and_only_written_over_where_that_is_asked_for(subject: Subject) -> None:
    """With its place and name, and never its value."""
    leak = Leak("memories/MEMORY.md", ".env: MY_TOKEN", "as it is")
    staged = subject.stage()
    assert staged.contents.leaks == [leak]
    assert CANARY not in repr(staged)
    redacted = subject.stage(ExportOrder(is_redacting=True))
    assert redacted.contents.leaks == [leak]
    spool = subject.spooled(b"".join(subject.archives.pack(redacted)))
    spool.unpack(spool.judge(ALWAYS_UNPACKED), ALWAYS_UNPACKED, subject.target, lambda: False)
    text = subject.read(subject.target)["memories/MEMORY.md"]
    assert CANARY not in text
    assert len(text) == len(FILES["memories/MEMORY.md"])


def test_the_secret_of_another_profile_is_named_as_that(subject: Subject) -> None:
    """For people paste what is not the profile's own."""
    staged = subject.archives.stage(
        subject.home, ExportOrder(), [OTHERS], lambda _: [], lambda *_: None, lambda: False
    )
    assert [one.secret for one in staged.contents.leaks] == [".env: MY_TOKEN of worker"]


def test_what_the_settings_tell_is_a_leak_too(subject: Subject) -> None:
    """However short it is."""
    staged = subject.archives.stage(
        subject.home, ExportOrder(), [], lambda _: ["model.api_key"], lambda *_: None, lambda: False
    )
    assert staged.contents.leaks == [Leak("config.yaml", "config.yaml: model.api_key", "as it is")]


def test_what_is_cancelled_leaves_nothing(subject: Subject) -> None:
    """Neither a copy nor a home."""
    with pytest.raises(Cancelled):
        subject.stage(is_cancelled=True)
    staged = subject.stage()
    spool = subject.spooled(b"".join(subject.archives.pack(staged)))
    with pytest.raises(Cancelled):
        spool.unpack(spool.judge(ALWAYS_UNPACKED), ALWAYS_UNPACKED, subject.target, lambda: True)


def test_what_is_no_archive_is_refused(subject: Subject) -> None:
    """And what becomes more than it may."""
    with pytest.raises(ArchiveCorrupt):
        subject.spooled(b"no archive").judge(ALWAYS_UNPACKED)
    with pytest.raises(ArchiveCorrupt):
        subject.spooled(b"").judge(ALWAYS_UNPACKED)
    spool = subject.spooled(b"".join(subject.archives.pack(subject.stage())))
    with pytest.raises(ArchiveUnsafe, match="more than 100 bytes"):
        spool.judge(100)


def test_an_archive_is_known_by_its_digest(subject: Subject) -> None:
    """That of its bytes, however they arrive."""
    first, second = subject.spooled(b"the same"), subject.spooled(b"the same")
    assert first.digest == second.digest != subject.spooled(b"another").digest
    assert first.size_bytes == 8


def test_a_place_to_try_things_is_gone_afterwards(subject: Subject) -> None:
    """Also when what was tried failed."""
    with pytest.raises(ArchiveCorrupt), subject.archives.scratch("bot") as place:
        raise ArchiveCorrupt("it is damaged")
    assert not place.exists()
