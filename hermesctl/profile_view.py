"""How a profile is shown, wherever one is.

Owns: the columns and pages for profiles. Must not ask the daemon.
"""

from collections.abc import Iterable

from hermesctl import gateway_view
from hermesctl.selection import Source
from hermesctl.tables import EMPTY, Column, page
from hermesctl.terminal import Terminal
from hermesctl.text import clean
from hermesd.v1 import gateways_pb2
from hermesd.v1 import profiles_pb2 as v1


def columns(terminal: Terminal) -> list[Column[v1.Profile]]:
    """The columns of a list of profiles."""
    return [
        Column("", lambda one: "*" if one.is_sticky_default else ""),
        Column("NAME", lambda one: one.name),
        Column(
            "GATEWAY",
            lambda one: gateway_view.state_word(one.gateway),
            colour=lambda one: gateway_view.colour(one.gateway),
        ),
        Column("MODEL", lambda one: one.model or EMPTY),
        Column("SKILLS", lambda one: str(one.skill_count), is_number=True),
        Column("ALIAS", lambda one: " ".join(one.aliases) or EMPTY),
        Column("DISTRIBUTION", lambda one: one.distribution or EMPTY, is_wide=True),
        Column("RUNTIME", lambda one: one.runtime or EMPTY, is_wide=True),
        Column("API", lambda one: api_url(one) or EMPTY, is_wide=True),
        Column(
            "CREATED",
            lambda one: gateway_view.moment(terminal, one.created_at if one.HasField("created_at") else None),
            is_wide=True,
        ),
        Column("DESCRIPTION", lambda one: one.description or EMPTY),
        Column("PATH", lambda one: one.path, is_wide=True),
    ]


def api_url(profile: v1.Profile) -> str:
    """Base address of its agent's HTTP API; empty if that is not enabled."""
    api = profile.api_server
    if not api.enabled:
        return ""
    host = f"[{api.host}]" if ":" in api.host else api.host or "127.0.0.1"
    return f"http://{host}:{api.port}"


def short_page(profile: v1.Profile, source: Source, terminal: Terminal) -> str:
    """The profile that is worked on, and why it; of one that does not exist, only that."""
    fields = _fields(profile, terminal)[:3] if profile.path else []
    problems = [] if profile.path else profile.problems
    return page(f"{clean(profile.name)} ({source})", fields) + _problem_lines(problems)


def used(answer: v1.UseProfileResponse) -> str:
    """What the sticky default is now, and what it was."""
    now, before = clean(answer.profile), clean(answer.previous)
    what = f"is already {now}" if now == before else f"is now {now} (was {before})"
    return f"✓ CLI default {what}. Gateways and the dashboard are not affected.\n"


def detail_page(profile: v1.Profile, terminal: Terminal) -> str:
    """One profile in detail."""
    title = f"{profile.name} · {profile.description}" if profile.description else profile.name
    text = page(clean(title), _fields(profile, terminal))
    return text + _problem_lines(profile.problems)


def created(profile: v1.Profile, took: str) -> str:
    """What was made."""
    return _lines([f"✓ created {clean(profile.name)} in {took}", *_places(profile)])


def renamed(before: v1.Profile, after: v1.Profile, took: str) -> str:
    """What a profile is called now, where it is, and what became of a gateway that ran."""
    lines = [f"✓ renamed {clean(before.name)} to {clean(after.name)} in {took}", *_places(after)]
    if gateway_view.is_up(before.gateway):
        lines.append(f"  state  gateway {clean(gateway_view.state_word(after.gateway))}")
    return _lines(lines)


def farewell(profile: v1.Profile, *, is_purge: bool) -> str:
    """What goes when the profile is deleted."""
    gateway = profile.gateway
    has_process = gateway.HasField("process") and gateway.state != gateways_pb2.GATEWAY_STATE_STOPPED
    running = f"runs as pid {gateway.process.pid} and will be stopped" if has_process else ""
    data = "will be removed for good" if is_purge else "will be moved to the trash"
    fields = [
        ("gateway", running),
        ("command", f"{' '.join(profile.aliases)} will be removed" if profile.aliases else ""),
        ("data", f"{profile.path} {data}"),
    ]
    return page(f"This removes profile '{clean(profile.name)}'", fields, label_width=9)


def _places(profile: v1.Profile) -> list[str]:
    """Where its data are and what calls it."""
    aliases = [f"  alias  {clean(alias)} → hermesctl -p {clean(profile.name)}" for alias in profile.aliases]
    return [f"  path   {clean(profile.path)}", *aliases]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _problem_lines(problems: Iterable[str]) -> str:
    return "".join(f"  ! {clean(problem)}\n" for problem in problems)


def _fields(profile: v1.Profile, terminal: Terminal) -> list[tuple[str, str]]:
    endpoint = " ".join(
        part
        for part in (
            f"via {profile.provider}" if profile.provider else "",
            f"at {profile.base_url}" if profile.base_url else "",
        )
        if part
    )
    made = gateway_view.moment_long(terminal, profile.created_at) if profile.HasField("created_at") else ""
    return [
        ("Path", profile.path),
        ("Model", f"{profile.model or 'none'} {endpoint}".rstrip()),
        ("Gateway", gateway_view.summary(profile.gateway, terminal)),
        ("API", api_url(profile)),
        ("Skills", str(profile.skill_count)),
        ("Runtime", profile.runtime or "none is installed"),
        ("Alias", ", ".join(f"{alias} → hermesctl -p {profile.name}" for alias in profile.aliases)),
        ("From", profile.distribution),
        ("Default", "plain commands work on it" if profile.is_sticky_default else ""),
        ("Created", made),
    ]
