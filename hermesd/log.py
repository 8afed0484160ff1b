"""The daemon's own log: one line a fact, `key=value` where it helps, never a secret.

Owns: where lines go and what they look like. Must not know what is logged.
"""

import logging
import os
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from hermesd.domain.masking import mask

LIMIT_BYTES = 10 * 1024 * 1024
KEPT = 5


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its owner can read, from its first byte."""

    def _open(self):  # type: ignore[no-untyped-def]
        return open(self.baseFilename, self.mode, encoding="utf-8", opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


class _MaskingFormatter(logging.Formatter):
    """Lines without credentials: a failure may quote what others said, and a traceback what was asked for."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def record_mistake(error: BaseException) -> str:
    """Writes a failure that nobody foresaw, with its traceback, to the file alone; its path, empty without one."""
    files = [handler for handler in logging.getLogger().handlers if isinstance(handler, _PrivateFile)]
    told = (type(error), error, error.__traceback__)
    record = logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, "hermesd made a mistake", None, told)
    for file in files:
        file.handle(record)
    return files[0].baseFilename if files else ""


def set_up(path: Path) -> None:
    """Sends every line to standard error and to `path`, 10 MiB and five old files at most."""
    formatter = _MaskingFormatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-8s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    for handler in (logging.StreamHandler(), _PrivateFile(path, maxBytes=LIMIT_BYTES, backupCount=KEPT)):
        handler.setFormatter(formatter)
        logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
