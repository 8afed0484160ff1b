"""New profiles as they are asked for, and what they have in common with others."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.creation import NewProfile, Shared, check_model_name, shared_claims
from hermesd.domain.errors import ArgumentInvalid, ProfileNameInvalid, ProfileRequired
from hermesd.domain.profile import NAME_PATTERN, RESERVED, ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.domain]

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).map(ProfileName)
CLAIMS = st.one_of(
    st.builds(
        Claim,
        st.sampled_from([ClaimKind.BOT, ClaimKind.LOGIN]),
        st.sampled_from(["telegram", "slack"]),
        st.sampled_from("AB"),
        st.sampled_from(["f1", "f2", "f3"]),
    ),
    st.builds(
        Claim, st.just(ClaimKind.PORT), st.sampled_from("pq"), st.sampled_from("AB"), port=st.integers(1, 3)
    ),
)


def test_a_clone_without_skills_is_a_contradiction() -> None:
    """A blank profile without them is not."""
    NewProfile(ProfileName("writer"), with_skills=False).check()
    with pytest.raises(ArgumentInvalid):
        NewProfile(ProfileName("writer"), with_skills=False, source=ProfileName("coder")).check()


@pytest.mark.parametrize("model", ["", "gpt-4o", "anthropic/claude-opus-4", "llama3.2:1b", "a b", "\u00fc"])
def test_models_are_called_almost_anything(model: str) -> None:
    """What can be seen is allowed."""
    check_model_name(model)


@pytest.mark.parametrize("model", [" m", "m ", "a\nb", "a\x00", "a\x1b[2J", "a\u2028b", "a\u202eb"])
def test_what_cannot_be_seen_is_no_model(model: str) -> None:
    """It would change a terminal, a file or somebody's mind."""
    with pytest.raises(ArgumentInvalid):
        check_model_name(model)


@given(st.lists(CLAIMS), st.dictionaries(NAMES, st.lists(CLAIMS)))
def test_shared_is_what_somebody_else_claims_from_any_place(
    own: list[Claim], others: dict[ProfileName, list[Claim]]
) -> None:
    """Each thing once, with exactly those who claim it, sorted."""
    found = shared_claims(own, others)
    keys = [one.claim.key for one in found]
    assert len(keys) == len(set(keys))
    for one, key in zip(found, keys, strict=True):
        assert list(one.profiles) == sorted(
            name for name, theirs in others.items() if key in {claim.key for claim in theirs}
        )
        assert one.claim in own
    assert set(keys) == {one.key for one in own} & {one.key for held in others.values() for one in held}


def test_a_port_is_one_whoever_listens_and_a_digest_is_one_platforms() -> None:
    """Two platforms cannot listen on one port, and may well call their bots the same."""
    coder = ProfileName("coder")
    telegram, slack = (Claim(ClaimKind.BOT, platform, "A", "f") for platform in ("telegram", "slack"))
    api, hook = (Claim(ClaimKind.PORT, platform, "P", port=8642) for platform in ("api_server", "webhook"))
    assert shared_claims([telegram], {coder: [slack]}) == ()
    assert shared_claims([telegram], {coder: [telegram]}) == (Shared(telegram, (coder,)),)
    assert shared_claims([api], {coder: [hook]}) == (Shared(api, (coder,)),)


@given(st.text())
def test_any_text_is_a_harmless_name_or_none(text: str) -> None:
    """What is read as the name of a new profile is one component of a path and one word of a shell."""
    try:
        name = ProfileName.parse_new(text).text
    except (ProfileNameInvalid, ProfileRequired):
        return
    assert NAME_PATTERN.fullmatch(name)
    assert name not in RESERVED
    assert shlex.quote(name) == Path(name).name == name
