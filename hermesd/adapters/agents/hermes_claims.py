"""What the gateway of a hermes-agent home needs for itself alone.

Owns: applying the table of exclusivity to what a home's files say, logins that lie in directories, and what the
agent calls its own locks (hermes-agent 0.19.0). Of a value nothing but its digest leaves this module. Must not
know who else claims anything.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from hermesd.adapters.agents.hermes_api import port_source, read_api_server
from hermesd.adapters.agents.hermes_sources import LEGACY_CONFIG, Sources, is_yes, read_json, read_sources
from hermesd.domain.channels import CHANNELS, section
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.exclusivity import RULES, SWITCH, Part, Place, Port, Rule
from hermesd.domain.listening import API_SERVER
from hermesd.domain.profile import NAME_PATTERN

_NUMBER = re.compile(r"[0-9]{1,5}")
_MOST_PORT = 65_535

_LOCK_SCOPES: Mapping[str, str] = {
    "TELEGRAM_BOT_TOKEN": "telegram-bot-token",
    "DISCORD_BOT_TOKEN": "discord-bot-token",
    "SLACK_APP_TOKEN": "slack-app-token",
    "SIGNAL_ACCOUNT": "signal-phone",
    "WEIXIN_TOKEN": "weixin-bot-token",
    "QQ_APP_ID": "qqbot-appid",
    "YUANBAO_APP_ID": "yuanbao-app-key",
    "FEISHU_APP_ID": "feishu-app-id",
    "IRC_NICKNAME": "irc",
    "LINE_CHANNEL_ACCESS_TOKEN": "line",
}
"""How the names of the agent's own locks begin, by the first variable of the identity."""
_LOCK_DIGITS = 16

_NO = frozenset({"false", "0", "no"})
_LOGINS = {channel.platform: channel.login for channel in CHANNELS if channel.login}
"""Where logins lie: the usual place, and an older one that counts while anything is in it."""


def read_claims(home: Path) -> list[Claim]:
    """What a home's gateway would use, in the order of the table. Never raises: what is unreadable claims nothing.

    A gateway that serves all profiles has their bots too; its routes to them need no ports.
    """
    sources = read_sources(home)
    found = [*_claims(home, sources)]
    if _serves_all(sources):
        others = (claim for other in _profiles(home) for claim in _claims(other, read_sources(other)))
        found += [claim for claim in others if claim.kind is not ClaimKind.PORT]
    return list(dict.fromkeys(found))


def _claims(home: Path, sources: Sources) -> Iterator[Claim]:
    for rule in RULES:
        bots = [*_bots(rule, sources), *_stored(rule, home)]
        if _is_on(rule, sources, bots):
            yield from bots
            yield from _logins(rule, home, sources)
            yield from _ports(rule, sources)
    api = read_api_server(sources.config, sources.variables)
    if api.is_enabled:
        source, is_usual = port_source(sources.config, sources.variables)
        yield Claim(ClaimKind.PORT, API_SERVER, source, port=api.port, is_usual=is_usual)


def _is_on(rule: Rule, sources: Sources, bots: Iterable[Claim]) -> bool:
    """Whether the gateway would bring a platform up, as far as files tell."""
    by_variables = _is_on_by_variables(rule, sources)
    said = sources.is_enabled(rule.platform)
    if any(sources.variables.get(name, "").lower() in _NO for name in rule.turned_off_by):
        return False
    if said is not None:
        return said or (rule.is_forced and by_variables)
    is_written = any(claim.source not in sources.variables for claim in bots)
    return by_variables or (rule.is_on_by_identity and is_written)


def _is_on_by_variables(rule: Rule, sources: Sources) -> bool:
    return all(any(_is_set(name, sources) for name in group) for group in rule.turned_on_by)


def _is_set(name: str, sources: Sources) -> bool:
    value = sources.variables.get(name.removesuffix(SWITCH), "")
    return is_yes(value) if name.endswith(SWITCH) else bool(value.strip())


def _bots(rule: Rule, sources: Sources) -> Iterator[Claim]:
    for identity in rule.exclusive:
        found = [_value(rule.platform, part, sources) for part in identity]
        if all(value for value, _ in found) and any(source for _, source in found):
            values = [value for value, _ in found]
            source = next(source for _, source in found if source)
            yield _bot(rule.platform, source, _agents_lock(identity[0].variables[0], values), values)


def _bot(platform: str, source: str, agents_lock: str, values: Iterable[str]) -> Claim:
    same = "@".join(_in_one_form(platform, value) for value in values)
    return Claim(ClaimKind.BOT, platform, source, _digest(same), agents_lock=agents_lock)


def _in_one_form(platform: str, value: str) -> str:
    """The value as it is compared: an address ends without a slash, a mailbox has no capitals."""
    if platform == "email":
        return value.lower()
    return value.rstrip("/") if "://" in value else value


