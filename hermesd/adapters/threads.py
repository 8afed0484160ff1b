"""The threads in which the daemon's blocking work is done.

Owns: what it means for a caller that the system has no more of something that every call needs. Any file may be
the one that cannot be opened then, so this is said once, where all of them pass. Must not know the work.
"""

import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from hermesd.domain.errors import HermesError

EXHAUSTED = {
    errno.EMFILE: ("hermesd has too many files open", "its limit of open files (RLIMIT_NOFILE) is used up"),
    errno.ENFILE: ("the machine has too many files open", "the limit of all programs (fs.file-max) is used up"),
    errno.ENOMEM: ("the machine has no memory left", "the kernel refused to give some"),
}
"""What is said, and why it is so. None of it lasts, and none of it is anybody's mistake."""

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Runs calls; one that found nothing left fails as people are told, and so that it is tried again."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """The call in a thread. Only an `OSError` of `EXHAUSTED` becomes a `HermesError`; others stay."""
        return super().submit(_explained, fn, *args, **kwargs)


def _explained(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return call(*args, **kwargs)
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
        message, hint = EXHAUSTED[error.errno]
        raise HermesError(message, hint=hint) from error
