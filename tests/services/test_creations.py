"""Profiles made: blank or out of another one, planned, joined, refused, cancelled, and across a daemon's death."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hermesd.domain.agent import ModelEndpoint, ProfileFacts, Setup
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.creation import NewProfile, Shared, Step
from hermesd.domain.errors import AliasTaken, DiskFull, HermesError
from hermesd.domain.gateway import State
from hermesd.domain.grants import Grant, Renewal, SharedGrant
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.operations import Job, Request
from tests.fakes.agent import ScriptedAgent
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WRITER = ProfileName("coder"), ProfileName("writer")
TELEGRAM = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "0123456789ab")
SLACK = Claim(ClaimKind.BOT, "slack", "SLACK_APP_TOKEN", "ba9876543210")
API = Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=8642)
CLONE = NewProfile(WRITER, source=CODER)


class Busy(ScriptedAgent):
    """The fake, while whose copying something else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        self.meanwhile()
        return super().clone(source, name, target, order, is_cancelled)


@pytest.fixture
def agent(house: House) -> ScriptedAgent:
    """The agent of every profile; `coder` has two bots."""
    house.agent.known_claims["coder"] = [TELEGRAM, SLACK]
    return house.agent


async def make(house: House, new: NewProfile) -> Operation:
    """Asks for a profile and lets everything happen."""
    return await house.now(await house.services.creations.create(new, REQUESTER))


async def create(house: House, name: str, **wanted: object) -> Operation:
    """The same with these properties."""
    return await make(house, NewProfile(ProfileName(name), **wanted))  # type: ignore[arg-type]


async def refusal(house: House, new: NewProfile) -> HermesError:
    """How a request is refused, by the plan and by the deed alike; nothing is made."""
    before = [home.name for home in house.homes.scan()]
    with pytest.raises(HermesError) as planned:
        await house.services.creations.plan(new)
    with pytest.raises(HermesError) as done:
        await house.services.creations.create(new, REQUESTER)
    assert (planned.value.reason, planned.value.message) == (done.value.reason, done.value.message)
    assert [home.name for home in house.homes.scan()] == before
    return done.value


async def record_running(house: House, profile: str, parameters: list[object]) -> None:
    """What a daemon leaves that dies during a creation."""
    at_s = house.clock.now_s()
    await house.store.save_operation(
        Operation("cut-off-op-1", "profile.create", profile, json.dumps(parameters), REQUESTER, at_s)
    )


async def cut_off(house: House, new: NewProfile) -> Operation:
    """The daemon dies at the very beginning of a creation; the next one is not there yet."""
    begun = await house.services.creations.create(new, REQUESTER)
    await house.close()
    return begun


async def test_a_new_profile_has_a_home_an_alias_and_no_wish(house: House) -> None:
    """Creating starts nothing."""
    done = await create(house, "writer", description="Writes")
    assert done.state is OperationState.SUCCEEDED
    view = await house.services.profiles.get(ProfileName("writer"))
    assert view.aliases == ("writer",)
    assert view.gateway.record.gateway.state is State.STOPPED
    assert "Writes" in house.homes.files_of("writer")["profile.yaml"]


async def test_a_name_in_use_is_refused(house: House) -> None:
    """PROFILE_EXISTS, and the profile is as it was."""
    with pytest.raises(HermesError) as caught:
        await create(house, "coder")
    assert caught.value.reason == "PROFILE_EXISTS"


async def test_a_profile_without_an_alias_is_a_profile(house: House) -> None:
    """An alias that cannot be made is a warning with the other way to call it."""
    house.aliases.faults.arm("create", AliasTaken("'writer' is /usr/bin/writer already"))
    done = await create(house, "writer")
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings == ("no alias: 'writer' is /usr/bin/writer already; use hermesctl -p writer",)


