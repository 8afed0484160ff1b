"""Recognising values that the daemon calls secrets of other profiles, without being told them.

Owns: HMAC-SHA256 (RFC 2104) cut to 128 bits, as `hermesd/domain/digests.py` has it. Must import nothing that takes
time, so neither `hashlib` nor `hmac`.
"""

import sys

if sys.version_info >= (3, 12):  # `hashlib` would load OpenSSL
    from _sha2 import sha256
else:
    from _sha256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SIZE = 16
BLOCK = 64
INNER, OUTER = bytes(one ^ 0x36 for one in range(256)), bytes(one ^ 0x5C for one in range(256))


def foreign(variables: "Iterable[tuple[bytes, bytes]]", salt: bytes, digests: "Collection[bytes]") -> set[bytes]:
    """Names of the variables whose values have one of these digests, which are those of others' secrets."""
    if not digests:
        return set()
    return {name for name, value in variables if digest(salt, value) in digests}


def digest(salt: bytes, value: bytes) -> bytes:
    """The digest of a value; white space around it does not count."""
    key = (salt if len(salt) <= BLOCK else sha256(salt).digest()).ljust(BLOCK, b"\0")
    inner = sha256(key.translate(INNER) + value.strip()).digest()
    digested: bytes = sha256(key.translate(OUTER) + inner).digest()
    return digested[:SIZE]
