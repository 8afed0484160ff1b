"""What a home's gateway needs for itself alone, read from the files that people and the agent write."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.domain.channels import CHANNELS
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.exclusivity import RULES, variables

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def digest(value: str) -> str:
    """How a value is claimed."""
    return sha256(value.encode()).hexdigest()


def claims_of(home: Path, env: str = "", config: Any = None, **files: str) -> list[Claim]:
    """Of a home with these files."""
    home.mkdir(parents=True, exist_ok=True)
    (home / ".env").write_text(env)
    (home / "config.yaml").write_text(config if isinstance(config, str) else yaml.safe_dump(config or {}))
    for name, text in files.items():
        (home / name.replace("__", ".")).write_text(text)
    return read_claims(home)


def told(claims: list[Claim]) -> list[tuple[str, str, str]]:
    """Platform, source, and value or port of each."""
    return [(one.platform, one.source, one.digest or str(one.port)) for one in claims]


def test_variables_win_over_sections_and_both_name_their_place(tmp_path: Path) -> None:
    """Only one of the two is what the gateway connects as."""
    config = {"platforms": {"telegram": {"enabled": True, "token": "1:configured"}}}
    assert told(claims_of(tmp_path, "TELEGRAM_BOT_TOKEN=1:set\n", config)) == [
        ("telegram", "TELEGRAM_BOT_TOKEN", digest("1:set"))
    ]
    assert told(claims_of(tmp_path, "", config)) == [
        ("telegram", "platforms.telegram.token", digest("1:configured"))
    ]


def test_a_platform_that_is_off_claims_nothing(tmp_path: Path) -> None:
    """A token that only tools use must not park a gateway."""
    off = {"gateway": {"platforms": {"Telegram": {"enabled": "no"}}}}
    assert claims_of(tmp_path, "TELEGRAM_BOT_TOKEN=1:set\n", off) == []
    assert claims_of(tmp_path, "WHATSAPP_ENABLED=false\n", {"platforms": {"whatsapp": {"enabled": True}}}) == []


def test_settings_of_older_versions_count_last(tmp_path: Path) -> None:
    """They are still read."""
    legacy = json.dumps({"platforms": {"mattermost": {"enabled": True, "token": "old"}}})
    assert told(claims_of(tmp_path, gateway__json=legacy)) == [
        ("mattermost", "gateway.json.mattermost.token", digest("old"))
    ]


def test_a_reference_is_what_it_leads_to(tmp_path: Path) -> None:
    """One that leads nowhere is no bot: two profiles that lack the same variable do not share one."""
    config = {"platforms": {"telegram": {"enabled": True, "token": "1:${PART}"}}}
    assert told(claims_of(tmp_path, "PART=x\n", config))[0][2] == digest("1:x")
    assert claims_of(tmp_path, "", config) == []


def test_identities_of_several_values_are_one_with_what_is_usual(tmp_path: Path) -> None:
    """Said or not, it is the same nick on the same server, and the same topic."""
    usual = claims_of(tmp_path / "a", "IRC_SERVER=irc.example\nIRC_CHANNEL=#a\nNTFY_TOPIC=t\n")
    said = claims_of(
        tmp_path / "b",
        "IRC_SERVER=irc.example\nIRC_CHANNEL=#b\nIRC_NICKNAME=hermes-bot\n"
        "NTFY_TOPIC=t\nNTFY_SERVER_URL=https://ntfy.sh/\n",
    )
    assert [one.key for one in usual] == [one.key for one in said]
    assert usual[0].source == "IRC_SERVER"


def test_a_mailbox_is_one_however_it_is_capitalised(tmp_path: Path) -> None:
    """People write theirs both ways."""
    rest = "EMAIL_PASSWORD=p\nEMAIL_IMAP_HOST=i\nEMAIL_SMTP_HOST=s\n"
    first = claims_of(tmp_path / "a", f"EMAIL_ADDRESS=Ana@Example.org\n{rest}")
    assert first == claims_of(tmp_path / "b", f"EMAIL_ADDRESS=ana@example.org\n{rest}")


@pytest.mark.parametrize(
    ("env", "lock"),
    [
        ("TELEGRAM_BOT_TOKEN=1:a", f"telegram-bot-token-{digest('1:a')[:16]}.lock"),
        ("SLACK_BOT_TOKEN=b\nSLACK_APP_TOKEN=app", f"slack-app-token-{digest('app')[:16]}.lock"),
        ("IRC_SERVER=s\nIRC_CHANNEL=c\nIRC_NICKNAME=n", f"irc-{digest('s:n')[:16]}.lock"),
        ("MATTERMOST_TOKEN=m", ""),
    ],
)
def test_the_agents_own_lock_is_named(tmp_path: Path, env: str, lock: str) -> None:
    """As the agent names it, to find out who took it by hand."""
    assert [one.agents_lock for one in claims_of(tmp_path, env)] == [lock]


def test_the_lock_of_line_is_named_by_a_digest_of_a_digest(tmp_path: Path) -> None:
    """As the agent does it."""
    claims = claims_of(tmp_path, "LINE_CHANNEL_ACCESS_TOKEN=t\nLINE_CHANNEL_SECRET=s\n")
    assert claims[0].agents_lock == f"line-{digest(digest('t')[:16])[:16]}.lock"


def test_a_login_is_a_directory_and_a_device(tmp_path: Path) -> None:
    """A copied login is the same device elsewhere; a directory is one wherever a link leads to it from."""
    session = tmp_path / "a" / "platforms" / "whatsapp" / "session"
    session.mkdir(parents=True)
    (session / "creds.json").write_text('{"me": {"id": "49:7@s"}}')
    directory, device, port = claims_of(tmp_path / "a", "WHATSAPP_ENABLED=true\n")
    assert (directory.kind, directory.source) == (ClaimKind.LOGIN, "platforms/whatsapp/session")
    assert directory.agents_lock == f"whatsapp-session-{digest(str(session))[:16]}.lock"
    assert (device.kind, device.digest) == (ClaimKind.BOT, digest("49:7@s"))
    assert (port.kind, port.port) == (ClaimKind.PORT, 3000)
    (tmp_path / "link").symlink_to(session)
    config = {"platforms": {"whatsapp": {"extra": {"session_path": str(tmp_path / "link"), "bridge_port": 3001}}}}
    claims = claims_of(tmp_path / "b", "WHATSAPP_ENABLED=true\n", config)
    assert [one.key for one in claims[:2]] == [directory.key, device.key]
    assert claims[2].port == 3001


def test_an_older_login_counts_while_it_has_anything_in_it(tmp_path: Path) -> None:
    """An empty directory of that name does not."""
    (tmp_path / "whatsapp" / "session").mkdir(parents=True)
    assert claims_of(tmp_path, "WHATSAPP_ENABLED=1\n")[0].source == "platforms/whatsapp/session"
    (tmp_path / "whatsapp" / "session" / "creds.json").touch()
    assert claims_of(tmp_path, "WHATSAPP_ENABLED=1\n")[0].source == "whatsapp/session"


def test_a_stored_login_is_a_bot(tmp_path: Path) -> None:
    """A setup keeps it among the agent's logins."""
    auth = json.dumps({"credential_pool": {"photon_project": [{"project_id": "p", "project_secret": "s"}]}})
    assert told(claims_of(tmp_path, auth__json=auth)) == [
        ("photon", "auth.json", digest("p")),
        ("photon", "PHOTON_SIDECAR_PORT", "8789"),
    ]


