"""hermesctl: the client of hermesd. What it does and how it speaks is in `STYLE.md`."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hermesd")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0.1.0"
