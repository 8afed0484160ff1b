"""Archives with the real hermes-agent: of a profile that runs, there and back, and without a secret anywhere."""

import gzip
import io
import json
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.adapters.test_homesecrets import PLACES, value
from tests.e2e.house import Machine
from tests.fakes.model import ANSWER, MODEL, ModelServer

pytestmark = [pytest.mark.e2e]

VERSIONS = [pytest.param("0.19.0", marks=pytest.mark.ci), pytest.param("0.18.2", marks=pytest.mark.full)]
TRAVELLING = {
    "SOUL.md": "I am the original.\n",
    "memories/MEMORY.md": "remember the milk\n",
    "skills/mine/SKILL.md": "---\nname: mine\ndescription: mine\n---\ndo it\n",
    "workspace/notes.txt": "notes\n",
}


def home(machine: Machine, name: str) -> Path:
    """Where a profile's files are."""
    return machine.root / "profiles" / name


def made(machine: Machine, hermes: Path, name: str, model_server: ModelServer) -> Path:
    """A profile with something of each kind that travels."""
    machine.ok("daemon", "start")
    machine.ok("runtime", "use", hermes.parts[-3])
    machine.ok("profile", "create", name)
    place = home(machine, name)
    (place / "config.yaml").write_text(
        f"# mine\nmodel:\n  default: {MODEL}\n  provider: custom\n  base_url: {model_server.base_url}\n"
        "  context_length: 131072\n"
    )
    for path, text in TRAVELLING.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    return place


def texts(archive: bytes) -> dict[str, bytes]:
    """Every file of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {one.name: opened.extractfile(one) for one in opened if one.isreg()}
        return {name.partition("/")[2]: file.read() for name, file in found.items() if file is not None}


def theirs(machine: Machine, hermes: Path, *words: str) -> CompletedProcess[str]:
    """One of hermes-agent's own commands."""
    return machine.run(hermes, *words, extra={"HERMES_DISABLE_LAZY_INSTALLS": "1"})


