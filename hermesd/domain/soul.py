"""SOUL.md: who an agent is to be, in a person's words.

Owns: what such a text may be, and what stands for exactly one text. Must not know files.
"""

import hashlib
from dataclasses import dataclass

from hermesd.domain.errors import ArgumentInvalid

LARGEST = 1 << 20
"""Bytes that a SOUL.md may have. hermes-agent 0.19.0 shortens far smaller ones, by its model's context."""


@dataclass(frozen=True)
class Soul:
    """The text of a SOUL.md."""

    text: str = ""
    revision: str = ""
    """Stands for exactly this text; empty if there is no file."""


def soul_of(data: bytes) -> Soul:
    """The text that a file of these bytes holds.

    Raises:
        UnicodeDecodeError: they are no UTF-8.
    """
    return Soul(data.decode(), hashlib.sha256(data).hexdigest())


def check_soul(text: str) -> None:
    """Refuses what cannot be a SOUL.md.

    Raises:
        ArgumentInvalid: it is too large, or no text.
    """
    size = len(text.encode())
    if size > LARGEST:
        raise ArgumentInvalid(f"cannot use this text: it has {size} bytes", hint=f"SOUL.md may have {LARGEST}")
    if "\0" in text:
        raise ArgumentInvalid("cannot use this text: it holds a NUL character", hint="is it a text file?")
