"""How the settings file is read."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from hermesd.adapters.settingsfile import read_settings
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.limits import Limit
from hermesd.domain.policy import Policy
from hermesd.domain.settings import BackendKind, ProfileSettings, Settings

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the settings are; nothing is there yet."""
    return tmp_path / "settings.toml"


def test_without_a_file_everything_is_default(file: Path) -> None:
    """Nobody has to write settings."""
    assert read_settings(file) == Settings()


def test_empty_file_is_default(file: Path) -> None:
    """An empty file says nothing."""
    file.touch()
    assert read_settings(file) == Settings()


def test_every_part_of_the_policy_can_be_set(file: Path) -> None:
    """Each key has its place under [gateway], whole numbers and switches included."""
    wanted = {field.name: "false" if field.type is bool else "1" for field in fields(Policy)}
    file.write_text("[gateway]\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items()))
    assert set(asdict(read_settings(file).policy).values()) == {1, False}


@pytest.mark.parametrize("value", ["1", '"yes"'])
def test_a_switch_is_true_or_false(file: Path, value: str) -> None:
    """Anything else is refused with the key."""
    file.write_text(f"[gateway]\nrestart_hung = {value}\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_settings(file)
    assert caught.value.metadata["key"] == "gateway.restart_hung"


def test_keys_may_be_kept_from_commands(file: Path) -> None:
    """They are inherited unless somebody says no; anything but yes and no is refused with the key."""
    assert read_settings(file).inherits_keys
    file.write_text("[environment]\ninherit_keys = false\n")
    assert not read_settings(file).inherits_keys
    for wrong in ("inherit_keys = 0", "inherits = true"):
        file.write_text(f"[environment]\n{wrong}\n")
        with pytest.raises(ConfigInvalid) as caught:
            read_settings(file)
        assert caught.value.metadata["key"] == f"environment.{wrong.split()[0]}"


def test_gateways_can_be_given_variables(file: Path) -> None:
    """Whatever the daemon's own environment says, as where a service manager starts it."""
    assert read_settings(file).gateway_variables == {}
    file.write_text('[environment.gateways]\nTZ = "Europe/Berlin"\nHTTPS_PROXY = ""\nPATH = "/opt/bin"\n')
    assert read_settings(file).gateway_variables == {"TZ": "Europe/Berlin", "HTTPS_PROXY": "", "PATH": "/opt/bin"}


@pytest.mark.parametrize("name", ["TELEGRAM_BOT_TOKEN", "OPENAI_API_KEY", "HERMES_HOME", "HOME", "TERMINAL_CWD"])
def test_what_belongs_to_one_profile_is_given_to_no_other(file: Path, name: str) -> None:
    """A secret in the settings would be every bot's."""
    file.write_text(f'[environment.gateways]\n{name} = "x"\n')
    with pytest.raises(ConfigInvalid, match=r"whose \.env is the place") as caught:
        read_settings(file)
    assert caught.value.metadata["key"] == f"environment.gateways.{name}"


@pytest.mark.parametrize("line", ["TZ = 1", '"a b" = "x"', '"" = "x"', 'TZ = "a\\u0000"'])
def test_a_variable_is_a_name_and_a_text(file: Path, line: str) -> None:
    """Anything else could not be handed over."""
    file.write_text(f"[environment.gateways]\n{line}\n")
    with pytest.raises(ConfigInvalid, match="a variable with a text"):
        read_settings(file)


@pytest.mark.parametrize("value", ["0", "1.5", "-1"])
def test_a_count_must_be_a_whole_number(file: Path, value: str) -> None:
    """Half a start an hour, or none at all, is refused with the key."""
    file.write_text(f"[gateway]\nstarts_per_hour = {value}\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_settings(file)
    assert caught.value.metadata["key"] == "gateway.starts_per_hour"


@pytest.mark.parametrize("value", ["0", "0.99"])
def test_looks_closer_together_than_a_second_are_refused(file: Path, value: str) -> None:
    """A round takes time too: its looks would be so much further apart than wanted that they prove nothing."""
    file.write_text(f"[gateway]\nlook_s = {value}\n")
    with pytest.raises(ConfigInvalid, match="1 or more") as caught:
        read_settings(file)
    assert caught.value.metadata["key"] == "gateway.look_s"


def test_unset_times_keep_their_defaults(file: Path) -> None:
    """One key changes one thing."""
    file.write_text("[gateway]\nstart_limit_s = 12.5\n")
    assert read_settings(file).policy == Policy(start_limit_s=12.5)


def test_limits_hold_for_every_gateway_and_a_profile_may_have_its_own(file: Path) -> None:
    """In bytes or with a unit; a profile changes one of them, or lifts it, and keeps the others."""
    file.write_text(
        '[gateway]\nmemory_max = "2G"\ncpu_quota = 150\n'
        "[profile.heavy]\nmemory_max = 8589934592\ntasks_max = 500\n"
        '[profile.free]\nmemory_max = "none"\n'
    )
    settings = read_settings(file)
    common = {Limit.MEMORY_MAX: 2 << 30, Limit.CPU_QUOTA: 150}
    assert settings.limits_of("coder") == common
    assert settings.limits_of("heavy") == {**common, Limit.MEMORY_MAX: 8 << 30, Limit.TASKS_MAX: 500}
    assert settings.limits_of("free") == {Limit.CPU_QUOTA: 150}
    assert settings.policy == Policy()


@pytest.mark.parametrize(("text", "size"), [("1K", 1 << 10), ("512M", 512 << 20), ("1T", 1 << 40), ("none", None)])
def test_a_size_may_have_a_unit(file: Path, text: str, size: int | None) -> None:
    """Powers of 1024, as service managers have them."""
    file.write_text(f'[gateway]\nmemory_max = "{text}"\n')
    assert read_settings(file).limits == {Limit.MEMORY_MAX: size}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("memory_max", value) for value in ('"2 GB"', '"0M"', '"1.5G"', "0", "-1", "true", "1e9", '"99999T"')),
        *(("cpu_quota", value) for value in ('"50%"', "0", "1.5", "[]")),
        *(("tasks_max", value) for value in ('"1K"', "-5", "false")),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(file: Path, key: str, value: str) -> None:
    """With its key, for everybody or for one profile."""
    for table in ("gateway", "profile.coder"):
        file.write_text(f"[{table}]\n{key} = {value}\n")
        with pytest.raises(ConfigInvalid) as caught:
            read_settings(file)
        assert caught.value.metadata["key"] == f"{table}.{key}"


def test_profile_can_have_a_command(file: Path) -> None:
    """A program to supervise in place of hermes-agent."""
    file.write_text('[profile.web]\ncommand = ["/usr/bin/agent", "serve"]\n[profile.coder]\n')
    settings = read_settings(file)
    assert settings.of("web") == ProfileSettings(("/usr/bin/agent", "serve"))
    assert settings.of("coder") == settings.of("unnamed") == ProfileSettings()


@pytest.mark.parametrize("kind", BackendKind)
def test_backend_can_be_chosen(file: Path, kind: BackendKind) -> None:
    """Nobody has to: it is found out."""
    file.write_text(f'[daemon]\nbackend = "{kind}"\n')
    assert read_settings(file).backend is kind
    assert Settings().backend is BackendKind.AUTO


@pytest.mark.parametrize(("days", "kept_s"), [("0", 0.0), ("1.5", 129_600.0), ("30", 2_592_000.0)])
def test_how_long_the_trash_is_kept_can_be_chosen(file: Path, days: str, kept_s: float) -> None:
    """In days; a week unless something else is said."""
    file.write_text(f"[daemon]\ntrash_days = {days}\n")
    assert read_settings(file).trash_kept_s == kept_s
    assert Settings().trash_kept_s == 604_800


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("[gatway]\n", "gatway", "gateway, profile"),
        ("daemon = 3\n", "daemon", "a table"),
        ("[daemon]\nback = 3\n", "daemon.back", "backend"),
        ("[daemon]\ntrash_days = -1\n", "daemon.trash_days", "0 or more"),
        ('[daemon]\ntrash_days = "a week"\n', "daemon.trash_days", "a number"),
        ("[daemon]\ntrash_days = 1e9\n", "daemon.trash_days", "from 0 to 36500"),
        ('[daemon]\nbackend = "s6"\n', "daemon.backend", "auto, session, systemd"),
        ("[daemon]\nbackend = []\n", "daemon.backend", "auto, session, systemd"),
        ("[gateway]\nstart = 3\n", "gateway.start", "start_limit_s"),
        ('[gateway]\nstable_s = "60"\n', "gateway.stable_s", "a number, 0 or more"),
        ("[gateway]\nstable_s = true\n", "gateway.stable_s", "a number, 0 or more"),
        ("[gateway]\nstable_s = -1\n", "gateway.stable_s", "a number, 0 or more"),
        ("[gateway]\nstable_s = inf\n", "gateway.stable_s", "a number, 0 or more"),
        ("[gateway]\nstable_s = nan\n", "gateway.stable_s", "a number, 0 or more"),
        ("[gateway]\njitter = 1.5\n", "gateway.jitter", "0 to 1"),
        ("gateway = 3\n", "gateway", "a table"),
        ("profile = []\n", "profile", "a table"),
        ("[profile]\ncoder = 1\n", "profile.coder", "a table"),
        ('[profile."Bad Name"]\n', "profile.Bad Name", "profile name"),
        ("[profile.Coder]\n", "profile.Coder", "profile name"),
        ("[profile.coder]\ncmd = []\n", "profile.coder.cmd", "command"),
        ('[profile.coder]\ncommand = "run"\n', "profile.coder.command", "list of words"),
        ("[profile.coder]\ncommand = [1]\n", "profile.coder.command", "list of words"),
        ('[profile.coder]\ncommand = ["a\\u0000"]\n', "profile.coder.command", "list of words"),
    ],
)
def test_mistake_is_named_with_what_is_allowed(file: Path, text: str, key: str, allowed: str) -> None:
    """The failure says which file, which key, and what would be right."""
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as caught:
        read_settings(file)
    assert caught.value.metadata == {"path": str(file), "key": key}
    assert allowed in caught.value.message
    assert key in caught.value.message


@pytest.mark.parametrize("data", [b"[gateway\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_file_that_is_no_toml_is_refused(file: Path, data: bytes) -> None:
    """Also one in another encoding."""
    file.write_bytes(data)
    with pytest.raises(ConfigInvalid, match="TOML") as caught:
        read_settings(file)
    assert caught.value.metadata == {"path": str(file)}


def test_file_that_cannot_be_read_is_refused(file: Path) -> None:
    """Settings that are there are not ignored."""
    file.mkdir()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_settings(file)
