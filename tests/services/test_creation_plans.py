"""What is kept of a creation while it runs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.creation import NewProfile
from hermesd.domain.profile import NAME_PATTERN, ProfileName
from hermesd.services.creation_plans import Order

pytestmark = [pytest.mark.fast, pytest.mark.services]

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).map(ProfileName)
ORDERS = st.builds(CloneOrder, st.sampled_from(Extent), has_channels=st.booleans(), keeps_cron=st.booleans())
NEW = st.builds(
    NewProfile, NAMES, st.text(), st.booleans(), st.booleans(), st.text(), st.none() | NAMES, order=ORDERS
)


@given(NEW, st.text())
def test_what_is_asked_for_survives_its_record(new: NewProfile, source_id: str) -> None:
    """A daemon that goes on with it makes the same profile; equal wishes are equal requests."""
    order = Order(new, source_id)
    request = order.request
    assert Order.read(request.profile, request.parameters) == order
    assert Order(new, source_id).request == request
    assert request.source_profile == (new.source.text if new.source else "")


def test_what_an_earlier_release_recorded_is_a_blank_profile() -> None:
    """It knew no clones."""
    found = Order.read("writer", json.dumps(["Writes", False, True]))
    assert found == Order(NewProfile(ProfileName("writer"), "Writes", with_alias=False))
