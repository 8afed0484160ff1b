"""Exports: what is told, what keeps them from being made, and that no copy is left."""

import pytest

from hermesd.domain.archive import Contents, ExportOrder
from hermesd.domain.errors import ArchiveUnsafe, DiskFull, ProfileBusy, ProfileNotFound
from hermesd.domain.operation import Happening
from hermesd.domain.profile import ProfileName
from hermesd.services.exports import Phase
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
CANARY = "canary-of-a-secret-0123456789"
PLAIN = ExportOrder()


@pytest.fixture(autouse=True)
def filled(house: House) -> None:
    """A home with something to pack."""
    house.archives.files["coder"] = {"SOUL.md": "me", ".env": "A=1", "notes.txt": "x"}


async def export(
    house: House, order: ExportOrder = PLAIN, *, is_dry_run: bool = False, seen: list[object] | None = None
) -> list[object]:
    """Everything that is given; also in `seen`, in case it fails."""
    steps = house.services.exports.export(CODER, order, REQUESTER, is_dry_run=is_dry_run)
    given = [] if seen is None else seen
    async for step in steps:
        given += [step]
    return given


async def exported_events(house: House) -> list[Happening]:
    """What was told of exports."""
    return await house.store.events(after=0, profile="", limit=10, kinds=["profile.exported"])


async def test_phases_then_contents_then_bytes(house: House) -> None:
    """In that order; the copy is gone, and the event says who asked."""
    steps = await export(house)
    kinds = [type(step) for step in steps]
    assert kinds == [Phase, Contents, bytes, bytes]
    contents = steps[1]
    assert isinstance(contents, Contents)
    assert [one.path for one in contents.entries] == ["SOUL.md", "notes.txt"]
    assert house.archives.staged == {}
    (event,) = await exported_events(house)
    assert (event.profile, event.facts["requester"]) == ("coder", REQUESTER)


async def test_a_dry_run_gives_no_bytes(house: House) -> None:
    """And is no event."""
    assert [type(step) for step in await export(house, is_dry_run=True)] == [Phase, Contents]
    assert house.archives.staged == {}
    assert await exported_events(house) == []


async def test_a_secret_keeps_it_from_being_made(house: House) -> None:
    """Whosever it is; the refusal names where it stands, and never says it."""
    await house.furnish("worker")
    house.agent.known_secrets["worker"] = [CANARY]
    house.agent.hidden_settings = ["model.api_key"]
    house.archives.files["coder"]["notes.txt"] = f"see {CANARY}"
    seen: list[object] = []
    with pytest.raises(ArchiveUnsafe) as refusal:
        await export(house, seen=seen)
    assert [type(step) for step in seen] == [Phase, Contents]
    assert "model.api_key in config.yaml and A_TOKEN of worker of .env in notes.txt" in refusal.value.message
    assert CANARY not in refusal.value.message + repr(seen)
    assert house.archives.staged == {}


async def test_secrets_that_are_written_over_do_not(house: House) -> None:
    """The bytes hold none, and the event tells how many there were."""
    house.agent.known_secrets["coder"] = [CANARY]
    house.archives.files["coder"]["notes.txt"] = f"see {CANARY}"
    steps = await export(house, ExportOrder(is_redacting=True))
    data = b"".join(step for step in steps if isinstance(step, bytes))
    assert data
    assert CANARY.encode() not in data
    (event,) = await exported_events(house)
    assert event.facts["redacted"] == "1"


async def test_whoever_goes_away_leaves_no_copy(house: House) -> None:
    """In the middle of the bytes."""
    steps = house.services.exports.export(CODER, PLAIN, REQUESTER)
    async for step in steps:
        if isinstance(step, bytes):
            break
    assert len(house.archives.staged) == 1
    await steps.aclose()
    assert house.archives.staged == {}


async def test_a_profile_that_is_replaced_meanwhile_is_not_handed_out(house: House) -> None:
    """Half of it would be somebody else's."""
    house.archives.meanwhile = lambda: house.homes.replace("coder")
    with pytest.raises(ProfileNotFound, match="is gone"):
        await export(house)
    assert house.archives.staged == {}


async def test_what_cannot_be_exported_is_said(house: House) -> None:
    """No such profile; no room; one that is being changed."""
    with pytest.raises(ProfileNotFound):
        [step async for step in house.services.exports.export(ProfileName("gone"), PLAIN, REQUESTER)]
    house.archives.refusal = DiskFull("no room")
    with pytest.raises(DiskFull):
        await export(house)
    house.archives.refusal = None
    operation = await house.services.profiles.delete(CODER, purge=False, requester=REQUESTER)
    with pytest.raises(ProfileBusy):
        await export(house)
    await house.now(operation)