async def test_no_alias_and_no_skills_are_honoured(house: House) -> None:
    """What was not wanted is not made."""
    await create(house, "writer", with_alias=False, with_skills=False)
    assert (await house.services.profiles.get(ProfileName("writer"))).aliases == ()
    assert ".no-bundled-skills" in house.homes.files_of("writer")


async def test_a_full_disk_leaves_no_profile(house: House) -> None:
    """DISK_FULL, and neither home nor alias exists."""
    house.homes.faults.arm("create", DiskFull("no space left"))
    assert failure(await create(house, "writer")) == "DISK_FULL"
    assert house.homes.find(ProfileName("writer")) is None
    assert house.aliases.scan() == []


async def test_a_creation_that_was_cut_off_before_its_alias_is_finished(house: House) -> None:
    """The next daemon makes the alias of a profile that was published already."""
    house.homes.add("writer")
    await record_running(house, "writer", ["", True, True])
    await house.reopen()
    assert (await house.services.profiles.get(ProfileName("writer"))).aliases == ("writer",)


async def test_a_creation_that_was_cut_off_at_its_beginning_is_made(house: House) -> None:
    """The next daemon makes the profile that somebody asked for."""
    await record_running(house, "writer", ["Writes", True, True])
    await house.reopen()
    assert "Writes" in house.homes.files_of("writer")["profile.yaml"]


async def test_a_clone_takes_over_and_is_settled(house: House, agent: ScriptedAgent) -> None:
    """The agent copies as it was told, then brings along what lies beside homes."""
    order = CloneOrder(Extent.EVERYTHING, has_channels=False, keeps_cron=True)
    agent.clone_warnings = ["a link was left out"]
    done = await make(house, NewProfile(WRITER, source=CODER, order=order))
    assert (done.state, done.warnings) == (OperationState.SUCCEEDED, ("a link was left out",))
    assert agent.clones == [("coder", "writer", order)]
    assert agent.settled == [("coder", "writer")]
    view = await house.services.profiles.get(WRITER)
    assert view.aliases == ("writer",)
    assert view.known.id != (await house.services.profiles.get(CODER)).known.id
    event = (await house.store.events(after=0, profile="writer", limit=10, kinds=["profile.created"]))[0]
    assert event.message == "profile writer was created from coder"
    assert event.facts == {"source": "coder", "requester": REQUESTER, "operation": done.id}


async def test_a_clone_is_nobody_s_restored_home(house: House, agent: ScriptedAgent) -> None:
    """Not of the one that hermes-agent deleted under this name: it has another id, and is not started."""
    house.homes.add("writer")
    await house.start("writer")
    gone = await house.record("writer")
    house.homes.drop("writer")
    await house.clock.advance(60.0)
    agent.lived_in.add("writer")
    await make(house, NewProfile(WRITER, source=CODER, order=CloneOrder(Extent.EVERYTHING)))
    await house.clock.advance(600.0)
    record = await house.record("writer")
    assert record.profile_id != gone.profile_id
    assert (record.gateway.wanted_up, record.gateway.state) == (False, State.STOPPED)
    assert list(house.backend.alive) == []


async def test_model_and_description_are_the_clone_s_own(house: House, agent: ScriptedAgent) -> None:
    """The model is set where nobody sees the home yet, after what its source says; the source keeps its own."""
    agent.known_facts["coder"] = ProfileFacts(description="Codes", model="m1", base_url="http://127.0.0.1:1/v1")
    await make(house, NewProfile(WRITER, "Writes", model="m2", source=CODER))
    facts = (await house.services.profiles.get(WRITER)).facts
    assert (facts.model, facts.base_url) == ("m2", "http://127.0.0.1:1/v1")
    assert "Writes" in house.homes.files_of("writer")["profile.yaml"]
    assert agent.setups == [("writer", Setup(ModelEndpoint("m2")))]
    assert (await house.services.profiles.get(CODER)).facts.model == "m1"


