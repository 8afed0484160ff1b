"""Where the settings of a hermes-agent gateway come from, and which of them counts.

Owns: the agent's own reading rules (hermes-agent 0.19.0): which file yields to which, how it mends and expands
`.env`, where a platform's section may stand. Reads only. Values are secrets: whoever asks for one must not let it
out. Must not know what a setting means.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv.variables import parse_variables

from hermesd.adapters import dotenvfile, jsontext, yamlfile
from hermesd.adapters.agents.hermes_files import CONFIG, ENV, text_of, variables
from hermesd.adapters.textfile import invalid, read_text
from hermesd.domain import exclusivity
from hermesd.domain.channels import section
from hermesd.domain.errors import ConfigInvalid

SAFE_ENV = ".op.env"
"""Names secrets that lie elsewhere, and yields to the other."""

ENV_FILES = (ENV, SAFE_ENV)
"""Where variables are set."""

LEGACY_CONFIG = "gateway.json"
"""Settings of platforms as older versions kept them; still read."""

_KEYS = ("_API_KEY", "_TOKEN", "_SECRET", "_KEY")
_HIDDEN = "***"
"""What an aborted setup leaves in place of a value."""
_STRUCTURED = ("://", "?", "&")
_REFERENCE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Sources:
    """What the files of one home say."""

    config: Mapping[str, Any]
    legacy: Mapping[str, Any]
    variables: Mapping[str, str]
    """As the agent finds them in its environment."""

    def of(self, platform: str) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """The sections of a platform and where they stand; of two that say something the first counts."""
        found: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [
            ((*keys, name), entry)
            for keys in (("platforms",), ("gateway", "platforms"))
            for name, entry in section(self.config, keys).items()
            if isinstance(name, str) and name.strip().lower() == platform and isinstance(entry, dict)
        ]
        old = section(self.legacy, ("platforms", platform))
        return [*found, ((LEGACY_CONFIG, platform), old)] if old else found

    def setting(self, platform: str, key: str) -> tuple[str, str]:
        """What a key of a platform's says, as text, and its dotted place; both empty if it says nothing."""
        if not key:
            return "", ""
        if key.startswith("."):
            return self._at((), self.config, key[1:])
        found = (self._at(place, entry, key) for place, entry in self.of(platform))
        return next((one for one in found if one[0]), ("", ""))

    def is_enabled(self, platform: str) -> bool | None:
        """What the configuration says of whether a platform is on; `None` if nothing."""
        top = section(self.config, (platform,))
        said = [entry["enabled"] for entry in (top, *(one for _, one in self.of(platform))) if "enabled" in entry]
        return is_yes(said[0]) if said else None

    def _at(self, place: Iterable[str], entry: Mapping[str, Any], key: str) -> tuple[str, str]:
        *parents, last = key.split(".")
        value = section(entry, parents).get(last)
        text = self._expanded(text_of(value).strip())
        return (text, ".".join((*place, key))) if text else ("", "")

    def _expanded(self, text: str) -> str:
        """The text with references to variables replaced; empty if one leads nowhere, for then it is no value."""
        names = _REFERENCE.findall(text)
        if any(not self.variables.get(name) for name in names):
            return ""
        return _REFERENCE.sub(lambda found: self.variables[found[1]], text)


def is_yes(said: object) -> bool:
    """Whether the agent takes this for yes."""
    if isinstance(said, str):
        return said.strip().lower() in {"true", "1", "yes", "on"}
    return bool(said)


def read_sources(home: Path) -> Sources:
    """Reads a home. Never raises: what cannot be read says nothing, and is told with every look at the home."""
    env: dict[str, str] = {}
    for name in reversed(ENV_FILES):
        env |= _read(home / name, lambda path: loaded(read_text(path)))
    config = _read(home / CONFIG, yamlfile.read_yaml)
    return Sources(config, _read(home / LEGACY_CONFIG, read_json), variables(config, env))


def loaded(text: str) -> dict[str, str]:
    """The variables of a `.env` as the agent finds them: mended, expanded, keys without what is not ASCII."""
    found: dict[str, str] = {}
    for name, value in dotenvfile.parse_env(_mended(text)).items():
        expanded = "".join(atom.resolve(found) for atom in parse_variables(value))
        plain = expanded.encode("ascii", "ignore").decode() if name.endswith(_KEYS) else expanded
        if plain != _HIDDEN:
            found[name] = plain
    return found


def written(text: str) -> list[tuple[str, str]]:
    """Every variable of a `.env` with its value, as it is written and as the agent finds it."""
    return [*dotenvfile.parse_env(text).items(), *loaded(text).items()]


def read_json(path: Path) -> dict[str, Any]:
    """The top-level mapping of a JSON file; empty if there is none. Raises `ConfigInvalid`."""
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path) -> dict[str, Any]:
    """Like `read_json`, of a text that was read from `path`."""
    try:
        data = jsontext.parse(text) if text else {}
    except ValueError as error:
        raise invalid(path, "it is not JSON") from error
    return data if isinstance(data, dict) else {}


def _read(path: Path, reader: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = reader(path)
    except ConfigInvalid:  # told with every look at the profile
        return {}
    return found


def _mended(text: str) -> str:
    """The text as the agent writes it back before it reads it: one entry a line, without NULs.

    It knows more names than the table of platforms; two other entries that run into each other stay one.
    """
    lines = text.replace("\0", "").splitlines(keepends=True)
    return "".join(piece for line in lines for piece in _entries(line))


def _entries(line: str) -> list[str]:
    """The entries that run into each other in a line, a line each."""
    entry = line.strip()
    starts = [] if entry.startswith("#") else _starts(entry)
    if len(starts) < 2 or starts[0] != 0:
        return [line]
    pieces = [entry[start:end] for start, end in zip(starts, [*starts[1:], len(entry)], strict=True)]
    values = [piece.partition("=")[2] for piece in pieces[:-1]]
    if any(mark in value for value in values for mark in _STRUCTURED) or any(map(_has_space, values)):
        return [line]
    return [f"{piece.strip()}\n" for piece in pieces]


def _starts(entry: str) -> list[int]:
    """Where names of the table begin that are no ends of longer ones."""
    ranges = [found.span() for name in _NAMES for found in re.finditer(re.escape(f"{name}="), entry)]
    return sorted(
        {
            start
            for start, end in ranges
            if not any(
                other <= start and end <= until and (other, until) != (start, end) for other, until in ranges
            )
        }
    )


def _has_space(text: str) -> bool:
    return any(map(str.isspace, text))


_NAMES = exclusivity.variables()
