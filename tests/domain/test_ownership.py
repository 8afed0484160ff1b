"""Whose is what in a home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.ownership import NEVER_COPIED, Owner, owner_of

pytestmark = [pytest.mark.fast, pytest.mark.domain]

KNOWN = (
    "config.yaml .env .env.bak auth.json SOUL.md memories memories/MEMORY.md state.db state.db-wal sessions "
    "skills cron cron/jobs.json cron/.tick.lock plugins hooks cache cache/images cache/models platforms "
    "logs gateway.pid profiles profiles/.hermesd bin honcho.json kanban.db workspace state "
    "state/gateway.heartbeat .x.tmp"
).split()
NAMES = st.one_of(
    st.sampled_from(sorted({name for path in KNOWN for name in path.split("/")} | {"__pycache__", "a.pyc"})),
    st.text(alphabet=st.characters(exclude_characters="/\0", exclude_categories=[]), min_size=1),
)
PATHS = st.lists(NAMES, max_size=5)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("config.yaml", Owner.SETTINGS),
        (".env", Owner.SECRETS),
        (".env.old", Owner.SECRETS),
        ("mcp-tokens/github.json", Owner.SECRETS),
        ("SOUL.md", Owner.PERSONALITY),
        ("memories/MEMORY.md", Owner.MEMORY),
        ("state.db", Owner.SESSIONS),
        ("state.db-wal", Owner.RUNTIME),
        ("cache/images/a.png", Owner.SESSIONS),
        ("cache/model_catalog.json", Owner.CACHE),
        ("state/gateway.heartbeat", Owner.RUNTIME),
        ("skills/a/SKILL.md", Owner.SKILLS),
        ("skills/a/__pycache__/b", Owner.CACHE),
        ("skills/a/b.pyc", Owner.CACHE),
        ("cron/jobs.json", Owner.CRON),
        ("cron/.tick.lock", Owner.RUNTIME),
        ("plugins/x", Owner.EXTENSIONS),
        ("platforms/whatsapp/session/creds.json", Owner.CHANNELS),
        ("discord_threads.json", Owner.CHANNELS),
        ("profile.yaml", Owner.PROFILE),
        ("config.yaml.corrupt.20260101-000000.bak", Owner.HISTORY),
        ("logs/agent.log", Owner.LOG),
        ("gateway_state.json", Owner.RUNTIME),
        (".restart_notify.json", Owner.RUNTIME),
        ("workspace/gateway.pid", Owner.PERSON),
        ("workspace/uv.lock", Owner.PERSON),
        ("notes.log", Owner.PERSON),
        ("notes.tmp", Owner.PERSON),
        ("channel_directory.json.tmp", Owner.RUNTIME),
    ],
)
@pytest.mark.parametrize("is_root", [True, False])
def test_entries_belong_to_whom_the_table_says(path: str, owner: Owner, is_root: bool) -> None:
    """Whatever is more special wins over what is around it."""
    assert owner_of(path.split("/"), is_root=is_root) is owner


@pytest.mark.parametrize("path", "profiles/coder bin/uv hermes-agent/.venv node_modules kanban/boards".split())
def test_what_all_profiles_share_lies_in_the_root_alone(path: str) -> None:
    """Below another profile, entries of the same names are the person's."""
    names = path.split("/")
    assert owner_of(names, is_root=True) is Owner.SHARED
    assert owner_of(names, is_root=False) is Owner.PERSON


def test_the_staging_is_ours_whatever_lies_in_it() -> None:
    """Also what would be somebody's elsewhere."""
    assert owner_of(["profiles", ".hermesd", "new", "__pycache__"], is_root=True) is Owner.OURS
    assert owner_of(["profiles", "a", "b.pyc"], is_root=True) is Owner.SHARED


@given(PATHS, st.booleans())
def test_every_path_has_one_owner(path: list[str], is_root: bool) -> None:
    """Whatever it is called, and always the same."""
    assert owner_of(path, is_root=is_root) is owner_of(tuple(path), is_root=is_root)


@given(NAMES, PATHS, st.booleans())
def test_what_nobody_knows_is_the_persons(name: str, path: list[str], is_root: bool) -> None:
    """At the top, where the agent's own entries lie; and it is copied, but for what programs make again."""
    names = [f"?{name}", *path]
    if "__pycache__" in names or names[-1].endswith((".pyc", ".pyo", ".db-wal", ".db-shm", ".db-journal")):
        return
    if names[0].endswith(("_threads.json", ".json.tmp", ".yaml.tmp")):
        return
    assert owner_of(names, is_root=is_root) is Owner.PERSON


@given(PATHS, NAMES, st.booleans())
def test_nothing_is_taken_over_out_of_what_is_left_behind(path: list[str], name: str, is_root: bool) -> None:
    """So that whoever walks a tree need not look into what it leaves behind."""
    is_said_by_the_name = bool(path) and path[-1].endswith((".pyc", ".pyo", "-wal", "-shm", "-journal"))
    if owner_of(path, is_root=is_root) in NEVER_COPIED and not is_said_by_the_name:
        assert owner_of([*path, name], is_root=is_root) in NEVER_COPIED
