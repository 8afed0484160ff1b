"""Recognising a secret without being told it.

Owns: what is shown of a digest, and how a value is digested with a salt: HMAC-SHA256, cut. The salt is fresh and
random for each answer, so that digests can neither be compared with those of another one nor looked up anywhere.
The client, which digests its caller's variables, has the same rule in `hermesctl/launch/digests.py`. Must not know
whose values.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

FINGERPRINT_DIGITS = 12
"""Of a digest, by which people compare."""

SIZE = 16
"""Bytes of a digest: enough that no two values of one machine share it."""


@dataclass(frozen=True)
class ForeignSecrets:
    """What tells a value that other profiles keep secret."""

    salt: bytes
    digests: frozenset[bytes] = frozenset()


def fingerprint(digest: str) -> str:
    """What people see of a SHA-256 in hexadecimal digits, the same wherever a secret is shown."""
    short = digest[:FINGERPRINT_DIGITS]
    return f"sha256:{short[:4]}…{short[-2:]}"


def digests(salt: bytes, values: Iterable[str]) -> frozenset[bytes]:
    """The digest of each value; white space around one does not count."""
    return frozenset(digest(salt, value) for value in values)


def digest(salt: bytes, value: str) -> bytes:
    """The digest of one value, which may hold surrogates for bytes that are no text."""
    return hmac.digest(salt, value.encode(errors="surrogateescape").strip(), hashlib.sha256)[:SIZE]
