"""What services ask of the system, each port one kind of thing.

Every port is a structural type. Its adapter in `hermesd/adapters/` and its fake in `tests/fakes/` pass the same
contract suite. Methods that are not `async` may block on local files and are called in a thread; they raise
`HermesError` for what people can mend and never return a success flag.
"""

from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hermesd.domain.agent import Agent
from hermesd.domain.alias import Alias
from hermesd.domain.archive import ExportOrder, Secret, Staged
from hermesd.domain.claims import Claim, ClaimHolder, ClaimLock, ClaimNote
from hermesd.domain.conditions import Disk, Exposed, HomeCondition, Unit
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.dump import Dump
from hermesd.domain.errors import HermesError
from hermesd.domain.inventory import Judged
from hermesd.domain.limits import Limit
from hermesd.domain.listening import Sockets
from hermesd.domain.logs import LogFile, Record, Wanted
from hermesd.domain.masking import Masking, mask
from hermesd.domain.notice import Notice
from hermesd.domain.operation import Happening, Operation
from hermesd.domain.process import (
    ExitCause,
    ExitStatus,
    ProcessIdentity,
    SpawnSpec,
)
from hermesd.domain.profile import Home, IgnoredEntry, ProfileName
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import InstallProgress, Runtime
from hermesd.domain.samples import Reading, Sample
from hermesd.domain.skills import SkillSync
from hermesd.domain.terminal import Terminal
from hermesd.domain.trash import Trashed, TrashNote
from hermesd.domain.usage import DiskUsage
from hermesd.domain.version import Origin, Version


class Clock(Protocol):
    """Time as a parameter, so that tests own it."""

    def now_s(self) -> float:
        """Seconds since the epoch; may jump."""

    def monotonic_s(self) -> float:
        """Seconds since some moment; never jumps."""

    async def sleep_s(self, seconds: float) -> None:
        """Returns after `seconds` of monotonic time."""


class WarmClients(Protocol):
    """Clients that wait for command lines, so that nobody waits for a client to start."""

    async def run(self) -> ExitStatus:
        """Runs them until they end by themselves, and says how; ends them when it is cancelled.

        Raises:
            HermesError: they cannot be started.
        """


OPERATIONS_KEPT = 1_000
"""Operations in the history; the oldest beyond them are dropped."""

EVENTS_KEPT = 10_000
"""Events in the history; the oldest beyond them are dropped."""


MOST_IGNORED = 200
"""Entries that are no profiles and are told; somebody may keep a whole collection there."""


class Store(Protocol):
    """The daemon's durable memory. Each call is one transaction, durable when it returns.

    Raises `DiskFull`, `StateCorrupt` or `NotPermitted`; nothing is written then.
    """

    async def bindings(self) -> list[Binding]:
        """Every binding. No two have the same id, the same home, or the same name unless it is empty."""

    async def bind(self, binding: Binding) -> None:
        """Writes a binding, replacing the one of the same id; any other of that name loses it."""

    async def forget_profile(self, profile_id: str) -> None:
        """Drops the binding and the gateway's record. Unknown ids are ignored."""

    async def gateways(self) -> list[GatewayRecord]:
        """Every record."""

    async def save_gateway(self, record: GatewayRecord) -> None:
        """Writes a record, replacing the one of the same profile."""

    async def token_starts(self) -> dict[str, tuple[float, ...]]:
        """When gateways were started with each bot, seconds since the epoch, by the claim's key."""

    async def save_token_starts(self, starts_s: Mapping[str, Sequence[float]]) -> None:
        """Writes these, replacing what there was for each key; a key without any goes."""

    async def operations(self, *, profile: str, limit: int) -> list[Operation]:
        """Newest first; `profile` empty for all."""

    async def save_operation(self, operation: Operation) -> None:
        """Writes an operation, replacing the one of the same id; the oldest beyond `OPERATIONS_KEPT` go."""

    async def append_event(
        self, *, kind: str, profile: str, message: str, facts: Mapping[str, str], at_s: float
    ) -> Happening:
        """Adds an event under the next token; the oldest beyond `EVENTS_KEPT` go."""

    async def events(
        self,
        *,
        after: int,
        profile: str,
        limit: int,
        kinds: Collection[str] = (),
        since_s: float | None = None,
        until_s: float | None = None,
        before: int | None = None,
    ) -> list[Happening]:
        """The newest `limit` events with a token above `after` and below `before`, oldest first.

        `profile` empty for all; `kinds` as in `is_one_of`. They happened at `since_s` or later and before
        `until_s`, in seconds since the epoch.
        """

    async def event_tokens(self) -> range:
        """The tokens of the events that are kept, oldest to newest; empty, from 1, if there are none."""

    async def registered_runtimes(self) -> list[Runtime]:
        """Runtimes that were found rather than installed."""

    async def register_runtime(self, runtime: Runtime) -> None:
        """Writes a registration, replacing the one of the same name."""

    async def current_runtime(self) -> str:
        """Name of the runtime in use; empty if none was chosen."""

    async def use_runtime(self, name: str) -> None:
        """Chooses the runtime in use."""


