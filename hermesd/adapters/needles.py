"""Known secrets, however they may be written, and where they stand in bytes.

Owns: the forms that a value is looked for in, and finding many of them at once. Values stay in here: what comes
out are places and the names of secrets. Must not know files.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from hermesd.domain.archive import Secret

LEAST_BYTES = 12
"""What is shorter is a word that may stand anywhere."""

FILL = b"REDACTED"
PLAIN, ADDRESS, BASE64 = "as it is", "as in an address", "in base64"
_SEXTET, _OCTET = 6, 8


class Span(NamedTuple):
    """A secret found in bytes."""

    start: int
    end: int
    number: int
    """Which form of which secret."""


@dataclass(frozen=True)
class _Form:
    secret: Secret
    how: str


class Needles:
    """Looks for secrets."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        found: dict[bytes, _Form] = {}
        for secret in secrets:
            for written, how in _forms(secret.value):
                if len(written) >= LEAST_BYTES:
                    found.setdefault(written, _Form(secret, how))
        self._forms = list(found.values())
        self.longest = max(map(len, found), default=0)
        """Bytes of the longest form: so much must two stretches that are searched have in common."""
        self._automaton = (
            BytesAhoCorasick(list(found), MatchKind.LeftmostLongest, Implementation.DFA) if found else None
        )

    def __bool__(self) -> bool:
        return self._automaton is not None

    def find(self, data: bytes) -> list[Span]:
        """Every place of a secret, none of which overlap, from the left."""
        if self._automaton is None:
            return []
        return [Span(start, end, number) for number, start, end in self._automaton.find_matches_as_indexes(data)]

    def find_in(self, chunks: Iterable[bytes]) -> Iterator[Span]:
        """The same of bytes that come in pieces; places count from the first of them all."""
        before, position = b"", 0
        for chunk in chunks:
            data = before + chunk
            for start, end, number in self.find(data):
                if end > len(before):  # else it was found with the piece before
                    yield Span(position + start, position + end, number)
            keep = min(len(data), self.longest - 1) if self.longest else 0
            position += len(data) - keep
            before = data[len(data) - keep :]

    def told(self, span: Span) -> tuple[Secret, str]:
        """Which secret stands there, and how it is written."""
        form = self._forms[span.number]
        return form.secret, form.how

    def without(self, data: bytes) -> bytes:
        """Other bytes, as many, in which no secret stands."""
        spans = self.find(data)
        if not spans:
            return data
        written = bytearray(data)
        for span in spans:
            written[span.start : span.end] = filling(span)
        return bytes(written)


def filling(span: Span) -> bytes:
    """What is written in place of a secret: as many bytes, so that nothing behind it moves."""
    length = span.end - span.start
    return (FILL * (length // len(FILL) + 1))[:length]


def _forms(value: str) -> Iterator[tuple[bytes, str]]:
    """How a value may be written. Of one with several lines, each line by itself."""
    for line in _lines(value):
        raw = line.encode(errors="surrogatepass")
        yield raw, PLAIN
        yield json.dumps(line)[1:-1].encode(), PLAIN
        for safe in ("", "/", "-._~", ":"):
            written = quote(raw, safe=safe)
            yield written.encode(), ADDRESS
            yield _lower_escapes(written).encode(), ADDRESS
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for offset in range(3):
                yield _inside(encode(b"\0" * offset + raw), offset, len(raw)), BASE64


def _lines(value: str) -> Sequence[str]:
    """Its lines, without those that say where a key begins and ends."""
    lines = [line.strip() for line in value.splitlines()]
    return [line for line in lines if line and not line.startswith("-----")] if len(lines) > 1 else [value]


def _inside(encoded: bytes, offset: int, length: int) -> bytes:
    """The characters of an encoding that are the value's alone, whatever is encoded before and behind it."""
    first = -(-offset * _OCTET // _SEXTET)
    last = (offset + length) * _OCTET // _SEXTET
    return encoded[first:last]


def _lower_escapes(address: str) -> str:
    parts = address.split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])
