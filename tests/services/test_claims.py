"""One owner for every token and port: who starts, who waits, and who is next."""

from dataclasses import replace

import pytest

from hermesd.domain.claims import Claim, ClaimHolder, ClaimKind, ClaimNote, in_use
from hermesd.domain.errors import DiskFull, NotPermitted
from hermesd.domain.gateway import ParkedFor, State
from hermesd.domain.operation import Operation
from hermesd.domain.process import ExitStatus
from hermesd.domain.profile import ProfileName
from hermesd.services.claims import LOOK_S, TIDY_S
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

BOT = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "ab" * 32)
OTHER_BOT = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "cd" * 32)
PORT = Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=8643)


def claim(house: House, **claims: list[Claim]) -> None:
    """Says what the files of profiles name; makes those that are not there."""
    for name, wanted in claims.items():
        if all(home.name.text != name for home in house.homes.scan()):
            house.homes.add(name)
        house.agent.known_claims[name] = wanted


async def states(house: House, *names: str) -> list[State]:
    """What these gateways are doing."""
    return [await house.state(name) for name in names]


def metadata(operation: Operation) -> dict[str, str]:
    """What a failed operation tells beyond its message."""
    assert operation.error is not None
    return dict(operation.error.metadata)


def starts(house: House, name: str) -> int:
    """How many processes were made for a profile."""
    return sum(spec.name == name for spec in house.backend.specs)


async def exit_of(house: House, name: str, status: ExitStatus) -> None:
    """A gateway's process ends unasked."""
    house.backend.exit((await house.process(name)).pid, status)
    await house.clock.settle()


async def test_a_second_gateway_with_the_same_bot_waits_and_nothing_of_it_runs(house: House) -> None:
    """Both are named, with what they share and what to do; the holder is left alone."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    holder = await house.process("coder")
    told = await house.start("worker")
    assert failure(told) == "TOKEN_IN_USE"
    assert told.error is not None
    assert told.error.message == "telegram bot sha256:abab…ab is in use by 'coder'"
    said = metadata(told)
    assert (said["profile"], said["holder"], said["claim"]) == ("worker", "'coder'", BOT.masked)
    assert "TELEGRAM_BOT_TOKEN in /nowhere/.hermes/profiles/worker/.env" in said["hint"]
    assert said["fix"] == "hermesctl gateway stop coder"
    record = await house.record("worker")
    assert (record.gateway.state, record.gateway.parked_for) == (State.PARKED, ParkedFor.CLAIM)
    assert record.detail == told.error.message
    assert (record.claims, record.starts_s) == ((), ())
    assert starts(house, "worker") == 0
    assert await house.process("coder") == holder
    assert (await house.record("coder")).claims == (BOT,)


async def test_a_bot_that_came_to_a_running_gateway_is_said_to_wait_for_a_restart(house: House) -> None:
    """Whoever wrote a token and starts what is up already would be told that all is ready, and hear nothing."""
    claim(house, coder=[PORT])
    await house.start("coder")
    assert not (await house.start("coder")).warnings
    claim(house, coder=[PORT, BOT])
    (said,) = (await house.start("coder")).warnings
    assert said == (
        "TELEGRAM_BOT_TOKEN changed since the start; takes effect after: hermesctl gateway restart coder"
    )
    await house.restart("coder")
    assert not (await house.start("coder")).warnings


async def test_who_waits_starts_by_itself_when_the_holder_is_stopped(house: House) -> None:
    """At once, and the one that is stopped is not in line."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    await house.stop("coder")
    assert await states(house, "coder", "worker") == [State.STOPPED, State.RUNNING]
    assert (await house.record("coder")).claims == ()


async def test_who_wished_first_is_first(house: House) -> None:
    """Whatever they are called; each end of the one before calls the next."""
    claim(house, coder=[BOT], zoe=[BOT], ann=[BOT])
    for name in ("coder", "zoe", "ann"):
        await house.start(name)
        await house.clock.advance(1.0)
    await house.stop("coder")
    assert await states(house, "zoe", "ann") == [State.RUNNING, State.PARKED]
    await house.clock.advance(LOOK_S)
    assert (await house.record("ann")).detail == f"telegram bot {BOT.masked} is in use by 'zoe'"
    await house.stop("zoe")
    await house.clock.advance(LOOK_S)
    assert await states(house, "coder", "zoe", "ann") == [State.STOPPED, State.STOPPED, State.RUNNING]