class Homes(Protocol):
    """The directory tree of profiles, which is the truth about them."""

    def scan(self) -> list[Home]:
        """Every home, the default first if the root exists, then by name.

        Entries below `profiles/` that are no directory, have no legal name or are called `default` are not
        homes. Raises `NotPermitted`.
        """

    def find(self, name: ProfileName) -> Home | None:
        """One home, or `None`."""

    def ignored(self) -> list[IgnoredEntry]:
        """What else lies below `profiles/`, by path, `MOST_IGNORED` at most; never what is hermesd's own.

        Raises `NotPermitted`.
        """

    def measure(self, home: Home, is_enough: Callable[[], bool]) -> DiskUsage:
        """What a home takes on disk, as far as was looked when it `is_enough`.

        Of `default`, what is neither other profiles' nor the agent's program. Never raises: what cannot be
        looked at makes the answer partial, a home that is gone takes nothing.
        """

    def link_target(self, home: Home) -> str:
        """The directory that a home is only a link to; empty for one that is a directory itself, or gone."""

    def create(
        self,
        name: ProfileName,
        files: Mapping[str, str],
        directories: Sequence[str],
        *,
        fill: Callable[[Path], None] = lambda _: None,
    ) -> Home:
        """Makes a home, published by one rename: wholly there or not at all.

        Directories are 0700 and files 0600 from the first byte. `fill` is then given where the home is being
        made, in private, and may add to it; whatever it raises leaves nothing behind. All of it is durable when
        this returns. Raises `ProfileExists`, `DiskFull`, `NotPermitted`.
        """

    def place_for(self, name: ProfileName) -> Path:
        """Where the home of a new profile will be. Changes nothing.

        Raises `ProfileExists` if anything is there, home or not; `NotPermitted` if nothing can be made there.
        """

    def move_to_trash(self, home: Home, note: TrashNote) -> Path:
        """Takes a home out of the tree by one rename and returns where it lies now, with its note."""

    def purge(self, home: Home) -> None:
        """Takes a home out of the tree by one rename and deletes it; `recover` finishes what is cut off."""

    def move(self, home: Home, name: ProfileName) -> Home:
        """Gives a home another name by one rename that replaces nothing; its identity stays.

        Raises `ArgumentInvalid` for the default profile's, which contains all others, `ProfileNotFound` if it
        is gone, `ProfileExists` if anything has the name, `NotPermitted`.
        """

    def recover(self) -> None:
        """Removes what an interrupted `create`, `purge` or work on the trash left in staging."""

    def litter(self) -> list[Path]:
        """What lies in staging and is no home yet or no more: being made, being deleted, or left by a crash."""

    def remove_litter(self, path: Path) -> None:
        """Removes what `litter` named. Gone already is fine. Raises `NotPermitted`."""

    def sticky_default(self) -> ProfileName:
        """The sticky default; unreadable, malformed or dangling ones count as `default`."""

    def written_default(self) -> str | None:
        """What the sticky default's file says, whatever that is; `None` if there is none.

        Raises `NotPermitted`; `ConfigInvalid` if it is no text.
        """

    def write_sticky_default(self, name: ProfileName) -> ProfileName:
        """Writes the sticky default in hermes-agent's format; `default` removes the file.

        Returns the one before, whether or not it names a home. Raises `DiskFull`, `NotPermitted`.
        """

    def previous_default(self) -> ProfileName:
        """The sticky default before the present one, which may name no home any more.

        Raises `NotFound` if none is known.
        """

    def rename_sticky_default(self, before: ProfileName, after: ProfileName) -> None:
        """Where the sticky default, or the one before it, is `before`, makes it `after`, a profile's new name.

        Raises `DiskFull`, `NotPermitted`.
        """


