"""Counts the system calls of a process, by tracing it.

Owns: ptrace. Must not know what is run.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

TRACEME, CONTINUE_TO_SYSCALL, SET_OPTIONS = 0, 24, 0x4200
MARK_SYSCALLS, SYSCALL_STOP = 1, 0x85
"""PTRACE_O_TRACESYSGOOD, and the signal by which it tells a system call from a real SIGTRAP."""

TRACED = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).ptrace(0, 0, None, None):
    sys.exit(99)
os.execv(sys.argv[1], sys.argv[1:])
"""
REFUSED = 99


class NotAllowed(Exception):
    """This machine lets nobody trace a process."""


def count(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, int]:
    """How many system calls a program makes from its execution to its end, and its exit code.

    Raises:
        NotAllowed: it cannot be traced here.
    """
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    child = subprocess.Popen(
        [sys.executable, "-IS", "-c", TRACED, *argv], env=environment, stdout=subprocess.DEVNULL
    )
    stops = 0
    _, status = os.waitpid(child.pid, 0)
    if os.WIFSTOPPED(status):
        ptrace(SET_OPTIONS, child.pid, None, MARK_SYSCALLS)
    while os.WIFSTOPPED(status):
        number = os.WSTOPSIG(status)
        stops += number == SYSCALL_STOP
        ptrace(CONTINUE_TO_SYSCALL, child.pid, None, None)
        _, status = os.waitpid(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode == REFUSED and not stops:
        raise NotAllowed
    return stops // 2, child.returncode
