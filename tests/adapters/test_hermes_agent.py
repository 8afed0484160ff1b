"""What hermesd makes of the files and processes of hermes-agent."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.agent import ApiServer
from hermesd.domain.errors import ConfigInvalid, Incompatible, PortInUse
from hermesd.domain.gateway import Event
from hermesd.domain.process import ExitCause, ExitStatus, Phase
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.adapters.hermes_homes import answering, home_at, myself, platform, report, write_env

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

AGENT = HermesAgent()
HEALTHY = b'{"status":"ok","platform":"hermes-agent"}'
KEY = "API_SERVER_KEY=0123456789abcdef0123456789abcdef\n"


def runtime(version: str = "0.19.0", *, is_managed: bool = True) -> Runtime:
    """A runtime that is never run."""
    return Runtime("r", HERMES_AGENT, version, Path("/opt/hermes/bin/hermes"), is_managed=is_managed)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / "profiles" / "coder")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who listens on a port."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def port_of(listening: socket.socket) -> int:
    """Where it listens."""
    return int(listening.getsockname()[1])


# --- facts


def test_facts_come_from_the_files_a_person_edits(tmp_path: Path) -> None:
    """Model, description, distribution, API and drain time."""
    home = home_at(
        tmp_path,
        config__yaml="model: {default: qwen3, provider: custom, base_url: 'http://h/v1'}\n"
        "agent: {restart_drain_timeout: 12.5}\n",
        profile__yaml="description: writes code\n",
        distribution__yaml="name: coder-kit\nversion: 1.2.0\n",
        __env=KEY + "API_SERVER_PORT=8700\n",
    )
    facts = AGENT.facts(home)
    assert (facts.model, facts.provider, facts.base_url) == ("qwen3", "custom", "http://h/v1")
    assert (facts.description, facts.distribution, facts.drain_s) == ("writes code", "coder-kit@1.2.0", 12.5)
    assert facts.api_server == ApiServer(is_enabled=True, port=8700)
    assert facts.problems == ()


@pytest.mark.parametrize(
    ("config", "model", "base_url"),
    [
        ("model: plain\n", "plain", ""),
        ("model: {model: m}\n", "m", ""),
        ("model: {name: n}\nbase_url: http://r\n", "n", "http://r"),
        ("model: {default: d, model: m, api_base: http://a}\n", "d", "http://a"),
        ("model: 7\n", "7", ""),
        ("model: [x]\n", "", ""),
        ("", "", ""),
    ],
)
def test_every_spelling_of_the_model_is_understood(tmp_path: Path, config: str, model: str, base_url: str) -> None:
    """As the agent does."""
    facts = AGENT.facts(home_at(tmp_path, config__yaml=config))
    assert (facts.model, facts.base_url) == (model, base_url)


def test_facts_of_a_damaged_home_name_each_problem(tmp_path: Path) -> None:
    """Nothing is raised, and what can be read is told."""
    home = home_at(tmp_path, config__yaml="a: [\n", profile__yaml="- x\n", __env=KEY)
    (tmp_path / "distribution.yaml").mkdir()
    facts = AGENT.facts(home)
    assert facts.api_server.is_enabled
    assert [
        name in problem
        for name, problem in zip(("config.yaml", "profile.yaml", "distribution.yaml"), facts.problems, strict=True)
    ] == [True, True, True]


def test_a_key_that_the_agent_will_refuse_is_a_problem(tmp_path: Path) -> None:
    """Its API stays down then, and the agent does not say why."""
    facts = AGENT.facts(home_at(tmp_path, __env="API_SERVER_ENABLED=yes\nAPI_SERVER_KEY=short\n"))
    assert "API_SERVER_KEY" in facts.problems[0]
    assert "short" not in facts.problems[0].replace("shorter", "")


@pytest.mark.parametrize(
    ("config", "env", "expected"),
    [
        ("", "", ApiServer()),
        ("", "API_SERVER_ENABLED=false\n", ApiServer()),
        ("", "API_SERVER_ENABLED=On\n", ApiServer(is_enabled=True)),
        ("", KEY, ApiServer(is_enabled=True)),
        ("API_SERVER_KEY: abc\nAPI_SERVER_PORT: 9000\n", "", ApiServer(is_enabled=True, port=9000)),
        ("API_SERVER_PORT: 9000\n", KEY + "API_SERVER_PORT=9001\n", ApiServer(is_enabled=True, port=9001)),
        ("", KEY + "API_SERVER_PORT=none\nAPI_SERVER_HOST=0.0.0.0\n", ApiServer(True, "0.0.0.0", 8642)),
        ("platforms: {api_server: {enabled: true, extra: {port: 9100}}}\n", "", ApiServer(True, port=9100)),
        (
            "gateway: {platforms: {api_server: {enabled: true}}}\n",
            "API_SERVER_PORT=9101\n",
            ApiServer(True, port=9101),
        ),
        (
            "platforms: {api_server: {extra: {port: 9100}}}\n",
            KEY + "API_SERVER_PORT=9102\n",
            ApiServer(True, port=9102),
        ),
        ("platforms: {api_server: {extra: {port: 9100}}}\n", KEY, ApiServer(True, port=9100)),
        ("platforms: {api_server: {enabled: true}}\napi_server: {enabled: false}\n", "", ApiServer()),
    ],
)
def test_the_api_is_configured_in_many_ways(tmp_path: Path, config: str, env: str, expected: ApiServer) -> None:
    """By the agent's own order of precedence (0.19.0)."""
    assert AGENT.facts(home_at(tmp_path, config__yaml=config, __env=env)).api_server == expected


