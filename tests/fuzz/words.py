"""Words and lines: what people type, what is logged, and what reaches a terminal."""

import re
from contextlib import suppress
from datetime import UTC
from itertools import pairwise
from warnings import catch_warnings

from hermesctl import arguments, literals, text, times
from hermesctl.errors import HermesError as ClientError
from hermesctl.moments import moment_given
from hermesctl.options import reference
from hermesd.domain import alias, description, fleet, logs, masking, profile
from hermesd.domain.errors import HermesError
from tests.fuzz.target import target

NOUNS = frozenset({"gateway", "profile", "logs", "status"})


@target(b"coder", b" Coder \n", b"a" * 64)
def names(data: bytes) -> None:
    """A name that is read reads itself again, and everything else is refused in words."""
    typed = data.decode(errors="replace")
    for parse in (profile.ProfileName.parse, profile.ProfileName.parse_new, alias.parse_name):
        with suppress(HermesError):
            once = str(parse(typed))
            assert profile.NAME_PATTERN.fullmatch(once)
    for parse_text in (profile.parse_display_name, description.parse_description):
        with suppress(HermesError):
            line = parse_text(typed)
            assert parse_text(line) == line
    assert len(description.trim_generated(typed)) <= description.LONGEST_GENERATED + 1
    with suppress(HermesError):
        fleet.matching(typed, [profile.ProfileName("coder"), profile.ProfileName("a")])


@target(b"#!/bin/sh\n# hermesd alias: hermes -p coder\nexec hermesctl -p coder\n", b'exec hermes -p x "$@"\n')
def aliases(data: bytes) -> None:
    """A script is some profile's, or nobody's."""
    found = alias.recognise(data.decode(errors="replace"))
    assert found is None or profile.NAME_PATTERN.fullmatch(found[0].text)


@target(
    b"2026-11-23 09:12:40,123 INFO [s] gateway.run: text\n  more\n2026-11-23T09:12:41Z ERROR a: b\n",
    b"WARNING gateway.run: x\nTraceback (most recent call last):\n  File\nValueError: x\n",
)
def log(data: bytes) -> None:
    """Records lie end to end, and none is lost."""
    moments = logs.Moments(lambda when: when.replace(tzinfo=UTC).timestamp())
    for is_timed in (True, False):
        parser = logs.Parser("coder", logs.Source.AGENT, moments, is_timed)
        starts = parser.starts(data)
        assert starts == sorted(set(starts))
        assert not data or starts[0] == 0
        for start, end in pairwise([*starts, len(data)]):
            parser.parse(data, start, end, 1.0)
        logs.last_start(data)
        logs.first_start(data, is_timed=is_timed)
        logs.touched(data, starts, [b"text"])


@target(
    b"token 1111:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc and sk-abcdefghijklmnopqrstu1",
    b"Bearer abcdefghijklmnopqrstuvwx1",
    b"-eyJhbGciOiJI.eyJzdWIiOi.x",
    b"12345678%3AAAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
    b"-sk-sk",
    b"xoxb-1234567890-abc",
)
def mask(data: bytes) -> None:
    """What is masked stays so, and a secret of the settings is gone in each of its spellings."""
    said = data.decode(errors="replace")
    once = masking.mask(said)
    assert masking.mask(once) == once
    secret = "Tr0ub4dor&3 \u00fc"
    assert secret not in masking.Mask({"MY_KEY": secret})(said + secret + said)


@target(
    b"\x1b[31mred\x1b[0m\ttab\n", b"\x1b]0;title\x07x", b"\xc2\x9d\xc2\x9b", "e\u0301\u202e\U0001f600".encode()
)
def terminal_text(data: bytes) -> None:
    """Nothing that steers a terminal is left, and cleaning it again changes nothing."""
    cleaned = text.clean(data.decode(errors="surrogateescape"))
    assert text.clean(cleaned) == cleaned
    assert not any(text.is_unsafe(char) for char in cleaned)
    for columns in (0, 1, 7, 80):
        assert text.width(text.shorten(cleaned, columns)) <= columns


@target(b"10m", b"1h30m", b"2026-11-23T09:00:00+01:00", b"yesterday", b"09:00", b"90", b"2.5s", b"1ms")
def moments(data: bytes) -> None:
    """A moment that the contract can carry, or a refusal."""
    typed = data.decode(errors="surrogateescape")
    with suppress(ClientError):
        moment_given("--since", typed, 1_795_000_000.0, "logs")
    with suppress(ValueError):
        assert 0 <= times.parse_span(typed) < float("inf")


@target(
    b"-p\0coder\0chat\0-z\0hi",
    b"gateway\0start\0coder",
    b"--json\0status",
    b"mcp\0add\0x\0--args\0-p\0y",
    b"-o\0json",
)
def command_line(data: bytes) -> None:
    """Ours, the agent's, or a refusal; no word of the agent's is lost but the profile's."""
    words = [word.decode(errors="surrogateescape") for word in data.split(b"\0")]
    arguments.is_json_wanted(words)
    with suppress(ClientError):
        arguments.split(words, NOUNS)
    with suppress(ClientError):
        reference(words[0])


@target(b"error|warn(ing)?", rb"a\.b[c-d]+", b"(?i)x", b"[]a]{2,}")
def expression(data: bytes) -> None:
    """What a valid expression says letter by letter can be told; it is not run, for it may never end."""
    text = data.decode(errors="replace")
    try:
        with catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, ValueError, RecursionError, OverflowError):
        return
    literals.literals(text)
