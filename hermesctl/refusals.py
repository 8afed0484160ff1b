"""Commands of the agent that would work against the daemon.

Owns: which they are, why, and which command of ours does it instead. Must not know how a command line is read or
run. Judged by hermes-agent 0.19.0: commands that start, stop or replace gateways, agents or profiles; its
dashboard and servers do so on a click.
"""

import shlex
from collections.abc import Sequence

from hermesctl.errors import Fix, HermesError, usage

_SERVER = "it would start and stop gateways behind hermesd's back"
REFUSED = {
    "update": ("hermesd installs agents side by side instead of changing the one in use", "runtime install"),
    "uninstall": ("hermesd keeps the agents and their gateways", "runtime list"),
    "dashboard": (_SERVER, "status"),
    "serve": (_SERVER, "status"),
    "desktop": (_SERVER, "status"),
    "gui": (_SERVER, "status"),
}
"""Commands that are refused whatever follows: why, and what to use."""

AGENT_GATEWAY_VERBS = frozenset({"setup", "enroll"})
INSTEAD_OF_GATEWAY_VERBS = {
    "": "start",  # which runs one
    "run": "start",
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "status": "status",
    "list": "list",
    "install": "start",
    "uninstall": "stop",
    "migrate-legacy": "start",
}
"""Even a look is refused: the agent takes a starting gateway's lock to see whether it runs."""

PASSED_PROFILE_VERBS = frozenset({"info"})
OUR_PROFILE_VERBS = frozenset("list use create rename delete show describe alias export import".split())
HELP = frozenset({"-h", "--help"})


def refusal(verb: str, following: Sequence[str], profile: str) -> HermesError | None:
    """Why a command of the agent is not passed on, and what to use; `None` if it may be.

    `following` are the plain words after the verb: neither options nor their values. `profile` is the one that the
    command line names, or empty.
    """
    named = f" -p {shlex.quote(profile)}" if profile else ""
    own = following[0] if following else ""
    if verb in REFUSED:
        why, instead = REFUSED[verb]
        return _refused(verb, why, instead)
    if verb == "gateway" and own not in AGENT_GATEWAY_VERBS:
        instead = INSTEAD_OF_GATEWAY_VERBS.get(own, "--help")
        why = "hermesd runs the gateways, and a second one would fight over the same messages"
        return _refused(f"gateway {own}", why, f"gateway {instead}{named}")
    if verb == "profile" and own not in PASSED_PROFILE_VERBS:
        is_ours = own in {"", *OUR_PROFILE_VERBS}
        why = "it knows nothing of hermesd, and may change a profile whose gateway works"
        insisting = "" if is_ours else "hermes --unsafe -- "
        return _refused(f"profile {own}", why, f"{insisting}{shlex.join([verb, *following])}")
    return None


def _refused(what: str, why: str, instead: str) -> HermesError:
    fixes = [Fix(f"hermesctl {instead}".strip())]
    return usage(f"the agent's '{what.strip()}' is not run beside hermesd", why=why, fixes=fixes)
