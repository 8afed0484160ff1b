"""What a daemon starts by itself when it comes up, and in which order."""

from collections import Counter

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.fleet import NO_CHANNEL
from hermesd.domain.gateway import ParkedFor, State
from hermesd.domain.operation import OperationState
from hermesd.domain.policy import Policy
from hermesd.domain.process import ExitCause, ExitStatus, Phase, Probe, ProcessIdentity, SpawnSpec
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.settings import Settings
from hermesd.services.keepers import CHECK_S, LOOKED_FOR
from hermesd.services.stories import EXITED
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

NEXT_BOOT = "00000000-0000-4000-8000-000000000002"


async def reboot(house: House) -> None:
    """The machine is started anew: nothing survives but what is on disk."""
    await house.close()
    for process in list(house.backend.alive):
        house.backend.exit(process.pid, ExitStatus(signal=9))
    house.processes.boot = NEXT_BOOT
    await house.open()


async def furnish(house: House, *names: str) -> None:
    """Profiles whose gateways run."""
    for name in names:
        house.homes.add(name)
        await house.start(name)


def started(house: House, since: int = 0) -> list[str]:
    """Whom a process was made for, in order."""
    return [spec.name for spec in house.backend.specs[since:]]


async def test_what_is_wanted_and_can_be_reached_is_started(house: House) -> None:
    """What is stopped or disabled is not, and what nothing can reach waits."""
    await furnish(house, "stopped", "off", "silent")
    await house.start("coder")
    await house.stop("stopped")
    await house.services.gateways.enable(ProfileName("off"), is_enabled=False)
    house.agent.without_channels.add("silent")
    await reboot(house)
    states = {name: await house.state(name) for name in ("coder", "stopped", "off", "silent")}
    assert states == {
        "coder": State.RUNNING,
        "stopped": State.STOPPED,
        "off": State.STOPPED,
        "silent": State.PARKED,
    }


async def test_one_home_that_cannot_be_read_keeps_no_other_from_starting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor itself, once it can be: whatever failed, a bot does not stay silent."""
    await furnish(house, "broken", "last")
    await house.start("coder")
    facts = house.agent.facts

    def broken(home: Home) -> ProfileFacts:
        if home.name.text == "broken":
            raise OSError("input/output error")
        return facts(home)

    with monkeypatch.context() as patched:
        patched.setattr(house.agent, "facts", broken)
        await reboot(house)
        await house.clock.settle()
        assert await house.state("coder") is await house.state("last") is State.RUNNING
    await house.clock.advance(900)
    assert await house.state("broken") is State.RUNNING


async def test_what_ran_before_a_reboot_tells_how_it_ended(house: House) -> None:
    """As it does for a gateway that ended while no daemon watched; but nothing backs off for a reboot."""
    await house.start("coder")
    await reboot(house)
    record = await house.record("coder")
    assert record.last_exit is not None
    assert (record.last_exit.cause, record.last_exit.detail) == (ExitCause.UNKNOWN, "the machine was started anew")
    assert (record.gateway.attempts, record.restarts) == (0, 0)
    told = await house.store.events(after=0, profile="coder", limit=10, kinds=[EXITED])
    assert len(told) == 1


async def test_what_ended_in_this_boot_backs_off(house: House) -> None:
    """That may have been a crash, so it is one; nothing is asked about its channels."""
    house.agent.without_channels.add("coder")
    await house.start("coder")
    await house.close()
    house.backend.exit((await house.process("coder")).pid, ExitStatus(code=1))
    await house.open()
    assert await house.state("coder") is State.BACKOFF
    await house.clock.advance(2)
    assert await house.state("coder") is State.RUNNING


async def test_what_runs_is_adopted_whatever_could_reach_it(house: House) -> None:
    """A person started it."""
    house.agent.without_channels.add("coder")
    await house.start("coder")
    process = await house.process("coder")
    await house.reopen()
    assert await house.process("coder") == process


async def test_they_are_started_in_order(house: House) -> None:
    """By their place in line, then by name; not all at the same time."""
    await furnish(house, "a", "b", "last", "first", "c", "d", "e")
    for name, order in (("last", 7), ("first", -3)):
        await house.services.gateways.enable(ProfileName(name), is_enabled=True, start_order=order)
    await house.stop("coder")
    for name in ("a", "b", "c", "d", "e", "first", "last"):
        house.agent.probes[name] = [Probe(Phase.STARTING)] * 3 + [Probe(Phase.READY)]
    before = len(house.backend.specs)
    await reboot(house)
    assert started(house, before) == ["first", "a", "b", "c"]
    await house.clock.advance(5)
    assert started(house, before) == ["first", "a", "b", "c", "d", "e", "last"]


async def test_the_order_stays_until_it_is_changed(house: House) -> None:
    """Disabling and enabling alone keep it, and so does a daemon's end."""
    name = ProfileName("coder")
    await house.services.gateways.enable(name, is_enabled=True, start_order=5)
    await house.services.gateways.enable(name, is_enabled=False)
    await house.services.gateways.enable(name, is_enabled=True)
    await house.reopen()
    assert (await house.record("coder")).start_order == 5


