"""Any program as an agent: it is started and kept, and nothing more is known of it.

Owns: what is the same for every program: it is ready while it lives, and may end with hermes-agent's exit codes.
Must not know any program.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.adapters import procfs
from hermesd.domain.errors import Incompatible
from hermesd.domain.gateway import Event
from hermesd.domain.layout import FRESH_FILES
from hermesd.domain.logs import LogFile
from hermesd.domain.ports import ProfileFacts, Setup
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, Phase, Probe, ProcessIdentity
from hermesd.domain.profile import Home
from hermesd.domain.runtime import COMMAND, Launch, Runtime

_RESTART_CODE = 75
_CONFIGURATION_CODE = 78


class CommandAgent:
    """Drives the programs that the settings name, one for each profile."""

    kind = COMMAND

    def __init__(self, commands: Mapping[str, tuple[str, ...]]) -> None:
        """`commands` gives the program with its arguments, by profile name."""
        self._commands = commands

    def version(self, executable: Path) -> str:
        """Empty: programs have no common way to say it."""
        return ""

    def facts(self, home: Home) -> ProfileFacts:
        """Nothing is known."""
        return ProfileFacts()

    def log_files(self) -> Sequence[LogFile]:
        """None that we would know of."""
        return ()

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

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """Ready while it lives."""
        return Probe(Phase.READY) if procfs.is_alive(process) else Probe(Phase.STARTING, "its process has ended")

    def prepare_stop(self, home: Home, process: ProcessIdentity) -> None:
        """Nothing: the signal must say it all."""

    def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """75 asks for a restart and 78 for a person, as with hermes-agent; anything else is a crash."""
        if status.code == _RESTART_CODE:
            return ExitReport(Event.RESTART_REQUESTED, ExitCause.RESTART_REQUESTED)
        if status.code == _CONFIGURATION_CODE:
            return ExitReport(Event.MISCONFIGURED, ExitCause.MISCONFIGURED)
        cause = ExitCause.UNKNOWN if status == ExitStatus() else ExitCause.CRASHED
        return ExitReport(Event.CRASHED, cause)

    def foreign_gateway(self, home: Home, own: ProcessIdentity | None) -> int | None:
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

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        """Nothing is known of what a program keeps."""
        return []

    def bundled_skills(self, runtime: Runtime) -> Path | None:
        """None."""
        return None