@pytest.mark.parametrize("version", VERSIONS)
def test_archives_go_to_hermes_agent_and_come_from_it(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer, version: str
) -> None:
    """What it unpacks of ours is equal, links included; what we unpack of its is, and answers."""
    hermes = runtimes[version]
    place = made(machine, hermes, "ours", model_server)
    (place / "workspace" / "link").symlink_to("notes.txt")
    archive = machine.home / "ours.tar.gz"
    machine.ok("profile", "export", "ours", "-o", str(archive))
    done = theirs(machine, hermes, "profile", "import", str(archive), "--name", "copied")
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (*TRAVELLING, "config.yaml"):
        assert (home(machine, "copied") / path).read_bytes() == (place / path).read_bytes(), path
    assert (home(machine, "copied") / "workspace/link").read_text() == "notes\n"
    done = theirs(machine, hermes, "profile", "export", "ours", "-o", str(machine.home / "theirs.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    machine.ok("profile", "import", str(machine.home / "theirs.tar.gz"), "--name", "back")
    for path in (*TRAVELLING, "config.yaml"):
        assert (home(machine, "back") / path).read_bytes() == (place / path).read_bytes(), path
    assert (home(machine, "back") / "workspace/link").readlink() == Path("notes.txt")
    assert machine.ok("-p", "back", "-z", "hi") == f"{ANSWER}\n"


@pytest.mark.ci
def test_the_archive_of_a_running_profile_is_harmless(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """hermes-agent packs its own pid: the copy is stopped all the same, and stopping it stops nobody else."""
    hermes = runtimes["0.19.0"]
    place = made(machine, hermes, "live", model_server)
    (place / ".env").write_text("API_SERVER_ENABLED=true\n")
    machine.ok("gateway", "start", "live")
    pid = machine.gateway("live")["process"]["pid"]
    done = theirs(machine, hermes, "profile", "export", "live", "-o", str(machine.home / "live.tar.gz"))
    assert done.returncode == 0, done.stdout + done.stderr
    packed = texts((machine.home / "live.tar.gz").read_bytes())
    assert {"gateway.pid", "gateway_state.json"} <= set(packed)
    machine.ok("profile", "import", str(machine.home / "live.tar.gz"), "--name", "twin")
    assert machine.gateway("twin")["state"] == "stopped"
    assert not {path.name for path in home(machine, "twin").iterdir()} & {
        "gateway.pid",
        "gateway_state.json",
        "gateway.lock",
    }
    machine.ok("gateway", "stop", "twin")
    theirs(machine, hermes, "-p", "twin", "gateway", "stop")
    live = machine.gateway("live")
    assert (live["process"]["pid"], live["restarts"]) == (pid, 0), live


@pytest.mark.ci
def test_an_export_beside_a_gateway_holds_no_secret_and_no_torn_database(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """With a secret in every known place and a writer at work; the live files are never replaced."""
    place = made(machine, runtimes["0.19.0"], "live", model_server)
    for name, text in PLACES.items():
        if name != "config.yaml":
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
    machine.ok("config", "set", "auxiliary.vision.timeout=31", "-p", "live")
    with (place / "config.yaml").open("a") as config:
        config.write(f"custom_providers:\n- name: one\n  api_key: {value(4)}\n")
    (place / "memories" / "MEMORY.md").write_text(f"his token is {value(0)}, and {value(5)}\n")
    (place / "skills" / "mine" / "data.json.gz").write_bytes(gzip.compress(value(7).encode()))
    database = place / "state.db"
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, text TEXT)")
        opened.commit()
    inode, stop = database.stat().st_ino, threading.Event()
    rows: list[int] = []
    writer = threading.Thread(target=write_pairs, args=(database, stop, rows))
    writer.start()
    try:
        refused = machine.ctl(
            "profile", "export", "live", "--include-sessions", "-o", str(machine.home / "no.tgz")
        )
        assert refused.returncode == 6
        before = len(rows)
        machine.ok(
            "profile", "export", "live", "--include-sessions", "--redact", "-o", str(machine.home / "a.tgz")
        )
    finally:
        stop.set()
        writer.join()
    assert not (machine.home / "no.tgz").exists()
    found = texts((machine.home / "a.tgz").read_bytes())
    whole = b"".join(found.values()) + refused.stdout.encode() + refused.stderr.encode()
    assert not [number for number in range(13) if value(number).encode() in whole]
    assert not set(PLACES) & set(found) - {"config.yaml", "honcho.json"}
    assert "skills/mine/data.json.gz" not in found
    assert database.stat().st_ino == inode
    (machine.home / "copy.db").write_bytes(found["state.db"])
    with closing(sqlite3.connect(machine.home / "copy.db")) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert opened.execute("SELECT count(*) FROM pairs WHERE a <> b").fetchone() == (0,)
        assert opened.execute("SELECT count(*) FROM pairs").fetchone()[0] >= before
        held = [text for (text,) in opened.execute("SELECT text FROM pairs")]
    assert not [text for text in held if value(0) in text]
    journal = (machine.state.parent / "hermesd").rglob("*")
    logs = [path.read_bytes() for path in journal if path.is_file() and path.suffix == ".log"]
    told = json.dumps([machine.json("events"), machine.json("operations", "list")]).encode() + b"".join(logs)
    assert not [number for number in range(13) if value(number).encode() in told]


def write_pairs(path: Path, stop: threading.Event, rows: list[int]) -> None:
    """Writes rows whose two numbers are equal, each pair in a transaction of its own, until it is told to stop."""
    with closing(sqlite3.connect(path, timeout=30)) as database:
        while not stop.is_set():
            number = len(rows)
            database.execute("INSERT INTO pairs VALUES (?, 0, ?)", (number, f"see {value(0)}"))
            database.execute("UPDATE pairs SET b = a WHERE a = ?", (number,))
            database.commit()
            rows.append(number)


@pytest.mark.ci
def test_an_imported_profile_starts_nothing_and_takes_nothing(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """Not even with another home in the environment by mistake; a hook in it is not run by its gateway."""
    place = made(machine, runtimes["0.19.0"], "sender", model_server)
    (place / "hooks" / "spy").mkdir(parents=True)
    (place / "hooks" / "spy" / "HOOK.yaml").write_text("name: spy\nevents: [gateway:startup]\n")
    trace = machine.home / "spied"
    (place / "hooks" / "spy" / "handler.py").write_text(
        f"open({str(trace)!r}, 'w').close()\n\nasync def handle(event_type, context):\n    pass\n"
    )
    machine.ok("profile", "export", "sender", "-o", str(machine.home / "sender.tgz"))
    machine.ok("profile", "create", "other")
    before = {path: path.read_bytes() for path in home(machine, "other").rglob("*") if path.is_file()}
    done = machine.ctl(
        "profile",
        "import",
        str(machine.home / "sender.tgz"),
        "--name",
        "taken",
        extra={"HERMES_HOME": str(home(machine, "other"))},
    )
    assert done.returncode == 0, done.stderr
    assert "arrived switched off: spy" in done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert machine.gateway("taken")["state"] == "stopped"
    assert machine.json("claims", "list")["items"] == []
    (home(machine, "taken") / ".env").write_text("API_SERVER_ENABLED=true\n")
    machine.ok("gateway", "start", "taken")
    assert not trace.exists()
    machine.ok("gateway", "stop", "taken")
    (home(machine, "taken") / "hooks.disabled").rename(home(machine, "taken") / "hooks")
    machine.ok("gateway", "start", "taken")
    assert trace.exists()
