"""Credentials in texts, and what is none."""

import base64
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.masking import MARK, Mask, is_secret_name, mask

pytestmark = [pytest.mark.fast, pytest.mark.domain]

WORDS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def body(least: int, most: int, alphabet: str = WORDS) -> st.SearchStrategy[str]:
    """A secret part with letters of both kinds and a digit, as random ones have."""
    return st.text(alphabet, min_size=least, max_size=most).map(lambda drawn: f"{drawn}aB7")


def shaped(form: Callable[[str], str], least: int, most: int) -> st.SearchStrategy[tuple[str, str]]:
    """A credential, and what of it is secret."""
    return body(least, most).map(lambda secret: (form(secret), secret))


CREDENTIALS = st.one_of(
    shaped(lambda secret: f"1111:{secret}", 30, 40),
    shaped(lambda secret: f"7391234567:AA{secret}", 30, 40),
    shaped(lambda secret: f"https://api.telegram.org/bot7391234567:AA{secret}/getMe", 30, 40),
    shaped(lambda secret: f"bot7391234567%3AAA{secret}", 30, 40),
    shaped(lambda secret: f"sk-{secret}", 20, 60),
    shaped(lambda secret: f"sk-proj-{secret}", 20, 60),
    shaped(lambda secret: f"xoxb-123456-{secret}", 12, 30),
    shaped(lambda secret: f"xapp-1-A1-{secret}", 12, 30),
    shaped(lambda secret: f"ghp_{secret}", 33, 33),
    shaped(lambda secret: f"github_pat_{secret}", 40, 60),
    shaped(lambda secret: f"AIza{secret}", 32, 32),
    shaped(lambda secret: f"Bearer {secret}", 20, 60),
    shaped(lambda secret: f"eyJ{secret}.eyJ{secret}.{secret}", 20, 60),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16, max_size=16).map(lambda one: (f"AKIA{one}", one)),
    shaped(
        lambda secret: f"{base64.b64encode(b'123456789012345678').decode().rstrip('=')}.Gx1y2Z.{secret}", 30, 40
    ),
)
PLACES = st.sampled_from(
    ["{}", "The token `{}` was rejected", "key={}", '{{"a": "{}"}}', "({})", "x\n{}\ny", "{}, "]
)


@given(CREDENTIALS, PLACES)
def test_no_well_known_credential_survives(credential: tuple[str, str], place: str) -> None:
    """Wherever it stands; all around it stays."""
    token, secret = credential
    shown = mask(place.format(token))
    before, after = place.format("\0").split("\0")
    assert secret not in shown
    assert MARK in shown
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert mask(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"The token `1111:{'A' * 35}` was rejected", "The token `1111:…` was rejected"),
        ("xoxb-1234-5678-abcdef", "xoxb-…"),
        (f"Authorization: Bearer {'a1' * 20}", "Authorization: Bearer …"),
        (f"sk-ant-{'a1' * 20}, sk-{'b2' * 20}", "sk-…, sk-…"),
    ],
)
def test_what_it_was_is_still_seen(text: str, shown: str) -> None:
    """The number of a bot is public."""
    assert mask(text) == shown


@given(st.text())
def test_any_text_without_one_is_the_same(text: str) -> None:
    """To the last character."""
    assert mask(text) == text
    assert Mask({})(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23 09:12:40,123 INFO [20261123_180248_a6c86f57] agent: up",
        "20261123:session_20261123_180248_a6c86f57_x1",
        "run 12345:550e8400-e29b-41d4-a716-446655440000",
        f"pid 48213:{'0123456789abcdef' * 4}",
        f"sha256:{'0123456789abcdef' * 4}",
        f"commit {'0123456789abcdef' * 2}01234567",
        "task-1234567890abcdefghijklmnop and risk-1234567890abcdefghijklmnop",
        "sk-learn-is-a-library-for-machine-learning",
        "Bearer authentication-is-required-here-now",
        "/home/ana/.hermes/profiles/coder/logs/gateway.log:12345",
        "hermes_plugins.telegram_platform.adapter: [Telegram] Connected to Telegram (polling mode)",
        "MyModuleOfManyThingsNumber1.thing1.another_very_long_name_of_a_thing_here",
        "MyModuleOfManyThingsNo1ab.thing1.another_very_long_name_of_a_thing_here",
        "agent:main:telegram:dm:123456789 spawn=x7f3kq2m9d profile=coder",
        "model: AKIAs are public, eyJ is a beginning, xoxo",
    ],
)
def test_what_people_look_for_is_none(text: str) -> None:
    """Hashes, ids, moments, paths, names."""
    assert mask(text) == text


@given(st.uuids(), st.integers(0, 10**12), st.binary(min_size=16, max_size=32))
def test_ids_in_any_company_are_none(one: uuid.UUID, number: int, digest: bytes) -> None:
    """Also behind a number and a colon."""
    text = f"{number}:{one} {number}:{digest.hex()} {one.hex} {number}.{digest.hex()}"
    assert mask(text) == text


@given(st.text(min_size=8).filter(lambda value: value.strip() and value[0] not in "~/.$"))
def test_a_value_of_a_secret_is_hidden_in_any_spelling(value: str) -> None:
    """As it is, and whatever is around it."""
    hide = Mask({"MY_KEY": value, "OTHER": value})
    assert hide(f"<{value}>") in {"<[MY_KEY…]>", f"<{mask(value)}>"} or value not in hide(f"<{value}>")


def test_values_are_shown_by_name_or_shape() -> None:
    """The longer one first; what is short, a path or another variable is no secret, and no other name is one."""
    token = f"7391234567:{'Ab1' * 12}"
    hide = Mask(
        {
            "TELEGRAM_BOT_TOKEN": token,
            "A_PASSWORD": "correct horse",
            "B_SECRET": "correct horse battery",
            "MIXED_KEY": f"hunter2-sk-{'a1' * 12}",
            "PIN_PASS": "1234567",
            "GOOGLE_APPLICATION_CREDENTIALS": "/etc/google.json",
            "NESTED_KEY": "${A_PASSWORD}",
            "PEM_KEY": "-----BEGIN-----\nabcdefghij\n-----END-----",
            "TELEGRAM_ALLOWED_USERS": "123456789",
        }
    )
    assert hide(f"{token} correct horse battery, correct horse") == "7391234567:… [B_SECRET…], [A_PASSWORD…]"
    assert hide("7391234567%3A" + "Ab1" * 12) == "7391234567:…"
    assert hide("a=correct%20horse") == "a=[A_PASSWORD…]"
    assert hide("line abcdefghij of it") == "line [PEM_KEY…] of it"
    assert hide(f"hunter2-sk-{'a1' * 12}") == "[MIXED_KEY…]"
    same = "1234567 /etc/google.json ${A_PASSWORD} 123456789"
    assert hide(same) == same
    assert "horse" not in repr(hide)


def test_names_tell_what_is_secret() -> None:
    """As few as any agent's platform uses."""
    assert all(map(is_secret_name, ["OPENAI_API_KEY", "slack_app_token", "DB_PASSWORD", "X_COOKIE"]))
    assert not any(map(is_secret_name, ["TELEGRAM_HOME_CHANNEL", "HTTP_PROXY", "MODEL"]))
