"""The launcher: hands a command line to a warm worker, or runs it here.

Owns: what is handed over, passing on what befalls this process, and becoming the program that a command becomes.
More than nine tenths of a short command is imports, so this imports nothing but what a bare interpreter has. Must
not know any command; whatever it cannot do at once it leaves to the whole program, run cold.
"""

import sys

from hermesctl import UNSUPPORTED, __version__

if sys.platform == "win32":
    sys.exit(UNSUPPORTED)

import _signal
import _socket
import posix

from hermesctl.launch import meeting, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any, NoReturn

KEPT = frozenset(
    (
        b"HOME PATH LANG TERM COLUMNS LINES NO_COLOR FORCE_COLOR TZ HERMES_HOME HERMES_REAL_HOME "
        b"HERMESD_ROOT XDG_CONFIG_HOME XDG_DATA_HOME BASH_COMPLETION_USER_DIR"
    ).split()
)
KEPT_PREFIXES = (b"LC_", b"HERMESCTL_")
"""Variables that some command reads, whose values a worker gets; of all others only the names."""

COLD_VARIABLES = (b"HERMESCTL_NO_WARM", b"PYTHONIOENCODING", b"PYTHONUTF8")
"""Variables that ask for the whole program here, or change how Python itself speaks to the terminal."""

FORWARDED = {
    _signal.SIGINT: wire.INTERRUPT,
    _signal.SIGTERM: wire.TERMINATE,
    _signal.SIGHUP: wire.TERMINATE,
}
PATIENCE = 3
"""How many times a person presses Ctrl-C before this process no longer waits for the command to end."""

INTERRUPTED = 130


def main(cold: "Sequence[str]" = ()) -> "NoReturn":
    """Runs the command line of this process and ends it with the exit code.

    `cold` is how the whole program is executed where it cannot be imported here.
    """
    arguments = sys.argv[1:]
    on_interrupt = _signal.getsignal(_signal.SIGINT)
    if on_interrupt is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # a traceback is no answer to Ctrl-C
    connection = None if _must_be_cold() else meeting.connect(posix.environ)
    if connection is not None:
        errand = _Errand(connection)
        code = errand.run(arguments)
        if code is not None:
            posix._exit(code)
        errand.give_up()
        if errand.has_begun:
            arguments = [wire.LOST, errand.operation, *arguments]
    if cold:
        posix.execv(cold[0], [*cold, *arguments])
    sys.argv[1:] = arguments
    _signal.signal(_signal.SIGINT, on_interrupt)
    from hermesctl.__main__ import main as whole_program

    whole_program()


def _must_be_cold() -> bool:
    is_odd = any(variable in posix.environ for variable in COLD_VARIABLES)
    return is_odd or sys.platform != "linux" or None in (sys.stdin, sys.stdout, sys.stderr)


