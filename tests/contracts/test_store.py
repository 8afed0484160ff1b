"""What every store does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.store import SqliteStore
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.gateway import Gateway, ParkedFor, State
from hermesd.domain.operation import Operation, OperationError, OperationState, Progress
from hermesd.domain.ports import EVENTS_KEPT, OPERATIONS_KEPT, Store
from hermesd.domain.process import ExitCause, ExitStatus, LastExit, ProcessIdentity
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.fakes.store import MemoryStore

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

HOME = HomeIdentity(device=64769, inode=1234, birth_ns=1_700_000_000_123_456_789)
CODER = Binding("111111111111", HOME, "coder")
FULL_RECORD = GatewayRecord(
    profile_id="abcdefghijkl",
    gateway=Gateway(State.PARKED, wanted_up=True, attempts=3, is_port_taken=True, parked_for=ParkedFor.BUDGET),
    spawn_id="spawn1",
    home=Home(ProfileName("coder"), Path("/home/ana/\udcff/.hermes/profiles/coder"), HOME),
    process=ProcessIdentity("boot", 4711, 99, "spawn1"),
    since_s=12.5,
    restarts=7,
    next_start_at_s=1_700_000_000.25,
    last_exit=LastExit(ExitCause.CRASHED, ExitStatus(signal=9), "killed", 11.0),
    detail="warten auf Budget ✓",
    wished_at_s=1_700_000_000.5,
    claims=(Claim(ClaimKind.LOGIN, "whatsapp", "whatsapp/session", "cd" * 32),),
)
OPERATION = Operation(
    id="operation001",
    kind="gateway.start",
    profile="coder",
    parameters="{}",
    requester="test",
    started_at_s=5.0,
)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, in memory and then in a file."""
    if request.param == "memory":
        yield MemoryStore()
        return
    opened = await SqliteStore.open(tmp_path / "store.db")
    yield opened
    await opened.close()


async def test_a_binding_is_read_as_it_was_written(store: Store) -> None:
    """Several, each with its own home; device and inode numbers may use all bits of the kernel."""
    widest = Binding("222222222222", HomeIdentity(device=2**64 - 1, inode=2**64 - 1, birth_ns=0), "writer")
    for binding in (CODER, widest):
        await store.bind(binding)
    assert sorted(await store.bindings(), key=lambda one: one.id) == [CODER, widest]


async def test_a_binding_replaces_the_one_of_the_same_id(store: Store) -> None:
    """Whether the home is called otherwise now, or is another directory."""
    for changed in (replace(CODER, name="painter"), replace(CODER, home=replace(HOME, inode=1))):
        await store.bind(CODER)
        await store.bind(changed)
        assert await store.bindings() == [changed]


async def test_a_name_stands_for_one_home(store: Store) -> None:
    """Who comes to be called so takes the name from whoever was; any number may have none."""
    heirs = [replace(CODER, id=f"{number:012d}", home=replace(HOME, inode=number)) for number in range(3)]
    for heir in heirs:
        await store.bind(heir)
    names = {binding.id: binding.name for binding in await store.bindings()}
    assert names == {heirs[0].id: "", heirs[1].id: "", heirs[2].id: "coder"}


async def test_a_forgotten_profile_has_neither_binding_nor_record(store: Store) -> None:
    """Forgetting drops both; forgetting what is not known does nothing."""
    await store.bind(CODER)
    await store.save_gateway(GatewayRecord(profile_id=CODER.id))
    await store.forget_profile("unknown")
    await store.forget_profile(CODER.id)
    assert await store.gateways() == []
    assert await store.bindings() == []


async def test_record_is_read_as_it_was_written(store: Store) -> None:
    """Every field of a record survives, empty or not."""
    empty = GatewayRecord(profile_id="000000000000")
    for record in (FULL_RECORD, empty):
        await store.save_gateway(record)
    assert sorted(await store.gateways(), key=lambda one: one.profile_id) == [empty, FULL_RECORD]


async def test_record_replaces_the_one_of_the_same_profile(store: Store) -> None:
    """There is one record per profile, the last one written."""
    await store.save_gateway(FULL_RECORD)
    changed = replace(FULL_RECORD, gateway=Gateway(), process=None, last_exit=None)
    await store.save_gateway(changed)
    assert await store.gateways() == [changed]


@pytest.mark.parametrize("state", State)
async def test_every_state_can_be_recorded(store: Store, state: State) -> None:
    """No state of the machine is lost on the way."""
    record = GatewayRecord(profile_id="p", gateway=Gateway(state=state))
    await store.save_gateway(record)
    assert await store.gateways() == [record]


async def test_operation_is_read_as_it_was_written(store: Store) -> None:
    """Progress, warnings and error of an operation survive."""
    finished = replace(
        OPERATION,
        state=OperationState.FAILED,
        progress=Progress("download", "grpcio", 3, 12),
        warnings=("no alias", "naïve"),
        error=OperationError("DISK_FULL", "cannot write x: full", {"path": "/x"}),
        finished_at_s=9.5,
        elapsed_s=4.5,
    )
    await store.save_operation(finished)
    assert await store.operations(profile="", limit=10) == [finished]