async def test_a_blank_profile_can_have_a_model(house: House) -> None:
    """The description of a blank one is there from the beginning."""
    await make(house, NewProfile(WRITER, "Writes", model="m"))
    assert house.agent.setups == [("writer", Setup(ModelEndpoint("m")))]
    assert "Writes" in house.homes.files_of("writer")["profile.yaml"]


async def test_every_bot_that_is_shared_is_named_with_whom(house: House, agent: ScriptedAgent) -> None:
    """By profile, whatever variable holds it there, and never by value; then the ways out."""
    house.homes.add("zoe")
    agent.known_claims["zoe"] = [replace(TELEGRAM, source="platforms.telegram.token")]
    done = await make(house, CLONE)
    both, one, way_out = done.warnings
    assert both.startswith("shared with coder: TELEGRAM_BOT_TOKEN, SLACK_APP_TOKEN; ")
    assert one.startswith("shared with zoe: TELEGRAM_BOT_TOKEN; ")
    assert "/writer/.env" in way_out
    assert "--channels strip" in way_out
    assert TELEGRAM.digest not in repr(done)


async def test_several_clones_of_one_bot_are_told_of_in_one_line(house: House, agent: ScriptedAgent) -> None:
    """But for the one that runs."""
    agent.known_claims["coder"] = [TELEGRAM]
    for name in ("poet", "zoe"):
        await make(house, NewProfile(ProfileName(name), source=CODER))
    await house.start("zoe")
    done = await make(house, CLONE)
    assert [text.partition(":")[0] for text in done.warnings[:2]] == ["shared with coder, poet", "shared with zoe"]
    assert "the gateway of zoe runs" in done.warnings[1]
    assert len(done.warnings) == 3


async def test_what_comes_of_a_shared_bot_depends_on_who_runs(house: House, agent: ScriptedAgent) -> None:
    """Before a start is asked for, it is said that the other gateway has the bot."""
    await house.start("coder")
    done = await make(house, CLONE)
    assert "the gateway of coder runs, so that of writer is not started but waits" in done.warnings[0]
    assert await house.state("coder") is State.RUNNING


async def test_logins_are_shared_like_bots_and_ports_are_not(house: House, agent: ScriptedAgent) -> None:
    """A clone gets ports of its own; a login is made anew, or left out."""
    agent.known_claims["coder"] = [API]
    (told,) = (await make(house, CLONE)).warnings
    assert told.startswith("api_server listens on port 8643, since 'coder' has 8642")
    agent.known_claims["coder"] = [Claim(ClaimKind.BOT, "whatsapp", "platforms/whatsapp/session", "ab" * 32)]
    *_, way_out = (await make(house, NewProfile(ProfileName("zoe"), source=CODER))).warnings
    assert way_out == "to give zoe its own, clone again with --channels strip"


async def test_a_login_that_is_copied_is_told_with_what_will_happen(house: House, agent: ScriptedAgent) -> None:
    """And how the clone gets one of its own; nothing of one that the agent keeps in step."""
    agent.known_claims.clear()
    login = ("auth", "add", "openai-codex")
    codex = Grant("openai-codex", "auth.json", "ab" * 32, Renewal.ENDS, login)
    nous = Grant("nous", "auth.json", "cd" * 32, Renewal.FOLLOWED, ("auth", "add", "nous"))
    agent.known_grants["coder"] = [codex, nous]
    whole = replace(CLONE, order=CloneOrder(Extent.EVERYTHING))
    plan = await house.services.creations.plan(whole)
    assert plan.grants == (SharedGrant(codex, (CODER,)), SharedGrant(nous, (CODER,)))
    (told,) = (await make(house, whole)).warnings
    assert told == (
        "shared with coder: the login openai-codex (auth.json); whichever profile renews it first logs the others "
        "out, who notice when they next ask a model; "
        "to give writer one of its own: hermesctl -p writer auth add openai-codex"
    )
    shown = (await house.services.profiles.get(CODER)).grants
    assert [one.profiles for one in shown] == [(WRITER,), (WRITER,)]
    assert (await make(house, NewProfile(ProfileName("zoe"), source=CODER))).warnings == ()


