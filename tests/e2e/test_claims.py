"""One bot and several profiles of the real agent: one has it, the others wait and ask nothing of any platform.

What the agent's own lock makes of the same stands beside it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bots import ACCOUNT, OTHER_TOKEN, PARKED, READY, START_LIMIT_S, TOKEN, Bots, living
from tests.e2e.house import Machine
from tests.tiers import sampled
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]


@pytest.fixture
def bots(machine: Machine, runtimes: dict[str, Path]) -> Iterator[Bots]:
    """A daemon and the platforms."""
    with living(machine, runtimes) as found:
        yield found


def start_in_vain(bots: Bots, profile: str, *words: str) -> None:
    """A start that is refused for what somebody has, who is named; nothing of it reaches any platform."""
    said = bots.machine.ctl("gateway", "start", profile)
    assert said.returncode == 5, said
    refused = bots.machine.ctl("gateway", "start", profile, "-o", "json")
    assert "TOKEN_IN_USE" in refused.stderr
    for word in (f"'{profile}'", "sha256:", *words):
        assert word in said.stderr
    for secret in (TOKEN, ACCOUNT):
        assert secret not in said.stderr + refused.stderr
    check_waits(bots, profile)


def check_waits(bots: Bots, profile: str) -> None:
    """It is parked for somebody else's bot, and has asked nobody anything."""
    found = bots.daemon.gateway(profile)
    assert found.state == PARKED
    assert "is in use by" in found.detail
    assert bots.came_by(profile) == 0


@pytest.mark.parametrize("version", sampled(["0.19.0"]))
def test_a_second_profile_of_a_bot_waits_and_connects_with_another_token(
    machine: Machine, runtimes: dict[str, Path], version: str
) -> None:
    """The holder hears nothing of it: the same process, no restart, no rival poll; its bot answers."""
    with living(machine, runtimes, version) as bots:
        bots.give("coder", TOKEN)
        bots.give("clone", TOKEN)
        holder = bots.daemon.do("start", "coder")
        bots.answers("coder")
        start_in_vain(bots, "clone", "'coder'")
        bots.answers("coder")
        check_waits(bots, "clone")
        bots.give("clone", OTHER_TOKEN)
        bots.until("clone", READY)
        bots.answers("clone", OTHER_TOKEN)
        now = bots.daemon.gateway("coder")
        assert (now.process, now.restarts) == (holder.process, holder.restarts)
        assert bots.telegram.rivals == set()


@pytest.mark.full
def test_a_bot_hears_and_answers_on_two_platforms(bots: Bots) -> None:
    """And a second profile of the Signal account alone waits as well."""
    bots.give("coder", TOKEN, ACCOUNT)
    bots.give("phone", account=ACCOUNT)
    assert bots.daemon.do("start", "coder").state == READY
    bots.answers("coder")
    bots.answers_on_signal("coder")
    start_in_vain(bots, "phone", "'coder'", "signal")
    bots.daemon.do("stop", "coder")
    bots.until("phone", READY)
    bots.answers_on_signal("phone")


@pytest.mark.full
def test_a_gateway_started_by_hand_sees_that_ours_has_the_bot(bots: Bots) -> None:
    """By the agent's own lock, which it finds out only while it connects, and tries again for ever."""
    bots.give("coder", TOKEN)
    bots.give("manual", TOKEN)
    holder = bots.daemon.do("start", "coder")
    bots.answers("coder")
    with bots.by_hand("manual"):

        def is_refused() -> bool:
            told = bots.report("manual").get("platforms", {}).get("telegram", {})
            return bool(told.get("error_code") == "telegram-bot-token_lock")

        wait_until(is_refused, "the agent to refuse", deadline_s=START_LIMIT_S)
        assert bots.report("manual")["platforms"]["telegram"]["state"] == "retrying"
        assert bots.telegram.polled_by("manual", TOKEN) == 0
        bots.answers("coder")
    assert bots.daemon.gateway("coder").process == holder.process
