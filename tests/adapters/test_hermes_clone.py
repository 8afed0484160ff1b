"""What of a hermes-agent home a clone takes over, and what is brought to its own name and place."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.homes import HomesOnDisk
from hermesd.domain import layout
from hermesd.domain.cloning import CloneOrder, ClonePlan, Extent
from hermesd.domain.errors import Cancelled, ConfigInvalid, ProfileExists
from hermesd.domain.layout import OPT_OUT
from hermesd.domain.profile import Home, ProfileName
from tests.adapters.test_hermes_rename import database, rows, write
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TOKEN = "1234567890:secret-of-the-bot"
SETTINGS = CloneOrder()
WHOLE = CloneOrder(Extent.EVERYTHING)


@dataclass(frozen=True)
class Place:
    """A root with a profile `coder` to clone, for a person whose home directory it lies in."""

    user_home: Path
    agent: HermesAgent

    @property
    def root(self) -> Path:
        """The root."""
        return self.user_home / ".hermes"

    @property
    def source(self) -> Home:
        """The profile that is cloned."""
        return self.home("coder")

    def home(self, name: str) -> Home:
        """A profile that is there."""
        found = HomesOnDisk(self.root).find(ProfileName(name))
        assert found is not None
        return found

    def clone(self, order: CloneOrder = SETTINGS, *, source: str = "coder", name: str = "work") -> list[str]:
        """Clones as the daemon does; returns what was told. The source's bytes and times stay."""
        before = {path: path.lstat().st_mtime_ns for path in self.home(source).path.rglob("*")}
        bytes_before = snapshot(self.home(source).path)
        told: list[str] = []
        parsed = ProfileName(name)

        def fill(target: Path) -> None:
            told.extend(self.agent.clone(self.home(source), parsed, target, order, lambda: False))

        fresh = layout.fresh_files(description="", with_skills=True)
        home = HomesOnDisk(self.root).create(parsed, fresh, layout.DIRECTORIES, fill=fill)
        if source != "default":
            assert snapshot(self.home(source).path) == bytes_before
            assert before == {path: path.lstat().st_mtime_ns for path in self.home(source).path.rglob("*")}
        told += self.agent.settle_clone(self.home(source), home)
        assert self.agent.settle_clone(self.home(source), home) == []
        assert not [line for line in told if ".hermesd" in line or TOKEN in line]
        return told


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A fresh `coder`."""
    made = Place(tmp_path, HermesAgent(tmp_path, copy_workers=1))
    fresh = layout.fresh_files(description="Writes code", with_skills=True)
    HomesOnDisk(made.root).create(ProfileName("coder"), fresh, layout.DIRECTORIES)
    return made


def held(home: Home) -> dict[str, bytes]:
    """Files of a home, by relative path."""
    return {path: data for path, (mode, data) in snapshot(home.path).items() if mode.startswith("-")}


def test_settings_come_along_byte_for_byte_and_nothing_else(place: Place) -> None:
    """Private, whatever they were."""
    config, env = b"# mine\r\nmodel: x\r\n", b"# keys\nOPENAI_API_KEY='k'\nTELEGRAM_BOT_TOKEN=1:a\n"
    home = place.source.path
    (home / "config.yaml").write_bytes(config)
    (home / "config.yaml").chmod(0o644)
    (home / ".env").write_bytes(env)
    (home / "SOUL.md").write_text("I am me.")
    (home / "memories" / "MEMORY.md").write_text("remember")
    (home / "auth.json").write_text("{}")
    assert place.clone() == []
    assert held(place.home("work")) == {"config.yaml": config, ".env": env, "SOUL.md": b"I am me."}
    assert {mode for mode, _ in snapshot(place.home("work").path).values()} == {"-rw-------", "drwx------"}


def test_a_source_without_settings_leaves_a_fresh_home(place: Place) -> None:
    """hermes-agent makes homes without a configuration."""
    (place.source.path / ".env").unlink()
    assert place.clone() == []
    assert held(place.home("work")) == {
        path: text.encode() for path, text in layout.fresh_files(description="", with_skills=True).items()
    }


def test_settings_that_are_links_are_read_inside_the_home_alone(place: Place) -> None:
    """What a link leads to outside stays behind, and is told."""
    home = place.source.path
    outside = place.user_home / "dotfiles"
    outside.write_text("OPENAI_API_KEY=k\n")
    (home / ".env").unlink()
    (home / ".env").symlink_to(outside)
    (home / "workspace" / "soul").write_text("inside")
    (home / "SOUL.md").unlink()
    (home / "SOUL.md").symlink_to("workspace/soul")
    for order in (CloneOrder(), WHOLE):
        (told,) = place.clone(order, name=f"work-{order.extent}")
        assert told == f".env -> {outside}: what a link leads to outside was left behind"
        clone = place.home(f"work-{order.extent}").path
        assert (clone / "SOUL.md").read_text() == "inside"
        assert "OPENAI" not in (clone / ".env").read_text()


def furnish(home: Path) -> None:
    """Something of everything."""
    for path in (
        "memories/MEMORY.md sessions/s1.json skills/mine/SKILL.md cron/output/1/a.md plugins/p/plugin.py "
        "hooks/h.py auth.json cache/images/a.png workspace/notes.txt scripts/run.sh thing.bin "
        "platforms/whatsapp/session/creds.json pairing/telegram.json"
    ).split():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(f"kept {path}")
    for path in (
        "gateway.pid gateway.lock gateway_state.json .drain_request.json processes.json state/gateway.heartbeat "
        "cron/.tick.lock logs/agent.log cache/model_catalog.json skills/mine/__pycache__/x.pyc backups/b.zip "
        "errors.log .env.k.tmp"
    ).split():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("left")
    (home / ".env.k.tmp").rename(home / ".k.tmp")


def test_everything_comes_along_but_what_belongs_to_processes(place: Place) -> None:
    """Nor caches, logs and earlier states."""
    furnish(place.source.path)
    assert place.clone(WHOLE) == []
    whole = held(place.home("work"))
    assert [path for path, data in whole.items() if data == b"left"] == []
    kept = {path for path, data in held(place.source).items() if data.startswith(b"kept")}
    assert kept < whole.keys()
    assert whole.keys() - kept == {".env", "SOUL.md", "profile.yaml"}


def test_the_default_profile_is_cloned_entry_by_entry(place: Place) -> None:
    """Never other profiles, installations, boards, nor what all share."""
    furnish(place.root)
    for path in "bin/uv hermes-agent/run.py node_modules/x/y .worktrees/a/b kanban/boards/b.json".split():
        write(place.root / path, "shared")
    (place.root / "active_profile").write_text("coder\n")
    database(place.root / "kanban.db", "CREATE TABLE tasks (id TEXT, assignee TEXT)")
    (place.root / "skills" / "theirs").symlink_to(place.source.path / "skills")
    (told,) = place.clone(WHOLE, source="default")
    assert told.startswith("skills/theirs -> ")
    whole = held(place.home("work"))
    assert {path for path, data in whole.items() if data == b"left" or b"shared" in data} == set()
    assert whole["skills/mine/SKILL.md"] == b"kept skills/mine/SKILL.md"
    assert not {"kanban.db", "active_profile"} & whole.keys()
    assert not {path.partition("/")[0] for path in whole} & {"profiles", "bin", "hermes-agent", "kanban"}


def test_what_the_profile_is_for_comes_along_but_not_what_it_is_called(place: Place) -> None:
    """A description that the clone was given stays."""
    (place.source.path / "profile.yaml").write_text("description: x\ndisplay_name: Coder\nrole: r\n")
    place.clone(WHOLE)
    assert (place.home("work").path / "profile.yaml").read_text() == "description: x\nrole: r\n"
    target = place.user_home / "given"
    target.mkdir()
    (target / "profile.yaml").write_text("description: own\n")
    place.agent.clone(place.source, ProfileName("other"), target, WHOLE, lambda: False)
    assert (target / "profile.yaml").read_text() == "description: own\n"


def test_conversations_go_by_the_clones_name(place: Place) -> None:
    """And by its place; boards, which all profiles share, stay as they are."""
    home = place.source.path
    board = database(
        place.root / "kanban.db",
        "CREATE TABLE tasks (id TEXT, assignee TEXT)",
        "INSERT INTO tasks VALUES ('1', 'coder')",
    )
    database(
        home / "state.db",
        "CREATE TABLE sessions (id TEXT, session_key TEXT, profile_name TEXT)",
        "INSERT INTO sessions VALUES ('1', 'agent:coder:x', 'coder')",
        "CREATE TABLE gateway_routing (scope TEXT, session_key TEXT, entry_json TEXT, updated_at REAL,"
        " PRIMARY KEY (scope, session_key))",
        f"INSERT INTO gateway_routing VALUES ('{home}/sessions', 'agent:coder:x', '{{}}', 2)",
    )
    assert place.clone(WHOLE) == []
    clone = place.home("work").path
    assert rows(clone / "state.db", "SELECT session_key, profile_name FROM sessions") == [("agent:work:x", "work")]
    assert rows(clone / "state.db", "SELECT scope, session_key FROM gateway_routing") == [
        (f"{clone}/sessions", "agent:work:x")
    ]
    assert rows(board, "SELECT assignee FROM tasks") == [("coder",)]


def test_places_inside_the_home_follow(place: Place) -> None:
    """Where conversations and jobs work; what the clone has not got stays, and is told."""
    home = place.source.path
    (home / "config.yaml").write_text(f"terminal:\n  cwd: {home}/workspace\n")
    jobs = [{"id": "1", "enabled": False, "workdir": f"{home}/workspace", "script": f"{home}2/x"}]
    write(home / "cron" / "jobs.json", {"jobs": jobs})
    assert place.clone(WHOLE) == []
    clone = place.home("work").path
    assert (clone / "config.yaml").read_text() == f"terminal:\n  cwd: {clone}/workspace\n"
    (job,) = json.loads((clone / "cron" / "jobs.json").read_text())["jobs"]
    assert (job["workdir"], job["script"]) == (f"{clone}/workspace", f"{home}2/x")
    (home / "config.yaml").write_text(f"terminal:\n  cwd: {home}/project\n")
    assert place.clone(name="other") == [f"{place.home('other').path / 'config.yaml'} still names {home}"]


ACTIVE = {"id": "a", "enabled": True, "state": "scheduled", "run_claim": {"by": "x"}, "next_run_at": "y"}


@pytest.mark.parametrize("wrap", [lambda jobs: {"jobs": jobs}, list])
def test_jobs_arrive_paused_as_the_agent_pauses_them(place: Place, wrap: Any) -> None:
    """Else two gateways would do each of them. What has ended or was paused stays so."""
    jobs = [ACTIVE, {"id": "b"}, {"id": "c", "enabled": False, "state": "completed"}, "damaged"]
    write(place.source.path / "cron" / "jobs.json", wrap(jobs))
    assert place.agent.plan_clone(place.source, WHOLE).paused_jobs == 2
    cron = "hermesctl -p work cron"
    assert place.clone(WHOLE) == [f"2 scheduled jobs paused ({cron} list --all), to start one: {cron} resume JOB"]
    data = json.loads((place.home("work").path / "cron" / "jobs.json").read_text())
    first, second, third, _ = data["jobs"] if isinstance(data, dict) else data
    for job in (first, second):
        assert (job["enabled"], job["state"], job["paused_reason"]) == (False, "paused", "cloned from coder")
        assert job["paused_at"]
    assert (first["run_claim"], first["next_run_at"]) == (None, "y")
    assert third == jobs[2]


def test_jobs_stay_active_where_that_is_wanted(place: Place) -> None:
    """But whoever is running one for the source is not the clone."""
    write(place.source.path / "cron" / "jobs.json", {"jobs": [ACTIVE]})
    order = CloneOrder(Extent.EVERYTHING, keeps_cron=True)
    assert place.agent.plan_clone(place.source, order).paused_jobs == 0
    assert place.clone(order) == []
    (job,) = json.loads((place.home("work").path / "cron" / "jobs.json").read_text())["jobs"]
    assert job == ACTIVE | {"run_claim": None}


@pytest.mark.parametrize("text", ["{", '"text"'])
def test_jobs_that_nobody_can_read_are_a_refusal(place: Place, text: str) -> None:
    """They might be active all the same; the source's file is named."""
    path = place.source.path / "cron" / "jobs.json"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match=str(path)):
        place.clone(WHOLE)
    with pytest.raises(ConfigInvalid):
        place.agent.plan_clone(place.source, WHOLE)
    (told,) = place.clone(CloneOrder(Extent.EVERYTHING, keeps_cron=True))
    assert "jobs.json" in told
    assert (place.home("work").path / "cron" / "jobs.json").read_text() == text