@pytest.mark.parametrize(
    ("config", "env", "drain_s"),
    [
        ("", "", 0.0),
        ("", "HERMES_RESTART_DRAIN_TIMEOUT=9\n", 9.0),
        ("agent: {restart_drain_timeout: 5}\n", "HERMES_RESTART_DRAIN_TIMEOUT=9\n", 5.0),
        ("agent: {restart_drain_timeout: soon}\n", "", 0.0),
        ("agent: {restart_drain_timeout: -1}\n", "", 0.0),
        ("agent: {restart_drain_timeout: .inf}\n", "", 0.0),
        ("agent: {restart_drain_timeout: .nan}\n", "", 0.0),
    ],
)
def test_the_drain_time_is_a_finite_number(tmp_path: Path, config: str, env: str, drain_s: float) -> None:
    """The configuration wins over `.env`."""
    assert AGENT.facts(home_at(tmp_path, config__yaml=config, __env=env)).drain_s == drain_s


def test_skills_are_counted_as_the_agent_counts_them(tmp_path: Path) -> None:
    """Not below a skill's material, not in caches, and not through links."""
    home = home_at(tmp_path / "home")
    counted = ("a", "category/b", "category/b/nested", "scripts/c")
    others = ("a/references/old", "a/scripts/x", ".hub/d", "node_modules/e", "category/.venv/f")
    for name in (*counted, *others):
        (home.path / "skills" / name).mkdir(parents=True)
        (home.path / "skills" / name / "SKILL.md").touch()
    (home.path / "skills" / "linked").symlink_to(home.path / "skills" / "a")
    assert AGENT.facts(home).skill_count == len(counted)


# --- check


def test_a_damaged_file_refuses_the_start(tmp_path: Path) -> None:
    """The agent would start on defaults; a person is told where to look instead."""
    home = home_at(tmp_path / "a b", config__yaml="model: {\n")
    with pytest.raises(ConfigInvalid, match=r"config\.yaml: line 2") as failure:
        AGENT.check(home, is_running=False)
    assert failure.value.metadata["fix"] == f"${{EDITOR:-vi}} '{home.path}/config.yaml'"
    home = home_at(tmp_path / "c")
    (home.path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigInvalid, match=r"\.env"):
        AGENT.check(home, is_running=True)


def test_a_port_of_a_stranger_refuses_the_start(home: Home, listener: socket.socket) -> None:
    """And names the stranger; a running gateway holds its port itself."""
    (home.path / ".env").write_text(f"{KEY}API_SERVER_PORT={port_of(listener)}\n")
    with pytest.raises(PortInUse) as failure:
        AGENT.check(home, is_running=False)
    assert failure.value.metadata["port"] == str(port_of(listener))
    assert failure.value.metadata["pid"] == str(os.getpid())
    assert failure.value.metadata["program"]
    AGENT.check(home, is_running=True)


