"""What is the same claim, who has it and who gets it next: explored on random fleets, not only on examples."""

import random
from dataclasses import replace
from hashlib import sha256

import pytest

from hermesd.domain.claims import (
    Claim,
    ClaimKind,
    ClaimTable,
    Contender,
    Denial,
    Outsider,
    clashes_within,
    distinct,
    in_use,
)
from hermesd.domain.errors import PortInUse, TokenInUse

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def bot(value: str, platform: str = "telegram", source: str = "TELEGRAM_BOT_TOKEN") -> Claim:
    """A bot with this token."""
    return Claim(ClaimKind.BOT, platform, source, sha256(value.encode()).hexdigest())


def port(number: int, platform: str = "api_server") -> Claim:
    """A port."""
    return Claim(ClaimKind.PORT, platform, f"{platform.upper()}_PORT", port=number)


A, B, C = bot("a"), bot("b"), bot("c")


def running(name: str, *held: Claim, wished_at_s: float = 0.0) -> Contender:
    """A profile whose gateway runs with these claims."""
    return Contender(name, name, wished_at_s, held, held, is_live=True)


def waiting(name: str, *wanted: Claim, wished_at_s: float = 0.0) -> Contender:
    """A profile whose gateway is wanted and has never run."""
    return Contender(name, name, wished_at_s, wanted)


def test_the_same_bot_is_the_same_claim_wherever_it_is_read_from() -> None:
    """Another platform, another kind or another value is another claim."""
    assert bot("a", source="platforms.telegram.token").key == A.key
    others = [B, bot("a", "discord"), Claim(ClaimKind.LOGIN, "telegram", "s", A.digest), port(1)]
    assert len({A.key, *(one.key for one in others)}) == 5
    assert distinct([B, bot("a", source="x"), A]) == tuple(
        sorted([B, bot("a", source="x")], key=lambda one: one.key)
    )


def test_a_port_is_one_whatever_listens_on_it() -> None:
    """The API of one profile and the webhook of another get into each other's way."""
    assert port(8644).key == port(8644, "webhook").key == "port-8644"


def test_what_is_shown_of_a_claim_does_not_tell_its_digest() -> None:
    """Enough to compare two by eye, also with what is shown of credentials."""
    assert A.masked == f"sha256:{A.digest[:4]}…{A.digest[10:12]}"
    assert (port(8643).masked, str(port(8643))) == ("port 8643", "port 8643 (api_server)")
    assert str(A) == f"telegram {A.masked}"


def test_a_key_can_name_a_file() -> None:
    """And is as long as two hundred characters at most."""
    for claim in (A, port(1), Claim(ClaimKind.LOGIN, "whatsapp", "platforms/whatsapp/session", "0" * 64)):
        assert "/" not in claim.key
        assert len(claim.key) < 200


def test_two_platforms_of_one_gateway_cannot_share_a_port() -> None:
    """The same entry read twice is no clash."""
    first, second = port(8645, "wecom_callback"), port(8645, "bluebubbles")
    assert clashes_within([A, first, port(8645, "wecom_callback"), second]) == [(first, second)]


def test_who_runs_denies_who_waits() -> None:
    """Only for what both use, and named on both sides."""
    holder = running("coder", A)
    table = ClaimTable([holder, waiting("work", A, B), waiting("other", B)])
    assert table.denials("work") == [Denial(A, holder)]
    assert Denial(A, holder).holder_name == "'coder'"
    assert table.starters() == ["other"]
    assert table.denials("coder") == []


def test_first_wish_first_then_name() -> None:
    """Whoever comes later waits for that one, which may not even have started."""
    contenders = [waiting("b", A, wished_at_s=1), waiting("c", A, wished_at_s=1), waiting("a", A, wished_at_s=2)]
    assert ClaimTable(contenders).starters() == ["b"]
    assert ClaimTable([running("x", A), *contenders]).starters() == []


def test_who_cannot_start_keeps_nobody_waiting() -> None:
    """A free bot is not kept free for somebody who waits for another one."""
    contenders = [waiting("both", A, B, wished_at_s=1), waiting("later", B, wished_at_s=2)]
    assert ClaimTable([running("x", A), *contenders]).starters() == ["later"]
    assert ClaimTable(contenders).starters() == ["both"]


def test_who_would_be_next_is_told_by_what_else_it_wants() -> None:
    """The first that could really start."""
    stuck, able = waiting("stuck", A, B, wished_at_s=1), waiting("able", A, wished_at_s=2)
    assert ClaimTable([running("x", A), running("y", B), stuck, able]).starters() == []
    assert ClaimTable([running("y", B), stuck, able]).starters() == ["able"]


def test_a_crash_hands_the_bot_to_nobody() -> None:
    """What comes back keeps what it still wants of what it had, whoever waited longer."""
    crashed = replace(running("coder", A, B, wished_at_s=9), is_live=False, wanted=(A, C))
    table = ClaimTable([crashed, waiting("work", A, wished_at_s=1), waiting("free", B, wished_at_s=1)])
    assert table.starters() == ["free", "coder"]
    assert table.denials("work") == [Denial(A, crashed)]
    assert crashed.kept == (A,)


