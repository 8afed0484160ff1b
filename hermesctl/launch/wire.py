"""What a launcher and a warm worker say to each other.

Owns: frames and their fields. A frame is one byte of kind, four of length (big-endian) and fields with a zero byte
between them, which neither an argument nor a variable can hold. Must import nothing that takes time.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Sequence

REQUEST = b"R"
"""Launcher: the command line; see `hermesctl/warm/request.py` for its fields. Descriptors come with it."""
BEGUN = b"A"
"""Worker: from here on the command may have done something."""
COLD = b"C"
"""Worker: nothing was done, run it yourself."""
ENDED = b"X"
"""Worker: the command ended with this exit code."""
BECOME = b"B"
"""Worker: become this program: its path, the directory to change to or nothing, the number of arguments and each,
the number of variables to set and each, what tells values of other profiles (a salt, then digests with spaces
between, in hexadecimal digits), the names of variables to remove."""
FAILED = b"E"
"""Launcher: the program could not be executed, with this error number, because of this path. That it could shows
as the end of the line."""
FOLLOWING = b"O"
"""Worker: the command waits for this operation of the daemon."""
LOST = "__lost"
"""Our hidden command, which says that the worker died in the middle; its argument is the operation, or empty."""

INTERRUPT, TERMINATE, PAUSE, RESUME = b"I", b"T", b"Z", b"G"
"""Launcher: what befell it."""

HEAD = 5
LONGEST = 1 << 24
"""No frame is longer; a longer one is not ours."""


class Lost(Exception):
    """The other side has gone."""


def pack(kind: bytes, fields: "Sequence[bytes]" = ()) -> bytes:
    """A frame."""
    body = b"\0".join(fields)
    return kind + len(body).to_bytes(4, "big") + body


def receive(connection: "_socket.socket") -> tuple[bytes, list[bytes]]:
    """The next frame: its kind and its fields.

    Raises:
        Lost: there is none to come.
    """
    head = _exactly(connection, HEAD)
    return head[:1], receive_fields(connection, head)


def receive_fields(connection: "_socket.socket", head: bytes) -> list[bytes]:
    """The fields of a frame whose head has been received.

    Raises:
        Lost: there are none to come.
    """
    length = int.from_bytes(head[1:], "big")
    if length > LONGEST:
        raise Lost
    return _exactly(connection, length).split(b"\0")


def _exactly(connection: "_socket.socket", size: int) -> bytes:
    read = b""
    while len(read) < size:
        try:
            part = connection.recv(size - len(read))
        except OSError as error:
            raise Lost from error
        if not part:
            raise Lost
        read += part
    return read
