"""How readings become samples."""

from dataclasses import replace

import pytest

from hermesd.domain.process import ProcessIdentity
from hermesd.domain.samples import SECONDS_KEPT_S, Course, Moment, Reading, Ring, Sample, joined

pytestmark = [pytest.mark.fast, pytest.mark.domain]

ONE, OTHER = ProcessIdentity("boot", 1, 1, "s1"), ProcessIdentity("boot", 2, 2, "s2")
READING = Reading(cpu_s=100.0, rss_bytes=1000, descriptors=10, threads=4, processes=1, age_s=10_000.0)
SAMPLE = Sample(1_000.0, 1.0, 0.5, 1000, 10, 4, 1, 0)
EPOCH_S = 1_700_000_000.0


class Gateway:
    """A course, and time that a test lets go by."""

    def __init__(self, process: ProcessIdentity = ONE, reading: Reading = READING) -> None:
        self.course = Course()
        self.process, self.reading = process, reading
        self.elapsed_s = 0.0
        self.before_s: float | None = None

    def use(self, cpu_s: float = 0.0, **most: int) -> None:
        """Uses processor time, and changes what else is read."""
        self.reading = replace(self.reading, cpu_s=self.reading.cpu_s + cpu_s, **most)

    def second(self, after_s: float = 1.0) -> Sample:
        """What a watcher is told so much later."""
        moment = self._take(after_s)
        return self.course.end_second(self.reading, moment, restarts=0)

    def minute(self, after_s: float = 60.0, *, is_watched: bool = False) -> Sample:
        """What is kept so much later."""
        moment = self._take(after_s)
        self.before_s = moment.monotonic_s
        return self.course.end_minute(self.reading, moment, restarts=3, is_watched=is_watched)

    def _take(self, after_s: float) -> Moment:
        self.elapsed_s += after_s
        moment = Moment(EPOCH_S + self.elapsed_s, self.elapsed_s, self.before_s)
        self.course.take(self.process, self.reading, moment)
        return moment


def test_a_minute_has_the_processor_time_of_its_step() -> None:
    """As a share of one core, by the time that really went by, and whatever was used before."""
    gateway = Gateway()
    gateway.minute()
    gateway.use(15.0)
    sample = gateway.minute()
    assert (sample.cpu_cores, sample.step_s, sample.at_s, sample.restarts) == (0.25, 60.0, EPOCH_S + 120.0, 3)


def test_what_ran_before_anybody_looked_has_no_processor_time_yet() -> None:
    """Hours that were used under another daemon are no spike."""
    sample = Gateway().minute()
    assert (sample.step_s, sample.cpu_cores, sample.rss_bytes) == (0.0, 0.0, 1000)


def test_a_new_process_begins_at_nothing() -> None:
    """Its first step begins where it began, and has all that it used."""
    gateway = Gateway()
    gateway.minute()
    gateway.process, gateway.reading = OTHER, replace(READING, cpu_s=5.0, age_s=20.0)
    sample = gateway.minute()
    assert (sample.step_s, sample.cpu_cores) == (20.0, 0.25)


def test_the_most_of_a_minute_is_what_anybody_saw_of_it() -> None:
    """Each kind by itself, and not beyond that minute."""
    gateway = Gateway()
    gateway.minute()
    gateway.use(rss_bytes=9000)
    gateway.second()
    gateway.use(rss_bytes=1500, threads=70, descriptors=11, processes=3)
    gateway.second()
    gateway.use(threads=4)
    sample = gateway.minute(58.0, is_watched=True)
    assert (sample.rss_bytes, sample.descriptors, sample.threads, sample.processes) == (9000, 11, 70, 3)
    assert gateway.minute().rss_bytes == 1500


def test_nothing_goes_backwards() -> None:
    """A child that was waited for by a stranger takes what it used out of the sum."""
    gateway = Gateway()
    gateway.minute()
    gateway.use(-50.0)
    assert gateway.minute().cpu_cores == 0.0
    gateway.use(6.0)
    assert gateway.minute().cpu_cores == 0.1


