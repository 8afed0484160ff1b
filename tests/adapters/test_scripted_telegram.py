"""The stand-in of the Telegram Bot API answers as Telegram does, and fails as it is told."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import telegram
from tests.fakes.telegram import Mood, Sent, TelegramServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TOKEN, OTHER = "1111:AAA", "2222:BBB"
ANSWERED_S = 10.0
UNANSWERED_S = 0.2


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    """A stand-in."""
    with telegram.serving() as server:
        yield server


def ask(
    server: TelegramServer,
    method: str,
    *,
    token: str = TOKEN,
    door: str = "",
    limit_s: float = ANSWERED_S,
    **said: object,
) -> Any:
    """Asks as a bot does; the body of the answer, whatever its status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = urllib.parse.urlencode(said).encode()
    try:
        with opener.open(f"{server.url(door)}{token}/{method}", data, timeout=limit_s) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def update_ids(server: TelegramServer, *, offset: int = 0, timeout: int = 0) -> list[int]:
    """What a poll is given; it does not wait unless it is told."""
    return [one["update_id"] for one in ask(server, "getUpdates", offset=offset, timeout=timeout)["result"]]


def test_a_bot_hears_what_is_said_to_it_until_it_confirms_it(server: TelegramServer) -> None:
    """Each bot its own, again and again, until it asks for what comes after; and how many wait can be asked."""
    server.deliver(TOKEN, "hello")
    server.deliver(OTHER, "not for you")
    server.deliver(TOKEN, "again")
    first, second = update_ids(server)
    assert update_ids(server) == [first, second]
    assert update_ids(server, offset=second) == [second]
    assert ask(server, "getWebhookInfo")["result"]["pending_update_count"] == 1
    assert update_ids(server, offset=second + 1) == []
    (other,) = ask(server, "getUpdates", token=OTHER)["result"]
    assert other["message"]["text"] == "not for you"
    assert (server.asked(TOKEN), server.asked(OTHER), server.asked("nobody")) == (4, 1, 0)


def test_a_poll_waits_for_what_is_said(server: TelegramServer) -> None:
    """And is answered at once then."""
    heard: list[int] = []
    poll = threading.Thread(target=lambda: heard.extend(update_ids(server, timeout=30)))
    poll.start()
    wait_until(lambda: server.asked(TOKEN) == 1, "the poll")
    server.deliver(TOKEN, "hello")
    poll.join(ANSWERED_S)
    assert len(heard) == 1


def test_two_that_poll_one_bot_at_once_are_rivals(server: TelegramServer) -> None:
    """By different doors, which are counted apart; one after the other, or of two bots, they are none."""
    polls = [("a", TOKEN), ("b", OTHER), ("a", TOKEN)]
    threads = [
        threading.Thread(
            target=ask, args=(server, "getUpdates"), kwargs={"door": door, "token": bot, "timeout": 30}
        )
        for door, bot in polls
    ]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        wait_until(lambda: server.came_by("a") + server.came_by("b") == number, "the poll")  # noqa: B023
    assert server.rivals == set()
    ask(server, "getUpdates", door="b")
    assert server.rivals == {(TOKEN, "b")}
    server.deliver(TOKEN, "hello")
    server.deliver(OTHER, "hello")
    for thread in threads:
        thread.join(ANSWERED_S)
    ask(server, "getUpdates", door="c")
    assert server.rivals == {(TOKEN, "b")}
    assert [server.came_by(door) for door in ("a", "b", "c", "")] == [2, 2, 1, 0]
    assert [server.polled_by(door, TOKEN) for door in ("a", "b", "c")] == [2, 1, 1]


def test_what_a_bot_sends_is_kept(server: TelegramServer) -> None:
    """With its chat and its words; what it is told of itself bears its number."""
    sent = ask(server, "sendMessage", chat_id=42, text="hi")
    assert sent["result"]["chat"]["id"] == 42
    assert server.sent == [Sent(TOKEN, 42, "hi")]
    assert ask(server, "getMe")["result"]["username"] == "bot1111_bot"
    assert ask(server, "setMyCommands", commands="[]") == {"ok": True, "result": True}


@pytest.mark.parametrize(
    ("mood", "code"), [(Mood.UNAUTHORIZED, 401), (Mood.CONFLICT, 409), (Mood.BAD_GATEWAY, 502)]
)
def test_it_refuses_and_recovers(server: TelegramServer, mood: Mood, code: int) -> None:
    """Everything, or only polls; also the poll that waits already."""
    refused: list[Any] = []
    poll = threading.Thread(target=lambda: refused.append(ask(server, "getUpdates", timeout=30)))
    poll.start()
    wait_until(lambda: server.asked(TOKEN) == 1, "the poll")
    server.behave(mood)
    poll.join(ANSWERED_S)
    assert [one["error_code"] for one in refused] == [code]
    assert ask(server, "getMe")["error_code"] == code
    server.behave(mood, only_polls=True)
    assert ask(server, "getMe")["ok"]
    assert ask(server, "getUpdates")["error_code"] == code
    server.behave(Mood.WELL)
    assert ask(server, "getUpdates") == {"ok": True, "result": []}


def test_it_goes_silent_and_recovers(server: TelegramServer) -> None:
    """Who asks waits in vain, also for what was asked before; afterwards all is as it was."""
    server.behave(Mood.SILENT, only_polls=True)
    with pytest.raises(TimeoutError):
        ask(server, "getUpdates", limit_s=UNANSWERED_S)
    assert ask(server, "getMe")["ok"]
    server.behave(Mood.SILENT)
    with pytest.raises(TimeoutError):
        ask(server, "getMe", limit_s=UNANSWERED_S)
    server.behave(Mood.WELL)
    assert ask(server, "getMe")["ok"]


def test_it_goes_away_and_comes_back_at_the_same_place(server: TelegramServer) -> None:
    """Nobody listens meanwhile, and who was connected is cut."""
    cut: list[BaseException] = []

    def poll() -> None:
        try:
            ask(server, "getUpdates", timeout=30)
        except OSError as error:
            cut.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    wait_until(lambda: server.asked(TOKEN) == 1, "the poll")
    for _ in range(2):
        server.behave(Mood.GONE)
        with pytest.raises(urllib.error.URLError, match="refused"):
            ask(server, "getMe")
    thread.join(ANSWERED_S)
    assert len(cut) == 1
    server.behave(Mood.WELL)
    assert ask(server, "getMe")["ok"]


def test_it_may_end_while_it_is_away() -> None:
    """Its port is free afterwards."""
    with telegram.serving() as server:
        server.behave(Mood.GONE)
    with pytest.raises(urllib.error.URLError, match="refused"):
        ask(server, "getMe")
