"""How far a hermes-agent gateway has come since its start, and how each of its layers does.

Owns: what counts as ready, and what the agent mends by itself. The agent calls itself running when it has no
platform at all, even if the library of an enabled one is missing (0.19.0), so its word alone is not enough. Must
not know files' names or signals.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hermesd.adapters.agents.hermes_api import is_answering, is_free
from hermesd.adapters.agents.hermes_reach import API_SERVER
from hermesd.adapters.agents.hermes_state import CONNECTED, FATAL, GIVEN_UP, Platform, Report
from hermesd.domain.agent import ApiServer
from hermesd.domain.process import Phase, Probe, Sign

_DRAINING = "draining"
_UP = frozenset({"running", "degraded", _DRAINING})
_CONNECTING = "connecting"
_LEFT_ALONE = frozenset({_CONNECTING, "disconnected", GIVEN_UP})
"""Where the agent has lost a platform without noticing: it tries again only what it calls retrying (0.19.0)."""

_TRIED_AT_START = re.compile(r".*_polling_conflict|lock_conflict|.*_reconnect_exhausted")
"""What the agent calls fatal because it has tried for long, or because another program was in its way: it never
tries again, but the next start does, and finds the other one gone or is as patient as before (0.19.0). All else
that is fatal was refused for what it is: a token that is rejected, a library or a setting that is missing. The
next start would find the same, and only interrupt what works."""

_PORT_IN_USE = "api_server_port_in_use"


@dataclass(frozen=True)
class Api:
    """The HTTP API as the gateway that runs was told to serve it."""

    server: ApiServer
    key_problem: str = ""
    """Why it will not, although it is enabled."""
    is_certain: bool = True
    """Whether the gateway read the very settings; they may have been changed since it began."""


def judge(report: Report | None, api: Api, beats: Mapping[str, float]) -> Probe:
    """The probe that follows from a gateway's report and from asking its API, if it has one."""
    if report is None:
        return Probe(Phase.STARTING, "it has not reported yet", beats=beats)
    if report.state not in _UP:
        return Probe(Phase.STARTING, report.exit_reason or _progress(report), beats=beats)
    is_draining = report.state == _DRAINING
    signs = tuple(_signs(report, api))
    troubles = [f"{sign.name}: {sign.detail or sign.word}" for sign in signs if not sign.is_well]
    if is_draining:
        troubles = ["it finishes its turns and takes no new ones"]
    return Probe(
        Phase.DEGRADED if troubles else Phase.READY,
        "; ".join(troubles),
        signs=signs,
        beats=beats,
        is_draining=is_draining,
        active_turns=report.active_turns,
    )


def _progress(report: Report) -> str:
    names = [platform.name for platform in report.platforms if platform.state == _CONNECTING]
    return f"connecting {', '.join(names)}" if names else report.state


def _signs(report: Report, api: Api) -> Iterator[Sign]:
    """The API as it answers, of which the report knows less, then each platform as it is reported."""
    signs = [_platform_sign(one) for one in report.platforms if not _is_asked(one, api)]
    if api.server.is_enabled:
        signs.insert(0, _api_sign(report, api))
    if report.state == "degraded" and all(sign.is_well for sign in signs):
        signs.append(Sign("platforms", False, report.state, "not every platform is connected", is_platform=True))
    yield from signs


def _is_asked(platform: Platform, api: Api) -> bool:
    return platform.name == API_SERVER and api.server.is_enabled


def _platform_sign(platform: Platform) -> Sign:
    return Sign(
        name=platform.name,
        is_well=not platform.is_troubled,
        word=platform.state or "unknown",
        detail=platform.message,
        at_s=platform.updated_at_s,
        is_platform=True,
        is_mended_by_restart=platform.state in _LEFT_ALONE or _is_tried_at_start(platform),
    )


def _is_tried_at_start(platform: Platform) -> bool:
    return platform.state == FATAL and _TRIED_AT_START.fullmatch(platform.code) is not None


def _api_sign(report: Report, api: Api) -> Sign:
    if is_answering(api.server):
        return Sign(API_SERVER, True, "answers")
    said = next((platform for platform in report.platforms if platform.name == API_SERVER), None)
    is_freed = said is not None and _is_freed(said, api)
    cause = "its port was taken when it started, and is free by now" if is_freed else _cause_of_silence(said, api)
    detail = f"not answering on {api.server.host}:{api.server.port}"
    return Sign(
        API_SERVER,
        False,
        "not answering",
        f"{detail}: {cause}" if cause else detail,
        is_mended_by_restart=is_freed or (said is not None and _is_forgotten(said, cause)),
    )


def _is_forgotten(said: Platform, cause: str) -> bool:
    """Whether the agent does nothing about a silence for which nothing else is known to be the cause."""
    if said.state == GIVEN_UP:
        return cause == said.message
    return not cause and said.state in {CONNECTED, *_LEFT_ALONE}


def _is_freed(said: Platform, api: Api) -> bool:
    """Whether the agent found the port taken, which it never tries again (0.19.0), and would not any more."""
    is_in_vain = api.key_problem or not api.is_certain
    return said.code == _PORT_IN_USE and not is_in_vain and is_free(api.server.host, api.server.port)


def _cause_of_silence(said: Platform | None, api: Api) -> str:
    """Why the API may not answer, as far as anybody says: then a restart would find the same again."""
    if not api.is_certain:
        return "its settings were changed after the gateway started, and take effect with a restart"
    if api.key_problem:
        return api.key_problem
    if said is None:
        return "the runtime did not load it, as when its Python package aiohttp is missing"
    if said.is_troubled and not is_free(api.server.host, api.server.port):
        return "another program has this port"  # 0.18.2 does not say so
    return said.message
