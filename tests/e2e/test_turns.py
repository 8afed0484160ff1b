"""The daemon dies while an agent is in the middle of a turn: neither the agent nor who talks to it notices."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from hermesctl.client import Client
from hermesd.adapters import procfs
from hermesd.v1 import gateways_pb2
from tests.e2e.census import end_all
from tests.e2e.daemon import Daemon
from tests.e2e.house import Api, Machine, free_port
from tests.fakes.model import ANSWER, MODEL, ModelServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e]

START_S = 60.0
"""How long the real agent may take to be up again on a busy machine."""
BUSY, FALLEN = "bot0", "bot1"


@pytest.fixture
def daemon(machine: Machine) -> Iterator[Daemon]:
    """A daemon that is not started yet; nothing of it is left afterwards."""
    daemon = Daemon(machine)
    yield daemon
    locks = list((daemon.places.state / "locks").glob("*.lock"))
    if daemon.process is not None:
        daemon.kill()
    daemon.disconnect()
    end_all(machine, locks)


def furnish(daemon: Daemon, names: list[str], model: ModelServer) -> None:
    """Sets up real agents, each with an API of its own, and leaves their gateways running under this daemon."""
    for name in names:
        endpoint = ("--model", MODEL, "--base-url", model.base_url, "--api-port", str(free_port()))
        daemon.machine.ok("-p", name, "quickstart", *endpoint)
    daemon.machine.ok("daemon", "stop")
    daemon.start()


def gateways_of(daemon: Daemon, names: list[str]) -> dict[str, gateways_pb2.Gateway]:
    """The gateways of these profiles."""
    return {name: gateway for name, gateway in daemon.gateways().items() if name in names}


@pytest.mark.parametrize("count", [pytest.param(3, marks=pytest.mark.ci), pytest.param(5, marks=pytest.mark.full)])
def test_a_turn_goes_on_while_its_daemon_is_killed_twice(
    daemon: Daemon, model_server: ModelServer, count: int
) -> None:
    """Same processes with their locks; who fell meanwhile is started once; the caller gets the agent's answer."""
    names = [f"bot{number}" for number in range(count)]
    furnish(daemon, names, model_server)
    before = gateways_of(daemon, names)
    assert {gateway.state for gateway in before.values()} == {gateways_pb2.GATEWAY_STATE_READY}
    api = Api.of(daemon.machine, BUSY)
    with ThreadPoolExecutor(1) as caller, Client(daemon.places.read_record()) as client:
        with model_server.thinking():
            turn = caller.submit(api.chat, "hello", stream=False)
            wait_until(lambda: model_server.requests or turn.done(), "the agent to ask its model")
            daemon.kill()
            psutil.Process(before[FALLEN].process.pid).kill()
            daemon.start()
            daemon.kill_and_start()
            survivors = [name for name in names if name != FALLEN]
            after = gateways_of(daemon, names)
            assert {name: after[name].process for name in survivors} == {
                name: before[name].process for name in survivors
            }
            for name in survivors:
                assert procfs.holders(daemon.lock_of(after[name])) == [before[name].process.pid]
            assert not turn.done()
        assert ANSWER in turn.result(timeout=START_S)
        listed = client.gateways.ListGateways(gateways_pb2.ListGatewaysRequest(), wait_for_ready=True).gateways
        assert {gateway.profile for gateway in listed} == {"default", *names}
    wait_until(lambda: is_back(daemon), "the gateway that fell to be back", deadline_s=START_S)
    assert daemon.gateway(FALLEN).restarts == 1
    assert {name: daemon.gateway(name).restarts for name in survivors} == dict.fromkeys(survivors, 0)


def is_back(daemon: Daemon) -> bool:
    """Whether the gateway that fell is ready again."""
    return daemon.gateway(FALLEN).state == gateways_pb2.GATEWAY_STATE_READY