class Trash(Protocol):
    """Homes that were taken out of the tree and are kept for a while."""

    def scan(self) -> list[Trashed]:
        """Every entry, the last deleted first. Raises `NotPermitted`."""

    def size_bytes(self, entry: Trashed) -> int:
        """What its files take on disk; it takes as long as looking at each of them."""

    def restore(self, entry: Trashed, name: ProfileName) -> Home:
        """Puts a home back into the tree by one rename, with the identity it had.

        Raises `NotFound` if it is not in the trash any more, `ProfileExists`, `DiskFull`, `NotPermitted`.
        """

    def remove(self, entry: Trashed) -> None:
        """Deletes a home for good: it is out of the trash by one rename, and `Homes.recover` finishes the rest.

        Raises `NotFound` if it is not in the trash any more, `NotPermitted`.
        """


class HomeInspector(Protocol):
    """What the entries of a home are like: modes, owners, parts. Links are never followed."""

    def look(self, home: Home) -> HomeCondition:
        """Looks at a home. Changes nothing and never raises: what cannot be looked at is not told of."""

    def make_private(self, home: Home, paths: Sequence[Path]) -> None:
        """Takes the rights of others away from these entries of the home, or from the home itself.

        What is a link, belongs to somebody else or is gone by now is left alone. Raises `NotPermitted`.
        """

    def make_missing(self, home: Home) -> None:
        """Makes the directories and files of a fresh home that are not there, private; replaces nothing.

        Raises `DiskFull`, `NotPermitted`.
        """


class MachineInspector(Protocol):
    """What surrounds homes: file systems, services, the daemon's own directories."""

    def disk(self, path: Path) -> Disk | None:
        """The file system that a path lies on; `None` if it cannot be asked."""

    def disks(self) -> list[Disk]:
        """Those of the root and of what the daemon keeps, each once."""

    def units(self) -> list[Unit]:
        """Services of hermes-agent's own making, by path. What cannot be read is not told of."""

    def exposed(self) -> list[Exposed]:
        """Directories and files of the daemon to which others have rights."""

    def make_private(self, path: Path) -> None:
        """Takes the rights of others away from one of these. Raises `NotPermitted`."""

    def settings_problem(self) -> str:
        """Why the next daemon could not use the settings as they are now; empty if it could."""


class SkillLibrary(Protocol):
    """Bundled skills, and their copies in homes. What a person edited or deleted stays so.

    A skill in a home is wholly the old one or wholly the new one at any moment. No link below a home is followed.
    The skills that come with hermesd are always among those that are bundled.
    """

    def sync(self, home: Path, bundled: Sequence[Path]) -> SkillSync:
        """Brings the skills in these directories into one home, which may still be in staging.

        Raises `ChangedMeanwhile`, `DiskFull`, `Incompatible`, `NotPermitted`.
        """

    def sync_all(
        self, homes: Sequence[Path], bundled: Sequence[Path], *, verify: bool = False, is_dry_run: bool = False
    ) -> list[SkillSync | HermesError]:
        """The same for many homes at once; the outcome of each, in their order: one that fails hinders no other.

        Without `verify`, a home whose manifest and bundle are as they were is not looked at. Raises `DiskFull` or
        `NotPermitted` if nothing could be begun.
        """

    def versions(self, home: Path) -> Mapping[str, str]:
        """A digest of each skill in a home, by what it is called; one that cannot be read has an empty one."""

    def recover(self) -> None:
        """Finishes or undoes what was cut off."""

    def keep_only(self, homes: Iterable[Path]) -> None:
        """Forgets what is remembered of all other homes."""


