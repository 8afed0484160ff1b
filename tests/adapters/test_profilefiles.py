"""profile.yaml and SOUL.md: what is written is what hermes-agent reads, and nothing that others wrote is lost."""

import os
import random
import stat
import threading
from pathlib import Path

import pytest
import yaml

from hermesd.adapters import unchanged
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.profilefiles import read_description, read_soul, write_description, write_soul
from hermesd.adapters.syscalls import rename_exchange
from hermesd.domain.description import Description
from hermesd.domain.errors import ArgumentInvalid, ChangedMeanwhile, ConfigInvalid, Incompatible, ProfileNotFound
from hermesd.domain.soul import LARGEST, Soul
from tests.adapters.unprivileged import failure_as_nobody, reachable_directory

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

BY_HAND = """\
# What this one is for
description: >-   # folded, as a person writes it
  Reads source code
  and writes findings

theme: {colour: 'red'}  # kept
description_auto: yes
"""

AFTERWARDS = """\
# What this one is for
description: "no: #1"

theme: {colour: 'red'}  # kept
description_auto: false
"""


def as_hermes_agent_reads(home: Path) -> tuple[str, bool]:
    """Text, and whether it was generated (hermes-agent 0.19.0)."""
    data = yaml.safe_load((home / "profile.yaml").read_text(encoding="utf-8")) or {}
    return str(data.get("description") or "").strip(), bool(data.get("description_auto", False))


def as_hermes_agent_writes(home: Path, **changes: object) -> None:
    """Reads, changes and writes anew, as hermes-agent 0.19.0 does: without a lock, emptying the file first."""
    path = home / "profile.yaml"
    data = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    with path.open("w", encoding="utf-8") as file:
        yaml.safe_dump(data | changes, file, sort_keys=False, default_flow_style=False)


def test_nothing_but_the_two_keys_changes(tmp_path: Path) -> None:
    """Comments, order and other keys stay, byte for byte."""
    (tmp_path / "profile.yaml").write_text(BY_HAND)
    assert read_description(tmp_path) == Description("Reads source code and writes findings", is_generated=True)
    write_description(tmp_path, Description("no: #1"), keeps_persons=False)
    assert (tmp_path / "profile.yaml").read_text() == AFTERWARDS
    assert as_hermes_agent_reads(tmp_path) == ("no: #1", False)


@pytest.mark.parametrize(
    "text", ["false", "1", "~", "a: b", "# x", "- x", "ü 👩\u200d💻 \u2028", "'", '"', "x" * 500]
)
@pytest.mark.parametrize("is_generated", [False, True])
def test_hermes_agent_reads_what_we_write(tmp_path: Path, text: str, is_generated: bool) -> None:
    """Whatever YAML would take the text for; and once more changes nothing."""
    wanted = Description(text.strip(), is_generated)
    write_description(tmp_path, wanted, keeps_persons=False)
    assert as_hermes_agent_reads(tmp_path) == (wanted.text, is_generated)
    before = (tmp_path / "profile.yaml").stat()
    write_description(tmp_path, wanted, keeps_persons=True)
    assert (tmp_path / "profile.yaml").stat() == before
    assert stat.S_IMODE(before.st_mode) == 0o600


@pytest.mark.parametrize("text", ["Reads code", "Liest … was sonst? … " * 20, "a: 'b'", "Done.\n\nReally."])
def test_we_read_what_hermes_agent_writes_and_write_over_it(tmp_path: Path, text: str) -> None:
    """It folds long lines and escapes what is not ASCII."""
    as_hermes_agent_writes(tmp_path, other=[1, 2], description=text.strip(), description_auto=True)
    assert read_description(tmp_path) == Description(text.strip(), is_generated=True)
    write_description(tmp_path, Description("Mine"), keeps_persons=True)
    assert as_hermes_agent_reads(tmp_path) == ("Mine", False)
    assert yaml.safe_load((tmp_path / "profile.yaml").read_text())["other"] == [1, 2]


def test_clearing_what_is_not_there_makes_no_file(tmp_path: Path) -> None:
    """And clearing what is leaves the rest."""
    write_description(tmp_path, Description(), keeps_persons=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "profile.yaml").write_text(BY_HAND)
    write_description(tmp_path, Description(), keeps_persons=False)
    assert as_hermes_agent_reads(tmp_path) == ("", False)
    assert "theme: {colour: 'red'}  # kept" in (tmp_path / "profile.yaml").read_text()


