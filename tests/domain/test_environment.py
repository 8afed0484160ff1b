"""The environments of the agent's processes: nothing outside the written-out lists ever passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.environment import (
    COMMAND_REMOVED_PREFIXES,
    GATEWAY_ALLOWED,
    INSTALLER_ALLOWED_PREFIX,
    for_gateway,
    for_installer,
    removed_from_command,
)

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
    assert set(removed) == {name for name in names if name.startswith(COMMAND_REMOVED_PREFIXES)}
    assert removed == sorted(removed)


def test_command_loses_what_another_agent_exports() -> None:
    """An agent's own settings are in the environment of whatever runs in its terminal; a terminal's are not."""
    names = ["_HERMES_GATEWAY", "TERMINAL_CWD", "TERMINAL_ENV", "MESSAGING_CWD", "HERMES_HOME"]
    kept = ["TERMINAL_EMULATOR", "TERM", "TERMINAL", "OPENAI_API_KEY", "PATH"]
    assert removed_from_command([*names, *kept]) == sorted(names)


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
