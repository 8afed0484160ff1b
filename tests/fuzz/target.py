"""What is fuzzed, and how inputs are made.

Owns: the list of targets, mutation, and the corpus of inputs that once failed. An input is made from its seed
alone, so that a failure can be repeated. Must not know any parser.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
LONGEST = 20_000
"""Bytes of an input: enough for what takes the square of its length to show."""

STRANGE = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\n",
    b"\x1b[31m",
    b"\x1b]0;",
    b"\xc2\x9d",
    b"\xe2\x80\xae",
    b"\\ud800",
    b"[" * 3000,
    b"{" * 30,
    b"9" * 400,
    b"1" + b"0" * 4200,
    b"0x" + b"f" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b'""',
    b"{}",
    b"[]",
    b'"',
    b"'",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!int ",
    b"#",
    b"${",
    b"}",
    b"=",
    b":",
    b": ",
    b"- ",
    b"--",
    b"%3A",
    b"sk-",
    b"-eyJ",
    b"\xd9\xa3",
    b"0001-01-01",
    b"9999-12-31T23:59:59",
    b"+23:59",
    b"99d",
)
"""What has tripped parsers up."""

Check = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One parser: what is fed to it first, and what must hold of it; `check` fails by raising."""

    name: str
    check: Check
    seeds: Sequence[bytes]

    def replayed(self) -> Iterator[bytes]:
        """What failed once."""
        return (path.read_bytes() for path in sorted((CORPUS / self.name).glob("*")))

    def made(self, seed: int) -> bytes:
        """An input that no other seed is likely to make."""
        numbers = random.Random(f"{self.name} {seed}")
        data = numbers.choice([*self.seeds, *self.replayed()])
        for _ in range(1 << numbers.randrange(5)):
            data = _mutated(data, numbers, self.seeds)[:LONGEST]
        return data

    def keep(self, data: bytes) -> Path:
        """Files an input that failed, so that it is replayed for ever."""
        path = CORPUS / self.name / hashlib.sha256(data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


TARGETS: dict[str, Target] = {}


def target(*seeds: bytes) -> Callable[[Check], Check]:
    """Makes a function a target of its own name."""

    def added(check: Check) -> Check:
        TARGETS[check.__name__] = Target(check.__name__, check, seeds)
        return check

    return added


def _mutated(data: bytes, numbers: random.Random, seeds: Sequence[bytes]) -> bytes:
    at, end = sorted((numbers.randint(0, len(data)), numbers.randint(0, len(data))))
    match numbers.randrange(8):
        case 0:
            return data[:at] + data[end:]
        case 1:
            return data[:at] + numbers.randbytes(numbers.randint(1, 8)) + data[at:]
        case 2 | 3:
            return data[:at] + numbers.choice(STRANGE) + data[at:]
        case 4:
            return data[:at] + numbers.choice(STRANGE) + data[end:]
        case 5:
            return data[:end] + data[at:end] * numbers.choice((1, 2, 100)) + data[end:]
        case 6:
            other = numbers.choice(seeds)
            return data[:at] + other[numbers.randint(0, len(other)) :]
        case _:
            return (
                data[:at] + bytes([data[at] ^ (1 << numbers.randrange(8))]) + data[at + 1 :]
                if at < len(data)
                else data
            )
