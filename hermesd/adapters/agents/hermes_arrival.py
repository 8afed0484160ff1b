"""A hermes-agent home that came out of a stranger's archive: what in it could act, and that none of it does yet.

Owns: which files and settings make hermes-agent (0.19.0) run something, lower its guard or ask another model, and
how each is switched off without losing what it says. Must not know archives.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hermesd.adapters import yamlfile
from hermesd.adapters.agents import hermes_cron
from hermesd.adapters.agents.clones import printable
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.textfile import read_text
from hermesd.domain.archive import Act, ActKind, Arrival
from hermesd.domain.configuration import plain, shown
from hermesd.domain.errors import ArchiveUnsafe, ConfigInvalid
from hermesd.domain.profile import Home, ProfileName

CONFIG = "config.yaml"
OFF = ".disabled"
MOST_SETTINGS = 20_000
"""Values in the settings; what has more repeats itself by aliases, and nobody could judge it."""

_TOLD = 100
"""Characters of what something would do."""

_PROGRAMS = (".py", ".sh", ".bash", ".js", ".ts", ".rb", ".pl")
_PERSONAS = ("SOUL.md", "AGENTS.md", "CLAUDE.md", ".cursorrules", "system_prompt.md", "MEMORY.md", "USER.md")
_SERVERS, _HOOKS = "mcp_servers", "hooks"

_GUARDS: Mapping[tuple[str, ...], frozenset[object]] = {
    ("approvals", "mode"): frozenset({"off", False}),
    ("approvals", "cron_mode"): frozenset({"approve"}),
    ("delegation", "subagent_auto_approve"): frozenset({True}),
    ("browser", "allow_unsafe_evaluate"): frozenset({True}),
    ("hooks_auto_accept",): frozenset({True}),
    ("skills", "inline_shell"): frozenset({True}),
}
"""Settings, and the values by which the agent does without asking what it otherwise asks for."""

_RUN_BY_THEMSELVES: tuple[tuple[str, ...], ...] = (
    (_HOOKS,),
    ("command_allowlist",),
    ("terminal", "shell_init_files"),
    ("secrets", "onepassword", "binary_path"),
    ("security", "tirith_path"),
)
"""What runs, or lets run, without anybody's doing."""

_COMMANDS = frozenset({"command", "cmd", "binary_path", "script", "program", "args", "exec"})
_LETTING_IN = ("allow_from", "allow_all", "allowed_users", "allowed_chats", "allowed_channels", "allowed_rooms")
"""How settings begin that say who may talk to the bot."""

_ADDRESSES = ("base_url", "api_base", "proxy", "cdp_url", "server_url")

Keys = tuple[str, ...]


@dataclass
class _Settings:
    """The settings that came, and what is to become of them."""

    values: Mapping[str, object]
    name: ProfileName
    acts: list[Act] = field(default_factory=list)
    doomed: list[Keys] = field(default_factory=list)
    switched_off: dict[Keys, bool] = field(default_factory=dict)


def disarm(staged: Home) -> Arrival:
    """Switches off, in a home that nobody can see yet, all that would run by itself; tells what else could act.

    Raises:
        ArchiveUnsafe: the settings or jobs cannot be read, so that nobody can tell what they would do.
        DiskFull, NotPermitted: it cannot be written.
    """
    home = staged.path
    acts = [*_set_aside(home, "hooks", ActKind.HOOK), *_set_aside(home, "plugins", ActKind.PLUGIN)]
    try:
        jobs = hermes_cron.pause_jobs(home, "it came out of an archive")
        original, of_settings = _disarm_settings(home / CONFIG, staged.name)
    except ConfigInvalid as error:
        message = error.message.replace(f"{home}/", "")
        raise ArchiveUnsafe(f"nobody can tell what it would run: {message}") from error
    acts += [
        Act(ActKind.JOB, _short(job), is_disabled=True, enabling=f"hermesctl -p {staged.name} cron resume JOB")
        for job in jobs
    ]
    return Arrival((*acts, *of_settings, *_skills(home), *_personas(home)), original)


def _set_aside(home: Path, name: str, kind: ActKind) -> Iterator[Act]:
    """Gives a directory whose programs the agent loads by itself a name that it does not look for."""
    place = home / name
    if not os.path.lexists(place):
        return
    aside = next(one for one in _free_names(home, name) if not os.path.lexists(one))
    found = sorted(os.listdir(place)) if place.is_dir() else [name]  # noqa: PTH208
    place.rename(aside)
    for entry in found:
        yield Act(
            kind, printable(entry), is_disabled=True, enabling=f"move {aside.name}/{printable(entry)} to {name}/"
        )


def _free_names(home: Path, name: str) -> Iterator[Path]:
    yield home / f"{name}{OFF}"
    number = 2
    while True:
        yield home / f"{name}{OFF}-{number}"
        number += 1


def _disarm_settings(path: Path, name: ProfileName) -> tuple[bytes | None, list[Act]]:
    """Changes the settings where they must be; what they were comes back."""
    text = read_text(path)
    settings = _Settings(yamlfile.parse_yaml(text, path), name)
    if sum(1 for _ in zip(_each(settings.values), range(MOST_SETTINGS + 1), strict=False)) > MOST_SETTINGS:
        raise ArchiveUnsafe(f"its {CONFIG} has more than {MOST_SETTINGS} values")
    _judge_servers(settings)
    _judge_own(settings)
    _judge_others(settings)
    if not (settings.doomed or settings.switched_off):
        return None, settings.acts
    after = yamlfile.without(text, settings.doomed, path)
    after = yamlfile.with_values(after, settings.switched_off, path)
    left = yamlfile.parse_yaml(after, path)
    if stuck := [".".join(keys) for keys in settings.doomed if _at(left, keys) is not None]:
        raise ArchiveUnsafe(f"{', '.join(stuck)} cannot be switched off in its {CONFIG}")
    write_atomic(path, after.encode())
    return text.encode(), settings.acts