def test_a_stall_makes_one_long_step() -> None:
    """What was used meanwhile is spread over it."""
    gateway = Gateway()
    gateway.second()
    gateway.second()
    gateway.use(30.0)
    sample = gateway.second(300.0)
    assert (sample.step_s, sample.cpu_cores) == (300.0, 0.1)
    gateway.use(0.1)
    assert gateway.second().cpu_cores == pytest.approx(0.1)


def test_the_first_second_begins_with_the_last_minute() -> None:
    """Until somebody watches, so that they see something at once, and no time is left out."""
    gateway = Gateway()
    gateway.minute()
    gateway.use(4.0)
    sample = gateway.second(40.0)
    assert (sample.step_s, sample.cpu_cores) == (40.0, 0.1)
    gateway.use(0.5)
    assert gateway.second().cpu_cores == 0.5
    gateway.use(1.5)
    assert gateway.minute(19.0, is_watched=True).cpu_cores == pytest.approx(0.1)
    assert gateway.second(0.5).step_s == pytest.approx(19.5)


def test_a_step_that_is_too_short_to_count_goes_on() -> None:
    """The kernel counts in hundredths of a second: of one tick in no time nothing follows."""
    gateway = Gateway()
    gateway.minute()
    gateway.use(0.5)
    known = gateway.second()
    gateway.use(0.01)
    again = gateway.second(0.02)
    assert again == replace(known, at_s=again.at_s)
    gateway.use(0.48)
    later = gateway.second(0.98)
    assert later.step_s == 1.0
    assert later.cpu_cores == pytest.approx(0.49)
    assert gateway.course.ring.all() == [known, later]


def test_of_a_process_that_was_just_seen_only_processor_time_is_not_known() -> None:
    """Somebody watches before there was a first look."""
    sample = Gateway().second()
    assert (sample.step_s, sample.cpu_cores, sample.rss_bytes) == (0.0, 0.0, 1000)


def test_the_latest_is_of_the_process_that_runs() -> None:
    """Of a minute, or of a second while somebody watches; of no process that has ended."""
    gateway = Gateway()
    gateway.minute()
    minute = gateway.minute()
    assert gateway.course.latest == minute
    second = gateway.second()
    gateway.minute(is_watched=True)
    assert gateway.course.latest == second
    assert gateway.course.is_of(ONE)
    assert not gateway.course.is_of(OTHER)
    gateway.course.end()
    assert not gateway.course.is_of(ONE)
    assert not gateway.course.is_of(None)
    assert [gateway.course.latest] == [None]


def test_seconds_are_kept_for_ten_minutes() -> None:
    """By the clock, and not more of them than seconds when it stands still or was set back."""
    ring = Ring()
    for number in range(int(2 * SECONDS_KEPT_S)):
        ring.add(replace(SAMPLE, at_s=float(number)))
        ring.trim(float(number))
    assert ring.all()[0].at_s == SECONDS_KEPT_S
    for _ in range(int(2 * SECONDS_KEPT_S)):
        ring.add(replace(SAMPLE, at_s=-5_000.0))
        ring.trim(-5_000.0)
    assert [one.at_s for one in ring.all()] == [-5_000.0] * int(SECONDS_KEPT_S)
    ring.trim(0.0)
    assert not ring


def test_finer_samples_stand_for_coarser_ones() -> None:
    """Where they cover the end of one. What only touches it leaves it."""
    minutes = [replace(SAMPLE, at_s=60.0 * number, step_s=60.0) for number in range(1, 6)]
    seconds = [replace(SAMPLE, at_s=100.0, step_s=40.0), *(replace(SAMPLE, at_s=100.0 + n) for n in range(1, 31))]
    found = joined(minutes, list(reversed(seconds)))
    assert [one.at_s for one in found if one.step_s == 60.0] == [60.0, 180.0, 240.0, 300.0]
    assert [one.at_s for one in found if one.step_s != 60.0] == [100.0 + number for number in range(31)]
    assert joined(minutes, []) == minutes
    assert joined([], seconds) == seconds
