"""What a hermes-agent home says of itself to people: `profile.yaml`.

Owns: the key that is ours in a file of the agent's, which keeps what it does not know (hermes-agent 0.19.0), and
that every other byte stays. Must not know who sees it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hermesd.adapters.agents.hermes_files import DISPLAY_NAME
from hermesd.adapters.profilefiles import ABOUT, write_about
from hermesd.adapters.textfile import invalid
from hermesd.adapters.yamlfile import Data
from hermesd.domain.profile import Home


def set_display_name(home: Home, text: str) -> None:
    """See the port."""
    path = home.path / ABOUT
    if not _is_within(home.path, path):
        raise invalid(path, "it is a link that leads out of the profile")

    def values(about: Data) -> Mapping[tuple[str, ...], str]:
        return {} if str(about.get(DISPLAY_NAME) or "") == text else {(DISPLAY_NAME,): text}

    write_about(home.path, values)


def _is_within(home: Path, path: Path) -> bool:
    """Whether a path, links followed, lies in a home."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(home))
