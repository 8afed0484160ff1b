"""What people are told of a hermes-agent home.

Owns: putting together what the home's files say. Must not know what their keys mean, nor processes. No database is
opened, and the agent is not run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_api import key_problem, read_api_server
from hermesd.adapters.agents.hermes_cron import count_active
from hermesd.adapters.agents.hermes_files import (
    CONFIG,
    DISPLAY_NAME,
    ENV,
    SOUL,
    count_skills,
    first,
    is_there,
    read_drain_s,
    read_key_env,
    read_model,
    variables,
)
from hermesd.adapters.agents.hermes_reach import API_SERVER, CRON, UNKNOWN, read_channels
from hermesd.adapters.agents.hermes_sources import LEGACY_CONFIG, SAFE_ENV, read_json
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.profilefiles import ABOUT, description_in
from hermesd.adapters.yamlfile import Data, read_yaml
from hermesd.domain.agent import ProfileFacts
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.profile import DISPLAY_NAME_LENGTH


def read_facts(home: Path) -> ProfileFacts:
    """Everything people are told of a home. Never raises: what cannot be read is among the problems."""
    problems: list[str] = []
    config = _read(home / CONFIG, read_yaml, problems)
    env = _read(home / ENV, read_env, problems)
    known = variables(config, env)
    api_server = read_api_server(config, known)
    channels = _read_channels(home, config, known, has_all=not problems)
    if api_server.is_enabled:
        channels.add(API_SERVER)
    about = _read(home / ABOUT, read_yaml, problems)
    described = description_in(about)
    origin = _read(home / "distribution.yaml", read_yaml, problems)
    model = read_model(config)
    key_env = read_key_env(model, env)
    if problem := key_problem(config, known):
        problems.append(problem)
    return ProfileFacts(
        description=described.text,
        description_is_generated=described.is_generated,
        display_name=" ".join(first(about, DISPLAY_NAME).split())[:DISPLAY_NAME_LENGTH],
        has_env=is_there(home / ENV),
        env_names=tuple(sorted(name for name, value in env.items() if value)),
        has_soul=is_there(home / SOUL),
        key_env=key_env,
        has_key=bool(known.get(key_env)) if key_env else bool(model.api_key),
        model=model.name,
        provider=model.provider,
        base_url=model.base_url,
        skill_count=count_skills(home / "skills"),
        distribution="@".join(part for part in (first(origin, "name"), first(origin, "version")) if part),
        api_server=api_server,
        channels=tuple(sorted(channels)),
        drain_s=read_drain_s(config, env),
        problems=tuple(problems),
    )


def _read_channels(home: Path, config: Data, known: Mapping[str, str], *, has_all: bool) -> set[str]:
    """By what the gateway could be reached, its API not counted; without `has_all` nobody knows them all."""
    unread: list[str] = []
    safe = _read(home / SAFE_ENV, read_env, unread)
    legacy = _read(home / LEGACY_CONFIG, read_json, unread)
    is_root = home.parent.name != "profiles"  # as the agent finds its root
    channels = read_channels(config, {**safe, **known}, legacy, is_root=is_root)
    if _has_active_job(home):
        channels.add(CRON)
    return channels if has_all and not unread else channels | {UNKNOWN}


def _has_active_job(home: Path) -> bool:
    try:
        return count_active(home) > 0
    except ConfigInvalid:  # the agent cannot tell either, and runs none
        return False


def _read(path: Path, reader: Any, problems: list[str]) -> Any:
    try:
        return reader(path)
    except ConfigInvalid as error:
        problems.append(error.message)
        return {}
