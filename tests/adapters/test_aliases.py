"""Alias files on disk, beyond what every bin directory of aliases does."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from hermesd.adapters.aliases import AliasesInBin
from hermesd.adapters.atomic import write_atomic
from hermesd.domain.alias import BEGINNING
from hermesd.domain.errors import AliasTaken
from hermesd.domain.profile import ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CODER = ProfileName("coder")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A bin directory that does not exist yet."""
    return tmp_path / "home" / "bin"


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """A stand-in for the launcher, in a place that needs quoting, which prints what it is called with."""
    path = tmp_path / "my share" / "python3"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nshift 2\nprintf "%s|" "$@"\n')
    path.chmod(0o755)
    return path.parent


@pytest.fixture
def aliases(directory: Path, launcher: Path) -> AliasesInBin:
    """Aliases there, with nothing else on PATH."""
    return AliasesInBin(directory, launcher, str(directory))


def test_alias_runs_the_launcher_for_its_profile(aliases: AliasesInBin) -> None:
    """Arguments arrive as they were typed."""
    alias = aliases.create("coder", CODER)
    done = subprocess.run([alias.path, "-z", "a b", ""], capture_output=True, text=True, check=True)
    assert done.stdout == "-p|coder|-z|a b||"


def test_alias_can_be_run_by_everybody_whatever_the_umask(aliases: AliasesInBin, directory: Path) -> None:
    """0755, as programs are."""
    before = os.umask(0o077)
    try:
        alias = aliases.create("coder", CODER)
    finally:
        os.umask(before)
    assert stat.S_IMODE(alias.path.stat().st_mode) == 0o755
    assert [entry.name for entry in directory.iterdir()] == ["coder"]


def test_own_alias_follows_a_moved_launcher(aliases: AliasesInBin, directory: Path, tmp_path: Path) -> None:
    """After a reinstallation elsewhere the alias is brought up to date; an identical one is not touched."""
    first = aliases.create("coder", CODER)
    before = first.path.stat()
    aliases.create("coder", CODER)
    assert first.path.stat() == before
    moved = AliasesInBin(directory, tmp_path / "new", str(directory))
    assert moved.create("coder", CODER) == first
    assert str(tmp_path / "new") in first.path.read_text()
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o755


@pytest.mark.parametrize("kind", ["directory", "pipe", "dangling link"])
def test_entry_that_is_no_file_is_taken(aliases: AliasesInBin, directory: Path, kind: str) -> None:
    """Nothing is opened that could block, nothing replaced that is not a file of ours."""
    path = directory / "coder"
    directory.mkdir(parents=True)
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    assert aliases.scan() == []
    with pytest.raises(AliasTaken, match=str(path)):
        aliases.create("coder", CODER)


def test_link_to_an_alias_is_not_ours(aliases: AliasesInBin, directory: Path) -> None:
    """Somebody made the link: it is listed, and stays."""
    made = aliases.create("coder", CODER)
    (directory / "linked").symlink_to("coder")
    linked = aliases.scan()[1]
    assert (linked.name, linked.profile, linked.is_ours) == ("linked", CODER, False)
    aliases.remove(linked)
    assert [alias.name for alias in aliases.scan()] == ["coder", "linked"]
    assert made.path.exists()


@pytest.mark.parametrize("name", ["coder.sh", "Coder", ".coder", "coder~"])
def test_file_that_no_alias_could_be_is_not_listed(aliases: AliasesInBin, directory: Path, name: str) -> None:
    """A backup or script with a suffix is no command of ours or hermes-agent's."""
    directory.mkdir(parents=True)
    (directory / name).write_text("exec hermes -p coder\n")
    assert aliases.scan() == []


def test_only_the_beginning_of_a_file_counts(aliases: AliasesInBin, directory: Path) -> None:
    """As for hermes-agent: a large program that mentions one somewhere is no alias. Binary files do no harm."""
    directory.mkdir(parents=True)
    (directory / "big").write_bytes(b"\xff" * 8192 + b"hermes -p coder")
    (directory / "small").write_bytes(b"\xff" * 100 + b"hermes -p coder")
    assert [alias.name for alias in aliases.scan()] == ["small"]


def test_program_that_appears_meanwhile_is_not_replaced(
    aliases: AliasesInBin, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and writing, somebody else takes the name: the file is theirs."""

    def late(path: Path, data: bytes, mode: int, *, exclusive: bool = False) -> None:
        path.write_text("theirs")
        write_atomic(path, data, mode, exclusive=exclusive)

    monkeypatch.setattr("hermesd.adapters.aliases.write_atomic", late)
    with pytest.raises(AliasTaken):
        aliases.create("coder", CODER)
    assert (directory / "coder").read_text() == "theirs"


def test_bin_directory_by_another_way_is_not_another_program(
    tmp_path: Path, directory: Path, launcher: Path
) -> None:
    """PATH may name the bin directory through a link, or end with a slash."""
    directory.mkdir(parents=True)
    (tmp_path / "link").symlink_to(directory)
    aliases = AliasesInBin(directory, launcher, f"{tmp_path}/link:{directory}/:")
    assert aliases.create("coder", CODER) == aliases.create("coder", CODER)


@pytest.mark.parametrize("written", [b"", b"#!/bin/s", BEGINNING, BEGINNING + b": hermes -p coder"])
def test_what_a_crash_left_of_an_alias_is_removed(aliases: AliasesInBin, directory: Path, written: bytes) -> None:
    """However far it came. What only looks like one by its name or by its text is somebody's."""
    directory.mkdir(parents=True)
    kept = {".coder.abcdefghijkl.tmp": b"mine", ".coder.tmp": BEGINNING, "coder.abcdefghijkl.tmp": BEGINNING}
    for name, text in kept.items():
        (directory / name).write_bytes(text)
    (directory / ".dev-bot.abcdefghijkl.tmp").write_bytes(written)
    (directory / ".dev-bot.abcdefghijk2.tmp").symlink_to("coder.abcdefghijkl.tmp")
    aliases.recover()
    assert {path.name for path in directory.iterdir()} == {*kept, ".dev-bot.abcdefghijk2.tmp"}


def test_without_a_bin_directory_there_is_nothing_to_remove(aliases: AliasesInBin, directory: Path) -> None:
    """And none is made for it."""
    aliases.recover()
    assert not directory.exists()
