"""What connects a hermes-agent home to messaging platforms: found, and taken out.

Owns: which files hold it (hermes-agent 0.19.0). The platforms and their variables are in the domain's table. A
value found here never leaves this module but as a fingerprint. Must not know why it is asked for.
"""

import hashlib
import json
from pathlib import Path

from hermesd.adapters import dotenvfile, yamlfile
from hermesd.adapters.agents.hermes_files import CONFIG
from hermesd.adapters.agents.hermes_sources import ENV_FILES, LEGACY_CONFIG, parse_json, read_json, read_sources
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.textfile import read_text
from hermesd.domain.channels import CHANNELS, channel_of, identities, section, sections
from hermesd.domain.cloning import Credential
from hermesd.domain.digests import FINGERPRINT_DIGITS
from hermesd.domain.errors import ConfigInvalid

_LEAST_SECRET_LENGTH = 8
"""What is shorter may stand anywhere by chance."""


def read_credentials(home: Path) -> list[Credential]:
    """What platforms know the home's bots by, each once. Never raises: what cannot be read names nothing."""
    found: dict[tuple[str, str], Credential] = {}
    for platform, variable, value in [*_identities(home), *_logins(home)]:
        credential = Credential(platform, variable, _fingerprint(value))
        found.setdefault((platform, credential.fingerprint), credential)
    return list(found.values())


def stripped(home: Path) -> dict[str, str]:
    """The texts of the home's files without what connects platforms, by name: those that would change.

    Raises:
        ConfigInvalid: a file cannot be read, or must be edited by hand.
    """
    texts = {name: read_text(home / name) for name in (*ENV_FILES, CONFIG, LEGACY_CONFIG)}
    changed = {name: _stripped_env(texts[name], home / name) for name in ENV_FILES}
    changed[CONFIG] = _stripped_config(texts[CONFIG], home / CONFIG)
    changed[LEGACY_CONFIG] = _stripped_legacy(texts[LEGACY_CONFIG], home / LEGACY_CONFIG)
    return {name: text for name, text in changed.items() if text != texts[name]}


def strip(home: Path) -> list[str]:
    """Takes out what connects platforms. Returns where a credential is named all the same, a sentence each.

    Raises:
        ConfigInvalid: a file cannot be read, or must be edited by hand.
        DiskFull, NotPermitted: a file cannot be written.
    """
    secrets = {variable: value for _, variable, value in _identities(home) if len(value) >= _LEAST_SECRET_LENGTH}
    for name, text in stripped(home).items():
        write_atomic(home / name, text.encode())
    told = []
    for name in (*ENV_FILES, CONFIG, LEGACY_CONFIG):
        text = read_text(home / name)
        told += [f"{home / name} still holds what {key} was" for key, value in secrets.items() if value in text]
    return told


def _identities(home: Path) -> list[tuple[str, str, str]]:
    sources = read_sources(home)
    legacy_found = identities({"platforms": section(sources.legacy, ["platforms"])}, {})
    return [*identities(sources.config, sources.variables), *legacy_found]


def _logins(home: Path) -> list[tuple[str, str, str]]:
    """Accounts that a platform's own directory says one is logged in as."""
    found = []
    for channel in CHANNELS:
        for place in channel.login:
            try:
                login = read_json(home / place / "creds.json")
            except ConfigInvalid:  # it logs in nobody
                continue
            account = section(login, ["me"]).get("id")
            if isinstance(account, str) and account:
                found.append((channel.platform, place, account))
    return found


def _fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:FINGERPRINT_DIGITS]


def _stripped_env(text: str, path: Path) -> str:
    names = {name for name in dotenvfile.names(text) if channel_of(name) is not None}
    known = {name for channel in CHANNELS for pair, _ in channel.identities for name in pair.split("@")}
    return dotenvfile.without(text, names | known, path)


def _stripped_config(text: str, path: Path) -> str:
    config = yamlfile.parse_yaml(text, path)
    entries = [keys for keys, _ in sections(config)]
    entries += [(name,) for name in config if isinstance(name, str) and channel_of(name) is not None]
    relay = [name for name in section(config, ["gateway"]) if isinstance(name, str) and name.startswith("relay_")]
    entries += [("gateway", name) for name in relay]
    return yamlfile.without(text, entries, path) if entries else text


def _stripped_legacy(text: str, path: Path) -> str:
    data = parse_json(text, path)
    doomed = [keys for keys, _ in sections({"platforms": section(data, ["platforms"])})]
    for _, name in doomed:
        del data["platforms"][name]
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n" if doomed else text
