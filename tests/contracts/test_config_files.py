"""What all files of settings do, whoever keeps them."""

from pathlib import Path
from typing import Protocol

import pytest

from hermesd.adapters.agents.hermes_config import HermesConfigFiles
from hermesd.domain.agent import ConfigFiles
from hermesd.domain.configuration import Change, ConfigFile, Schema
from hermesd.domain.errors import ArgumentInvalid, ChangedMeanwhile, ConfigInvalid, NotFound
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at
from tests.fakes.configfiles import MemoryConfigFiles

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

CONFIG, ENV = ConfigFile.CONFIG, ConfigFile.ENV
SCHEMA = Schema({"mode": "manual"})
CANARY = "sk-canary-0123456789abcdef"


class Put(Protocol):
    """Somebody else writes a file."""

    def __call__(self, home: Home, file: ConfigFile, data: bytes) -> None: ...


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without settings."""
    return home_at(tmp_path / "coder")


@pytest.fixture(params=["hermes", "memory"])
def both(request: pytest.FixtureRequest) -> tuple[ConfigFiles, Put]:
    """The real files, then the fake; and how somebody else writes one."""
    if request.param == "hermes":

        def on_disk(home: Home, file: ConfigFile, data: bytes) -> None:
            (home.path / file).write_bytes(data)

        return HermesConfigFiles(), on_disk
    memory = MemoryConfigFiles()

    def in_memory(home: Home, file: ConfigFile, data: bytes) -> None:
        memory.files[home.path / file] = data

    return memory, in_memory


def make(files: ConfigFiles, home: Home, *changes: Change) -> list[ConfigFile]:
    """Carries changes out; returns what was written."""
    edits = files.plan(home, SCHEMA, changes)
    for edit in edits:
        files.write(edit)
    return [edit.file for edit in edits]


def test_each_key_is_written_where_it_belongs(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """Variables first; what is so already is not written again."""
    files, _ = both
    changes = [Change("level", "7"), Change("MY_API_KEY", "x"), Change("mode", "off")]
    assert (files.file_of("level"), files.file_of("MY_API_KEY")) == (CONFIG, ENV)
    assert make(files, home, *changes) == [ENV, CONFIG]
    assert make(files, home, *changes) == []
    env, config = files.read(home, ENV), files.read(home, CONFIG)
    assert (env.path, config.path) == (home.path / ".env", home.path / "config.yaml")
    assert files.values(ENV, env.data or b"", home.path) == {"MY_API_KEY": "x"}
    assert {key: str(value) for key, value in files.values(CONFIG, config.data or b"", home.path).items()} == {
        "level": "7",
        "mode": "off",
    }


def test_an_edit_tells_which_keys_it_changes(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """With both values, of which neither is in what is logged."""
    files, _ = both
    make(files, home, Change("MY_API_KEY", CANARY))
    (edit,) = files.plan(home, SCHEMA, [Change("MY_API_KEY", None)])
    assert [(one.key, one.before, one.after) for one in edit.differences] == [("MY_API_KEY", CANARY, None)]
    assert CANARY not in repr(edit)


def test_what_is_taken_away_is_gone(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """And cannot be taken away again."""
    files, _ = both
    make(files, home, Change("level", "7"), Change("MY_API_KEY", "x"))
    make(files, home, Change("level", None), Change("MY_API_KEY", None))
    for file in ConfigFile:
        assert files.values(file, files.read(home, file).data or b"", home.path) == {}
    for key in ("level", "MY_API_KEY"):
        with pytest.raises(NotFound, match="is not set"):
            files.plan(home, SCHEMA, [Change(key, None)])


def test_variables_may_be_called_anything_that_a_variable_is(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """Asked for as such, all are in `.env`."""
    files, _ = both
    (edit,) = files.plan_variables(home, [Change("level", "7")])
    files.write(edit)
    assert files.values(ENV, files.read(home, ENV).data or b"", home.path) == {"level": "7"}
    with pytest.raises(ArgumentInvalid, match="not the name of a variable"):
        files.plan_variables(home, [Change("model.default", "x")])


def test_what_somebody_else_wrote_meanwhile_stays(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """Whether the file was there or not."""
    files, put = both
    for before in (None, b"A=1\n"):
        if before:
            put(home, ENV, before)
        (edit,) = files.plan_variables(home, [Change("B", "2")])
        put(home, ENV, b"A=3\n")
        with pytest.raises(ChangedMeanwhile):
            files.write(edit)
        assert files.read(home, ENV).data == b"A=3\n"


def test_a_file_can_be_made_what_it_was(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """Byte for byte; what it is already is no edit."""
    files, _ = both
    make(files, home, Change("MY_API_KEY", "x"))
    before = files.read(home, ENV).data or b""
    make(files, home, Change("MY_API_KEY", "y"))
    (edit,) = files.plan_text(home, ENV, before)
    files.write(edit)
    assert files.read(home, ENV).data == before
    assert files.plan_text(home, ENV, before) == []


def test_no_secret_is_in_what_may_be_shown(both: tuple[ConfigFiles, Put]) -> None:
    """Everything else is."""
    files, _ = both
    text = files.masked(ENV, f"LEVEL=7\nMY_API_KEY={CANARY}\n".encode(), Path("x"))
    assert "LEVEL=7" in text
    assert "sha256:" in text
    assert CANARY not in text


def test_what_cannot_be_read_is_not_changed(both: tuple[ConfigFiles, Put], home: Home) -> None:
    """A person has to mend it."""
    files, put = both
    put(home, CONFIG, b"a: [")
    with pytest.raises(ConfigInvalid):
        files.plan(home, SCHEMA, [Change("level", "7")])
    assert files.read(home, CONFIG).data == b"a: ["
