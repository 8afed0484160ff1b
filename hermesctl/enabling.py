"""Which gateways are started with the daemon, one or many.

Owns: who is meant, and how the outcome is shown. Must not start or stop anything.
"""

from fnmatch import fnmatchcase

from hermesctl import gateway_view as view
from hermesctl.bulk import Choice, is_pattern
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.session import Session
from hermesctl.text import clean, pad, width
from hermesd.v1 import gateways_pb2 as v1


def meant(session: Session, choice: Choice) -> list[str]:
    """The names of those that several words, patterns or all mean.

    Raises:
        HermesError: PROFILE_NOT_FOUND, a name or a pattern fits nobody; ARGUMENT_INVALID, nobody is left.
    """
    known = [one.profile for one in session.client.gateways.ListGateways(v1.ListGatewaysRequest()).gateways]
    found = known if choice.is_all else [one for word in choice.names for one in _fitting(word, known)]
    left_out = {one for word in choice.excluded for one in _fitting(word, known)}
    left = [name for name in dict.fromkeys(found) if name not in left_out]
    if not left:
        raise usage("nothing is left to work on", why="every profile that is meant is left out too")
    return left


def _fitting(word: str, known: list[str]) -> list[str]:
    if not is_pattern(word):
        found = [name for name in known if name == word.lower()]
    else:
        found = [name for name in known if fnmatchcase(name, word.lower().replace("[", "[[]"))]
    if not found:
        what = f"no profile fits '{word}'" if is_pattern(word) else f"there is no profile '{word}'"
        raise HermesError(
            "PROFILE_NOT_FOUND", what, fixes=[Fix("hermesctl profile list")], facts={"profile": word}
        )
    return found


def enable(session: Session, names: list[str], order: int | None) -> list[v1.Gateway]:
    """Lets these be started with the daemon, at a place in line unless that stays."""
    requests = [v1.EnableGatewayRequest(profile=name, start_order=order) for name in names]
    return [session.client.gateways.EnableGateway(request) for request in requests]


def disable(session: Session, names: list[str]) -> list[v1.Gateway]:
    """Keeps these from being started with the daemon."""
    requests = [v1.DisableGatewayRequest(profile=name) for name in names]
    return [session.client.gateways.DisableGateway(request) for request in requests]


def show(session: Session, found: list[v1.Gateway], *, is_single: bool) -> None:
    """Says which of them start with the daemon."""
    if session.form.is_text or is_single:
        size = max(width(clean(one.profile)) for one in found)
        text = "" if session.is_quiet else "".join(_line(one, size) for one in found)
        one = found[0]
        session.renderer.single("Gateway", one, name=one.profile, text=lambda: text)
        return
    session.renderer.listing(
        "Gateway", found, view.columns(session.terminal), name=lambda one: one.profile, empty=""
    )


def _line(one: v1.Gateway, size: int) -> str:
    place = f", at place {one.start_order} in line" if one.enabled and one.start_order else ""
    starts = "starts" if one.enabled else "does not start"
    return f"{pad(clean(one.profile), size)}  {starts} with the daemon{place}\n"
