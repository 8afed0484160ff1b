"""A directory of managed settings that stands in for the site's while hermesd adds one of its own.

Owns: that whatever the site manages holds exactly as without hermesd (hermes-agent 0.19.0, which looks into one
such directory only): its `config.yaml` is copied word for word and followed, its `.env` is linked, so that no
secret is ever written anywhere else. Where that cannot be done for certain, nothing is changed and the caller is
told. Must not know which setting is added, or who uses the directory.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.atomic import sync_directory, temporary_beside, write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.adapters.textfile import read_text
from hermesd.adapters.trees import ensure_private
from hermesd.adapters.yamlfile import with_values

VARIABLE = "HERMES_MANAGED_DIR"
"""Tells the agent where managed settings are."""

SITE = Path("/etc/hermes")
"""Where they are if nobody tells; a directory that is not there manages nothing."""

_BYTE_ORDER_MARK = "\ufeff"


def find_site(environment: Mapping[str, str], directory: Path) -> Path:
    """Where the site's managed settings are for whoever has this environment; there need not be any.

    A daemon that was started inside a gateway has our own `directory` there, or that of another root's daemon,
    which lies in a state beside ours. Those are never taken for the site's: they tell where that is.
    """
    said = environment.get(VARIABLE, "").strip()
    found = Path(os.path.abspath(said)) if said else SITE  # noqa: PTH100 - links stay as they were told
    if (found.name, found.parent.parent) != (directory.name, directory.parent.parent):
        return found
    link = found / ENV
    return link.readlink().parent if link.is_symlink() else SITE


def tell_site(site: Path) -> dict[str, str]:
    """What tells a process where the site's own settings are, unless it looks there anyway."""
    return {} if site == SITE else {VARIABLE: str(site)}


@dataclass(frozen=True)
class Overlay:
    """The directory, what it stands in for, and what it adds."""

    directory: Path
    """Made private at first need."""
    site: Path
    added: Mapping[tuple[str, ...], str]
    """Values by their keys from the top."""

    def refresh(self) -> None:
        """Brings the directory to what the site says now; writes only what differs.

        Raises:
            ConfigInvalid: the site's settings cannot be read, or not be added to safely. The last ones hold.
            DiskFull, NotPermitted: it cannot be written; what lay there does so still.
        """
        text = with_values(self._heading() + self._site_text(), self.added, self.site / CONFIG)
        with translating(self.directory, "make"):
            ensure_private(self.directory)
        self._link_env()
        path = self.directory / CONFIG
        if read_text(path) != text:
            write_atomic(path, text.encode())

    def _site_text(self) -> str:
        return read_text(self.site / CONFIG).removeprefix(_BYTE_ORDER_MARK)

    def _heading(self) -> str:
        return (
            f"# Made by hermesd for the gateways it keeps. To change what is managed, edit {self.site / CONFIG}\n"
        )

    def _link_env(self) -> None:
        """Also where the site has none yet: the agent takes a link that leads nowhere for no file."""
        link, target = self.directory / ENV, self.site / ENV
        if link.is_symlink() and link.readlink() == target:
            return
        with translating(link), temporary_beside(link) as temporary:
            temporary.symlink_to(target)
            temporary.replace(link)
            sync_directory(self.directory)