def _judge_servers(settings: _Settings) -> None:
    servers = settings.values.get(_SERVERS)
    for name, server in servers.items() if isinstance(servers, Mapping) else ():
        if not isinstance(server, Mapping):
            continue
        words = [server.get("command"), *_listed(server.get("args"))]
        does = " ".join(str(word) for word in words if word is not None) or str(server.get("url") or "")
        keys = (_SERVERS, str(name))
        settings.switched_off[(*keys, "enabled")] = False
        enabling = f"hermesctl config set {'.'.join(keys)}.enabled=true -p {settings.name}"
        settings.acts.append(Act(ActKind.SERVER, _short(f"{name}: {does}"), True, enabling, is_setting=True))


def _judge_own(settings: _Settings) -> None:
    """The settings that are known to run something, or to let it run."""
    for keys, lowered in _GUARDS.items():
        value = _at(settings.values, keys)
        if not lowered.isdisjoint(_read_as(value)):
            _drop(settings, ActKind.GUARD, keys, value)
    for keys in _RUN_BY_THEMSELVES:
        value = _at(settings.values, keys)
        if value not in (None, "", {}, []):
            _drop(settings, ActKind.COMMAND, keys, value)


def _drop(settings: _Settings, kind: ActKind, keys: Keys, value: object) -> None:
    settings.doomed.append(keys)
    key = ".".join(keys)
    told = "; ".join(f"{'.'.join(below)} {_value('.'.join(below), one)}".strip() for below, one in _each(value))
    enabling = f"hermesctl config revert 1 -p {settings.name} (all settings)"
    settings.acts.append(Act(kind, _short(f"{key}: {told}"), True, enabling, is_setting=True))


def _judge_others(settings: _Settings) -> None:
    """Whatever else names a program or another address, by the name of its key."""
    for keys, value in _each(settings.values):
        names = [name for name in keys if not name.isdecimal()]
        is_known = any(keys[: len(one)] == one for one in (*settings.doomed, (_SERVERS,)))
        if is_known or not names or value in ("", None, False):
            continue
        told = _short(f"{'.'.join(keys)}: {_value('.'.join(keys), value)}")
        if names[-1].startswith(_LETTING_IN):
            settings.acts.append(Act(ActKind.PEOPLE, told))
        elif names[-1] in _COMMANDS and isinstance(value, str):
            settings.acts.append(Act(ActKind.COMMAND, told))
        elif names[-1].endswith(_ADDRESSES) and isinstance(value, str):
            settings.acts.append(Act(ActKind.REDIRECT, told))


def _skills(home: Path) -> Iterator[Act]:
    """Skills with programs, which run once the agent follows the skill."""
    top = home / "skills"
    counts: dict[str, int] = {}
    for directory, _, files in os.walk(top):
        way = Path(directory).relative_to(top).parts
        count = sum(_is_program(Path(directory, name)) for name in files)
        if way and count:
            skill = "/".join(way[:2]) if (top.joinpath(*way[:2]) / "SKILL.md").exists() else way[0]
            counts[skill] = counts.get(skill, 0) + count
    for skill, count in sorted(counts.items()):
        yield Act(ActKind.SKILL, _short(f"{skill}: {count} program{'s' * (count > 1)}"))


def _is_program(path: Path) -> bool:
    return path.suffix in _PROGRAMS or (path.is_file() and os.access(path, os.X_OK))


def _personas(home: Path) -> Iterator[Act]:
    paths = [home / name for name in _PERSONAS]
    for path in (*paths, *sorted((home / "memories").glob("*.md"))):
        if path.is_file() and (size := path.stat().st_size):
            yield Act(ActKind.PERSONA, f"{printable(str(path.relative_to(home)))}: {size} bytes")


def _each(values: object) -> Iterator[tuple[Keys, object]]:
    """Every single value with its keys, without recursion: a stranger chose how deep they lie."""
    left: list[tuple[Keys, object]] = [((), values)]
    while left:
        keys, value = left.pop()
        below: list[tuple[object, object]] = []
        if isinstance(value, Mapping):
            below = list(value.items())
        elif isinstance(value, list):
            below = list(enumerate(value))
        else:
            yield keys, value
        left += [((*keys, str(name)), one) for name, one in reversed(below)]


def _read_as(value: object) -> frozenset[object]:
    """What the agent may take a value for: it forgives capitals, and yes and no written as text or number."""
    word = str(value).strip().lower()
    found: set[object] = {word}
    if word in {"true", "yes", "on", "1"}:
        found.add(True)
    if word in {"false", "no", "off", "0"}:
        found.add(False)
    return frozenset(found)


def _at(values: object, keys: Keys) -> object:
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _value(key: str, value: object) -> str:
    return shown(key, value).text if isinstance(value, str) else plain(value)


def _short(text: str) -> str:
    told = printable(" ".join(text.split()))
    return told if len(told) <= _TOLD else f"{told[: _TOLD - 1]}…"
