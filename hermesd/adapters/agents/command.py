"""Any program as an agent: it is started and kept, and nothing more is known of it.

Owns: what is the same for every program: it is ready while it lives, and may end with hermes-agent's exit codes.
Must not know any program.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters import procfs, profilefiles
from hermesd.adapters.agents.clones import copy_files, copy_home
from hermesd.adapters.agents.homesecrets import read_secrets
from hermesd.adapters.agents.no_config import NoConfigFiles
from hermesd.adapters.secretvalues import HomeMasking, HomeSecrets
from hermesd.adapters.treecopy import Order
from hermesd.domain.agent import ProfileFacts, Setup
from hermesd.domain.archive import Arrival, Secret
from hermesd.domain.claims import Claim
from hermesd.domain.cloning import CloneOrder, ClonePlan, Credential, Extent
from hermesd.domain.description import Description
from hermesd.domain.errors import ConfigInvalid, Incompatible
from hermesd.domain.gateway import Event
from hermesd.domain.grants import Grant
from hermesd.domain.layout import FRESH_FILES
from hermesd.domain.listening import PortMove
from hermesd.domain.logs import LogFile
from hermesd.domain.masking import Masking
from hermesd.domain.ownership import Owner, owner_of
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, Foreign, Phase, Probe, ProcessIdentity
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import COMMAND, Launch, Runtime
from hermesd.domain.soul import Soul
from hermesd.domain.usage import Holdings, Leftover

_RESTART_CODE = 75
_CONFIGURATION_CODE = 78
_NOT_THE_PROFILES = frozenset({Owner.RUNTIME, Owner.SHARED, Owner.OURS})
FRESH_SETTINGS = ("config.yaml", ".env", "SOUL.md")
"""What a clone of the settings takes over, by hermesd's own layout of a home."""

CHANNELS = (COMMAND,)
"""Nobody knows by what a program is reached, so it always may be."""


_SECRETS = HomeSecrets()