async def test_without_its_channels_nothing_is_shared(house: House, agent: ScriptedAgent) -> None:
    """And nothing is said."""
    done = await make(house, NewProfile(WRITER, source=CODER, order=CloneOrder(has_channels=False)))
    assert done.warnings == ()


async def test_the_plan_says_what_will_be_done_and_changes_nothing(house: House, agent: ScriptedAgent) -> None:
    """Copied, seeded, set, called, shared; neither home nor alias, operation or event comes of it."""
    plan = await house.services.creations.plan(NewProfile(WRITER, model="m2", source=CODER))
    assert plan.path == house.homes.root / "profiles" / "writer"
    assert plan.steps == (
        Step("copy", "settings of coder"),
        Step("seed", "bundled skills"),
        Step("set", "model m2"),
        Step("alias", "writer → hermesctl -p writer"),
    )
    assert plan.shared == (Shared(TELEGRAM, (CODER,)), Shared(SLACK, (CODER,)))
    assert [home.name.text for home in house.homes.scan()] == ["default", "coder"]
    assert house.aliases.scan() == []
    assert agent.clones == []
    assert await house.store.operations(profile="", limit=10) == []


async def test_the_plan_of_a_whole_clone_seeds_nothing(house: House) -> None:
    """Its skills are those of its source."""
    plan = await house.services.creations.plan(
        NewProfile(WRITER, with_alias=False, source=CODER, order=CloneOrder(Extent.EVERYTHING))
    )
    assert plan.steps == (Step("copy", "everything of coder"),)


async def test_a_source_without_bundled_skills_is_cloned_without(house: House) -> None:
    """It is a choice like its other settings."""
    house.agent.without_skills.add("coder")
    plan = await house.services.creations.plan(CLONE)
    assert Step("skip", "bundled skills: coder does without them") in plan.steps
    assert "seed" not in {step.verb for step in plan.steps}


async def test_the_plan_says_that_there_will_be_no_alias(house: House) -> None:
    """As the creation then does in a warning."""
    house.aliases.programs["writer"] = Path("/usr/bin/writer")
    plan = await house.services.creations.plan(NewProfile(WRITER))
    assert plan.steps[-1] == Step("skip", "alias: it would hide /usr/bin/writer")
    assert "it would hide /usr/bin/writer" in (await make(house, NewProfile(WRITER))).warnings[0]


async def test_contradictions_are_refused(house: House) -> None:
    """A clone without skills, an impossible model; before anything is looked at."""
    assert (await refusal(house, NewProfile(WRITER, with_skills=False, source=CODER))).reason == "ARGUMENT_INVALID"
    for model in (" m", "a\nb", "m\x1b[2J"):
        assert (await refusal(house, NewProfile(WRITER, model=model))).reason == "ARGUMENT_INVALID"


async def test_a_name_in_use_or_a_missing_source_is_refused(house: House) -> None:
    """By the plan too; the closest names are told."""
    assert (await refusal(house, NewProfile(CODER, source=CODER))).reason == "PROFILE_EXISTS"
    missing = await refusal(house, NewProfile(WRITER, source=ProfileName("codr")))
    assert (missing.reason, missing.metadata["closest"]) == ("PROFILE_NOT_FOUND", "coder")


async def test_a_name_that_the_settings_give_another_program_is_refused() -> None:
    """CONFIG_INVALID: the clone's files would be read by nobody."""
    settings = Settings(profiles={"writer": ProfileSettings(command=("/bin/true",))})
    house = House(settings)
    await house.open()
    await house.furnish("coder")
    assert (await refusal(house, CLONE)).reason == "CONFIG_INVALID"
    assert (await refusal(house, NewProfile(WRITER, model="m"))).reason == "CONFIG_INVALID"
    await house.close()


