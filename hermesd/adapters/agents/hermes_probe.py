"""How far a hermes-agent gateway has come since its start.

Owns: what counts as ready. The agent calls itself running when it has no platform at all, even if the library
of an enabled one is missing (0.19.0), so its word alone is not enough. Must not know files' names or signals.
"""

from hermesd.adapters.agents.hermes_api import is_answering, is_free
from hermesd.adapters.agents.hermes_state import Platform, Report
from hermesd.domain.ports import ApiServer
from hermesd.domain.process import Phase, Probe

_API_SERVER = "api_server"
_UP = frozenset({"running", "degraded"})
_CONNECTING = "connecting"


def judge(report: Report | None, api: ApiServer, key_problem: str) -> Probe:
    """The probe that follows from a gateway's report and from asking its API, if it has one."""
    if report is None:
        return Probe(Phase.STARTING, "it has not reported yet")
    if report.state == "draining":
        return Probe(Phase.DEGRADED, "it finishes its turns and takes no new ones")
    if report.state not in _UP:
        return Probe(Phase.STARTING, report.exit_reason or _progress(report))
    troubles = [_describe(platform) for platform in report.platforms if _counts(platform, api)]
    if api.is_enabled and not is_answering(api):
        troubles.insert(0, _silence(report, api, key_problem))
    if not troubles and report.state == "degraded":
        troubles.append("not every platform is connected")
    return Probe(Phase.DEGRADED, "; ".join(troubles)) if troubles else Probe(Phase.READY)


def _progress(report: Report) -> str:
    names = [platform.name for platform in report.platforms if platform.state == _CONNECTING]
    return f"connecting {', '.join(names)}" if names else report.state


def _counts(platform: Platform, api: ApiServer) -> bool:
    """Whether a platform's report is a trouble by itself; of an enabled API the answer tells more."""
    return platform.is_troubled and not (platform.name == _API_SERVER and api.is_enabled)


def _describe(platform: Platform) -> str:
    return f"{platform.name}: {platform.message or platform.state}"


def _silence(report: Report, api: ApiServer, key_problem: str) -> str:
    """Why the API may not answer, as far as anybody says."""
    said = next((platform for platform in report.platforms if platform.name == _API_SERVER), None)
    silence = f"{_API_SERVER}: not answering on {api.host}:{api.port}"
    if key_problem:
        return f"{silence}: {key_problem}"
    if said is None:
        return f"{silence}: the runtime did not load it, as when its Python package aiohttp is missing"
    if said.is_troubled and not is_free(api.host, api.port):
        return f"{silence}: another program has this port"  # 0.18.2 does not say so
    return f"{silence}: {said.message}" if said.message else silence