class _Errand:
    """One command line in the hands of a worker."""

    def __init__(self, connection: "_socket.socket") -> None:
        self._connection = connection
        self._handlers: dict[int, Any] = {}
        self._interrupts = 0
        self._untold: list[bytes] | None = []
        """What befell this process while the command line was handed over, whose frame nothing may divide."""
        self.has_begun = False
        self.operation = ""
        """Id of the daemon's operation that the command waits for, if any."""

    def run(self, arguments: "Sequence[str]") -> int | None:
        """The command's exit code; `None` if the worker gave the command back, or is gone."""
        try:
            self._hand_over(arguments)
            return self._attend()
        except (OSError, wire.Lost):
            return None

    def give_up(self) -> None:
        """Undoes what was changed of this process."""
        for number, handler in self._handlers.items():
            _signal.signal(number, handler)
        self._connection.close()

    def _hand_over(self, arguments: "Sequence[str]") -> None:
        directory = posix.open(b".", posix.O_PATH | posix.O_DIRECTORY)
        frame = wire.pack(wire.REQUEST, _request(arguments))
        self._watch_signals()
        descriptors = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2, directory))
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)]
        sent = self._connection.sendmsg([frame], rights)
        if sent < len(frame):  # sending nothing would fail if the command has ended already
            self._connection.sendall(frame[sent:])
        posix.close(directory)
        untold, self._untold = self._untold or [], None
        for kind in untold:
            self._tell(kind)

    def _attend(self) -> int | None:
        while True:
            kind, fields = wire.receive(self._connection)
            if kind == wire.ENDED:
                return int(fields[0])
            if kind == wire.COLD:
                self.has_begun = False
                return None
            if kind == wire.BEGUN:
                self.has_begun = True
            elif kind == wire.FOLLOWING:
                self.operation = fields[0].decode()
            elif kind == wire.BECOME:
                self._become(fields)

    def _become(self, fields: list[bytes]) -> None:
        executable, directory, *rest = fields
        argv, rest = _counted(rest)
        pairs, (salt, digests, *removed) = _counted(rest)
        removed += _foreign(salt, digests)
        environment = {name: value for name, value in posix.environ.items() if name not in removed}
        for pair in pairs:
            name, _, value = pair.partition(b"=")
            environment[name] = value
        inherited = [
            (number, _signal.signal(number, _signal.SIG_DFL)) for number in (_signal.SIGPIPE, _signal.SIGXFSZ)
        ]
        refused = directory
        try:
            if directory:
                posix.chdir(directory)
            refused = executable
            posix.execve(executable, argv, environment)
        except OSError as error:
            for number, handler in inherited:
                _signal.signal(number, handler)
            self._connection.sendall(wire.pack(wire.FAILED, [b"%d" % (error.errno or 0), refused]))

    def _watch_signals(self) -> None:
        for number in (*FORWARDED, _signal.SIGTSTP):
            handler = self._pause if number == _signal.SIGTSTP else self._forward
            before = _signal.signal(number, handler)
            self._handlers[number] = before
            if before == _signal.SIG_IGN:  # as under nohup
                _signal.signal(number, before)

    def _forward(self, number: int, _: "FrameType | None") -> None:
        if number == _signal.SIGINT:
            self._interrupts += 1
            if self._interrupts >= PATIENCE:
                posix._exit(INTERRUPTED)
        self._tell(FORWARDED[number])

    def _pause(self, number: int, _: "FrameType | None") -> None:
        """Stops like any other program, and the command with it, until a shell continues this process."""
        self._tell(wire.PAUSE)
        _signal.signal(number, _signal.SIG_DFL)
        posix.kill(posix.getpid(), number)
        _signal.signal(number, self._pause)
        self._tell(wire.RESUME)

    def _tell(self, kind: bytes) -> None:
        if self._untold is not None:
            self._untold.append(kind)
            return
        try:
            self._connection.sendall(wire.pack(kind))
        except OSError:  # the worker is gone, which whoever waits for it learns in a moment
            return


def _request(arguments: "Sequence[str]") -> list[bytes]:
    encoding = sys.getfilesystemencoding()
    words = [word.encode(encoding, "surrogateescape") for word in (sys.argv[0], *arguments)]
    umask = posix.umask(0o077)
    posix.umask(umask)
    top = posix.stat(b"/")
    return [
        __version__.encode(),
        posix.readlink(b"/proc/self/ns/mnt"),
        b"%d:%d" % (top.st_dev, top.st_ino),
        b"%o" % umask,
        b"%d" % len(words),
        *words,
        *_variables(),
    ]


def _variables() -> list[bytes]:
    return [
        b"%b=%b" % (name, value) if name in KEPT or name.startswith(KEPT_PREFIXES) else name
        for name, value in posix.environ.items()
    ]


def _foreign(salt: bytes, digests: bytes) -> "set[bytes]":
    """Names of our variables whose values are secrets of other profiles; values never leave this process."""
    if not digests:
        return set()
    from hermesctl.launch.digests import foreign  # most commands become nothing

    told = {bytes.fromhex(one.decode()) for one in digests.split()}
    return foreign(posix.environ.items(), bytes.fromhex(salt.decode()), told)


def _counted(fields: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The fields that a count announces, and the rest."""
    end = 1 + int(fields[0])
    return fields[1:end], fields[end:]