async def test_the_same_request_joins_and_another_one_is_refused(house: House) -> None:
    """Joined while it runs, also when the home is there already; for another clone the name is spoken for."""
    first = await house.services.creations.create(CLONE, REQUESTER)
    second = await house.services.creations.create(CLONE, "somebody else")
    assert first.id == second.id
    with pytest.raises(HermesError) as caught:
        await house.services.creations.create(NewProfile(WRITER), REQUESTER)
    assert caught.value.reason == "PROFILE_BUSY"
    house.homes.add("writer")
    assert (await house.services.creations.create(CLONE, REQUESTER)).id == first.id


async def test_a_source_is_not_taken_away_meanwhile_but_shared_and_run(house: House) -> None:
    """Deleting, renaming and setting it up are refused with the creation's name; clones and its gateway go on."""
    begun = await house.services.creations.create(CLONE, REQUESTER)
    for work in (
        house.services.profiles.delete(CODER, purge=False, requester=REQUESTER),
        house.services.renames.rename(CODER, ProfileName("dev"), REQUESTER),
        house.services.profiles.set_up(CODER, Setup(enable_api_server=True), REQUESTER),
    ):
        with pytest.raises(HermesError) as caught:
            await work
        assert caught.value.reason == "PROFILE_BUSY"
        assert caught.value.message == "profile.create of 'writer' works on profile 'coder'"
        assert caught.value.metadata["operation"] == begun.id
    other = await house.services.creations.create(NewProfile(ProfileName("poet"), source=CODER), REQUESTER)
    started = await house.start("coder")
    for operation in (begun, other, started):
        assert (await house.now(operation)).state is OperationState.SUCCEEDED
    assert {name for _, name, _ in house.agent.clones} == {"writer", "poet"}


async def test_a_source_that_is_being_changed_is_not_cloned(house: House) -> None:
    """What would come of it nobody knows."""

    async def nothing(_: Job) -> None:
        await house.clock.sleep_s(1)

    setting_up = Request("profile.setup", "coder", is_exclusive=True)
    await house.services.operations.start(setting_up, REQUESTER, nothing)
    with pytest.raises(HermesError) as caught:
        await house.services.creations.create(CLONE, REQUESTER)
    assert (caught.value.reason, caught.value.metadata["profile"]) == ("PROFILE_BUSY", "coder")


@dataclass
class Accident:
    """What somebody else does to the source while it is copied."""

    name: str
    happen: Callable[[House], object] = field(repr=False)


ACCIDENTS = [
    Accident("deleted", lambda house: house.homes.drop("coder")),
    Accident("renamed", lambda house: house.homes.rename("coder", "dev")),
    Accident("replaced", lambda house: house.homes.replace("coder")),
]


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda one: one.name)
@pytest.mark.parametrize("is_early", [True, False], ids=["before the copy", "during the copy"])
async def test_a_source_that_hermes_agent_takes_away_leaves_no_clone(accident: Accident, is_early: bool) -> None:
    """What was copied of it may be half of it, so nothing is kept, and its name is told."""
    agent = Busy()
    house = House(agent=agent)
    await house.open()
    await house.furnish("coder")
    begun = await house.services.creations.create(CLONE, REQUESTER)
    if is_early:
        accident.happen(house)
    else:
        agent.meanwhile = lambda: accident.happen(house)
    done = await house.now(begun)
    assert failure(done) == "PROFILE_NOT_FOUND"
    assert done.error is not None
    assert "'coder'" in done.error.message
    assert house.homes.find(WRITER) is None
    assert house.aliases.scan() == []
    await house.close()


async def test_a_creation_is_cancelled_while_it_copies() -> None:
    """CANCELLED, and nothing is left."""
    agent = Busy()
    house = House(agent=agent)
    await house.open()
    await house.furnish("coder")
    begun = await house.services.creations.create(CLONE, REQUESTER)

    def cancel() -> None:
        house.services.operations._jobs[begun.id].is_cancelled = True

    agent.meanwhile = cancel
    done = await house.now(begun)
    assert (done.state, failure(done)) == (OperationState.CANCELLED, "CANCELLED")
    assert house.homes.find(WRITER) is None
    await house.close()