class CommandAgent:
    """Drives the programs that the settings name, one for each profile."""

    kind = COMMAND

    def __init__(self, commands: Mapping[str, tuple[str, ...]]) -> None:
        """`commands` gives the program with its arguments, by profile name."""
        self._commands = commands
        self.config_files = NoConfigFiles()

    def version(self, executable: Path) -> str:
        """Empty: programs have no common way to say it."""
        return ""

    def facts(self, home: Home) -> ProfileFacts:
        """What it is for, and that it is worth starting; nothing else is known."""
        try:
            said = profilefiles.read_description(home.path)
        except ConfigInvalid as error:
            return ProfileFacts(problems=(error.message,), channels=CHANNELS)
        return ProfileFacts(description=said.text, description_is_generated=said.is_generated, channels=CHANNELS)

    def log_files(self) -> Sequence[LogFile]:
        """None that we would know of."""
        return ()

    def masking(self, home: Home) -> Masking:
        """By the `.env` that a home has."""
        return HomeMasking(home.path)

    def secret_digests(self, home: Home, salt: bytes) -> frozenset[bytes]:
        """Of its `.env`."""
        return _SECRETS.digests(home.path, salt)

    def is_lived_in(self, home: Home) -> bool:
        """Whether there is a file that no fresh home has: whatever a program keeps, it is not one of those."""
        try:
            with os.scandir(home.path) as entries:
                return any(entry.is_file() and entry.name not in FRESH_FILES for entry in entries)
        except OSError:  # gone, or not ours to read: nobody can tell
            return False

    def check(self, home: Home, *, is_running: bool) -> None:
        """Accepts every home."""

    def launch(self, runtime: Runtime, home: Home) -> Launch:
        """The program as the settings name it; it is told its home as hermes-agent is.

        Raises:
            Incompatible: the settings name none for this profile.
        """
        argv = self._commands.get(home.name.text, ())
        if not argv:
            raise Incompatible(f"profile {home.name} has no program of its own in the settings")
        return Launch(argv, self.environment(home))

    def refresh(self) -> None:
        """Nothing: what a program was started with is all that it gets."""

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """Ready while it lives."""
        return Probe(Phase.READY) if procfs.is_alive(process) else Probe(Phase.STARTING, "its process has ended")

    def prepare_start(self, home: Home) -> None:
        """Nothing: what it believes is its own matter."""

    def prepare_stop(self, home: Home, process: ProcessIdentity) -> None:
        """Nothing: the signal must say it all."""

    def drain(self, home: Home, *, is_wanted: bool) -> None:
        """Raises `Incompatible`."""
        raise Incompatible(f"profile {home.name} runs a program that hermesd cannot drain")

    def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """75 asks for a restart and 78 for a person, as with hermes-agent; anything else is a crash."""
        if status.code == _RESTART_CODE:
            return ExitReport(Event.RESTART_REQUESTED, ExitCause.RESTART_REQUESTED)
        if status.code == _CONFIGURATION_CODE:
            return ExitReport(Event.MISCONFIGURED, ExitCause.MISCONFIGURED)
        cause = ExitCause.UNKNOWN if status == ExitStatus() else ExitCause.CRASHED
        return ExitReport(Event.CRASHED, cause)

    def foreign_gateway(self, home: Home, own: ProcessIdentity | None) -> Foreign | None:
        """None: no program leaves a record that could be trusted."""
        return None

    def command(self, runtime: Runtime, home: Home, arguments: Sequence[str]) -> Launch:
        """Raises `Incompatible`."""
        raise Incompatible(f"profile {home.name} runs a program that has no commands")

    def environment(self, home: Home) -> Mapping[str, str]:
        """The home, as hermes-agent is told it."""
        return {"HERMES_HOME": str(home.path)}

    def set_up(self, home: Home, setup: Setup, *, taken_ports: frozenset[int]) -> list[str]:
        """Raises `Incompatible`."""
        raise Incompatible(f"profile {home.name} runs a program that hermesd cannot set up")

    def move_ports(self, home: Home, moves: Sequence[PortMove]) -> list[PortMove]:
        """None: nothing is known of what a program listens on."""
        return []

    def set_display_name(self, home: Home, text: str) -> None:
        """Raises `Incompatible`."""
        raise Incompatible(f"profile {home.name} runs a program, which has no other name")

    def holdings(self, home: Home) -> Holdings:
        """Nothing is known of what a program keeps."""
        return Holdings(session_count=None, job_count=None)

    def leftovers(self, home: Home) -> list[Leftover]:
        """Nothing is known of how else it is started."""
        return []

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        """Nothing is known of what a program keeps."""
        return []

    def claims(self, home: Home) -> list[Claim]:
        """None: nothing is known of what any program uses."""
        return []

    def claimed_by_itself(self, claims: Iterable[Claim], environment: Mapping[str, str]) -> Mapping[str, int]:
        """Nothing: it has no locks that are known."""
        return {}

    def grants(self, home: Home) -> list[Grant]:
        """None: nobody knows where a program logs in."""
        return []

    def credentials(self, home: Home) -> list[Credential]:
        """None: nobody knows what a program connects to."""
        return []

    def plan_clone(self, source: Home, order: CloneOrder) -> ClonePlan:
        """The files every profile begins with, or all there is."""
        whole = order.extent is Extent.EVERYTHING
        return ClonePlan(copied=("all files",)) if whole else ClonePlan(FRESH_SETTINGS, ("all other files",))

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        """Copies the tree, but for what belongs to all profiles and to processes."""
        root = source.path if source.name.is_default else source.path.parent.parent
        copy = Order(
            source.path,
            target,
            root / "profiles" / name.text,
            is_wanted=lambda names: owner_of(names, is_root=source.name.is_default) not in _NOT_THE_PROFILES,
            is_cancelled=is_cancelled,
        )
        return copy_home(copy) if order.extent is Extent.EVERYTHING else copy_files(copy, FRESH_SETTINGS)

    def settle_clone(self, source: Home, home: Home) -> list[str]:
        """Nothing is known of what a program keeps elsewhere."""
        return []

    def secrets(self, home: Home) -> list[Secret]:
        """Of the files that every profile begins with, and of logins that a hermes-agent has left."""
        return read_secrets(home)

    def hide_settings(self, staged: Path, *, is_written: bool) -> list[str]:
        """Nothing is known of what a program's settings are."""
        return []

    def disarm(self, staged: Home) -> Arrival:
        """Nothing is known of what a program runs: it is in the settings of this machine that it has one."""
        return Arrival(())

    def write_description(self, home: Home, wanted: Description, *, keeps_persons: bool) -> None:
        """In profile.yaml, which needs no agent."""
        profilefiles.write_description(home.path, wanted, keeps_persons=keeps_persons)

    def generate_description(
        self, runtime: Runtime, home: Home, environment: Mapping[str, str], is_cancelled: Callable[[], bool]
    ) -> str:
        """Raises `Incompatible`."""
        raise Incompatible(
            f"profile {home.name} runs a program that cannot describe it", hint="describe it yourself with --text"
        )

    def read_soul(self, home: Home) -> Soul:
        """SOUL.md, whatever a program makes of it."""
        return profilefiles.read_soul(home.path)

    def write_soul(self, home: Home, text: str, revision: str | None) -> Soul:
        """SOUL.md."""
        return profilefiles.write_soul(home.path, text, revision)

    def bundled_skills(self, runtime: Runtime) -> Path | None:
        """None."""
        return None
