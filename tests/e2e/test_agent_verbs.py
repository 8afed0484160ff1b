"""Every command of the real hermes-agent is decided about: it is ours, passed on, or refused with ours named.

What fails here after a newer agent was added is a decision that nobody has taken yet.
"""

import re
import subprocess
from pathlib import Path

import pytest

from hermesctl.agent_words import (
    AGENT_OPTIONAL_VALUE_OPTIONS,
    AGENT_OPTIONS,
    AGENT_SKILLS_VERBS,
    AGENT_VALUE_OPTIONS,
    AGENT_VERBS,
)
from hermesctl.arguments import OUR_SKILLS_VERBS, REFUSED_PROFILE_VERBS, split
from hermesctl.cli import NOUNS
from hermesctl.errors import HermesError
from hermesctl.refusals import (
    AGENT_GATEWAY_VERBS,
    INSTEAD_OF_GATEWAY_VERBS,
    OUR_PROFILE_VERBS,
    PASSED_PROFILE_VERBS,
    REFUSED,
)

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

CHOICES = re.compile(r"\{([^}]*)\}")
OPTION = re.compile(r"\[(--?[\w-]+)( \[?[A-Z_]+\]?)?\]")


def usage(agent: Path, home: Path, *words: str) -> str:
    """How the agent says that it is used, in one line."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "4000"}
    said = subprocess.run([agent, *words, "--help"], env=environment, capture_output=True, text=True, check=True)
    return said.stdout.partition("\n\n")[0]


def verbs(text: str) -> set[str]:
    """The commands among which it lets one choose."""
    found = CHOICES.search(text)
    assert found is not None, text
    return set(found[1].split(","))


def test_every_command_is_ours_or_passed_on_or_refused(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """Of every version there is; and none is known that there is not."""
    assert set.union(*(verbs(usage(agent, tmp_path)) for agent in runtimes.values())) == AGENT_VERBS
    for verb in AGENT_VERBS - REFUSED.keys():
        assert split([verb], NOUNS).arguments == (verb,)
    for verb in REFUSED:
        with pytest.raises(HermesError, match="is not run beside hermesd"):
            split([verb], NOUNS)


def test_every_option_before_a_command_is_known_with_its_value(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """Or a value could be taken for a profile, a command or an option of ours."""
    for agent in runtimes.values():
        options = {name: value.strip() for name, value in OPTION.findall(usage(agent, tmp_path))}
        assert options.keys() <= AGENT_OPTIONS | {"-h", "--version"}
        for name, value in options.items():
            assert (name in AGENT_OPTIONAL_VALUE_OPTIONS) == value.startswith("["), name
            assert (name in AGENT_VALUE_OPTIONS) == bool(value and not value.startswith("[")), name


def test_every_command_under_a_noun_of_ours_is_decided_about(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """Gateways and profiles are ours to keep."""
    gateway_verbs = AGENT_GATEWAY_VERBS | INSTEAD_OF_GATEWAY_VERBS.keys()
    profile_verbs = PASSED_PROFILE_VERBS | OUR_PROFILE_VERBS | REFUSED_PROFILE_VERBS
    for agent in runtimes.values():
        assert verbs(usage(agent, tmp_path, "gateway")) <= gateway_verbs
        assert verbs(usage(agent, tmp_path, "profile")) <= profile_verbs


def test_every_verb_of_skills_is_the_agents_but_ours(runtimes: dict[str, Path], tmp_path: Path) -> None:
    """Ours is none of its own; all that it has is offered at a Tab."""
    found = set.union(*(verbs(usage(agent, tmp_path, "skills")) for agent in runtimes.values()))
    assert found == AGENT_SKILLS_VERBS
    assert not found & OUR_SKILLS_VERBS
