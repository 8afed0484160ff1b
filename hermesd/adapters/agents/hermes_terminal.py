"""Where the tools of hermes-agent work (0.18.2 and 0.19.0).

Owns: what `terminal.cwd` means, and which commands are conversations. Must not know how a command is started.

The agent's own chat starts its tools in the directory that the process is in, whatever is configured; one-shots of
0.18.2 do so too, those of 0.19.0 and gateways keep to the configuration. What is not on this machine (a container,
another host) is the agent's own matter.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.textfile import edit_command
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.profile import Home

WORKPLACE_VARIABLE = "TERMINAL_CWD"
CONVERSATION = "chat"
VALUE_OPTIONS = frozenset(
    "-z --oneshot -m --model --provider -t --toolsets -r --resume -s --skills --usage-file".split()
)
OPTIONAL_VALUE_OPTIONS = frozenset({"-c", "--continue"})
_ANSWERS = frozenset({"-h", "--help", "-V", "--version"})
_REFERENCE = re.compile(r"\$\{(\w+)\}")


def read_workplace(home: Path) -> Path | None:
    """The directory of this machine that a home wants its tools to start in; `None` if it does not say.

    Never raises: the agent starts on defaults if its configuration is damaged.
    """
    try:
        config, env = read_yaml(home / CONFIG), read_env(home / ENV)
    except ConfigInvalid:
        return None
    section = config.get("terminal")
    terminal = section if isinstance(section, dict) else {}
    backend = terminal.get("backend") or terminal.get("env_type") or env.get("TERMINAL_ENV") or "local"
    said = terminal.get("cwd")
    if str(backend).strip().lower() != "local" or not isinstance(said, str):
        return None
    known = {"HOME": os.environ.get("HOME", ""), **env}
    expanded = _REFERENCE.sub(lambda found: known.get(found[1], found[0]), said.strip())
    path = Path(os.path.expanduser(expanded))  # noqa: PTH111 - it never raises
    return path if path.is_absolute() else None


def is_conversation(arguments: Sequence[str]) -> bool:
    """Whether a command of the agent is one in which the agent itself works: `chat`, or no command at all."""
    words = iter(arguments)
    following = next(words, None)
    while (word := following) is not None:
        following = next(words, None)
        if word in _ANSWERS:
            return False
        if not word.startswith("-"):
            return word == CONVERSATION
        is_value = word in OPTIONAL_VALUE_OPTIONS and following is not None and not following.startswith("-")
        if word in VALUE_OPTIONS or is_value:
            following = next(words, None)
    return True


def no_workplace(home: Home, workplace: Path) -> ConfigInvalid:
    """The failure of a conversation that would have to work in a directory that is not there."""
    return ConfigInvalid(
        f"cannot work in {workplace}: it is no directory",
        hint=f"it is terminal.cwd of profile {home.name}",
        fixes=[edit_command(home.path / CONFIG)],
        path=str(home.path / CONFIG),
    )
