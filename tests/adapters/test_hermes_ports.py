"""Ports that a gateway of hermes-agent would listen on: strangers on them are named, and others are written."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from hermesd.adapters import procfs, sockets, textfile
from hermesd.adapters.agents import hermes_api
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.claims import ClaimKind
from hermesd.domain.errors import ChangedMeanwhile, ConfigInvalid, PortInUse
from hermesd.domain.listening import PortMove
from hermesd.domain.profile import Home
from tests.adapters.hermes_homes import home_at
from tests.adapters.unprivileged import said_by_nobody

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

AGENT = HermesAgent()
KEY = "API_SERVER_KEY=0123456789abcdef0123\n"
TELEGRAM = "TELEGRAM_BOT_TOKEN=1:a\nTELEGRAM_WEBHOOK_URL=u\n"
LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that this very process listens on, at one address only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def program(**environment: str) -> Iterator[tuple[int, int]]:
    """A program that listens, with its pid and port."""
    own = {"PATH": os.environ["PATH"], **environment}
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN], env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        yield started.pid, int(started.stdout.readline())
        started.communicate("")


def home_with(path: Path, env: str = "", config: Any = None) -> Home:
    """A home with these settings."""
    home = home_at(path)
    (home.path / ".env").write_text(env)
    (home.path / "config.yaml").write_text(config if isinstance(config, str) else yaml.safe_dump(config or {}))
    return home


def bridge(port: int) -> Any:
    """A configuration with a bridge on this port."""
    return {"platforms": {"whatsapp": {"extra": {"bridge_port": port}}}}


def refusal(home: Home) -> PortInUse:
    """How a start is refused."""
    with pytest.raises(PortInUse) as failure:
        AGENT.check(home, is_running=False)
    return failure.value


@pytest.mark.parametrize(
    ("env", "platform", "source"),
    [
        ("WEBHOOK_ENABLED=1\nWEBHOOK_PORT={}\n", "webhook", "WEBHOOK_PORT"),
        (TELEGRAM + "TELEGRAM_WEBHOOK_PORT={}\n", "telegram", "TELEGRAM_WEBHOOK_PORT"),
        (KEY + "API_SERVER_PORT={}\n", "api_server", "API_SERVER_PORT"),
    ],
)  # fmt: skip
def test_a_stranger_on_any_port_is_named(
    tmp_path: Path, listener: int, env: str, platform: str, source: str
) -> None:
    """With pid and program, the platform and its setting, and the line that opens the file; unless it runs."""
    home = home_with(tmp_path / "coder", env.format(listener))
    error = refusal(home)
    assert error.metadata | {"port": str(listener), "pid": str(os.getpid())} == error.metadata
    assert (error.metadata["platform"], error.metadata["source"]) == (platform, source)
    assert error.message == (
        f"port {listener} ({platform}) is in use by {error.metadata['program']} (pid {os.getpid()})"
    )
    assert error.metadata["hint"] == f"end that program, or set another {source} in {home.path}/.env"
    assert error.metadata["fix"] == f"${{EDITOR:-vi}} {home.path}/.env"
    AGENT.check(home, is_running=True)


def test_a_stranger_on_a_bridges_port_is_named(tmp_path: Path) -> None:
    """The agent would end it, or let it speak for this profile: a bridge of another profile, say."""
    with program(HERMES_HOME=str(tmp_path / "other"), HERMESD_SPAWN_ID="x") as (pid, port):
        error = refusal(home_with(tmp_path / "coder", "WHATSAPP_ENABLED=true\n", bridge(port)))
        assert (error.metadata["pid"], error.metadata["port"]) == (str(pid), str(port))
        assert error.metadata["source"] == "platforms.whatsapp.extra.bridge_port"
        assert error.metadata["fix"].endswith("config.yaml")


def test_what_an_earlier_gateway_of_the_home_left_is_no_stranger(tmp_path: Path) -> None:
    """It is cleared away before the start; a bridge that was started by hand the agent takes care of."""
    path = tmp_path / "coder"
    with program(HERMES_HOME=str(path), HERMESD_SPAWN_ID="earlier") as (_, port):
        AGENT.check(home_with(path, f"{KEY}API_SERVER_PORT={port}\n"), is_running=False)
    with program(HERMES_HOME=str(path)) as (pid, port):
        AGENT.check(home_with(path, "WHATSAPP_ENABLED=true\n", bridge(port)), is_running=False)
        error = refusal(home_with(path, f"WEBHOOK_ENABLED=1\nWEBHOOK_PORT={port}\n"))
        assert error.metadata["pid"] == str(pid)


def test_a_listener_of_another_user_is_named_as_that() -> None:
    """Which program it is the kernel does not tell; whose it is it does."""
    said = "print(hermes_ports.port_in_use(int(given.name)).message)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (
            said_by_nobody(said, Path(str(port))) == f"port {port} is in use by a program of another user, root\n"
        )


def test_a_user_without_a_name_has_a_number() -> None:
    """As in a container."""
    assert sockets.Listener(1, 4_294_967_290, 1).owner == "4294967290"


def test_a_port_that_is_bound_and_not_listened_on_is_in_use_for_the_api(tmp_path: Path) -> None:
    """Who it is cannot be seen; that it would fail can."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        error = refusal(home_with(tmp_path / "coder", f"{KEY}API_SERVER_PORT={server.getsockname()[1]}\n"))
    assert error.message.endswith("is in use by another program")