class Aliases(Protocol):
    """Alias programs in the person's bin directory."""

    @property
    def directory(self) -> Path:
        """Where they are made."""

    @property
    def is_on_path(self) -> bool:
        """Whether commands there are found, as far as this process knows the person's PATH."""

    def scan(self) -> list[Alias]:
        """Every alias, hermes-agent's too, by name."""

    def check(self, name: str, profile: ProfileName) -> None:
        """Refuses what `create` would refuse, with `AliasTaken`. Changes nothing."""

    def create(self, name: str, profile: ProfileName) -> Alias:
        """Writes an alias, or leaves an identical one alone.

        Raises `AliasTaken` if the name is impossible, a file there is not ours, or another program of that
        name is on PATH.
        """

    def is_current(self, alias: Alias) -> bool:
        """Whether an alias of ours says what it would say if it were written now. Never raises."""

    def remove(self, alias: Alias) -> None:
        """Removes an alias that is still ours and still this profile's; anything else is left alone."""

    def repoint(self, alias: Alias, profile: ProfileName) -> Alias:
        """Makes an alias one of another profile, if it is still the same and ours; anything else is left alone.

        Raises `DiskFull`, `NotPermitted`.
        """

    def recover(self) -> None:
        """Removes what a crash left of an alias that was being written. Raises `NotPermitted`."""


class Backend(Protocol):
    """Keeps a gateway's process tree together."""

    async def start(self, spec: SpawnSpec) -> ProcessIdentity:
        """Starts a process in a session of its own.

        Raises `RuntimeMissing` if the program is not there, `DiskFull`, `NotPermitted`, `ProfileBusy` if the
        lock is held, which means that something of an earlier tree still lives, and `TokenInUse` or `PortInUse`
        for a claim that somebody holds; nothing is taken then.
        """

    async def find(
        self, spawn_id: str, process: ProcessIdentity | None, *, home: Path | None = None
    ) -> ProcessIdentity | None:
        """The main process of a recorded start if it is provably that one and alive (no zombie).

        Without a recorded process (the daemon died between spawn and record) it is searched by spawn id. `home`
        is the one it was started for: a process whose environment names another one is a stranger, to this call
        and to the two below, unless something else than the spawn id proves that it is of the tree.
        """

    async def limits(self, process: ProcessIdentity) -> frozenset[Limit] | None:
        """Which kinds of limit the tree of a living process is held to; `None` once the process has ended.

        A backend that cannot enforce a kind starts a process without it, and leaves it out here.
        """

    async def wait(self, process: ProcessIdentity) -> ExitStatus:
        """Returns when the process has ended, with whatever the kernel tells about how."""

    async def terminate(self, process: ProcessIdentity) -> None:
        """Sends SIGTERM to the main process if it is still this one."""

    async def kill(self, process: ProcessIdentity, *, home: Path | None = None) -> None:
        """Sends SIGKILL to every process of the tree that can be proven to be of it."""

    async def clear(self, spawn_id: str, lock_path: Path, *, home: Path | None = None) -> None:
        """After the main process ended: ends what is left of its tree, until nothing holds the lock.

        Raises `GatewayStuck` if something survives SIGKILL for 10 s.
        """

    async def forget(self, lock_path: Path) -> None:
        """Removes the lock file of a gateway that will never be started again. Gone already is fine.

        Raises `ProfileBusy` if something still holds the lock.
        """


class ClaimLocks(Protocol):
    """Locks that stand for claims, shared by all daemons of a user. Only trees of gateways hold them."""

    def of(self, claims: Iterable[Claim], note: ClaimNote) -> tuple[ClaimLock, ...]:
        """What a start has to take for these claims: each thing once, in the order that all keep to."""

    def holders(self, claims: Iterable[Claim]) -> Mapping[str, ClaimHolder]:
        """Who holds which of these claims, by key, without disturbing anybody; a free one is not in it.

        Never raises: what cannot be looked at counts as free, and a start that needs it is refused.
        """

    def tidy(self, claims: Iterable[Claim]) -> None:
        """Removes the files of what nobody holds but these. One that is being taken meanwhile stays a lock.

        Raises `NotPermitted`, `DiskFull`.
        """


