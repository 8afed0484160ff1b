"""Whether a gateway has lost Telegram, by what hermes-agent logs of it."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_poll import MOST_BYTES, Polls, Trouble
from hermesd.domain.process import Phase
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at, myself, platform, report

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LOST, TAKEN, REJECTED = Trouble.LOST, Trouble.TAKEN, Trouble.REJECTED
CONNECTED_AT_S = time.time() + 86_400.0
"""Of a connection that no refusal here is of."""

ADAPTER = "hermes_plugins.telegram_platform.adapter: [Telegram] "


def line(text: str, level: str = "WARNING", *, logger: str = ADAPTER, age_s: float = 0.0) -> str:
    """A line as the agent logs it, of the moment in which it is written or a while before; see `timed`."""
    return f"<{age_s:g}> {level} {logger}{text}\n"


def timed(text: str) -> str:
    """Lines with the times that they get when they are written: parameters of tests are made long before."""

    def stamp(age: "re.Match[str]") -> str:
        return f"{datetime.fromtimestamp(time.time() - float(age[1])):%Y-%m-%d %H:%M:%S},777 "

    return re.sub(r"^<([\d.]+)> ", stamp, text, flags=re.MULTILINE)


CONNECTED = line("Connected to Telegram (polling mode)", "INFO")
ATTEMPT = line("Telegram network error (attempt 5/10), reconnecting in 60s. Error: Timed out")
FAILED = line("Telegram polling reconnect failed: Timed out")
HELD = line(
    "Telegram polling conflict (5/5) — previous session still held open on Telegram's servers. Waiting 60s"
)
RESTARTED = "Telegram polling restarted after network error (attempt 1); health pending getUpdates progress"
REFUSAL = "Network Retry Loop (Polling Updates): Invalid token. Aborting retry loop."


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
        file.write(timed(text))


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
        (FAILED, LOST),
        (line("Telegram polling heartbeat: 1 update(s) queued but not consumed (stuck probe 1/2)"), LOST),
        (HELD, TAKEN),
        (HELD + line("Telegram polling restarted after conflict retry 5/5; pending", "INFO"), TAKEN),
        (ATTEMPT + line(RESTARTED, "INFO"), LOST),
        (ATTEMPT + line(RESTARTED, "INFO") + CONNECTED, ""),
        (line(RESTARTED, "INFO", age_s=160), ""),
        (line("Telegram network error (attempt 1/10), reconnecting", age_s=160) + line(RESTARTED, "INFO"), LOST),
        (line("Telegram network error (attempt 1/10), reconnecting", age_s=160), LOST),
        (line("Telegram network error (attempt 1/10), reconnecting", age_s=310) + line("x", "INFO"), ""),
        (line("Telegram polling resumed after network error (attempt 5)", "INFO", age_s=160), ""),
        (ATTEMPT + CONNECTED, ""),
        (ATTEMPT + line("something else", "INFO", logger="gateway.run: "), LOST),
        (line("Telegram network error (attempt 1/10)", logger="gateway.run: inbound: "), ""),
        (ATTEMPT[:-1], ""),
    ],
)
def test_the_last_that_is_logged_counts(home: Home, logged: str, trouble: str) -> None:
    """Whole lines of the platform itself only."""
    log(home, logged)
    assert Polls().trouble(home.path, CONNECTED_AT_S) == trouble


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
    assert polls.trouble(home.path, CONNECTED_AT_S) == ""
    log(home, ATTEMPT[:60])
    assert polls.trouble(home.path, CONNECTED_AT_S) == ""
    log(home, ATTEMPT[60:])
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    path = home.path / "logs" / "gateway.log"
    path.rename(path.with_suffix(".log.1"))
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    log(home, ATTEMPT)
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    path.write_text(timed(CONNECTED))
    assert polls.trouble(home.path, CONNECTED_AT_S) == ""


def test_only_the_end_of_a_flood_is_read(home: Home) -> None:
    """What was told before it still counts, until something else is."""
    polls = Polls()
    log(home, ATTEMPT)
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    log(home, CONNECTED + "x" * MOST_BYTES)
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    log(home, "\n" + CONNECTED)
    assert polls.trouble(home.path, CONNECTED_AT_S) == ""


def test_an_attempt_long_ago_is_over(home: Home) -> None:
    """The agent would have logged the next one by now."""
    log(home, ATTEMPT)
    before_s = time.time() - 400
    os.utime(home.path / "logs" / "gateway.log", (before_s, before_s))
    assert Polls().trouble(home.path, CONNECTED_AT_S) == ""


def test_polls_that_began_again_are_believed_once_no_trouble_follows(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent says that it polls again before Telegram has answered a poll."""
    polls = Polls()
    log(home, ATTEMPT + line(RESTARTED, "INFO"))
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 145)
    assert polls.trouble(home.path, CONNECTED_AT_S) == LOST
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 155)
    assert polls.trouble(home.path, CONNECTED_AT_S) == ""


def test_a_token_that_is_refused_ends_the_polls_of_that_connection(home: Home) -> None:
    """The agent says so once, among the errors of a library, and stays connected for ever. No restart mends it."""
    agent = HermesAgent()
    errors = home.path / "logs" / "errors.log"
    report(home, "running", platforms={"telegram": platform("connected")})
    errors.write_text(timed(line(REFUSAL, "ERROR", logger="telegram.ext: ", age_s=3600)))
    assert agent.probe(home, myself()).phase is Phase.READY
    with errors.open("a") as file:
        file.write(timed(line(REFUSAL, "ERROR", logger="telegram.ext: ") + line("something else")))
    log(home, CONNECTED)
    (sign,) = agent.probe(home, myself()).signs
    assert (sign.word, sign.detail, sign.is_well, sign.is_mended_by_restart) == (
        "rejected",
        REJECTED,
        False,
        False,
    )
    errors.rename(errors.with_suffix(".log.1"))
    errors.write_text("")
    assert agent.probe(home, myself()).phase is Phase.DEGRADED
    later = platform("connected", at=datetime.fromtimestamp(time.time() + 30, UTC).isoformat())
    report(home, "running", platforms={"telegram": later})
    assert agent.probe(home, myself()).phase is Phase.READY


@pytest.mark.parametrize(
    ("level", "logger", "text"),
    [
        ("INFO", "telegram.ext: ", REFUSAL),
        ("ERROR", "gateway.run: telegram.ext: ", REFUSAL),
        ("ERROR", "telegram.ext: ", "Network Retry Loop (Bootstrap delete Webhook): Invalid token. Aborting."),
        ("ERROR", "telegram.ext: ", "Network Retry Loop (Polling Updates): Timed out: Timed out."),
    ],
)
def test_other_errors_refuse_no_token(home: Home, level: str, logger: str, text: str) -> None:
    """Those of a start are in the report."""
    (home.path / "logs" / "errors.log").write_text(timed(line(text, level, logger=logger)))
    assert Polls().trouble(home.path, 0.0) == ""


def test_what_is_no_log_tells_nothing(home: Home, tmp_path: Path) -> None:
    """And is not waited for."""
    path = home.path / "logs" / "gateway.log"
    path.unlink()
    assert Polls().trouble(home.path, CONNECTED_AT_S) == ""
    os.mkfifo(path)
    assert Polls().trouble(home.path, CONNECTED_AT_S) == ""
    path.unlink()
    (tmp_path / "outside").write_text(timed(ATTEMPT))
    path.symlink_to(tmp_path / "outside")
    assert Polls().trouble(home.path, CONNECTED_AT_S) == ""