def test_a_port_that_only_waits_to_time_out_is_free(home: Home) -> None:
    """Or each restart would have to wait a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = port_of(server)
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # who closes first keeps the port in TIME_WAIT
    (home.path / ".env").write_text(f"{KEY}API_SERVER_PORT={port}\n")
    AGENT.check(home, is_running=False)


def test_without_an_api_no_port_matters(home: Home, listener: socket.socket) -> None:
    """A configured port that nobody opens can be anybody's."""
    (home.path / ".env").write_text(f"API_SERVER_PORT={port_of(listener)}\n")
    AGENT.check(home, is_running=False)


# --- launch and command


def test_a_gateway_is_started_under_supervision(home: Home) -> None:
    """Its profile stands in the arguments and its home in the environment; it never takes over another's place."""
    launch = AGENT.launch(runtime(), home)
    assert launch.argv == (
        "/opt/hermes/bin/hermes",
        "-p",
        "coder",
        "gateway",
        "run",
        "--external-supervisor",
        "-q",
    )
    assert launch.environment == {
        "HERMES_HOME": str(home.path),
        "HERMES_GATEWAY_MAX_STARTS": "0",
        "HERMES_GATEWAY_EXTERNAL_SUPERVISOR": "1",
        "PYTHONUNBUFFERED": "1",
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
    }


def test_the_default_profile_is_named_like_any_other(home: Home) -> None:
    """Where nobody is named, the agent takes whoever is the sticky default, even in the root's own home."""
    default = replace(home, name=ProfileName("default"))
    assert AGENT.launch(runtime(), default).argv[1:4] == ("-p", "default", "gateway")
    assert AGENT.command(runtime(), default, ["-z", "hi"]).argv[1:] == ("-p", "default", "-z", "hi")


@pytest.mark.parametrize(
    ("version", "is_flagged"), [("0.18.2", False), ("0.19.0", True), ("0.21.4", True), ("odd", True)]
)
def test_an_old_agent_gets_no_flag_that_it_does_not_know(home: Home, version: str, *, is_flagged: bool) -> None:
    """It would end with 2; it is told by its environment that it is supervised."""
    launch = AGENT.launch(runtime(version), home)
    assert ("--external-supervisor" in launch.argv) is is_flagged
    assert ("XPC_SERVICE_NAME" in launch.environment) is not is_flagged


def test_a_runtime_that_is_not_ours_may_install_for_itself(home: Home) -> None:
    """Only our own environments are locked."""
    assert "HERMES_DISABLE_LAZY_INSTALLS" not in AGENT.launch(runtime(is_managed=False), home).environment


def test_a_command_is_run_for_the_home(home: Home) -> None:
    """Its arguments follow untouched."""
    launch = AGENT.command(runtime(), home, ["-z", "hi -p other"])
    assert launch.argv == ("/opt/hermes/bin/hermes", "-p", "coder", "-z", "hi -p other")
    assert launch.environment["HERMES_HOME"] == str(home.path)


# --- version


def script(path: Path, text: str) -> Path:
    """An executable."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_version_is_asked_in_a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer leaves nothing in any profile, and nothing of the caller's steers it."""
    monkeypatch.setenv("HERMES_PROFILE", "other")
    seen = tmp_path / "seen"
    hermes = script(
        tmp_path / "hermes",
        f'echo "$1 $HERMES_HOME $HERMES_PROFILE" >{seen}; touch "$HERMES_HOME/x"\n'
        'echo "Hermes Agent v0.19.0 (2026.7.20)"; echo "Update available"',
    )
    assert AGENT.version(hermes) == "0.19.0"
    flag, used_home = seen.read_text().split()
    assert flag == "--version"
    assert not Path(used_home).exists()


@pytest.mark.parametrize("text", ["echo some other program", "exit 3"])
def test_another_program_is_refused(tmp_path: Path, text: str) -> None:
    """What does not say that it is hermes-agent is not taken for it."""
    with pytest.raises(Incompatible):
        AGENT.version(script(tmp_path / "hermes", text))


def test_what_cannot_be_run_is_refused(tmp_path: Path) -> None:
    """Missing, or not executable."""
    (tmp_path / "plain").write_text("text")
    for name in ("plain", "missing"):
        with pytest.raises(Incompatible, match="cannot run"):
            AGENT.version(tmp_path / name)


# --- probe


def test_nothing_is_believed_of_another_process(home: Home) -> None:
    """A pid that was reused, or a report left by an earlier start, counts as no report."""
    assert AGENT.probe(home, myself()).phase is Phase.STARTING
    report(home, "running", pid=1)
    assert AGENT.probe(home, myself()).phase is Phase.STARTING
    report(home, "running", start_time=myself().start_ticks - 1)
    assert AGENT.probe(home, myself()).phase is Phase.STARTING
    (home.path / "gateway_state.json").write_text('{"pid": ')
    assert AGENT.probe(home, myself()).phase is Phase.STARTING


