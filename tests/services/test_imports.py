"""Imports: planned, carried out, refused, cancelled, and across a daemon's death."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hermesd.domain.archive import Act, ActKind, Arrival
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.errors import (
    ArchiveCorrupt,
    ArchiveUnsafe,
    ChangedMeanwhile,
    DiskFull,
    HermesError,
    ProfileExists,
    ProfileNameInvalid,
)
from hermesd.domain.operation import Operation, OperationState
from hermesd.domain.ports import Spool
from hermesd.domain.profile import ProfileName
from hermesd.domain.version import Origin
from hermesd.services.imports import NewImport
from tests.services.house import REQUESTER, House, failure

pytestmark = [pytest.mark.fast, pytest.mark.services]

BOT = ProfileName("bot")
PLAIN = NewImport()
HOOK = Act(ActKind.HOOK, "evil: handler.py", is_disabled=True, enabling="move it")
SETTING = Act(ActKind.GUARD, "approvals.mode: off", is_disabled=True, is_setting=True)


async def arrived(house: House, root: str = "bot", **files: str) -> Spool:
    """An archive, sent in two pieces."""
    data = json.dumps({"root": root, "files": files or {"SOUL.md": "me", ".env": "A=1"}}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:5]
        yield data[5:]

    return await house.services.imports.receive(pieces())


async def imported(house: House, new: NewImport = PLAIN, root: str = "bot") -> Operation:
    """An import to its end."""
    return await house.now(await house.services.imports.start(await arrived(house, root), new, REQUESTER))


async def refusal(house: House, new: NewImport = PLAIN, root: str = "bot") -> HermesError:
    """How an import is refused, by the plan and by the deed alike; nothing is made, and the archive is let go."""
    with pytest.raises(HermesError) as planned:
        await house.services.imports.plan(await arrived(house, root), new)
    with pytest.raises(HermesError) as done:
        await house.services.imports.start(await arrived(house, root), new, REQUESTER)
    assert (planned.value.reason, planned.value.message) == (done.value.reason, done.value.message)
    assert house.archives.spools[-1].is_closed
    assert house.archives.scratches == []
    return done.value


async def test_a_profile_is_made_and_nothing_is_started(house: House) -> None:
    """With its command, as the archive names it; secrets in it are not taken."""
    done = await imported(house)
    assert done.state is OperationState.SUCCEEDED
    assert house.homes.find(BOT) is not None
    assert [one.name for one in house.aliases.scan()] == ["bot"]
    (made,) = house.archives.unpacked.values()
    assert made == {"SOUL.md": "me"}
    assert (await house.record("bot")).process is None
    assert house.archives.spools[-1].is_closed
    (event,) = await house.store.events(after=0, profile="", limit=10, kinds=["profile.imported"])
    assert (event.profile, event.facts["digest"]) == ("bot", house.archives.spools[-1].digest)


async def test_another_name_and_no_command(house: House) -> None:
    """As it is asked for."""
    done = await imported(house, NewImport(ProfileName("other"), with_alias=False))
    assert done.profile == "other"
    assert house.homes.find(BOT) is None
    assert list(house.aliases.scan()) == []


async def test_a_plan_changes_nothing(house: House) -> None:
    """It is unpacked where nobody sees it, and gone again."""
    house.agent.arrival = Arrival((HOOK,))
    spool = await arrived(house)
    plan = await house.services.imports.plan(spool, PLAIN)
    assert (plan.name, plan.acts) == ("bot", (HOOK,))
    assert [one.path for one in plan.judged.left_out] == [".env"]
    assert house.homes.find(BOT) is None
    assert (house.archives.scratches, house.archives.unpacked) == ([], {})
    done = await house.now(await house.services.imports.start(spool, NewImport(digest=plan.digest), REQUESTER))
    assert done.state is OperationState.SUCCEEDED


async def test_another_archive_than_was_looked_at_is_refused(house: House) -> None:
    """Whoever confirmed the one has not seen the other."""
    found = await refusal(house, NewImport(digest="0" * 64))
    assert found.reason == ChangedMeanwhile.reason


async def test_what_was_switched_off_is_told_and_can_be_had_back(house: House) -> None:
    """The settings as they came are the first version."""
    house.agent.arrival = Arrival((HOOK, SETTING), original=b"approvals=off\n")
    done = await imported(house)
    assert done.warnings == (
        "what would run by itself arrived switched off: evil and approvals.mode",
        "hermesctl config diff 1 -p bot shows which settings that changed",
    )
    known = (await house.services.configs.versions(BOT, ConfigFile.CONFIG))[-1]
    assert (known.number, known.origin) == (1, Origin.FOUND)


async def test_names_that_cannot_be_had(house: House) -> None:
    """A profile's, the default's, and one that none may have; each with the way out."""
    assert (await refusal(house, root="coder")).reason == ProfileExists.reason
    found = await refusal(house, root="default")
    assert (found.reason, found.metadata["hint"]) == (ProfileNameInvalid.reason, "--name gives it another name")
    assert (await refusal(house, root="No Name!")).reason == ProfileNameInvalid.reason
    done = await imported(house, NewImport(BOT), root="default")
    assert done.state is OperationState.SUCCEEDED


async def test_an_archive_that_is_not_taken_is_said_to_be_one(house: House) -> None:
    """Damaged, dangerous, or of which nobody can tell what it would run."""

    async def damaged() -> AsyncIterator[bytes]:
        yield b"{"

    spool = await house.services.imports.receive(damaged())
    with pytest.raises(ArchiveCorrupt, match="cannot import this archive: it is no archive"):
        await house.services.imports.start(spool, PLAIN, REQUESTER)
    spool = await arrived(house, **{"../x": "out"})
    with pytest.raises(ArchiveUnsafe, match=r"this archive: .* leads out"):
        await house.services.imports.plan(spool, PLAIN)
    house.agent.arrival = ArchiveUnsafe("nobody can tell")
    done = await imported(house)
    assert failure(done) == "ARCHIVE_UNSAFE"
    assert done.error is not None
    assert done.error.message == "cannot import this archive: nobody can tell"
    assert house.homes.find(BOT) is None


async def test_a_failure_leaves_nothing(house: House) -> None:
    """And what could not be added is told."""
    house.archives.refusal = DiskFull("no room")
    assert failure(await imported(house)) == "DISK_FULL"
    assert house.homes.find(BOT) is None
    assert house.archives.spools[-1].is_closed
    house.archives.refusal = None
    house.archives.warnings = ["state.db: it is damaged"]
    house.aliases.programs["bot"] = Path("/usr/bin/bot")
    done = await imported(house)
    assert done.warnings[0] == "state.db: it is damaged"
    assert "it would hide /usr/bin/bot; use hermesctl -p bot" in done.warnings[1]


async def test_an_import_can_be_cancelled(house: House) -> None:
    """Before it is published, nothing is left."""
    spool = await arrived(house)

    def cancel() -> None:
        for job in house.services.operations._jobs.values():
            job.is_cancelled = True

    house.archives.meanwhile = cancel
    done = await house.now(await house.services.imports.start(spool, PLAIN, REQUESTER))
    assert done.state is OperationState.CANCELLED
    assert house.homes.find(BOT) is None


async def test_after_a_death_nothing_is_left_or_it_is_finished(house: House) -> None:
    """The archive died with the daemon; a home that was published gets what it still lacks."""
    for name in ("bot", "made"):
        at_s = house.clock.now_s()
        parameters = json.dumps(["0" * 64, True])
        await house.store.save_operation(
            Operation(f"cut-off-{name}", "profile.import", name, parameters, REQUESTER, at_s)
        )
    house.homes.add("made")
    await house.reopen()
    lost, finished = [
        await house.now(await house.services.operations.get(f"cut-off-{n}")) for n in ("bot", "made")
    ]
    assert failure(lost) == "INTERRUPTED"
    assert finished.state is OperationState.SUCCEEDED
    assert [one.name for one in house.aliases.scan()] == ["made"]


async def test_who_breaks_off_while_sending_leaves_nothing(house: House) -> None:
    """The part that arrived is let go."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await house.services.imports.receive(broken())
    assert house.archives.spools[-1].is_closed
