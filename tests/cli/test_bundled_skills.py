"""The skills that come with hermesd: what they tell an agent to run exists, and they are what agents can read."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

import hermesd
from hermesctl.arguments import AgentCommand, split
from hermesctl.cli import NOUNS, PROGRAM

pytestmark = [pytest.mark.fast, pytest.mark.cli]

SKILLS = sorted((Path(hermesd.__file__).parent / "skills").glob("*/*/SKILL.md"))
MENTIONED = re.compile(r"`(hermesctl [^`\n]+)`|^ *(hermesctl [^#\n]+)", re.MULTILINE)
LONGEST_DESCRIPTION = 1024
"""Characters that the open format allows."""
LONGEST = 6_000
"""Characters that an agent can be made to read for one task."""


def ids(path: Path) -> str:
    """The name of a skill."""
    return path.parent.name


def test_there_are_some() -> None:
    """Each in a category, which is described."""
    assert len(SKILLS) >= 5
    assert all((path.parents[1] / "DESCRIPTION.md").is_file() for path in SKILLS)


@pytest.mark.parametrize("path", SKILLS, ids=ids)
def test_a_skill_is_in_the_open_format(path: Path) -> None:
    """Named as its directory, described by when it is of use, and short enough to be read."""
    text = path.read_text()
    _, front, body = text.split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["name"] == path.parent.name
    assert re.fullmatch(r"[a-z0-9-]{1,64}", said["name"])
    assert said["description"].startswith("Use ")
    assert len(said["description"]) <= LONGEST_DESCRIPTION
    assert body.lstrip().startswith("# ")
    assert 1_000 < len(text) < LONGEST


@pytest.mark.parametrize("path", SKILLS, ids=ids)
def test_every_command_in_a_skill_exists(path: Path) -> None:
    """With its options; what is the agent's is passed on to it, and not refused."""
    found = [ours or plain for ours, plain in MENTIONED.findall(path.read_text())]
    assert found
    for line in found:
        words = shlex.split(line)[1:]
        command = split(words, NOUNS)
        if not isinstance(command, AgentCommand):
            parse(words)


def parse(words: list[str]) -> None:
    """Fails if click would not take these words, or would take them without running anything."""
    command: click.Command = PROGRAM
    context = click.Context(PROGRAM)
    rest = words
    while isinstance(command, click.Group):
        names = [word for word in rest if not word.startswith("-")]
        name = next((one for one in names if command.get_command(context, one)), None)
        assert name is not None, words
        rest = rest[rest.index(name) + 1 :]
        found = command.get_command(context, name)
        assert found is not None
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= known, words


def test_the_skills_are_installed_with_the_program() -> None:
    """As data of the package, whatever it is installed from."""
    import tomllib

    project = tomllib.loads((Path(hermesd.__file__).parents[1] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["hermesd"]
    for path in [*SKILLS, *(one.parents[1] / "DESCRIPTION.md" for one in SKILLS)]:
        relative = path.relative_to(Path(hermesd.__file__).parent)
        assert any(relative.match(pattern) for pattern in patterns), relative
