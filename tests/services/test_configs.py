"""Settings: changed, kept, taken back, and never over what somebody else wrote without a word."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.configuration import Change, ConfigFile, Edit, Schema
from hermesd.domain.errors import ArgumentInvalid, BudgetSpent, ChangedMeanwhile, DiskFull, HermesError, NotFound
from hermesd.domain.profile import ProfileName
from hermesd.domain.version import Origin
from hermesd.services.configs import REVEALS, REVEALS_WITHIN_S
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER, WORKER = ProfileName("coder"), ProfileName("worker")
CONFIG, ENV = ConfigFile.CONFIG, ConfigFile.ENV
CANARY = "canary-of-a-secret-0123456789"


def path_of(house: House, file: ConfigFile) -> Path:
    """Where coder's file is."""
    home = house.homes.find(CODER)
    assert home is not None
    return home.path / file


def write(house: House, file: ConfigFile, text: str) -> None:
    """Somebody else writes it."""
    house.agent.config_files.files[path_of(house, file)] = text.encode()


def held(house: House, file: ConfigFile) -> str:
    """What it says."""
    return house.agent.config_files.files.get(path_of(house, file), b"").decode()


async def kinds(house: House) -> list[str]:
    """What happened to coder's settings, in order."""
    events = await house.store.events(after=0, profile="coder", limit=50)
    return [one.kind for one in events if one.kind.startswith("config.")]


async def update(house: House, **values: str | None) -> list[int]:
    """Sets keys; returns the new version of each file that changed."""
    done = await house.services.configs.update(CODER, [Change(key, text) for key, text in values.items()], "ana")
    return [one.after for one in done.files]


async def test_what_was_there_is_kept_before_it_is_changed(house: House) -> None:
    """As the first version; the change is the second."""
    write(house, CONFIG, "level=1\n")
    assert await update(house, level="2") == [2]
    assert held(house, CONFIG) == "level=2\n"
    kept = await house.services.configs.versions(CODER, CONFIG)
    assert [(one.number, one.origin) for one in kept] == [(2, Origin.COMMAND), (1, Origin.FOUND)]
    assert (await house.services.configs.get(CODER, CONFIG, 1)).text == "level=1\n"
    assert (await house.services.configs.get(CODER, CONFIG)).version == 2
    assert await kinds(house) == ["config.changed"]


async def test_what_is_so_already_is_no_change(house: House) -> None:
    """Nothing is written, kept or told."""
    write(house, CONFIG, "level=2\n")
    assert await update(house, level="2") == []
    assert await house.services.configs.versions(CODER, CONFIG) == []
    assert await kinds(house) == []


async def test_any_version_is_had_back(house: House) -> None:
    """As a new one, so that it can be taken back too."""
    for level in "123":
        await update(house, level=level)
    done = await house.services.configs.revert(CODER, CONFIG, 1)
    assert held(house, CONFIG) == "level=1\n"
    assert [(one.before, one.after) for one in done.files] == [(3, 4)]
    await house.services.configs.revert(CODER, CONFIG, 3)
    assert held(house, CONFIG) == "level=3\n"
    with pytest.raises(NotFound, match="no version 9"):
        await house.services.configs.revert(CODER, CONFIG, 9)


async def test_what_others_wrote_meanwhile_is_kept_and_built_upon(house: House) -> None:
    """Their key and ours are both there, and they are named."""
    await update(house, level="1")
    write(house, CONFIG, "level=1\ntheirs=x\n")
    await update(house, ours="y")
    assert held(house, CONFIG) == "level=1\ntheirs=x\nours=y\n"
    origins = [one.origin for one in await house.services.configs.versions(CODER, CONFIG)]
    assert origins == [Origin.COMMAND, Origin.ELSEWHERE, Origin.COMMAND]
    assert await kinds(house) == ["config.changed", "config.changed_elsewhere", "config.changed"]


