"""Bringing a home of hermes-agent to a model and an API."""

import socket
from pathlib import Path

import pytest

from hermesd.adapters.agents import hermes_api
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.agent import ModelEndpoint, Setup
from hermesd.domain.errors import ArgumentInvalid, ConfigInvalid, PortInUse
from hermesd.domain.listening import FIRST_API_PORT
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

AGENT = HermesAgent()
OLLAMA = "http://127.0.0.1:11434/v1"
SECRET = "sk-very-secret-0123"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path)


def set_up(home: Home, endpoint: ModelEndpoint | None = None, **api: int) -> list[str]:
    """Sets a home up, with an API if a port is named, 0 for any."""
    setup = Setup(endpoint, enable_api_server="port" in api, api_server_port=api.get("port", 0))
    return AGENT.set_up(home, setup, taken_ports=frozenset())


def snapshot(home: Home) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its inode, time and bytes."""
    files = sorted(home.path.iterdir())
    return {f.name: (f.stat().st_ino, f.stat().st_mtime_ns, f.read_bytes()) for f in files}


def test_a_model_without_a_key_needs_no_secrets(home: Home) -> None:
    """As Ollama's."""
    set_up(home, ModelEndpoint("qwen3:8b", OLLAMA))
    assert read_yaml(home.path / "config.yaml") == {
        "model": {"default": "qwen3:8b", "provider": "custom", "base_url": OLLAMA}
    }
    assert not (home.path / ".env").exists()


def test_a_key_lies_in_env_alone(home: Home) -> None:
    """The configuration, which people show each other, only names it; so do the words about the change."""
    changes = set_up(home, ModelEndpoint("m", "https://api.example.com/v1", "EXAMPLE_API_KEY", SECRET))
    assert read_env(home.path / ".env") == {"EXAMPLE_API_KEY": SECRET}
    assert read_yaml(home.path / "config.yaml")["model"]["api_key"] == "${EXAMPLE_API_KEY}"
    assert SECRET not in (home.path / "config.yaml").read_text()
    assert SECRET not in " ".join(changes)


def test_both_files_are_private(home: Home) -> None:
    """Also one that was not."""
    (home.path / ".env").touch(0o644)
    set_up(home, ModelEndpoint("m", OLLAMA, "K", SECRET))
    assert {f.name: f.stat().st_mode & 0o777 for f in home.path.iterdir()} == {".env": 0o600, "config.yaml": 0o600}


def test_setting_up_twice_touches_nothing(home: Home) -> None:
    """Not even the files' times."""
    endpoint = ModelEndpoint("m", OLLAMA, "K", SECRET)
    assert set_up(home, endpoint, port=0)
    before = snapshot(home)
    assert set_up(home, endpoint, port=0) == []
    assert snapshot(home) == before


def test_empty_fields_keep_what_is_configured(home: Home) -> None:
    """Only the address changes here, and the rest of the file stays byte for byte."""
    text = "# mine\nmodel:\n  default: m # good\n  provider: custom\n  base_url: http://a/v1\nterminal: {x: 1}\n"
    (home.path / "config.yaml").write_text(text)
    assert set_up(home, ModelEndpoint(base_url="http://b/v1")) == ["the model's address is http://b/v1"]
    assert (home.path / "config.yaml").read_text() == text.replace("//a", "//b")


def test_a_model_written_alone_becomes_part_of_its_section(home: Home) -> None:
    """Its name is kept."""
    (home.path / "config.yaml").write_text("model: gpt-5 # why\n")
    set_up(home, ModelEndpoint(base_url=OLLAMA))
    model = read_yaml(home.path / "config.yaml")["model"]
    assert model == {"default": "gpt-5", "provider": "custom", "base_url": OLLAMA}


def test_a_key_alone_is_only_kept(home: Home) -> None:
    """Providers that the agent knows find their key by its name."""
    assert set_up(home, ModelEndpoint("m", "", "OPENROUTER_API_KEY", SECRET)) == [
        "the model is m",
        "OPENROUTER_API_KEY is in .env",
    ]
    assert "api_key" not in read_yaml(home.path / "config.yaml")["model"]


def test_a_key_that_is_there_already_can_be_named(home: Home) -> None:
    """Its value need not be given again; one that is nowhere is refused before anything is written."""
    with pytest.raises(ArgumentInvalid, match="MY_KEY has no value"):
        set_up(home, ModelEndpoint("m", OLLAMA, "MY_KEY"))
    assert list(home.path.iterdir()) == []
    (home.path / ".env").write_text(f"MY_KEY={SECRET}\n")
    set_up(home, ModelEndpoint("m", OLLAMA, "MY_KEY"))
    assert read_yaml(home.path / "config.yaml")["model"]["api_key"] == "${MY_KEY}"


def test_a_key_does_not_follow_the_address_to_another_host(home: Home) -> None:
    """A reference to it is dropped; a key that stands in the file itself is left to its owner."""
    set_up(home, ModelEndpoint("m", "https://a.example/v1", "MY_KEY", SECRET))
    set_up(home, ModelEndpoint(base_url="https://a.example/v2"))
    assert read_yaml(home.path / "config.yaml")["model"]["api_key"] == "${MY_KEY}"
    set_up(home, ModelEndpoint(base_url="https://b.example/v1"))
    assert read_yaml(home.path / "config.yaml")["model"]["api_key"] == ""
    (home.path / "config.yaml").write_text(f"model: {{base_url: 'https://a.example/v1', api_key: {SECRET}}}\n")
    before = snapshot(home)
    with pytest.raises(ArgumentInvalid) as failure:
        set_up(home, ModelEndpoint(base_url="https://b.example/v1"))
    assert SECRET not in str(failure.value)
    assert snapshot(home) == before