def test_an_api_at_another_address_is_in_nobodys_way(tmp_path: Path, listener: int) -> None:
    """Only the API's address is known for certain."""
    env = f"{KEY}API_SERVER_PORT={listener}\nAPI_SERVER_HOST=127.0.0.2\n"
    AGENT.check(home_with(tmp_path / "coder", env), is_running=False)


def test_two_platforms_on_one_port_are_refused(tmp_path: Path) -> None:
    """Both are named, with what says so of each, and every file that could be changed."""
    env = "WEBHOOK_ENABLED=1\nWEBHOOK_PORT=29000\nWHATSAPP_ENABLED=1\n"
    error = refusal(home_with(tmp_path / "coder", env, bridge(29_000)))
    assert error.message == (
        "port 29000 is wanted by two platforms of one gateway: "
        "whatsapp (platforms.whatsapp.extra.bridge_port) and webhook (WEBHOOK_PORT)"
    )
    assert "config.yaml" in error.metadata["fix"]


def test_nothing_is_asked_of_the_kernel_for_a_gateway_without_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one pass over its tables is enough for all of them; processes are only looked at for names."""
    asked: list[str] = []
    real = sockets.listeners

    def listeners() -> Iterator[sockets.Listener]:
        asked.append("tables")
        return real()

    def pids() -> Iterator[int]:
        asked.append("processes")
        return iter(())

    monkeypatch.setattr(sockets, "listeners", listeners)
    monkeypatch.setattr(procfs, "pids", pids)
    AGENT.check(home_with(tmp_path / "a", "TELEGRAM_BOT_TOKEN=1:a\n"), is_running=False)
    assert asked == []
    monkeypatch.setattr(hermes_api, "is_free", lambda host, port: True)
    env = f"{KEY}API_SERVER_PORT=1\nWEBHOOK_ENABLED=1\nWEBHOOK_PORT=2\nWHATSAPP_ENABLED=1\n"
    AGENT.check(home_with(tmp_path / "b", env, bridge(3)), is_running=False)
    assert asked == ["tables"]


# --- writing


def moved(home: Home, port: int) -> list[str]:
    """The home's sources once all its ports were moved to `port` and those behind it."""
    claims = [claim for claim in AGENT.claims(home) if claim.kind is ClaimKind.PORT]
    wanted = [PortMove(claim, port + number, "'work'") for number, claim in enumerate(claims)]
    assert AGENT.move_ports(home, wanted) == wanted
    after = [claim for claim in AGENT.claims(home) if claim.kind is ClaimKind.PORT]
    assert [claim.port for claim in after] == [port + number for number in range(len(after))]
    assert not any(claim.is_usual for claim in after)
    return [claim.source for claim in after]


