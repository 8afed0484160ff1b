"""Archives that strangers send, and what is in them."""

import gzip
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from hermesd.adapters import yamlfile
from hermesd.adapters.agents.hermes_arrival import disarm
from hermesd.adapters.agents.hermes_config import hide_settings
from hermesd.adapters.archives import SpoolFile
from hermesd.adapters.needles import Needles
from hermesd.adapters.secretsearch import redact, search
from hermesd.domain.archive import Secret
from hermesd.domain.errors import ArchiveCorrupt, ArchiveUnsafe, ConfigInvalid
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from tests.adapters.hostile import good, member, packed, top
from tests.fuzz.files import home_with
from tests.fuzz.target import target

CANARY = "canary-of-a/secret+0123456789"
NEEDLES = Needles([Secret("bot", ".env", "MY_TOKEN", CANARY)])
MOST_BYTES = 1 << 24
LONG = packed(top(), member("bot/" + "a" * 90 + "/" + "b" * 90, b"x"), member("bot/ä", b"y"))
LINKS = packed(top(), member("bot/a", b"x"), member("bot/l", type=b"2", linkname="a"))


def _judge(data: bytes) -> None:
    """Judged, and unpacked where it is taken: nothing is ever made outside."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place, closing(SpoolFile(Path(place))) as spool:
        spool.write(data)
        target_directory = Path(place) / "in" / "home"
        target_directory.mkdir(parents=True)
        with suppress(ArchiveUnsafe, ArchiveCorrupt):
            what = spool.judge(MOST_BYTES)
            spool.unpack(what, MOST_BYTES, target_directory, lambda: False)
        assert [path.name for path in Path(place).iterdir()] == ["in"]
        assert [path.name for path in (Path(place) / "in").iterdir()] == ["home"]


@target(good(), LONG, LINKS)
def archive(data: bytes) -> None:
    """As it arrives."""
    _judge(data)


@target(gzip.decompress(good()), gzip.decompress(LONG), gzip.decompress(LINKS))
def members(data: bytes) -> None:
    """As it is once gzip is off."""
    _judge(gzip.compress(data, 1))


@target(
    b"mcp_servers:\n  a: {command: b}\nhooks: {x: [{command: y}]}\napprovals: {mode: off}\n# c\n",
    b"hooks_auto_accept: true\nterminal: {shell_init_files: [a]}\nmodel:\n  base_url: http://x\n",
)
def arrival(data: bytes) -> None:
    """No server of tools is on and no hook is left, or it is refused; nothing told can write on a screen."""
    with home_with("config.yaml", data) as home, suppress(ArchiveUnsafe):
        found = disarm(Home(ProfileName("bot"), home, HomeIdentity(0, 0, 0)))
        left = yamlfile.read_yaml(home / "config.yaml")
        servers = left.get("mcp_servers")
        for server in servers.values() if isinstance(servers, Mapping) else ():
            assert not isinstance(server, Mapping) or server.get("enabled") is False
        assert not left.get("hooks")
        assert all(act.what.isprintable() for act in found.acts)


@target(b"model: {api_key: abcdef}\n# token: old-secret-0123\nproxy: http://a:pw@b/\n", b"a: [{password: x}]\n")
def hidden_settings(data: bytes) -> None:
    """What is written over is not there any more, and what is left can still be read."""
    with home_with("config.yaml", data) as home, suppress(ConfigInvalid):
        if hide_settings(home / "config.yaml", is_written=True):
            again = hide_settings(home / "config.yaml", is_written=False)
            assert not [key for key in again if key != "a comment"]


@target(gzip.compress(CANARY.encode()), packed(member("a", CANARY.encode())), CANARY.encode(), b"PK\x03\x04")
def searched(data: bytes) -> None:
    """Whatever a file is, it is searched or said not to be; and what is written over is gone."""
    with home_with("file", data) as home:
        found = search(home / "file", NEEDLES, home)
        if found.spans:
            redact(home / "file", found, NEEDLES)
            assert not search(home / "file", NEEDLES, home).spans
