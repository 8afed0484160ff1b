"""The agent without a daemon."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesctl import cli, inherited
from hermesctl.client.places import Places
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_overlay import tell_site
from hermesd.adapters.places import Places as DaemonPlaces
from hermesd.adapters.runtimefile import write_runtime_file
from hermesd.domain import environment as rules
from hermesd.domain.channels import CHANNELS
from hermesd.domain.digests import digests
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.adapters.hermes_homes import home_at
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


NAMES = st.one_of(
    st.sampled_from(sorted(rules.BOT_VARIABLES)),
    st.sampled_from(
        ["TERMINAL_CWD", "TERMINAL_EMULATOR", "MESSAGING_CWD", "_HERMES_X", "OPENAI_API_KEY", "SSH_ASKPASS"]
    ),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(
                [*(start for channel in CHANNELS for start in channel.beginnings), "MY_", "HERMES", ""]
            ),
            st.sampled_from(
                ["TOKEN", "api_key", "PASSWORD", "URL", "KEYRING", "SECRET_X", "COOKIE", "CREDENTIALS", "1"]
            ),
        ),
    ),
)


@given(st.lists(NAMES), st.booleans())
def test_both_programs_remove_the_same_variables(names: list[str], inherits_keys: bool) -> None:
    """The emergency is no reason to mix profiles."""
    told = rules.removed_from_command(names, inherits_keys=inherits_keys)
    assert inherited.removed_names(names, inherits_keys=inherits_keys) == told


def test_both_programs_know_the_same_bots() -> None:
    """None is missing from the copy, and none is left in it."""
    assert inherited.BOT_VARIABLES == rules.BOT_VARIABLES
    assert set(inherited.BOT_PREFIXES) == {start for channel in CHANNELS for start in channel.beginnings}


def test_both_programs_know_the_same_secrets(tmp_path: Path) -> None:
    """Of the same files, written in whatever way, whoever reads them."""
    homes = [tmp_path, *(tmp_path / "profiles" / name for name in ("coder", "worker", ".hidden", "no name"))]
    for number, home in enumerate(homes):
        home.mkdir(parents=True, exist_ok=True)
        lines = [
            f"export A_KEY='one-secret-{number}'",
            'B_TOKEN="${A_KEY}-more" # said',
            "C_KEY=short",
            "D=nothing-secret",
        ]
        (home / ".env").write_text(
            "\n".join(["\ufeffE_KEY=/a/path", *lines, "SAME_KEY=shared-by-all", "BARE_KEY"])
        )
        (home / ".op.env").write_bytes(b"F_PASSWORD=caf\xe9-and-secret\n")
    agent, salt = HermesAgent(), b"salt"
    found = {home: agent.secret_digests(home_at(home), salt) for home in homes[:3]}
    coder = homes[1]
    told = frozenset().union(*(found[home] for home in homes[:3] if home != coder)) - found[coder]
    values = inherited.secrets_of_others(tmp_path, coder)
    assert digests(salt, values) == told
    assert {"one-secret-0", "one-secret-2", "one-secret-2-more"} <= values
    assert not any("-1" in value or "-3" in value or "shared" in value for value in values)


def test_a_secret_of_another_profile_is_not_inherited(
    environment: dict[str, str], places: Places, home: Path
) -> None:
    """Under whatever name; the profile's own may be exported, and so may other keys unless the person says no."""
    installed(places, "0.19.0")
    (home / ".env").write_text("OPENAI_API_KEY=sk-own-0123456789\n")
    worker = home.with_name("worker")
    worker.mkdir()
    (worker / ".env").write_text("WORK_KEY=work-canary-1\n")
    (worker / ".op.env").mkdir()
    caller = environment | {
        "EDITOR_OF": "work-canary-1",
        "OPENAI_API_KEY": "sk-own-0123456789",
        "GROQ_API_KEY": "gsk-provider-1",
        "TELEGRAM_BOT_TOKEN": "1:a",
    }
    became = become(caller).environment
    assert {"EDITOR_OF", "TELEGRAM_BOT_TOKEN"}.isdisjoint(became)
    assert {"OPENAI_API_KEY", "GROQ_API_KEY"} <= became.keys()
    places.settings.parent.mkdir(parents=True)
    places.settings.write_text("[environment]\ninherit_keys = false\n")
    assert {"OPENAI_API_KEY", "GROQ_API_KEY"}.isdisjoint(become(caller).environment)
    places.settings.write_text("no TOML")
    assert "GROQ_API_KEY" in become(caller).environment
