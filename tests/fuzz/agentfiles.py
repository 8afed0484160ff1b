"""Files that hermes-agent writes, and what its processes say."""

import time
from contextlib import suppress
from pathlib import Path

from hermesd.adapters import procfs
from hermesd.adapters.agents import hermes_cron, hermes_files, hermes_foreign, hermes_locks, hermes_sources
from hermesd.adapters.agents.hermes_beats import HEARTBEAT, Heartbeats
from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.adapters.agents.hermes_facts import read_facts
from hermesd.adapters.agents.hermes_grants import read_grants
from hermesd.adapters.agents.hermes_holdings import JOBS
from hermesd.adapters.agents.hermes_moves import Move, change_json
from hermesd.adapters.agents.hermes_state import read_report
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.masking import mask
from hermesd.domain.notice import parse_notice
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.profile import ProfileName
from tests.fuzz.files import home_with
from tests.fuzz.target import target

PROCESS = ProcessIdentity("boot", 11, 22, "spawn")
MOVE = Move(ProfileName("a"), Path("/a"), ProfileName("b"), Path("/b"))


@target(
    b'{"pid": 11, "start_time": 22, "gateway_state": "running", '
    b'"exit_reason": "x", "active_agents": 1, "platforms": '
    b'{"telegram": {"state": "fatal", "error_message": "1111:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", "updated_at": '
    b'"9026-01-01T00:00:00+00:00"}, "b": {"updated_at": 99999999999}}}'
)
def report(data: bytes) -> None:
    """A report is one line each, and holds no token."""
    with home_with("gateway_state.json", data) as home:
        found = read_report(home, PROCESS, mask)
    for text in () if found is None else [found.exit_reason, *(one.message for one in found.platforms)]:
        assert text.isprintable()


@target(b'{"pid": 11, "monotonic": 5.5, "start_time": 1700000000.5}')
def heartbeat(data: bytes) -> None:
    """A heartbeat, or none."""
    with home_with(str(HEARTBEAT), data) as home:
        beat_s = Heartbeats().last_s(home, PROCESS)
    assert beat_s is None or beat_s <= time.monotonic() + 1


@target(b'{"pid": 1, "start_time": 22, "argv": ["hermes", "gateway", "run"]}', b"4711\n")
def gateway_pid(data: bytes) -> None:
    """A stranger's gateway, or none."""
    for name in ("gateway.pid", "gateway.lock", "gateway_state.json"):
        with home_with(name, data) as home:
            hermes_foreign.foreign_gateway(home, None)


@target(b'{"pid": 1, "start_time": 22}')
def agents_lock(data: bytes) -> None:
    """Who has a lock of the agent's, or nobody."""
    with home_with("a.lock", data) as home:
        hermes_locks._owner([home], "a.lock")


@target(
    b'{"providers": {"nous": {"refresh_token": "r", "tokens": {"refresh_token": "s"}}}, '
    b'"credential_pool": {"openai": '
    b'[{"refresh_token": "t"}]}}'
)
def logins(data: bytes) -> None:
    """Logins can be told to anybody who speaks our contract."""
    with home_with("auth.json", data) as home:
        for grant in read_grants(home):
            grant.provider.encode()


@target(
    b'{"jobs": [{"id": "j", "enabled": true, "workdir": "/a/w", "prompt": "\\u00fc", "run_claim": {}}]}', b"[{}]"
)
def jobs(data: bytes) -> None:
    """Jobs are counted and brought along, or a person is told."""
    with home_with(str(JOBS), data) as home, suppress(ConfigInvalid):
        hermes_cron.count_active(home)
        hermes_cron.adapt_jobs(home, MOVE, keeps_active=False)
        assert hermes_cron.count_active(home) == 0


@target(b'{"hosts": {"hermes": {"enabled": true, "aiPeer": "x"}}, "\\u00fc": 1.5}')
def shared_json(data: bytes) -> None:
    """A file of the agent's is changed, or what stands in the way is told."""

    def change(found: dict[str, object]) -> list[str]:
        found["hermesd"] = 1
        return []

    with home_with("honcho.json", data) as home:
        change_json(home / "honcho.json", change)


@target(
    b"model: {default: x, provider: openai}\nplatforms:\n  telegram: {enabled: true, token: '${T}', extra: "
    b"{port: 80}}\n"
    b"gateway: {multiplex_profiles: false}\nwebhook:\n  port: 8644\nagent: {restart_drain_timeout: 5}\n",
    b"model: x\napi_server: {port: 0x10}\n",
)
def config(data: bytes) -> None:
    """What a home says is read, and what cannot be read says nothing."""
    with home_with("config.yaml", data) as home:
        read_facts(home)
        for claim in read_claims(home):
            claim.source.encode()


@target(
    b"TELEGRAM_BOT_TOKEN=1111:AAA\nAPI_SERVER_ENABLED=1\nAPI_SERVER_PORT=80IRC_SERVER=x\nB=${A}\nIRC_NICKNAME=\xc3\xbc\n"
)
def agents_env(data: bytes) -> None:
    """Variables as the agent finds them."""
    with home_with(".env", data) as home:
        read_claims(home)
    for name, value in hermes_sources.loaded(data.decode(errors="replace")).items():
        assert "\0" not in name + value


@target(b"agent: {restart_drain_timeout: 5}\nmodel: {name: 1, base_url: 2.5, api_key: '${K}'}\nprovider: 0x1\n")
def model(data: bytes) -> None:
    """The model and the patience of a home."""
    with home_with("config.yaml", data) as home, suppress(ConfigInvalid):
        found = read_yaml(home / "config.yaml")
        hermes_files.read_key_env(hermes_files.read_model(found), {})
        assert hermes_files.read_drain_s(found, {}) >= 0


@target(b"READY=1\nSTATUS=as it goes\nMAINPID=1", b"WATCHDOG=1\n", b"STOPPING=1\nSTATUS=\x1b[31m")
def notice(data: bytes) -> None:
    """What a process says in a datagram is one line of what can be seen."""
    found = parse_notice(data, 1, 2)
    assert found is None or found.status is None or found.status.isprintable()


@target(b"1 (a b) S 0 1 1 0 -1 4194560 1 1 1 1 5 6 0 0 20 0 1 0 22 1 1 1")
def process_name(data: bytes) -> None:
    """Whatever a process calls itself, its numbers are read; the kernel keeps its name to 15 bytes."""
    name = data[:15].replace(b"\0", b"")
    found = procfs.parse_stat(1, b"1 (" + name + b") S 0 1 1 0 -1 4194560 1 1 1 1 5 6 0 0 20 0 1 0 22 1 1 1")
    assert (found.state, found.start_ticks, found.cpu_ticks) == ("S", 22, 11)
