"""What services ask of an agent, and what is said of a profile in its terms.

Owns: the port `Agent`, whose methods keep to what `ports.py` says of all ports. Must not know any agent's files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hermesd.domain.archive import Arrival, Secret
from hermesd.domain.claims import Claim
from hermesd.domain.cloning import CloneOrder, ClonePlan, Credential
from hermesd.domain.configuration import Change, ConfigFile, Edit, Schema, Value
from hermesd.domain.description import Description
from hermesd.domain.grants import Grant
from hermesd.domain.listening import PortMove
from hermesd.domain.logs import LogFile
from hermesd.domain.masking import Masking
from hermesd.domain.process import (
    ExitReport,
    ExitStatus,
    Foreign,
    Probe,
    ProcessIdentity,
)
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import Launch, Runtime
from hermesd.domain.soul import Soul
from hermesd.domain.usage import Holdings, Leftover


@dataclass(frozen=True)
class ApiServer:
    """The agent's HTTP API as a profile configures it."""

    is_enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8642


@dataclass(frozen=True)
class ProfileFacts:
    """What a home's files say, read without running the agent or opening its database."""

    description: str = ""
    description_is_generated: bool = False
    """Whether an agent wrote the description."""
    display_name: str = ""
    """The name for people; empty for the one in commands."""
    has_env: bool = False
    env_names: tuple[str, ...] = ()
    """Names of what `.env` sets to something, sorted."""
    has_soul: bool = False
    key_env: str = ""
    """Variable that the model's key is read from; empty where the configuration does not tell."""
    has_key: bool = False
    """Whether there is a key for the model, there or in the configuration itself."""
    model: str = ""
    provider: str = ""
    base_url: str = ""
    skill_count: int = 0
    distribution: str = ""
    """Name and version of the distribution, as `name@version`."""
    api_server: ApiServer = ApiServer()
    channels: tuple[str, ...] = ()
    """By what its gateway could be reached or set to work, sorted: `api_server`, `cron`, `webhook`, platforms;
    `unknown` if that cannot be told for all, so that who has none really has none."""
    drain_s: float = 0.0
    """How long the gateway may take to finish its turns before it ends."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelEndpoint:
    """A model to point a profile at. Empty fields keep what is configured."""

    model: str = ""
    base_url: str = ""
    key_env: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Setup:
    """How a profile is to be set up."""

    endpoint: ModelEndpoint | None = None
    enable_api_server: bool = False
    api_server_port: int = 0
    """0 takes the lowest free one from `FIRST_API_PORT`."""


@dataclass(frozen=True)
class ConfigText:
    """A file of settings as it is."""

    path: Path
    data: bytes | None = field(repr=False)
    """`None` where there is no file."""


class ConfigFiles(Protocol):
    """The files that say how an agent of one kind works. No failure holds a value of theirs."""

    def schema(self, runtime: Runtime, environment: Mapping[str, str]) -> Schema:
        """What the defaults of this agent are; takes a moment when it is first asked. Raises `Incompatible`."""

    def read(self, home: Home, file: ConfigFile) -> ConfigText:
        """One file as it is now. Raises `ConfigInvalid` if it is no text, `Incompatible`."""

    def values(self, file: ConfigFile, data: bytes, path: Path) -> Mapping[str, Value]:
        """What such a file of these bytes sets; `path` is only named in failures.

        Raises `ConfigInvalid`, `Incompatible`.
        """

    def masked(self, file: ConfigFile, data: bytes, path: Path) -> str:
        """These bytes as they may be shown: of each secret, what tells it from another one. `path` as above.

        Raises `ConfigInvalid`, `Incompatible`.
        """

    def file_of(self, key: str) -> ConfigFile:
        """Where a key is kept. Raises `ArgumentInvalid`, `Incompatible`."""

    def plan(self, home: Home, schema: Schema, changes: Sequence[Change]) -> list[Edit]:
        """What would be written, in this order; empty if all is so already. Every byte outside of the lines of
        the keys stays.

        Raises `ArgumentInvalid`, `ConfigInvalid`, `Incompatible`; `NotFound` for a key that is to go and is not
        there.
        """

    def plan_variables(self, home: Home, changes: Sequence[Change]) -> list[Edit]:
        """Like `plan`, of keys that are variables whatever they are called."""

    def plan_text(self, home: Home, file: ConfigFile, data: bytes) -> list[Edit]:
        """What would make a file hold these bytes. Raises `ConfigInvalid`, `Incompatible`."""

    def write(self, edit: Edit) -> None:
        """Replaces a file that is what it was planned for, in one step; durable when this returns.

        Raises `ChangedMeanwhile`, `ProfileNotFound`, `ArgumentInvalid`, `DiskFull`, `NotPermitted`; the file is
        as it was then.
        """


class Agent(Protocol):
    """One kind of agent. The only place that knows its files, flags and exit codes."""

    kind: str

    @property
    def config_files(self) -> ConfigFiles:
        """The files that say how it works."""

    def version(self, executable: Path) -> str:
        """Asks the executable for its version. Raises `Incompatible` if it cannot say."""

    def facts(self, home: Home) -> ProfileFacts:
        """Reads a home. Never raises: what cannot be read is named in `problems`."""

    def log_files(self) -> Sequence[LogFile]:
        """The logs it keeps in a home, of which each may be absent."""

    def masking(self, home: Home) -> Masking:
        """What hides the secrets of a home in texts, as they are at the time; it never raises.

        For one thread at a time.
        """

    def secret_digests(self, home: Home, salt: bytes) -> frozenset[bytes]:
        """Digests (`domain/digests.py`) of the secrets that a home keeps for itself. Never raises.

        What cannot be read holds none. The values themselves stay with the agent.
        """

    def is_lived_in(self, home: Home) -> bool:
        """Whether an agent has worked in this home, by what it keeps there. Never raises."""

    def check(self, home: Home, *, is_running: bool) -> None:
        """Refuses a start that cannot succeed, before anything is done.

        Raises `ConfigInvalid`; `PortInUse` for any port that the gateway would listen on, with who has it where
        the kernel tells, and for one that two of its platforms name (neither is asked when `is_running`, for then
        it is the gateway itself). What an earlier gateway of the home left is in nobody's way.
        """

    def launch(self, runtime: Runtime, home: Home) -> Launch:
        """How the gateway of this home is started. `HOME_VARIABLE` in its environment is absent or this home."""

    def refresh(self) -> None:
        """Brings what gateways were started with, and share with others, to what it is now; called now and then.

        Raises `DiskFull`, `NotPermitted`.
        """

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """How far a started gateway is. A claim that another process or an earlier start left is not believed.

        Nothing that it says holds a secret of the home, as nothing that `explain_exit` does.
        """

    def prepare_start(self, home: Home) -> None:
        """Takes away what would make the agent believe that this home's gateway runs, though none does.

        Called while nothing of the gateway runs. Once more changes nothing. Raises `DiskFull`, `NotPermitted`.
        """

    def prepare_stop(self, home: Home, process: ProcessIdentity) -> None:
        """Tells the agent that the coming SIGTERM is meant, so that it ends with 0."""

    def drain(self, home: Home, *, is_wanted: bool) -> None:
        """Asks a gateway to finish its turns and take no new ones, or to take turns again; `probe` tells whether
        it does.

        Raises `DiskFull`, `NotPermitted`, and `Incompatible` if it cannot be asked.
        """

    def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """What an unasked end means."""

    def foreign_gateway(self, home: Home, own: ProcessIdentity | None) -> Foreign | None:
        """The living gateway of this home that is not `own`, by its record and the lock it holds; else `None`."""

    def command(self, runtime: Runtime, home: Home, arguments: Sequence[str]) -> Launch:
        """How one of the agent's own commands is run for this home.

        Raises `Incompatible` if it has none; `ConfigInvalid` if it could not work where the home says.
        """

    def environment(self, home: Home) -> Mapping[str, str]:
        """What makes any program one of this home's: which home it is, and no secret."""

    def set_up(self, home: Home, setup: Setup, *, taken_ports: frozenset[int]) -> list[str]:
        """Brings the home to `setup`, changing nothing that is so already; returns what was changed.

        Raises `ConfigInvalid`, `ArgumentInvalid`, `PortInUse`, `DiskFull`, `NotPermitted`.
        """

    def move_ports(self, home: Home, moves: Sequence[PortMove]) -> list[PortMove]:
        """Writes ports where the agent reads them, and nothing else; returns those that the home has a use for.

        A move whose claim is none of the home's, by platform and port, is passed over. Each file is replaced in
        one step and only if nobody changed it meanwhile. Raises `ChangedMeanwhile`, `ConfigInvalid`, `DiskFull`,
        `NotPermitted`; calling it again goes on.
        """

    def set_display_name(self, home: Home, text: str) -> None:
        """Writes the name that people see, which an agent of this kind leaves alone; empty takes it away.

        Changes nothing that is so already. Raises `ProfileNotFound` if the home is gone, `ConfigInvalid`,
        `Incompatible`, `DiskFull`, `NotPermitted`.
        """

    def holdings(self, home: Home) -> Holdings:
        """What would go with this home, without opening a database in this process.

        Never raises, and takes a few seconds at most: what cannot be counted by then is unknown.
        """

    def leftovers(self, home: Home) -> list[Leftover]:
        """What the agent keeps elsewhere to start this home's gateway, which hermesd does not take away."""

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        """Brings what is kept under a home's name or path, in it and beside it, to its new ones.

        Called while nothing of the gateway runs. Once more changes nothing. Returns what a person has to see
        to, a sentence each. Raises `DiskFull`, `NotPermitted`.
        """

    def credentials(self, home: Home) -> list[Credential]:
        """What messaging platforms know this home's bots by. Never raises: what cannot be read names nothing."""

    def claims(self, home: Home) -> list[Claim]:
        """What this home's gateway would need for itself alone, by what its files say now.

        Never raises: what cannot be read claims nothing. Of a value only the digest is in a claim.
        """

    def grants(self, home: Home) -> list[Grant]:
        """The logins at providers that this home renews by itself, each once.

        Never raises: what cannot be read grants nothing. Of a token only the digest is in a grant.
        """

    def claimed_by_itself(self, claims: Iterable[Claim], environment: Mapping[str, str]) -> Mapping[str, int]:
        """Pids of living processes that have claims by locks of the agent's own, by key; hermesd's are among them.

        `environment` is that of gateways. Looks only, and never raises.
        """

    def plan_clone(self, source: Home, order: CloneOrder) -> ClonePlan:
        """What `clone` would do. Changes nothing. Raises `ConfigInvalid`, `NotPermitted`."""

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        """Fills `target`, the fresh home of `name` that is still being made, from a home that may be in use.

        What `target` says of what the profile is for stays; its other files give way to the source's.

        Databases are consistent snapshots; what belongs to running processes stays behind, and so does what a
        link leads to. The source is only read. Returns what a person has to know, a sentence each. Raises
        `ConfigInvalid`, `DiskFull`, `NotPermitted`, `Cancelled`.
        """

    def settle_clone(self, source: Home, home: Home) -> list[str]:
        """Brings what is kept beside homes to a clone that has just been published.

        Once more changes nothing. Returns what a person has to see to. Raises `DiskFull`, `NotPermitted`.
        """

    def secrets(self, home: Home) -> list[Secret]:
        """What of a home must not be handed out. Never raises: what cannot be read holds nothing that is known."""

    def hide_settings(self, staged: Path, *, is_written: bool) -> list[str]:
        """What nobody else should see in the settings of a private copy of a home, however short, by its key.

        With `is_written`, something else stands there afterwards. Raises `ConfigInvalid` if nobody can tell.
        """

    def disarm(self, staged: Home) -> Arrival:
        """Switches off what would run by itself in a stranger's home that is being made; tells what could act.

        Raises `ArchiveUnsafe` if nobody can tell, `DiskFull`, `NotPermitted`.
        """

    def write_description(self, home: Home, wanted: Description, *, keeps_persons: bool) -> None:
        """Writes what the profile is for where task boards read it, and nothing else; empty takes it away.

        With `keeps_persons`, one that a person wrote stays. Raises `ChangedMeanwhile` then, and if others keep
        writing there; `ConfigInvalid`, `DiskFull`, `NotPermitted`, `ProfileNotFound`. Nothing is changed then.
        """

    def generate_description(
        self, runtime: Runtime, home: Home, environment: Mapping[str, str], is_cancelled: Callable[[], bool]
    ) -> str:
        """Has the agent itself, with the home's own model and keys, say what the profile is for; writes nothing.

        Takes as long as a model does, two minutes at most. `environment` is what its process begins with. Raises
        `AgentFailed`, `Incompatible`, `ConfigInvalid`, `Cancelled`.
        """

    def read_soul(self, home: Home) -> Soul:
        """The home's SOUL.md; empty where there is none. Raises `ConfigInvalid`."""

    def write_soul(self, home: Home, text: str, revision: str | None) -> Soul:
        """Replaces the home's SOUL.md if it still is of this revision, or whatever it is where that is `None`.

        Raises `ChangedMeanwhile`, `ConfigInvalid`, `ArgumentInvalid`, `DiskFull`, `NotPermitted`,
        `ProfileNotFound`; the old text is there then.
        """

    def bundled_skills(self, runtime: Runtime) -> Path | None:
        """Directory of the skills that come with the runtime; `None` if it brings none."""
