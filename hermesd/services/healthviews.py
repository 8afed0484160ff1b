"""Health as it is shown: layer by layer, each with its age.

Owns: the order of the layers and by which clock each is as old as it is. Must not know what follows from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hermesd.domain.health import SILENT, Condition, Part
from hermesd.domain.ports import Clock
from hermesd.services.checkups import Vitals
from hermesd.services.hearing import WATCHDOG

PROCESS, ALIVE, BEATS = "process", "alive", "beats"


@dataclass(frozen=True)
class PartView:
    """One layer. Ages are in seconds and never negative."""

    name: str
    is_well: bool
    word: str
    detail: str = ""
    age_s: float | None = None
    """How old the newest sign of it is; `None` if there is none."""
    is_platform: bool = False


@dataclass(frozen=True)
class HealthView:
    """A gateway that is up."""

    condition: Condition
    detail: str
    parts: tuple[PartView, ...]
    age_s: float
    """How long ago was looked."""


def view_health(vitals: Vitals, clock: Clock, *, process_age_s: float | None, silent_after_s: float) -> HealthView:
    """What is shown of a process that was looked at."""
    health = vitals.health
    looked_s = _age_s(clock.monotonic_s(), health.looked_at_s)
    signs = sorted(health.parts, key=lambda part: part.sign.is_platform)
    parts = (
        PartView(PROCESS, is_well=True, word=ALIVE, age_s=process_age_s),
        *_beats(vitals, clock.monotonic_s(), silent_after_s),
        *(_sign(part, looked_s, clock.now_s()) for part in signs),
    )
    return HealthView(health.condition, health.detail, parts, looked_s or 0.0)


def _beats(vitals: Vitals, now_s: float, silent_after_s: float) -> Iterator[PartView]:
    """Each source of beats, the watchdog first.

    One source may fall silent for good while the loop goes round, and others tell of it: then nothing is wrong.
    What is heard counts at once, also between two looks.
    """
    beats = {**vitals.health.beats, **vitals.words.beats}
    is_hung = vitals.health.condition is Condition.HUNG
    for name in sorted(beats, key=lambda source: (source != WATCHDOG, source)):
        age_s = _age_s(now_s, beats[name]) or 0.0
        is_silent = age_s >= silent_after_s
        said = vitals.words.status if name == WATCHDOG and is_silent else ""
        yield PartView(name, not is_hung, SILENT if is_silent else BEATS, said, age_s)


def _sign(part: Part, looked_s: float | None, now_s: float) -> PartView:
    sign = part.sign
    detail = part.trouble.removeprefix(f"{sign.name}: ") if part.is_quiet else sign.detail
    age_s = looked_s if sign.at_s is None else _age_s(now_s, sign.at_s)
    return PartView(sign.name, part.is_well, part.word, detail, age_s, sign.is_platform)


def _age_s(now_s: float, then_s: float | None) -> float | None:
    """Clocks may be set, and a sign may come between two questions for the time."""
    return None if then_s is None else max(now_s - then_s, 0.0)