CONFIG = f"""\
# mine
model: {{default: x}}  # the model
platforms:
  # the bot
  telegram:
    token: {TOKEN}
  api_server: {{enabled: false}}
gateway:
  relay_url: https://relay
  platforms: {{discord: {{token: {TOKEN}}}}}
telegram:
  require_mention: true
SLACK_APP_TOKEN: {TOKEN}
"""


def test_bots_are_left_out_where_that_is_wanted(place: Place) -> None:
    """Every other byte stays. What platforms keep in directories of their own stays behind."""
    home = place.source.path
    furnish(home)
    (home / "config.yaml").write_text(CONFIG)
    env = f"A=1\nexport TELEGRAM_BOT_TOKEN={TOKEN}\n# note\nTELEGRAM_ALLOWED_USERS=1\nHASS_TOKEN=x\nB='2'\n"
    (home / ".env").write_text(env)
    (home / ".op.env").write_text("SLACK_BOT_TOKEN=op://x\nC=op://y\n")
    write(home / "gateway.json", {"platforms": {"telegram": {"token": TOKEN}, "api_server": {}}, "x": 1})
    assert place.agent.credentials(place.source)
    for extent in Extent:
        name = f"work-{extent}"
        assert place.clone(CloneOrder(extent, has_channels=False), name=name) == []
        clone = place.home(name)
        left = held(clone)
        assert TOKEN.encode() not in b"".join(left.values())
        assert left[".env"] == b"A=1\n# note\nB='2'\n"
        kept = (
            "# mine\nmodel: {default: x}  # the model\nplatforms:\n  # the bot\n  api_server: {enabled: false}\n"
        )
        assert left["config.yaml"].decode() == kept
        assert place.agent.credentials(clone) == []
    assert left[".op.env"] == b"C=op://y\n"
    assert json.loads(left["gateway.json"]) == {"platforms": {"api_server": {}}, "x": 1}
    assert not {"platforms/whatsapp/session/creds.json", "pairing/telegram.json"} & left.keys()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".env", f"OPENAI_API_KEY=kTELEGRAM_BOT_TOKEN={TOKEN}\n"),
        (".env", f'X="1\nTELEGRAM_BOT_TOKEN={TOKEN}"\n'),
        (".env", f"A=1\0\nTELEGRAM_BOT_TOKEN={TOKEN}\n"),
        ("config.yaml", "platforms: ["),
        ("config.yaml", f"platforms:\n  telegram: {{}}\n  telegram: {{token: '{TOKEN}'}}\n"),
        ("gateway.json", "{"),
    ],
)
def test_what_cannot_be_taken_out_safely_is_a_refusal(place: Place, file: str, text: str) -> None:
    """The agent mends such files, and then the token would be there. The source's file is named, no value is."""
    (place.source.path / file).write_text(text)
    with pytest.raises(ConfigInvalid) as refusal:
        place.clone(CloneOrder(Extent.EVERYTHING, has_channels=False))
    assert str(place.source.path / file) in refusal.value.message
    assert TOKEN not in str(refusal.value.metadata) + refusal.value.message
    with pytest.raises(ConfigInvalid):
        place.agent.plan_clone(place.source, CloneOrder(has_channels=False))
    assert [home.name.text for home in HomesOnDisk(place.root).scan()] == ["default", "coder"]


