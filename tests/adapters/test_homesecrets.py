"""Which values of a home are secret, wherever they are kept."""

import json
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_config import hide_settings
from hermesd.adapters.agents.homesecrets import read_secrets
from hermesd.domain.errors import ConfigInvalid
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def value(number: int) -> str:
    """A secret of its own."""
    return f"canary-{number:02}-of-a-secret"


PLACES = {
    ".env": f"MY_TOKEN={value(0)}\nexport OPENAI_API_KEY='{value(1)}'\nLEVEL=7\nKEY_FILE=~/key\n",
    ".op.env": f"OP_SERVICE_TOKEN={value(2)}\n",
    ".env.bak": f"OLD_TOKEN={value(3)}\n",
    "config.yaml": f"model: {{api_key: {value(4)}, default: a-model-with-a-long-name}}\n",
    "auth.json": json.dumps(
        {"credential_pool": {"anthropic": [{"access_token": value(5), "base_url": "https://a.b"}]}}
    ),
    ".anthropic_oauth.json": json.dumps({"refreshToken": value(6)}),
    "mcp-tokens/web.json": json.dumps({"access_token": value(7)}),
    "honcho.json": json.dumps({"apiKey": value(8), "workspace": "a-workspace-of-mine"}),
    "whatsapp/session/creds.json": json.dumps({"noiseKey": {"private": {"data": value(9)}}}),
    "google_token.json": json.dumps({"token": value(10), "client_secret": value(11)}),
    "slack_tokens.json": json.dumps({"T1": {"bot_token": value(12)}}),
}


def test_every_known_place_is_read(tmp_path: Path) -> None:
    """And what is no secret there is none."""
    home = home_at(tmp_path)
    for name, text in PLACES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = read_secrets(home)
    assert {one.value for one in found} == {value(number) for number in range(13)}
    assert {one.file for one in found} == set(PLACES)
    assert {one.profile for one in found} == {"coder"}
    assert not any(value(number) in repr(found) for number in range(13))


def test_what_cannot_be_read_holds_none(tmp_path: Path) -> None:
    """Damaged, a directory, a pipe, or too large."""
    home = home_at(tmp_path, auth__json="{", config__yaml="a: [")
    (tmp_path / ".env").mkdir()
    (tmp_path / "mcp-tokens").mkdir()
    (tmp_path / "mcp-tokens" / "big.json").write_text(json.dumps({"token": "x" * (2 << 20)}))
    assert read_secrets(home) == []
    assert read_secrets(home_at(tmp_path / "empty")) == []


def test_settings_are_hidden_however_short_they_are(tmp_path: Path) -> None:
    """By their keys; in comments too. What is not asked for is not written."""
    text = "model:\n  api_key: abc  # mine\n  default: gpt-5\n# api_key: old-secret-0123\nproxy: http://a:pw@b/\n"
    path = home_at(tmp_path, config__yaml=text).path / "config.yaml"
    assert hide_settings(path, is_written=False) == ["proxy", "model.api_key", "a comment"]
    assert path.read_text() == text
    hide_settings(path, is_written=True)
    assert path.read_text() == (
        "model:\n  api_key: REDACTED  # mine\n  default: gpt-5\n# api_key: REDACTED\nproxy: REDACTED\n"
    )
    assert hide_settings(path, is_written=False) == []


def test_settings_that_cannot_be_read_are_not_handed_out(tmp_path: Path) -> None:
    """Nobody can tell what they hold; where there are none, there is nothing to hide."""
    path = home_at(tmp_path, config__yaml="a: [").path / "config.yaml"
    with pytest.raises(ConfigInvalid):
        hide_settings(path, is_written=True)
    path.unlink()
    assert hide_settings(path, is_written=True) == []
