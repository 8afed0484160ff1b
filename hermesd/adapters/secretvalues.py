"""The secrets of homes, so that they can be hidden in texts and recognised elsewhere.

Owns: when a home's `.env` is read again. The values stay here: what comes out is a function that hides them, or
digests. Must not know which texts these are, nor who digests what else.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from hermesd.adapters.dotenvfile import parse_env, read_env
from hermesd.domain.digests import digests
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.masking import Mask, is_secret

ENV = ".env"
LOOK_S = 1.0
"""How long a change of the file may go unnoticed: texts are masked many thousand times a second."""

FILES_KNOWN = 2048
"""Files whose secrets are remembered until they change: each command asks for those of all profiles."""

Variables = Iterable[tuple[str, str]]


class HomeMasking:
    """Hides what the `.env` of one home holds, as it is at the time (a `Masking`)."""

    def __init__(self, home: Path) -> None:
        self._path = home / ENV
        self._looked_at_s = -LOOK_S
        self._version: tuple[int, ...] = ()
        self._mask = Mask({})

    def __call__(self, text: str) -> str:
        """The text without them."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= LOOK_S:
            self._looked_at_s = now_s
            self._look()
        return self._mask(text)

    def _look(self) -> None:
        """A file that cannot be read now may be half written, or its home moved: what it held stays hidden."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - nothing but numbers is wanted
            version = (status.st_ino, status.st_size, status.st_mtime_ns)
            if version != self._version:
                self._mask = Mask(read_env(self._path))
                self._version = version
        except (OSError, ConfigInvalid):
            return


class HomeSecrets:
    """Tells the digests of what files of homes hold and nobody else should know."""

    def __init__(
        self,
        files: Sequence[str] = (ENV,),
        variables: Callable[[str], Variables] = lambda text: parse_env(text).items(),
    ) -> None:
        """`files` are names in a home, `variables` is what their text says."""
        self._files = files
        self._values = lru_cache(FILES_KNOWN)(lambda path, version: _secrets(path, variables))

    def digests(self, home: Path, salt: bytes) -> frozenset[bytes]:
        """Those of the home as it is now; files that cannot be read, or are none, hold nothing."""
        found: set[str] = set()
        for name in self._files:
            path = home / name
            try:
                status = os.stat(path)  # noqa: PTH116 - nothing but numbers is wanted
                if stat.S_ISREG(status.st_mode):  # reading a pipe could take for ever
                    found |= self._values(path, _version(status))
            except OSError:
                continue
        return digests(salt, found)


def _version(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _secrets(path: Path, variables: Callable[[str], Variables]) -> frozenset[str]:
    """A file that is no UTF-8 is read all the same: what it holds in ASCII is as secret."""
    text = path.read_bytes().decode(errors="surrogateescape")
    return frozenset(value for name, value in variables(text) if is_secret(name, value))
