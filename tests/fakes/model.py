"""A model server on loopback: enough of the OpenAI API for the real agent to have a conversation.

Owns: what the model answers. Must not know who asks. Answers plain and streamed chat completions and lists one
model; whatever else is asked for is 404.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "fake-model"
ANSWER = "Hello from the loopback model."
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


@dataclass
class ModelServer:
    """A running model server and what it was asked."""

    port: int
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of chat requests, in order."""
    authorizations: list[str] = field(default_factory=list)
    """The Authorization header of each chat request, in order."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Set unless somebody holds the answers back."""
    command: str = ""
    """What the agent is told to run in its terminal before it is answered; empty for nothing."""

    def __post_init__(self) -> None:
        self.may_answer.set()

    @contextmanager
    def thinking(self) -> Iterator[None]:
        """Holds back every answer until the end of the block."""
        self.may_answer.clear()
        try:
            yield
        finally:
            self.may_answer.set()

    @property
    def base_url(self) -> str:
        """What a profile is pointed at."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last_result(self) -> str:
        """What the agent's tool said last; empty if it was never used."""
        messages = [message for body in self.requests for message in body.get("messages", [])]
        said = [str(message.get("content")) for message in messages if message.get("role") == "tool"]
        return said[-1] if said else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ModelServer

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "tests"}]})
        else:
            self._send({"error": "not found"}, status=404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path != "/v1/chat/completions":
            self._send({"error": "not found"}, status=404)
            return
        self.model.requests.append(body)
        self.model.authorizations.append(self.headers.get("Authorization", ""))
        self.model.may_answer.wait()
        last = body.get("messages", [{}])[-1]
        command = self.model.command if body.get("tools") and last.get("role") == "user" else ""
        reason = "tool_calls" if command else "stop"
        if body.get("stream"):
            self._stream(_deltas(command), reason)
        else:
            message = {"role": "assistant", **(_tool_call(command) if command else {"content": ANSWER})}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self._send(
                {"id": "c1", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": USAGE}
            )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: tests read their own output."""

    def _send(self, content: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, deltas: list[dict[str, Any]], reason: str) -> None:
        chunks: list[dict[str, Any]] = [
            _chunk([{"index": 0, "delta": one, "finish_reason": None}]) for one in deltas
        ]
        chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
        chunks.append(_chunk([]) | {"usage": USAGE})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


def _deltas(command: str) -> list[dict[str, Any]]:
    if command:
        return [{"role": "assistant", **_tool_call(command)}]
    pieces = re.findall(r"\s*\S+", ANSWER)
    return [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]


def _tool_call(command: str) -> dict[str, Any]:
    function = {"name": "terminal", "arguments": json.dumps({"command": command})}
    return {
        "content": None,
        "tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": function}],
    }


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices}


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Runs a model server on a port of the kernel's choice."""

    class Handler(_Handler):
        """Handles for one server."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.model = ModelServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Handler.model
        finally:
            server.shutdown()
            thread.join()
