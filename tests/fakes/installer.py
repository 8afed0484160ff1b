"""An installer that installs into memory. Passes the suite of `tests/contracts/test_installer.py`."""

from collections.abc import Callable
from pathlib import Path

from hermesd.domain.errors import Cancelled, HermesError, NotFound
from hermesd.domain.runtime import HERMES_AGENT, InstallProgress, Runtime


class MemoryInstaller:
    """Installs nothing, but reports like the real one."""

    def __init__(
        self, directory: Path = Path("/runtimes"), versions: tuple[str, ...] = ("0.19.0", "0.18.2")
    ) -> None:
        self.offered = list(versions)
        """Versions that can be installed, the newest first."""
        self.complete: dict[str, Runtime] = {}
        """Installed runtimes by version."""
        self.failure: HermesError | None = None
        """Raised in the middle of the next installations."""
        self.installs: list[str] = []
        """Versions that were really installed, in order."""
        self._directory = directory

    def versions(self) -> list[str]:
        """The versions offered."""
        return list(self.offered)

    def installed(self) -> list[Runtime]:
        """What was installed."""
        return sorted(self.complete.values(), key=lambda runtime: runtime.name)

    def install(
        self, version: str, report: Callable[[InstallProgress], None], is_cancelled: Callable[[], bool]
    ) -> Runtime:
        """Remembers a runtime."""
        if version not in self.offered:
            raise NotFound(f"hermes-agent {version} cannot be installed")
        if version in self.complete:
            return self.complete[version]
        for number, phase in enumerate(("create environment", "download", "install", "check")):
            if is_cancelled():
                raise Cancelled("the installation was cancelled")
            report(InstallProgress(phase, done=min(number, 2), total=2))
        if self.failure is not None:
            raise self.failure
        self.complete[version] = self._runtime(version)
        self.installs.append(version)
        return self.complete[version]

    def _runtime(self, version: str) -> Runtime:
        name = f"hermes-agent-{version}-0a1b2c3d"
        executable = self._directory / name / "bin" / "hermes"
        return Runtime(name, HERMES_AGENT, version, executable, is_managed=True)
