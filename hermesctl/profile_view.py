"""How a profile is shown, wherever one is.

Owns: the columns and pages for profiles. Must not ask the daemon.
"""

from collections.abc import Iterable, Mapping, Sequence

from hermesctl import claim_view, disk_view, gateway_view
from hermesctl.selection import Source
from hermesctl.shapes import word
from hermesctl.tables import EMPTY, Column, page
from hermesctl.terminal import Terminal
from hermesctl.text import clean
from hermesd.v1 import aliases_pb2, claims_pb2, gateways_pb2, terminals_pb2
from hermesd.v1 import profiles_pb2 as v1

IGNORED = 10
"""Entries that are named below a list."""

ENV_NAMES = 6
"""Names of a `.env` that a page has room for."""


def columns(terminal: Terminal, usages: Mapping[str, v1.DiskUsage]) -> list[Column[v1.Profile]]:
    """The columns of a list of profiles; `usages` is by name, and empty where nobody asked."""
    disk = Column[v1.Profile]("DISK", lambda one: disk_view.total(usages.get(one.name)), is_number=True)
    return [
        Column("", lambda one: "*" if one.is_sticky_default else ""),
        Column("NAME", label),
        Column(
            "GATEWAY",
            lambda one: gateway_view.state_phrase(one.gateway),
            colour=lambda one: gateway_view.colour(one.gateway),
        ),
        Column("MODEL", lambda one: one.model or EMPTY),
        Column("SKILLS", lambda one: str(one.skill_count), is_number=True),
        *([disk] if usages else []),
        Column("ALIAS", lambda one: " ".join(one.aliases) or EMPTY),
        Column("DISTRIBUTION", lambda one: one.distribution or EMPTY, is_wide=True),
        Column("RUNTIME", lambda one: one.runtime or EMPTY, is_wide=True),
        Column("API", lambda one: api_url(one) or EMPTY, is_wide=True),
        Column(
            "CREATED",
            lambda one: gateway_view.moment(terminal, one.created_at if one.HasField("created_at") else None),
            is_wide=True,
        ),
        Column("DESCRIPTION", lambda one: description(one) or EMPTY),
        Column("PATH", lambda one: one.path, is_wide=True),
    ]


def label(profile: v1.Profile) -> str:
    """What it is called in commands, and what people call it."""
    return f"{profile.name} ({profile.display_name})" if profile.display_name else profile.name


def description(profile: v1.Profile) -> str:
    """What it is for, and whether a machine says so."""
    return f"[auto] {profile.description}" if profile.description_is_generated else profile.description


def ignored_lines(ignored: Sequence[v1.IgnoredEntry]) -> list[str]:
    """What lies where profiles are and is none, a line each; of many, the first."""
    lines = [f"no profile: {clean(one.path)}: {clean(one.why)}" for one in ignored[:IGNORED]]
    rest = len(ignored) - IGNORED
    return [*lines, f"and {rest} more; -o json lists them"] if rest > 0 else lines


def shown_as(profile: v1.Profile) -> str:
    """What people see from now on."""
    shown = clean(profile.display_name)
    if not shown:
        return f"✓ {clean(profile.name)} is shown under its own name\n"
    return f"✓ {clean(profile.name)} is shown as {shown}; in commands it is {clean(profile.name)} as before\n"


def api_url(profile: v1.Profile) -> str:
    """Base address of its agent's HTTP API; empty if that is not enabled."""
    api = profile.api_server
    if not api.enabled:
        return ""
    host = f"[{api.host}]" if ":" in api.host else api.host or "127.0.0.1"
    return f"http://{host}:{api.port}"


def short_page(profile: v1.Profile, source: Source, terminal: Terminal) -> str:
    """The profile that is worked on, and why it; of one that does not exist, only that."""
    fields = _main_fields(profile, terminal, profile.path) if profile.path else []
    problems = [] if profile.path else profile.problems
    return page(f"{clean(label(profile))} ({source})", fields, columns=terminal.columns) + _problem_lines(problems)


def used(answer: v1.UseProfileResponse) -> str:
    """What the sticky default is now, and what it was."""
    now, before = clean(answer.profile), clean(answer.previous)
    what = f"is already {now}" if now == before else f"is now {now} (was {before})"
    return f"✓ CLI default {what}. Gateways and the dashboard are not affected.\n"


def detail_page(
    profile: v1.Profile,
    terminal: Terminal,
    usage: v1.DiskUsage,
    terminals: Sequence[terminals_pb2.Terminal],
    claims: Sequence[claims_pb2.Claim] = (),
    aliases: Sequence[aliases_pb2.Alias] = (),
) -> str:
    """One profile in detail."""
    what = description(profile)
    title = f"{label(profile)} · {what}" if what else label(profile)
    path = f"{_short(profile.path, terminal)} ({disk_view.summary(usage)})"
    fields = [*_main_fields(profile, terminal, path), *_further_fields(profile, terminal, claims, aliases)]
    if terminals:
        at_work = " · ".join(f"{one.verb} (pid {one.pid})" for one in terminals)
        fields.insert(3, ("Terminals", at_work))
    return page(clean(title), fields, columns=terminal.columns) + _problem_lines(profile.problems)


