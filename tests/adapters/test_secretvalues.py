"""The secrets of a home, as they are at the time."""

import os
from pathlib import Path

import pytest

from hermesd.adapters.agents.command import CommandAgent
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.dumptext import render
from hermesd.adapters.processlook import Section
from hermesd.adapters.secretvalues import HomeMasking, HomeSecrets
from hermesd.domain.digests import digest, digests
from hermesd.domain.process import ExitStatus
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at, myself, platform, report

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

TOKEN = "1111:" + "A" * 35
SAID = f"The token `{TOKEN}` was rejected by the server, and so was open-sesame-7."


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a secret."""
    return home_at(tmp_path / "profiles" / "coder", __env="PORTAL_PASSWORD=open-sesame-7\nPORTAL_USER=ali-baba\n")


def test_a_new_secret_is_hidden_a_moment_later(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that cannot be read just now stays hidden."""
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    hide = HomeMasking(home.path)
    assert hide("ali-baba said open-sesame-7") == "ali-baba said [PORTAL_PASSWORD…]"
    (home.path / ".env").write_text("PORTAL_PASSWORD=open-barley-88\n")
    now_s[0] += 1.5
    assert hide("open-barley-88") == "[PORTAL_PASSWORD…]"
    (home.path / ".env").write_bytes(b"\xff\xfe")
    now_s[0] += 1.5
    assert hide("open-barley-88") == "[PORTAL_PASSWORD…]"
    (home.path / ".env").unlink()
    now_s[0] += 1.5
    assert hide(f"open-barley-88 {TOKEN}") == "[PORTAL_PASSWORD…] 1111:…"


def test_every_agent_hides_what_its_home_holds(home: Home) -> None:
    """A program that is no hermes-agent has the same file."""
    for agent in (HermesAgent(), CommandAgent({})):
        assert agent.masking(home)(SAID) == (
            "The token `1111:…` was rejected by the server, and so was [PORTAL_PASSWORD…]."
        )


@pytest.mark.parametrize("before", ["", "x" * 250, "x " * 140])
def test_a_report_is_told_without_them(home: Home, before: str) -> None:
    """Also where only the beginning of a token would be kept, and of how a gateway ended."""
    said = before + SAID
    report(home, "running", platforms={"telegram": platform("retrying", said)}, exit_reason=said)
    agent = HermesAgent()
    probe = agent.probe(home, myself())
    told = repr((probe, agent.explain_exit(home, myself(), ExitStatus(1))))
    assert "AAA" not in told
    assert "sesame" not in told
    report(home, "starting", exit_reason=said)
    assert "AAA" not in repr(agent.probe(home, myself()))


def test_a_dump_hides_tokens_in_arguments() -> None:
    """A child may have been given one."""
    text = render(["why: x"], [Section("family", (f"7 curl https://api.telegram.org/bot{TOKEN}/getMe",))], [TOKEN])
    assert b"AAA" not in text
    assert "bot1111:…/getMe".encode() in text


def test_secrets_are_read_again_when_their_file_changes(home: Home) -> None:
    """And only then; a change that keeps length and time is one, too."""
    reads: list[str] = []

    def variables(text: str) -> list[tuple[str, str]]:
        reads.append(text)
        return [("A_KEY", text.strip())]

    secrets = HomeSecrets(variables=variables)
    path = home.path / ".env"
    for text in ("open-sesame-1", "open-sesame-2"):
        before = path.stat()
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        for _ in range(3):
            assert secrets.digests(home.path, b"salt") == {digest(b"salt", text)}
    assert reads == ["open-sesame-1", "open-sesame-2"]
    path.unlink()
    assert secrets.digests(home.path, b"salt") == frozenset()


def test_a_pipe_in_place_of_secrets_holds_none(home: Home) -> None:
    """Reading it would take for ever."""
    (home.path / ".env").unlink()
    os.mkfifo(home.path / ".env")
    assert HomeSecrets().digests(home.path, b"salt") == frozenset()


def test_secrets_are_those_that_the_agent_finds_too(home: Home) -> None:
    """Expanded and mended, beside those that are written; in a file that is no UTF-8 as well."""
    lines = (
        b"A_KEY=open-sesame\nB_KEY=${A_KEY}-2\nTELEGRAM_BOT_TOKEN=1:abcdefgDISCORD_BOT_TOKEN=hijklmnop\n# \xff\n"
    )
    (home.path / ".env").write_bytes(lines)
    (home.path / ".op.env").write_text("C_KEY=op-reference-1\n")
    expected = ["open-sesame", "${A_KEY}-2", "open-sesame-2", "1:abcdefg", "hijklmnop", "op-reference-1"]
    assert digests(b"s", expected) <= HermesAgent().secret_digests(home, b"s")