async def test_who_is_held_keeps_its_bot_though_no_file_names_it(house: House) -> None:
    """As while a home is given another name: whoever waits must not get the bot in between."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    coder = (await house.services.profiles.get(ProfileName("coder"))).known
    keeper = await house.services.keepers.of(coder)
    await keeper.hold()
    claim(house, coder=[])
    await house.clock.advance(LOOK_S * 3)
    assert failure(await house.start("worker")) == "TOKEN_IN_USE"
    claim(house, coder=[BOT])
    await keeper.release()
    await house.clock.settle()
    assert await states(house, "coder", "worker") == [State.RUNNING, State.PARKED]


async def test_another_token_lets_it_start(house: House) -> None:
    """Without a word from anybody, within the five seconds that people are promised."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    await house.clock.advance(LOOK_S * 3)
    assert await house.state("worker") is State.PARKED
    claim(house, worker=[OTHER_BOT])
    await house.clock.advance(5.0)
    assert await states(house, "coder", "worker") == [State.RUNNING, State.RUNNING]


async def test_a_crash_hands_the_bot_to_nobody(house: House) -> None:
    """Whoever crashed comes back with it, however long that takes."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    for _ in range(4):
        await exit_of(house, "coder", ExitStatus(signal=9))
        assert failure(await house.start("worker")) == "TOKEN_IN_USE"
        assert await states(house, "coder", "worker") == [State.BACKOFF, State.PARKED]
        await house.clock.advance(LOOK_S / 2)
        assert failure(await house.start("worker")) == "TOKEN_IN_USE"
        await house.clock.advance(900.0)
        assert await states(house, "coder", "worker") == [State.RUNNING, State.PARKED]
    assert starts(house, "worker") == 0


async def test_who_cannot_come_back_lets_go(house: House) -> None:
    """A gateway that refuses its configuration waits for a person, and keeps nobody waiting."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    await exit_of(house, "coder", ExitStatus(code=78))
    await house.clock.advance(LOOK_S)
    assert await states(house, "coder", "worker") == [State.FAILED, State.RUNNING]
    assert failure(await house.start("coder")) == "TOKEN_IN_USE"


async def test_what_was_taken_out_of_the_files_is_kept_by_nobody(house: House) -> None:
    """A gateway that comes back gets what it wants now."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    claim(house, coder=[OTHER_BOT])
    await house.clock.advance(LOOK_S)
    assert await house.state("worker") is State.PARKED  # what runs has what it was started with
    await exit_of(house, "coder", ExitStatus(signal=9))
    assert await states(house, "coder", "worker") == [State.BACKOFF, State.RUNNING]


async def test_ports_are_claimed_alike(house: House) -> None:
    """It is the other gateway that is named, not who listens."""
    claim(house, coder=[PORT], worker=[replace(PORT, platform="webhook")])
    await house.start("coder")
    told = await house.start("worker")
    assert failure(told) == "PORT_IN_USE"
    assert metadata(told)["holder"] == "'coder'"
    assert (await house.record("worker")).gateway.parked_for is ParkedFor.CLAIM
    await house.stop("coder")
    assert await house.state("worker") is State.RUNNING


async def test_all_is_needed_and_nothing_is_taken_by_halves(house: House) -> None:
    """Who waits for one of two keeps the other free for others."""
    claim(house, coder=[BOT], worker=[BOT, PORT], third=[PORT])
    await house.start("coder")
    await house.start("worker")
    await house.start("third")
    assert await states(house, "coder", "worker", "third") == [State.RUNNING, State.PARKED, State.RUNNING]
    await house.stop("coder")
    await house.clock.advance(LOOK_S)
    assert await house.state("worker") is State.PARKED
    await house.stop("third")
    assert await house.state("worker") is State.RUNNING


async def test_a_gateway_that_somebody_started_by_hand_is_seen_and_waited_for(house: House) -> None:
    """By the agent's own lock; it is never touched."""
    claim(house, worker=[BOT])
    house.agent.self_claimed[BOT.key] = 4711
    told = await house.start("worker")
    assert failure(told) == "TOKEN_IN_USE"
    assert metadata(told)["holder"] == "a gateway that hermesd did not start (pid 4711)"
    await house.clock.advance(LOOK_S * 3)
    assert (await house.state("worker"), starts(house, "worker")) == (State.PARKED, 0)
    house.agent.self_claimed.clear()
    await house.clock.advance(LOOK_S)
    assert await house.state("worker") is State.RUNNING