def test_a_gateway_without_platforms_is_ready_when_it_says_so(home: Home) -> None:
    """It runs its timers."""
    report(home, "starting", platforms={"telegram": platform("connecting")})
    assert (AGENT.probe(home, myself()).phase, AGENT.probe(home, myself()).detail) == (
        Phase.STARTING,
        "connecting telegram",
    )
    report(home, "running")
    assert AGENT.probe(home, myself()).phase is Phase.READY


def test_an_enabled_api_must_answer(home: Home) -> None:
    """As hermes-agent, with 200."""
    with answering(HEALTHY) as port:
        write_env(home, f"{KEY}API_SERVER_PORT={port}\n")
        report(home, "running", platforms={"api_server": platform("connected")})
        assert AGENT.probe(home, myself()).phase is Phase.READY
    probe = AGENT.probe(home, myself())
    assert (probe.phase, probe.detail) == (Phase.DEGRADED, f"api_server: not answering on 127.0.0.1:{port}")


def test_a_library_that_is_missing_is_told_though_the_agent_is_silent(home: Home) -> None:
    """It calls itself running with no platform at all when aiohttp is missing (0.19.0)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = port_of(server)
    write_env(home, f"{KEY}API_SERVER_PORT={port}\n")
    report(home, "running")
    probe = AGENT.probe(home, myself())
    assert probe.phase is Phase.DEGRADED
    assert "aiohttp" in probe.detail


@pytest.mark.parametrize(
    ("body", "status", "location"),
    [
        (b'{"platform":"other"}', 200, ""),
        (b"[]", 200, ""),
        (b"no json", 200, ""),
        (HEALTHY, 503, ""),
        (b"", 302, "/"),
    ],
)
def test_a_stranger_on_the_port_is_not_taken_for_the_agent(
    home: Home, body: bytes, status: int, location: str
) -> None:
    """Whatever it answers."""
    with answering(body, status, location) as port:
        write_env(home, f"{KEY}API_SERVER_PORT={port}\n")
        report(home, "running", platforms={"api_server": platform("retrying", "failed to connect")})
        probe = AGENT.probe(home, myself())
    assert (probe.phase, probe.detail) == (
        Phase.DEGRADED,
        f"api_server: not answering on 127.0.0.1:{port}: another program has this port",
    )


def test_no_proxy_is_asked_about_the_api(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the daemon's environment knows nothing of our loopback."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(HEALTHY) as port:
        write_env(home, f"{KEY}API_SERVER_PORT={port}\n")
        report(home, "running")
        assert AGENT.probe(home, myself()).phase is Phase.READY


def test_a_platform_that_fails_degrades(home: Home) -> None:
    """Each with its own words, in one line; platforms of earlier runs do not count."""
    platforms = {
        "telegram": platform("retrying", "token in use\n(PID 7)"),
        "discord": platform("fatal"),
        "slack": platform("fatal", "old", at="2020-01-01T00:00:00+00:00"),
        "signal": platform("fatal", "old", at=1_600_000_000),
        "irc": platform("fatal", "no time", at="soon"),
        "matrix": platform("connected"),
    }
    report(home, "running", platforms=platforms)
    probe = AGENT.probe(home, myself())
    assert (probe.phase, probe.detail) == (Phase.DEGRADED, "telegram: token in use (PID 7); discord: fatal")


@pytest.mark.parametrize(
    ("state", "phase", "detail"),
    [
        ("degraded", Phase.DEGRADED, "platforms: not every platform is connected"),
        ("draining", Phase.DEGRADED, "it finishes its turns and takes no new ones"),
        ("startup_failed", Phase.STARTING, "port 1 already in use"),
        ("stopped", Phase.STARTING, "port 1 already in use"),
    ],
)
def test_other_states_are_told_as_they_are(home: Home, state: str, phase: Phase, detail: str) -> None:
    """None of them is ready."""
    report(home, state, exit_reason="port 1 already in use")
    assert (AGENT.probe(home, myself()).phase, AGENT.probe(home, myself()).detail) == (phase, detail)


def test_a_file_damaged_meanwhile_does_not_bring_a_gateway_down(home: Home) -> None:
    """It has read what it needs."""
    report(home, "running")
    (home.path / "config.yaml").write_text("a: [\n")
    assert AGENT.probe(home, myself()).phase is Phase.READY


# --- stop and exit


def test_a_stop_is_announced_to_this_very_process(home: Home) -> None:
    """In the agent's own form, private."""
    AGENT.prepare_stop(home, myself())
    marker = home.path / ".gateway-planned-stop.json"
    said = json.loads(marker.read_text())
    assert (said["target_pid"], said["target_start_time"]) == (os.getpid(), myself().start_ticks)
    assert {"stopper_pid", "written_at"} <= said.keys()
    assert marker.stat().st_mode & 0o777 == 0o600


