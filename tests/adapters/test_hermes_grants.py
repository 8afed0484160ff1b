"""The logins of a hermes-agent home, by the files in which 0.19.0 keeps them."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hermesd.adapters.agents.hermes_grants import read_grants
from hermesd.domain.grants import Renewal

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def write(path: Path, data: Any) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def found(home: Path) -> list[tuple[str, str, Renewal]]:
    """Whose they are, where they lie, and what a renewal does."""
    return [(one.provider, one.source, one.renewal) for one in read_grants(home)]


def test_every_place_is_read(tmp_path: Path) -> None:
    """The agent's store in both of its shapes, its pool, Anthropic's file and MCP servers."""
    pool = {
        "xai-oauth": [{"auth_type": "oauth", "refresh_token": "x"}, {"auth_type": "api_key", "access_token": "k"}],
        "photon_project": [{"project_secret": "s"}],
    }
    providers = {"nous": {"refresh_token": "n"}, "openai-codex": {"tokens": {"refresh_token": "c"}}}
    write(tmp_path / "auth.json", {"version": 1, "providers": providers, "credential_pool": pool})
    write(tmp_path / ".anthropic_oauth.json", {"accessToken": "a", "refreshToken": "r"})
    write(tmp_path / "mcp-tokens" / "github.json", {"access_token": "a", "refresh_token": "g"})
    write(tmp_path / "mcp-tokens" / "github.client.json", {"refresh_token": "no"})
    write(tmp_path / "mcp-tokens" / "github.meta.json", {"refresh_token": "no"})
    write(tmp_path / "google_token.json", {"refresh_token": "reusable"})
    assert found(tmp_path) == [
        ("nous", "auth.json", Renewal.FOLLOWED),
        ("openai-codex", "auth.json", Renewal.ENDS),
        ("xai-oauth", "auth.json", Renewal.ENDS),
        ("anthropic", ".anthropic_oauth.json", Renewal.ENDS),
        ("mcp github", "mcp-tokens/github.json", Renewal.MAY_END),
    ]


def test_a_login_in_the_store_and_in_the_pool_is_one(tmp_path: Path) -> None:
    """The agent keeps it in both."""
    tokens = {"refresh_token": "c"}
    pool = {"openai-codex": [{"refresh_token": "c", "source": "device_code"}]}
    write(tmp_path / "auth.json", {"providers": {"openai-codex": {"tokens": tokens}}, "credential_pool": pool})
    (one,) = read_grants(tmp_path)
    assert one.digest == sha256(b"c").hexdigest()
    assert one.login == ("auth", "add", "openai-codex")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"providers": []}',
        '{"providers": {"a": 1, "b": {"tokens": []}, "c": {"refresh_token": 5}, "d": {"refresh_token": " "}}}',
        '{"credential_pool": {"a": {}, "b": [1, null], "c": "x"}}',
        "\x00\xff",
    ],
)
def test_what_cannot_be_read_grants_nothing(tmp_path: Path, text: str) -> None:
    """And is no failure: a doctor that dies of a broken file helps nobody."""
    for name in ("auth.json", ".anthropic_oauth.json", "mcp-tokens/x.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    assert read_grants(tmp_path) == []


def test_no_token_leaves_the_reader(tmp_path: Path) -> None:
    """Only its digest does, whatever characters it has."""
    write(tmp_path / "auth.json", {"providers": {"p": {"refresh_token": "rt-\ud800-secret"}}})
    (one,) = read_grants(tmp_path)
    assert "secret" not in repr(one)
    assert len(one.digest) == 64
