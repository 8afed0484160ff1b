"""Homes on disk: modes, links, litter and races, beyond what every tree of homes does."""

import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hermesd.adapters import syscalls
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.ids import new_id
from hermesd.adapters.syscalls import identify, rename_exclusive
from hermesd.domain import layout
from hermesd.domain.errors import Incompatible, NotFound, ProfileExists
from hermesd.domain.profile import DEFAULT, Home, ProfileName
from hermesd.domain.trash import TrashNote
from tests.adapters.unprivileged import failure_as_nobody, reachable_directory, said_by_nobody
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")
FILES = layout.fresh_files(description="writes code", with_skills=False)
RACES = 30
PURGE_READ_ONLY = """
tree = homes.HomesOnDisk(given / "root")
home = tree.create(homes.ProfileName("coder"), {"a/b/c": ""}, ["x/y"])
(home.path / "a" / "b").chmod(0o500)
(home.path / "a").chmod(0o500)
(home.path / "x").chmod(0)
tree.purge(home)
print(list((given / "root" / "profiles" / ".hermesd" / "trash").iterdir()))
"""


def trash(homes: HomesOnDisk, home: Home) -> Path:
    """A home goes to the trash; each time it is another deletion."""
    return homes.move_to_trash(home, TrashNote(new_id(), home.name, 1.0))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that does not exist yet."""
    return tmp_path / "root"


@pytest.fixture
def homes(root: Path) -> HomesOnDisk:
    """Its homes."""
    return HomesOnDisk(root)


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Umasks from the most open to one that takes everything away."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def create(homes: HomesOnDisk, name: ProfileName = CODER) -> Home:
    """A fresh home."""
    return homes.create(name, FILES, layout.DIRECTORIES)


def names(homes: HomesOnDisk) -> list[str]:
    """Names of all homes."""
    return [str(home.name) for home in homes.scan()]


def test_without_a_root_there_is_no_profile(homes: HomesOnDisk, root: Path) -> None:
    """Looking makes nothing."""
    assert homes.scan() == []
    homes.recover()
    assert homes.sticky_default() == ProfileName(DEFAULT)
    homes.write_sticky_default(ProfileName(DEFAULT))
    assert not root.exists()


@pytest.mark.usefixtures("umask")
def test_everything_made_is_private(homes: HomesOnDisk, root: Path) -> None:
    """Directories 0700 and files 0600, from the root down, whatever the umask."""
    create(homes)
    modes = {what[0] for what in snapshot(root).values()}
    assert modes == {"drwx------", "-rw-------"}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_fresh_home_has_what_hermes_agent_expects(homes: HomesOnDisk, root: Path) -> None:
    """Exactly the files and directories asked for, and nothing left in staging."""
    home = create(homes)
    assert {str(path.relative_to(home.path)) for path in home.path.rglob("*")} == {*FILES, *layout.DIRECTORIES}
    assert list((root / "profiles" / layout.STAGING / "new").iterdir()) == []


def test_nested_names_are_made_with_their_directories(homes: HomesOnDisk) -> None:
    """A file below a directory needs no mention of that directory."""
    home = homes.create(CODER, {"a/b/c.txt": "deep"}, ["a/x/y"])
    assert (home.path / "a" / "b" / "c.txt").read_text() == "deep"
    assert (home.path / "a" / "x" / "y").is_dir()


@pytest.mark.parametrize("name", ["Upper", ".hidden", "a b", "x" * 65, "default", "ünicode", ".hermesd"])
def test_directory_without_a_legal_name_is_no_home(homes: HomesOnDisk, root: Path, name: str) -> None:
    """hermes-agent ignores the same ones."""
    (root / "profiles" / name).mkdir(parents=True)
    assert names(homes) == ["default"]


@pytest.mark.parametrize("kind", ["file", "dangling link", "link to itself", "link to a file"])
def test_entry_that_is_no_directory_is_no_home(homes: HomesOnDisk, root: Path, kind: str) -> None:
    """And it is not replaced by one either."""
    path = root / "profiles" / "coder"
    path.parent.mkdir(parents=True)
    if kind == "file":
        path.touch()
    else:
        (root / "file").touch()
        path.symlink_to({"dangling link": "nowhere", "link to itself": "coder"}.get(kind, "../file"))
    assert names(homes) == ["default"]
    assert homes.find(CODER) is None
    with pytest.raises(ProfileExists):
        create(homes)


def test_link_to_a_directory_is_a_home(homes: HomesOnDisk, root: Path, tmp_path: Path) -> None:
    """A profile kept on another disk counts; deleting it takes the link and leaves what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "SOUL.md").write_text("kept")
    (root / "profiles").mkdir(parents=True)
    for method in ("move_to_trash", "purge"):
        (root / "profiles" / "coder").symlink_to(elsewhere)
        home = homes.find(CODER)
        assert home is not None
        homes.purge(home) if method == "purge" else trash(homes, home)
        assert homes.find(CODER) is None
        assert (elsewhere / "SOUL.md").read_text() == "kept"