class Processes(Protocol):
    """Processes of other people's making, looked at and never touched."""

    def boot_id(self) -> str:
        """The kernel's random name of this boot."""

    def identify(self, pid: int) -> ProcessIdentity | None:
        """The process that has this pid now, without a spawn id; `None` if there is none."""

    def is_alive(self, process: ProcessIdentity) -> bool:
        """Whether this very process exists and is no zombie."""

    def tty(self, pid: int) -> str:
        """Path of the terminal that controls a process; empty if none does, or there is no such process."""

    def age_s(self, process: ProcessIdentity) -> float | None:
        """How long ago a process was started, whether or not it lives, time asleep included; never blocks.

        `None` for one of an earlier boot.
        """


class SocketTables(Protocol):
    """The machine's TCP ports."""

    def look(self) -> Sockets:
        """What listens now, and which ports are fleeting. Cheap, and connects to nothing."""


class Notices(Protocol):
    """What processes of our user say of themselves as `sd_notify` has it. Any of it may get lost."""

    @property
    def address(self) -> str:
        """What `NOTIFY_SOCKET` says to them, the same for each daemon; empty if nothing can be heard."""

    async def heard(self) -> Sequence[Notice]:
        """What was said since this was last asked, oldest first, at least one; waits for it.

        A process is named by the kernel, and lived when it was heard. Who asks must be the only one.
        """


class Meter(Protocol):
    """Counts what process trees use."""

    def measure(self, roots: Sequence[ProcessIdentity]) -> dict[ProcessIdentity, Reading]:
        """What the trees of these main processes use, all at one moment; who has ended is left out.

        Never raises. Of a tree are those whom the main process started, as far as the kernel still tells that,
        and who is in its session; never this process, another of these trees, or what either started.
        """


class SampleStore(Protocol):
    """Samples of gateways, by profile id: a bounded number, by how many were added and not by the clock.

    Samples are worth less than running: a file that is damaged, or that a newer hermesd wrote, is begun anew.
    Raises `DiskFull`, `NotPermitted` or `StateCorrupt`; what was to be added is lost then, and no more.
    """

    async def add(self, samples: Mapping[str, Sample]) -> None:
        """Keeps samples of one minute. Those of `MINUTES_KEPT` such calls are kept as they are, and by the half
        hour, of the wall clock, those of `HALF_HOURS_KEPT`."""

    async def all(self, profile_id: str, *, since_s: float = 0.0) -> list[Sample]:
        """What is kept of a profile, oldest first: by the half hour, then by the minute, no time twice.

        Only what ended at `since_s`, seconds since the epoch, or later.
        """

    async def forget(self, profile_id: str) -> None:
        """Drops all samples of a profile. Unknown ids are ignored."""


class TerminalRecords(Protocol):
    """What is known of commands on people's terminals, whatever happens to the daemon; lost with the machine.

    Raises `DiskFull` or `NotPermitted`.
    """

    def all(self) -> list[Terminal]:
        """Every record, the oldest first."""

    def save(self, terminal: Terminal) -> None:
        """Makes a record, replacing the one of the same id."""

    def forget(self, terminal_id: str) -> None:
        """Removes a record. Unknown ids are ignored."""


class Logs(Protocol):
    """Captured output of gateways, a bounded set of files each."""

    def path(self, profile_id: str) -> Path:
        """Where the output of this profile's gateway is captured."""

    def tail(self, profile_id: str, lines: int) -> list[str]:
        """The last lines, oldest first, without line ends, rotated files included."""

    def follow(self, profile_id: str, lines: int) -> AsyncIterator[str]:
        """The last lines, then new ones as they are written, across rotation, none twice, none lost."""

    def mark(self, profile_id: str) -> None:
        """Notes that what is there has been written by now, for lines seldom say when they were.

        Raises `DiskFull`, `NotPermitted`.
        """

    def rotate(self, profile_id: str) -> None:
        """Copies and truncates the file if it is over its limit, keeping a bounded number."""

    def remove(self, profile_id: str) -> None:
        """Deletes every file of this profile. Gone already is fine."""


