"""Runtimes: installed agents. Owns what identifies one; must not know how one is installed or asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERMES_AGENT = "hermes-agent"
COMMAND = "command"


@dataclass(frozen=True)
class Runtime:
    """An agent that can be run."""

    name: str
    kind: str
    """`HERMES_AGENT` or `COMMAND`."""
    version: str
    """The agent's own version; empty when it has none."""
    executable: Path
    is_managed: bool
    """Whether hermesd installed it."""


@dataclass(frozen=True)
class Launch:
    """How an agent is started: the program, its arguments and what its environment adds."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: Path | None = None
    """Where it must start; `None` where its caller is."""
    has_watchdog: bool = False
    """Whether it was asked to say by notification that it is ready, and that its loop goes round."""


@dataclass(frozen=True)
class InstallProgress:
    """How far an installation has come."""

    phase: str
    detail: str = ""
    done: int = 0
    total: int = 0
    """Packages in all; 0 when not known."""
