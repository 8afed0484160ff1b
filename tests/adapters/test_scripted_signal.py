"""The stand-in of signal-cli's HTTP daemon answers as signal-cli does, and counts who asked."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import signal_cli
from tests.fakes.signal_cli import CHECK, EVENTS, PERSON, RPC, Sent, SignalServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ACCOUNT, OTHER = "+15550001111", "+15550002222"
LIMIT_S = 10.0


@pytest.fixture
def server() -> Iterator[SignalServer]:
    """A stand-in."""
    with signal_cli.serving() as server:
        yield server


def opened(url: str, data: bytes | None = None) -> Any:
    """An answer, as it comes."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, data), timeout=LIMIT_S)


def call(server: SignalServer, method: str, *, door: str = "", **said: object) -> Any:
    """One JSON-RPC call."""
    body = {"jsonrpc": "2.0", "id": "7", "method": method, "params": said}
    with opened(server.url(door) + RPC, json.dumps(body).encode()) as answer:
        return json.load(answer)


def test_who_listens_to_an_account_hears_what_is_said_to_it(server: SignalServer) -> None:
    """Each account its own, until the listener goes; what nobody listens to is lost."""
    heard: list[Any] = []

    def listen() -> None:
        with opened(f"{server.url()}{EVENTS}?account=%2B15550001111") as stream:
            lines = (line.decode().strip() for line in stream)
            heard.append(next(line for line in lines if line.startswith("data:")))

    assert server.deliver(ACCOUNT, "too early") == 0
    listener = threading.Thread(target=listen)
    listener.start()
    wait_until(lambda: server.listeners(ACCOUNT) == 1, "a listener")
    assert server.deliver(OTHER, "not for you") == 0
    assert server.deliver(ACCOUNT, "hello") == 1
    listener.join(LIMIT_S)
    envelope = json.loads(heard[0].removeprefix("data:"))["envelope"]
    assert (envelope["sourceNumber"], envelope["dataMessage"]["message"]) == (PERSON, "hello")
    wait_until(lambda: server.listeners(ACCOUNT) == 0, "it to be gone")
    assert (server.asked(ACCOUNT), server.asked(OTHER)) == (1, 0)


def test_what_an_account_sends_is_kept(server: SignalServer) -> None:
    """To people and to groups; all else succeeds and is counted."""
    sent = call(server, "send", account=ACCOUNT, recipient=[PERSON], message="hi")
    assert (sent["id"], sent["result"]["results"][0]["type"]) == ("7", "SUCCESS")
    call(server, "send", account=ACCOUNT, groupId="g", message="all", door="a")
    assert server.sent == [Sent(ACCOUNT, PERSON, "hi", ""), Sent(ACCOUNT, "g", "all", "a")]
    assert call(server, "sendTyping", account=ACCOUNT)["result"] == {}
    assert call(server, "listContacts", account=ACCOUNT)["result"] == []
    assert (server.asked(ACCOUNT, "send"), server.asked(OTHER, "send")) == (2, 0)


def test_each_door_is_counted_apart(server: SignalServer) -> None:
    """Whatever is asked, and whether or not it is there."""
    for door in ("a", "a", ""):
        with opened(server.url(door) + CHECK) as answer:
            assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="404"):
        opened(server.url("b") + "/api/v2/check")
    assert [server.came_by(door) for door in ("a", "", "b", "c")] == [2, 1, 1, 0]
