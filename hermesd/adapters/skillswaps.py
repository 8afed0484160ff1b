"""Exchanging skills in a home for those that were made ready.

Owns: that each is wholly the old one or wholly the new one at any moment, that no link is followed on the way, and
that what a person wrote meanwhile comes back. Must not know why a skill is exchanged.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from hermesd.adapters.atomic import write_new
from hermesd.adapters.ids import new_id
from hermesd.adapters.skillhomes import MANIFEST, SkillHome, parse_manifest, render_manifest
from hermesd.adapters.skillstaging import Batch, HomeIntent, Intention
from hermesd.adapters.skilltrees import Trace, trace, version_of
from hermesd.adapters.syscalls import rename_exchange, rename_exclusive
from hermesd.adapters.trees import PRIVATE
from hermesd.domain.skills import Version

log = logging.getLogger(__name__)

RESCUED = ".archive"
"""Where hermes-agent too keeps skills that nobody is to find."""

ENTERING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Changes = Mapping[str, str | None]
"""What the manifest is to say: hash by name, `None` for nothing."""


def carry_out(batch: Batch, home: Path, step: Intention, seen: Trace | None) -> bool:
    """Does one step; says whether it was done. It is not if a person was there first.

    `seen` is what the copy was like when this was decided; what was displaced is left where the new version was.

    Raises:
        OSError: the system refuses; the skill is as it was.
    """
    staged = batch.path / step.staged
    try:
        with entered(home, step.path, makes=step.old is None) as target:
            if step.old is None:
                rename_exclusive(staged, target)
                return True
            if not _is_still(target, step.old, seen):
                return False
            _displace(staged, target, is_gone=step.new is None)
            if _is_still(staged, step.old, seen):
                return True
            _put_back(home, step, staged, target)
            return False
    except (FileExistsError, FileNotFoundError):
        return False


def look_again(batch: Batch, home: Path, step: Intention, seen: Trace | None) -> bool:
    """Before what was displaced is removed: whether nobody wrote to it since, through a file that was open.

    If somebody did, it is put back.
    """
    staged = batch.path / step.staged
    if step.old is None or _is_still(staged, step.old, seen):
        return True
    with entered(home, step.path, makes=True) as target:
        _put_back(home, step, staged, target)
    return False


def write_manifest(batch: Batch, home: SkillHome, changes: Changes, prepared: Path | None) -> bytes:
    """Brings the manifest to say so, whatever it says by now; returns what it is.

    `prepared` is flushed already and says it, provided that the manifest is still as `home` read it.

    Raises:
        OSError, HermesError: it could not be written, and is as it was.
    """
    now = SkillHome(home.path).manifest
    if prepared is None or now != home.manifest:
        prepared = batch.place(f"late/{new_id()}")
        write_new(prepared, render_manifest(merged(parse_manifest(now or b""), changes)))
    data = prepared.read_bytes()
    with entered(home.path, MANIFEST, makes=True) as target:
        prepared.replace(target)
    return data


def merged(lines: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """The lines with these changes."""
    both = {**lines, **changes}
    return {name: said for name, said in both.items() if said is not None}


def place_file(home: Path, path: str, staged: Path) -> None:
    """Puts a text where there is none, into a directory that is there."""
    with suppress(FileExistsError, FileNotFoundError), entered(home, path, makes=False) as target:
        rename_exclusive(staged, target)


def finish(batch: Batch) -> bool:
    """Brings a batch to its end that was cut off; says whether it may be removed."""
    outcomes = [_finish_home(batch, intent) for intent in batch.intents()]
    return all(outcomes)


def lines_of(step: Intention) -> Changes:
    """What the manifest says once a step is done."""
    return {step.name: None if step.new is None else step.new.md5, **dict(step.inner)}


@contextmanager
def entered(home: Path, path: str, *, makes: bool) -> Iterator[Path]:
    """Where a skill of this home is, or is to be, by a way that nobody can divert by a link.

    Raises:
        FileNotFoundError: a directory on the way is missing and not to be made.
        OSError: a link, or something else that is no directory, is in the way.
    """
    *above, name = path.split("/")
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in ("skills", *above):
            below = _enter(descriptor, part, makes=makes)
            os.close(descriptor)
            descriptor = below
        yield Path(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)


def _enter(descriptor: int, name: str, *, makes: bool) -> int:
    try:
        return os.open(name, ENTERING, dir_fd=descriptor)
    except FileNotFoundError:
        if not makes:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, PRIVATE, dir_fd=descriptor)
        os.chmod(name, PRIVATE, dir_fd=descriptor)
    return os.open(name, ENTERING, dir_fd=descriptor)


def _displace(staged: Path, target: Path, *, is_gone: bool) -> None:
    rename = rename_exclusive if is_gone else rename_exchange
    try:
        rename(target, staged)
    except PermissionError:  # a directory that its owner may not write cannot move; hermes-agent copies such modes
        descriptor = os.open(target, ENTERING)
        try:
            os.fchmod(descriptor, PRIVATE)
        finally:
            os.close(descriptor)
        rename(target, staged)


def _is_still(directory: Path, old: Version, seen: Trace | None) -> bool:
    """Whether a skill is still what it was taken for."""
    if directory.is_symlink():
        return False
    try:
        if seen is not None and seen.is_settled and trace(str(directory)).fingerprint == seen.fingerprint:
            return True
        return version_of(str(directory)) == old
    except (FileNotFoundError, NotADirectoryError):
        return False


def _put_back(home: Path, step: Intention, staged: Path, target: Path) -> None:
    """Brings back what was displaced although a person had just changed it."""
    if step.new is None or not os.path.lexists(target):
        rename_exclusive(staged, target)
        return
    rename_exchange(staged, target)
    if not _is_still(staged, step.new, None):  # changed as well, in the moment that it was there
        with entered(home, f"{RESCUED}/{Path(step.path).name}-{new_id()}", makes=True) as rescued:
            rename_exclusive(staged, rescued)
            log.warning("skill=%s home=%s an edit of a moment is kept in %s", step.name, home, RESCUED)


def _finish_home(batch: Batch, intent: HomeIntent) -> bool:
    """Every exchange that took place gets its line, every other one is undone by removing what was staged."""
    try:
        is_there = intent.home.stat().st_ino == intent.inode
    except OSError:
        is_there = False
    changes: dict[str, str | None] = {}
    for step in intent.steps:
        outcome = _outcome(batch.path / step.staged, step)
        if outcome is None and not is_there:
            log.warning("skill=%s its home %s is gone, and it is kept in %s", step.name, intent.home, batch.path)
            return False
        if outcome is None:
            look_again(batch, intent.home, step, None)
        elif outcome:
            changes |= lines_of(step)
    if is_there and changes:
        write_manifest(batch, SkillHome(intent.home), changes, None)
    return True


def _outcome(staged: Path, step: Intention) -> bool | None:
    """Whether a step was done; `None` if it displaced what a person had just changed."""
    if not os.path.lexists(staged):
        return step.old is None
    found = version_of(str(staged))
    if step.new is not None and found == step.new:
        return False
    return True if found == step.old else None
