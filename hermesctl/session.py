"""One command's run: its terminal, its common options, its connection.

Owns: what the common options mean, when a daemon is started for a command, and turning failed calls into the one
failure. Must not know any noun.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hermesctl.arguments import NamedProfile
from hermesctl.client.places import DaemonRecord, Places, absent, silent
from hermesctl.errors import HermesError
from hermesctl.render import Format, Renderer
from hermesctl.report import runnable, warning
from hermesctl.selection import HOME_VARIABLE, SPAWN_ID_VARIABLE, Selection, Source, choose, named_by_home
from hermesctl.terminal import NeedsOwnProcess, Terminal

if TYPE_CHECKING:
    from hermesctl.background import Started
    from hermesctl.client import Client

NO_AUTOSTART = "HERMESCTL_NO_AUTOSTART"
"""Variable that keeps commands from starting a daemon."""


@dataclass
class Session:
    """What a command works with."""

    terminal: Terminal
    form: Format = Format.TABLE
    has_headers: bool = True
    is_quiet: bool = False
    verbosity: int = 0
    is_pass_through: bool = False
    """Whether the command is the agent's, to whose output nothing is added."""
    profile: NamedProfile = field(default_factory=NamedProfile)
    _selection: Selection | None = None
    _client: "Client | None" = None
    _has_called: bool = False

    @property
    def places(self) -> Places:
        """Where the daemon of this caller is."""
        return Places.locate(self.terminal.environment)

    @property
    def renderer(self) -> Renderer:
        """What writes results."""
        return Renderer(self.terminal, self.form, has_headers=self.has_headers)

    @property
    def client(self) -> "Client":
        """The connection to the daemon, made at first use; a daemon that is not running is started for it.

        Raises:
            HermesError: DAEMON_ABSENT, VERSION_SKEW or NOT_PERMITTED.
        """
        if self._client is None:
            self._client = self._open(self._find_or_start())
        return self._client

    @property
    def running_client(self) -> "Client":
        """The connection to a daemon that is there already, for questions that must not change the answer.

        Raises:
            HermesError: DAEMON_ABSENT, VERSION_SKEW or NOT_PERMITTED.
        """
        if self._client is None:
            self._client = self.connect()
        return self._client

    def connect(self, *, any_version: bool = False) -> "Client":
        """Opens a connection of its own to a daemon that is there; the caller closes it.

        Raises:
            HermesError: DAEMON_ABSENT; VERSION_SKEW unless any version will do; NOT_PERMITTED.
        """
        return self._open(self.places.read_living_record(), any_version=any_version)

    def start_daemon(self) -> "Started":
        """Makes sure that a daemon serves, whatever its version.

        Raises:
            HermesError: DAEMON_ABSENT, it cannot be started here, ended, or did not serve in time; NOT_PERMITTED.
        """
        from hermesctl import background

        return background.start(self.places, self.terminal.environment, self._is_serving)

    def select(self, argument: str = "", *, is_change: bool = False) -> str:
        """Chooses the profile to work on; a change to one that was not named is announced.

        Raises:
            HermesError: PROFILE_CONFLICT or NOT_PERMITTED.
        """
        chosen = self.selection(argument)
        if is_change and not chosen.is_explicit:
            origin = "" if chosen.source is Source.NONE else f"{chosen.source}; "
            self.say(f"profile: {chosen.name} ({origin}override with -p)")
        return chosen.name

    def selection(self, argument: str = "") -> Selection:
        """The profile to work on and where the choice came from.

        Raises:
            HermesError: PROFILE_CONFLICT or NOT_PERMITTED.
        """
        environment = self.terminal.environment
        self._selection = choose(argument, self.profile.name, environment, self.places.root)
        return self._selection

    def ends_with(self, profile: str = "") -> bool:
        """Whether this command is a tool of the gateway of a profile, or of any, and says that it will not wait.

        A gateway that ends waits for its tools: each would wait for the other until the gateway is killed.
        """
        if SPAWN_ID_VARIABLE not in self.terminal.environment_names:
            return False
        own = named_by_home(self.terminal.environment.get(HOME_VARIABLE, ""), self.places.root)
        if not own or profile not in {"", own}:
            return False
        self.say(f"this runs inside the gateway of {own}, which may end now: it is not waited for")
        return True

    def say(self, line: str) -> None:
        """Tells the person something on stderr, unless they want quiet."""
        if not self.is_quiet:
            self.terminal.say(f"{line}\n")

    def warn(self, message: str) -> None:
        """Warns on stderr."""
        self.terminal.say(warning(message, self.terminal))

    def runnable(self, command: str) -> str:
        """A command of ours as the person can type it here."""
        return runnable(command, self.terminal)

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _find_or_start(self) -> DaemonRecord:
        """The daemon, which is waited for while it is starting, and started if there is none."""
        record = self.places.running()
        if record is not None and record.is_listening:
            return record
        if self.terminal.is_shared:
            raise NeedsOwnProcess
        if self._is_autostart_off:
            raise self._missing(record)
        started = self.start_daemon()
        if started.is_new and not (self.is_pass_through and not self.terminal.stderr.isatty()):
            self.say(f"hermesd was not running; started it (pid {started.record.pid})")
        return started.record

    @property
    def _is_autostart_off(self) -> bool:
        return self.terminal.environment.get(NO_AUTOSTART, "") not in {"", "0"}

    def _missing(self, record: DaemonRecord | None) -> HermesError:
        """Why there is no daemon to be used, when none may be started."""
        if record is not None:
            return silent(record)
        why = f"{NO_AUTOSTART} is set, and " if self._is_autostart_off else ""
        return absent(f"{why}no daemon keeps {self.places.root}")

    def _open(self, record: DaemonRecord, *, any_version: bool = False) -> "Client":
        from hermesctl.client import Client  # takes long to import
        from hermesctl.client.connection import check_version

        if not any_version:
            check_version(record)
        self._has_called = True
        return Client(record)

    def _is_serving(self, record: DaemonRecord) -> bool:
        with self._open(record, any_version=True) as client:
            return client.is_serving()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        record = self._client.record if self._client is not None else None
        self.close()
        failure = error if isinstance(error, HermesError) else self._explain(error, record)
        if failure is not None:
            raise self._with_choice(failure) from error

    def _explain(self, error: BaseException | None, record: DaemonRecord | None) -> HermesError | None:
        """The failure behind a failed call; `None` for anything else."""
        if not self._has_called:
            return None
        import grpc

        from hermesctl.client import explain

        return explain(error, record) if isinstance(error, grpc.RpcError) else None

    def _with_choice(self, failure: HermesError) -> HermesError:
        """Says where the name of an unknown profile came from, if nobody typed it."""
        chosen = self._selection
        if failure.reason != "PROFILE_NOT_FOUND" or chosen is None or chosen.is_explicit:
            return failure
        failure.why = "; ".join(part for part in (f"the name comes from: {chosen.source}", failure.why) if part)
        if chosen.clearing:
            failure.fixes = (chosen.clearing, *failure.fixes)
        return failure
