"""What a hermes-agent home says of itself to people: `profile.yaml`.

Owns: the key that is ours in a file of the agent's, which keeps what it does not know (hermes-agent 0.19.0), and
that every other byte stays. Must not know who sees it.
"""

import os
from pathlib import Path

from hermesd.adapters.agents.hermes_files import DISPLAY_NAME
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.profilefiles import ABOUT
from hermesd.adapters.textfile import invalid, read_text
from hermesd.adapters.yamlfile import parse_yaml, with_values
from hermesd.domain.errors import ProfileNotFound
from hermesd.domain.profile import Home


def set_display_name(home: Home, text: str) -> None:
    """See the port."""
    path = home.path / ABOUT
    if not _is_within(home.path, path):
        raise invalid(path, "it is a link that leads out of the profile")
    current = read_text(path)
    if str(parse_yaml(current, path).get(DISPLAY_NAME) or "") == text:
        return
    changed = with_values(current, {(DISPLAY_NAME,): text}, path)
    try:
        write_atomic(path, changed.encode())
    except FileNotFoundError as error:
        raise ProfileNotFound(f"the home of '{home.name}' is gone", profile=home.name.text) from error


def _is_within(home: Path, path: Path) -> bool:
    """Whether a path, links followed, lies in a home."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))