@pytest.mark.parametrize(
    ("env", "config", "ports"),
    [
        ("WEBHOOK_ENABLED=yes", {}, [("webhook", "WEBHOOK_PORT", 8644)]),
        ("WEBHOOK_ENABLED=yes\nWEBHOOK_PORT=9000", {}, [("webhook", "WEBHOOK_PORT", 9000)]),
        ("WEBHOOK_ENABLED=yes\nWEBHOOK_PORT=many", {}, [("webhook", "WEBHOOK_PORT", 8644)]),
        (
            "",
            {"platforms": {"webhook": {"enabled": True, "extra": {"port": 9001}}}},
            [("webhook", "platforms.webhook.extra.port", 9001)],
        ),
        ("TELEGRAM_BOT_TOKEN=1:a", {}, []),
        (
            "TELEGRAM_BOT_TOKEN=1:a\nTELEGRAM_WEBHOOK_URL=https://x",
            {},
            [("telegram", "TELEGRAM_WEBHOOK_PORT", 8443)],
        ),
        ("FEISHU_APP_ID=a\nFEISHU_APP_SECRET=s", {}, []),
        (
            "FEISHU_APP_ID=a\nFEISHU_APP_SECRET=s\nFEISHU_CONNECTION_MODE=Webhook",
            {},
            [("feishu", "FEISHU_WEBHOOK_PORT", 8765)],
        ),
        ("RAFT_PROFILE=r", {}, []),
        (
            "RAFT_PROFILE=r",
            {"platforms": {"raft": {"extra": {"port": 4000}}}},
            [("raft", "platforms.raft.extra.port", 4000)],
        ),
        ("API_SERVER_KEY=k\nAPI_SERVER_PORT=18642", {}, [("api_server", "API_SERVER_PORT", 18642)]),
        ("RAFT_PROFILE=r", {"platforms": {"raft": {"extra": {"port": 70000}}}}, []),
    ],
)  # fmt: skip
def test_ports_are_claimed_where_something_listens(
    tmp_path: Path, env: str, config: Any, ports: list[tuple[str, str, int]]
) -> None:
    """By what is set, else by what is usual; a port that any will do for is none."""
    found = [one for one in claims_of(tmp_path, env, config) if one.kind is ClaimKind.PORT]
    assert [(one.platform, one.source, one.port) for one in found] == ports