def test_a_changed_token_frees_the_old_one_only_with_the_process() -> None:
    """What runs goes on with what it was started with, whatever its files say by now."""
    holder = replace(running("coder", A), wanted=(B,))
    table = ClaimTable([holder, waiting("work", A), waiting("other", B)])
    assert table.starters() == ["other"]
    assert table.denials("work") == [Denial(A, holder)]


def test_what_lives_comes_before_what_comes_back() -> None:
    """Two that had the same claim, as after a token was copied: the one with the process has it."""
    crashed = replace(running("a", A), is_live=False)
    table = ClaimTable([crashed, running("b", A, wished_at_s=5)])
    assert table.denials("a") == [Denial(A, running("b", A, wished_at_s=5))]


def test_an_outsider_denies_until_it_is_gone() -> None:
    """A gateway that a person started, or one of another daemon."""
    outsider = Outsider(4711)
    table = ClaimTable([waiting("coder", A)], {A.key: outsider})
    assert table.denials("coder") == [Denial(A, outsider)]
    assert table.starters() == []
    assert ClaimTable([waiting("coder", A)]).starters() == ["coder"]
    assert ClaimTable([running("coder", A)], {A.key: outsider}).denials("coder") == []


@pytest.mark.parametrize(
    ("outsider", "said"),
    [
        (Outsider(5), "a gateway that hermesd did not start (pid 5)"),
        (Outsider(5, "coder"), "the gateway of 'coder' (pid 5)"),
        (Outsider(None, "coder", "/srv/h"), "the gateway of 'coder' in /srv/h"),
        (Outsider(7, program="nginx"), "nginx (pid 7)"),
    ],
)
def test_an_outsider_is_named_as_far_as_it_is_known(outsider: Outsider, said: str) -> None:
    """In words that a sentence can end with."""
    assert str(outsider) == said
    assert Denial(A, outsider).holder_name == said


def test_refusals_name_the_claim_and_its_holder() -> None:
    """Never more of the secret than can be shown."""
    token = in_use(A, "'coder'", profile="work", fixes=["hermesctl gateway stop coder"])
    assert isinstance(token, TokenInUse)
    assert token.message == f"telegram bot {A.masked} is in use by 'coder'"
    assert token.metadata["fix"] == "hermesctl gateway stop coder"
    assert token.metadata["profile"] == "work"
    assert A.digest not in str(token.metadata)
    taken = in_use(port(8643))
    assert isinstance(taken, PortInUse)
    assert (taken.message, taken.metadata["port"]) == ("port 8643 is in use by another gateway", "8643")


def fleet(rng: random.Random) -> ClaimTable:
    """A random fleet over few claims, in which no two processes hold the same."""
    claims = [bot(str(number)) for number in range(4)]
    free, contenders = list(claims), []
    for number in range(rng.randint(1, 7)):
        wanted = tuple(rng.sample(claims, rng.randint(0, 3)))
        is_live = rng.random() < 0.4
        held = tuple(rng.sample(free, rng.randint(0, len(free)))) if is_live else ()
        free = [one for one in free if one not in held]
        if not is_live and rng.random() < 0.3:
            held = wanted
        contenders.append(
            Contender(
                f"id{number}", f"n{rng.randint(0, 3)}{number}", rng.randint(0, 3), wanted, held, is_live=is_live
            )
        )
    outsiders = {one.key: Outsider(1) for one in free if rng.random() < 0.2}
    return ClaimTable(contenders, outsiders)


def test_no_fleet_gets_two_holders_and_none_waits_in_vain(rng: random.Random) -> None:
    """Whoever may start takes nothing that is held or kept; whoever may not is denied by somebody else."""
    for _ in range(2_000):
        table = fleet(rng)
        starting = table.starters()
        after = table
        for profile_id in starting:
            assert after.denials(profile_id) == []
            after = after.with_started(profile_id)
        live = [claim.key for one in after.contenders if one.is_live for claim in one.kept]
        assert len(live) == len(set(live))
        assert not set(live) & {key for key in table.outsiders if key not in live}
        for waiter in after.waiters():
            denials = after.denials(waiter.profile_id)
            assert denials
            assert all(denial.claim in waiter.wanted and denial.holder != waiter for denial in denials)


def test_the_order_of_the_fleet_decides_nothing(rng: random.Random) -> None:
    """Only wishes and names do."""
    for _ in range(300):
        table = fleet(rng)
        shuffled = rng.sample(list(table.contenders), len(table.contenders))
        assert ClaimTable(shuffled, table.outsiders).starters() == table.starters()


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("BOT_TOKEN", ".env"),
        ("platforms.discord.token", "config.yaml"),
        ("gateway.json.discord.token", "gateway.json"),
        ("auth.json", ""),
        ("platforms/whatsapp/session", ""),
    ],
)
def test_a_claims_source_tells_the_file_to_edit(source: str, file: str) -> None:
    """None where a login is made by a program."""
    assert Claim(ClaimKind.BOT, "p", source, "ab").file == file
    assert Claim(ClaimKind.PORT, "p", source, port=1).place == f"{source} (port 1)"
