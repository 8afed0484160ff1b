"""Python stacks of a running process, as py-spy tells them where it is installed.

Owns: where it is looked for, how it is run and what of its answer is told. It is run so that it never pauses the
process, and only ever asked for names of functions, files and lines: values of variables are secrets. Its own
answer in words begins with the command line, so that it is asked for JSON. Must not know whose process it is.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from hermesd.adapters import jsontext, procfs

PROGRAM = "py-spy"
LIMIT_S = 5.0
MOST_FRAMES = 200
"""Frames of one thread that are told, the innermost ones."""

_REASON_CHARACTERS = 200


def python_stacks(pid: int, search_path: str) -> list[str]:
    """A line for each thread and its frames, the innermost first, or one line that says why there are none.

    `pid` must be held against meaning another process, before and after.
    """
    program = find(pid, search_path)
    if program is None:
        return [f"none: {PROGRAM} is not installed"]
    argv = [str(program), "dump", "--nonblocking", "--json", "--pid", str(pid)]
    try:
        child = subprocess.Popen(
            argv,
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return [f"none: {program} cannot be run: {error.strerror}"]
    with child:
        try:
            said, complaint = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # not reaped yet, so the group is still the child's
            return [f"none: {program} did not answer within {LIMIT_S:.0f} s"]
    if child.returncode != 0:
        return [f"none: {program} failed: {_reason(complaint) or f'it ended with {child.returncode}'}"]
    try:
        threads = jsontext.parse(said)[::-1]  # the main one, which is the oldest, comes last
        return [line for thread in threads for line in _thread(thread)]
    except (ValueError, TypeError, LookupError, AttributeError):
        return [f"none: what {program} says is not understood"]


def find(pid: int, search_path: str) -> Path | None:
    """The program beside the interpreter that runs as this process, else on the search path."""
    found = shutil.which(PROGRAM, path=search_path) if search_path else None
    beside = _interpreter(pid)
    if beside is not None and os.access(beside.parent / PROGRAM, os.X_OK):
        return beside.parent / PROGRAM
    return Path(found) if found else None


def _interpreter(pid: int) -> Path | None:
    """The path by which an interpreter was called, which tells its environment; `None` if it is not certain.

    The first word of a command line may say anything, so it must lead to the program that really runs.
    """
    called = Path(os.fsdecode((procfs.command_line(pid) or b"").partition(b"\0")[0]))
    if not called.is_absolute():
        return None
    try:
        return called if os.path.samestat(called.stat(), (procfs.PROC / str(pid) / "exe").stat()) else None
    except OSError:
        return None


def _thread(thread: Any) -> list[str]:
    """One thread as py-spy 0.3 and 0.4 describe it."""
    frames = thread["frames"]
    words = [str(thread.get("thread_name") or "thread"), "active" if thread.get("active") else "idle"]
    if thread.get("owns_gil"):
        words.append("holds the GIL")
    number = thread.get("os_thread_id") or hex(int(thread["thread_id"]))
    told = [f"    {one['name']} ({one['filename']}:{one['line']})" for one in frames[:MOST_FRAMES]]
    if len(frames) > MOST_FRAMES:
        told.append(f"    and {len(frames) - MOST_FRAMES} more")
    return [f"{number} {', '.join(words)}", *told]


def _reason(complaint: bytes) -> str:
    """The first thing it complains of."""
    lines = [line for line in complaint.decode(errors="replace").splitlines() if line.strip()]
    return lines[0].removeprefix("Error:").strip()[:_REASON_CHARACTERS] if lines else ""
