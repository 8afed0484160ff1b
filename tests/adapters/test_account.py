"""How gateways see the account they run under."""

import os
import pwd

import pytest

from hermesd.adapters.account import account, inherited_environment

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def test_the_account_is_the_passwd_entry_in_the_home_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a shell said of user, shell and path does not count; its home does."""
    for name in ("USER", "LOGNAME", "SHELL", "PATH"):
        monkeypatch.setenv(name, "of the shell")
    monkeypatch.setenv("HOME", "/private/home")
    entry = pwd.getpwuid(os.geteuid())
    assert account() == {
        "HOME": "/private/home",
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell,
        "PATH": "/private/home/.local/bin:/usr/local/bin:/usr/bin:/bin",
    }


@pytest.mark.parametrize("home", ["", None])
def test_without_a_home_of_the_daemon_it_is_the_accounts(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """An empty variable is no home."""
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    assert account()["HOME"] == pwd.getpwuid(os.geteuid()).pw_dir


def test_a_uid_without_an_entry_has_an_account_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under any number."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    monkeypatch.delenv("HOME")
    expected = {"HOME": "/", "USER": "4000000000", "SHELL": "/bin/sh"}
    assert {name: account()[name] for name in expected} == expected


def test_the_inherited_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing it changes nothing here."""
    monkeypatch.setenv("CANARY", "sings")
    inherited = inherited_environment()
    assert inherited["CANARY"] == "sings"
    inherited["CANARY"] = "is silent"
    assert os.environ["CANARY"] == "sings"
