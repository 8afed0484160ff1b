"""One bot and several profiles of the real agent: one has it, the others wait and ask nothing of any platform.

What the agent's own lock makes of the same stands beside it.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hermesd.v1.gateways_pb2 import Gateway
from tests.e2e.accidents import cut_power
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


def back(bots: Bots, profile: str, before: Gateway) -> Gateway:
    """The gateway of a profile once it has another process and is ready."""
    gone = (0, before.process.pid)
    wait_until(lambda: bots.daemon.gateway(profile).process.pid not in gone, f"{profile} to come back")
    return bots.until(profile, READY)


@pytest.mark.parametrize("version", sampled(["0.19.0", "0.18.2"]))
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
def test_killed_it_gets_its_bot_back_and_stopped_it_makes_way(bots: Bots) -> None:
    """By the order of wishes, whether or not a daemon was there; no two ever polled at once."""
    for name in ("coder", "early", "late"):
        bots.give(name, TOKEN)
    holder = bots.daemon.do("start", "coder")
    bots.answers("coder")
    start_in_vain(bots, "early", "'coder'")
    start_in_vain(bots, "late", "'coder'")

    psutil.Process(holder.process.pid).kill()
    holder = back(bots, "coder", holder)
    bots.answers("coder")
    bots.daemon.kill_and_start()
    assert bots.daemon.gateway("coder").process == holder.process
    bots.daemon.kill()
    psutil.Process(holder.process.pid).kill()
    bots.daemon.start()
    holder = back(bots, "coder", holder)
    cut_power(bots.daemon)
    bots.daemon.start()
    back(bots, "coder", holder)
    bots.answers("coder")
    for name in ("early", "late"):
        check_waits(bots, name)

    bots.daemon.do("stop", "coder")
    bots.until("early", READY)
    bots.answers("early")
    check_waits(bots, "late")
    bots.daemon.kill_and_start()
    check_waits(bots, "late")
    bots.daemon.do("stop", "early")
    bots.until("late", READY)
    bots.answers("late")
    assert bots.telegram.rivals == set()


@pytest.mark.full
@pytest.mark.parametrize("version", ["0.19.0", "0.18.2"])
@pytest.mark.parametrize("shell", [{}, {"XDG_STATE_HOME": "state"}], ids=str)
def test_a_gateway_started_by_hand_keeps_its_bot(
    machine: Machine, runtimes: dict[str, Path], version: str, shell: dict[str, str]
) -> None:
    """Seen wherever its shell keeps locks, named, never killed; another bot runs beside it; ours follows it."""
    with living(machine, runtimes, version) as bots:
        for name, token in (("manual", TOKEN), ("coder", TOKEN), ("other", OTHER_TOKEN)):
            bots.give(name, token)
        told = {name: str(machine.home / value) for name, value in shell.items()}
        with bots.by_hand("manual", **told) as process:
            bots.answers("manual")
            start_in_vain(bots, "coder", str(process.pid))
            assert bots.daemon.do("start", "other").state == READY
            bots.answers("other", OTHER_TOKEN)
            bots.answers("manual")
            assert process.poll() is None
            check_waits(bots, "coder")
        bots.until("coder", READY)
        bots.answers("coder")


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
        assert bots.report("manual")["platforms"]["telegram"]["state"] in {"retrying", "fatal"}
        assert bots.telegram.polled_by("manual", TOKEN) == 0
        bots.answers("coder")
    assert bots.daemon.gateway("coder").process == holder.process


@pytest.mark.full
def test_the_agents_own_lock_hands_a_bot_to_whoever_asks_first_after_a_kill(bots: Bots) -> None:
    """Why hermesd decides who gets it back: the one that waits wins, its owner is refused."""
    for name in ("owner", "waiter"):
        bots.give(name, TOKEN)
    with bots.by_hand("owner") as owner:
        bots.answers("owner")
        with bots.by_hand("waiter"):
            wait_until(
                lambda: bots.report("waiter").get("platforms", {}).get("telegram", {}).get("state") == "retrying",
                "the waiter to be refused",
                deadline_s=START_LIMIT_S,
            )
            owner.kill()
            bots.until_polled("waiter")
            with bots.by_hand("owner"):
                wait_until(
                    lambda: "lock" in str(bots.report("owner").get("platforms", {}).get("telegram", {})),
                    "the owner to be refused",
                    deadline_s=START_LIMIT_S,
                )
