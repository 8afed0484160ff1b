"""What is seen of the layers of a hermes-agent gateway, and whose heartbeat counts."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_state import started_at_s
from hermesd.domain.process import Phase, Probe, ProcessIdentity, Sign
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import answering, beat, home_at, myself, platform, report, write_env

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

HEALTHY = b'{"status":"ok","platform":"hermes-agent"}'
KEY = "API_SERVER_KEY=0123456789abcdef0123456789abcdef\n"
ENABLED = "API_SERVER_ENABLED=true\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / "profiles" / "coder")


def probed(home: Home) -> Probe:
    """What somebody sees who has never looked before."""
    return HermesAgent().probe(home, myself())


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# --- signs


def test_each_platform_gives_a_sign(home: Home) -> None:
    """In the agent's words, with their age; what it tries again by itself needs no restart."""
    said = {state: platform(state, f"{state} it is") for state in ("connected", "retrying", "fatal", "paused")}
    said |= {state: platform(state) for state in ("connecting", "disconnected", "disabled", "dreaming")}
    report(home, "running", platforms=said)
    signs = {sign.name: sign for sign in probed(home).signs}
    assert {name: sign.word for name, sign in signs.items()} == {name: name for name in said}
    assert {name for name, sign in signs.items() if sign.is_well} == {"connected", "disabled"}
    assert {name for name, sign in signs.items() if sign.is_mended_by_restart} == {"connecting", "disconnected"}
    assert signs["fatal"].detail == "fatal it is"
    assert all(sign.is_platform and abs((sign.at_s or 0) - time.time()) < 60 for sign in signs.values())


@pytest.mark.parametrize("state", ["running", "degraded"])
@pytest.mark.parametrize("platforms", [{}, {"telegram": platform("connecting")}, {"x": {"updated_at": 9e12}}])
def test_whatever_keeps_it_from_being_ready_is_among_the_signs(
    home: Home, state: str, platforms: dict[str, Any]
) -> None:
    """Also if the agent says no more than that something is wrong."""
    report(home, state, platforms=platforms)
    probe = probed(home)
    assert (probe.phase is Phase.READY) == all(sign.is_well for sign in probe.signs)
    assert probe.detail == "; ".join(f"{one.name}: {one.detail or one.word}" for one in probe.signs)


def test_an_api_that_answers_is_a_sign(home: Home) -> None:
    """Its platform's entry says less, and is none."""
    with answering(HEALTHY) as port:
        write_env(home, f"{KEY}API_SERVER_PORT={port}\n")
        report(home, "running", platforms={"api_server": platform("connected"), "irc": platform("connected")})
        signs = probed(home).signs
    assert signs[0] == Sign("api_server", True, "answers")
    assert [sign.name for sign in signs] == ["api_server", "irc"]


@pytest.mark.parametrize(
    ("platforms", "env", "is_mended"),
    [
        ({"api_server": platform("connected")}, KEY, True),
        ({"api_server": platform("connected")}, ENABLED, False),
        ({"api_server": platform("disconnected")}, KEY, True),
        ({"api_server": platform("retrying")}, KEY, False),
        ({"api_server": platform("fatal", "no such host")}, KEY, False),
        ({"api_server": platform("fatal", "in use") | {"error_code": "api_server_port_in_use"}}, KEY, True),
        ({"api_server": platform("fatal", "in use") | {"error_code": "api_server_port_in_use"}}, ENABLED, False),
        ({}, KEY, False),
    ],
)
def test_only_a_silence_without_a_cause_is_mended_by_a_restart(
    home: Home, platforms: dict[str, Any], env: str, is_mended: bool
) -> None:
    """A key or library that is missing is missing after it, too, and a taken port is tried again by the agent."""
    write_env(home, f"{env}API_SERVER_PORT={free_port()}\n")
    report(home, "running", platforms=platforms)
    (sign,) = probed(home).signs
    assert (sign.word, sign.is_well, sign.is_mended_by_restart) == ("not answering", False, is_mended)


@pytest.mark.parametrize(
    ("code", "is_mended"),
    [
        ("telegram_polling_conflict", True),
        ("lock_conflict", True),
        ("pubsub_reconnect_exhausted", True),
        ("telegram_connect_error", False),
        ("whatsapp_node_missing", False),
        ("", False),
    ],
)
def test_what_is_fatal_is_mended_if_the_next_start_may_find_it_otherwise(
    home: Home, code: str, is_mended: bool
) -> None:
    """Another program may have gone; what is rejected or missing stays so until a person changes it."""
    report(home, "running", platforms={"telegram": platform("fatal", "no") | {"error_code": code}})
    (sign,) = probed(home).signs
    assert (sign.word, sign.is_well, sign.is_mended_by_restart) == ("fatal", False, is_mended)