class Dumps(Protocol):
    """What could be seen of gateways' processes just before they were ended, a few files for each profile."""

    async def keep(
        self, profile_id: str, process: ProcessIdentity, cause: ExitCause, detail: str, lines: Sequence[str]
    ) -> Path:
        """Looks at a process and writes down what there is to see, then `lines`, the last ones it wrote.

        The process is neither signalled nor stopped, whatever it is doing, and may have ended. Takes a few
        seconds, also where looking would hang. The oldest dumps beyond `DUMPS_KEPT` go. Raises `DiskFull`,
        `NotPermitted`; there is no dump then.
        """

    def of(self, profile_id: str) -> list[Dump]:
        """Those of one profile, newest first. Raises `NotPermitted`."""

    def remove(self, profile_id: str) -> None:
        """Deletes those of one profile. Gone already is fine. Raises `NotPermitted`."""


class Versions(Protocol):
    """What files of settings held before, the newest `VERSIONS_KEPT` of each, for nobody else to read."""

    def keep(self, profile_id: str, file: ConfigFile, data: bytes, origin: Origin) -> Version:
        """Keeps a state of a file; one that the newest version has already is no new one.

        Durable when this returns. Raises `DiskFull`, `NotPermitted`.
        """

    def of(self, profile_id: str, file: ConfigFile) -> list[Version]:
        """Those of one file, newest first. Raises `NotPermitted`."""

    def read(self, profile_id: str, file: ConfigFile, number: int) -> bytes:
        """What one holds. Raises `NotFound`, `NotPermitted`."""

    def remove(self, profile_id: str) -> None:
        """Deletes those of one profile. Gone already is fine. Raises `NotPermitted`."""


class Log(Protocol):
    """One log with its older files, being read by somebody: backwards or forwards, then what is added.

    Every call does a bounded amount of work. What cannot be read is a problem and never a failure.
    """

    def begin(self, wanted: Wanted, *, share: int, is_following: bool) -> None:
        """Looks at what there is; the calls below give of that, or of what comes later, what is wanted.

        `share` is how many logs are read at once. For who follows, a last line without an end is not there yet.
        """

    def earlier(self) -> list[Record] | None:
        """The records before those given last, newest first, perhaps none yet; `None` when there are no more."""

    def later(self) -> list[Record] | None:
        """The records after those given last, oldest first, perhaps none yet; `None` when there are no more."""

    def added(self) -> list[Record] | None:
        """Records written since `begin` or the last call, oldest first; none twice, across rotation.

        `None` if nothing was written. Otherwise there may be more at once, even where none was wanted of these.
        """

    def follow_rename(self, profile: str, home: Path) -> None:
        """Goes on where it was, for the profile has this name by now and its home is there.

        The daemon's log gives what concerns that name as well as the one before.
        """

    def take_problems(self) -> list[str]:
        """What cannot be read, a sentence each, told once."""

    def take_losses(self) -> int:
        """How often something was removed before `added` came to it, since this was last asked."""


class Spool(Protocol):
    """An archive that is arriving."""

    @property
    def size_bytes(self) -> int:
        """How much has arrived."""

    @property
    def digest(self) -> str:
        """SHA-256 of it, hexadecimal."""

    def write(self, data: bytes) -> None:
        """Adds what arrived. Raises `DiskFull`."""

    def judge(self, most_bytes: int) -> Judged:
        """Reads all of it, which may unpack to so many bytes, and writes nothing.

        Raises `ArchiveUnsafe`, `ArchiveCorrupt`.
        """

    def unpack(self, what: Judged, most_bytes: int, target: Path, is_cancelled: Callable[[], bool]) -> list[str]:
        """Makes what was judged in an empty directory, private and durable, databases without their logs.

        Returns what a person has to know, a sentence each. Raises `ArchiveUnsafe` and `ArchiveCorrupt` if it is
        another archive by now, `DiskFull`, `NotPermitted`, `Cancelled`.
        """

    def close(self) -> None:
        """Forgets it."""


