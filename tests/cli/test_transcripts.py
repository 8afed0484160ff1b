"""What the client says, word for word, against a fake daemon."""

import json
import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest

from hermesctl import cli
from hermesctl.client.places import Places
from hermesctl.commands import agent
from hermesd.v1 import gateways_pb2 as g
from tests.cli.conftest import Run
from tests.cli.transcripts import GOLDEN, compare, transcript
from tests.fakes.contract import at, gateway, profile, runtime, trashed
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

READING = ["status", "profile", "profile list", "profile show coder", "gateway list", "gateway status worker"]

SCENES = {
    "profiles": [
        "profile",
        "profile -p coder",
        "profile list",
        "profile ls -o wide",
        "profile list --disk",
        "profile list --no-headers",
        "profile list -o name",
        "profile show worker",
        "profile show profile/coder",
        "profile current",
        "profile current -o json",
        "profile use coder",
        "profile use default -q",
        "profile create work --description Work",
        "profile create quiet -q --no-alias",
        "profile show work -o json",
        "profile rename worker work",
        "profile rename work office",
        "profile rename coder helper",
        "profile rename helper coder -q",
        "profile rename office work -o json",
        "profile rename default Boss",
        "profile rename default Boss -o json -q",
        "profile list --no-headers",
        "profile",
        "profile rename default",
        "profile delete work --dry-run",
        "profile delete work --dry-run --purge -o json",
        "profile delete work --dry-run -o name",
        "profile delete default --dry-run",
        "profile delete ghost --dry-run",
        "profile delete work --yes",
        "profile delete quiet -y --purge",
        "profile delete default --yes",
        "profile delete worker",
        "profile delete worker --purge",
    ],
    "creating": [
        "profile create work --dry-run",
        "profile create work --clone --dry-run",
        "profile create work --clone-from coder --channels strip --dry-run -o json",
        "profile create work --clone-from profile/coder",
        "profile create work --clone-from coder",
        "-p worker profile create whole --clone-all --cron keep --model m2",
        "profile create hush --clone-from coder -q",
        "profile create other --clone-from coder -o json",
        "profile create another --clone-from coder --start",
        "profile create lost --clone-from worke",
        "profile create lost --channels strip",
        "profile create lost --cron keep",
        "profile create lost --channels perhaps",
        "profile create coder --dry-run",
    ],
    "skills": [
        "skills sync",
        "skills sync coder worker",
        "skills sync --all",
        "skills sync --all --dry-run --verify",
        "skills sync --all -q",
        "-p coder skills sync",
        "-p coder skills sync worker",
        "skills sync profile/coder -o json",
        "skills sync --all -o name",
        "skills sync --all coder",
        "skills sync ghost",
        "skills --help",
        "skills sync --help",
        "-o json skills list",
    ],
    "trash": [
        "profile trash list",
        "profile trash empty",
        "profile delete coder --yes",
        "profile delete worker --yes -q",
        "profile trash list",
        "profile trash ls -o wide",
        "profile trash list -o json",
        "profile trash list -o name",
        "profile trash restore worker",
        "profile trash restore worker",
        "profile create coder -q",
        "profile trash restore coder",
        "profile trash restore coder --name coder-2",
        "profile delete coder-2 --yes -q",
        "profile delete coder --yes -q",
        "profile trash empty",
        "profile trash empty coder",
        "profile trash empty ghost --yes",
        "profile trash empty coder-2 -y",
        "profile trash empty --yes -o json",
        "profile trash empty --yes",
        "profile trash --help",
        "profile trash restore --help",
        "profile trash empty --help",
    ],
    "describing": [
        "profile describe coder",
        "profile describe worker",
        "profile describe",
        "profile describe coder -o json",
        "profile describe worker --text Answers",
        "-p worker profile describe --text Asks -q",
        "profile describe worker",
        "profile describe worker --auto",
        "profile describe worker --auto --overwrite",
        "profile describe worker",
        "profile describe worker --auto -o json",
        "profile describe --all --auto",
        "profile describe --all --auto",
        "profile describe worker --clear",
        "profile describe --clear",
        "profile describe --all --auto -o json",
        "profile describe --all --auto --overwrite",
        "profile describe ghost --text x",
        "profile describe coder --text x --auto",
        "profile describe coder --text x --clear",
        "profile describe coder --auto --clear",
        "profile describe coder --text=",
        "profile describe coder --overwrite",
        "profile describe --all",
        "profile describe --all --auto coder",
        "-p coder profile describe --all --auto",
        "profile describe --help",
    ],
    "souls": [
        "profile soul show coder",
        "profile soul show worker",
        "profile soul show coder -o json",
        "profile soul show coder -o name",
        "profile soul show ghost",
        "profile soul set coder -f -",
        "profile soul set coder -f missing.md",
        "profile soul set coder",
        "profile soul edit coder",
        "profile soul set --help",
    ],
    "aliases": [
        "profile alias --list",
        "profile alias --list -o json",
        "profile alias --list -o name",
        "profile alias coder --list",
        "-p default profile alias --list",
        "profile alias coder",
        "profile alias coder --name helper",
        "profile alias worker --name helper",
        "profile alias worker --name bot",
        "profile alias worker --name env",
        "profile alias coder --name h2 -o json",
        "profile alias ghost",
        "profile alias coder --remove --name h2",
        "profile alias coder --remove",
        "profile alias coder --remove",
        "profile alias ghost --remove -o json",
        "profile alias worker --remove",
        "profile alias coder --list --remove",
        "profile alias coder --list --name a",
        "profile alias --help",
    ],
    "choosing": [
        "profile use -",
        "profile use coder",
        "profile use coder",
        "profile use worker",
        "profile use -",
        "profile use -",
        "profile use - -o json",
        "-p worker profile use",
        "profile use --clear",
        "profile use default",
        "profile use -q worker",
        "profile use ghost",
        "profile use worke",
        "profile use",
        "profile use coder --clear",
        "-p coder profile use --clear",
        "-p coder profile use -",
        "profile use ../coder",
    ],
    "completion": [
        "completion",
        "completion tcsh",
        "completion bash --install",
        "completion bash --install",
        "completion zsh --install -o json",
        "completion fish --install",
        "profile prompt",
        "profile prompt ksh",
        "__complete",
        "__complete bash --what",
    ],
    "doctor": [
        "doctor coder --no-agent",
        "doctor worker --no-agent",
        "doctor worker --no-agent -q",
        "doctor --all",
        "doctor --all -o json",
        "doctor --no-agent -p coder -o jsonl",
        "doctor worker",
        "-p worker doctor -o json",
        "doctor worker --fix --no-agent",
        "doctor --all --fix",
        "doctor --all --fix -q",
        "doctor",
        "doctor ghost",
        "doctor coder --ack ADV-1 --fix",
        "doctor --all coder",
        "doctor coder --no-agent -- --fix",
        "doctor --help",
    ],
    "gateways": [
        "gateway list",
        "gw ls -o wide",
        "gateway status coder",
        "gateway status worker",
        "gateway status",
        "gateway is-active coder",
        "gateway is-active worker",
        "gateway is-active coder -q",
        "gateway start worker",
        "gateway start worker",
        "gateway start -q coder",
        "gateway stop -p coder",
        "gateway stop coder -o name",
        "gateway restart",
        "gateway start coder --no-wait",
        "gateway start coder --no-wait -o name",
        "gateway start coder -o json",
        "gateway logs coder",
        "gateway logs coder -n 1 -o jsonl",
        "gateway logs coder -n 1 -f",
        "gateway logs coder -n 1 -f --json",
        "gateway logs -n 0 coder",
        "gateway why coder",
        "gateway why worker",
        "gateway why worker -o json",
        "gateway disable coder",
        "gateway enable coder",
        "gateway enable coder -q",
        "gateway enable worker --order -2",
        "gateway enable coder worker --order 5",
        "gateway ls -o wide",
        "gateway disable wo* default",
        "gateway disable --all --exclude coder -o json",
        "gateway enable coder --now",
        "gateway disable coder worker --now",
        "gateway enable --all -q",
    ],
    "fleet": [
        "gateway start coder worker",
        "gateway stop wo* --exclude default",
        "gateway restart --all",
        "gateway restart -A --exclude worker --at-once 2",
        "gateway restart --all -q",
        "gateway restart --all --exclude worker -o json",
        "gateway restart --all -o name",
        "gateway restart wo*",
        "gateway restart wo* -o name",
        "gateway restart --all --no-wait",
        "operations show op0000000003",
        "operations wait op0000000003",
        "gateway drain coder",
        "gateway drain coder --cancel",
        "gateway drain coder -o json -q",
        "gateway drain default",
        "gateway drain --all",
        "gateway drain --all --cancel",
        "-p coder gateway restart coder",
        "-p coder gateway restart coder coder",
        "-p coder gateway restart coder worker",
        "-p coder gateway restart co*",
        "-p coder gateway restart --all",
        "gateway restart --all coder",
        "gateway restart --exclude coder",
        "gateway restart coder ghost",
        "gateway restart ghost*",
        "gateway restart coder --at-once 0",
        "gateway enable ghost coder",
        "gateway enable ghost*",
        "gateway enable coder --exclude coder",
        "gateway enable coder --order soon",
        "gateway restart --help",
        "gateway drain --help",
        "gateway enable --help",
    ],
    "machine": [
        "status",
        "version",
        "daemon status",
        "daemon start",
        "runtime list",
        "runtime install 0.18.2",
        "runtime use hermes-agent-0.18.2-4f2c1aa0",
        "runtime add venv/bin/hermes",
        "runtime use --path /opt/hermes -o json",
        "runtime use ghost",
        "runtime use",
        "operations list",
        "ops list -o wide -p coder",
        "operations show op0000000001",
        "operations wait op0000000001",
        "operations cancel op0000000001",
        "operations wait op0000000001",
        "events",
        "terminal list",
        "-o yaml version",
    ],
    "mistakes": [
        "bogus",
        "gateway strat",
        "gateway list --bogus",
        "gateway list -o xml",
        "--outptu json",
        "-o json",
        "-o json chat",
        "gateway start ghost",
        "gateway start worke",
        "profile show ghost -o json",
        "-p a profile show b",
        "-p a chat -p b",
        "profile show -p a -p b",
        "profile create",
        "gateway start --timeout soon",
        "gateway logs coder -n -1",
        "logs ghost",
        "logs gateway",
        "logs coder gui",
        "logs ghost*",
        "logs --all coder",
        "logs -p coder worker",
        "logs coder --since soon",
        "logs coder --until 25:00",
        "logs coder -f --until 10m",
        "logs coder --grep (",
        "logs coder --source trace",
        "logs coder --level loud",
        "dashboard",
        "update",
        "uninstall",
        "-p coder gateway run",
        "profile install a",
        "profile rename a",
        "profile rename ghost b",
        "operations show ghost -v",
        "quickstart --api-key-env NO_SUCH_KEY",
        "status worker",
    ],
    "help": [
        "",
        "--help",
        "--version",
        "profile -h",
        "profile create --help",
        "profile list --help",
        "profile rename --help",
        "profile delete --help",
        "gateway --help",
        "gateway start -h",
        "logs --help",
        "gateway logs --help",
        "daemon --help",
        "runtime use --help",
        "quickstart --help",
    ],
    "quickstart": [
        "quickstart",
        "quickstart",
        "quickstart -o json -q",
        "quickstart -p coder --model m --base-url http://b/v1",
    ],
    "quickstart-bots": ["quickstart"],
}


