"""Commands of the agent: the client becomes it and adds nothing."""

from pathlib import Path
from typing import NoReturn

import pytest

from hermesctl import cli
from hermesctl.client.places import Places
from hermesctl.terminal import Program
from hermesd.v1 import terminals_pb2
from tests.fakes.server import FakeDaemon, World
from tests.fakes.terminal import Executed, FakeTerminal

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def become(argv: list[str], terminal: FakeTerminal) -> Executed:
    """What the client became; it has said nothing."""
    with pytest.raises(Executed) as caught:
        cli.run(argv, terminal)
    assert terminal.output.getvalue() == ""
    assert terminal.talk.getvalue() == ""
    return caught.value


def asked(world: World) -> terminals_pb2.OpenTerminalRequest:
    """The one question that was asked."""
    ((method, request),) = world.calls
    assert method == "OpenTerminal"
    assert isinstance(request, terminals_pb2.OpenTerminalRequest)
    return request


def test_the_agent_gets_the_words_and_the_callers_environment(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Less what the daemon removes, plus what it sets; values never leave the process."""
    world.environment_set["HERMES_HOME"] = "/home/ana/.hermes/profiles/coder"
    terminal = FakeTerminal(environment | {"HERMES_PROFILE": "x", "EDITOR": "vi", "SECRET": "s3cret"})
    became = become(["-p", "coder", "chat", "-q", "two words"], terminal)
    assert became.executable == "/runtimes/hermes"
    assert became.argv == ["hermes", "-p", "coder", "chat", "-q", "two words"]
    assert became.environment["HERMES_HOME"] == "/home/ana/.hermes/profiles/coder"
    assert became.environment["EDITOR"] == "vi"
    assert "HERMES_PROFILE" not in became.environment
    request = asked(world)
    assert (request.pid, request.working_directory) == (7, "/home/ana/work")
    assert "SECRET" in request.environment_names
    assert b"s3cret" not in request.SerializeToString()


def test_a_plain_call_uses_the_sticky_default_silently(
    environment: dict[str, str], daemon: FakeDaemon, world: World, places: Places
) -> None:
    """A pass-through command adds no word of ours."""
    places.root.mkdir()
    (places.root / "active_profile").write_text("worker\n")
    become(["chat"], FakeTerminal(environment))
    assert asked(world).profile == "worker"


def test_names_that_are_no_text_are_left_out(
    environment: dict[str, str], daemon: FakeDaemon, world: World
) -> None:
    """Only UTF-8 can be sent; the variable itself stays."""
    terminal = FakeTerminal(environment | {"BAD\udcff": "1"})
    terminal.working_directory = Path("/home/\udcff")
    became = become(["chat"], terminal)
    assert became.environment["BAD\udcff"] == "1"
    assert asked(world).working_directory == ""


def test_a_word_that_is_no_text_is_refused(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """It could not reach the agent unchanged."""
    terminal = FakeTerminal(environment)
    assert cli.run(["chat", "-q", "\udcff"], terminal) == 2
    assert "is not valid UTF-8" in terminal.talk.getvalue()


def test_an_agent_that_is_gone_is_a_missing_runtime(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """Its program was removed after the daemon answered."""

    class Gone(FakeTerminal):
        def replaced(self, program: Program) -> NoReturn:
            raise FileNotFoundError(2, "No such file or directory")

    terminal = Gone(environment)
    assert cli.run(["chat"], terminal) == 6
    assert "cannot run /runtimes/hermes" in terminal.talk.getvalue()


def test_an_unknown_sticky_default_is_explained(
    environment: dict[str, str], daemon: FakeDaemon, places: Places
) -> None:
    """Nobody typed the name, so the error says where it comes from."""
    places.root.mkdir()
    (places.root / "active_profile").write_text("ghost\n")
    terminal = FakeTerminal(environment)
    assert cli.run(["gateway", "status"], terminal) == 4
    assert terminal.talk.getvalue().splitlines() == [
        "error: there is no profile 'ghost'",
        "  why: the name comes from: sticky default",
        "  fix: hermesctl profile use default",
        "       hermesctl profile list",
    ]


def test_changes_to_a_profile_that_was_not_named_are_announced(
    environment: dict[str, str], daemon: FakeDaemon
) -> None:
    """Reading is not."""
    chosen = environment | {"HERMESCTL_PROFILE": "coder"}
    terminal = FakeTerminal(chosen)
    cli.run(["gateway", "stop"], terminal)
    assert terminal.talk.getvalue().startswith("profile: coder (HERMESCTL_PROFILE; override with -p)\n")
    reading = FakeTerminal(chosen)
    cli.run(["gateway", "status"], reading)
    assert reading.talk.getvalue() == ""
