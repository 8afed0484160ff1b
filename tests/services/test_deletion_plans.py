"""What a deletion would take away, what profiles take on disk, and the name for people."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hermesd.domain.cloning import Credential
from hermesd.domain.errors import ConfigInvalid, GatewayForeign, HermesError
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import DISPLAY_NAME_LENGTH, Home, ProfileName
from hermesd.domain.settings import Settings
from hermesd.domain.terminal import Terminal
from hermesd.domain.usage import DiskUsage, Holdings, Leftover
from hermesd.services.deletion_plans import DeletionPlan
from hermesd.services.usage import AT_ONCE
from tests.services.house import REQUESTER, House, InlineExecutor

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
UNIT = Leftover("the service x is hermes-agent's", "systemctl --user disable --now x")


async def plan(house: House, name: str = "coder", *, purge: bool = False) -> DeletionPlan:
    """What would go."""
    return await house.services.deletion_plans.of(ProfileName(name), purge=purge)


async def refusal(house: House, name: str) -> str:
    """Why there is no plan."""
    with pytest.raises(HermesError) as caught:
        await plan(house, name)
    return caught.value.reason


async def test_a_plan_says_what_goes_and_changes_nothing(house: House) -> None:
    """The gateway runs on, and no operation is begun."""
    house.homes.add("coder", {"skills/a/SKILL.md": "x" * 50, "state.db": "y" * 100})
    house.homes.links["coder"] = "/srv/coder"
    house.agent.known_holdings["coder"] = Holdings(38, 3, 5, "github.com/acme/telemetry")
    house.aliases.create("coder", CODER)
    await house.start("coder")
    before = await house.store.operations(profile="", limit=100)
    found = await plan(house)
    assert found.usage.size_bytes == 150
    assert (found.holdings.session_count, found.aliases, found.link_target) == (38, ("coder",), "/srv/coder")
    assert found.kept_s == Settings().trash_kept_s
    assert (await plan(house, purge=True)).kept_s is None
    assert found.view.gateway.record.process is not None
    assert await house.record("coder") == found.view.gateway.record
    assert await house.store.operations(profile="", limit=100) == before


async def test_what_is_not_ours_is_named_and_stays(house: House) -> None:
    """Before the deletion, and as its warnings."""
    house.agent.known_leftovers["coder"] = [UNIT]
    house.aliases.create("coder", CODER)
    house.aliases.add_upstream("quill", "coder")
    house.terminals.save(Terminal("t1", CODER, "chat", house.processes.add(4132), "/", "", 1.0))
    await house.reopen()
    found = (await plan(house)).leftovers
    assert found[0] == UNIT
    assert "quill is not hermesd's and still calls 'coder'" in found[1].message
    assert found[2] == Leftover("'chat' (pid 4132) still works in it: end it")
    begun = await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)
    done = await house.now(begun)
    assert done.state is OperationState.SUCCEEDED
    assert done.warnings == tuple(str(one) for one in found)
    assert str(UNIT) == "the service x is hermes-agent's: systemctl --user disable --now x"
    assert [alias.name for alias in house.aliases.scan()] == ["quill"]


async def test_a_plan_is_refused_for_what_the_deletion_would_be(house: House) -> None:
    """The default profile, one that is not there, and one whose gateway is not ours to end."""
    assert await refusal(house, "default") == "PROFILE_NAME_INVALID"
    assert await refusal(house, "codr") == "PROFILE_NOT_FOUND"
    house.agent.foreign["coder"] = 99
    with pytest.raises(GatewayForeign, match="99"):
        await plan(house)


async def test_a_walk_is_told_when_its_time_is_over(house: House) -> None:
    """A person waits to confirm; who sets no limit waits to the end."""
    asked: list[bool] = []

    def walk(home: Home, is_enough: Callable[[], bool]) -> DiskUsage:
        asked.append(is_enough())
        return DiskUsage()

    house.homes.measure = walk  # type: ignore[method-assign]
    for limit_s in (0.0, 5.0, None):
        await house.services.usage.of(CODER, limit_s=limit_s)
    assert asked == [True, False, False]


async def test_a_walk_ends_when_nobody_waits_for_it(house: House) -> None:
    """Whoever cancels the call frees the thread too; others wait for their turn meanwhile."""
    ended, walking = threading.Event(), threading.Semaphore(0)

    def endless(home: Home, is_enough: Callable[[], bool]) -> DiskUsage:
        walking.release()
        while not is_enough():
            pass
        ended.set()
        return DiskUsage()

    house.homes.measure = endless  # type: ignore[method-assign]
    home = house.homes.find(CODER)
    assert home is not None
    with ThreadPoolExecutor(8) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        calls = [asyncio.create_task(house.services.usage.of_home(home)) for _ in range(AT_ONCE + 2)]
        for _ in range(AT_ONCE):
            await asyncio.to_thread(walking.acquire)
        assert not walking.acquire(blocking=False)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await asyncio.to_thread(ended.wait, 10)
    asyncio.get_running_loop().set_default_executor(InlineExecutor())


async def test_the_default_profile_gets_a_name_for_people(house: House) -> None:
    """One line, and back again; what it is called in commands stays."""
    profiles = house.services.profiles
    default = ProfileName("default")
    shown = await profiles.set_display_name(default, "  Front\tDesk \n")
    assert shown.facts.display_name == "Front Desk"
    assert shown.known.home.name == default
    assert (await profiles.set_display_name(default, "")).facts.display_name == ""


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\u202eb", "a\x00b", "x" * (DISPLAY_NAME_LENGTH + 1)])
async def test_a_name_that_cannot_be_shown_is_refused(house: House, text: str) -> None:
    """ARGUMENT_INVALID, and nothing is written."""
    with pytest.raises(HermesError) as caught:
        await house.services.profiles.set_display_name(CODER, text)
    assert caught.value.reason == "ARGUMENT_INVALID"
    assert "coder" not in house.agent.known_facts


async def test_a_name_that_cannot_be_written_changes_nothing(house: House) -> None:
    """CONFIG_INVALID passes to the caller."""
    house.agent.naming_refusals["coder"] = ConfigInvalid("cannot use profile.yaml")
    with pytest.raises(ConfigInvalid):
        await house.services.profiles.set_display_name(CODER, "Desk")


async def test_what_platforms_know_a_profile_by_is_told_of_one(house: House) -> None:
    """A list is quick and leaves it out."""
    held = Credential("telegram", "TELEGRAM_BOT_TOKEN", "ab12cd34ef9f")
    house.agent.known_credentials["coder"] = [held]
    assert (await house.services.profiles.get(CODER)).credentials == (held,)
    assert all(not view.credentials for view in await house.services.profiles.all())


async def test_what_is_no_profile_is_told(house: House) -> None:
    """As the tree says."""
    house.homes.strays["My Bot"] = "a reason"
    (found,) = await house.services.profiles.ignored()
    assert (found.path, found.why) == ("/nowhere/.hermes/profiles/My Bot", "a reason")