def test_a_port_that_is_still_taken_needs_more_than_a_restart(home: Home) -> None:
    """The next start would find it so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write_env(home, f"{KEY}API_SERVER_PORT={taken.getsockname()[1]}\n")
        said = platform("fatal", "in use") | {"error_code": "api_server_port_in_use"}
        report(home, "running", platforms={"api_server": said})
        (sign,) = probed(home).signs
    assert not sign.is_mended_by_restart


def test_settings_that_were_changed_since_the_start_bring_no_restart(home: Home) -> None:
    """What runs was told others, and where nobody knows which, a person who edits is told so."""
    write_env(home, f"{KEY}API_SERVER_PORT={free_port()}\n", at_s=started_at_s(myself()) + 3600)
    report(home, "running", platforms={"api_server": platform("connected")})
    (sign,) = probed(home).signs
    assert "changed after the gateway started" in sign.detail
    assert not sign.is_mended_by_restart


def test_a_gateway_is_asked_where_it_listens_whatever_is_written_since(home: Home) -> None:
    """It reads its settings when it starts; a new process is asked by the new ones."""
    agent = HermesAgent()
    report(home, "running", platforms={"api_server": platform("connected")})
    with answering(HEALTHY) as port:
        write_env(home, f"{KEY}API_SERVER_PORT={port}\n", at_s=started_at_s(myself()) + 3600)
        assert agent.probe(home, myself()).phase is Phase.READY
        write_env(home, f"{KEY}API_SERVER_PORT={free_port()}\n")
        assert agent.probe(home, myself()).phase is Phase.READY
        assert probed(home).phase is Phase.DEGRADED
    (sign,) = agent.probe(home, myself()).signs
    assert sign.is_mended_by_restart, "it has answered by these settings, so they were its own"


def test_a_drain_and_the_turns_under_way_are_told(home: Home) -> None:
    """As the gateway counts them; nonsense is no turn."""
    report(home, "draining", active_agents=2, platforms={"irc": platform("connected")})
    probe = probed(home)
    assert (probe.is_draining, probe.active_turns, [sign.word for sign in probe.signs]) == (True, 2, ["connected"])
    for nonsense in (-1, "2", None):
        report(home, "running", active_agents=nonsense)
        assert (probed(home).is_draining, probed(home).active_turns) == (False, 0)


def test_there_are_no_signs_before_it_is_up(home: Home) -> None:
    """Nothing of it has had time to work."""
    report(home, "starting", platforms={"telegram": platform("connecting")})
    assert probed(home).signs == ()


# --- heartbeats


def test_the_heartbeat_is_told_by_the_monotonic_clock(home: Home) -> None:
    """Of this very process."""
    assert probed(home).beats == {}
    beat(home, at_s := time.monotonic())
    assert probed(home).beats == {"heartbeat": at_s}


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": 1},
        {"monotonic": 1e12},
        {"monotonic": -1e12},
        {"monotonic": "soon"},
        {"start_time": 5.0},
        {"start_time": None},
    ],
)
def test_a_heartbeat_of_another_process_or_boot_is_none(home: Home, changes: dict[str, Any]) -> None:
    """It would be taken for a loop that stands still."""
    beat(home, time.monotonic(), **changes)
    assert probed(home).beats == {}
    (home.path / "state" / "gateway.heartbeat").write_text("[]")
    assert probed(home).beats == {}


def test_a_clock_that_jumped_makes_no_stranger_of_what_beats(home: Home) -> None:
    """The noted start is wrong by today's clock, but nobody else writes with this pid now."""
    agent, early_s = HermesAgent(), time.monotonic() - 0.5
    beat(home, early_s, start_time=5.0)
    assert agent.probe(home, myself()).beats == {}
    beat(home, time.monotonic(), start_time=5.0)
    assert agent.probe(home, myself()).beats["heartbeat"] > early_s


def test_a_new_process_of_the_same_pid_has_yet_to_beat(home: Home) -> None:
    """In a container every gateway may get the same pid."""
    agent = HermesAgent()
    beat(home, time.monotonic())
    assert agent.probe(home, myself()).beats
    assert agent.probe(home, _born_now()).beats == {}


def _born_now() -> ProcessIdentity:
    """A process of this pid that begins after whatever was written until now."""
    later = int((time.clock_gettime(time.CLOCK_BOOTTIME) + 10) * os.sysconf("SC_CLK_TCK"))
    return replace(myself(), start_ticks=later)
