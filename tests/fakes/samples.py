"""Samples in memory. Fake of `SampleStore`."""

from collections.abc import Iterable, Mapping

from hermesd.domain.samples import HALF_HOUR_S, HALF_HOURS_KEPT, MINUTES_KEPT, Sample, joined
from tests.fakes.faults import Faults


class MemorySamples:
    """A store of samples that forgets when it is dropped."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._turns: list[dict[str, Sample]] = []

    async def add(self, samples: Mapping[str, Sample]) -> None:
        self.faults.trip("add")
        if samples:
            self._turns.append(dict(samples))
            del self._turns[:-HALF_HOURS_KEPT]

    async def all(self, profile_id: str, *, since_s: float = 0.0) -> list[Sample]:
        self.faults.trip("all")
        turns = [turn[profile_id] for turn in self._turns if profile_id in turn]
        minutes = [turn[profile_id] for turn in self._turns[-MINUTES_KEPT:] if profile_id in turn]
        newest = next(iter(self._turns[-1].values()), None) if self._turns else None
        found = joined(_half_hours(turns, newest), minutes)
        return [one for one in found if one.at_s >= since_s]

    async def forget(self, profile_id: str) -> None:
        self.faults.trip("forget")
        for turn in self._turns:
            turn.pop(profile_id, None)


def _half_hours(samples: Iterable[Sample], newest: Sample | None) -> list[Sample]:
    """Each half hour but the one that is under way, for which minutes stand."""
    groups: list[list[Sample]] = []
    for one in samples:
        if not groups or groups[-1][0].at_s // HALF_HOUR_S != one.at_s // HALF_HOUR_S:
            groups.append([])
        groups[-1].append(one)
    if groups and newest is not None and groups[-1][0].at_s // HALF_HOUR_S == newest.at_s // HALF_HOUR_S:
        groups.pop()
    return [_together(group) for group in groups]


def _together(group: list[Sample]) -> Sample:
    step_s = sum(one.step_s for one in group)
    return Sample(
        at_s=group[-1].at_s,
        step_s=step_s,
        cpu_cores=sum(one.cpu_cores * one.step_s for one in group) / step_s if step_s else 0.0,
        rss_bytes=max(one.rss_bytes for one in group),
        descriptors=max(one.descriptors for one in group),
        threads=max(one.threads for one in group),
        processes=max(one.processes for one in group),
        restarts=group[-1].restarts,
    )
