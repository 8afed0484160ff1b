"""Moments and spans in words.

Owns: how times are written for people and for programs, and how a span is read. Seconds are floats since the
epoch or lengths. Must not know what time it is.
"""

import re
from datetime import UTC, datetime, timedelta

DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")

LONGEST_SPAN = 64
"""Characters of a span. No more are needed, and hundreds of digits make infinity."""

UNITS = ("d", "h", "m", "s")
DAYS = {"today": 0, "yesterday": 1}
TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?(z|[+-]\d\d:\d\d)?")
MOMENT = re.compile(rf"\d{{4}}-\d\d-\d\d([t ]{TIME.pattern})?")


def rfc3339(at_s: float) -> str:
    """A moment for programs, in UTC."""
    text = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00").removesuffix(".000") + "Z"


def local(at_s: float, now_s: float) -> str:
    """A moment for people: the time alone if it is today."""
    then, now = (datetime.fromtimestamp(seconds, UTC).astimezone() for seconds in (at_s, now_s))
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def age(span_s: float) -> str:
    """A rough span of time for people: its two leading units."""
    seconds = max(0, int(span_s))
    if seconds < 60:
        return f"{seconds}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return f"{minutes}m"
    if days < 1:
        return f"{hours}h {minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d {hours % 24}h" if hours % 24 and days < 7 else f"{days}d"


def elapsed(span_s: float) -> str:
    """How long something took."""
    if span_s < 1:
        return f"{span_s * 1000:.0f} ms"
    if span_s < 60:
        return f"{span_s:.1f} s"
    return f"{int(span_s) // 60}:{int(span_s) % 60:02d} min"


def clock(span_s: float) -> str:
    """A running stopwatch: `0:07`."""
    return f"{int(span_s) // 60}:{int(span_s) % 60:02d}"


def parse_span(text: str) -> float:
    """Seconds of a span such as `90`, `2.5s`, `10m` or `1h30m`.

    Raises:
        ValueError: the text is not a span.
    """
    folded = text.strip().lower()
    plain = re.fullmatch(r"\d+(\.\d+)?", folded)
    found = DURATION.fullmatch(f"{folded}s" if plain else folded)
    if not folded or found is None or len(folded) > LONGEST_SPAN:
        raise ValueError(f"'{text}' is not a span of time such as 90s, 10m or 1h30m")
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def parse_moment(text: str, now_s: float) -> float:
    """Seconds since the epoch of a moment: a span before now, a date, a time or both; local unless it says else.

    A date alone is its beginning, a time alone is today's.

    Raises:
        ValueError: the text is no moment.
    """
    folded = text.strip().lower()
    today = datetime.fromtimestamp(now_s, UTC).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if folded in DAYS:
        return (today.replace(tzinfo=None) - timedelta(days=DAYS[folded])).timestamp()
    try:
        if TIME.fullmatch(folded):
            return datetime.fromisoformat(f"{today.date()}T{folded.upper()}").timestamp()
        if MOMENT.fullmatch(folded):
            return datetime.fromisoformat(folded.upper()).timestamp()
        return now_s - parse_span(folded if folded.endswith(UNITS) else "")  # a bare number could be a year
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no moment such as 10m, 09:00, 2026-11-23T09:00 or yesterday") from None
