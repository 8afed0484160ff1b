"""The scripted gateway does what its flags say, and stands in for the agent where tests want none."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from hermesd.domain.process import ExitStatus, ProcessIdentity
from tests.processes import Place, gateway_spec, with_home
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


async def test_the_scripted_gateway_tells_its_state_as_the_agent_does(place: Place) -> None:
    """Pid, start time and state in the file that the agent writes."""
    spec = with_home(gateway_spec(place.directory, "--ready-after", "0", "--lines", "3"), place.directory)
    process = await place.start_spec(spec)
    state = json.loads((place.directory / "gateway_state.json").read_text())
    assert (state["pid"], state["start_time"]) == (process.pid, process.start_ticks)
    assert state["gateway_state"] == "running"
    assert spec.log_path.read_text().splitlines() == ["line 0", "line 1", "line 2", "up"]


@pytest.mark.parametrize(
    ("is_announced", "number", "code", "state"),
    [
        (True, signal.SIGTERM, 0, "stopped"),
        (False, signal.SIGTERM, 1, "running"),
        (False, signal.SIGUSR1, 75, "stopped"),
        (False, signal.SIGINT, 0, "stopped"),
    ],
)
async def test_the_scripted_gateway_ends_as_the_agent_does(
    place: Place, is_announced: bool, number: signal.Signals, code: int, state: str
) -> None:
    """An announced stop ends with 0, an unannounced one with 1, a wish for a restart with 75."""
    spec = with_home(gateway_spec(place.directory, "--ready-after", "0"), place.directory)
    process = await place.start_spec(spec)
    if is_announced:
        marker = {"target_pid": process.pid, "target_start_time": process.start_ticks}
        (place.directory / ".gateway-planned-stop.json").write_text(json.dumps(marker))
    os.kill(process.pid, number)
    assert await place.backend.wait(process) == ExitStatus(code=code)
    assert json.loads((place.directory / "gateway_state.json").read_text())["gateway_state"] == state
    assert not (place.directory / ".gateway-planned-stop.json").exists()


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (("--exit-after", "0", "--code", "78"), ExitStatus(code=78)),
        (("--exit-after", "0", "--die-by", "11"), ExitStatus(signal=11)),
    ],
)
async def test_the_scripted_gateway_ends_by_itself(
    place: Place, flags: tuple[str, ...], status: ExitStatus
) -> None:
    """With any code or signal."""
    process = await place.start_spec(gateway_spec(place.directory, *flags))
    assert await place.backend.wait(process) == status


BEATING = ("--ready-after", "0", "--heartbeat", "0.05")
QUIET_S = 0.3
"""Long enough for several beats."""
STILL_S = 1.0
"""So long that what gives no sign has stopped, even if the machine had no time for it for a while."""


class Listener:
    """What a gateway is told to notify, and what it said."""

    def __init__(self, path: Path) -> None:
        self.path, self.said = path, list[str]()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def hear(self) -> list[str]:
        """All that was said until now."""
        while True:
            try:
                self.said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.said

    def close(self) -> None:
        """Listens no more."""
        self._socket.close()


@pytest.fixture
def listener(place: Place) -> Iterator[Listener]:
    """A socket to be notified on."""
    listener = Listener(place.directory / "notify.sock")
    yield listener
    listener.close()


async def begin(
    place: Place, *flags: str, environment: Mapping[str, str] | None = None, is_up: bool = True
) -> ProcessIdentity:
    """Starts a scripted gateway with a home."""
    spec = with_home(gateway_spec(place.directory, *flags), place.directory)
    spec = replace(spec, environment={**spec.environment, **(environment or {})})
    return await place.start_spec(spec, is_gateway=is_up)


def notifying(listener: Listener, watchdog_s: float) -> dict[str, str]:
    """The environment in which a gateway notifies."""
    return {"NOTIFY_SOCKET": str(listener.path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}


def beat(place: Place) -> Any:
    """What the heartbeat file says; empty before the first beat."""
    path = place.directory / "state" / "gateway.heartbeat"
    return json.loads(path.read_text()) if path.exists() else {}


def report(place: Place) -> Any:
    """What the state file says; empty before it does."""
    path = place.directory / "gateway_state.json"
    return json.loads(path.read_text()) if path.exists() else {}


async def until_it_stops(reading: Callable[[], object]) -> None:
    """Waits until a reading stays the same for a while."""
    seen, since_s = reading(), time.monotonic()

    def is_still() -> bool:
        nonlocal seen, since_s
        if (now := reading()) != seen:
            seen, since_s = now, time.monotonic()
        return time.monotonic() - since_s > STILL_S

    await until(is_still, "it to stop")


async def test_its_heartbeat_is_the_agents(place: Place) -> None:
    """Pid, moment, monotonic clock and start of the process as an epoch; a new one each time, for nobody else."""
    process = await begin(place, *BEATING)
    first = beat(place)
    assert first.keys() == {"pid", "updated_at", "monotonic", "start_time"}
    assert first["pid"] == process.pid
    assert abs(time.monotonic() - first["monotonic"]) < 10
    assert abs(datetime.now(UTC) - datetime.fromisoformat(first["updated_at"])).total_seconds() < 10
    assert 0 <= time.time() - first["start_time"] < 60
    assert (place.directory / "state" / "gateway.heartbeat").stat().st_mode & 0o777 == 0o600
    await until(lambda: beat(place)["monotonic"] > first["monotonic"], "another beat")


async def test_it_notifies_as_the_agent_does(place: Place, listener: Listener) -> None:
    """READY=1 once it is up, and WATCHDOG=1 twice in the time it is given."""
    await begin(place, "--ready-after", "0", "--notify", environment=notifying(listener, 0.2))
    await until(lambda: listener.hear()[3:], "some words")
    assert listener.said[0].splitlines()[0] == "READY=1"
    assert set(listener.said[1:]) == {"WATCHDOG=1"}


async def test_it_lives_without_anybody_to_notify(place: Place, listener: Listener) -> None:
    """No socket, or one that nobody listens to any more."""
    listener.close()
    listener.path.unlink()
    await begin(place, *BEATING, "--notify", environment=notifying(listener, 0.1))
    first = beat(place)["monotonic"]
    await until(lambda: beat(place)["monotonic"] > first, "another beat")


async def test_frozen_it_gives_no_sign_and_hears_no_signal(place: Place, listener: Listener) -> None:
    """Its process lives, its report says that all is well, and only SIGKILL ends it."""
    flags = (*BEATING, "--notify", "--freeze-after", "0.2")
    process = await begin(place, *flags, environment=notifying(listener, 0.1))
    await until_it_stops(lambda: (beat(place), len(listener.hear())))
    os.kill(process.pid, signal.SIGTERM)
    await until_it_stops(lambda: (beat(place), len(listener.hear())))
    assert psutil.pid_exists(process.pid)
    assert report(place)["gateway_state"] == "running"
    os.kill(process.pid, signal.SIGKILL)
    assert await place.backend.wait(process) == ExitStatus(signal=signal.SIGKILL)


async def test_deadlocked_at_its_start_it_never_reports(place: Place, listener: Listener) -> None:
    """Not a word in any file or socket, and it hears no signal."""
    flags = (*BEATING, "--notify", "--deadlock-at-start")
    process = await begin(place, *flags, environment=notifying(listener, 0.1), is_up=False)
    await until(lambda: blocked(process.pid) == GATEWAYS, "it to hear no signal")
    os.kill(process.pid, signal.SIGTERM)
    await until_it_stops(lambda: (report(place), beat(place), len(listener.hear())))
    assert (report(place), beat(place), listener.said) == ({}, {}, [])
    assert psutil.pid_exists(process.pid)


GATEWAYS = sum(1 << (number - 1) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
"""The signals that a gateway hears, as the kernel shows them."""


def blocked(pid: int | str) -> int:
    """Which of them a process blocks."""
    shown = Path(f"/proc/{pid}/status").read_text().partition("SigBlk:\t")[2].split()[0]
    return int(shown, 16) & GATEWAYS


async def test_deaf_it_goes_on_beating_while_its_platform_is_lost(place: Place) -> None:
    """The report tells of the first platform; its loop, its other platform and its ear for signals are well."""
    flags = (*BEATING, "--platform", "telegram=connected", "--platform", "slack=connected")
    process = await begin(place, *flags, "--deafen-after", "0.1", "--deafened-as", "retrying")
    early = report(place)["platforms"]
    assert {entry["state"] for entry in early.values()} <= {"connected", "retrying"}
    await until(lambda: report(place)["platforms"]["telegram"]["state"] == "retrying", "its platform to be lost")
    late = report(place)
    assert (late["gateway_state"], late["platforms"]["slack"]["state"]) == ("running", "connected")
    assert late["platforms"]["telegram"]["updated_at"] > late["platforms"]["slack"]["updated_at"]
    first = beat(place)["monotonic"]
    await until(lambda: beat(place)["monotonic"] > first, "another beat")
    os.kill(process.pid, signal.SIGTERM)
    assert await place.backend.wait(process) == ExitStatus(code=1)


async def test_its_beats_can_be_late(place: Place, listener: Listener) -> None:
    """Ten times later than they should be, both kinds."""
    flags = (*BEATING, "--notify", "--late-beats", "10")
    await begin(place, *flags, environment=notifying(listener, 0.1))
    first = beat(place)["monotonic"]
    await until(lambda: beat(place)["monotonic"] > first, "another beat")
    assert beat(place)["monotonic"] - first >= 0.5
    await until(lambda: listener.hear().count("WATCHDOG=1") == 2, "two words of its watchdog")


async def test_its_watchdog_can_fall_silent_for_ever_while_its_heart_beats(
    place: Place, listener: Listener
) -> None:
    """As the agent's does once its loop was late by a quarter of the interval, with one last word on it."""
    flags = (*BEATING, "--notify", "--mute-watchdog-after", "0.2")
    await begin(place, *flags, environment=notifying(listener, 0.1))
    await until(lambda: listener.hear()[-1:] and listener.said[-1].startswith("STATUS="), "the last word")
    first = beat(place)["monotonic"]
    await until(lambda: beat(place)["monotonic"] > first + QUIET_S, "more beats")
    assert listener.hear()[-1] == "STATUS=watchdog unhealthy: event loop progress is late"


