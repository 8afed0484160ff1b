"""The secrets of homes, so that they can be hidden in texts.

Owns: when a home's `.env` is read again. The values stay here: what comes out is a function that hides them. Must
not know which texts these are.
"""

import os
import time
from pathlib import Path

from hermesd.adapters.dotenvfile import read_env
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.masking import Mask

ENV = ".env"
LOOK_S = 1.0
"""How long a change of the file may go unnoticed: texts are masked many thousand times a second."""


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
