"""Where the warm workers of the caller's daemon listen.

Owns: finding their socket as the daemon places it, and trusting it. Must import nothing that takes time.
"""

import _socket
import posix
import sys

if sys.version_info >= (3, 12):  # `hashlib` would load OpenSSL
    from _sha2 import sha256
else:
    from _sha256 import sha256

DIRECTORY = 0o040000
KIND, OTHERS = 0o170000, 0o077
PEER = 12
"""Bytes of what the kernel says of a peer: pid, user, group."""


def connect(environment: dict[bytes, bytes]) -> "_socket.socket | None":
    """A connection to the workers; `None` if there are none to be trusted."""
    run = _run_directory(environment)
    if run is None:
        return None
    try:
        directory = posix.open(run, posix.O_PATH | posix.O_DIRECTORY)
    except OSError:
        return None
    try:
        return _connect(directory) if _is_private(directory) else None
    finally:
        posix.close(directory)


def _connect(directory: int) -> "_socket.socket | None":
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(f"/proc/self/fd/{directory}/cmd.sock")
        peer = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, PEER)
    except OSError:
        connection.close()
        return None
    if int.from_bytes(peer[4:8], sys.byteorder) == posix.geteuid():
        return connection
    connection.close()
    return None


def _is_private(directory: int) -> bool:
    found = posix.fstat(directory)
    return found.st_uid == posix.geteuid() and found.st_mode & (KIND | OTHERS) == DIRECTORY


def _run_directory(environment: dict[bytes, bytes]) -> bytes | None:
    """Where the daemon of this root has its sockets; `None` if that takes more than a launcher knows."""
    home = environment.get(b"HOME", b"")
    if home == environment.get(b"HERMES_HOME", b"") + b"/home":  # an agent's tool, as `Places.locate` has it
        home = environment.get(b"HERMES_REAL_HOME") or home
    if not home.startswith(b"/"):
        return None
    try:
        root = _canonical(environment.get(b"HERMESD_ROOT") or home + b"/.hermes")
    except OSError:
        return None
    return b"%b/.local/state/hermesd/%b/run" % (home, sha256(root).hexdigest()[:12].encode())


def _canonical(path: bytes) -> bytes:
    """The path without links, which the kernel knows of an open directory."""
    directory = posix.open(path, posix.O_PATH | posix.O_DIRECTORY)
    try:
        return posix.readlink(b"/proc/self/fd/%d" % directory)
    finally:
        posix.close(directory)