async def test_operations_come_newest_first_and_by_profile(store: Store) -> None:
    """Order is that of the first writing: neither a later change nor a clock that jumped back alters it."""
    first = OPERATION
    second = replace(OPERATION, id="operation002", profile="other", started_at_s=1.0)
    third = replace(OPERATION, id="operation003")
    for one in (first, second, third):
        await store.save_operation(one)
    changed = replace(first, state=OperationState.SUCCEEDED)
    await store.save_operation(changed)
    assert await store.operations(profile="", limit=10) == [third, second, changed]
    assert await store.operations(profile="", limit=2) == [third, second]
    assert await store.operations(profile="coder", limit=10) == [third, changed]
    assert await store.operations(profile="nobody", limit=10) == []


async def test_oldest_operations_go(store: Store) -> None:
    """The history of operations is bounded."""
    for number in range(OPERATIONS_KEPT + 2):
        await store.save_operation(replace(OPERATION, id=f"operation{number}"))
    kept = await store.operations(profile="", limit=OPERATIONS_KEPT * 2)
    assert len(kept) == OPERATIONS_KEPT
    assert kept[-1].id == "operation2"


async def append(store: Store, message: str, profile: str = "coder") -> int:
    """Something happens; returns its token."""
    happening = await store.append_event(
        kind="gateway.ready", profile=profile, message=message, facts={"pid": "7"}, at_s=3.5
    )
    return happening.token


async def test_tokens_grow_by_one_from_one(store: Store) -> None:
    """Events are numbered without gaps."""
    assert [await append(store, str(number)) for number in range(4)] == [1, 2, 3, 4]


async def test_event_is_read_as_it_was_returned(store: Store) -> None:
    """What `append_event` returns is what is remembered."""
    made = await store.append_event(kind="a.b", profile="", message="m", facts={"k": "✓"}, at_s=1.5)
    assert await store.events(after=0, profile="", limit=5) == [made]


async def test_events_are_the_newest_oldest_first(store: Store) -> None:
    """A limit keeps the newest; the order is that in which things happened."""
    for number in range(6):
        await append(store, str(number), profile="coder" if number % 2 else "other")
    assert [one.token for one in await store.events(after=0, profile="", limit=3)] == [4, 5, 6]
    assert [one.token for one in await store.events(after=4, profile="", limit=9)] == [5, 6]
    assert [one.token for one in await store.events(after=0, profile="coder", limit=2)] == [4, 6]
    assert await store.events(after=6, profile="", limit=9) == []
    assert await store.events(after=0, profile="", limit=0) == []


async def test_events_are_asked_for_by_kind_time_and_token(store: Store) -> None:
    """By kinds or their nouns, between two moments and two tokens; whatever is asked for counts together."""
    told = [
        ("gateway.ready", 1.0),
        ("gateway.exited", 2.0),
        ("profile.used", 2.5),
        ("gateways.odd", 4.0),
        ("x", 3.0),
    ]
    for kind, at_s in told:
        await store.append_event(kind=kind, profile="coder", message="", facts={}, at_s=at_s)

    async def found(**asked: Any) -> list[int]:
        return [one.token for one in await store.events(after=0, profile="", **{"limit": 9, **asked})]

    assert await found(kinds=["gateway"]) == [1, 2]
    assert await found(kinds=["gateway.exited", "profile", "nothing"]) == [2, 3]
    assert await found(kinds=["gateway."]) == []
    assert await found(kinds=["x", "%", "gateway.%", "'"]) == [5]
    assert await found(since_s=2.0) == [2, 3, 4, 5]
    assert await found(until_s=2.5) == [1, 2]
    assert await found(since_s=2.0, until_s=3.0, kinds=["profile"]) == [3]
    assert await found(before=3) == [1, 2]
    assert await found(before=5, limit=2) == [3, 4]
    assert await store.events(after=1, profile="other", limit=9, kinds=["gateway"]) == []


async def test_kept_tokens_are_told(store: Store) -> None:
    """From the oldest event to the newest; before the first there is none."""
    assert await store.event_tokens() == range(1, 1)
    await append(store, "first")
    await append(store, "second")
    assert await store.event_tokens() == range(1, 3)


async def test_oldest_events_go(store: Store) -> None:
    """The history of events is bounded, and tokens are never used again."""
    for number in range(EVENTS_KEPT + 2):
        await append(store, str(number))
    kept = await store.events(after=0, profile="", limit=EVENTS_KEPT * 2)
    assert (len(kept), kept[0].token, kept[-1].token) == (EVENTS_KEPT, 3, EVENTS_KEPT + 2)
    assert await store.event_tokens() == range(3, EVENTS_KEPT + 3)


async def test_registered_runtime_replaces_its_namesake(store: Store) -> None:
    """One registration per name, the last one."""
    first = Runtime("system", HERMES_AGENT, "0.18.2", Path("/usr/bin/hermes"), is_managed=False)
    second = replace(first, version="0.19.0")
    await store.register_runtime(first)
    await store.register_runtime(second)
    assert await store.registered_runtimes() == [second]


async def test_runtime_in_use_is_the_last_chosen(store: Store) -> None:
    """None at first, then whatever was chosen last."""
    assert await store.current_runtime() == ""
    await store.use_runtime("a")
    await store.use_runtime("b")
    assert await store.current_runtime() == "b"


async def test_starts_of_bots_are_kept_by_key(store: Store) -> None:
    """Replaced each for itself; one without any is gone."""
    assert await store.token_starts() == {}
    await store.save_token_starts({"bot-a": (1.5, 2.25), "bot-b": [3.0]})
    await store.save_token_starts({"bot-a": (), "bot-c": (4.0,), "bot-d": ()})
    assert await store.token_starts() == {"bot-b": (3.0,), "bot-c": (4.0,)}