def _value(platform: str, part: Part, sources: Sources) -> tuple[str, str]:
    """A value and where it is read from; variables win over the configuration, and what is usual has no place."""
    for name in part.variables:
        if value := sources.variables.get(name, "").strip():
            return value, name
    value, place = sources.setting(platform, part.key)
    return (value, place) if value else (part.usual, "")


def _agents_lock(variable: str, values: list[str]) -> str:
    """The file name of the lock that the agent takes for an identity; empty if it takes none."""
    scope = _LOCK_SCOPES.get(variable)
    if scope is None:
        return ""
    locked = ":".join(reversed(values))
    if scope == "line":
        locked = _digest(locked)[:_LOCK_DIGITS]
    return _lock_name(scope, locked)


def _lock_name(scope: str, locked: str) -> str:
    return f"{scope}-{_digest(locked)[:_LOCK_DIGITS]}.lock"


def _stored(rule: Rule, home: Path) -> Iterator[Claim]:
    """Identities that a platform's setup keeps among the agent's logins."""
    if rule.platform == "photon":
        pool = section(_json(home / "auth.json"), ("credential_pool",)).get("photon_project")
        entry = pool[0] if isinstance(pool, list) and pool and isinstance(pool[0], dict) else {}
        project = entry.get("spectrum_project_id") or entry.get("project_id")
        if isinstance(project, str) and project and entry.get("project_secret"):
            yield _bot(rule.platform, "auth.json", "", [project])


def _logins(rule: Rule, home: Path, sources: Sources) -> Iterator[Claim]:
    """The directory of a login, and whose login it is: a copied directory is the same device twice."""
    if rule.platform not in _LOGINS:
        return
    said, place = sources.setting(rule.platform, "extra.session_path")
    usual = _login_place(home, *_LOGINS[rule.platform])
    path = Path(said) if said and _can_be_path(said) else home / usual
    lock = _lock_name(f"{rule.platform}-session", str(path))
    digest = _digest(os.path.realpath(path))
    yield Claim(ClaimKind.LOGIN, rule.platform, place or usual, digest, agents_lock=lock)
    device = section(_json(path / "creds.json"), ("me",)).get("id")
    if isinstance(device, str) and device:
        yield _bot(rule.platform, place or usual, "", [device])


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _login_place(home: Path, usual: str, old: str) -> str:
    try:
        return old if any((home / old).iterdir()) else usual
    except OSError:
        return usual


def _ports(rule: Rule, sources: Sources) -> Iterator[Claim]:
    for port in rule.ports:
        if _listens(rule.platform, port, sources):
            places = port.places(is_on_by_variables=_is_on_by_variables(rule, sources))
            text, source = _named_port(rule.platform, port, places, sources)
            number = int(text) if _NUMBER.fullmatch(text) else port.usual
            if 0 < number <= _MOST_PORT:
                source = source or _unwritten(rule.platform, port, places, sources)
                yield Claim(ClaimKind.PORT, rule.platform, source, port=number, is_usual=not text)


def _named_port(platform: str, port: Port, places: Iterable[Place], sources: Sources) -> tuple[str, str]:
    """What is written, as text, and where; both empty if nothing is."""
    for place in places:
        if place is Place.KEY:
            text, source = sources.setting(platform, port.key)
        else:
            text, source = sources.variables.get(port.variable, "").strip(), port.variable
        if text:
            return text, source
    return "", ""


def _unwritten(platform: str, port: Port, places: Iterable[Place], sources: Sources) -> str:
    """Where a port can be written of which nothing is said: a variable if one counts, else the configuration."""
    if Place.VARIABLE in places:
        return port.variable
    known = (place for place, _ in sources.of(platform) if place[0] != LEGACY_CONFIG)
    return ".".join((*next(known, ("platforms", platform)), port.key))


def _listens(platform: str, port: Port, sources: Sources) -> bool:
    if port.condition is None:
        return True
    said, _ = _value(platform, port.condition, sources)
    return said.strip().lower() == port.equals if port.equals else bool(said)


def _serves_all(sources: Sources) -> bool:
    """Whether this gateway is one for all profiles (hermes-agent 0.19.0 calls it multiplexing)."""
    said = sources.variables.get("GATEWAY_MULTIPLEX_PROFILES", "").strip().lower()
    if said in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        return is_yes(said)
    nested = section(sources.config, ("gateway",)).get("multiplex_profiles")
    return is_yes(sources.config.get("multiplex_profiles", nested))


def _profiles(home: Path) -> list[Path]:
    """Homes of other profiles below this one, which then is the root."""
    try:
        entries = sorted((home / "profiles").iterdir())
    except OSError:
        return []
    return [entry for entry in entries if NAME_PATTERN.fullmatch(entry.name) and entry.is_dir()]


def _json(path: Path) -> Mapping[str, object]:
    try:
        return read_json(path)
    except ConfigInvalid:  # a login that cannot be read connects nobody
        return {}


def _digest(value: str) -> str:
    return sha256(value.encode(errors="surrogatepass")).hexdigest()
