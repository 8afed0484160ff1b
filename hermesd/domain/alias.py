"""Aliases: small programs named after a profile that call hermesctl for it.

Owns: which names are possible, what an alias file says and how one is recognised. Must not know directories.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.errors import AliasTaken
from hermesd.domain.profile import NAME_PATTERN, NAME_RULE, RESERVED, ProfileName

MARK = "# hermesd alias"

BEGINNING = f"#!/bin/sh\n{MARK}".encode()
"""How the file of every alias of ours begins."""

INTERPRETER, SCRIPT = "python3", "launch.py"
"""The files of a launcher's directory."""

RECOGNISED = re.compile(rf"hermes(?:ctl)? -p ({NAME_PATTERN.pattern})(?![a-z0-9_-])")
"""What makes a file an alias, in upstream's eyes too: `hermes -p NAME` within its first 8 KiB."""

RECOGNISED_BYTES = 8192

AGENT_VERBS = frozenset(
    (
        "chat model moa fallback secrets migrate gateway proxy lsp setup postinstall whatsapp whatsapp-cloud "
        "slack send login logout auth status cron webhook portal kanban project hooks doctor security dump "
        "debug backup checkpoints import config console pairing skills bundles plugins curator pets journey "
        "learning memory-graph memory tools computer-use mcp sessions insights claw version update uninstall "
        "acp profile completion dashboard serve desktop gui logs prompt-size honcho"
    ).split()
)
"""Commands of hermes-agent 0.19.0 (and honcho of earlier ones), which would confuse as names of commands."""


@dataclass(frozen=True)
class Alias:
    """One alias as found on disk."""

    name: str
    profile: ProfileName
    path: Path
    is_ours: bool
    """Whether hermesd wrote it; only then may it be replaced or removed."""


def check_name(name: str) -> None:
    """Refuses a name no alias may have.

    Raises:
        AliasTaken: the name is malformed, reserved, or a command of the agent.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise AliasTaken(f"'{name}' cannot be a command", hint=f"a name is {NAME_RULE}")
    if name in RESERVED or name in AGENT_VERBS or name in {"hermesctl", "hermesd"}:
        raise AliasTaken(f"'{name}' is a command of Hermes itself and cannot be an alias")


def render(launcher: Path, profile: ProfileName) -> str:
    """The alias file for `profile`; `launcher` is the absolute path of the launcher's directory.

    Its interpreter is executed without its environment and its packages (-I, -S), which the launcher does not
    need. Where hermesd was removed without its aliases, hermesctl is looked for as any program.
    The second line is what hermes-agent looks for when it lists aliases (hermes-agent 0.19.0).
    """
    interpreter, script = (shlex.quote(str(launcher / name)) for name in (INTERPRETER, SCRIPT))
    return (
        f"#!/bin/sh\n{MARK}: hermes -p {profile}\n"
        f'test -x {interpreter} && exec {interpreter} -IS {script} -p {profile} "$@"\n'
        f'exec hermesctl -p {profile} "$@"\n'
    )


def recognise(head: str) -> tuple[ProfileName, bool] | None:
    """The profile an alias file stands for, and whether the file is ours; `None` if it is no alias."""
    found = RECOGNISED.search(head)
    if found is None:
        return None
    return ProfileName(found.group(1)), MARK in head