def test_a_token_that_stands_elsewhere_too_is_told(place: Place) -> None:
    """In a comment, or for a tool: that is a person's to judge."""
    (place.source.path / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\n# old: {TOKEN}\n")
    (told,) = place.clone(CloneOrder(has_channels=False))
    assert told == f"{place.home('work').path / '.env'} still holds what TELEGRAM_BOT_TOKEN was"


def test_bots_are_known_by_fingerprints(place: Place) -> None:
    """Each once, wherever it stands; the account of a login counts too. Never a value."""
    home = place.source.path
    (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nIRC_NICKNAME=bot\nIRC_SERVER=irc.example\n")
    (home / "config.yaml").write_text(f"platforms: {{telegram: {{token: '{TOKEN}'}}}}\nDISCORD_BOT_TOKEN: other\n")
    write(home / "platforms" / "whatsapp" / "session" / "creds.json", {"me": {"id": "49:1@s"}})
    write(home / "gateway.json", {"platforms": {"signal": {"extra": {"account": "+49"}}}})
    found = place.agent.credentials(place.source)
    assert [(one.platform, one.variable) for one in found] == [
        ("telegram", "TELEGRAM_BOT_TOKEN"),
        ("discord", "DISCORD_BOT_TOKEN"),
        ("irc", "IRC_NICKNAME"),
        ("signal", "platforms.signal.extra.account"),
        ("whatsapp", "platforms/whatsapp/session"),
    ]
    assert all(len(one.fingerprint) == 12 for one in found)
    assert TOKEN not in repr(found)


def test_what_cannot_be_read_names_no_bot(place: Place) -> None:
    """It is told with every look at the profile."""
    for name in (".env", "config.yaml", "gateway.json"):
        (place.source.path / name).write_bytes(b"\xff[")
    assert place.agent.credentials(place.source) == []


def hosts(path: Path) -> Any:
    """The blocks of one of Honcho's files."""
    return json.loads(path.read_text())["hosts"]


@pytest.mark.parametrize("shared", [".hermes/honcho.json", ".honcho/config.json"])
@pytest.mark.parametrize("source", ["coder", "default"])
def test_a_clone_has_a_peer_of_its_own_in_the_same_workspace(place: Place, shared: str, source: str) -> None:
    """In the file that profiles share; other blocks stay as they are."""
    key = "hermes" if source == "default" else "hermes_coder"
    block = {"peerName": "ana", "aiPeer": "friend", "recallMode": "tools"}
    path = write(place.user_home / shared, {"apiKey": "k", "workspace": "w", "hosts": {key: block}})
    for extent in Extent:
        assert place.clone(CloneOrder(extent), source=source, name=f"work-{extent}") == []
        fresh = block | {"aiPeer": f"work-{extent}", "workspace": "w"}
        assert hosts(path)[f"hermes_work-{extent}"] == fresh
        assert not (place.home(f"work-{extent}").path / "honcho.json").exists()
    assert hosts(path)[key] == block


@pytest.mark.parametrize("extent", list(Extent))
def test_a_profile_with_a_file_of_its_own_gives_the_clone_one(place: Place, extent: Extent) -> None:
    """It holds the way to Honcho; the peer's name is free, also where another profile was called so before."""
    data = {"hosts": {"hermes_coder": {"apiKey": "k"}, "hermes_writer": {"aiPeer": "work"}}}
    write(place.source.path / "honcho.json", data)
    assert place.clone(CloneOrder(extent)) == []
    found = hosts(place.home("work").path / "honcho.json")
    assert found["hermes_work"] == {"apiKey": "k", "workspace": "hermes_coder", "aiPeer": "hermes_work"}


def test_a_login_is_never_shared(place: Place) -> None:
    """Whoever renews one ends the other's: the clone wants its own."""
    block = {"apiKey": "hch-at-1", "oauth": {"refresh_token": "r"}, "workspace": "w"}
    path = write(place.root / "honcho.json", {"hosts": {"hermes_coder": block}})
    (told,) = place.clone()
    assert "hermes -p work honcho setup" in told
    assert hosts(path)["hermes_work"] == {"workspace": "w", "aiPeer": "work"}


def test_logins_at_providers_come_along_only_with_everything(place: Place) -> None:
    """The plan says which, and of their tokens only what they digest to."""
    write(place.source.path / "auth.json", {"providers": {"x": {"refresh_token": "r-1"}}})
    assert place.agent.plan_clone(place.source, CloneOrder()).grants == ()
    plan = place.agent.plan_clone(place.source, WHOLE)
    assert plan.grants == tuple(place.agent.grants(place.source))
    assert "r-1" not in repr(plan)
    place.clone(WHOLE, name="other")
    assert tuple(place.agent.grants(place.home("other"))) == plan.grants


@pytest.mark.parametrize(
    "data",
    [
        {"apiKey": "k", "hosts": {"hermes_coder": {"enabled": False}}},
        {"hosts": {"hermes_coder": {}}},
        {"apiKey": "k", "hosts": {"hermes_work": {"aiPeer": "x"}}},
        {"apiKey": "k", "hosts": []},
    ],
)
def test_where_honcho_is_off_or_knows_the_name_nothing_is_written(place: Place, data: Any) -> None:
    """A block that is there is somebody's memory."""
    path = write(place.root / "honcho.json", data)
    before = path.read_bytes()
    assert place.clone() == []
    assert path.read_bytes() == before


def test_a_variable_that_makes_two_profiles_one_is_told(place: Place) -> None:
    """To Honcho, it says whose memory it is."""
    (place.source.path / ".env").write_text("HERMES_HONCHO_HOST=hermes_coder\n")
    (told,) = place.clone()
    assert "HERMES_HONCHO_HOST" in told


def test_a_plan_says_what_comes_along(place: Place) -> None:
    """In words, with the keys' names and no value; entries of the person's by their names."""
    furnish(place.source.path)
    (place.source.path / ".env").write_text(f"B=1\nA=2\nTELEGRAM_BOT_TOKEN={TOKEN}\n")
    before = snapshot(place.root)
    settings = place.agent.plan_clone(place.source, CloneOrder())
    assert settings.copied == (".env: 3 keys (A, B, …)", "SOUL.md")
    assert {"memory", "sessions", "its skills"} < set(settings.skipped)
    assert [one.source for one in settings.claims] == ["TELEGRAM_BOT_TOKEN"]
    whole = place.agent.plan_clone(place.source, CloneOrder(Extent.EVERYTHING, has_channels=False))
    assert whole == ClonePlan(
        copied=(
            *(
                ".env: 2 keys (A, B)",
                "SOUL.md",
                "other logins",
                "memory",
                "sessions",
                "its skills",
                "scheduled jobs",
            ),
            *("plugins and hooks", "description", "scripts", "thing.bin", "workspace"),
        ),
        skipped=("messaging logins", "backups", "what belongs to running processes", "logs"),
    )
    assert snapshot(place.root) == before


@contextmanager
def living(home: Path) -> Iterator[None]:
    """An agent that writes its database, a memory and a skill all the time, without asking anybody."""
    stop = threading.Event()

    def work() -> None:
        number = 0
        with closing(sqlite3.connect(home / "state.db", timeout=30)) as state:
            while not stop.wait(0.002):
                number += 1
                state.execute("INSERT INTO sessions VALUES (?, ?, 'coder')", (str(number), "x" * 500))
                state.execute("INSERT INTO sessions VALUES (?, ?, 'coder')", (str(-number), "x" * 500))
                state.commit()
                text = f"{number}\n" * 2000
                (home / "memories" / ".MEMORY.md.tmp").write_text(text)
                (home / "memories" / ".MEMORY.md.tmp").replace(home / "memories" / "MEMORY.md")
                (home / "skills" / "mine" / "SKILL.md").write_text(text)  # in place, as editors do

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_an_agent_that_writes_meanwhile_is_cloned_whole(place: Place) -> None:
    """Each file is of one moment, and so is the database; whatever could not be so is told."""
    home = place.source.path
    (home / "skills" / "mine").mkdir()
    state = database(home / "state.db", "CREATE TABLE sessions (id TEXT, session_key TEXT, profile_name TEXT)")
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    agent = HermesAgent(place.user_home)
    with living(home):
        for number in range(3):
            target = place.user_home / str(number)
            target.mkdir(0o700)
            told = agent.clone(place.source, ProfileName("work"), target, WHOLE, lambda: False)
            is_told = any(line.startswith("skills/mine/SKILL.md: ") for line in told)
            (sound,) = rows(target / "state.db", "PRAGMA integrity_check")
            assert sound == ("ok",)
            assert rows(target / "state.db", "SELECT count(*) % 2 FROM sessions") == [(0,)]
            for path in ("memories/MEMORY.md", "skills/mine/SKILL.md"):
                lines = (target / path).read_text().splitlines() if (target / path).exists() else []
                assert (len(set(lines)) <= 1 and len(lines) in {0, 2000}) or (is_told and "skills" in path)
            assert not [path for path in target.rglob("*") if path.name.endswith(("-wal", "-shm", ".tmp"))]


def test_a_cancelled_clone_leaves_nothing(place: Place) -> None:
    """Neither a home nor litter in staging."""
    furnish(place.source.path)

    def fill(target: Path) -> None:
        place.agent.clone(place.source, ProfileName("work"), target, WHOLE, lambda: True)

    with pytest.raises(Cancelled):
        HomesOnDisk(place.root).create(ProfileName("work"), {}, [], fill=fill)
    assert list((place.root / "profiles" / ".hermesd" / "new").iterdir()) == []
    with pytest.raises(ProfileExists):
        HomesOnDisk(place.root).create(ProfileName("coder"), {}, [])


def test_a_clone_of_who_does_without_bundled_skills_does_so_too(place: Place) -> None:
    """The choice is among the settings, and is said before."""
    assert place.agent.plan_clone(place.source, CloneOrder()).is_seeded
    (place.source.path / OPT_OUT).touch()
    for order in (CloneOrder(), WHOLE):
        assert not place.agent.plan_clone(place.source, order).is_seeded
    place.clone(CloneOrder())
    assert (place.home("work").path / OPT_OUT).exists()