@pytest.mark.parametrize("damaged", ["a: [", "- a\n- b\n", "just words", "\xff"])
def test_a_damaged_file_is_left_to_its_person(tmp_path: Path, damaged: str) -> None:
    """hermes-agent would write over it."""
    (tmp_path / "profile.yaml").write_bytes(damaged.encode("latin-1"))
    for call in (lambda: write_description(tmp_path, Description("x"), keeps_persons=False),
                 lambda: read_description(tmp_path)):  # fmt: skip
        with pytest.raises(ConfigInvalid) as failure:
            call()
        assert failure.value.metadata["path"] == str(tmp_path / "profile.yaml")
    assert (tmp_path / "profile.yaml").read_bytes() == damaged.encode("latin-1")


def test_a_change_that_comes_between_is_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It happens in the very last moment, and both stand."""
    (tmp_path / "profile.yaml").write_text("a: 1\n")
    path = tmp_path / "profile.yaml"
    late = [
        lambda: as_hermes_agent_writes(tmp_path, b=2),
        lambda: None,  # it is put back
        lambda: as_hermes_agent_writes(tmp_path, c=3),
        lambda: path.unlink(),  # just before it is put back
    ]

    def delayed(one: Path, other: Path) -> None:
        if late:
            late.pop(0)()
        rename_exchange(one, other)

    monkeypatch.setattr(unchanged, "rename_exchange", delayed)
    write_description(tmp_path, Description("Mine"), keeps_persons=False)
    said = {"a": 1, "b": 2, "c": 3, "description": "Mine", "description_auto": False}
    assert yaml.safe_load(path.read_text()) == said
    assert list(tmp_path.iterdir()) == [path]


def test_a_change_in_the_last_moment_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a person who was faster is put back."""
    write_soul(tmp_path, "old", None)
    before = read_soul(tmp_path)

    def delayed(one: Path, other: Path) -> None:
        monkeypatch.setattr(unchanged, "rename_exchange", rename_exchange)
        (tmp_path / "SOUL.md").write_text("theirs")
        rename_exchange(one, other)

    monkeypatch.setattr(unchanged, "rename_exchange", delayed)
    with pytest.raises(ChangedMeanwhile):
        write_soul(tmp_path, "ours", before.revision)
    assert (tmp_path / "SOUL.md").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["SOUL.md"]
    monkeypatch.setattr(unchanged, "rename_exchange", delayed)
    assert write_soul(tmp_path, "ours", None).text == "ours"


def test_a_file_that_somebody_makes_meanwhile_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the agent does that runs for the first time."""

    def delayed(*arguments: object, **options: object) -> None:
        (tmp_path / "SOUL.md").write_text("theirs")
        write_atomic(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(unchanged, "write_atomic", delayed)
    with pytest.raises(ChangedMeanwhile):
        write_soul(tmp_path, "ours", "")
    assert (tmp_path / "SOUL.md").read_text() == "theirs"


def test_who_never_stops_writing_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than overtaken."""
    as_hermes_agent_writes(tmp_path, a=0)
    rounds = iter(range(1, 100))

    def delayed(one: Path, other: Path) -> None:
        (tmp_path / "profile.yaml").write_text(f"a: {next(rounds)}\n")
        (tmp_path / "SOUL.md").write_text(f"{next(rounds)}")
        rename_exchange(one, other)

    (tmp_path / "SOUL.md").write_text("0")
    monkeypatch.setattr(unchanged, "rename_exchange", delayed)
    with pytest.raises(ChangedMeanwhile):
        write_description(tmp_path, Description("x"), keeps_persons=False)
    with pytest.raises(ChangedMeanwhile):
        write_soul(tmp_path, "x", None)


