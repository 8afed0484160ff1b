"""Clones that are cut off, or meet a full disk, at any step."""

import errno
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain import layout
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.errors import DiskFull, NotPermitted
from hermesd.domain.profile import ProfileName
from tests.adapters.unprivileged import reachable_directory, said_by_nobody
from tests.faults.injection import Crash, Injector, crash_at, fill_disk_at, injected, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LONG_AGO_S = 1_700_000_000
CODER, WORK = ProfileName("coder"), ProfileName("work")

Place = Callable[[], Path]


def furnish(root: Path) -> Path:
    """A root with `coder`, which has something of each kind that is copied in a way of its own."""
    home = root / "profiles" / "coder"
    for path, text in {
        "config.yaml": f"platforms: {{telegram: {{token: t}}}}\nterminal: {{cwd: {home}/workspace}}\n",
        ".env": "A=1\nTELEGRAM_BOT_TOKEN=1:a\nAPI_SERVER_KEY=0123456789abcdef0123\n",
        "SOUL.md": "me",
        "profile.yaml": "description: x\ndisplay_name: y\n",
        "cron/jobs.json": json.dumps({"jobs": [{"id": "1", "workdir": str(home)}]}),
        "honcho.json": json.dumps({"apiKey": "k"}),
        "skills/a/SKILL.md": "skill",
        "workspace/empty": "",
        "workspace/big": "x" * 100_000,
        "logs/agent.log": "left",
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    (home / "skills" / "link").symlink_to("a")
    for entry in home.rglob("*"):
        os.utime(entry, (LONG_AGO_S, LONG_AGO_S), follow_symlinks=False)
    return root


def with_database(root: Path) -> Path:
    """The same with a database, which another program copies."""
    path = furnish(root) / "profiles" / "coder" / "state.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE sessions (id TEXT, profile_name TEXT)")
        database.execute("INSERT INTO sessions VALUES ('1', 'coder')")
        database.commit()
    return root


def clone(root: Path, order: CloneOrder) -> None:
    """As the daemon does it."""
    homes, agent = HomesOnDisk(root), HermesAgent(copy_workers=1)
    source = homes.find(CODER)
    assert source is not None

    def fill(target: Path) -> None:
        agent.clone(source, WORK, target, order, lambda: False)

    homes.create(WORK, layout.fresh_files(description="", with_skills=True), layout.DIRECTORIES, fill=fill)


def state(root: Path) -> tuple[dict[str, str], dict[str, tuple[str, bytes]], list[str]]:
    """Modes of what is in the clone, all of what is in the source, and what lies in staging."""
    whole = snapshot(root / "profiles")
    made = {path: mode for path, (mode, _) in whole.items() if f"{path}/".startswith("work/")}
    source = {path: what for path, what in whole.items() if f"{path}/".startswith("coder/")}
    staged = [path for path in whole if path.startswith(".hermesd/new/")]
    return made, source, staged


def roots(tmp_path: Path, make: Callable[[Path], Path] = furnish) -> Place:
    """Makes one root after another."""
    numbers = count()
    return lambda: make(tmp_path / str(next(numbers)))


ORDERS = [CloneOrder(), CloneOrder(Extent.EVERYTHING, has_channels=False)]


@pytest.mark.parametrize("order", ORDERS)
def test_crash_while_cloning_leaves_all_or_nothing(tmp_path: Path, order: CloneOrder) -> None:
    """At any step: after recovery the clone is wholly there or wholly not, and the source is what it was."""
    place = roots(tmp_path)
    whole_root = place()
    clone(whole_root, order)
    whole = state(whole_root)[0]
    outcomes = []
    for step in count(1):
        root = place()
        before = state(root)[1]
        has_crashed = crash_at(step, partial(clone, root, order))
        HomesOnDisk(root).recover()
        made, source, staged = state(root)
        assert made in ({}, whole)
        assert (source, staged) == (before, [])
        outcomes.append(bool(made))
        if not has_crashed:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}
    assert step > len(whole)