async def test_our_own_gateway_is_no_stranger_by_the_lock_that_it_takes(house: House) -> None:
    """The agent locks for itself what we have given it."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    house.agent.self_claimed[BOT.key] = (await house.process("coder")).pid
    told = await house.start("worker")
    assert metadata(told)["holder"] == "'coder'"


async def test_a_gateway_of_another_daemon_is_named(house: House) -> None:
    """By what stands beside the lock; nothing is started until it lets go."""
    claim(house, worker=[BOT])
    note = ClaimNote("coder", "id", "spawn", "/srv/hermes")
    house.claim_locks.outsiders[BOT.key] = ClaimHolder((77,), note, 77)
    house.backend.refuse_next(in_use(BOT))
    told = await house.start("worker")
    assert failure(told) == "TOKEN_IN_USE"
    assert metadata(told)["holder"] == "the gateway of 'coder' in /srv/hermes (pid 77)"
    await house.clock.advance(LOOK_S * 5)
    assert (await house.state("worker"), starts(house, "worker")) == (State.PARKED, 0)
    house.claim_locks.outsiders.clear()
    await house.clock.advance(LOOK_S)
    assert await house.state("worker") is State.RUNNING


async def test_a_lock_whose_holder_nobody_sees_is_tried_now_and_then(house: House) -> None:
    """Not as fast as the machine can."""
    claim(house, worker=[BOT])
    for _ in range(100):
        house.backend.refuse_next(in_use(BOT))
    await house.start("worker")
    await house.clock.advance(LOOK_S * 10)
    denied = [
        event
        for event in await house.store.events(after=0, profile="worker", limit=1000)
        if "parked" in event.kind
    ]
    assert 5 <= len(denied) <= 12
    assert (await house.record("worker")).starts_s == ()


@pytest.mark.parametrize("ending", ["daemon", "machine"])
async def test_the_next_daemon_knows_whose_it_is(house: House, ending: str) -> None:
    """Whoever had the bot gets it again, although the other one would come first in line by its name."""
    claim(house, coder=[BOT], ann=[BOT])
    await house.start("coder")
    await house.start("ann")
    await house.close()
    if ending == "machine":
        for process in list(house.backend.alive):
            house.backend.exit(process.pid, ExitStatus(signal=9))
        house.processes.boot = "00000000-0000-4000-8000-000000000002"
    await house.open()
    await house.clock.advance(LOOK_S * 2)
    assert await states(house, "coder", "ann") == [State.RUNNING, State.PARKED]
    assert starts(house, "ann") == 0
    await house.stop("coder")
    assert await house.state("ann") is State.RUNNING


async def test_who_waits_can_be_told_to_wait_no_more(house: House) -> None:
    """A stop ends the wish, and the claim goes to nobody."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    await house.stop("worker")
    await house.stop("coder")
    await house.clock.advance(LOOK_S * 2)
    assert await states(house, "coder", "worker") == [State.STOPPED, State.STOPPED]


async def test_a_deleted_holder_lets_go(house: House) -> None:
    """Its gateway is ended with it."""
    claim(house, coder=[BOT], worker=[BOT])
    await house.start("coder")
    await house.start("worker")
    await house.services.profiles.delete(ProfileName("coder"), purge=False, requester=REQUESTER)
    await house.clock.advance(LOOK_S)
    assert await house.state("worker") is State.RUNNING


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_bot_is_started_only_so_often_whichever_gateway_has_it(house: House, is_restarted: bool) -> None:
    """Platforms count what a token does: a gateway that gets a spent one waits, and the next daemon knows it."""
    claim(house, coder=[BOT], worker=[BOT, PORT], other=[OTHER_BOT])
    per_hour = house.settings.policy.budget.per_hour
    for _ in range(per_hour):
        await house.start("coder")
        await house.stop("coder")
        await house.clock.advance(1.0)
    if is_restarted:
        await house.reopen()
    told = await house.start("worker")
    assert failure(told) == "BUDGET_SPENT"
    assert told.error is not None
    assert f"telegram {BOT.masked} was started too often" in told.error.message
    record = await house.record("worker")
    assert (record.gateway.parked_for, record.starts_s) == (ParkedFor.BUDGET, ())
    view = await house.services.views.get(ProfileName("worker"))
    assert view.used_in_hour == per_hour
    await house.start("other")
    assert await house.state("other") is State.RUNNING
    await house.clock.advance(3600.0 - per_hour)
    assert await house.state("worker") is State.RUNNING


