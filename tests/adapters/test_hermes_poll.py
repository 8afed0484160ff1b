"""Whether a gateway has lost Telegram, by what hermes-agent logs of it."""

import os
import time
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_poll import MOST_BYTES, Polls
from hermesd.domain.process import Phase
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at, myself, platform, report

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LOST, TAKEN = "it cannot poll Telegram and tries again", "another program polls with its token"
ADAPTER = "hermes_plugins.telegram_platform.adapter: [Telegram] "


def line(text: str, level: str = "WARNING", *, logger: str = ADAPTER) -> str:
    """A line as the agent logs it."""
    return f"2026-11-23 18:10:22,777 {level} {logger}{text}\n"


CONNECTED = line("Connected to Telegram (polling mode)", "INFO")
ATTEMPT = line("Telegram network error (attempt 5/10), reconnecting in 60s. Error: Timed out")
FAILED = line("Telegram polling reconnect failed: Timed out")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose gateway has connected."""
    home = home_at(tmp_path / "profiles" / "coder")
    (home.path / "logs").mkdir()
    log(home, CONNECTED)
    report(home, "running", platforms={"telegram": platform("connected")})
    return home


def log(home: Home, text: str) -> None:
    """The agent logs something."""
    with (home.path / "logs" / "gateway.log").open("a") as file:
        file.write(text)


@pytest.mark.parametrize(
    ("logged", "trouble"),
    [
        (CONNECTED, ""),
        (ATTEMPT, LOST),
        (ATTEMPT + FAILED, LOST),
        (line("Telegram network error (attempt 1/10), reconnecting", "WARNING [s-1]"), LOST),
        (line("Connected in degraded Telegram mode: gateway is alive"), LOST),
        (line("Telegram polling degraded (heartbeat probe); gateway stays alive"), LOST),
        (line("Telegram polling conflict (1/5) — previous session still"), TAKEN),
        (line("Telegram polling bootstrap conflict; gateway stays alive"), TAKEN),
        (ATTEMPT + line("Telegram polling restarted after network error (attempt 5); verifying", "INFO"), ""),
        (ATTEMPT + line("Telegram polling resumed after network error (attempt 5)", "INFO"), ""),
        (ATTEMPT + CONNECTED, ""),
        (ATTEMPT + line("something else", "INFO", logger="gateway.run: "), LOST),
        (line("Telegram network error (attempt 1/10)", logger="gateway.run: inbound: "), ""),
        (ATTEMPT[:-1], ""),
    ],
)
def test_the_last_that_is_logged_counts(home: Home, logged: str, trouble: str) -> None:
    """Whole lines of the platform itself only."""
    log(home, logged)
    assert Polls().trouble(home.path) == trouble


def test_a_gateway_that_calls_itself_connected_is_not_believed(home: Home) -> None:
    """Its own attempts say more; it makes them itself, so that a restart mends nothing."""
    agent = HermesAgent()
    assert agent.probe(home, myself()).phase is Phase.READY
    log(home, ATTEMPT)
    probe = agent.probe(home, myself())
    (sign,) = probe.signs
    assert (probe.phase, probe.detail) == (Phase.DEGRADED, f"telegram: {LOST}")
    assert (sign.word, sign.is_well, sign.is_mended_by_restart) == ("reconnecting", False, False)
    report(home, "running", platforms={"telegram": platform("retrying", "no route")})
    assert agent.probe(home, myself()).detail == "telegram: no route"
    report(home, "running", platforms={"telegram": platform("connected"), "irc": platform("connected")})
    log(home, CONNECTED)
    assert agent.probe(home, myself()).phase is Phase.READY


def test_a_line_that_arrives_in_pieces_is_read_once_it_is_whole(home: Home) -> None:
    """As is one that follows a turn of the log."""
    polls = Polls()
    assert polls.trouble(home.path) == ""
    log(home, ATTEMPT[:60])
    assert polls.trouble(home.path) == ""
    log(home, ATTEMPT[60:])
    assert polls.trouble(home.path) == LOST
    path = home.path / "logs" / "gateway.log"
    path.rename(path.with_suffix(".log.1"))
    assert polls.trouble(home.path) == ""
    log(home, FAILED)
    assert polls.trouble(home.path) == ""
    log(home, ATTEMPT)
    assert polls.trouble(home.path) == LOST
    path.write_text(CONNECTED)
    assert polls.trouble(home.path) == ""


def test_only_the_end_of_a_flood_is_read(home: Home) -> None:
    """What was told before it still counts, until something else is."""
    polls = Polls()
    log(home, ATTEMPT)
    assert polls.trouble(home.path) == LOST
    log(home, CONNECTED + "x" * MOST_BYTES)
    assert polls.trouble(home.path) == LOST
    log(home, "\n" + CONNECTED)
    assert polls.trouble(home.path) == ""


def test_an_attempt_long_ago_is_over(home: Home) -> None:
    """The agent would have logged the next one by now."""
    log(home, ATTEMPT)
    before_s = time.time() - 400
    os.utime(home.path / "logs" / "gateway.log", (before_s, before_s))
    assert Polls().trouble(home.path) == ""


def test_what_is_no_log_tells_nothing(home: Home, tmp_path: Path) -> None:
    """And is not waited for."""
    path = home.path / "logs" / "gateway.log"
    path.unlink()
    assert Polls().trouble(home.path) == ""
    os.mkfifo(path)
    assert Polls().trouble(home.path) == ""
    path.unlink()
    (tmp_path / "outside").write_text(ATTEMPT)
    path.symlink_to(tmp_path / "outside")
    assert Polls().trouble(home.path) == ""