async def test_it_obeys_a_drain_request_of_its_own_boot(place: Place) -> None:
    """Draining while there is one, running when it is gone; one of another boot is none."""
    request = place.directory / ".drain_request.json"
    request.write_text(json.dumps({"action": "drain", "epoch": "another:1"}))
    await begin(place, *BEATING, "--drain")
    first = beat(place)["monotonic"]
    await until(lambda: beat(place)["monotonic"] > first + QUIET_S, "it to look")
    assert report(place)["gateway_state"] == "running"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    start = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    for epoch in ({}, {"epoch": f"{boot_id}:{start}"}):
        request.write_text(json.dumps({"action": "drain", **epoch}))
        await until(lambda: report(place)["gateway_state"] == "draining", "it to drain")
        request.unlink()
        await until(lambda: report(place)["gateway_state"] == "running", "it to run again")


async def test_its_tool_is_of_its_tree_and_hears_signals(place: Place) -> None:
    """It has the gateway's environment, and is no more patient than others."""
    told = place.directory / "told"
    await begin(place, *BEATING, "--run", f"echo $$ $HERMES_HOME > {told}.new; mv {told}.new {told}; sleep 1000")
    await until(told.exists, "the tool")
    pid, home = told.read_text().split()
    assert home == str(place.directory)
    await until(lambda: not blocked(pid), "it to hear, since a shell that forks does not")


async def test_it_leaks(place: Place) -> None:
    """Its resident memory grows by what was asked for."""
    process = await begin(place, "--leak", "100_000_000")
    began = psutil.Process(process.pid).memory_info().rss
    grown = 20_000_000
    await until(lambda: psutil.Process(process.pid).memory_info().rss - began > grown, "it to grow")


async def test_it_floods_its_log(place: Place) -> None:
    """So many lines a second, and it still hears."""
    spec = with_home(gateway_spec(place.directory, "--flood", "20000"), place.directory)
    process = await place.start_spec(spec)
    await until(lambda: spec.log_path.read_text().count("flood ") >= 2000, "a flood")
    os.kill(process.pid, signal.SIGTERM)
    assert await place.backend.wait(process) == ExitStatus(code=1)