def test_two_links_to_one_directory_are_two_homes(homes: HomesOnDisk, root: Path) -> None:
    """No two homes of a tree share an identity, which names their record."""
    (root / "profiles" / "real").mkdir(parents=True)
    for name in ("one", "two"):
        (root / "profiles" / name).symlink_to("real")
    assert len({home.identity for home in homes.scan()}) == 4


def test_identity_survives_a_rename_and_not_a_copy(homes: HomesOnDisk, root: Path) -> None:
    """Device, inode and birth time go with the directory."""
    first = create(homes)
    other = create(homes, ProfileName("other"))
    (root / "profiles" / "coder").rename(root / "profiles" / "renamed")
    renamed = homes.find(ProfileName("renamed"))
    assert renamed is not None
    assert renamed.identity == first.identity != other.identity


@pytest.mark.parametrize("kind", ["directory", "link", "file", "device"])
def test_an_entry_is_identified_as_the_kernel_has_it(tmp_path: Path, kind: str) -> None:
    """Links are not followed; the birth time, 0 where none is kept, is at most that of the last change."""
    path = Path("/dev/null") if kind == "device" else tmp_path / kind
    make = {"directory": path.mkdir, "link": lambda: path.symlink_to("nowhere"), "file": path.touch}
    make.get(kind, lambda: None)()
    found, expected = identify(path), path.lstat()
    assert (found.mode, found.device, found.inode) == (expected.st_mode, expected.st_dev, expected.st_ino)
    assert found.birth_ns == 0 or found.birth_ns <= expected.st_ctime_ns


def test_without_birth_times_an_entry_is_still_identified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older C library cannot be asked for one."""
    with_birth = identify(tmp_path)
    monkeypatch.setattr(syscalls, "_libc", object())
    assert identify(tmp_path) == with_birth._replace(birth_ns=0)


def test_what_is_not_there_cannot_be_identified(tmp_path: Path) -> None:
    """The failure names it."""
    with pytest.raises(FileNotFoundError) as caught:
        identify(tmp_path / "gone")
    assert caught.value.filename == str(tmp_path / "gone")


def test_of_two_who_create_one_wins(homes: HomesOnDisk, root: Path) -> None:
    """At the same time, again and again: one home, one `ProfileExists`, no mixture."""

    def contend(name: ProfileName, text: str, start: threading.Barrier) -> str | None:
        start.wait()
        try:
            HomesOnDisk(root).create(name, {"who": text, "who2": text}, [])
        except ProfileExists:
            return None
        return text

    with ThreadPoolExecutor(2) as pool:
        for race in range(RACES):
            name, start = ProfileName(f"race{race}"), threading.Barrier(2)
            futures = [pool.submit(contend, name, text, start) for text in ("a", "b")]
            (winner,) = [text for text in (future.result() for future in futures) if text]
            home = root / "profiles" / name.text
            assert {file.read_text() for file in home.iterdir()} == {winner}
    assert len(homes.scan()) == RACES + 1
    assert list((root / "profiles" / layout.STAGING / "new").iterdir()) == []


def test_empty_directory_is_not_replaced(homes: HomesOnDisk, root: Path, tmp_path: Path) -> None:
    """A plain rename would replace it; ours refuses, also when it appears at the last moment."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    with pytest.raises(FileExistsError):
        rename_exclusive(source, target)
    (root / "profiles" / "coder").mkdir(parents=True)
    with pytest.raises(ProfileExists):
        create(homes)
    assert list((root / "profiles" / "coder").iterdir()) == []


def test_file_system_that_cannot_rename_safely_is_refused(tmp_path: Path) -> None:
    """A directory cannot go below itself: the kernel's answer is that of one that does not know the flag."""
    (tmp_path / "a").mkdir()
    with pytest.raises(Incompatible):
        rename_exclusive(tmp_path / "a", tmp_path / "a" / "b")


