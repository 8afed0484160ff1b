"""A shell full of secrets starts everything there is: where they may turn up, and that they do nowhere else.

Each secret is a word of its own that nothing else on the machine holds, so that finding one proves a leak.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, scripted
from tests.e2e.desk import PROFILE, Desk, client, furnished
from tests.e2e.house import CLIENT, Api, Machine, contents, free_port
from tests.fakes import model
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

MARK = "canary"
WORKER = {"OPENAI_API_KEY": "sk-canary-of-the-worker-1", "PORTAL_PASSWORD": "canary-of-the-worker-2"}
"""What another profile keeps in its `.env`."""
KEYS = {"OPENAI_API_KEY": "sk-canary-exported-1", "GROQ_API_KEY": "gsk-canary-exported-2"}
"""What the person exported, and commands are to keep."""
OTHERS = {
    "TELEGRAM_BOT_TOKEN": "1234567:canary-of-a-bot-1",
    "SLACK_APP_TOKEN": "xapp-canary-of-a-bot-2",
    "SIGNAL_ACCOUNT": "+49-canary-of-a-bot-3",
    "LINE_CHANNEL_SECRET": "canary-of-a-bot-4",
    "HERMES_SESSION_KEY": "canary-of-an-agent-1",
    "_HERMES_GATEWAY": "canary-of-an-agent-2",
    "TERMINAL_CWD": "/canary-of-an-agent-3",
    "NOTES": WORKER["OPENAI_API_KEY"],
    "MY_EDITOR": f"{WORKER['PORTAL_PASSWORD']}\n",
}
"""What nobody is to keep."""
AUTOSTART = {"HERMESCTL_NO_AUTOSTART": ""}

TOOL = "cat /proc/self/environ /proc/$PPID/environ"
"""What a tool sees of itself and of whoever runs it."""


def shell(machine: Machine) -> dict[str, str]:
    """The variables of a shell that lives in the other profile."""
    return {**OTHERS, **KEYS, **AUTOSTART, "HERMES_HOME": str(machine.root / "profiles" / "worker")}


def furnish_worker(machine: Machine) -> None:
    """The profile whose secrets nobody else is to have."""
    home = machine.root / "profiles" / "worker"
    home.mkdir(mode=0o700, parents=True)
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in WORKER.items()))


def canaries_in(text: str) -> list[str]:
    """Every secret in a text, exported ones as well."""
    return [value for value in {**OTHERS, **WORKER, **KEYS}.values() if value.strip() in text]


def leaks_in_processes(machine: Machine, command: int) -> dict[str, list[str]]:
    """Secrets in environments and arguments; in that of a `command`, exported keys are none."""
    found = {}
    for process in machine.processes():
        proc = Path(f"/proc/{process.pid}")
        try:
            text = proc.joinpath("environ").read_text(errors="replace")
            words = proc.joinpath("cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # warm clients come and go
            continue
        allowed = KEYS.values() if process.pid == command else ()
        leaked = [one for one in canaries_in(text) if one not in allowed] + canaries_in(words)
        if leaked or f"HERMES_HOME={machine.root}/profiles/worker\0" in text:
            found[f"{process.pid} {words!r}"] = leaked
    return found


def leaks_in_files(machine: Machine) -> dict[str, list[str]]:
    """Secrets in whatever lies in the person's home, but for the one file that is to hold some."""
    kept = machine.root / "profiles" / "worker" / ".env"
    files = {path: content.decode(errors="replace") for path, content in contents(machine.home).items()}
    return {str(path): found for path, text in files.items() if path != kept and (found := canaries_in(text))}


def leaks_in_answers(machine: Machine, profile: str) -> list[str]:
    """Secrets in what the client says to somebody in that shell, failures among it."""
    lines = [
        "events -o json",
        "operations list -o json",
        "terminal list -o json",
        "profile show worker -o json",
        f"gateway status {profile} -o json",
        f"gateway why {profile}",
        f"logs {profile} -o json",
        f"env effective -p {profile} -o json",
        f"env effective -p {profile} --for command -o json",
        "gateway start ghost -v",
        "chat -p ghost -v",
        "gateway start canary* -v",
    ]
    done = [machine.ctl(*line.split(), extra=shell(machine)) for line in lines]
    assert {one.returncode for one in done} <= {0, 3, 4}, [(one.args, one.stderr) for one in done]
    return canaries_in("".join(one.stdout + one.stderr for one in done))


