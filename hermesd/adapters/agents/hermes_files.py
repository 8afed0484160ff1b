"""What the files of a hermes-agent home say.

Owns: which keys mean what (hermes-agent 0.18.2 and 0.19.0), read without running the agent and without opening
its database. Must not know processes.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermesd.adapters.skilltrees import EXCLUDED, SUPPORT
from hermesd.adapters.yamlfile import Data
from hermesd.domain.logs import LogFile, Source

CONFIG = "config.yaml"
ENV = ".env"
SOUL = "SOUL.md"
DISPLAY_NAME = "display_name"

SKILL = "SKILL.md"

LOG_FILES = (
    LogFile(Source.AGENT, "logs/agent.log"),
    LogFile(Source.GATEWAY, "logs/gateway.log"),
    LogFile(Source.ERRORS, "logs/errors.log"),
)
"""What hermes-agent 0.19.0 writes. The first has all that is in the others, which reach back further."""

_REFERENCE = re.compile(r"\$\{(\w+)\}")


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
        name=first(section, "default", "model", "name"),
        provider=first(section, "provider") or first(config, "provider"),
        base_url=first(section, "base_url") or first(config, "base_url", "api_base") or first(section, "api_base"),
        api_key=first(section, "api_key"),
    )


def variables(config: Data, env: Mapping[str, str]) -> dict[str, str]:
    """What the agent finds in its environment: single values of the configuration, overridden by `.env`."""
    bridged = {
        text_of(key): text_of(value) for key, value in config.items() if isinstance(value, str | int | float)
    }
    return bridged | dict(env)


def text_of(value: object) -> str:
    """A single value of the configuration as text; empty for anything else, and for a number beyond all bounds."""
    try:
        return str(value) if isinstance(value, str | int | float) else ""
    except ValueError:  # Python writes no number of more than a few thousand digits
        return ""


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


def read_key_env(model: Model, env: Mapping[str, str]) -> str:
    """The variable that holds the key of the model: one that is named, else the usual one of its provider."""
    if reference := _REFERENCE.fullmatch(model.api_key):
        return reference[1]
    usual = re.sub(r"\W", "_", f"{model.provider}_API_KEY").upper()
    return usual if not model.api_key and env.get(usual) else ""


def is_there(path: Path) -> bool:
    """Whether a file can be reached, through links too."""
    return os.path.isfile(path)  # noqa: PTH113 - it never raises


def count_skills(directory: Path) -> int:
    """How many skills lie below a directory, links to directories not followed."""
    count = 0
    for _, directories, files in os.walk(directory):
        skipped = EXCLUDED
        if SKILL in files:
            count += 1
            skipped = skipped | SUPPORT
        directories[:] = [name for name in directories if name not in skipped]
    return count


def first(section: Mapping[str, Any], *keys: str) -> str:
    """The first of these keys that says something, as text."""
    said = (text_of(section.get(key)) for key in keys)
    return next((text.strip() for text in said if text), "")
