"""What services ask of the system: its values, and that nothing asked for is left out of the list."""

import inspect
from pathlib import Path

import pytest

from hermesd.domain import ports
from hermesd.domain.agent import ModelEndpoint, Setup
from hermesd.domain.gateway import Gateway
from hermesd.domain.record import GatewayRecord
from hermesd.domain.runtime import COMMAND, HERMES_AGENT, InstallProgress, Launch, Runtime

pytestmark = [pytest.mark.fast, pytest.mark.domain]

DEFINED = {
    name: value
    for name, value in vars(ports).items()
    if inspect.isclass(value) and value.__module__ == ports.__name__
}
PROTOCOLS = {name: value for name, value in DEFINED.items() if getattr(value, "_is_protocol", False)}


def test_everything_defined_is_exported() -> None:
    """What the module defines is what it offers."""
    assert DEFINED.keys() <= set(ports.__all__)
    assert all(hasattr(ports, name) for name in ports.__all__)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_port_is_explained(name: str) -> None:
    """A port and each of its methods say what is promised: the adapter and its fake are written from that."""
    port = PROTOCOLS[name]
    assert inspect.getdoc(port)
    for method_name, method in vars(port).items():
        if inspect.isfunction(method) and not method_name.startswith("_"):
            assert method.__doc__, f"{name}.{method_name}"


def test_key_is_never_shown() -> None:
    """A model's key does not appear where a value is printed, in a log or a traceback."""
    endpoint = ModelEndpoint(model="m", key="sk-very-secret")
    assert "sk-very-secret" not in repr(Setup(endpoint=endpoint))


def test_fresh_record_is_of_a_stopped_gateway() -> None:
    """What was never started is stopped, unwanted and without a process."""
    record = GatewayRecord("id")
    assert (record.gateway, record.process, record.spawn_id) == (Gateway(), None, "")


def test_runtimes_are_values() -> None:
    """Runtimes and launches are equal when what they say is."""
    runtime = Runtime("r", HERMES_AGENT, "0.19.0", Path("/r/bin/hermes"), is_managed=True)
    assert runtime == Runtime("r", HERMES_AGENT, "0.19.0", Path("/r/bin/hermes"), is_managed=True)
    assert runtime != Runtime("r", COMMAND, "0.19.0", Path("/r/bin/hermes"), is_managed=True)
    assert Launch(("hermes",), {}) == Launch(("hermes",), {})
    assert InstallProgress("resolve").total == 0
