"""Databases of every released schema still load: one dump for each, kept for ever."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.adapters.store import SqliteStore
from hermesd.adapters.store_schema import STEPS
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.gateway import Gateway, State
from hermesd.domain.operation import Happening, Operation, OperationError, OperationState, Progress, TargetResult
from hermesd.domain.process import ExitCause, ExitStatus, LastExit, ProcessIdentity
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import HERMES_AGENT, Runtime

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

DUMPS = Path(__file__).parent
VERSIONS = range(1, len(STEPS) + 1)

PROFILE = HomeIdentity(device=64769, inode=2**64 - 1, birth_ns=1_700_000_000_123_456_789)
RECORD = GatewayRecord(
    profile_id="k3v9x0q2m7ab",
    gateway=Gateway(State.BACKOFF, wanted_up=True, attempts=3, relapses=2),
    spawn_id="z8y7x6w5v4u3",
    home=Home(ProfileName("coder"), Path("/home/ana/.hermes/profiles/coder"), PROFILE),
    process=ProcessIdentity("5f0c7a4e-7a3b-4a52-9d60-0c1b7e2f9a11", 4711, 123456, "z8y7x6w5v4u3"),
    since_s=1_700_000_100.5,
    restarts=3,
    next_start_at_s=1_700_000_104.5,
    last_exit=LastExit(ExitCause.CRASHED, ExitStatus(signal=11), "ended by signal 11", 1_700_000_100.25),
    detail="starts again soon ✓",
    starts_s=(1_700_000_000.5, 1_700_000_100.25),
    is_enabled=False,
    start_order=-2,
    wished_at_s=1_700_000_000.25,
    claims=(
        Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "ab" * 32, agents_lock="telegram-token-ab.lock"),
        Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=8643),
    ),
)
BEFORE_CLAIMS = replace(RECORD, wished_at_s=None, claims=())
BEFORE_ORDER = replace(BEFORE_CLAIMS, gateway=replace(RECORD.gateway, relapses=0), start_order=0)
BINDING = Binding(RECORD.profile_id, PROFILE, "coder")
RECORDS = {1: replace(BEFORE_ORDER, home=None), 2: BEFORE_ORDER, 3: BEFORE_ORDER, 4: BEFORE_CLAIMS, 5: RECORD}
"""What each version could remember; the first did not know where a gateway was started."""
BINDINGS = {1: replace(BINDING, name=""), 2: BINDING, 3: BINDING, 4: BINDING, 5: BINDING}
TOKEN_STARTS: dict[int, dict[str, tuple[float, ...]]] = {
    **{version: {} for version in range(1, 5)},
    5: {"bot-telegram-abab": (1_700_000_000.5, 1_700_000_100.25)},
}
OPERATION = Operation(
    id="a1b2c3d4e5f6",
    kind="gateway.start",
    profile="coder",
    parameters='{"profile":"coder"}',
    requester="hermesctl",
    started_at_s=1_700_000_000.0,
    state=OperationState.FAILED,
    progress=Progress("ready", "", 1, 2),
    warnings=("no alias",),
    error=OperationError("GATEWAY_CRASHED", "cannot start coder", {"fix": "hermesctl -p coder gateway logs"}),
    finished_at_s=1_700_000_060.0,
    elapsed_s=60.0,
)
RESULTS = (
    TargetResult("coder", "+2 new"),
    TargetResult("helper", error=OperationError("PROFILE_BUSY", "it is being deleted", {"profile": "helper"})),
)
OPERATIONS = {
    1: OPERATION,
    2: OPERATION,
    3: replace(OPERATION, results=RESULTS),
    4: replace(OPERATION, results=RESULTS),
    5: replace(OPERATION, results=RESULTS),
}
"""The first two knew no results."""
EVENT = Happening(1, "gateway.crashed", "coder", "coder crashed", {"signal": "11"}, 1_700_000_100.25)
RUNTIME = Runtime("system", HERMES_AGENT, "0.19.0", Path("/usr/local/bin/hermes"), is_managed=False)


def load(version: int, file: Path) -> Path:
    """Makes a database from the dump of a version."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((DUMPS / f"store-v{version}.sql").read_text(encoding="utf-8"))
    return file


def schema_of(file: Path) -> list[str]:
    """Every table and index, as it was declared."""
    query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name"
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute(query)]


def test_every_schema_has_its_dump() -> None:
    """A step cannot be added without the database that the version before left behind."""
    assert {file.name for file in DUMPS.glob("store-v*.sql")} == {f"store-v{number}.sql" for number in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
async def test_old_database_is_read_whole(version: int, tmp_path: Path) -> None:
    """Binding, record, operation, event, runtime and choice are as they were written."""
    store = await SqliteStore.open(load(version, tmp_path / "store.db"))
    assert await store.bindings() == [BINDINGS[version]]
    assert await store.gateways() == [RECORDS[version]]
    assert await store.token_starts() == TOKEN_STARTS[version]
    assert await store.operations(profile="", limit=9) == [OPERATIONS[version]]
    assert await store.events(after=0, profile="", limit=9) == [EVENT]
    assert await store.registered_runtimes() == [RUNTIME]
    assert await store.current_runtime() == RUNTIME.name
    await store.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_upgraded_database_is_like_a_new_one(version: int, tmp_path: Path) -> None:
    """The way does not show in the schema, and numbering goes on where it was."""
    old, new = load(version, tmp_path / "old.db"), tmp_path / "new.db"
    for file, token in ((old, 2), (new, 1)):
        store = await SqliteStore.open(file)
        happening = await store.append_event(kind="k", profile="", message="", facts={}, at_s=0.0)
        assert happening.token == token
        await store.close()
    assert schema_of(old) == schema_of(new)