@pytest.mark.parametrize("name", SCENES)
def test_scripts_and_pipes_see_this(run: Run, daemon: FakeDaemon, world: World, name: str, tmp_path: Path) -> None:
    """Neither stream is a terminal: no colour, exact times, a line per phase."""
    if name == "quickstart":
        del world.profiles["coder"], world.profiles["worker"]
        world.runtimes.clear()
    if name == "quickstart-bots":
        world.profiles["coder"].channels.add(platform="telegram", fingerprint="ab12" + "0" * 58 + "9f")
    if name == "fleet":
        world.changed["coder"] = "ready, stopped in 14.0 s, started in 2.3 s"
        world.skipped["default"] = "not running"
        facts = {"why": "it ended with exit code 1", "hint": "it will be tried again by itself"}
        facts |= {"profile": "worker", "fix": "hermesctl gateway logs worker"}
        world.unchanged["worker"] = Refusal("GATEWAY_CRASHED", "gateway 'worker' did not start", facts)
    if name == "skills":
        world.synced = {"coder": "+2 new", "default": "up to date, 1 edited kept"}
        busy = Refusal("PROFILE_BUSY", "profile.rename works on profile 'worker'", {"profile": "worker"})
        world.unsynced["worker"] = busy
    compare(name, transcript(SCENES[name], run, tmp_path))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_people_see_this(run: Run, daemon: FakeDaemon, columns: int, tmp_path: Path) -> None:
    """On a terminal: ages, symbols, colours, and tables that fit."""
    compare(f"tty-{columns}", transcript(READING, lambda line: run(line, columns=columns), tmp_path))


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("tty-no-color", {"NO_COLOR": "1"}),
        ("tty-dumb", {"TERM": "dumb"}),
        ("tty-c-locale", {"LC_ALL": "C"}),
    ],
)
def test_plain_terminals_see_this(
    run: Run, daemon: FakeDaemon, name: str, variables: dict[str, str], tmp_path: Path
) -> None:
    """Without colour, and without our symbols where the locale has none."""
    lines = ["status", "gateway start worker"]
    compare(name, transcript(lines, lambda line: run(line, columns=80, variables=variables), tmp_path))