async def test_a_write_in_the_very_moment_is_built_upon(house: House) -> None:
    """The change is begun anew, as often as it takes, but not for ever."""
    files, moments = house.agent.config_files, iter(["a", "b"])

    def meddle(_: Edit) -> None:
        for key in moments:
            write(house, CONFIG, f"{held(house, CONFIG)}{key}=1\n")
            return

    files.before_write = meddle
    await update(house, ours="y")
    assert held(house, CONFIG) == "a=1\nb=1\nours=y\n"
    files.before_write = lambda _: write(house, CONFIG, f"{held(house, CONFIG)}z=1\n")
    with pytest.raises(ChangedMeanwhile):
        await update(house, never="y")
    assert "never" not in held(house, CONFIG)


async def test_a_file_that_is_done_is_not_done_again(house: House) -> None:
    """When somebody meddles with the other one."""
    meddled = iter([True])

    def meddle(edit: Edit) -> None:
        if edit.file is CONFIG and next(meddled, False):
            write(house, CONFIG, "theirs=1\n")

    write(house, ENV, "OLD=1\n")
    house.agent.config_files.before_write = meddle
    assert await update(house, OLD=None, level="2") == [2, 2]
    assert (held(house, ENV), held(house, CONFIG)) == ("", "theirs=1\nlevel=2\n")


async def test_an_overwrite_by_somebody_else_is_noticed(house: House) -> None:
    """Both are kept, and it is said which keys; what hermesd never wrote is nobody's business."""
    write(house, ENV, "THEIRS=1\n")
    await update(house, level="1")
    await update(house, mode="x")
    write(house, CONFIG, "level=1\n")
    write(house, ENV, "THEIRS=2\n")
    await house.services.configs.check()
    events = await house.store.events(after=0, profile="coder", limit=50)
    (told,) = [one for one in events if one.kind == "config.changed_elsewhere"]
    assert "mode" in told.message
    assert (await house.services.configs.get(CODER, CONFIG, 2)).text == "level=1\nmode=x\n"
    assert (await house.services.configs.get(CODER, CONFIG)).version == 3


