"""The start budget: how often a gateway may be started, whoever asks.

Owns: the rolling windows. Platforms punish a bot token that connects too often (Discord resets one after about a
thousand session starts a day), so this is a ceiling for people's commands too. Must not know clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HOUR_S = 3600.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Budget:
    """How many starts fit into a rolling hour and a rolling day."""

    per_hour: int = 20
    per_day: int = 200

    def __str__(self) -> str:
        return f"{self.per_hour} starts an hour and {self.per_day} a day"


def recent(starts_s: Sequence[float], now_s: float) -> tuple[float, ...]:
    """The starts that still count, seconds since the epoch; one from the future counts as now."""
    return tuple(min(start_s, now_s) for start_s in starts_s if start_s > now_s - DAY_S)


def used(starts_s: Sequence[float], now_s: float, window_s: float) -> int:
    """How many of the starts lie in the window that ends now."""
    return sum(start_s > now_s - window_s for start_s in recent(starts_s, now_s))


def frees_at_s(budget: Budget, starts_s: Sequence[float], now_s: float) -> float:
    """When the next start is possible, seconds since the epoch; `now_s` if it is now."""
    counted = sorted(recent(starts_s, now_s))
    times = [now_s]
    for allowed, window_s in ((budget.per_hour, HOUR_S), (budget.per_day, DAY_S)):
        inside = [start_s for start_s in counted if start_s > now_s - window_s]
        if len(inside) >= allowed:
            times.append(inside[len(inside) - allowed] + window_s)
    return max(times)
