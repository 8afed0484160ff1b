"""What the files of a home say of keys and parts, by name alone."""

from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.agent import ProfileFacts
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def facts(path: Path, **files: str) -> ProfileFacts:
    """What a home with these files says."""
    return HermesAgent().facts(home_at(path, **files))


@pytest.mark.parametrize(
    ("config", "env", "key_env", "has_key"),
    [
        ("model: {default: m, provider: anthropic}", "ANTHROPIC_API_KEY=sk-canary", "ANTHROPIC_API_KEY", True),
        (
            "model: {default: m, provider: kimi-coding}",
            "KIMI_CODING_API_KEY=sk-canary",
            "KIMI_CODING_API_KEY",
            True,
        ),
        ("model: {default: m, provider: anthropic}", "ANTHROPIC_API_KEY=", "", False),
        ("model: {default: m, provider: anthropic}", "", "", False),
        ("model: {default: m, api_key: '${MY_KEY}'}", "MY_KEY=sk-canary", "MY_KEY", True),
        ("model: {default: m, api_key: '${MY_KEY}'}", "OTHER=x", "MY_KEY", False),
        ("model: {default: m, provider: anthropic, api_key: sk-canary}", "ANTHROPIC_API_KEY=x", "", True),
        ("", "A_API_KEY=sk-canary", "", False),
        ("model: [", "", "", False),
    ],
)
def test_whether_the_model_has_a_key_is_told_and_never_the_key(
    tmp_path: Path, config: str, env: str, key_env: str, has_key: bool
) -> None:
    """The variable that is named; else the usual one of its provider, where that is set."""
    found = facts(tmp_path, config__yaml=config, __env=env)
    assert (found.key_env, found.has_key) == (key_env, has_key)
    assert "canary" not in repr(found)


def test_what_is_set_is_told_by_name(tmp_path: Path) -> None:
    """Sorted; what is empty is not set, and what is no file is not there."""
    found = facts(tmp_path, __env="B=1\nA=2\nEMPTY=\nNOTHING\n", SOUL__md="You are.")
    assert (found.has_env, found.env_names, found.has_soul) == (True, ("A", "B"), True)
    (tmp_path / "SOUL.md").unlink()
    (tmp_path / "SOUL.md").mkdir()
    (tmp_path / ".env").unlink()
    found = facts(tmp_path)
    assert (found.has_env, found.env_names, found.has_soul) == (False, (), False)


@pytest.mark.parametrize(("said", "is_generated"), [("true", True), ("false", False), ("", False), ("1", True)])
def test_who_wrote_the_description_is_told(tmp_path: Path, said: str, is_generated: bool) -> None:
    """As hermes-agent notes it."""
    about = f"description: x\ndescription_auto: {said}\n"
    assert facts(tmp_path, profile__yaml=about).description_is_generated is is_generated
