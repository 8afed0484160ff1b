"""The scripted gateway does what its flags say, and stands in for the agent where tests want none."""

import json
import os
import signal

import pytest

from hermesd.domain.process import ExitStatus
from tests.processes import Place, gateway_spec, with_home

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
