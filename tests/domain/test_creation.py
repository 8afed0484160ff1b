"""New profiles as they are asked for, and what they have in common with others."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.cloning import Credential
from hermesd.domain.creation import NewProfile, Shared, check_model_name, shared_credentials
from hermesd.domain.errors import ArgumentInvalid, ProfileNameInvalid, ProfileRequired
from hermesd.domain.profile import NAME_PATTERN, RESERVED, ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.domain]

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).map(ProfileName)
CREDENTIALS = st.builds(
    Credential, st.sampled_from(["telegram", "slack"]), st.sampled_from("AB"), st.sampled_from(["f1", "f2", "f3"])
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


@given(st.lists(CREDENTIALS), st.dictionaries(NAMES, st.lists(CREDENTIALS)))
def test_shared_is_what_somebody_else_has_under_any_variable(
    own: list[Credential], others: dict[ProfileName, list[Credential]]
) -> None:
    """Each value of a platform once, with exactly those who have it, sorted."""
    found = shared_credentials(own, others)
    values = [(one.credential.platform, one.credential.fingerprint) for one in found]
    assert len(values) == len(set(values))
    for one, value in zip(found, values, strict=True):
        assert list(one.profiles) == sorted(
            name for name, theirs in others.items() if value in {(t.platform, t.fingerprint) for t in theirs}
        )
        assert one.credential in own
    theirs = {(one.platform, one.fingerprint) for held in others.values() for one in held}
    assert set(values) == {(one.platform, one.fingerprint) for one in own} & theirs


def test_one_platform_s_value_is_nothing_to_another_platform() -> None:
    """Two programs may happen to use one word."""
    coder = ProfileName("coder")
    telegram, slack = Credential("telegram", "A", "f"), Credential("slack", "A", "f")
    assert shared_credentials([telegram], {coder: [slack]}) == ()
    assert shared_credentials([telegram], {coder: [telegram]}) == (Shared(telegram, (coder,)),)


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