async def test_what_was_denied_by_a_lock_counts_for_nothing(house: House) -> None:
    """Nothing of it reached the platform."""
    claim(house, worker=[BOT])
    for _ in range(2):
        house.backend.refuse_next(in_use(BOT))
    await house.start("worker")
    assert await house.state("worker") is State.PARKED
    assert (await house.services.views.get(ProfileName("worker"))).used_in_hour == 0
    assert await house.store.token_starts() == {}


async def test_a_count_that_cannot_be_recorded_silences_nobody(house: House) -> None:
    """It counts until the daemon ends."""
    claim(house, worker=[BOT])
    house.store.faults.arm("save_token_starts", DiskFull("no"))
    await house.start("worker")
    assert await house.state("worker") is State.RUNNING
    assert (await house.services.views.get(ProfileName("worker"))).used_in_hour == 1


async def test_locks_that_nobody_uses_are_tidied_up(house: House) -> None:
    """Not those of gateways that run or come back; a failure is made up for the next time."""
    claim(house, coder=[BOT], worker=[OTHER_BOT])
    await house.start("coder")
    house.claim_locks.faults.arm("tidy", NotPermitted("no"))
    await house.clock.advance(TIDY_S)
    house.claim_locks.faults.disarm("tidy")
    await house.clock.advance(TIDY_S)
    assert house.claim_locks.tidied[-1] == {BOT.key}


async def shown(house: House, about: str = "") -> list[tuple[str, list[tuple[str, str]]]]:
    """Claims as people see them: each with who uses it and how."""
    views = await house.services.claim_views.all(about)
    return [(str(view.claim), [(use.profile, use.state.value) for use in view.uses]) for view in views]


async def test_everybody_who_uses_a_claim_is_shown(house: House) -> None:
    """The holder first, then who waits in order, then who only names it."""
    claim(house, coder=[BOT, PORT], zoe=[BOT], ann=[BOT], idle=[BOT, OTHER_BOT])
    for name in ("coder", "zoe", "ann"):
        await house.start(name)
        await house.clock.advance(1.0)
    users = [("coder", "held"), ("zoe", "waiting"), ("ann", "waiting"), ("idle", "idle")]
    assert await shown(house) == [
        ("port 8643 (api_server)", [("coder", "held")]),
        (f"telegram {BOT.masked}", users),
        (f"telegram {OTHER_BOT.masked}", [("idle", "idle")]),
    ]
    (view,) = await house.services.claim_views.all("8643")
    (use,) = view.uses
    assert (use.pid, use.source, use.file) == ((await house.process("coder")).pid, "API_SERVER_PORT", ".env")
    assert [name for name, _ in await shown(house, "sha256:abab")] == [f"telegram {BOT.masked}"]
    assert len(await shown(house, "idle")) == 2
    assert len(await shown(house, "telegram")) == 2
    assert await shown(house, "nothing") == []


async def test_what_a_crashed_gateway_keeps_and_what_it_no_longer_names_is_shown(house: House) -> None:
    """Until it comes back with what its files name now."""
    claim(house, coder=[BOT])
    await house.start("coder")
    claim(house, coder=[OTHER_BOT])
    (held, _) = await house.services.claim_views.all()
    assert (held.claim, held.uses[0].source) == (BOT, "")
    claim(house, coder=[BOT])
    await exit_of(house, "coder", ExitStatus(signal=9))
    assert await shown(house) == [(f"telegram {BOT.masked}", [("coder", "kept")])]


async def test_strangers_are_shown(house: House) -> None:
    """With who they are, as far as that can be seen."""
    claim(house, worker=[BOT])
    house.agent.self_claimed[BOT.key] = 4711
    (view,) = await house.services.claim_views.all()
    assert [(use.state.value, use.pid) for use in view.uses] == [("foreign", 4711), ("idle", None)]
    assert view.uses[0].holder == "a gateway that hermesd did not start (pid 4711)"
