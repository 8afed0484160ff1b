"""A stand-in of the Telegram Bot API on loopback: enough of it for the real agent to poll, hear and answer.

Owns: what bots are told, how often they asked, and every way in which Telegram lets them down. Must not know who
asks. A bot is known by its token, and nothing of it is checked. Who comes by a door of its own (`url("a")`) is
counted apart from all others, so that two gateways of one bot can be told from each other. Methods that it does
not know succeed.
"""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

POLL = "getUpdates"
LONGEST_POLL_S = 30.0
GIVEN_AT_ONCE = 100


class Mood(Enum):
    """How it treats who asks; the value of a refusal is its code, and what is said with it."""

    WELL = None
    SILENT = "it takes connections and never answers"
    GONE = "nothing listens, and what was connected is cut"
    UNAUTHORIZED = (401, "Unauthorized")
    CONFLICT = (409, "Conflict: terminated by other getUpdates request")
    BAD_GATEWAY = (502, "Bad Gateway")


@dataclass(frozen=True)
class Sent:
    """A message that a bot sent."""

    token: str
    chat: int
    text: str
    door: str = ""


def _is_left(connection: socket.socket) -> bool:
    """Whether who polled has gone away, which is noticed only when the poll is answered."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class TelegramServer:
    """One running stand-in. All of it may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._mood, self._is_only_polls, self._is_closed = Mood.WELL, False, False
        self._asked: Counter[tuple[str, str]] = Counter()
        self._by_door: Counter[str] = Counter()
        self._polls: Counter[tuple[str, str]] = Counter()
        self._polling: list[tuple[str, str, socket.socket]] = []
        self._rivals: set[tuple[str, str]] = set()
        self._numbers = count(1)
        self._updates: list[tuple[str, dict[str, Any]]] = []
        self._sent: list[Sent] = []
        self._connections: set[socket.socket] = set()
        self._server = self._listen(0)
        self.port: int = self._server.server_address[1]
        self._holder: socket.socket | None = None

    @property
    def base_url(self) -> str:
        """What a profile is pointed at: the agent adds the token and the method."""
        return self.url("")

    def url(self, door: str) -> str:
        """The same by a door of its own."""
        return f"http://127.0.0.1:{self.port}{door and '/'}{door}/bot"

    @property
    def sent(self) -> list[Sent]:
        """What bots sent, in order."""
        with self._changed:
            return list(self._sent)

    def asked(self, token: str, method: str = POLL) -> int:
        """How often a bot asked for it, whether or not it was answered."""
        with self._changed:
            return self._asked[token, method]

    def came_by(self, door: str) -> int:
        """Requests of any kind through one door."""
        with self._changed:
            return self._by_door[door]

    def polled_by(self, door: str, token: str) -> int:
        """How often a bot was polled through one door."""
        with self._changed:
            return self._polls[token, door]

    @property
    def rivals(self) -> set[tuple[str, str]]:
        """Bots that were polled by a door while a poll by another one waited, each with that door."""
        with self._changed:
            return set(self._rivals)

    def deliver(self, token: str, text: str, *, user: int = 42) -> None:
        """A person writes to a bot."""
        person = {"id": user, "is_bot": False, "first_name": "Ana"}
        chat = {"id": user, "type": "private", "first_name": "Ana"}
        with self._changed:
            number = next(self._numbers)
            message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": person, "text": text}
            self._updates.append((token, {"update_id": number, "message": message}))
            self._changed.notify_all()

    def behave(self, mood: Mood, *, only_polls: bool = False) -> None:
        """From now on; also towards whoever is waiting for an answer. `only_polls` leaves all else as if well."""
        with self._changed:
            before, self._mood, self._is_only_polls = self._mood, mood, only_polls
            self._changed.notify_all()
        if mood is Mood.GONE and before is not Mood.GONE:
            self._end()
            self._holder = socket.socket()
            self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._holder.bind(("127.0.0.1", self.port))  # without listening, so that nobody else gets the port
        elif before is Mood.GONE and mood is not Mood.GONE:
            self._release_port()
            self._server = self._listen(self.port)

    def close(self) -> None:
        """Ends it, and whoever waits for an answer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._holder is None:
            self._end()
        self._release_port()

    def answer(
        self, token: str, method: str, said: Mapping[str, str], door: str, connection: socket.socket
    ) -> tuple[int, dict[str, Any]] | None:
        """Status and body of an answer; `None` for one that never comes."""
        with self._changed:
            self._asked[token, method] += 1
            self._by_door[door] += 1
            if method == POLL and self._is_well(method):
                with self._poll(token, door, connection):
                    self._wait_for_updates(token, said)
            while self._mood in (Mood.SILENT, Mood.GONE) and not self._is_well(method) and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            if isinstance(refusal := self._mood.value, tuple) and not self._is_well(method):
                code, words = refusal
                return code, {"ok": False, "error_code": code, "description": words}
            return 200, {"ok": True, "result": self._result(token, method, said, door)}

    def connected(self, connection: socket.socket) -> None:
        """Somebody came; a connection is cut when nothing listens any more."""
        with self._changed:
            self._connections.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """And left."""
        with self._changed:
            self._connections.discard(connection)

    def _is_well(self, method: str) -> bool:
        return self._mood is Mood.WELL or (self._is_only_polls and method != POLL)

    @contextmanager
    def _poll(self, token: str, door: str, connection: socket.socket) -> Iterator[None]:
        """Somebody polls a bot until the block ends, and may not be alone."""
        others = (one for bot, other, one in self._polling if bot == token and other != door)
        if any(not _is_left(one) for one in others):
            self._rivals.add((token, door))
        self._polls[token, door] += 1
        poll = (token, door, connection)
        self._polling.append(poll)
        try:
            yield
        finally:
            self._polling.remove(poll)

    def _wait_for_updates(self, token: str, said: Mapping[str, str]) -> None:
        end_s = time.monotonic() + min(float(said.get("timeout", 0)), LONGEST_POLL_S)
        while self._is_well(POLL) and not self._pending(token, said) and not self._is_closed:
            if (left_s := end_s - time.monotonic()) <= 0:
                return
            self._changed.wait(left_s)

    def _pending(self, token: str, said: Mapping[str, str]) -> list[dict[str, Any]]:
        """What a bot has not had yet: it confirms what it got by asking for what comes after."""
        offset = int(said.get("offset", 0))
        self._updates = [(bot, one) for bot, one in self._updates if bot != token or one["update_id"] >= offset]
        return [one for bot, one in self._updates if bot == token][:GIVEN_AT_ONCE]

    def _result(self, token: str, method: str, said: Mapping[str, str], door: str) -> Any:
        match method:
            case "getMe":
                name = f"bot{token.partition(':')[0]}"
                return {"id": 1, "is_bot": True, "first_name": name, "username": f"{name}_bot"}
            case "getUpdates":
                return self._pending(token, said)
            case "getWebhookInfo":
                waiting = len(self._pending(token, {}))
                return {"url": "", "has_custom_certificate": False, "pending_update_count": waiting}
            case "sendMessage" | "editMessageText":
                return self._keep(token, said, door)
            case _:
                return True

    def _keep(self, token: str, said: Mapping[str, str], door: str) -> dict[str, Any]:
        chat, text = int(said["chat_id"]), said.get("text", "")
        self._sent.append(Sent(token, chat, text, door))
        number, at = next(self._numbers), int(time.time())
        return {"message_id": number, "date": at, "chat": {"id": chat, "type": "private"}, "text": text}

    def _listen(self, port: int) -> ThreadingHTTPServer:
        class Handler(_Handler):
            """Handles for this server."""

            telegram = self

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):  # its peer was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def _release_port(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    telegram: TelegramServer

    def setup(self) -> None:
        super().setup()
        self.telegram.connected(self.connection)

    def finish(self) -> None:
        self.telegram.disconnected(self.connection)
        with suppress(OSError):  # cut while something was to be written
            super().finish()

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        door, _, rest = path.partition("/bot")
        token, _, method = rest.partition("/")
        said = self._said(body) | dict(parse_qsl(query))
        answer = self.telegram.answer(token, method, said, door.removeprefix("/"), self.connection)
        if answer is None:
            self.close_connection = True
            return
        status, content = answer
        data = json.dumps(content).encode()
        with suppress(OSError):  # who asked has given up
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: tests read their own output."""

    def _said(self, body: str) -> dict[str, str]:
        if self.headers.get_content_type() == "application/json":
            return {name: str(value) for name, value in json.loads(body or "{}").items()}
        return dict(parse_qsl(body))


@contextmanager
def serving() -> Iterator[TelegramServer]:
    """Runs a stand-in on a port of the kernel's choice."""
    server = TelegramServer()
    try:
        yield server
    finally:
        server.close()
