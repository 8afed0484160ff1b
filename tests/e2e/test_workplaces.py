"""Where the real agent's tools start: it is told to run `pwd`, and says where it was."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desk import PROFILE, Desk, client, furnished
from tests.e2e.house import Api, free_port
from tests.fakes import model
from tests.tiers import sampled

pytestmark = pytest.mark.e2e

FOREIGN = {"TERMINAL_CWD": "/usr", "HERMES_CWD": "/usr", "_HERMES_GATEWAY": "1", "TERMINAL_ENV": "docker"}
"""What another agent's terminal leaves in the environment of what is called from it."""

ONE_SHOT, CHAT = ("-z", "hi"), ("chat", "-Q", "-q", "hi")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, runtimes_directory: Path) -> Iterator[Desk]:
    """A desk whose model has the agent run `pwd`."""
    with model.serving() as server, furnished(tmp_path_factory.mktemp("desk"), runtimes_directory, server) as made:
        server.command = "pwd"
        yield made


def told_by(desk: Desk, arguments: tuple[str, ...]) -> str:
    """Where the tools of a command start that is called from the directory to work in."""
    done = desk.run(*client("-p", PROFILE, *arguments), **FOREIGN)
    assert done.returncode == 0, done.stdout + done.stderr
    return place_of(desk.model.last_result)


def place_of(result: str) -> str:
    """The directory in a tool's result."""
    return str(json.loads(result)["output"]).strip()


@pytest.mark.parametrize("arguments", sampled([(ONE_SHOT,), (CHAT,)]), ids=["one-shot", "chat"])
def test_tools_start_in_the_configured_directory_else_where_the_caller_is(
    desk: Desk, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Whatever the caller's environment says; the agent's own chat would ignore the configuration."""
    desk.configure("terminal:", f"  cwd: {tmp_path}")
    assert told_by(desk, arguments) == str(tmp_path)
    desk.configure()
    assert told_by(desk, arguments) == str(desk.work)


@pytest.mark.full
def test_the_tools_of_a_gateway_start_in_the_configured_directory_else_at_home(desk: Desk, tmp_path: Path) -> None:
    """Through its API, wherever the one is who started it."""
    port = free_port()
    env = desk.home / ".env"
    env.write_text(f"API_SERVER_ENABLED=true\nAPI_SERVER_KEY=0123456789abcdef0123\nAPI_SERVER_PORT={port}\n")
    for lines, place in (((), desk.machine.home), (("terminal:", f"  cwd: {tmp_path}"), tmp_path)):
        desk.configure(*lines)
        done = desk.run(*client("gateway", "restart", PROFILE), **FOREIGN)
        assert done.returncode == 0, done.stderr
        Api.of(desk.machine, PROFILE).chat("hi", stream=False)
        assert place_of(desk.model.last_result) == str(place)
    desk.machine.ok("gateway", "stop", PROFILE)
    env.unlink()


@pytest.mark.ci
def test_a_conversation_does_not_start_where_nothing_is(desk: Desk, tmp_path: Path) -> None:
    """The agent would work somewhere else."""
    desk.configure("terminal:", f"  cwd: {tmp_path}/gone")
    done = desk.run(*client("-p", PROFILE, *ONE_SHOT))
    assert done.returncode == 6
    assert f"cannot work in {tmp_path}/gone" in done.stderr
    assert desk.run(*client("-p", PROFILE, "config", "path")).returncode == 0