def test_a_stop_is_announced_in_the_home_alone(home: Home, tmp_path: Path) -> None:
    """A link in the marker's place leads wherever somebody wanted it to."""
    (tmp_path / "theirs").write_text("theirs")
    (home.path / ".gateway-planned-stop.json").symlink_to(tmp_path / "theirs")
    AGENT.prepare_stop(home, myself())
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert "target_pid" in (home.path / ".gateway-planned-stop.json").read_text()


@pytest.mark.parametrize(
    ("reason", "event", "cause"),
    [
        ("api_server: Port 8644 already in use. Set another", Event.PORT_TAKEN, ExitCause.PORT_TAKEN),
        ("[Errno 98] address already in use", Event.PORT_TAKEN, ExitCause.PORT_TAKEN),
        ("telegram: bot token already in use (PID 7)", Event.MISCONFIGURED, ExitCause.MISCONFIGURED),
        (None, Event.MISCONFIGURED, ExitCause.MISCONFIGURED),
    ],
)
def test_a_refused_configuration_is_told_from_a_taken_port(
    home: Home, reason: str | None, event: Event, cause: ExitCause
) -> None:
    """Both end with 78; only a port can come free by itself."""
    report(home, "startup_failed", exit_reason=reason)
    told = AGENT.explain_exit(home, myself(), ExitStatus(78))
    assert (told.event, told.cause, told.detail) == (event, cause, reason or "")
    assert AGENT.explain_exit(home, myself(), ExitStatus()).event is event


def test_a_report_of_another_process_explains_nothing(home: Home) -> None:
    """Its reason may be years old."""
    report(home, "startup_failed", exit_reason="port in use", pid=1)
    told = AGENT.explain_exit(home, myself(), ExitStatus(78))
    assert (told.event, told.detail) == (Event.MISCONFIGURED, "")


def test_a_crash_is_told_with_the_agents_own_reason(home: Home) -> None:
    """In one line without control characters."""
    report(home, "running", exit_reason="all adapters\x1b[31m gone\n")
    told = AGENT.explain_exit(home, myself(), ExitStatus(1))
    assert (told.event, told.detail) == (Event.CRASHED, "all adapters [31m gone")


def test_a_restart_that_nobody_saw_is_known_from_the_report(home: Home) -> None:
    """The kernel no longer tells the exit code of what ended while no daemon ran."""
    report(home, "stopped", restart_requested=True)
    assert AGENT.explain_exit(home, myself(), ExitStatus()).event is Event.RESTART_REQUESTED
    report(home, "stopped")
    told = AGENT.explain_exit(home, myself(), ExitStatus())
    assert (told.event, told.cause) == (Event.CRASHED, ExitCause.UNKNOWN)


# --- skills


def test_bundled_skills_are_found_where_the_agent_looks(tmp_path: Path) -> None:
    """In the environment, or in the checkout around it; a home around it is not the agent's."""
    environment = tmp_path / "agent" / "venv"
    (environment / "bin").mkdir(parents=True)
    installed = Runtime("r", HERMES_AGENT, "0.19.0", environment / "bin" / "hermes", is_managed=False)
    around = tmp_path / "agent" / "skills"
    (around / "a").mkdir(parents=True)
    (around / "a" / "SKILL.md").touch()
    assert AGENT.bundled_skills(installed) is None
    (tmp_path / "agent" / "hermes_cli").mkdir()
    assert AGENT.bundled_skills(installed) == around
    inside = environment / "lib" / "python3.11" / "site-packages" / "skills"
    (inside / "b").mkdir(parents=True)
    (inside / "b" / "SKILL.md").touch()
    assert AGENT.bundled_skills(installed) == inside