async def test_what_nothing_can_reach_waits_and_says_so(house: House) -> None:
    """Still wanted, through any number of daemons, and started once something can reach it."""
    await house.start("coder")
    house.agent.without_channels.add("coder")
    await reboot(house)
    await house.reopen()
    record = await house.record("coder")
    assert record.gateway.parked_for is ParkedFor.CHANNEL
    assert (record.gateway.wanted_up, record.detail, record.next_start_at_s) == (True, NO_CHANNEL, None)
    await house.clock.advance(3 * CHECK_S)
    assert await house.state("coder") is State.PARKED
    house.agent.without_channels.clear()
    await house.clock.advance(CHECK_S)
    record = await house.record("coder")
    assert (record.gateway.state, record.detail, record.restarts) == (State.RUNNING, "", 0)


async def test_a_channel_that_was_made_while_no_daemon_ran_is_found_at_once(house: House) -> None:
    """What was parked is looked at again by a daemon that comes up."""
    await house.start("coder")
    house.agent.without_channels.add("coder")
    await reboot(house)
    await house.close()
    house.agent.without_channels.clear()
    await house.open()
    assert await house.state("coder") is State.RUNNING


async def test_a_person_starts_it_all_the_same_and_is_told(house: House) -> None:
    """Never parked, with a warning; whether it was parked before or not, and by a restart too."""
    house.agent.without_channels.add("coder")
    begun = await house.start("coder")
    assert (begun.state, begun.warnings) == (OperationState.SUCCEEDED, (NO_CHANNEL,))
    await reboot(house)
    assert await house.state("coder") is State.PARKED
    again = await house.restart("coder")
    assert (again.state, again.warnings) == (OperationState.SUCCEEDED, (NO_CHANNEL,))
    assert await house.state("coder") is State.RUNNING


async def test_what_is_disabled_while_it_waits_is_not_started(house: House) -> None:
    """Nor by the next daemon; a person still can."""
    await house.start("coder")
    house.agent.without_channels.add("coder")
    await reboot(house)
    await house.services.gateways.enable(ProfileName("coder"), is_enabled=False)
    house.agent.without_channels.clear()
    await house.clock.advance(2 * CHECK_S)
    assert await house.state("coder") is State.PARKED
    await house.reopen()
    assert await house.state("coder") is State.STOPPED


async def test_a_stop_ends_the_wait(house: House) -> None:
    """And a channel that is found later starts nothing."""
    await house.start("coder")
    house.agent.without_channels.add("coder")
    await reboot(house)
    await house.stop("coder")
    house.agent.without_channels.clear()
    await house.clock.advance(2 * CHECK_S)
    assert await house.state("coder") is State.STOPPED


async def test_a_stop_before_the_daemon_has_looked_is_not_overruled(house: House) -> None:
    """Looking takes time, in which people go on; what they say then counts."""
    await house.start("coder")
    await house.close(drain=True)
    await house.open()
    keeper = await house.services.keepers.of((await house.services.profiles.get(ProfileName("coder"))).known)
    await house.stop("coder")
    keeper.boot(has_channel=True)
    keeper.boot(has_channel=False)
    await house.clock.settle()
    assert await house.state("coder") is State.STOPPED
    await house.start("coder")
    keeper.boot(has_channel=False)
    await house.clock.settle()
    assert await house.state("coder") is State.RUNNING


async def test_of_very_many_without_a_channel_each_is_looked_at_in_turn(house: House) -> None:
    """Some at a time, so that looking never takes long; the last one is found too."""
    names = [f"g{number:03d}" for number in range(2 * LOOKED_FOR + 1)]
    await furnish(house, *names)
    house.agent.without_channels.update(names)
    await reboot(house)
    await house.clock.settle()
    assert await house.state(names[-1]) is State.PARKED
    house.agent.without_channels.clear()
    await house.clock.advance(3 * CHECK_S)
    assert {await house.state(name) for name in names} == {State.RUNNING}


class Census:
    """Counts who is starting whenever somebody begins."""

    def __init__(self, house: House) -> None:
        self.most = 0
        self.starts: Counter[str] = Counter()
        self._house = house
        self._starting: list[str] = []
        """Ids of profiles."""
        self._start = house.backend.start
        house.backend.start = self.start  # type: ignore[method-assign]

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        """Makes a process, and looks around."""
        record_of = self._house.services.keepers.record_of
        starting = [id_ for id_ in self._starting if record_of(id_).gateway.state is State.STARTING]
        self._starting = [*starting, spec.lock_path.stem]
        self.most = max(self.most, len(self._starting))
        self.starts[spec.name] += 1
        return await self._start(spec)


@pytest.mark.parametrize(("at_once", "number"), [(1, 60), (4, 250)])
async def test_a_large_fleet_never_starts_all_together(at_once: int, number: int) -> None:
    """However long each of them takes, each is started once, and no more at a time than may be."""
    house = House(settings=Settings(policy=Policy(starts_at_once=at_once)))
    await house.open()
    names = [f"g{at:04d}" for at in range(number)]
    await house.furnish(*names)
    for name in names:
        await house.start(name)
    for at, name in enumerate(names):
        house.agent.probes[name] = [Probe(Phase.STARTING)] * (at % 7 + 1) + [Probe(Phase.READY)]
    census = Census(house)
    await reboot(house)
    await house.clock.advance(number * 0.8 / at_once + 5)
    assert census.most <= at_once
    assert census.starts == Counter(names)
    assert {await house.state(name) for name in names} == {State.RUNNING}
    await house.close()
