"""What the files of a hermes-agent home say.

Owns: which keys mean what (hermes-agent 0.18.2 and 0.19.0), read without running the agent and without opening
its database. Must not know processes.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_api import key_problem, read_api_server
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.yamlfile import Data, read_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.ports import ProfileFacts

CONFIG = "config.yaml"
ENV = ".env"

SKILL = "SKILL.md"
_NO_SKILLS_BELOW = frozenset(
    ".git .github .hub .archive .venv venv node_modules site-packages __pycache__ .tox .nox .pytest_cache "
    ".mypy_cache .ruff_cache".split()
)
_PARTS_OF_A_SKILL = frozenset({"references", "templates", "assets", "scripts"})
"""Directories that, directly inside a skill, hold its material and no other skills."""


@dataclass(frozen=True)
class Model:
    """The model a home is configured for; empty where the agent decides."""

    name: str = ""
    provider: str = ""
    base_url: str = ""
    api_key: str = ""
    """As written: a secret, or a reference to a variable."""


def read_model(config: Data) -> Model:
    """The model, under any of the names that the agent accepts for each setting."""
    section = config.get("model")
    if not isinstance(section, dict):
        section = {"default": section}
    return Model(
        name=_first(section, "default", "model", "name"),
        provider=_first(section, "provider") or _first(config, "provider"),
        base_url=_first(section, "base_url")
        or _first(config, "base_url", "api_base")
        or _first(section, "api_base"),
        api_key=_first(section, "api_key"),
    )


def variables(config: Data, env: Mapping[str, str]) -> dict[str, str]:
    """What the agent finds in its environment: single values of the configuration, overridden by `.env`."""
    bridged = {str(key): str(value) for key, value in config.items() if isinstance(value, str | int | float)}
    return bridged | dict(env)


def read_drain_s(config: Data, env: Mapping[str, str]) -> float:
    """Seconds the gateway may take to finish its turns; 0 where nothing usable is set."""
    agent = config.get("agent")
    own = agent.get("restart_drain_timeout") if isinstance(agent, dict) else None
    said = own if own is not None else env.get("HERMES_RESTART_DRAIN_TIMEOUT", "")
    try:
        drain_s = float(str(said))
    except ValueError:
        return 0.0
    return drain_s if math.isfinite(drain_s) and drain_s > 0 else 0.0


def read_facts(home: Path) -> ProfileFacts:
    """Everything people are told of a home. Never raises: what cannot be read is among the problems."""
    problems: list[str] = []
    config = _read(home / CONFIG, read_yaml, problems)
    env = _read(home / ENV, read_env, problems)
    about = _read(home / "profile.yaml", read_yaml, problems)
    origin = _read(home / "distribution.yaml", read_yaml, problems)
    known = variables(config, env)
    model = read_model(config)
    if problem := key_problem(config, known):
        problems.append(problem)
    return ProfileFacts(
        description=_first(about, "description"),
        model=model.name,
        provider=model.provider,
        base_url=model.base_url,
        skill_count=count_skills(home / "skills"),
        distribution="@".join(part for part in (_first(origin, "name"), _first(origin, "version")) if part),
        api_server=read_api_server(config, known),
        drain_s=read_drain_s(config, env),
        problems=tuple(problems),
    )


def count_skills(directory: Path) -> int:
    """How many skills lie below a directory, links to directories not followed."""
    count = 0
    for _, directories, files in os.walk(directory):
        skipped = _NO_SKILLS_BELOW
        if SKILL in files:
            count += 1
            skipped = skipped | _PARTS_OF_A_SKILL
        directories[:] = [name for name in directories if name not in skipped]
    return count


def _first(section: Mapping[str, Any], *keys: str) -> str:
    """The first of these keys that says something, as text."""
    said = (section.get(key) for key in keys)
    return next((str(value).strip() for value in said if isinstance(value, str | int | float) and str(value)), "")


def _read(path: Path, reader: Any, problems: list[str]) -> Any:
    try:
        return reader(path)
    except ConfigInvalid as error:
        problems.append(error.message)
        return {}
