"""Reading gzip by isa-l, whose stubs say nothing of its files.

Owns: its one untyped call, and what it raises for what is damaged.
"""

import zlib
from typing import IO, cast

from isal import igzip, isal_zlib

DAMAGED = (zlib.error, igzip.BadGzipFile, EOFError, cast("type[Exception]", isal_zlib.IsalError))
"""What reading raises for what is no gzip, damaged or cut off."""


def gunzip(file: IO[bytes]) -> IO[bytes]:
    """What a file unpacks to, as a file to be read forwards; closing it leaves the other open."""
    return cast("IO[bytes]", igzip.IGzipFile(fileobj=file, mode="rb"))  # type: ignore[no-untyped-call]