@pytest.mark.parametrize(
    "base_url",
    [
        "127.0.0.1:11434",
        "ftp://h/v1",
        "http://",
        "http://h:99999/v1",
        "http://h/a b",
        "http://h/\n",
        "http://[::1/v1",
        "http://user:secret@h/v1",
        "http://${HOST}/v1",
    ],
)
def test_an_address_that_is_none_is_refused(home: Home, base_url: str) -> None:
    """Before anything is written; a password in it is not repeated."""
    with pytest.raises(ArgumentInvalid) as failure:
        set_up(home, ModelEndpoint("m", base_url))
    assert "secret" not in str(failure.value)
    assert list(home.path.iterdir()) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        ModelEndpoint("a\nb"),
        ModelEndpoint(" a"),
        ModelEndpoint("m", OLLAMA, "MY KEY", SECRET),
        ModelEndpoint("m", OLLAMA, "PATH", SECRET),
        ModelEndpoint("m", OLLAMA, "LD_PRELOAD", SECRET),
        ModelEndpoint("m", OLLAMA, "hermes_home", SECRET),
        ModelEndpoint("m", OLLAMA, "API_SERVER_KEY", SECRET),
        ModelEndpoint("m", OLLAMA, "", SECRET),
        ModelEndpoint("m", OLLAMA, "MY_KEY", "line\nbreak"),
        ModelEndpoint("m", OLLAMA, "MY_KEY", "schlüssel"),
    ],
)
def test_names_and_keys_that_would_do_harm_are_refused(home: Home, endpoint: ModelEndpoint) -> None:
    """Before anything is written, and without showing the key."""
    with pytest.raises(ArgumentInvalid) as failure:
        set_up(home, endpoint)
    assert not endpoint.key or endpoint.key not in str(failure.value)
    assert list(home.path.iterdir()) == []


def test_a_damaged_file_is_not_overwritten(home: Home) -> None:
    """A person must mend it."""
    (home.path / "config.yaml").write_text("model: [\n")
    with pytest.raises(ConfigInvalid):
        set_up(home, ModelEndpoint("m", OLLAMA), port=0)
    assert [f.name for f in home.path.iterdir()] == ["config.yaml"]


def test_an_api_gets_a_key_and_a_port_of_its_own(home: Home) -> None:
    """Reachable from this machine only; the key is not among the words."""
    changes = set_up(home, port=0)
    env = read_env(home.path / ".env")
    assert (env["API_SERVER_ENABLED"], env["API_SERVER_HOST"]) == ("true", "127.0.0.1")
    assert len(env["API_SERVER_KEY"]) >= 43
    assert AGENT.facts(home).api_server.port == int(env["API_SERVER_PORT"]) >= FIRST_API_PORT
    assert AGENT.facts(home).problems == ()
    assert env["API_SERVER_KEY"] not in " ".join(changes)
    assert not (home.path / "config.yaml").exists()


def test_the_lowest_free_port_is_chosen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past what other profiles have and what strangers hold."""
    stranger = FIRST_API_PORT + 1
    monkeypatch.setattr(hermes_api, "is_free", lambda host, port: port != stranger)
    setup = Setup(enable_api_server=True)
    AGENT.set_up(home, setup, taken_ports=frozenset({FIRST_API_PORT, FIRST_API_PORT + 2}))
    assert AGENT.facts(home).api_server.port == FIRST_API_PORT + 3


def test_no_free_port_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than taking one that is in use."""
    monkeypatch.setattr(hermes_api, "is_free", lambda host, port: False)
    with pytest.raises(PortInUse):
        set_up(home, port=0)


def test_an_asked_port_must_be_free(home: Home) -> None:
    """Or it is said who has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        with pytest.raises(PortInUse) as failure:
            set_up(home, port=port)
        assert failure.value.metadata["port"] == str(port)
    set_up(home, port=port)
    assert AGENT.facts(home).api_server.port == port
    with pytest.raises(ArgumentInvalid):
        set_up(home_at(home.path / "other"), port=70_000)


@pytest.mark.parametrize("env", ["API_SERVER_KEY=short\n", "API_SERVER_ENABLED=1\n"])
def test_an_api_that_is_enabled_is_left_alone(home: Home, env: str) -> None:
    """Even where it is configured badly: that is among the problems."""
    (home.path / ".env").write_text(env)
    assert set_up(home, port=9_000) == []
    assert (home.path / ".env").read_text() == env


def test_a_linked_file_is_changed_where_it_lies(home: Home, tmp_path: Path) -> None:
    """Who keeps the configuration elsewhere keeps it there."""
    elsewhere = tmp_path / "dotfiles.yaml"
    elsewhere.write_text("a: 1\n")
    (home.path / "config.yaml").symlink_to(elsewhere)
    set_up(home, ModelEndpoint("m"))
    assert (home.path / "config.yaml").is_symlink()
    assert read_yaml(elsewhere)["model"] == {"default": "m"}
