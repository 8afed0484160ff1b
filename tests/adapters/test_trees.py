"""Trees that do not want to be removed."""

import errno
import shutil
from pathlib import Path

import pytest

from hermesd.adapters import trees
from hermesd.adapters.homes import HomesOnDisk
from hermesd.adapters.mounts import mounted_below
from hermesd.adapters.trees import remove_tree
from hermesd.domain.errors import NotPermitted
from hermesd.domain.profile import ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TABLE = (
    "25 30 0:23 / /home rw - ext4 /dev/sda rw\n"
    "26 25 0:24 / /home/my\\040bots/trees/remote rw - fuse.sshfs host: rw\n"
    "27 25 0:23 /elsewhere /home/my\\040bots/trees/bound rw - ext4 /dev/sda rw\n"
    "28 25 0:25 / /home/my\\040bots-too rw - tmpfs tmpfs rw\n"
)

CODER = ProfileName("coder")


def test_what_is_mounted_in_a_tree_is_found(tmp_path: Path) -> None:
    """Also what is bound there from the same file system; not what is mounted at a similar name."""
    table = tmp_path / "table"
    table.write_text(TABLE)
    below = mounted_below(Path("/home/my bots"), table)
    assert below == [Path("/home/my bots/trees/bound"), Path("/home/my bots/trees/remote")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree."""
    tree = tmp_path / "tree"
    (tree / "work" / "remote").mkdir(parents=True)
    (tree / "work" / "remote" / "theirs").write_text("precious")
    (tree / "mine").write_text("mine")
    return tree


def test_nothing_is_removed_of_a_tree_that_something_is_mounted_in(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of another machine are nobody's to delete with a profile."""
    monkeypatch.setattr(trees, "mounted_below", lambda path: [path / "work" / "remote"])
    with pytest.raises(NotPermitted, match="work/remote is mounted in it"):
        remove_tree(tree)
    assert (tree / "mine").exists()
    assert (tree / "work" / "remote" / "theirs").exists()


def test_a_home_that_something_is_mounted_in_is_not_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays where it is, whole."""
    homes = HomesOnDisk(tmp_path)
    home = homes.create(CODER, {"a": "b"}, ["work"])
    monkeypatch.setattr(trees, "mounted_below", lambda path: [path / "work"] if path == home.path else [])
    with pytest.raises(NotPermitted, match="unmount it first"):
        homes.purge(home)
    assert homes.find(CODER) == home
    assert (home.path / "a").read_text() == "b"


def test_a_program_that_writes_meanwhile_is_outlasted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it adds between two looks goes as well, unless it never ends."""
    rmtree, calls = shutil.rmtree, []

    def disturbed(path: Path) -> None:
        calls.append(path)
        if len(calls) < trees.ATTEMPTS:
            raise OSError(errno.ENOTEMPTY, "not empty", str(path))
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", disturbed)
    remove_tree(tree)
    assert not tree.exists()


def test_a_program_that_never_stops_writing_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that tell what to look for."""

    def busy(path: Path) -> None:
        raise OSError(errno.ENOTEMPTY, "not empty", str(path))

    monkeypatch.setattr(shutil, "rmtree", busy)
    with pytest.raises(NotPermitted, match="a program goes on writing in it"):
        remove_tree(tree)


def test_what_cannot_be_cleaned_up_hinders_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that cannot be finished does not keep others from being so; it is told."""
    staging = tmp_path / "profiles" / ".hermesd"
    stubborn = staging / "trash" / ".purging-a-1"
    for path in (stubborn, staging / "trash" / ".purging-b-2", staging / "new" / "c-3"):
        path.mkdir(parents=True)
    monkeypatch.setattr(trees, "mounted_below", lambda path: [path / "work"] if path == stubborn else [])
    with pytest.raises(NotPermitted, match="purging-a-1"):
        HomesOnDisk(tmp_path).recover()
    assert sorted(path.name for path in staging.glob("*/*")) == [".purging-a-1"]