class Archives(Protocol):
    """Profiles as archives: `.tar.gz` files with one directory, as hermes-agent makes and takes them."""

    def stage(
        self,
        home: Home,
        order: ExportOrder,
        secrets: Sequence[Secret],
        hide: Callable[[Path], list[str]],
        report: Callable[[str, int, int], None],
        is_cancelled: Callable[[], bool],
    ) -> Staged:
        """Makes a private copy of what of a home travels, and finds every secret in it.

        `hide` is given the copy and tells what its settings hold, by key; `report` is told phases. Only where
        `order` says so are secrets written over. Whatever it raises leaves nothing: `ArchiveUnsafe` if there is
        more than any import takes, `ConfigInvalid`, `DiskFull`, `NotPermitted`, `Cancelled`.
        """

    def pack(self, staged: Staged) -> Generator[bytes]:
        """The archive of such a copy, in pieces of about a MiB. Raises `NotPermitted`."""

    def drop(self, staged: Staged) -> None:
        """Removes such a copy. Raises `NotPermitted`."""

    def spool(self) -> Spool:
        """An empty one. It is gone with the daemon. Raises `DiskFull`, `NotPermitted`."""

    def scratch(self, name: str) -> AbstractContextManager[Path]:
        """An empty private directory, which is removed with the block. Raises `DiskFull`, `NotPermitted`."""


class LogReader(Protocol):
    """Opens logs for reading. Nothing is held open between calls."""

    def captured(self, profile: str, profile_id: str, masking: Masking = mask) -> Log:
        """What the gateway of a profile printed. Records hold nothing that `masking` hides."""

    def of_agent(self, profile: str, home: Path, file: LogFile, masking: Masking = mask) -> Log:
        """A log that an agent keeps in a home, likewise. It may appear later."""

    def of_daemon(self) -> Log:
        """The daemon's own log."""


class Installer(Protocol):
    """Installs hermes-agent into environments of its own."""

    def versions(self) -> list[str]:
        """Versions that can be installed, the newest first."""

    def installed(self) -> list[Runtime]:
        """Complete installations, by name. One that was cut off does not count."""

    def install(
        self, version: str, report: Callable[[InstallProgress], None], is_cancelled: Callable[[], bool]
    ) -> Runtime:
        """Installs a version, or returns the complete installation that is there.

        Waits for another installation of the same version and cleans up after one that was cut off. Raises
        `NotFound` for a version without a lock file, `SourceUnreachable`, `DiskFull`, `Incompatible`,
        `Cancelled`.
        """


@dataclass(frozen=True)
class Ports:
    """Everything services are given, made by `hermesd/app.py` or by a test."""

    clock: Clock
    store: Store
    homes: Homes
    trash: Trash
    aliases: Aliases
    home_inspector: HomeInspector
    machine_inspector: MachineInspector
    skills: SkillLibrary
    backend: Backend
    claim_locks: ClaimLocks
    processes: Processes
    sockets: SocketTables
    notices: Notices
    terminals: TerminalRecords
    meter: Meter
    samples: SampleStore
    logs: Logs
    dumps: Dumps
    versions: Versions
    archives: Archives
    log_reader: LogReader
    installer: Installer
    agents: Mapping[str, Agent]
    """By kind."""
    root: Path
    """The Hermes root, whose profiles these are."""
    user_home: Path
    """The user's home directory, where gateways are started."""
    lock_directory: Path
    """Where each profile's lock file lies, private to the daemon's user."""
    gateway_environment: Mapping[str, str]
    """What every gateway's environment begins with."""
    roll: Callable[[], float]
    """A random number in [0, 1), for jitter."""
    new_id: Callable[[], str]
    """A fresh id: 12 lower-case letters and digits."""
    new_salt: Callable[[], bytes]
    """Fresh random bytes, for digests of secrets."""
    publish_runtime: Callable[[Runtime], None]
    """Leaves word of the runtime in use for those who have no daemon to ask. Raises `DiskFull`, `NotPermitted`."""


__all__ = [
    "EVENTS_KEPT",
    "MOST_IGNORED",
    "OPERATIONS_KEPT",
    "Aliases",
    "Archives",
    "Backend",
    "ClaimLocks",
    "Clock",
    "Dumps",
    "HomeInspector",
    "Homes",
    "Installer",
    "Log",
    "LogReader",
    "Logs",
    "MachineInspector",
    "Meter",
    "Notices",
    "Ports",
    "Processes",
    "SampleStore",
    "SkillLibrary",
    "SocketTables",
    "Spool",
    "Store",
    "TerminalRecords",
    "Trash",
    "Versions",
    "WarmClients",
]
