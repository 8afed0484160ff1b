"""Looking at a running hermes-agent gateway, often and cheaply.

Owns: what is remembered between two looks at one process, so that nothing is parsed twice. A gateway reads its
API's settings when it starts and never again (0.18.2 and 0.19.0), so those of the first look are what it serves,
whatever a person writes later. Must not know what is made of a look.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from hermesd.adapters.agents import hermes_api
from hermesd.adapters.agents.hermes_beats import Heartbeats
from hermesd.adapters.agents.hermes_files import CONFIG, ENV, variables
from hermesd.adapters.agents.hermes_poll import PLATFORM, Polls, Trouble
from hermesd.adapters.agents.hermes_probe import Api, judge
from hermesd.adapters.agents.hermes_reach import API_SERVER
from hermesd.adapters.agents.hermes_retries import Retries
from hermesd.adapters.agents.hermes_state import (
    CONNECTED,
    GIVEN_UP,
    RECONNECTING,
    REJECTED,
    Platform,
    Report,
    read_report,
    started_at_s,
)
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.secretvalues import HomeMasking
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.agent import ApiServer
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.process import Probe, ProcessIdentity

_STARTING_S = 30.0
"""How long after its start an agent may still write its settings itself, to repair or to bring them up to date."""


@dataclass(frozen=True)
class _Known:
    """What a process was told of its API."""

    process: ProcessIdentity
    api: Api


class Looks:
    """Looks at gateways. For one thread at a time per home."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._heartbeats = Heartbeats()
        self._polls = Polls()
        self._retries = Retries()
        self._maskings: dict[Path, HomeMasking] = {}

    def look(self, home: Path, process: ProcessIdentity) -> Probe:
        """By the gateway's report, what it logs of its polls, its heartbeat and its API's answer."""
        beat_s = self._heartbeats.last_s(home, process)
        beats = {} if beat_s is None else {"heartbeat": beat_s}
        api = self._api_of(home, process)
        probe = judge(self._report(home, process), api, beats)
        if not api.is_certain and any(sign.is_well and sign.name == API_SERVER for sign in probe.signs):
            self._known[home] = _Known(process, replace(api, is_certain=True))
        return probe

    def _report(self, home: Path, process: ProcessIdentity) -> Report | None:
        """The gateway's report, with what it says of platforms corrected where it is known to be wrong."""
        report = read_report(home, process, self._maskings.setdefault(home, HomeMasking(home)))
        if report is None:
            return None
        given_up = self._retries.given_up(home, process, report.platforms)
        return replace(report, platforms=tuple(self._corrected(home, one, given_up) for one in report.platforms))

    def _corrected(self, home: Path, said: Platform, given_up: frozenset[str]) -> Platform:
        if said.name in given_up:
            return replace(said, state=GIVEN_UP)
        trouble = self._polls.trouble(home, said.updated_at_s) if _has_polls(said) else Trouble.NONE
        if not trouble:
            return said
        state = REJECTED if trouble is Trouble.REJECTED else RECONNECTING
        return replace(said, state=state, message=trouble.value)

    def _api_of(self, home: Path, process: ProcessIdentity) -> Api:
        known = self._known.get(home)
        if known is None or known.process != process:
            try:
                known = self._known[home] = _Known(process, _read_api(home, process))
            except ConfigInvalid:  # damaged since the start; what runs has read it before
                return Api(ApiServer())
        return known.api


def _has_polls(platform: Platform) -> bool:
    return platform.name == PLATFORM and platform.state == CONNECTED


def _read_api(home: Path, process: ProcessIdentity) -> Api:
    config, env = read_yaml(home / CONFIG), read_env(home / ENV)
    known = variables(config, env)
    written_at_s = max(_written_at_s(home / CONFIG), _written_at_s(home / ENV))
    return Api(
        hermes_api.read_api_server(config, known),
        hermes_api.key_problem(config, known),
        is_certain=written_at_s <= started_at_s(process) + _STARTING_S,
    )


def _written_at_s(path: Path) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - nothing but a number is wanted
    except OSError:  # not there, so nobody has written it
        return 0.0
