"""Files that people and other programs write into a home or beside the daemon."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hermesd.adapters import dotenvfile, profilefiles, skilltrees, trashnotes, yamlfile
from hermesd.adapters.claimfiles import read_note
from hermesd.adapters.daemonfile import read_daemon_file
from hermesd.adapters.settingsfile import read_settings
from hermesd.adapters.skillrecords import SkillRecords
from hermesd.adapters.terminalfiles import TerminalFiles
from hermesd.domain.errors import ConfigInvalid
from tests.fuzz.target import target

FILE = Path("/home/me/file")


@contextmanager
def home_with(name: str, data: bytes) -> Iterator[Path]:
    """A home that holds one file."""
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
        yield home
    finally:
        shutil.rmtree(home)


@target(
    b"model:\n  default: x # mine\n  y: [1, {a: b}]\nb: 'q'\n",
    b"{model: {default: a}, c: 0x1f}\n",
    b"a: &a [1]\nmodel: {<<: {x: 1}, k: *a}\n? q\n: 2023-01-01\n",
)
def yaml(data: bytes) -> None:
    """A value is set exactly or not at all, and taken out without a trace."""
    text = data.decode(errors="replace")
    with suppress(ConfigInvalid):
        yamlfile.parse_yaml(text, FILE)
        changed = yamlfile.with_values(text, {("model", "default"): "new"}, FILE)
        assert yamlfile.parse_yaml(changed, FILE)["model"]["default"] == "new"
        left = yamlfile.without(changed, [("model", "default")], FILE)
        assert yamlfile.without(left, [("model", "default")], FILE) == left


@target(b"# c\nA=1\nexport KEY='old' # why\nB=\"two\nlines\"\n", b"\xef\xbb\xbfKEY=a\r\nC=${A}\r\n")
def dotenv(data: bytes) -> None:
    """The other keys stay what they were, and no message tells a value."""
    text = data.decode(errors="replace")
    try:
        changed = dotenvfile.with_values(text, {"KEY": "sEcReT-of-mine"}, FILE)
        assert dotenvfile.parse_env(changed) == dotenvfile.parse_env(text) | {"KEY": "sEcReT-of-mine"}
        left = dotenvfile.without(changed, {"KEY"}, FILE)
        assert "sEcReT-of-mine" not in left
    except ConfigInvalid as error:
        assert "sEcReT" not in str(error)  # noqa: PT017 - both ways out are held to a promise


@target(
    b'[daemon]\nbackend = "auto"\ntrash_days = 7\n[gateway]\nstart_limit_s = 10\nmemory_max = "1G"\n',
    b'[profile.x]\ncommand = ["/bin/true"]\n[environment.gateways]\nA = "b"\n',
)
def settings(data: bytes) -> None:
    """Settings, or what is wrong with them."""
    with home_with("settings.toml", data) as home, suppress(ConfigInvalid):
        read_settings(home / "settings.toml")


@target(b"description: what it is for\ndescription_auto: true\ndisplay_name: X\n", b"description: 0x1\n")
def about(data: bytes) -> None:
    """The description of a profile."""
    with home_with("profile.yaml", data) as home, suppress(ConfigInvalid):
        profilefiles.read_description(home)


@target(
    b'{"socket": "/s", "pid": 1, "start_ticks": 2, "boot_id": "b", '
    b'"started_at_s": 1.5, "version": "v", "root": "/r"}'
)
def daemon_file(data: bytes) -> None:
    """What a daemon says of itself, or nothing."""
    with home_with("daemon.json", data) as home:
        read_daemon_file(home / "daemon.json")


@target(
    b'{"profile_id": "a", "profile": "b", '
    b'"process": {"boot_id": "b", "pid": 1, "start_ticks": 1, "spawn_id": "s"}}\n'
)
def claim_note(data: bytes) -> None:
    """For whom a claim was taken, or nothing."""
    with home_with("claim.lock", data) as home:
        read_note(home / "claim.lock")


@target(
    b'{"id": "i", "name": "coder", "deleted_at": 1.5, "profile_id": "p", "description": "d", "aliases": ["a"]}',
)
def trash_note(data: bytes) -> None:
    """A home in the trash is listed whatever its note says."""
    with home_with("coder-i.json", data) as home:
        (home / "coder-i").mkdir()
        assert len(list(trashnotes.entries(home))) == 1


@target(
    b'{"format": 1, "control": "", "bundle": "", "skills": {"a": ["m d", "f"], '
    b'"b": ["m d", "f", "ours", "m d", null]}, '
    b'"descriptions": ["d"], "problems": []}',
)
def skill_record(data: bytes) -> None:
    """What is remembered of skills, or nothing."""
    with home_with("records/x", b"") as home:
        records = SkillRecords(home / "records")
        records._path(home).write_bytes(data)
        records.read(home)


@target(
    b'{"id": "a1", "profile": {"text": "coder"}, "verb": "chat", "process": {"boot_id": "b", "pid": 1, '
    b'"start_ticks": 2, "spawn_id": ""}, "working_directory": "/", "tty": "", "started_at_s": 1.5}'
)
def terminal_record(data: bytes) -> None:
    """Records can be put in order whatever one of them says; what is none is removed."""
    with home_with("a.json", data) as home:
        (home / "b.json").write_bytes(
            b'{"id": "b", "profile": {"text": "b"}, "verb": "", "process": {"boot_id": "b", '
            b'"pid": 1, "start_ticks": 2, "spawn_id": ""}, "working_directory": "", "tty": "", "started_at_s": 1}'
        )
        found = TerminalFiles(home).all()
        assert len(found) == len(list(home.iterdir()))


@target(b"---\nname: 'my skill'\ndescription: x\n---\n# text\n", b"name: x\n---\n")
def front_matter(data: bytes) -> None:
    """A skill has a name of one line, or its directory's."""
    with home_with("SKILL.md", data) as home:
        assert "\n" not in skilltrees.name_of(str(home))