@contextmanager
def command(machine: Machine, profile: str, *extra: str) -> Iterator[tuple[int, dict[str, str]]]:
    """A program in the profile that somebody in that shell has run: its pid and its environment."""
    argv = [str(CLIENT), "exec", "-p", profile, "--", "sh", "-c", "env; echo; exec sleep 60"]
    variables = machine.environment | shell(machine)
    with subprocess.Popen(argv, env=variables, cwd=machine.home, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "\n")
        try:
            yield program.pid, dict(line.rstrip("\n").partition("=")[::2] for line in lines)
        finally:
            program.kill()


def check_command(environment: Mapping[str, str]) -> None:
    """It has the exported keys, and nothing else that it should not have."""
    assert {name: environment[name] for name in KEYS} == KEYS
    assert sorted(canaries_in(str(environment))) == sorted(KEYS.values())
    assert OTHERS.keys().isdisjoint(environment)
    assert environment["HERMES_HOME"].endswith("/coder")


@pytest.mark.ci
def test_no_secret_of_the_shell_that_starts_everything_is_found_anywhere(stage: Daemon) -> None:
    """Not in the daemon, its warm clients, a gateway or its tool, nor in anything that is written or said."""
    machine, told = stage.machine, stage.machine.home / "tool.env"
    stage.write_settings({"coder": scripted("--ready-after", "0", "--run", f"{TOOL} > {told}; sleep 60")})
    stage.make_homes("coder")
    furnish_worker(machine)
    assert machine.ctl("gateway", "start", "coder", extra=shell(machine)).returncode == 0
    wait_until(lambda: (stage.places.state / "run" / "cmd.sock").exists(), "warm clients")
    wait_until(lambda: told.exists() and "HERMES_HOME" in told.read_text(), "the tool")
    with command(machine, "coder") as (pid, environment):
        check_command(environment)
        assert leaks_in_answers(machine, "coder") == []
        assert leaks_in_processes(machine, pid) == {}
    assert leaks_in_files(machine) == {}
    machine.ok("daemon", "stop", "--gateways")


@pytest.fixture
def desk(tmp_path: Path, runtimes_directory: Path) -> Iterator[Desk]:
    """A desk with the real agent, beside another profile; no daemon runs yet."""
    with model.serving() as server, furnished(tmp_path, runtimes_directory, server) as made:
        furnish_worker(made.machine)
        made.machine.ok("daemon", "stop")
        yield made


@pytest.mark.full
def test_no_secret_of_the_shell_reaches_the_real_agent(desk: Desk) -> None:
    """Neither its gateway, a tool of it, a job, nor a command; those keep what the person exported."""
    machine, told = desk.machine, desk.work / "told"
    desk.model.command = f"({TOOL}) >> {told}"
    env = f"API_SERVER_ENABLED=true\nAPI_SERVER_KEY=0123456789abcdef0123\nAPI_SERVER_PORT={free_port()}\n"
    (desk.home / ".env").write_text(env)
    assert machine.ctl("gateway", "start", PROFILE, extra=shell(machine)).returncode == 0
    Api.of(machine, PROFILE).chat("hi", stream=False)
    assert canaries_in(told.read_text()) == []
    told.unlink()
    assert desk.run(*client("-p", PROFILE, "cron", "create", "every 1m", "hi"), **shell(machine)).returncode == 0
    wait_until(told.exists, "the job", deadline_s=180)
    assert canaries_in(told.read_text()) == []
    told.unlink()
    done = desk.run(*client("-p", PROFILE, "-z", "hi"), **shell(machine))
    assert done.returncode == 0, done.stderr
    assert canaries_in(done.stdout + done.stderr) == []
    assert [one for one in canaries_in(told.read_text()) if one not in KEYS.values()] == []
    told.unlink()
    with command(machine, PROFILE) as (pid, environment):
        check_command(environment)
        assert leaks_in_answers(machine, PROFILE) == []
        assert leaks_in_processes(machine, pid) == {}
    assert leaks_in_files(machine) == {}


@pytest.mark.full
def test_a_gateway_whose_profile_lacks_a_key_inherits_none(desk: Desk) -> None:
    """Whoever exported it, and whatever started the daemon."""
    machine = desk.machine
    (desk.home / ".env").write_text("")
    assert machine.ctl("gateway", "start", PROFILE, extra=shell(machine)).returncode == 0
    pid = json.loads(machine.ok("gateway", "status", PROFILE, "-o", "json"))["process"]["pid"]
    names = {one.partition("=")[0] for one in Path(f"/proc/{pid}/environ").read_text().split("\0")}
    assert names.isdisjoint({*KEYS, *OTHERS})