def test_a_file_system_that_cannot_exchange_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is looked at once more."""

    def unable(one: Path, other: Path) -> None:
        raise Incompatible("no")

    write_soul(tmp_path, "old", None)
    monkeypatch.setattr(unchanged, "rename_exchange", unable)
    before = read_soul(tmp_path)
    assert write_soul(tmp_path, "new", before.revision) == read_soul(tmp_path)
    with pytest.raises(ChangedMeanwhile):
        unchanged.write_unchanged(tmp_path / "SOUL.md", b"old", b"newer", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["SOUL.md"]


def test_hermes_agent_may_write_all_the_while(tmp_path: Path, rng: random.Random) -> None:
    """Ours stands in the end, and the file is one that can be read at any time but the moment it is empty."""
    as_hermes_agent_writes(tmp_path, keep="me", count=0)
    is_over = threading.Event()

    def write() -> None:
        for count in range(1, 200):
            as_hermes_agent_writes(tmp_path, count=count)
            if is_over.wait(rng.random() / 1_000):
                return

    writer = threading.Thread(target=write)
    writer.start()
    for number in range(30):
        try:
            write_description(tmp_path, Description(f"Number {number}"), keeps_persons=False)
        except (ChangedMeanwhile, ConfigInvalid):
            continue
    is_over.set()
    writer.join()
    write_description(tmp_path, Description("Last"), keeps_persons=False)
    assert as_hermes_agent_reads(tmp_path) == ("Last", False)
    assert [path.name for path in tmp_path.iterdir()] == ["profile.yaml"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
def test_a_file_keeps_its_mode_and_a_new_one_is_private(tmp_path: Path, mode: int) -> None:
    """Somebody chose it."""
    (tmp_path / "SOUL.md").write_text("old")
    (tmp_path / "SOUL.md").chmod(mode)
    write_soul(tmp_path, "new", None)
    assert stat.S_IMODE((tmp_path / "SOUL.md").stat().st_mode) == mode
    write_description(tmp_path, Description("x"), keeps_persons=False)
    assert stat.S_IMODE((tmp_path / "profile.yaml").stat().st_mode) == 0o600


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """People keep such texts in a repository of theirs."""
    home, kept = tmp_path / "home", tmp_path / "dotfiles"
    home.mkdir()
    kept.mkdir()
    (home / "SOUL.md").symlink_to(kept / "soul")
    write_soul(home, "first", "")
    write_soul(home, "second", read_soul(home).revision)
    assert (home / "SOUL.md").is_symlink()
    assert (kept / "soul").read_text() == "second"
    (home / "SOUL.md").unlink()
    (home / "SOUL.md").symlink_to(tmp_path / "gone" / "soul")
    with pytest.raises(ArgumentInvalid, match=r"is a link to .*gone"):
        write_soul(home, "third", None)


def test_what_is_no_text_is_not_shown(tmp_path: Path) -> None:
    """And it is said what it is instead."""
    path = tmp_path / "SOUL.md"
    for data, why in ((b"a\n\xff", "line 2"), (b"x" * (LARGEST + 1), f"{LARGEST + 1} bytes")):
        path.write_bytes(data)
        with pytest.raises(ConfigInvalid, match=why):
            read_soul(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigInvalid, match="not a file"):
        read_soul(tmp_path)
    path.unlink()
    assert read_soul(tmp_path) == Soul()


def test_a_home_that_is_gone_is_said(tmp_path: Path) -> None:
    """It is not made again."""
    for call in (lambda: write_soul(tmp_path / "gone", "x", None),
                 lambda: write_description(tmp_path / "gone", Description("x"), keeps_persons=False)):  # fmt: skip
        with pytest.raises(ProfileNotFound):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "profilefiles.write_soul(given, 'new', None)",
        "profilefiles.write_description(given, Description('new'), keeps_persons=False)",
    ],
)
def test_a_home_that_may_only_be_read_is_left_as_it_is(statement: str) -> None:
    """And who refused is said."""
    imports = (
        "from hermesd.adapters import profilefiles\n    from hermesd.domain.description import Description\n    "
    )
    with reachable_directory() as home:
        (home / "SOUL.md").write_text("old")
        (home / "profile.yaml").write_text("a: 1\n")
        for path in home.iterdir():
            path.chmod(0o644)
        reason, path_said, message = failure_as_nobody(imports + statement, home)
        assert (reason, Path(path_said).parent) == ("NOT_PERMITTED", home)
        assert "permission denied" in message
        assert (home / "SOUL.md").read_text() == "old"
        assert (home / "profile.yaml").read_text() == "a: 1\n"
        assert len(list(home.iterdir())) == 2