async def test_a_change_is_never_taken_for_somebody_elses(house: House) -> None:
    """Whoever looks while it is under way, after however many steps."""
    configs = house.services.configs

    async def look_after(steps: int, look: Callable[[], Awaitable[object]]) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        await look()

    for steps in range(60):
        look = partial(configs.versions, CODER, CONFIG) if steps % 2 else configs.check
        await asyncio.gather(update(house, level=str(steps)), look_after(steps // 2, look))
    assert set(await kinds(house)) == {"config.changed"}


async def test_what_was_done_before_a_failure_is_told(house: House) -> None:
    """One file is changed, the other could not be."""

    def fill(edit: Edit) -> None:
        if edit.file is CONFIG:
            raise DiskFull("there is no space left")

    house.agent.config_files.before_write = fill
    with pytest.raises(DiskFull):
        await update(house, MY_KEY="x", level="1")
    assert (held(house, ENV), held(house, CONFIG)) == ("MY_KEY=x\n", "")
    (event,) = [one for one in await house.store.events(after=0, profile="coder", limit=9) if "config" in one.kind]
    assert event.message == "MY_KEY of coder was changed"


async def test_what_cannot_be_kept_is_not_changed(house: House) -> None:
    """A full disk costs the change, and no state of the file."""
    write(house, CONFIG, "level=1\n")
    house.versions.refusal = DiskFull("there is no space left")
    with pytest.raises(DiskFull):
        await update(house, level="2")
    assert held(house, CONFIG) == "level=1\n"


async def test_a_gateway_that_runs_does_not_know_the_change(house: House) -> None:
    """That is said."""
    done = await house.services.configs.update(CODER, [Change("level", "1")])
    assert not done.is_running
    await house.start("coder")
    done = await house.services.configs.update(CODER, [Change("level", "2")])
    assert done.is_running


async def test_a_setting_is_the_files_or_the_agents(house: House) -> None:
    """What nobody sets is not there."""
    house.agent.config_files.known_schema = Schema({"mode": "manual", "deep": {"a_key": CANARY, "b": 1}})
    configs = house.services.configs
    told = await configs.setting(CODER, "mode")
    assert (told.shown.text, told.is_default) == ("manual", True)
    await update(house, mode="smart")
    told = await configs.setting(CODER, "mode")
    assert (told.shown.text, told.is_default) == ("smart", False)
    deep = (await configs.setting(CODER, "deep")).shown
    assert (deep.text.splitlines()[1], deep.is_secret) == ("b: 1", True)
    assert CANARY not in deep.text
    for key, is_variable in (("nothing", False), ("MODE", True)):
        with pytest.raises(NotFound, match="is not set"):
            await configs.setting(CODER, key, is_variable=is_variable)


async def test_secrets_are_shown_to_who_asks_for_them_and_that_is_recorded(house: House) -> None:
    """A few in a minute; never in an event."""
    configs = house.services.configs
    await update(house, MY_KEY=CANARY)
    assert CANARY not in str(await configs.get(CODER, ENV))
    for _ in range(REVEALS):
        assert await configs.reveal(CODER, "MY_KEY", "ana") == CANARY
    with pytest.raises(BudgetSpent, match="were shown within 60 s"):
        await configs.reveal(CODER, "MY_KEY", "ana", is_variable=True)
    await house.clock.advance(REVEALS_WITHIN_S)
    assert await configs.reveal(CODER, "MY_KEY", "ana", is_variable=True) == CANARY
    assert (await kinds(house)).count("config.revealed") == REVEALS + 1
    assert CANARY not in str(await house.store.events(after=0, profile="coder", limit=50))
    with pytest.raises(NotFound):
        await configs.reveal(CODER, "OTHER_KEY", "ana", is_variable=True)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("ghost", [Change("a", "1")], "PROFILE_NOT_FOUND"),
        ("coder", [], "ARGUMENT_INVALID"),
        ("coder", [Change("gone", None)], "NOT_FOUND"),
    ],
)
async def test_what_cannot_be_done_changes_nothing(
    house: House, name: str, changes: list[Change], reason: str
) -> None:
    """And is said."""
    with pytest.raises(HermesError) as failure:
        await house.services.configs.update(ProfileName(name), changes)
    assert failure.value.reason == reason
    assert house.agent.config_files.files == {}


async def test_a_file_that_nobody_can_read_keeps_no_other_from_being_looked_at(house: House) -> None:
    """A state that is no settings is kept as well: somebody may want it."""
    await update(house, level="1")
    write(house, CONFIG, "nonsense")
    await house.services.configs.check()
    events = await house.store.events(after=0, profile="coder", limit=50)
    assert events[-1].message.endswith("no key that can be read")


async def test_versions_go_with_a_profile_that_is_purged(house: House) -> None:
    """They hold its keys."""
    await update(house, MY_KEY=CANARY)
    (known,) = [one for one in await house.store.bindings() if one.name == "coder"]
    operation = await house.services.profiles.delete(CODER, purge=True, requester="ana")
    await house.now(operation)
    assert house.versions.of(known.id, ENV) == []


async def test_who_else_has_a_bot_is_said(house: House) -> None:
    """When it is set, and only then: of what was not changed nothing is said."""
    await house.furnish("worker")
    bot = Claim(ClaimKind.BOT, "telegram", "MY_TOKEN", "0" * 64)
    house.agent.known_claims |= {"coder": [bot], "worker": [bot]}
    done = await house.services.configs.update(CODER, [Change("MY_TOKEN", "1:a")], "ana")
    assert list(done.notices) == ["MY_TOKEN is what worker has too: only one of their gateways runs at a time"]
    other = await house.services.configs.update(CODER, [Change("level", "3")], "ana")
    assert list(other.notices) == []


