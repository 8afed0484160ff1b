"""Where things lie, and how the directories are made."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermesd.adapters.mounts import file_system, network_file_system
from hermesd.adapters.places import Places, locate, refuse_temporary
from hermesd.domain.errors import Incompatible
from tests.adapters.unprivileged import failure_as_nobody, reachable_directory

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

HOME = Path("/home/ada")
PLACES = Places(HOME, HOME / ".hermes")
ALLOW = {"HERMESD_ALLOW_TEMP": "1"}

MOUNTS = """\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 21 0:30 / /home rw shared:1 - nfs4 server:/home rw
31 30 8:2 / /home/ada rw - xfs /dev/sdb1 rw
32 21 0:32 / /mnt/with\\040space rw - fuse.sshfs host: rw
33 21 0:33 / /data rw - nfs server:/a rw
34 21 0:34 / /data rw - ext4 /dev/sdc1 rw
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody can reach and only its owner can write."""
    with reachable_directory() as directory:
        yield directory


def test_root_is_below_the_home() -> None:
    """Without a setting, the root is hermes-agent's own."""
    assert locate({"HOME": "/home/ada"}) == PLACES


@pytest.mark.parametrize("home", ["", "relative"])
def test_home_comes_from_the_account_when_the_variable_is_of_no_use(home: str) -> None:
    """An empty or relative HOME is as good as none."""
    assert locate({"HOME": home}).home.is_absolute()
    assert locate({"HOME": home}) == locate({})


def test_state_depends_on_home_and_root_alone() -> None:
    """A shell's XDG variables and TMPDIR move nothing, so that every shell finds the same daemon."""
    shell = {"HOME": "/home/ada", "XDG_STATE_HOME": "/x", "XDG_RUNTIME_DIR": "/y", "TMPDIR": "/z"}
    assert locate(shell) == PLACES
    assert PLACES.state.parent == HOME / ".local" / "state" / "hermesd"


def test_root_names_its_state() -> None:
    """Twelve digits of the root's path: two roots of one person have two daemons."""
    assert PLACES.state.name == PLACES.root_id == "10f083eace33"
    assert Places(HOME, Path("/srv/hermes")).root_id != PLACES.root_id


def test_root_is_canonical(tmp_path: Path) -> None:
    """Two ways to one directory are one root."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    direct, through_link = (
        locate({"HOME": "/home/ada", "HERMESD_ROOT": str(tmp_path / name), **ALLOW}) for name in ("real", "link")
    )
    assert direct == through_link
    assert direct.root == tmp_path / "real"


def test_every_place_is_where_documents_say() -> None:
    """Paths that people and clients rely on."""
    state = PLACES.state
    assert PLACES.socket == state / "run" / "api.sock"
    assert PLACES.daemon_file == state / "daemon.json"
    assert PLACES.daemon_lock == state / "daemon.lock"
    assert PLACES.store == state / "store.db"
    assert PLACES.locks == state / "locks"
    assert PLACES.daemon_log == state / "logs" / "daemon.log"
    assert PLACES.gateway_logs == state / "logs" / "gateways"
    assert PLACES.runtimes == HOME / ".local" / "share" / "hermesd" / "runtimes"
    assert PLACES.settings == HOME / ".config" / "hermesd" / "settings.toml"
    assert PLACES.bin == HOME / ".local" / "bin"


@pytest.mark.parametrize("directory", ["/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir()])
@pytest.mark.parametrize("below", ["", "hermes"])
def test_temporary_root_is_refused(directory: str, below: str) -> None:
    """Profiles are not kept where the system cleans up."""
    environment = {"HOME": "/home/ada", "HERMESD_ROOT": str(Path(directory, below))}
    with pytest.raises(Incompatible, match="cleaned up"):
        locate(environment)
    assert locate(environment | ALLOW).root


def test_root_beside_a_temporary_directory_is_fine() -> None:
    """A name that merely begins like one is another directory."""
    refuse_temporary(Path("/tmpfiles/hermes"), [Path("/tmp")])


def test_prepared_directories_are_private(tmp_path: Path) -> None:
    """Everything of ours is 0700, whatever the umask; directories shared with others are left as they are."""
    (tmp_path / ".local").mkdir(mode=0o755)
    places = Places(tmp_path, tmp_path / ".hermes")
    before = os.umask(0)
    try:
        places.prepare()
    finally:
        os.umask(before)
    made = [places.state.parent, places.state, places.run, places.locks, places.logs, places.gateway_logs]
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in made} == {0o700}
    assert stat.S_IMODE((tmp_path / ".local").stat().st_mode) == 0o755
    assert not places.root.exists()


def test_preparing_again_closes_what_was_opened(tmp_path: Path) -> None:
    """A directory that somebody made readable is private again, and keeps what is in it."""
    places = Places(tmp_path, tmp_path / ".hermes")
    places.prepare()
    places.store.touch()
    places.state.chmod(0o755)
    places.prepare()
    assert stat.S_IMODE(places.state.stat().st_mode) == 0o700
    assert places.store.exists()


def test_state_of_another_user_is_refused(open_directory: Path) -> None:
    """Nobody keeps state in a directory that belongs to someone else, even if it can be entered."""
    places = Places(open_directory, open_directory / ".hermes")
    places.state.mkdir(parents=True)
    reason, path, message = failure_as_nobody("places.Places(given, given / '.hermes').prepare()", open_directory)
    assert (reason, path) == ("NOT_PERMITTED", str(places.state.parent))
    assert "belongs to user 0" in message


def test_home_that_cannot_be_written_is_refused(open_directory: Path) -> None:
    """The refusal names the directory that could not be made."""
    reason, path, _ = failure_as_nobody("places.Places(given, given / '.hermes').prepare()", open_directory)
    assert (reason, path) == ("NOT_PERMITTED", str(open_directory / ".local" / "state"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", "ext4"),
        ("/home/bob", "nfs4"),
        ("/home/ada/.local", "xfs"),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/data/x", "ext4"),
        ("/", "ext4"),
    ],
)
def test_mount_that_covers_a_path_is_the_innermost_and_last(path: str, kind: str) -> None:
    """Of nested mounts the deepest counts, of stacked ones the last."""
    assert file_system(Path(path), MOUNTS) == kind


def test_network_file_system_is_told_from_a_local_one(tmp_path: Path) -> None:
    """State goes on local disks only."""
    table = tmp_path / "mountinfo"
    table.write_text("1 0 0:1 / / rw - nfs server:/ rw\n")
    assert network_file_system(tmp_path, table) == "nfs"
    table.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert network_file_system(tmp_path, table) == ""


def test_state_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks of another machine would not be seen."""
    monkeypatch.setattr("hermesd.adapters.places.network_file_system", lambda path: "nfs4")
    with pytest.raises(Incompatible, match="nfs4"):
        Places(tmp_path, tmp_path / ".hermes").prepare()
