"""The logins that a hermes-agent home renews by itself.

Owns: where they lie and which providers take a token only once (hermes-agent 0.19.0). Each home renews what lies
in its own files, under a lock of its own, and writes the next token there alone; a copy in another home is left
with a token that was used. Only Nous's goes to a file of the root's that all its profiles follow. Left out are
Google's tokens, which may be used any number of times, and what a profile without a login of its own borrows of
the default one's files, where it writes back. Of a token nothing but its digest leaves this module.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from hermesd.adapters.agents.hermes_sources import read_json
from hermesd.adapters.filenames import readable
from hermesd.domain.channels import section
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.grants import Grant, Renewal

_STORE = "auth.json"
_ANTHROPIC = ".anthropic_oauth.json"
_MCP = "mcp-tokens"
_BESIDE = (".client.json", ".meta.json")
"""What lies beside a server's tokens and is none."""

_RENEWALS: Mapping[str, Renewal] = {
    "anthropic": Renewal.ENDS,
    "openai-codex": Renewal.ENDS,
    "xai-oauth": Renewal.ENDS,
    "nous": Renewal.FOLLOWED,
}


def read_grants(home: Path) -> list[Grant]:
    """The home's logins, each once. Never raises: what cannot be read grants nothing."""
    return list(dict.fromkeys([*_stored(home), *_of_anthropic(home), *_of_servers(home)]))


def _stored(home: Path) -> Iterator[Grant]:
    store = _json(home / _STORE)
    for provider, state in section(store, ("providers",)).items():
        for entry in (state, section({"state": state}, ("state", "tokens"))):
            yield from _of_provider(provider, entry)
    for provider, entries in section(store, ("credential_pool",)).items():
        for entry in entries if isinstance(entries, list) else ():
            yield from _of_provider(provider, entry)


def _of_provider(provider: object, entry: object) -> Iterator[Grant]:
    if isinstance(provider, str) and isinstance(entry, dict):
        name = readable(provider)
        yield from _grant(name, _STORE, entry.get("refresh_token"), ("auth", "add", name))


def _of_anthropic(home: Path) -> Iterator[Grant]:
    token = _json(home / _ANTHROPIC).get("refreshToken")
    return _grant("anthropic", _ANTHROPIC, token, ("auth", "add", "anthropic"))


def _of_servers(home: Path) -> Iterator[Grant]:
    for path in _files(home / _MCP):
        token, server = _json(path).get("refresh_token"), readable(path.stem)
        yield from _grant(f"mcp {server}", f"{_MCP}/{readable(path.name)}", token, ("mcp", "login", server))


def _files(directory: Path) -> Iterable[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return ()
    return [one for one in entries if one.suffix == ".json" and not one.name.endswith(_BESIDE)]


def _grant(provider: str, source: str, token: object, login: tuple[str, ...]) -> Iterator[Grant]:
    if isinstance(token, str) and token.strip():
        digest = sha256(token.strip().encode(errors="surrogatepass")).hexdigest()
        yield Grant(provider, source, digest, _RENEWALS.get(provider, Renewal.MAY_END), login)


def _json(path: Path) -> Mapping[str, object]:
    try:
        return read_json(path)
    except ConfigInvalid:  # nobody can be logged in by what cannot be read
        return {}
