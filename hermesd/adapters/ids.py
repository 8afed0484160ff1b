"""Fresh ids and salts. Owns how one is made; must not know what it will name."""

import secrets
import string

ALPHABET = string.ascii_lowercase + string.digits
LENGTH = 12


def new_id() -> str:
    """An id that nobody can guess and that never repeats: 12 lower-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def new_salt() -> bytes:
    """16 random bytes."""
    return secrets.token_bytes(16)
