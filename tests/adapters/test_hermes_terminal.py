"""Where the tools of hermes-agent are told to work."""

from pathlib import Path

import pytest

from hermesctl.agent_words import AGENT_OPTIONAL_VALUE_OPTIONS, AGENT_VALUE_OPTIONS
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_terminal import (
    OPTIONAL_VALUE_OPTIONS,
    VALUE_OPTIONS,
    is_conversation,
    read_workplace,
)
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

RUNTIME = Runtime("r", HERMES_AGENT, "0.19.0", Path("/opt/hermes/bin/hermes"), is_managed=True)


def command(home: Home, line: str) -> Launch:
    """How the agent's adapter would run it."""
    return HermesAgent().command(RUNTIME, home, line.split())


def home_with(tmp_path: Path, config: str, env: str = "") -> Home:
    """A home with a configuration."""
    return home_at(tmp_path / "profiles" / "coder", config__yaml=config, __env=env)


@pytest.mark.parametrize("line", ["chat", "chat -q hi", "-z hi", "", "-c", "-c work", "--tui", "-m setup chat"])
def test_conversations_start_in_the_configured_directory(tmp_path: Path, line: str) -> None:
    """The process itself: hermes-agent's own chat minds nothing else."""
    home = home_with(tmp_path, f"terminal: {{cwd: {tmp_path}}}")
    launch = command(home, line)
    assert launch.working_directory == tmp_path
    assert launch.environment["TERMINAL_CWD"] == str(tmp_path)


@pytest.mark.parametrize("line", ["setup", "-m chat cron tick", "skills install ./mine", "--version"])
def test_other_commands_stay_where_they_were_called(tmp_path: Path, line: str) -> None:
    """Their arguments may be paths; they are told of the directory for tools that they run."""
    launch = command(home_with(tmp_path, f"terminal: {{cwd: {tmp_path}}}"), line)
    assert launch.working_directory is None
    assert launch.environment["TERMINAL_CWD"] == str(tmp_path)


@pytest.mark.parametrize(
    "config", ["", "terminal: {}", *(f"terminal: {{cwd: {one}}}" for one in (".", "auto", "''"))]
)
def test_nothing_configured_means_where_the_caller_is(tmp_path: Path, config: str) -> None:
    """So it is without a word, and with each of the agent's words for it."""
    launch = command(home_with(tmp_path, config), "chat")
    assert launch.working_directory is None
    assert "TERMINAL_CWD" not in launch.environment


@pytest.mark.parametrize(
    ("config", "env"),
    [
        ("terminal: {backend: docker, cwd: /workspace}", ""),
        ("terminal: {env_type: ssh, cwd: /srv}", ""),
        ("terminal: {cwd: /workspace}", "TERMINAL_ENV=docker\n"),
        ("terminal: {cwd: relative/path}", ""),
        ("terminal: {cwd: '${NOT_SET_ANYWHERE}/x'}", ""),
        ("terminal: [1]", ""),
        ("terminal: {cwd: 7}", ""),
        ("terminal: {cwd: [", ""),
    ],
)
def test_a_directory_that_is_not_here_is_the_agents_own_matter(tmp_path: Path, config: str, env: str) -> None:
    """In a container, on another host, or in a file that cannot be read."""
    home = home_with(tmp_path, config, env)
    assert read_workplace(home.path) is None
    assert command(home, "chat").working_directory is None


def test_a_directory_is_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the home directory's sign, and variables of the profile's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_workplace(home_with(tmp_path, "terminal: {cwd: ~/src}").path) == tmp_path / "src"
    written = home_with(tmp_path, "terminal: {cwd: '${HOME}/${WHERE}'}", "WHERE=there\n")
    assert read_workplace(written.path) == tmp_path / "there"


def test_a_conversation_does_not_start_somewhere_else(tmp_path: Path) -> None:
    """The agent would fall back and change things in the wrong place; what mends it must still run."""
    home = home_with(tmp_path, f"terminal: {{cwd: {tmp_path}/gone}}")
    with pytest.raises(ConfigInvalid, match=r"cannot work in .*/gone") as caught:
        command(home, "-z hi")
    assert caught.value.metadata["hint"] == "it is terminal.cwd of profile coder"
    assert "TERMINAL_CWD" not in command(home, "setup terminal").environment


@pytest.mark.parametrize("line", ["-h", "--help", "-V", "-m x --version"])
def test_questions_about_the_agent_are_no_conversations(line: str) -> None:
    """They are answered wherever the directory is."""
    assert not is_conversation(line.split())


def test_daemon_and_client_skip_the_same_values() -> None:
    """Or one would take for a verb what the other takes for a value."""
    assert (VALUE_OPTIONS, OPTIONAL_VALUE_OPTIONS) == (AGENT_VALUE_OPTIONS, AGENT_OPTIONAL_VALUE_OPTIONS)


def test_gateways_are_not_told(tmp_path: Path) -> None:
    """They read it themselves, and start in the person's home."""
    launch = HermesAgent().launch(RUNTIME, home_with(tmp_path, f"terminal: {{cwd: {tmp_path}}}"))
    assert launch.working_directory is None
    assert "TERMINAL_CWD" not in launch.environment