async def test_a_slip_is_said(house: House) -> None:
    """The key is set all the same: an agent may know more than its defaults say."""
    house.agent.config_files.known_schema = Schema({"agent": {"max_turns": 90}, "servers": {}})
    keys = ["agent.max_turn", "servers.mine.url", "agent", "unlike"]
    done = await house.services.configs.update(CODER, [Change(key, "1") for key in keys], "ana")
    assert list(done.notices) == ["the agent knows no setting agent.max_turn; did you mean agent.max_turns?"]
    assert "agent.max_turn=1" in held(house, CONFIG)


async def test_a_file_is_edited_as_a_whole(house: House) -> None:
    """By who has seen it as it is; that they have is recorded, without a value."""
    write(house, CONFIG, "level=1\nmine=x\n")
    text, revision = await house.services.configs.open_text(CODER, CONFIG, "ana")
    assert text.data == b"level=1\nmine=x\n"
    done = await house.services.configs.replace_text(CODER, CONFIG, "level=2\n", revision, "ana")
    assert [(one.key, one.after is None) for one in done.settings] == [("level", False), ("mine", True)]
    assert held(house, CONFIG) == "level=2\n"
    (shown,) = await house.store.events(after=0, profile="coder", limit=9, kinds=["config.revealed"])
    assert shown.facts == {"requester": "ana", "key": "config.yaml"}


async def test_what_was_written_since_it_was_opened_is_not_written_over(house: House) -> None:
    """Nor is a file that has come since, or one that is gone."""
    _, revision = await house.services.configs.open_text(CODER, CONFIG, "ana")
    write(house, CONFIG, "level=1\n")
    with pytest.raises(ChangedMeanwhile):
        await house.services.configs.replace_text(CODER, CONFIG, "level=2\n", revision)
    assert held(house, CONFIG) == "level=1\n"
    fresh = (await house.services.configs.open_text(CODER, CONFIG, "ana"))[1]
    write(house, CONFIG, "level=7\n")
    with pytest.raises(ChangedMeanwhile):
        await house.services.configs.replace_text(CODER, CONFIG, "level=2\n", fresh)
    assert held(house, CONFIG) == "level=7\n"


async def test_opening_counts_as_showing(house: House) -> None:
    """A script that reads everything over and over is stopped like one that asks for each value."""
    for _ in range(REVEALS):
        await house.services.configs.open_text(CODER, CONFIG, "ana")
    with pytest.raises(BudgetSpent, match=r"cannot show config\.yaml"):
        await house.services.configs.open_text(CODER, CONFIG, "ana")


async def test_variables_are_copied_without_being_shown(house: House) -> None:
    """All of them or none; whoever has the bot too is named, and the source is only read."""
    await house.furnish("worker")
    bot = Claim(ClaimKind.BOT, "telegram", "MY_TOKEN", "0" * 64)
    house.agent.known_claims |= {"coder": [bot], "worker": [bot]}
    write(house, ENV, f"MY_TOKEN={CANARY}\nLEVEL=7\n")
    before = held(house, ENV)
    done = await house.services.configs.copy_variables(CODER, WORKER, ["MY_TOKEN", "LEVEL"], "ana")
    assert [one.key for one in done.settings] == ["MY_TOKEN", "LEVEL"]
    assert "MY_TOKEN is what coder has too" in done.notices[0]
    assert CANARY not in repr(done)
    assert held(house, ENV) == before
    with pytest.raises(NotFound, match=r"GONE is not set in \.env of coder"):
        await house.services.configs.copy_variables(CODER, WORKER, ["LEVEL", "GONE"])
    with pytest.raises(ArgumentInvalid):
        await house.services.configs.copy_variables(CODER, CODER, ["LEVEL"])
    kept = repr(await house.store.events(after=0, profile="", limit=100))
    assert CANARY not in kept
