"""A stand-in of signal-cli's HTTP daemon on loopback: enough of it for the real agent to listen, hear and answer.

Owns: what accounts are told, who listens, and how often each was asked about. Must not know who asks. An account
is known by its number, and nothing of it is checked. Who comes by a door of its own (`url("a")`) is counted apart
from all others, so that two gateways of one account can be told from each other. JSON-RPC methods that it does not
know succeed.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHECK, EVENTS, RPC = "/api/v1/check", "/api/v1/events", "/api/v1/rpc"
KEEPALIVE_S = 0.5
"""How often a listener is shown that the stream lives; signal-cli takes 15 s."""
PERSON = "+15550000042"


@dataclass(frozen=True)
class Sent:
    """A message that an account sent."""

    account: str
    to: str
    text: str
    door: str


class SignalServer:
    """One running stand-in. All of it may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._by_door: Counter[str] = Counter()
        self._listeners: dict[SimpleQueue[str], str] = {}
        self._sent: list[Sent] = []
        self._times = count(time.time_ns() // 1_000_000)
        self.closed = threading.Event()

        class Handler(_Handler):
            """Handles for this server."""

            signal = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, door: str = "") -> str:
        """What a profile is pointed at: the agent adds the path."""
        return f"http://127.0.0.1:{self.port}" + (f"/{door}" if door else "")

    @property
    def sent(self) -> list[Sent]:
        """What accounts sent, in order."""
        with self._lock:
            return list(self._sent)

    def asked(self, account: str, what: str = EVENTS) -> int:
        """How often an account was asked about: its events, or a JSON-RPC method. Checks name no account."""
        with self._lock:
            return self._asked[account, what]

    def came_by(self, door: str) -> int:
        """Requests of any kind through one door."""
        with self._lock:
            return self._by_door[door]

    def listeners(self, account: str) -> int:
        """How many listen to an account now."""
        with self._lock:
            return sum(one == account for one in self._listeners.values())

    def deliver(self, account: str, text: str, *, person: str = PERSON) -> int:
        """A person writes to an account; how many listeners heard it. Without one it is lost."""
        at = next(self._times)
        message = {"timestamp": at, "message": text, "expiresInSeconds": 0, "viewOnce": False}
        sender = {"source": person, "sourceNumber": person, "sourceName": "Ana", "sourceDevice": 1}
        envelope = {**sender, "timestamp": at, "dataMessage": message}
        event = f"event:receive\ndata:{json.dumps({'envelope': envelope, 'account': account})}\n\n"
        with self._lock:
            heard = [queue for queue, who in self._listeners.items() if who == account]
        for queue in heard:
            queue.put(event)
        return len(heard)

    def close(self) -> None:
        """Ends it, and every stream."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    def entered(self, door: str) -> None:
        """Somebody asked something."""
        with self._lock:
            self._by_door[door] += 1

    @contextmanager
    def listening(self, account: str) -> Iterator["SimpleQueue[str]"]:
        """Somebody hears what is said to an account until the block ends."""
        queue: SimpleQueue[str] = SimpleQueue()
        with self._lock:
            self._asked[account, EVENTS] += 1
            self._listeners[queue] = account
        try:
            yield queue
        finally:
            with self._lock:
                del self._listeners[queue]

    def call(self, method: str, said: dict[str, Any], door: str) -> Any:
        """The result of a JSON-RPC method."""
        account = said.get("account", "")
        with self._lock:
            self._asked[account, method] += 1
            if method != "send":
                return [] if method == "listContacts" else {}
            to = [*said.get("recipient", []), *([said["groupId"]] if "groupId" in said else [])]
            self._sent += [Sent(account, one, said.get("message", ""), door) for one in to]
            results = [{"recipientAddress": {"number": one}, "type": "SUCCESS"} for one in to]
            return {"timestamp": next(self._times), "results": results}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    signal: SignalServer

    def do_GET(self) -> None:
        path, account = self._entered()
        if path == CHECK:
            self._send(200)
        elif path == EVENTS:
            self._stream(account)
        else:
            self._send(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _ = self._entered()
        if path != RPC:
            self._send(404)
            return
        said = json.loads(body)
        result = self.signal.call(said["method"], said.get("params") or {}, self._door())
        self._send(200, {"jsonrpc": "2.0", "result": result, "id": said.get("id")})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: tests read their own output."""

    def _entered(self) -> tuple[str, str]:
        """The path behind the door, and the account that is asked about."""
        parts = urlsplit(self.path)
        self.signal.entered(self._door())
        (account,) = parse_qs(parts.query).get("account", [""])
        return parts.path.removeprefix(f"/{self._door()}" if self._door() else ""), account

    def _door(self) -> str:
        first = self.path.split("/", 2)[1]
        return "" if first == "api" else first

    def _stream(self, account: str) -> None:
        with self.signal.listening(account) as queue, suppress(OSError):  # who listened has gone
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            while not self.signal.closed.is_set():
                try:
                    event = queue.get(timeout=KEEPALIVE_S)
                except Empty:
                    event = ":\n\n"
                self.wfile.write(event.encode())
        self.close_connection = True

    def _send(self, status: int, content: object = None) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        with suppress(OSError):  # who asked has given up
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)


@contextmanager
def serving() -> Iterator[SignalServer]:
    """Runs a stand-in on a port of the kernel's choice."""
    server = SignalServer()
    try:
        yield server
    finally:
        server.close()
