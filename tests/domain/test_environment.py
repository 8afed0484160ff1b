"""The environments of the agent's processes: nothing outside the written-out lists ever passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.channels import CHANNELS
from hermesd.domain.environment import (
    COMMAND_REMOVED_PREFIXES,
    GATEWAY_ALLOWED,
    INSTALLER_ALLOWED_PREFIX,
    Removal,
    for_gateway,
    for_installer,
    is_of_bot,
    removal_of,
    removed_from_command,
    shown,
)
from hermesd.domain.exclusivity import variables

pytestmark = [pytest.mark.fast, pytest.mark.domain]

VARIABLES = st.one_of(
    st.sampled_from(GATEWAY_ALLOWED),
    st.sampled_from(
        ["HERMES_HOME", "HERMESD_SPAWN_ID", "OPENAI_API_KEY", "PIP_INDEX_URL", "NOTIFY_SOCKET", "VIRTUAL_ENV"]
    ),
    st.sampled_from(["PYTHONPATH", "LD_PRELOAD", "XDG_RUNTIME_DIR", "TMPDIR", "PATH2", "home", "INVOCATION_ID"]),
    st.text(min_size=1).filter(lambda name: "=" not in name and "\x00" not in name),
)
ENVIRONMENTS = st.dictionaries(VARIABLES, st.text())
ACCOUNTS = st.dictionaries(st.sampled_from(["HOME", "USER", "LOGNAME", "SHELL", "PATH"]), st.text())


@given(ENVIRONMENTS, ACCOUNTS)
def test_gateway_gets_the_list_and_nothing_else(inherited: dict[str, str], account: dict[str, str]) -> None:
    """No variable outside the list reaches a gateway, whatever the daemon's environment holds."""
    environment = for_gateway(inherited, account)
    assert environment.keys() <= {*GATEWAY_ALLOWED, *account}
    expected = {name: inherited[name] for name in GATEWAY_ALLOWED if name in inherited}
    assert environment == {**expected, **account}


@given(ENVIRONMENTS, ACCOUNTS)
def test_installer_gets_its_steering_besides(inherited: dict[str, str], account: dict[str, str]) -> None:
    """An installation gets a gateway's environment and the installer's own variables, and nothing else."""
    environment = for_installer(inherited, account)
    added = environment.keys() - for_gateway(inherited, account).keys()
    assert added == {name for name in inherited if name.startswith(INSTALLER_ALLOWED_PREFIX)}
    assert all(environment[name] == inherited[name] for name in added)


@given(st.lists(VARIABLES))
def test_command_loses_what_steers_hermes(names: list[str]) -> None:
    """A command of the agent inherits everything but what could point it at another profile."""
    removed = removed_from_command(names)
    assert set(removed) == {name for name in names if name.startswith(COMMAND_REMOVED_PREFIXES) or is_of_bot(name)}
    assert removed == sorted(removed)


def test_command_loses_what_another_agent_exports() -> None:
    """An agent's own settings are in the environment of whatever runs in its terminal; a terminal's are not."""
    names = ["_HERMES_GATEWAY", "TERMINAL_CWD", "TERMINAL_ENV", "MESSAGING_CWD", "HERMES_HOME"]
    kept = ["TERMINAL_EMULATOR", "TERM", "TERMINAL", "OPENAI_API_KEY", "PATH"]
    assert removed_from_command([*names, *kept]) == sorted(names)


def test_a_command_loses_every_variable_of_a_bot() -> None:
    """Of each platform: what it knows a bot by, what turns it on, and whatever else of it is secret."""
    of_bots = [
        "TELEGRAM_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SIGNAL_ACCOUNT",
        "MATRIX_PASSWORD",
        "IRC_SERVER",
        "API_SERVER_KEY",
    ]
    kept = ["SLACK_THEME", "OPENAI_API_KEY", "MATRIX_COLOURS", "SSH_AUTH_SOCK", "API_SERVER_PORT"]
    assert removed_from_command([*of_bots, *kept]) == sorted(of_bots)
    named = {name for channel in CHANNELS for names, _ in channel.identities for name in names.split("@")}
    every = {*variables(), *named}
    assert set(removed_from_command(every)) == every
    assert {removal_of(name) for name in every} == {Removal.BOT}


def test_a_command_may_lose_every_key_too() -> None:
    """If the settings say so; what only looks like a key stays."""
    keys = ["OPENAI_API_KEY", "GITHUB_TOKEN", "PGPASSWORD", "aws_secret_access_key"]
    kept = ["SSH_ASKPASS", "GNOME_KEYRING_CONTROL", "TOKENIZERS_PARALLELISM", "EDITOR"]
    assert removed_from_command([*keys, *kept]) == []
    assert removed_from_command([*keys, *kept], inherits_keys=False) == sorted(keys)
    assert removal_of("GITHUB_TOKEN", inherits_keys=False) is Removal.KEY


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OPENAI_API_KEY", "sk-1", "…"),
        ("HTTPS_PROXY", "http://ana:pass word@proxy:3128/", "http://ana:pass word@proxy:3128/"),
        ("HTTPS_PROXY", "http://ana:s3cret@proxy:3128/", "http://…@proxy:3128/"),
        ("LANG", "C.UTF-8", "C.UTF-8"),
        ("NOTES", "sk-" + "a1" * 20, "sk-…"),
    ],
)
def test_a_value_is_shown_without_its_secrets(name: str, value: str, expected: str) -> None:
    """A proxy's password among them."""
    assert shown(name, value) == expected


def test_inputs_stay_as_they_are() -> None:
    """The mappings that were given are not changed."""
    inherited, account = {"PATH": "/bin", "PIP_INDEX_URL": "u"}, {"PATH": "/usr/bin"}
    for_gateway(inherited, account)
    for_installer(inherited, account)
    assert (inherited, account) == ({"PATH": "/bin", "PIP_INDEX_URL": "u"}, {"PATH": "/usr/bin"})


@pytest.mark.parametrize(
    "name",
    ["HERMES_HOME", "NOTIFY_SOCKET", "LD_PRELOAD", "PYTHONPATH", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "TMPDIR"],
)
def test_troublemakers_are_not_on_the_list(name: str) -> None:
    """Variables that steer programs, loaders or the daemon itself are not on the list."""
    assert name not in GATEWAY_ALLOWED


def test_account_wins() -> None:
    """Home and path come from the passwd entry even if a shell said otherwise."""
    assert for_gateway({"HOME": "/tmp/x"}, {"HOME": "/home/me"}) == {"HOME": "/home/me"}
