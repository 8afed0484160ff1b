"""`hermesctl profile export`: a profile as an archive that can be handed to anybody.

Owns: where the archive goes, and that a file of that name is wholly there or was not touched. Must not decide what
it holds: the daemon does.
"""

import errno
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click

from hermesctl import archive_view as view
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.options import NOTE, Command, profile_argument
from hermesctl.progress import ProgressLine
from hermesctl.session import Session
from hermesctl.text import clean
from hermesd.v1 import archives_pb2 as v1
from hermesd.v1.operations_pb2 import OPERATION_STATE_RUNNING, Operation, OperationProgress

STDOUT = "-"
ENDING = ".tar.gz"


@click.command(cls=Command, epilog=NOTE.replace("-o FORMAT, ", ""))
@profile_argument
@click.option("-o", "--output", "file", default="", metavar="FILE", help="Where to; '-' is the output.")
@click.option("--include-sessions", is_flag=True, help="Take conversations along.")
@click.option("--redact", is_flag=True, help="Write over secrets that are found in what is packed.")
@click.option("--force", is_flag=True, help="Replace a file of that name.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="List what it would hold, and write nothing.")
@click.pass_obj
def export(
    session: Session, name: str, file: str, include_sessions: bool, redact: bool, force: bool, is_dry_run: bool
) -> None:
    """Pack a profile without its secrets, also while its gateway runs.

    Keys, logins and logs stay behind; everything else is searched for secrets before the first byte is written.
    """
    chosen = session.select(name)
    request = v1.ExportProfileRequest(
        profile=chosen, include_sessions=include_sessions, redact=redact, dry_run=is_dry_run
    )
    if is_dry_run:
        contents = _receive(session, request, None)
        session.renderer.single(
            "ExportPlan", contents, name=chosen, text=lambda: view.export_plan(chosen, contents)
        )
        return
    if file == STDOUT:
        _to_stdout(session, request)
        return
    path = session.terminal.working_directory / (file or f"{chosen}{ENDING}")
    _refuse(path, chosen, is_replacing=force)
    contents, size_bytes = _to_file(session, request, path, is_replacing=force)
    data = {
        "profile": chosen,
        "file": str(path),
        "size_bytes": size_bytes,
        "entries": len(contents.entries),
        "redacted": len(contents.leaks),
    }
    told = "" if session.is_quiet else view.exported(chosen, file or path.name, size_bytes, contents)
    session.renderer.single("Export", data, name=str(path), text=lambda: told)


class _Target:
    """A file that has no name while it is written, where the system knows such, and comes to its place whole."""

    def __init__(self, path: Path, name: str, *, is_replacing: bool) -> None:
        self.size_bytes = 0
        self._path = path
        self._name = name
        """Of the profile."""
        self._is_replacing = is_replacing
        self._made = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._is_nameless = False
        try:
            self._directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._descriptor = self._opened()
        except OSError as error:
            os.close(self._directory)
            raise _unwritable(path, error) from error

    def write(self, data: bytes) -> None:
        """Adds bytes."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self.size_bytes += len(data)

    def publish(self) -> None:
        """Gives it its name; nothing that has it meanwhile is replaced unless that is wanted."""
        try:
            os.fsync(self._descriptor)
            if self._is_replacing:
                if self._is_nameless:
                    self._link(self._made)
                self._made.replace(self._path)
            else:
                self._link_exclusively()
            os.fsync(self._directory)
        except FileExistsError as error:
            raise _taken(self._path, self._name) from error
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Removes what was not published."""
        os.close(self._descriptor)
        os.close(self._directory)
        with suppress(FileNotFoundError):
            self._made.unlink()

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_CLOEXEC
        try:
            nameless = os.open(".", flags | os.O_TMPFILE, 0o666, dir_fd=self._directory)
        except (AttributeError, OSError):  # not every system or file system knows such files
            return os.open(self._made, flags | os.O_CREAT | os.O_EXCL, 0o666)
        self._is_nameless = True
        return nameless

    def _link(self, path: Path) -> None:
        """Gives it a name that nobody has."""
        made = f"/proc/self/fd/{self._descriptor}" if self._is_nameless else str(self._made)
        os.link(made, path, src_dir_fd=self._directory, follow_symlinks=self._is_nameless)

    def _link_exclusively(self) -> None:
        try:
            self._link(self._path)
        except OSError as error:
            if self._is_nameless or error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
            _refuse(self._path, self._name, is_replacing=False)  # a file system without links
            self._made.replace(self._path)


def _to_file(
    session: Session, request: v1.ExportProfileRequest, path: Path, *, is_replacing: bool
) -> tuple[v1.ExportContents, int]:
    target = _Target(path, request.profile, is_replacing=is_replacing)
    try:
        contents = _receive(session, request, target.write)
        target.publish()
    finally:
        target.close()
    return contents, target.size_bytes


def _to_stdout(session: Session, request: v1.ExportProfileRequest) -> None:
    if session.terminal.columns is not None:
        fixes = [Fix(f"hermesctl profile export {request.profile} -o {request.profile}{ENDING}")]
        raise usage("an archive cannot be shown on a terminal", fixes=fixes)
    if not session.form.is_text:
        fixes = [Fix(f"hermesctl profile export {request.profile} --json")]
        raise usage("the output cannot be the archive and its description at once", fixes=fixes)
    _receive(session, request, session.terminal.write_exactly)


def _receive(
    session: Session, request: v1.ExportProfileRequest, write: Callable[[bytes], None] | None
) -> v1.ExportContents:
    """Has the daemon pack, showing how far it is; returns what the archive holds, whose bytes are written."""
    contents, line, is_told = v1.ExportContents(), ProgressLine(session), False
    try:
        for step in _steps(session, request):
            kind = step.WhichOneof("step")
            if kind == "progress":
                line.show(_progress(request.profile, step.progress))
            elif kind == "contents":
                contents.MergeFrom(step.contents)
            elif write is not None:
                if not is_told:
                    line.show(_progress(request.profile, v1.ExportProgress(phase="pack")))
                    is_told = True
                write(step.data)
    finally:
        line.clear()
    for sentence in contents.warnings:
        session.warn(sentence)
    return contents


def _steps(session: Session, request: v1.ExportProfileRequest) -> Iterator[v1.ExportProfileResponse]:
    call = session.client.archives.ExportProfile(request)
    try:
        yield from call
    finally:
        call.cancel()


def _progress(name: str, progress: v1.ExportProgress) -> Operation:
    """A step of an export, as the step of any work."""
    shown = OperationProgress(phase=progress.phase, done=progress.done, total=progress.total)
    return Operation(profile=name, kind="profile.export", state=OPERATION_STATE_RUNNING, progress=shown)


def _refuse(path: Path, name: str, *, is_replacing: bool) -> None:
    """Says before any work is done that the file cannot be written.

    Raises:
        HermesError: FILE_EXISTS, something has the name; ARGUMENT_INVALID, it is a directory.
    """
    if path.is_dir():
        raise usage(f"cannot write {clean(str(path))}", why="it is a directory")
    if not is_replacing and os.path.lexists(path):
        raise _taken(path, name)


def _taken(path: Path, name: str) -> HermesError:
    return HermesError(
        "FILE_EXISTS",
        f"cannot write {clean(str(path))}",
        why="a file of that name exists, and nothing was written",
        fixes=[Fix(f"hermesctl profile export {name} -o {shlex.quote(str(path))} --force", "replaces it")],
    )


def _unwritable(path: Path, error: OSError) -> HermesError:
    reasons = {
        errno.ENOSPC: "DISK_FULL",
        errno.EDQUOT: "DISK_FULL",
        errno.ENOENT: "NOT_FOUND",
        errno.ENOTDIR: "NOT_FOUND",
    }
    why = os.strerror(error.errno or errno.EIO).lower()
    return HermesError(reasons.get(error.errno or 0, "NOT_PERMITTED"), f"cannot write {clean(str(path))}", why=why)
