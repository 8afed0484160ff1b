"""Which ports profiles are given, and which ones they keep."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.errors import PortInUse
from hermesd.domain.listening import (
    API_SERVER,
    FIRST_API_PORT,
    LAST_PORT,
    Neighbour,
    PortMove,
    Sockets,
    clashing,
    displaced,
    lowest_free,
    moves,
    ports_of,
)

pytestmark = [pytest.mark.fast, pytest.mark.domain]

PLATFORMS = ["api_server", "bluebubbles", "webhook", "wecom_callback", "whatsapp"]
CLAIMS = st.lists(
    st.builds(
        Claim,
        st.just(ClaimKind.PORT),
        st.sampled_from(PLATFORMS),
        st.just("X_PORT"),
        port=st.sampled_from([3000, 8642, 8643, 8644, 8645, 40_000, LAST_PORT]),
        is_usual=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda claim: claim.platform,
)
NEIGHBOURS = st.lists(st.builds(Neighbour, st.sampled_from(["a", "b"]), CLAIMS, st.booleans()), max_size=3)
SOCKETS = st.builds(
    Sockets,
    st.frozensets(st.integers(8640, 8650)),
    st.sampled_from([range(0), range(32_768, 61_000), range(1024, LAST_PORT + 1)]),
)


def port(platform: str, number: int, *, is_usual: bool = False) -> Claim:
    """A claim."""
    return Claim(ClaimKind.PORT, platform, f"{platform.upper()}_PORT", port=number, is_usual=is_usual)


def test_a_copy_gets_other_ports_than_whoever_has_them() -> None:
    """Named or usual, running or not; the API's come from where they are handed out, others from behind."""
    own = [port(API_SERVER, 8642, is_usual=True), port("webhook", 9000), port("whatsapp", 3000, is_usual=True)]
    coder = Neighbour("coder", own)
    found = moves(clashing(own, [coder]), [8642, 9000, 3000, 8643], Sockets(frozenset({9001})))
    assert [(one.claim, one.port, one.holder) for one in found] == [
        (own[0], 8644, "'coder'"),
        (own[1], 9002, "'coder'"),
        (own[2], 3001, "'coder'"),
    ]
    assert str(found[1]) == "webhook listens on port 9002, since 'coder' has 9000"


def test_bots_are_no_ports() -> None:
    """They stay whose they are."""
    bot = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "ab" * 32)
    assert ports_of([bot]) == []
    assert clashing([bot], [Neighbour("a", [bot])]) == displaced([bot], [Neighbour("a", [bot], is_up=True)]) == []


def test_a_usual_port_gives_way_to_who_named_it_or_runs_with_it() -> None:
    """Not to who merely could: a webhook's port is known elsewhere."""
    usual, named = port("webhook", 8644, is_usual=True), port("webhook", 8644)
    assert displaced([usual], [Neighbour("a", [usual])]) == []
    assert displaced([usual], [Neighbour("a", [named])]) == [(usual, "'a'")]
    assert displaced([usual], [Neighbour("a", [usual], is_up=True)]) == [(usual, "'a'")]
    assert displaced([named], [Neighbour("a", [named], is_up=True)]) == []


def test_platforms_of_one_gateway_get_out_of_each_others_way() -> None:
    """The named one stays; of two that nobody named the first."""
    first, second = port("wecom_callback", 8645, is_usual=True), port("bluebubbles", 8645, is_usual=True)
    assert displaced([first, second], []) == [(second, "wecom_callback")]
    assert displaced([first, replace(second, is_usual=False)], []) == [(first, "bluebubbles")]
    assert displaced([replace(first, is_usual=False), replace(second, is_usual=False)], []) == []


def test_fleeting_ports_are_the_last_choice() -> None:
    """A connection may have one at any moment; better that than none."""
    assert lowest_free(8643, {8643}.__contains__, range(8644, 9000)) == 9000
    assert lowest_free(LAST_PORT, {LAST_PORT}.__contains__, range(1024, 1030)) == 1030
    assert lowest_free(8643, {8643}.__contains__, range(LAST_PORT + 1)) == 8644
    with pytest.raises(PortInUse):
        lowest_free(8643, lambda _: True, range(0))


def test_no_port_is_given_that_only_root_may_have() -> None:
    """Also not behind one that is."""
    (move,) = moves([(port("webhook", 443), "'a'")], [443], Sockets())
    assert move.port == 1024


@given(own=CLAIMS, neighbours=NEIGHBOURS, sockets=SOCKETS)
def test_what_is_given_is_free_and_everybody_elses_is_left_alone(
    own: Sequence[Claim], neighbours: Sequence[Neighbour], sockets: Sockets
) -> None:
    """Whoever claims what: no port twice, none that is claimed or listened on, named ones only in copies."""
    claimed = {one.port for one in own} | {one.port for other in neighbours for one in other.claims}
    for crowded, is_copy in ((clashing(own, neighbours), True), (displaced(own, neighbours), False)):
        found = moves(crowded, claimed, sockets)
        given_out = [move.port for move in found]
        assert len(set(given_out)) == len(given_out)
        assert not set(given_out) & (claimed | sockets.listening)
        assert all(1024 <= one <= LAST_PORT for one in given_out)
        assert is_copy or all(move.claim.is_usual for move in found)


@given(own=CLAIMS, neighbours=NEIGHBOURS, sockets=SOCKETS)
def test_once_moved_nothing_is_left_to_move(
    own: Sequence[Claim], neighbours: Sequence[Neighbour], sockets: Sockets
) -> None:
    """So doing it again, after a crash, changes nothing more."""
    claimed = {one.port for one in own} | {one.port for other in neighbours for one in other.claims}
    for choose in (clashing, displaced):
        given_out = {move.claim: move for move in moves(choose(own, neighbours), claimed, sockets)}
        after = [_moved(claim, given_out.get(claim)) for claim in own]
        assert choose(after, neighbours) == []


def _moved(claim: Claim, move: PortMove | None) -> Claim:
    return claim if move is None else replace(claim, port=move.port, is_usual=False)


def test_the_first_port_of_an_api_is_not_what_an_agent_takes_unasked() -> None:
    """Or an agent that was started by hand would have it."""
    (move,) = moves([(port(API_SERVER, 9000), "'a'")], [9000], Sockets())
    assert move.port == FIRST_API_PORT