@pytest.mark.parametrize(
    ("env", "config"),
    [
        ("", {"gateway": {"multiplex_profiles": True}}),
        ("GATEWAY_MULTIPLEX_PROFILES=on\n", {"multiplex_profiles": 0}),
    ],
)
def test_a_gateway_for_all_profiles_has_all_their_bots(tmp_path: Path, env: str, config: Any) -> None:
    """Not their ports: it serves them on its own."""
    claims_of(tmp_path / "profiles" / "work", "TELEGRAM_BOT_TOKEN=1:work\nWEBHOOK_ENABLED=1\n")
    claims_of(tmp_path / "profiles" / "no profile", "TELEGRAM_BOT_TOKEN=1:none\n")
    assert told(claims_of(tmp_path, f"{env}DISCORD_BOT_TOKEN=d\n", config)) == [
        ("discord", "DISCORD_BOT_TOKEN", digest("d")),
        ("telegram", "TELEGRAM_BOT_TOKEN", digest("1:work")),
    ]
    assert len(claims_of(tmp_path, "GATEWAY_MULTIPLEX_PROFILES=off\nDISCORD_BOT_TOKEN=d\n", config)) == 1


@pytest.mark.parametrize("name", [".env", "config.yaml", "gateway.json"])
@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"{", b"[1]", b"\0", b"a: " + b"[" * 5000, b"a: 0x" + b"f" * 9000]
)
def test_what_cannot_be_read_claims_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    """A start is refused for it elsewhere, and by name."""
    (tmp_path / name).write_bytes(content)
    assert read_claims(tmp_path) == []


def test_a_path_that_is_none_is_passed_over(tmp_path: Path) -> None:
    """The usual one is claimed."""
    for path in ("a\0b", "\ud800"):
        legacy = {"platforms": {"whatsapp": {"enabled": True, "extra": {"session_path": path}}}}
        claims = claims_of(tmp_path, gateway__json=json.dumps(legacy))
        assert claims[0].digest == digest(str(tmp_path / "platforms/whatsapp/session"))


NAMES = sorted(
    {*variables(), "X", *(pair for channel in CHANNELS for pair, _ in channel.identities if "@" not in pair)}
)
QUOTED = st.builds(lambda quote, value: f"{quote}{value}{quote}", st.sampled_from(["", "'", '"']), st.text())
LINES = st.one_of(st.builds(lambda name, value: f"{name}={value}", st.sampled_from(NAMES), QUOTED), st.text())
LEAVES = st.one_of(
    st.text(), st.integers(), st.booleans(), st.none(), st.floats(), st.lists(st.text(), max_size=2)
)
SECTIONS = st.dictionaries(
    st.sampled_from(["token", "enabled", "extra", "port"]),
    st.one_of(LEAVES, st.dictionaries(st.sampled_from(["port", "account", "session_path", "app_id"]), LEAVES)),
)
PLATFORMS = st.dictionaries(st.sampled_from([rule.platform for rule in RULES]), st.one_of(SECTIONS, LEAVES))
CONFIGS = st.fixed_dictionaries(
    {}, optional={"platforms": PLATFORMS, "gateway": st.one_of(LEAVES, PLATFORMS), "telegram": SECTIONS}
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(LINES, max_size=8), config=CONFIGS)
def test_no_file_makes_reading_fail_or_lets_a_value_out(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], config: Any
) -> None:
    """Whatever is written: claims are digests and ports, sources are names and places."""
    home = tmp_path_factory.mktemp("home")
    (home / ".env").write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    (home / "config.yaml").write_text(yaml.safe_dump(config), errors="surrogatepass")
    for claim in read_claims(home):
        assert claim.source in variables() or "." in claim.source or claim.source.endswith(("session", "_PORT"))
        assert not claim.digest or set(claim.digest) <= set("0123456789abcdef")
        assert 0 <= claim.port < 65_536
