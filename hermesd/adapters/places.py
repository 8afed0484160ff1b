"""Where everything of one daemon lies.

Owns: every path below the person's home and which root they belong to. Must not know what the files say. The
paths are pure values; `locate` reads the system to find them and `Places.prepare` makes the directories.
"""

import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters.mounts import network_file_system
from hermesd.adapters.oserrors import not_permitted, translating
from hermesd.adapters.trees import PRIVATE, ensure_private
from hermesd.domain.errors import Incompatible

ROOT_VARIABLE = "HERMESD_ROOT"
TEMPORARY_VARIABLE = "HERMESD_ALLOW_TEMP"
TEMPORARY_DIRECTORIES = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))


@dataclass(frozen=True)
class Places:
    """The places of the daemon for one root. Nothing here depends on a shell's XDG variables."""

    home: Path
    """The person's home directory."""
    root: Path
    """The canonical Hermes root: home of the default profile, parent of `profiles/`."""

    @property
    def root_id(self) -> str:
        """Names the root in other paths: 12 hexadecimal digits."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]

    @property
    def state(self) -> Path:
        """What the daemon keeps for this root, readable by its owner alone."""
        return self.home / ".local" / "state" / "hermesd" / self.root_id

    @property
    def run(self) -> Path:
        """Directory of the socket; its mode is what keeps other people out."""
        return self.state / "run"

    @property
    def socket(self) -> Path:
        """Where clients reach the daemon."""
        return self.run / "api.sock"

    @property
    def notify_socket(self) -> Path:
        """Where gateways say that they are ready, and that their event loop goes round."""
        return self.run / "notify.sock"

    @property
    def daemon_file(self) -> Path:
        """Tells clients where the daemon is."""
        return self.state / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon while it lives."""
        return self.state / "daemon.lock"

    @property
    def terminals(self) -> Path:
        """Records of commands on people's terminals."""
        return self.run / "terminals"

    @property
    def runtime_file(self) -> Path:
        """Tells clients without a daemon which agent is in use."""
        return self.state / "runtime.json"

    @property
    def store(self) -> Path:
        """The daemon's database."""
        return self.state / "store.db"

    @property
    def samples(self) -> Path:
        """What gateways used."""
        return self.state / "samples.db"

    @property
    def locks(self) -> Path:
        """Directory of the locks that gateways hold."""
        return self.state / "locks"

    @property
    def claims(self) -> Path:
        """Directory of the locks of claims, shared by all roots: a bot is one, whichever daemon runs it."""
        return self.state.parent / "claims"

    @property
    def skills(self) -> Path:
        """What is remembered of the skills of each profile."""
        return self.state / "skills"

    @property
    def managed(self) -> Path:
        """Managed settings of gateways, the site's and ours."""
        return self.state / "managed"

    @property
    def logs(self) -> Path:
        """What the daemon and its gateways write."""
        return self.state / "logs"

    @property
    def daemon_log(self) -> Path:
        """The daemon's own log."""
        return self.logs / "daemon.log"

    @property
    def gateway_logs(self) -> Path:
        """What gateways write, captured."""
        return self.logs / "gateways"

    @property
    def dumps(self) -> Path:
        """What was seen of gateways' processes before they were ended."""
        return self.state / "dumps"

    @property
    def versions(self) -> Path:
        """What profiles' files of settings held before."""
        return self.state / "versions"

    @property
    def runtimes(self) -> Path:
        """Installed agents, shared by all roots."""
        return self.share / "runtimes"

    @property
    def share(self) -> Path:
        """What is installed for the person, shared by all roots."""
        return self.home / ".local" / "share" / "hermesd"

    @property
    def launcher(self) -> Path:
        """Directory of what aliases execute, whatever release it belongs to."""
        return self.share / "current"

    @property
    def settings(self) -> Path:
        """What a person may set, by hand."""
        return self.home / ".config" / "hermesd" / "settings.toml"

    @property
    def bin(self) -> Path:
        """Where aliases are put."""
        return self.home / ".local" / "bin"

    @property
    def private(self) -> tuple[Path, ...]:
        """What nobody else may see, whether or not it is there yet."""
        files = (self.daemon_file, self.daemon_lock, self.runtime_file, self.store, self.samples)
        return (*self._directories, *files)

    @property
    def _directories(self) -> tuple[Path, ...]:
        kept = (self.terminals, self.locks, self.dumps, self.versions, self.managed, self.logs, self.gateway_logs)
        return (self.state.parent, self.claims, self.state, self.run, *kept)

    def prepare(self) -> None:
        """Makes the state directories, each 0700, also where they were wider.

        Raises:
            NotPermitted: one cannot be made, or belongs to someone else.
            DiskFull: there is no space for them.
            Incompatible: they would lie on a network file system, whose locks cannot be relied on.
        """
        _make_parents(self.state.parent.parent)
        for directory in self._directories:
            with translating(directory, "make"):
                ensure_private(directory)
                _keep_private(directory)
        if kind := network_file_system(self.state):
            raise Incompatible(f"cannot keep state in {self.state}: {kind} is a network file system")


def locate(environment: Mapping[str, str]) -> Places:
    """Finds the root and the person's home.

    Raises:
        Incompatible: there is no home directory, or the root is below a temporary directory and
            HERMESD_ALLOW_TEMP=1 is not set.
    """
    home = _home(environment)
    root = Path(os.path.realpath(environment.get(ROOT_VARIABLE) or home / ".hermes"))
    if environment.get(TEMPORARY_VARIABLE) != "1":
        known = (*TEMPORARY_DIRECTORIES, Path(tempfile.gettempdir()))
        refuse_temporary(root, [Path(os.path.realpath(one)) for one in known])
    return Places(home, root)


def refuse_temporary(root: Path, temporary: Iterable[Path]) -> None:
    """Refuses a root that is, or lies below, one of these canonical directories.

    Raises:
        Incompatible: it does; profiles kept there would be lost at the next clean-up.
    """
    for directory in temporary:
        if root.is_relative_to(directory):
            raise Incompatible(
                f"cannot keep profiles in {root}: {directory} is cleaned up by the system",
                hint=f"set {ROOT_VARIABLE} to a lasting directory, or {TEMPORARY_VARIABLE}=1 for a trial",
            )


def _home(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:
        raise Incompatible(
            f"cannot tell the home directory: user {os.getuid()} has no passwd entry", hint="set HOME"
        ) from error


def _make_parents(path: Path) -> None:
    """Makes directories that are shared with other programs, as any of them would."""
    with translating(path, "make"):
        path.mkdir(parents=True, exist_ok=True)


def _keep_private(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise not_permitted(path, f"it belongs to user {found.st_uid}", "use")
    if stat.S_IMODE(found.st_mode) != PRIVATE:
        path.chmod(PRIVATE)
