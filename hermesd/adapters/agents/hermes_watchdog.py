"""Having a hermes-agent gateway say that it is ready, and that its event loop goes round (0.19.0).

Owns: what makes it do so, and when that is let be. It speaks only if its configuration asks for systemd's
watchdog, which is a person's to write, so the setting comes from a directory of managed settings that only the
gateway is told of. Must not know who listens.
"""

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermesd.adapters.agents.hermes_files import CONFIG, is_there
from hermesd.adapters.agents.hermes_overlay import SITE, VARIABLE, Overlay, tell_site
from hermesd.adapters.agents.hermes_version import has_watchdog
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.channels import section
from hermesd.domain.errors import ConfigInvalid, HermesError
from hermesd.domain.profile import Home

log = logging.getLogger(__name__)

WATCHDOG_S = 60.0
"""The agent beats at twice this pace, so every 30 s as its heartbeat file does. It beats no more once its loop is
late by a quarter of this, for good: a shorter time would lose the beats of a machine that is busy for a moment."""

KEY = ("gateway", "systemd_watchdog_seconds")
USER_UNITS = Path(".config") / "systemd" / "user"


@dataclass(frozen=True)
class Watchdog:
    """How gateways are made to speak."""

    notify_address: str = ""
    """Socket for their notifications; empty for none."""
    directory: Path | None = None
    """Where managed settings may be put; `None` for nowhere."""
    site: Path = SITE
    """Where the site's are."""
    user_home: Path | None = None
    interval_s: float = WATCHDOG_S

    def managed(self) -> dict[str, str]:
        """Where a process finds the site's own settings, unless it looks there anyway."""
        return tell_site(self.site)

    def environment(self, version: str, home: Home) -> dict[str, str]:
        """What makes the home's gateway speak; nothing if it cannot, or must not, be made to.

        Never raises: whatever is in the way, the gateway starts as it would without.
        """
        if not self.notify_address or not has_watchdog(version) or not is_there(home.path / CONFIG):
            return {}  # without a configuration of its own it reads no managed one either
        try:
            return self._environment(home)
        except HermesError as error:
            log.warning("profile=%s starts without a watchdog: %s", home.name, error.message)
            return {}

    def refresh(self) -> None:
        """Follows the site's settings for gateways that run, which a daemon before this one may have started.

        While those cannot be read the last ones hold, where the agent itself would drop them all. Raises
        `DiskFull`, `NotPermitted`.
        """
        overlay = self._overlay()
        if overlay is None or not self.notify_address:
            return
        try:
            overlay.refresh()
        except ConfigInvalid as error:
            log.warning("managed settings stay as they were: %s", error.message)

    def _environment(self, home: Home) -> dict[str, str]:
        own, managed = read_yaml(home.path / CONFIG), read_yaml(self.site / CONFIG)
        spoken = {"NOTIFY_SOCKET": self.notify_address, "WATCHDOG_USEC": str(round(self.interval_s * 1e6))}
        said = next((found for found in (_said(managed), _said(own)) if found), None)
        if said is not None:
            return spoken if _is_positive(said[0]) else {}
        overlay = self._overlay()
        if overlay is None or self._has_unit(home):
            return {}
        overlay.refresh()
        return {**spoken, VARIABLE: str(overlay.directory)}

    def _overlay(self) -> Overlay | None:
        if self.directory is None:
            return None
        return Overlay(self.directory, self.site, {KEY: str(max(1, math.ceil(self.interval_s)))})

    def _has_unit(self, home: Home) -> bool:
        """Whether the agent has a service of the person's for this home.

        It writes it anew at each start by the settings it finds, and would have systemd wait for what the same
        gateway does not say when it is started by that service.
        """
        if self.user_home is None:
            return False
        name = "hermes-gateway" if home.name.is_default else f"hermes-gateway-{home.name}"
        return os.path.lexists(self.user_home / USER_UNITS / f"{name}.service")


def _said(config: Mapping[str, Any]) -> list[Any]:
    """What a configuration says of the watchdog itself, if it does."""
    *above, name = KEY
    found = section(config, above)
    return [found[name]] if name in found else []


def _is_positive(said: Any) -> bool:
    """Whether the agent takes it for a time."""
    if isinstance(said, bool):
        return False
    return str(said).strip().isdecimal() and int(said) > 0
