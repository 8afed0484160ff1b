"""Logins in two profiles: which are the same, and what will happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.grants import Grant, Renewal, SharedGrant, shared_grants
from hermesd.domain.profile import ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.domain]

CODER, WORK = ProfileName("coder"), ProfileName("work")
GRANTS = st.builds(Grant, st.sampled_from("pq"), st.sampled_from("AB"), st.sampled_from(["f1", "f2"]))
NAMES = st.sampled_from([ProfileName(name) for name in ("coder", "work", "zoe")])


@given(st.lists(GRANTS), st.dictionaries(NAMES, st.lists(GRANTS)))
def test_shared_is_one_token_of_one_provider_in_any_file(
    own: list[Grant], others: dict[ProfileName, list[Grant]]
) -> None:
    """Each once, with exactly those who have it, sorted."""
    found = shared_grants(own, others)
    keys = [(one.grant.provider, one.grant.digest) for one in found]
    assert len(keys) == len(set(keys))
    for one, key in zip(found, keys, strict=True):
        having = [name for name, theirs in others.items() if key in {(t.provider, t.digest) for t in theirs}]
        assert list(one.profiles) == sorted(having)
    theirs = {(one.provider, one.digest) for held in others.values() for one in held}
    assert set(keys) == {(one.provider, one.digest) for one in own} & theirs


@pytest.mark.parametrize("renewal", Renewal)
def test_every_renewal_has_a_consequence_and_harm_a_way_out(renewal: Renewal) -> None:
    """A login that the agent keeps in step needs none."""
    shared = SharedGrant(Grant("p", "auth.json", "ab" * 32, renewal, ("auth", "add", "a b")), (CODER,))
    assert shared.consequence
    assert shared.way_out(WORK) == ("" if shared.is_harmless else "hermesctl -p work auth add 'a b'")
    assert shared.is_harmless == (renewal is Renewal.FOLLOWED)


def test_a_login_nobody_knows_how_to_make_has_no_way_out() -> None:
    """And of its digest only six digits are shown."""
    grant = Grant("p", "auth.json", "0123" + "ab" * 30)
    assert SharedGrant(grant, (CODER,)).way_out(WORK) == ""
    assert grant.masked == "sha256:0123…ab"
