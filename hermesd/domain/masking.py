"""Credentials in texts of others: agents write them into their logs and reports, and nothing we show may have one.

Owns: how well-known credentials look, which settings are secrets by their names, and what is shown instead: what
is public of a credential and "…", so that a person still sees what it was: `1111:…`, `sk-…`, `[MY_KEY…]`. Only
what is certain counts: hashes, ids, moments and paths are what people look for. Must not know where texts come
from.

hermes-agent 0.19.0 tells a rejected bot token in full, in its report and in every log.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping

MARK = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for what is not shown. Every text in which something was masked has it."""

LEAST_CHARACTERS = 8
"""A shorter value is a word that may stand anywhere."""

Masking = Callable[[str], str]
"""Hides credentials in a text, which is the same text if there are none."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|COOKIE")
NO_SECRET = re.compile(r"[~/].*|\$\{\w+\}|\.{1,2}/.*", re.DOTALL)
"""Values that are paths, of a file with a secret, or name a variable."""

_NEEDLES = (
    "sk-",
    "xox",
    "xapp-",
    "eyJ",
    "earer ",
    "AKIA",
    "ASIA",
    "AIza",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
)
"""One stands in each credential of these kinds. Looking for them costs a tenth of what expressions cost."""

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""What stands in an address as it is (RFC 3986)."""

_BEGIN = r"(?<![A-Za-z0-9])"
_LIKELY = r"(?=[A-Za-z_.~+/=-]{0,512}\d)"
"""Words joined by dashes have no digit. Each place in a line is looked from, so none may look at all of it."""

_KNOWN = re.compile(
    rf"(?P<shown>{_BEGIN}sk-){_LIKELY}[A-Za-z0-9_-]{{20,}}"
    rf"|(?P<slack>{_BEGIN}(?:xox[a-z](?:\.xox[a-z])?|xapp)-){_LIKELY}[A-Za-z0-9-]{{10,}}"
    rf"|(?P<jwt>{_BEGIN}eyJ)[A-Za-z0-9_-]{{10,4096}}+\.eyJ[A-Za-z0-9_-]{{6,}}(?:\.[A-Za-z0-9_-]*)?"
    rf"|(?P<bearer>\b[Bb]earer +){_LIKELY}[A-Za-z0-9._~+/=-]{{20,}}"
    rf"|(?P<aws>{_BEGIN}(?:AKIA|ASIA))[A-Z0-9]{{16}}(?![A-Za-z0-9])"
    rf"|(?P<google>{_BEGIN}AIza)[A-Za-z0-9_-]{{35}}"
    rf"|(?P<github>{_BEGIN}(?:gh[oprsu]_|github_pat_))[A-Za-z0-9_]{{30,}}"
)
_TELEGRAM_NEEDLE = re.compile(r":[A-Za-z0-9_-]{30}")
_TELEGRAM = re.compile(r"((?<!\d)\d{4,}(?::|%3[Aa]))(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{30,}")
"""The digits name the bot and are public. Behind them a UUID, a hash or a session would have no capital letter."""

_DISCORD_NEEDLE = re.compile(r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}")
_DISCORD = re.compile(r"(?<![A-Za-z0-9_-])([MNO][A-Za-z0-9_-]{23,27})\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}")


def mask(text: str) -> str:
    """The text without any credential of a well-known shape."""
    if _TELEGRAM_NEEDLE.search(text) or "%3" in text:
        text = _TELEGRAM.sub(rf"\1{MARK}", text)
    if _DISCORD_NEEDLE.search(text):
        text = _DISCORD.sub(_masked_discord, text)
    for needle in _NEEDLES:
        if needle in text:
            return _KNOWN.sub(_masked, text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name is one that nobody else should know."""
    return _SECRET.search(name.upper()) is not None


def is_secret(name: str, value: str) -> bool:
    """Whether a setting holds what nobody else should know: not a path, nor a word that may stand anywhere."""
    is_long = len(value.strip()) >= LEAST_CHARACTERS
    return is_long and is_secret_name(name) and not NO_SECRET.fullmatch(value)


class Mask:
    """Hides the secrets among settings, and whatever `mask` does. It has no way to tell its values."""

    __slots__ = ("_replacements",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        found: dict[str, str] = {}
        for name, value in variables.items():
            if is_secret_name(name) and not NO_SECRET.fullmatch(value):
                shown = _shown(name, value)
                found |= dict.fromkeys(_spellings(value), shown)
        self._replacements = sorted(found.items(), key=lambda one: -len(one[0]))  # a longer one may hold another

    def __call__(self, text: str) -> str:
        """The text without them."""
        for value, shown in self._replacements:
            if value in text:
                text = text.replace(value, shown)
        return mask(text)


def _shown(name: str, value: str) -> str:
    """As its shape is shown, if all of the value is of one; else its name."""
    is_shaped = any(shape.fullmatch(value) for shape in (_TELEGRAM, _DISCORD, _KNOWN))
    masked = mask(value) if is_shaped else value
    return f"[{name}{MARK}]" if masked == value else masked


def _spellings(value: str) -> list[str]:
    """How a value may be written: as it is, in an address, in JSON, and each line of a key of several."""
    lines = value.splitlines()
    written = [value, _in_address(value), json.dumps(value)[1:-1], *(lines if len(lines) > 1 else ())]
    return [one for one in written if len(one) >= LEAST_CHARACTERS and one.strip()]


def _in_address(value: str) -> str:
    written = value.encode(errors="surrogatepass")
    return "".join(chr(one) if chr(one) in _UNRESERVED else f"%{one:02X}" for one in written)


def _masked(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{MARK}"


def _masked_discord(found: re.Match[str]) -> str:
    """The first part says which bot it is, as a number; other names with two dots in them do not."""
    try:
        bot = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
    except binascii.Error:
        return found[0]
    return f"{found[1]}.{MARK}" if bot.isdigit() else found[0]
