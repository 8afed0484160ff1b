"""By what a gateway could be reached, as hermes-agent's own rules have it."""

import json
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

EMAIL = "EMAIL_ADDRESS=a@b\n"


def channels(path: Path, **files: str) -> tuple[str, ...]:
    """What reaches a home with these files."""
    return HermesAgent().facts(home_at(path / "profiles" / "coder", **files)).channels


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ("TELEGRAM_BOT_TOKEN=1:a\n", ("telegram",)),
        ("TELEGRAM_BOT_TOKEN=\n", ()),
        ("TELEGRAM_HOME_CHANNEL=5\n", ()),
        ("WHATSAPP_ENABLED=true\n", ("whatsapp",)),
        ("WHATSAPP_ENABLED=false\n", ()),
        ("WEBHOOK_ENABLED=1\nWEBHOOK_PORT=9\n", ("webhook",)),
        ("WEBHOOK_SECRET=x\n", ()),
        ("MATRIX_PASSWORD=x\nSLACK_BOT_TOKEN=y\n", ("matrix", "slack")),
        ("SIGNAL_ACCOUNT=+1\n", ()),
        ("SIGNAL_ACCOUNT=+1\nSIGNAL_HTTP_URL=http://h\n", ("signal",)),
        ("IRC_SERVER=s\nIRC_CHANNEL=c\n", ("irc",)),
        ("TWILIO_ACCOUNT_SID=s\n", ("sms",)),
        ("API_SERVER_KEY=0123456789abcdef\n", ("api_server",)),
        ("API_SERVER_ENABLED=true\n", ("api_server",)),
        ("API_SERVER_PORT=9\n", ()),
        ("GATEWAY_RELAY_URL=wss://r\n", ("relay",)),
        ("OPENAI_API_KEY=sk\n", ()),
    ],
)
def test_variables_enable_platforms(tmp_path: Path, env: str, found: tuple[str, ...]) -> None:
    """Those that the agent asks for, and all of them where it wants more than one."""
    assert channels(tmp_path, __env=env) == found


@pytest.mark.parametrize(
    ("config", "env", "found"),
    [
        ("platforms: {telegram: {enabled: true}}", "", ("telegram",)),
        ("platforms: {telegram: {enabled: 'no', token: x}}", "", ()),
        ("platforms: {telegram: {token: x}}", "", ("telegram",)),
        ("telegram: {enabled: false}", "TELEGRAM_BOT_TOKEN=1:a\n", ()),
        ("telegram: {require_mention: true}", "", ()),
        ("gateway: {platforms: {telegram: {enabled: false}}}", "TELEGRAM_BOT_TOKEN=1:a\n", ()),
        (
            "gateway: {platforms: {telegram: {enabled: false}}}\nplatforms: {telegram: {enabled: true}}",
            "",
            ("telegram",),
        ),
        ("email: {enabled: false}", EMAIL, ("email",)),
        ("platforms: {whatsapp: {enabled: true}}", "", ("whatsapp",)),
        ("platforms: {whatsapp: {enabled: true}}", "WHATSAPP_ENABLED=no\n", ()),
        ("platforms: {webhook: {enabled: true}, api_server: {enabled: true}}", "", ("api_server", "webhook")),
        ("platforms: {pigeon: {enabled: true}}", "", ("pigeon",)),
        ("platforms: {pigeon: on}\nmemory: {enabled: true}", "", ()),
        ("gateway: {relay_url: 'wss://r'}", "", ("relay",)),
        ("TELEGRAM_BOT_TOKEN: '1:a'", "", ("telegram",)),
        ("secrets: {onepassword: {enabled: true, env: {DISCORD_BOT_TOKEN: 'op://a/b'}}}", "", ("discord",)),
        ("secrets: {bitwarden: {enabled: true, project_id: x}}", "", ("unknown",)),
        ("secrets: {bitwarden: {enabled: false}}", "", ()),
        ("gateway: {multiplex_profiles: true}", "", ()),
    ],
)
def test_the_configuration_enables_and_disables(
    tmp_path: Path, config: str, env: str, found: tuple[str, ...]
) -> None:
    """Where it may: some platforms are enabled by variables whatever it says."""
    assert channels(tmp_path, config__yaml=config, __env=env) == found


def test_older_settings_and_safes_count(tmp_path: Path) -> None:
    """`gateway.json`, which is still read, and secrets that lie elsewhere."""
    legacy = json.dumps({"platforms": {"discord": {"enabled": True}, "slack": {"enabled": False, "token": "x"}}})
    found = channels(tmp_path, gateway__json=legacy, __op__env="TELEGRAM_BOT_TOKEN=op://vault/bot/token\n")
    assert found == ("discord", "telegram")


@pytest.mark.parametrize(("name", "text"), [("config__yaml", "a: ["), ("__env", "\udcff"), ("gateway__json", "{")])
def test_what_cannot_be_read_may_hold_a_channel(tmp_path: Path, name: str, text: str) -> None:
    """So that no bot stays silent for a typing error."""
    home = home_at(tmp_path / "profiles" / "coder")
    (home.path / name.replace("__", ".")).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert HermesAgent().facts(home).channels == ("unknown",)


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        ({"jobs": [{"id": "a"}]}, ("cron",)),
        ([{"id": "a", "enabled": False}, {"id": "b", "enabled": True}], ("cron",)),
        ({"jobs": [{"id": "a", "enabled": False, "state": "paused"}]}, ()),
        ({"jobs": []}, ()),
        ("nonsense", ()),
    ],
)
def test_jobs_set_a_gateway_to_work(tmp_path: Path, jobs: object, found: tuple[str, ...]) -> None:
    """Those that the scheduler would run; what it cannot read it runs none of."""
    home = home_at(tmp_path / "profiles" / "coder")
    (home.path / "cron").mkdir()
    (home.path / "cron" / "jobs.json").write_text(json.dumps(jobs))
    assert HermesAgent().facts(home).channels == found


@pytest.mark.parametrize("text", ["gateway: {multiplex_profiles: true}", "multiplex_profiles: 'yes'"])
def test_the_roots_gateway_may_serve_others_platforms(tmp_path: Path, text: str) -> None:
    """Only the root's can."""
    facts = HermesAgent().facts(home_at(tmp_path / ".hermes", "default", config__yaml=text))
    assert facts.channels == ("multiplex_profiles",)