def test_people_who_delete_are_asked(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """The name has to be typed; anything else, and the end of input, is no."""
    world.profiles["worker"].aliases.append("worker")
    found = []
    for answers in ("", "no\n", "worker\n"):
        lines = ["profile delete worker"]
        found.append(
            transcript(lines, lambda line: run(line, columns=80, answers=answers), tmp_path)  # noqa: B023 - used at once
        )
    compare("delete", "\n".join(found))
    assert "worker" not in world.profiles


def test_people_who_empty_the_trash_are_asked(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """They see what goes; only yes is yes."""
    for name, id_ in (("coder", "op9000000002"), ("worker", "op9000000001")):
        world.trash.append(trashed(world.profiles.pop(name), id_, 90_000))
    found = []
    for answers in ("", "n\n", "y\n"):
        lines = ["profile trash list", "profile trash empty coder"]
        found.append(
            transcript(lines, lambda line: run(line, columns=80, answers=answers), tmp_path)  # noqa: B023 - used at once
        )
    compare("trash-asked", "\n".join(found))
    assert [one.profile for one in world.trash] == ["worker"]


FAILURES = {
    "PORT_IN_USE": {"port": "8643", "pid": "99", "profile": "worker"},
    "PROFILE_BUSY": {"operation": "op0000000009", "profile": "worker"},
    "GATEWAY_CRASHED": {"profile": "worker"},
    "GATEWAY_MISCONFIGURED": {"profile": "worker"},
    "RUNTIME_MISSING": {},
    "INTERNAL": {"incident": "4be2"},
    "DISK_FULL": {"path": "/home/ana"},
}


def test_failures_look_like_this(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """What the daemon knows of a failure, as lines and as JSON."""
    found = []
    for reason, facts in FAILURES.items():
        world.failing["gateway.start"] = Refusal(reason, "cannot start the gateway of 'worker': no luck", facts)
        found.append(transcript(["gateway start worker", "gateway start worker -q --json"], run, tmp_path))
    compare("failures", "\n".join(found))


def test_warnings_of_operations_are_shown(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Success with a remark is still success."""
    world.warnings.append("the alias 'work' hides nothing, but ~/.local/bin is not on PATH")
    ended = run("profile create work")
    assert ended.code == 0
    assert "warning: the alias 'work' hides nothing, but ~/.local/bin is not on PATH\n" in ended.err


def test_what_a_gateway_does_not_get_is_shown(run: Run, daemon: FakeDaemon, world: World) -> None:
    """A limit that nobody enforces is no limit, and its gateway's page says so."""
    world.profiles["coder"].gateway.warnings.append("memory_max is not enforced by sessions")
    assert "  Warning     memory_max is not enforced by sessions\n" in run("gateway status coder").out
    assert json.loads(run("gateway status coder -o json").out)["warnings"] == [
        "memory_max is not enforced by sessions"
    ]


def test_a_profile_made_but_not_started_is_partly_done(run: Run, daemon: FakeDaemon, world: World) -> None:
    """`create --start` says which half failed."""
    world.failing["gateway.start"] = Refusal(
        "PORT_IN_USE", "cannot start the gateway of 'work': port 8643 is taken"
    )
    ended = run("profile create work --start")
    assert ended.code == 10
    assert ended.out.startswith("✓ created work")
    assert "error: cannot start the gateway of 'work'" in ended.err


def test_trouble_of_every_kind_is_shown(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """Each state in which a gateway can be, with what to look at."""
    for name in ("coder", "worker"):
        del world.profiles[name]
    for number, value in g.GatewayState.items():
        if value:
            name = number.removeprefix("GATEWAY_STATE_").lower()
            fields = (
                {"foreign": g.ForeignGateway(pid=99)}
                if name == "foreign"
                else {"detail": "port 8643 is taken"}
                if name == "parked"
                else {}
            )
            world.profiles[name] = profile(name, gateway=gateway(name, value, since=at(60), **fields))
    world.runtimes[:] = [runtime(is_current=False)]
    compare("states", transcript(["status", "gateway list", "gateway status foreign"], run, tmp_path))


STICKY = {"dangling": "ghost\n", "garbled": "\x1b[31m$(id)\n"}


@pytest.mark.parametrize("name", STICKY)
def test_a_sticky_default_that_names_nobody_locks_nobody_out(
    run: Run, daemon: FakeDaemon, world: World, places: Places, name: str, tmp_path: Path
) -> None:
    """What needs no profile works; what needs one says how the choice is taken back, and that works too."""
    places.root.mkdir()
    (places.root / "active_profile").write_text(STICKY[name])
    world.sticky = "ghost" if name == "dangling" else ""
    lines = [
        "profile",
        "profile -o name",
        "profile current",
        "profile list",
        "gateway status",
        "chat",
        "gateway status coder",
        "profile use --clear",
    ]
    compare(f"sticky-{name}", transcript(lines, run, tmp_path))


def test_a_variable_that_goes_before_the_sticky_default_is_told(run: Run, daemon: FakeDaemon) -> None:
    """Or the person would wonder why their choice changed nothing here."""
    ended = run("profile use coder", variables={"HERMESCTL_PROFILE": "worker"})
    assert ended.err == "warning: here HERMESCTL_PROFILE goes first, which says worker\n"
    assert run("profile use worker", variables={"HERMESCTL_PROFILE": "worker"}).err == ""


def test_a_variable_that_names_nobody_is_shown_for_what_it_is(run: Run, daemon: FakeDaemon) -> None:
    """`profile` says where the name comes from and how to be rid of it."""
    ended = run("profile", variables={"HERMESCTL_PROFILE": "ghost"})
    assert (ended.code, ended.out) == (0, "ghost (HERMESCTL_PROFILE)\n  ! there is no profile 'ghost'\n")
    assert ended.err == "warning: plain commands cannot go on: unset HERMESCTL_PROFILE\n"


def test_an_absent_daemon_is_explained(run: Run, places: Places, tmp_path: Path) -> None:
    """The first error people meet says what to run."""
    lines = ["profile list", "gateway is-active coder", "daemon status", "daemon stop", "version", "chat"]
    compare("absent", transcript(lines, run, tmp_path))


def commands_printed() -> list[str]:
    """Every command of ours that some transcript tells people to run."""
    found = set()
    for path in GOLDEN.glob("*.txt"):
        for line in path.read_text().splitlines():
            told = re.search(r"^(?: +fix:|  see:|       ) .*?\b(hermesctl .*)|^  \w+ .*  (hermesctl .*)", line)
            if told and path.stem != "help" and '"command": ' not in line:
                found.add(told.group(1) or told.group(2))
            found.update(re.findall(r'"command": "(hermesctl [^"]*)"', line))
    return sorted(found)


@pytest.mark.parametrize("command", commands_printed())
def test_every_command_we_print_is_one_we_accept(
    run: Callable[..., object], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A fix that does not parse would be worse than none."""
    for where, _ in cli.COMMANDS.values():
        import_module(where.partition(":")[0])  # a module that is first imported below would keep what is patched
    monkeypatch.setattr(click.Command, "invoke", lambda *_: 0)
    monkeypatch.setattr(agent, "become", lambda *_: None)
    words = shlex.split(command)
    assert words[0] == "hermesctl"
    ended = run(words[1:])
    assert ended.code == 0, ended.err  # type: ignore[attr-defined]


def test_there_are_such_commands() -> None:
    """The search above finds what it looks for."""
    found = commands_printed()
    assert "hermesctl daemon start" in found
    assert "hermesctl gateway logs worker" in found
    assert len(found) > 20


def test_a_terminal_that_is_no_terminal_is_never_asked(environment: dict[str, str]) -> None:
    """Without a person, nothing waits for one."""
    assert not FakeTerminal(environment).can_ask
    assert FakeTerminal(environment, columns=80).can_ask