def test_home_is_flushed_before_it_is_published(
    homes: HomesOnDisk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename finds every file and directory; the rename itself is flushed last."""
    flushed: list[int] = []
    unflushed: list[Path] = []
    flush = os.fsync

    def recorded(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        flush(descriptor)

    def publish(source: Path, target: Path) -> None:
        built = [source, *source.rglob("*")]
        unflushed.extend(path for path in built if path.stat().st_ino not in flushed)
        rename_exclusive(source, target)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr("hermesd.adapters.homes.rename_exclusive", publish)
    create(homes)
    assert unflushed == []
    assert flushed[-1] == (root / "profiles").stat().st_ino


def test_trash_keeps_everything(homes: HomesOnDisk) -> None:
    """Content, modes and times lie in the trash as they lay in the tree."""
    home = create(homes)
    (home.path / "notes").write_text("dear")
    before = snapshot(home.path)
    trashed = trash(homes, home)
    assert snapshot(trashed) == before
    homes.recover()
    assert snapshot(trashed) == before


def test_same_name_can_be_trashed_again(homes: HomesOnDisk) -> None:
    """Every deletion has its own place in the trash."""
    places = {trash(homes, create(homes)) for _ in range(3)}
    assert len(places) == 3
    assert all(place.is_dir() for place in places)


def test_profile_named_like_our_mark_is_kept_in_the_trash(homes: HomesOnDisk) -> None:
    """No name that a profile can have means that it is being deleted."""
    trashed = trash(homes, create(homes, ProfileName("purging-coder")))
    homes.recover()
    assert trashed.is_dir()


def test_purge_leaves_nothing(homes: HomesOnDisk, root: Path, tmp_path: Path) -> None:
    """Not in the tree and not in the trash; what links in it lead to is untouched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    home = create(homes)
    (home.path / "link").symlink_to(outside)
    (home.path / "workspace" / "file link").symlink_to(outside / "file")
    homes.purge(home)
    assert list((root / "profiles" / layout.STAGING / "trash").iterdir()) == []
    assert (outside / "file").read_text() == "kept"


def test_read_only_entries_are_purged_without_privileges() -> None:
    """Directories that their owner may not write, such as those of a module cache, do not stop a deletion."""
    with reachable_directory() as directory:
        directory.chmod(0o777)
        assert said_by_nobody(PURGE_READ_ONLY, directory) == "[]\n"


def test_tree_that_may_not_be_read_is_not_permitted() -> None:
    """Instead of looking like a machine without profiles."""
    with reachable_directory() as directory:
        (directory / "profiles").mkdir(mode=0o700)
        reason, path, _ = failure_as_nobody("homes.HomesOnDisk(given).scan()", directory)
        assert (reason, path) == ("NOT_PERMITTED", str(directory / "profiles"))


def test_tree_that_may_not_be_written_is_not_permitted() -> None:
    """Creating says which home could not be made."""
    with reachable_directory() as directory:
        statement = "homes.HomesOnDisk(given).create(homes.ProfileName('coder'), {}, [])"
        reason, path, _ = failure_as_nobody(statement, directory)
        assert (reason, path) == ("NOT_PERMITTED", str(directory / "profiles" / "coder"))
        assert list(directory.iterdir()) == []


def test_place_for_a_home_that_could_not_be_made_is_not_permitted() -> None:
    """Before anything is tried; whatever of the way there exists."""
    with reachable_directory() as directory:
        statement = "homes.HomesOnDisk(given / 'root').place_for(homes.ProfileName('coder'))"
        reason, path, message = failure_as_nobody(statement, directory)
        assert (reason, path) == ("NOT_PERMITTED", str(directory))
        assert message.startswith(f"cannot write into {directory}: ")
        (directory / "root" / "profiles").mkdir(parents=True)
        assert failure_as_nobody(statement, directory)[:2] == (
            "NOT_PERMITTED",
            str(directory / "root" / "profiles"),
        )


def test_sticky_default_has_the_mode_of_hermes_agents(homes: HomesOnDisk, root: Path) -> None:
    """0644, as hermes-agent writes it; the root is what keeps others out."""
    create(homes)
    homes.write_sticky_default(CODER)
    assert stat.S_IMODE((root / "active_profile").stat().st_mode) == 0o644
    assert [path.name for path in root.glob("*.tmp")] == []


@pytest.mark.parametrize("content", [b"", b"coder\n", b"coder\n../x\n", b"a\nb\nc\n", b"\xff\n\xfe\n"])
def test_a_damaged_way_back_is_none(homes: HomesOnDisk, root: Path, content: bytes) -> None:
    """It was a convenience, and the next choice writes it anew."""
    create(homes)
    homes.write_sticky_default(CODER)
    (root / "profiles" / ".hermesd" / "previous_default").write_bytes(content)
    with pytest.raises(NotFound):
        homes.previous_default()


@pytest.mark.parametrize("kind", ["directory", "binary", "pipe", "loop"])
def test_sticky_default_that_cannot_be_read_counts_as_default(homes: HomesOnDisk, root: Path, kind: str) -> None:
    """It is no reason to fail a listing."""
    create(homes)
    path = root / "active_profile"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case _:
            path.write_bytes(b"\xff\xfe")
    assert homes.sticky_default() == ProfileName(DEFAULT)


def test_a_home_that_is_a_link_says_where_to(tmp_path: Path) -> None:
    """To the end, and it is measured there: that is what the profile takes."""
    root, data = tmp_path / "root", tmp_path / "data"
    (root / "profiles").mkdir(parents=True)
    data.mkdir()
    (data / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "hop").symlink_to(data)
    (root / "profiles" / "coder").symlink_to(tmp_path / "hop")
    homes = HomesOnDisk(root)
    home = homes.find(ProfileName("coder"))
    assert home is not None
    assert homes.link_target(home) == str(data.resolve())
    assert homes.measure(home, lambda: False).size_bytes >= 100_000