async def test_a_full_disk_in_the_middle_of_a_clone_leaves_nothing() -> None:
    """Nor an alias."""
    agent = Busy()
    house = House(agent=agent)
    await house.open()
    await house.furnish("coder")

    def fill_up() -> None:
        raise DiskFull("no space left")

    agent.meanwhile = fill_up
    assert failure(await make(house, CLONE)) == "DISK_FULL"
    assert (house.homes.find(WRITER), house.aliases.scan()) == (None, [])
    await house.close()


async def test_what_cannot_be_added_to_a_clone_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there; what lies beside it, its alias and its entry in the history are not worth losing it for."""

    def refuse(*_: object) -> list[str]:
        raise DiskFull("no space left")

    monkeypatch.setattr(house.agent, "settle_clone", refuse)
    house.aliases.faults.arm("create", DiskFull("no space left"))
    done = await make(house, CLONE)
    assert done.state is OperationState.SUCCEEDED
    assert len(done.warnings) == 2
    assert house.homes.find(WRITER) is not None


async def test_a_clone_that_was_cut_off_is_made_by_the_next_daemon(house: House, agent: ScriptedAgent) -> None:
    """All of what was asked for is still known."""
    order = CloneOrder(Extent.EVERYTHING, has_channels=False, keeps_cron=True)
    begun = await cut_off(house, NewProfile(WRITER, "Writes", model="m", source=CODER, order=order))
    assert agent.clones == []
    await house.open()
    assert (await house.now(begun)).state is OperationState.SUCCEEDED
    assert agent.clones == [("coder", "writer", order)]
    assert agent.setups == [("writer", Setup(ModelEndpoint("m")))]
    assert "Writes" in house.homes.files_of("writer")["profile.yaml"]


async def test_a_clone_that_was_published_is_only_finished(house: House, agent: ScriptedAgent) -> None:
    """Settled, called and named; not copied again."""
    begun = await cut_off(house, CLONE)
    house.homes.add("writer")
    agent.known_claims["writer"] = [TELEGRAM]
    await house.open()
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert "shared with coder: TELEGRAM_BOT_TOKEN" in done.warnings[0]
    assert agent.clones == []
    assert agent.settled == [("coder", "writer")]
    assert [alias.name for alias in house.aliases.scan()] == ["writer"]


async def test_a_source_that_is_gone_by_then_fails_the_clone(house: House) -> None:
    """Also where another profile has its name: it is not what was to be cloned."""
    begun = await cut_off(house, CLONE)
    house.homes.replace("coder")
    await house.open()
    assert failure(await house.now(begun)) == "PROFILE_NOT_FOUND"
    assert house.homes.find(WRITER) is None


async def test_a_published_clone_outlives_its_source(house: House) -> None:
    """What cannot be settled any more is told."""
    begun = await cut_off(house, CLONE)
    house.homes.add("writer")
    house.homes.drop("coder")
    await house.open()
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings[0].startswith("what is kept beside profiles: there is no profile 'coder'")


async def test_a_source_is_kept_for_a_clone_that_is_taken_up(house: House) -> None:
    """The next daemon holds it as the one before did."""
    begun = await cut_off(house, CLONE)
    await house.store.save_operation(begun)
    recovering = house.services.operations
    await recovering.recover(house.services.resumers)
    with pytest.raises(HermesError) as caught:
        await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)
    assert caught.value.reason == "PROFILE_BUSY"


async def test_no_secret_is_recorded(house: House, agent: ScriptedAgent) -> None:
    """Neither value nor fingerprint of a token is in an operation or an event."""
    await make(house, CLONE)
    recorded = repr(await house.store.operations(profile="", limit=100))
    recorded += repr(await house.store.events(after=0, profile="", limit=100))
    assert TELEGRAM.digest not in recorded
