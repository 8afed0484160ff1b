"""The agent without a daemon."""

import json
from pathlib import Path

import pytest

from hermesctl import cli, direct
from hermesctl.client.places import Places
from hermesd.adapters.agents.hermes_overlay import tell_site
from hermesd.adapters.places import Places as DaemonPlaces
from hermesd.adapters.runtimefile import write_runtime_file
from hermesd.domain import environment as rules
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.fakes.terminal import Executed, FakeTerminal

pytestmark = [pytest.mark.fast, pytest.mark.cli]

LINE = ["hermes", "--direct", "-p", "coder", "--", "-z", "hi"]


@pytest.fixture
def home(places: Places) -> Path:
    """The home of coder, and of nobody else but the default profile."""
    made = places.root / "profiles" / "coder"
    made.mkdir(parents=True)
    return made


def installed(places: Places, version: str) -> Path:
    """The executable of an agent that hermesd has installed."""
    directory = places.runtimes / f"hermes-agent-{version}-0123"
    (directory / "bin").mkdir(parents=True)
    (directory / "runtime.json").write_text(json.dumps({"kind": "hermes-agent", "version": version}))
    (directory / "bin" / "hermes").write_text("")
    return directory / "bin" / "hermes"


def publish(places: Places, executable: Path, *, is_managed: bool = False) -> None:
    """What the daemon leaves on disk."""
    there = DaemonPlaces(places.home, places.root)
    there.prepare()
    write_runtime_file(there.runtime_file, Runtime("r", HERMES_AGENT, "0.18.2", executable, is_managed=is_managed))


def become(environment: dict[str, str], line: list[str] = LINE) -> Executed:
    """What the client became, without a daemon and without a word."""
    terminal = FakeTerminal(environment)
    with pytest.raises(Executed) as caught:
        cli.run(line, terminal)
    assert terminal.output.getvalue() + terminal.talk.getvalue() == ""
    return caught.value


def test_the_agent_that_the_daemon_used_is_run(environment: dict[str, str], places: Places, home: Path) -> None:
    """For the profile, with the daemon's rules for the environment, where the caller is."""
    installed(places, "0.19.0")
    mine = home.parent / "hermes"
    mine.write_text("")
    publish(places, mine)
    became = become(environment | {"HERMES_PROFILE": "x", "TERMINAL_CWD": "/y", "EDITOR": "vi"})
    assert became.argv == [str(mine), "-p", "coder", "-z", "hi"]
    assert became.environment["HERMES_HOME"] == str(home)
    assert became.environment["EDITOR"] == "vi"
    assert {"HERMES_PROFILE", "TERMINAL_CWD", "HERMES_DISABLE_LAZY_INSTALLS"}.isdisjoint(became.environment)
    assert became.directory == ""


def test_what_the_site_manages_holds_as_the_daemon_knows_it(
    environment: dict[str, str], places: Places, home: Path
) -> None:
    """And not as the caller does: inside a gateway, that is where the daemon's own copy is."""
    runtime = Runtime("r", HERMES_AGENT, "0.19.0", installed(places, "0.19.0"), is_managed=True)
    there = DaemonPlaces(places.home, places.root)
    there.prepare()
    write_runtime_file(there.runtime_file, runtime, tell_site(Path("/opt/hermes-site")))
    became = become(environment | {"HERMES_MANAGED_DIR": "/copy"})
    assert became.environment["HERMES_MANAGED_DIR"] == "/opt/hermes-site"
    write_runtime_file(there.runtime_file, runtime, tell_site(Path("/etc/hermes")))
    assert "HERMES_MANAGED_DIR" not in become(environment | {"HERMES_MANAGED_DIR": "/copy"}).environment


def test_an_installed_agent_adds_nothing_to_itself(
    environment: dict[str, str], places: Places, home: Path
) -> None:
    """As when the daemon runs it."""
    publish(places, installed(places, "0.18.2"), is_managed=True)
    assert become(environment).environment["HERMES_DISABLE_LAZY_INSTALLS"] == "1"


@pytest.mark.parametrize("told", ["nothing", "nonsense", "gone"])
def test_without_a_word_the_newest_installed_agent_is_run(
    environment: dict[str, str], places: Places, home: Path, told: str
) -> None:
    """By the numbers of its version; an installation that was cut off is none."""
    for version in ("0.9.0", "0.19.0", "0.18.2"):
        installed(places, version)
    (places.runtimes / "hermes-agent-0.20.0-0123").mkdir()
    if told != "nothing":
        publish(places, places.root / "gone")
    if told == "nonsense":
        places.runtime_file.write_text("[]")
    assert "hermes-agent-0.19.0-" in become(environment).executable


def test_the_default_profile_lies_in_the_root(environment: dict[str, str], places: Places, home: Path) -> None:
    """Nothing needs to be named."""
    installed(places, "0.19.0")
    became = become(environment, ["hermes", "--direct", "--"])
    assert became.argv[1:] == ["-p", "default"]
    assert became.environment["HERMES_HOME"] == str(places.root)


@pytest.mark.parametrize("name", ["ghost", "../coder", "-x", "co der"])
def test_an_unknown_profile_is_not_made(
    environment: dict[str, str], places: Places, home: Path, name: str
) -> None:
    """The agent would make some of it."""
    installed(places, "0.19.0")
    terminal = FakeTerminal(environment)
    assert cli.run(["hermes", "--direct", f"--profile={name}", "--"], terminal) == 4
    assert f"there is no profile '{name}'" in terminal.talk.getvalue()


def test_no_agent_at_all_is_told(environment: dict[str, str], home: Path) -> None:
    """With where it was looked for."""
    terminal = FakeTerminal(environment)
    assert cli.run(LINE, terminal) == 6
    assert "no agent is found" in terminal.talk.getvalue()
    assert "runtimes names one" in terminal.talk.getvalue()


def test_it_does_not_fight_a_daemon_that_may_run_after_all(environment: dict[str, str], home: Path) -> None:
    """Unless somebody insists."""
    assert cli.run([*LINE[:-2], "gateway", "run"], FakeTerminal(environment)) == 2


def test_both_programs_remove_the_same_variables() -> None:
    """The emergency is no reason to mix profiles."""
    assert direct.REMOVED_PREFIXES == rules.COMMAND_REMOVED_PREFIXES
    assert (direct.REMOVED, direct.KEPT) == (rules.COMMAND_REMOVED, rules.COMMAND_KEPT)
