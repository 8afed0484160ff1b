"""What trees take on disk, friendly and hostile ones."""

import os
import subprocess
from pathlib import Path

import pytest

from hermesd.adapters.diskusage import BLOCK_BYTES, LOOK_EVERY, measure
from hermesd.domain.usage import DiskUsage
from tests.adapters.unprivileged import reachable_directory, said_by_nobody

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def measured(home: Path, without: frozenset[str] = frozenset()) -> DiskUsage:
    """A tree, looked at to its end."""
    return measure(home, without=without, is_enough=lambda: False)


def as_du(home: Path) -> int:
    """The judgement of another program."""
    said = subprocess.run(["du", "-sx", "--block-size=1", home], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[0])


def write(path: Path, kilobytes: int) -> Path:
    """A file that takes that much."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * kilobytes * 1024)
    return path


def test_a_tree_takes_what_du_says(tmp_path: Path) -> None:
    """Blocks, not lengths: a hole takes nothing. The largest entry comes first."""
    write(tmp_path / "sessions" / "deep" / "a", 400)
    write(tmp_path / "skills" / "b", 80)
    with (tmp_path / "hole").open("wb") as hole:
        hole.truncate(1 << 30)
    found = measured(tmp_path)
    assert found.size_bytes == as_du(tmp_path)
    assert [part.name for part in found.parts] == ["sessions", "skills", "hole"]
    assert not found.is_partial
    own = tmp_path.stat().st_blocks * BLOCK_BYTES
    assert own + sum(part.size_bytes for part in found.parts) == found.size_bytes


def test_a_file_of_several_names_counts_once(tmp_path: Path) -> None:
    """Also across entries."""
    first = write(tmp_path / "a" / "file", 200)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "again").hardlink_to(first)
    assert measured(tmp_path).size_bytes == as_du(tmp_path)


def test_links_are_never_followed(tmp_path: Path) -> None:
    """Neither out of the tree nor in a circle; the one that is the home itself is."""
    write(tmp_path / "elsewhere" / "huge", 4000)
    home = tmp_path / "home"
    write(home / "file", 10)
    (home / "out").symlink_to(tmp_path / "elsewhere")
    (home / "circle").symlink_to(home)
    (home / "nowhere").symlink_to("nothing")
    found = measured(home)
    assert found.size_bytes == as_du(home)
    assert found.size_bytes < 1_000_000
    (tmp_path / "link").symlink_to(home)
    assert measured(tmp_path / "link") == found


def test_entries_that_do_not_count_do_not(tmp_path: Path) -> None:
    """By their names directly in the home."""
    write(tmp_path / "profiles" / "a", 100)
    write(tmp_path / "skills" / "profiles" / "b", 100)
    assert [part.name for part in measured(tmp_path, frozenset({"profiles"})).parts] == ["skills"]


def test_a_home_that_is_gone_takes_nothing(tmp_path: Path) -> None:
    """That is no failure, nor is it a guess."""
    assert measured(tmp_path / "gone") == DiskUsage()


def test_deeper_than_any_path_is_long(tmp_path: Path) -> None:
    """What is below cannot be named any more, and makes the answer a least one; nothing overflows."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("abcdefgh", dir_fd=here)
        below = os.open("abcdefgh", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = measured(tmp_path)
    assert found.is_partial
    subprocess.run(["rm", "-rf", tmp_path / "abcdefgh"], check=True)


def test_names_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    """Each byte that is not UTF-8 is spelled out."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_bytes(b"x")
    (part,) = measured(tmp_path).parts
    assert part.name == "caf\\udce9"


def test_what_is_neither_file_nor_directory_is_not_opened(tmp_path: Path) -> None:
    """A pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "below").mkdir()
    os.mkfifo(tmp_path / "below" / "pipe")
    assert measured(tmp_path).size_bytes == as_du(tmp_path)


def test_when_it_is_enough_what_was_found_is_the_answer(tmp_path: Path) -> None:
    """Asked now and then, not for every file."""
    for number in range(3 * LOOK_EVERY):
        (tmp_path / "many" / f"{number}").parent.mkdir(exist_ok=True)
        (tmp_path / "many" / f"{number}").write_bytes(b"x")
    looks = iter([False, True])
    found = measure(tmp_path, is_enough=lambda: next(looks))
    assert found.is_partial
    assert 0 < found.size_bytes < measured(tmp_path).size_bytes
    assert measure(tmp_path, is_enough=lambda: True).is_partial


def test_what_nobody_may_look_into_makes_the_answer_a_least_one() -> None:
    """The rest is counted all the same."""
    with reachable_directory() as home:
        write(home / "open" / "a", 100)
        write(home / "shut" / "b", 100)
        (home / "shut").chmod(0o700)
        program = (
            "from hermesd.adapters.diskusage import measure\n"
            "found = measure(given, is_enough=lambda: False)\n"
            "print(found.is_partial, [part.name for part in found.parts])"
        )
        assert said_by_nobody(program, home) == "True ['open', 'shut']\n"
