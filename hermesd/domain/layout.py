"""What a fresh profile's home contains.

Owns: names, modes and texts, compatible with hermes-agent 0.19.0 (`hermes profile create`), but private from
the first byte: directories 0700, files 0600. Must not know how they are written.
"""

import json
from collections.abc import Mapping

DIRECTORIES = ("memories", "sessions", "skills", "skins", "logs", "plans", "workspace", "cron", "home")

STAGING = ".hermesd"
"""Directory below `profiles/` for what is being made or removed; hermes-agent ignores the name."""

PURGING = ".purging-"
"""Marks an entry of the trash whose deletion has begun; no profile's name starts with a dot."""

NOT_OF_DEFAULT = frozenset({"profiles", "hermes-agent", ".worktrees", "node_modules", "bin"})
"""Entries of the root that are not the default profile's: other profiles, and the agent's own program."""

ENV_TEXT = """\
# Secrets of this profile: API keys and bot tokens, one KEY=value a line.
# Values here win over the shell's environment.
# Settings that are not secret belong in config.yaml.
"""

SOUL_TEXT = """\
You are a helpful, knowledgeable and direct assistant. You explain what you do and why, say when you are not
sure, and ask when a request can be read in more than one way. You prefer a short answer that works to a long
one that impresses, and you finish what you start.
"""

OPT_OUT = ".no-bundled-skills"
OPT_OUT_TEXT = "Bundled skills are not copied into this profile. Delete this file to have them again.\n"


FRESH_FILES = frozenset({".env", "SOUL.md", "profile.yaml", OPT_OUT, "config.yaml"})
"""Files that may lie in a home in which nobody has worked yet, hermes-agent's own fresh ones among them."""


MARKS = frozenset({".env", "SOUL.md", "config.yaml", "profile.yaml", "distribution.yaml", "state.db"})
"""Files of which a directory has at least one if it is a profile, and not what a cut-off command left of one."""


def fresh_files(*, description: str, with_skills: bool) -> Mapping[str, str]:
    """Relative path and text of each file in a fresh home."""
    files = {".env": ENV_TEXT, "SOUL.md": SOUL_TEXT}
    if description:
        files["profile.yaml"] = f"description: {_quoted(description)}\ndescription_auto: false\n"
    if not with_skills:
        files[OPT_OUT] = OPT_OUT_TEXT
    return files


def _quoted(text: str) -> str:
    """A JSON string is a YAML string, once what YAML forbids or takes for a line end is escaped too."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
