"""One command's run: its terminal, its common options, its connection.

Owns: what the common options mean, and turning failed calls into the one failure. Must not know any noun.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hermesctl.arguments import NamedProfile
from hermesctl.client.places import Places
from hermesctl.errors import Fix, HermesError
from hermesctl.render import Format, Renderer
from hermesctl.report import runnable, warning
from hermesctl.selection import Selection, Source, choose
from hermesctl.terminal import Terminal

if TYPE_CHECKING:
    from hermesctl.client import Client


@dataclass
class Session:
    """What a command works with."""

    terminal: Terminal
    form: Format = Format.TABLE
    has_headers: bool = True
    is_quiet: bool = False
    verbosity: int = 0
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
        """The connection to the daemon, made at first use.

        Raises:
            HermesError: DAEMON_ABSENT, VERSION_SKEW or NOT_PERMITTED.
        """
        if self._client is None:
            self._client = self.connect()
        return self._client

    def connect(self, *, any_version: bool = False) -> "Client":
        """Opens a connection of its own; the caller closes it.

        Raises:
            HermesError: DAEMON_ABSENT; VERSION_SKEW unless any version will do; NOT_PERMITTED.
        """
        record = self.places.read_record()
        from hermesctl.client import Client  # takes long to import
        from hermesctl.client.connection import check_version

        if not any_version:
            check_version(record)
        self._has_called = True
        return Client(record)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        failure = error if isinstance(error, HermesError) else self._explain(error)
        if failure is not None:
            raise self._with_choice(failure) from error

    def _explain(self, error: BaseException | None) -> HermesError | None:
        """The failure behind a failed call; `None` for anything else."""
        if not self._has_called:
            return None
        import grpc

        from hermesctl.client import explain

        return explain(error) if isinstance(error, grpc.RpcError) else None

    def _with_choice(self, failure: HermesError) -> HermesError:
        """Says where the name of an unknown profile came from, if nobody typed it."""
        chosen = self._selection
        if failure.reason != "PROFILE_NOT_FOUND" or chosen is None or chosen.is_explicit or failure.why:
            return failure
        failure.why = f"the name comes from: {chosen.source}"
        if chosen.source is Source.STICKY:
            failure.fixes = (Fix("hermesctl profile use default"), *failure.fixes)
        return failure