@pytest.mark.parametrize(("order", "code"), [(ORDERS[0], errno.EDQUOT), (ORDERS[1], errno.ENOSPC)])
def test_full_disk_while_cloning_leaves_all_or_nothing(tmp_path: Path, order: CloneOrder, code: int) -> None:
    """At any step: it is said, and nothing half made is left, without any recovery."""
    place = roots(tmp_path)
    for step in count(1):
        root = place()
        before = state(root)[1]
        if not fill_disk_at(step, partial(clone, root, order), DiskFull, code):
            break
        made, source, staged = state(root)
        assert (source, staged) == (before, [])
        assert not made or step > len(layout.DIRECTORIES)
    assert step > len(layout.DIRECTORIES)


def test_a_database_is_in_a_clone_or_the_clone_is_not(tmp_path: Path) -> None:
    """Crashes around the programs that copy and change it; sampled, for each takes a while."""
    place = roots(tmp_path, with_database)
    order = CloneOrder(Extent.EVERYTHING)
    steps = steps_of(partial(clone, place(), order))
    for step in {*range(steps // 2, steps, 12), steps - 1, steps}:
        root = place()
        crash_at(step, partial(clone, root, order))
        HomesOnDisk(root).recover()
        made, _, staged = state(root)
        assert staged == []
        assert bool(made) == ("work/state.db" in made)


def steps_of(work: Callable[[], object]) -> int:
    """How many steps it has."""
    injector = Injector(sys.maxsize, Crash())
    with injected(injector):
        work()
    return sys.maxsize - injector.left


def test_all_of_a_clone_is_durable_before_it_is_published(tmp_path: Path) -> None:
    """What was copied is flushed as a whole, what is written afterwards file by file."""
    root = furnish(tmp_path)
    done: list[str] = []

    class Recorder(Injector):
        """Notes every call, and makes it."""

        def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def noted(*arguments: Any, **options: Any) -> Any:
                done.append(name)
                return call(*arguments, **options)

            return noted

    with injected(Recorder(1, Crash())):
        clone(root, ORDERS[1])
    flushed = done.index("sync_file_system")
    last_copy = max(number for number, name in enumerate(done) if name in {"copy_file_range", "symlink"})
    published = max(number for number, name in enumerate(done) if name == "rename_exclusive")
    assert last_copy < flushed < published
    after = [name for name in done[flushed:published] if name in {"write", "fsync", "replace"}]
    assert after
    assert after == ["write", "fsync", "replace", "fsync"] * (len(after) // 4)


def test_where_nobody_may_write_nothing_is_made() -> None:
    """And it is said, by name."""
    program = """
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.profile import ProfileName
target = given / "target"
source = HomesOnDisk(given).find(ProfileName("coder"))
for order in (CloneOrder(), CloneOrder(Extent.EVERYTHING)):
    try:
        HermesAgent().clone(source, ProfileName("work"), target, order, lambda: False)
    except HermesError as error:
        print(error.reason)
print(list(target.iterdir()))
"""
    with reachable_directory() as directory:
        home = directory / "profiles" / "coder"
        for path in (home, directory / "target"):
            path.mkdir(parents=True)
            path.chmod(0o755)
        (home / "config.yaml").write_text("a: 1\n")
        (home / "notes").mkdir()
        (directory / "profiles").chmod(0o755)
        said = said_by_nobody(program, directory)
    assert said == f"{NotPermitted.reason}\n{NotPermitted.reason}\n[]\n"


def test_settings_that_may_not_be_read_are_a_refusal() -> None:
    """A clone without its keys is not what anybody asks for."""
    program = """
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.profile import ProfileName
source = HomesOnDisk(given).find(ProfileName("coder"))
for order in (CloneOrder(), CloneOrder(Extent.EVERYTHING)):
    for call in (
        lambda: HermesAgent().clone(source, ProfileName("work"), given, order, lambda: False),
        lambda: HermesAgent().plan_clone(source, order),
    ):
        try:
            call()
        except HermesError as error:
            print(error.reason, error.metadata["path"].endswith("/coder/.env"))
"""
    with reachable_directory() as directory:
        home = directory / "profiles" / "coder"
        home.mkdir(parents=True)
        (directory / "profiles").chmod(0o755)
        home.chmod(0o755)
        (home / ".env").write_text("A=1\n")
        (home / ".env").chmod(0o600)
        said = said_by_nobody(program, directory)
    assert said == f"{NotPermitted.reason} True\n" * 4