def created(profile: v1.Profile, took: str) -> str:
    """What was made, and what comes next: an agent without a model can say nothing."""
    command = profile.aliases[0] if profile.aliases else f"hermesctl -p {profile.name}"
    following = f"  next   {clean(command)} {'chat' if profile.model else 'setup'}"
    return _lines([f"✓ created {clean(profile.name)} in {took}", *_places(profile), following])


def renamed(before: v1.Profile, after: v1.Profile, took: str) -> str:
    """What a profile is called now, where it is, and what became of a gateway that ran."""
    lines = [f"✓ renamed {clean(before.name)} to {clean(after.name)} in {took}", *_places(after)]
    if gateway_view.is_up(before.gateway):
        lines.append(f"  state  gateway {clean(gateway_view.state_word(after.gateway))}")
    return _lines(lines)


def _places(profile: v1.Profile) -> list[str]:
    """Where its data are and what calls it."""
    aliases = [f"  alias  {clean(alias)} → hermesctl -p {clean(profile.name)}" for alias in profile.aliases]
    return [f"  path   {clean(profile.path)}", *aliases]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _problem_lines(problems: Iterable[str]) -> str:
    return "".join(f"  ! {clean(problem)}\n" for problem in problems)


def _main_fields(profile: v1.Profile, terminal: Terminal, path: str) -> list[tuple[str, str]]:
    """Where it is, what it asks and whether it is up."""
    parts = [
        profile.model or "none",
        f"via {profile.provider}" if profile.provider else "",
        f"at {profile.base_url}" if profile.base_url else "",
        _key(profile),
    ]
    return [
        ("Path", path),
        ("Model", " ".join(part for part in parts if part)),
        ("Gateway", _gateway(profile, terminal)),
    ]


def _further_fields(
    profile: v1.Profile,
    terminal: Terminal,
    claims: Sequence[claims_pb2.Claim],
    aliases: Sequence[aliases_pb2.Alias],
) -> list[tuple[str, str]]:
    made = gateway_view.moment_long(terminal, profile.created_at) if profile.HasField("created_at") else ""
    return [
        ("Channels", " · ".join(f"{one.platform} {_fingerprint(one)}" for one in profile.channels)),
        ("Claims", " · ".join(claim_view.summary(one, profile.name) for one in claims)),
        *(("Login", _grant(one)) for one in profile.grants),
        ("API", api_url(profile)),
        ("Skills", str(profile.skill_count)),
        (".env", _env(profile)),
        ("SOUL.md", "there" if profile.has_soul else "not there"),
        ("Runtime", profile.runtime or "none is installed"),
        ("Alias", ", ".join(_alias(alias) for alias in aliases)),
        ("From", profile.distribution),
        ("Default", "plain commands work on it" if profile.is_sticky_default else ""),
        ("Created", made),
    ]


def _alias(alias: aliases_pb2.Alias) -> str:
    """A command for it, and whether it comes to us: hermes-agent makes commands of its own."""
    return f"{alias.name} → hermesctl -p {alias.profile}" if alias.is_ours else f"{alias.name} (not hermesctl's)"


def _gateway(profile: v1.Profile, terminal: Terminal) -> str:
    """Its state, and what the operator asked for."""
    gateway = profile.gateway
    parts = [gateway_view.summary(gateway, terminal), f"wanted {word(gateways_pb2.Wish.DESCRIPTOR, gateway.wish)}"]
    if not gateway.enabled:
        parts.append("not with the daemon")
    if gateway.restarts:
        parts.append(f"{gateway.restarts} restart{'' if gateway.restarts == 1 else 's'}")
    return " · ".join(parts)


def _key(profile: v1.Profile) -> str:
    """Whether the model's key is set, never what it is."""
    if profile.key_env:
        return f"(key {profile.key_env} {'set' if profile.has_key else 'not set'})"
    return "(key in config.yaml)" if profile.has_key else ""


def _env(profile: v1.Profile) -> str:
    """What is set in its `.env`, by name."""
    if not profile.has_env:
        return "not there"
    names = profile.env_names
    rest = f" and {len(names) - ENV_NAMES} more" if len(names) > ENV_NAMES else ""
    return f"{', '.join(names[:ENV_NAMES])}{rest}" if names else "there, nothing is set"


def _grant(shared: v1.SharedGrant) -> str:
    """A login that others have too, what will happen, and what can be done."""
    fix = f" ({shared.fix})" if shared.fix else ""
    return f"{shared.provider} is that of {', '.join(shared.profiles)} too: {shared.consequence}{fix}"


def _fingerprint(channel: v1.Channel) -> str:
    return f"sha256:{channel.fingerprint[:4]}…{channel.fingerprint[-2:]}"


def _short(path: str, terminal: Terminal) -> str:
    """A path as people write it; programs get it as it is."""
    home = terminal.environment.get("HOME", "").rstrip("/")
    if terminal.columns is None or not home or not path.startswith(f"{home}/"):
        return path
    return f"~{path.removeprefix(home)}"
