"""Installs hermes-agent from its package index, each version into an environment of its own.

Owns: where environments lie, when one is complete, and that no two installations of one version run at once.
Complete is what has a manifest, which is written last. Must not know how the agent is run: it is asked for its
version through its port.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters import locks, steps
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.locked import Locks, fingerprint, package_count
from hermesd.adapters.oserrors import translating
from hermesd.adapters.trees import ensure_private, remove_tree
from hermesd.domain.agent import Agent
from hermesd.domain.errors import Cancelled, Incompatible, ProfileBusy
from hermesd.domain.runtime import HERMES_AGENT, InstallProgress, Runtime

MANIFEST = "runtime.json"
PYTHONS = ((3, 11), (3, 12), (3, 13))
"""Interpreters that the lock files were made for."""

_WAIT_S = 0.2
_PIP_OPTIONS = ("--no-input", "--disable-pip-version-check")
_INSTALL_OPTIONS = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off")
_REQUIREMENT = re.compile(r"(?:Collecting|Processing) (\S+)")


@dataclass(frozen=True)
class _Job:
    """One installation under way."""

    version: str
    directory: Path
    text: str
    """The lock file's text."""
    report: Callable[[InstallProgress], None]
    is_cancelled: Callable[[], bool]
    lock: int
    """Descriptor of the held lock."""


class PipInstaller:
    """Installs with venv and pip of the interpreter that hermesd itself runs on."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        agent: Agent,
        *,
        versions: Locks | None = None,
        python: tuple[int, int] = sys.version_info[:2],
    ) -> None:
        """`environment` is the whole environment of pip; `agent` is asked whether what was installed works."""
        self._directory = directory
        self._environment = environment
        self._agent = agent
        self._locks = versions or Locks()
        self._python = python

    def versions(self) -> list[str]:
        """Versions with a lock file, the newest first."""
        return self._locks.versions()

    def installed(self) -> list[Runtime]:
        """Environments with a manifest whose interpreter is still there, by name."""
        found = (_read_runtime(manifest) for manifest in sorted(self._directory.glob(f"*/{MANIFEST}")))
        return [runtime for runtime in found if runtime is not None]

    def install(
        self, version: str, report: Callable[[InstallProgress], None], is_cancelled: Callable[[], bool]
    ) -> Runtime:
        """See the port. An installation that fails or is cancelled leaves nothing behind but its lock file."""
        text = self._locks.text(version)
        directory = self._place(version, text)
        complete = _read_runtime(directory / MANIFEST)
        if complete is not None:
            return complete
        with translating(self._directory, "install into"):
            ensure_private(self._directory)
            with self._locked(version, directory, report, is_cancelled) as lock:
                return _read_runtime(directory / MANIFEST) or self._install_afresh(
                    _Job(version, directory, text, report, is_cancelled, lock.fd)
                )

    def _place(self, version: str, text: str) -> Path:
        number = f"{self._python[0]}.{self._python[1]}"
        if self._python not in PYTHONS:
            raise Incompatible(
                f"hermes-agent {version} cannot be installed with Python {number}",
                hint="run hermesd with Python 3.11, 3.12 or 3.13",
            )
        return self._directory / f"{HERMES_AGENT}-{version}-{fingerprint(text, number)}"

    def _locked(
        self,
        version: str,
        directory: Path,
        report: Callable[[InstallProgress], None],
        is_cancelled: Callable[[], bool],
    ) -> locks.FileLock:
        """Waits for the lock, which a pip that outlived its daemon may still hold."""
        is_reported = False
        while True:
            try:
                return locks.acquire(directory.with_name(f"{directory.name}.lock"))
            except ProfileBusy as busy:
                if is_cancelled():
                    raise Cancelled("the installation was cancelled") from busy
            if not is_reported:
                report(InstallProgress("wait", f"another installation of hermes-agent {version} is running"))
                is_reported = True
            time.sleep(_WAIT_S)

    def _install_afresh(self, job: _Job) -> Runtime:
        remove_tree(job.directory)
        try:
            return self._build(job)
        except BaseException:
            remove_tree(job.directory)
            raise

    def _build(self, job: _Job) -> Runtime:
        job.report(InstallProgress("create environment"))
        # The interpreter below any environment of ours: one environment must not lean on another.
        interpreter = getattr(sys, "_base_executable", sys.executable)
        self._run(job, [interpreter, "-m", "venv", str(job.directory)])
        self._install_packages(job)
        job.report(InstallProgress("check"))
        self._check(job)
        return _write_runtime(job.directory, job.version)

    def _install_packages(self, job: _Job) -> None:
        requirements = job.directory / "requirements.txt"
        write_atomic(requirements, job.text.encode())
        counter = _Counter(package_count(job.text), job.report)
        arguments = ["install", *_PIP_OPTIONS, *_INSTALL_OPTIONS, "-r", str(requirements)]
        self._run(job, _pip(job.directory, *arguments), counter.read)

    def _check(self, job: _Job) -> None:
        """Tries what was installed, so that a broken environment is never called complete."""
        try:
            self._step(job, _pip(job.directory, "check", *_PIP_OPTIONS))
        except steps.StepFailed as failure:
            raise Incompatible(
                f"hermes-agent {job.version} does not fit together here: {steps.last_words(failure.lines)}"
            ) from failure
        found = self._agent.version(_executable(job.directory))
        if found != job.version:
            raise Incompatible(f"hermes-agent {job.version} was installed, but it says that it is {found}")

    def _run(self, job: _Job, argv: list[str], on_line: Callable[[str], None] = lambda line: None) -> None:
        try:
            self._step(job, argv, on_line)
        except steps.StepFailed as failure:
            raise steps.explain(failure, job.directory) from failure

    def _step(self, job: _Job, argv: list[str], on_line: Callable[[str], None] = lambda line: None) -> None:
        steps.run(argv, self._environment, lock=job.lock, is_cancelled=job.is_cancelled, on_line=on_line)


class _Counter:
    """Turns what pip writes into progress."""

    def __init__(self, total: int, report: Callable[[InstallProgress], None]) -> None:
        self._total = total
        self._report = report
        self._seen: set[str] = set()
        report(InstallProgress("download", total=total))

    def read(self, line: str) -> None:
        found = _REQUIREMENT.match(line)
        if found:
            name = "-".join(Path(found[1]).name.split("-")[:2]) if "==" not in found[1] else found[1]
            self._seen.add(name)
            self._report(InstallProgress("download", name.replace("==", "-"), len(self._seen), self._total))
        elif line.startswith("Installing collected packages"):
            self._report(InstallProgress("install", done=0, total=self._total))


def _pip(directory: Path, command: str, *arguments: str) -> list[str]:
    return [str(directory / "bin" / "python"), "-m", "pip", command, *arguments]


def _executable(directory: Path) -> Path:
    return directory / "bin" / "hermes"


def _write_runtime(directory: Path, version: str) -> Runtime:
    os.sync()  # the manifest must not survive a power cut that the packages did not
    write_atomic(directory / MANIFEST, json.dumps({"kind": HERMES_AGENT, "version": version}).encode())
    return Runtime(directory.name, HERMES_AGENT, version, _executable(directory), is_managed=True)


def _read_runtime(manifest: Path) -> Runtime | None:
    """The runtime that a manifest speaks for; `None` without one, or if its interpreter was removed."""
    directory = manifest.parent
    try:
        said = json.loads(manifest.read_bytes())
        version = str(said["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not (directory / "bin" / "python").exists() or not _executable(directory).exists():
        return None
    return Runtime(directory.name, HERMES_AGENT, version, _executable(directory), is_managed=True)
