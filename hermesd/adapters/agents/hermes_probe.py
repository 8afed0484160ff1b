"""How far a hermes-agent gateway has come since its start, and how each of its layers does.

Owns: what counts as ready, and what the agent mends by itself. The agent calls itself running when it has no
platform at all, even if the library of an enabled one is missing (0.19.0), so its word alone is not enough. Must
not know files' names or signals.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hermesd.adapters.agents.hermes_api import is_answering, is_free
from hermesd.adapters.agents.hermes_reach import API_SERVER
from hermesd.adapters.agents.hermes_state import CONNECTED, Platform, Report
from hermesd.domain.agent import ApiServer
from hermesd.domain.process import Phase, Probe, Sign

_DRAINING = "draining"
_UP = frozenset({"running", "degraded", _DRAINING})
_CONNECTING = "connecting"
_LEFT_ALONE = frozenset({_CONNECTING, "disconnected"})
"""Where the agent has lost a platform without noticing: it tries again only what it calls retrying (0.19.0)."""


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
        is_mended_by_restart=platform.state in _LEFT_ALONE,
    )


def _api_sign(report: Report, api: Api) -> Sign:
    if is_answering(api.server):
        return Sign(API_SERVER, True, "answers")
    said = next((platform for platform in report.platforms if platform.name == API_SERVER), None)
    cause = _cause_of_silence(said, api)
    detail = f"not answering on {api.server.host}:{api.server.port}"
    return Sign(
        API_SERVER,
        False,
        "not answering",
        f"{detail}: {cause}" if cause else detail,
        is_mended_by_restart=not cause and said is not None and said.state in {CONNECTED, *_LEFT_ALONE},
    )


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
