"""`config edit` and `env edit`: saved once it can be read, kept where it cannot, and no copy of a secret left."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hermesctl import editing
from hermesd.v1 import configs_pb2 as v1
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

CANARY = "canary-of-a-secret-0123456789"


@pytest.fixture(autouse=True)
def place(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where copies lie; and settings to edit."""
    world.configs["coder", v1.CONFIG_FILE_CONFIG] = [{"level": "1"}]
    world.configs["coder", v1.CONFIG_FILE_ENV] = [{"MY_TOKEN": CANARY}]
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(editing, "DIRECTORIES", (str(copies),))
    return copies


def writing(*texts: str, code: int = 0, seen: list[str] | None = None) -> Callable[[Sequence[str]], int]:
    """An editor in which somebody writes these texts, one each time it is opened."""
    left = list(texts)

    def run(argv: Sequence[str]) -> int:
        path = Path(argv[-1])
        if seen is not None:
            seen.append(path.read_text())
        path.write_text(left.pop(0))
        return code

    return run


def test_what_was_edited_is_saved_and_told(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """Like any other change; the copy is gone."""
    seen: list[str] = []
    ended = run("config edit -p coder", running=writing("level=2\n", seen=seen), is_asking=True)
    assert (ended.code, seen) == (0, ["level=1\n"])
    assert "- level: 1\n+ level: 2\n" in ended.out
    assert world.configs["coder", v1.CONFIG_FILE_CONFIG][-1] == {"level": "2"}
    assert list(place.iterdir()) == []


def test_keys_are_edited_in_clear_and_shown_masked(
    run: Run, daemon: FakeDaemon, world: World, place: Path
) -> None:
    """By both commands; nothing of them stays behind."""
    for command in ("env edit -p coder", "config edit --env -p coder"):
        text = f"MY_TOKEN={CANARY}\nMORE={len(world.configs['coder', v1.CONFIG_FILE_ENV])}\n"
        ended = run(command, running=writing(text), is_asking=True)
        assert ended.code == 0
        assert CANARY not in ended.out + ended.err
        assert list(place.iterdir()) == []


def test_what_stays_as_it_is_is_no_change(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """Nothing is sent."""
    ended = run("config edit -p coder", running=writing("level=1\n"), is_asking=True)
    assert (ended.code, ended.out) == (0, "✓ already so\n")
    assert "WriteConfig" not in [name for name, _ in world.calls]
    assert list(place.iterdir()) == []


def test_what_cannot_be_read_is_edited_again(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """With what was written, until it can be."""
    seen: list[str] = []
    editor = writing("nonsense\n", "level=3\n", seen=seen)
    ended = run("config edit -p coder", running=editor, is_asking=True, columns=80, answers="y\n")
    assert (ended.code, seen) == (0, ["level=1\n", "nonsense\n"])
    assert "not saved: cannot use config.yaml" in ended.err
    assert world.configs["coder", v1.CONFIG_FILE_CONFIG][-1] == {"level": "3"}
    assert list(place.iterdir()) == []


def test_who_gives_up_keeps_the_text(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """And the file is what it was."""
    editor = writing("nonsense\n")
    ended = run("config edit -p coder", running=editor, is_asking=True, columns=80, answers="n\n")
    assert ended.code == 6
    (kept,) = place.glob("*/*")
    assert (kept.name, kept.read_text()) == ("config.yaml", "nonsense\n")
    assert f"your text is kept in {kept}" in ended.err
    assert world.configs["coder", v1.CONFIG_FILE_CONFIG] == [{"level": "1"}]


def test_what_somebody_else_changed_meanwhile_is_not_written_over(
    run: Run, daemon: FakeDaemon, world: World, place: Path
) -> None:
    """Theirs stays, and the person's text is kept."""

    def editor(argv: Sequence[str]) -> int:
        world.configs["coder", v1.CONFIG_FILE_CONFIG].append({"level": "theirs"})
        return writing("level=mine\n")(argv)

    ended = run("config edit -p coder", running=editor, is_asking=True)
    assert ended.code == 6
    assert world.configs["coder", v1.CONFIG_FILE_CONFIG][-1] == {"level": "theirs"}
    assert [path.read_text() for path in place.glob("*/*")] == ["level=mine\n"]


def test_an_editor_that_fails_changes_nothing(run: Run, daemon: FakeDaemon, world: World, place: Path) -> None:
    """A copy that nobody touched is gone; with keys in it all the more."""
    ended = run("env edit -p coder", running=writing(f"MY_TOKEN={CANARY}\n", code=1), is_asking=True)
    assert ended.code == 7
    assert list(place.iterdir()) == []
    world.refused["OpenConfig"] = Refusal("BUDGET_SPENT", "cannot show .env: too often")
    assert run("env edit -p coder", running=writing("x"), is_asking=True).code == 6