@pytest.mark.parametrize(
    ("env", "config", "source"),
    [
        (KEY, {}, "API_SERVER_PORT"),
        (KEY + "API_SERVER_PORT=8643\n", {}, "API_SERVER_PORT"),
        (KEY, {"platforms": {"api_server": {"extra": {"port": 1}}}}, "platforms.api_server.extra.port"),
        ("", {"platforms": {"api_server": {"enabled": True}}}, "API_SERVER_PORT"),
        (
            "API_SERVER_PORT=7\n",
            {"gateway": {"platforms": {"api_server": {"enabled": True, "extra": {"port": 1}}}}},
            "gateway.platforms.api_server.extra.port",
        ),
        ("WEBHOOK_ENABLED=1\n", {}, "WEBHOOK_PORT"),
        ("WEBHOOK_PORT=9\n", {"platforms": {"webhook": {"enabled": True}}}, "platforms.webhook.extra.port"),
        ("", {"gateway": {"platforms": {"Webhook": {"enabled": True}}}}, "gateway.platforms.Webhook.extra.port"),
        ("WHATSAPP_ENABLED=true\n", {}, "platforms.whatsapp.extra.bridge_port"),
        ("WHATSAPP_ENABLED=true\n", bridge(3000), "platforms.whatsapp.extra.bridge_port"),
        (
            "BLUEBUBBLES_SERVER_URL=u\nBLUEBUBBLES_PASSWORD=p\n",
            {"platforms": {"bluebubbles": {"extra": {"webhook_port": 1}}}},
            "BLUEBUBBLES_WEBHOOK_PORT",
        ),
        (
            "PHOTON_PROJECT_ID=i\nPHOTON_PROJECT_SECRET=s\nPHOTON_SIDECAR_PORT=2\n",
            {"platforms": {"photon": {"extra": {"sidecar_port": 1}}}},
            "platforms.photon.extra.sidecar_port",
        ),
    ],
)
def test_a_port_is_written_where_the_agent_reads_it(tmp_path: Path, env: str, config: Any, source: str) -> None:
    """Whatever wins there: what else is said of it does not count, before and after."""
    assert moved(home_with(tmp_path / "coder", env, config), 29_000) == [source]


def test_several_ports_are_written_and_all_else_stays(tmp_path: Path) -> None:
    """Comments, order and line ends of both files."""
    env = f"# keys\r\n{KEY}WHATSAPP_ENABLED=true # yes\nexport API_SERVER_PORT=8643\nB='2'\n"
    config = (
        "# mine\nmodel: {default: x}  # the model\nplatforms:\n  # mine\n"
        "  whatsapp:\n    extra:\n      bridge_port: 3000  # here\n"
    )
    home = home_with(tmp_path / "coder", env, config)
    moved(home, 29_000)
    assert (home.path / ".env").read_text() == env.replace("8643", "29001").replace("\r\n", "\n")
    assert (home.path / "config.yaml").read_text() == config.replace("3000", "29000")
    assert (home.path / ".env").stat().st_mode & 0o777 == 0o600


def test_what_older_versions_wrote_is_overridden(tmp_path: Path) -> None:
    """Their file is nobody's to change."""
    home = home_with(tmp_path / "coder")
    old = '{"platforms": {"webhook": {"enabled": true, "extra": {"port": 9000}}}}'
    (home.path / "gateway.json").write_text(old)
    assert moved(home, 29_000) == ["platforms.webhook.extra.port"]
    assert (home.path / "gateway.json").read_text() == old


def test_nothing_is_written_if_one_file_must_be_edited_by_hand(tmp_path: Path) -> None:
    """Half of it would be of no use."""
    config = "platforms: &p {whatsapp: {extra: &e {bridge_port: 3000}}}\nother: *e\n"
    home = home_with(tmp_path / "coder", f"{KEY}WHATSAPP_ENABLED=true\n", config)
    claims = [claim for claim in AGENT.claims(home) if claim.kind is ClaimKind.PORT]
    with pytest.raises(ConfigInvalid, match=r"config\.yaml"):
        AGENT.move_ports(home, [PortMove(claim, 29_000 + claim.port, "'work'") for claim in claims])
    assert (home.path / ".env").read_text() == f"{KEY}WHATSAPP_ENABLED=true\n"


def test_what_somebody_writes_meanwhile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked looks again."""
    home = home_with(tmp_path / "coder", KEY)
    (claim,) = AGENT.claims(home)
    real = textfile.read_text

    def read(path: Path) -> str:
        text = real(path)
        if path.name == ".env":
            path.write_text(f"{text}MINE=1\n")
        return text

    monkeypatch.setattr("hermesd.adapters.agents.hermes_ports.read_text", read)
    with pytest.raises(ChangedMeanwhile):
        AGENT.move_ports(home, [PortMove(claim, 29_000, "'work'")])
    assert "MINE=1" in (home.path / ".env").read_text()
    assert "29000" not in (home.path / ".env").read_text()
