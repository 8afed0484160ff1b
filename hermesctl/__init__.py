"""hermesctl: the client of hermesd. What it does and how it speaks is in `STYLE.md`."""

__version__ = "0.1.0"

UNSUPPORTED = "hermesctl does not run on Windows; use it inside WSL, where hermesd runs"
"""Windows has no unix sockets that grpc could use."""
