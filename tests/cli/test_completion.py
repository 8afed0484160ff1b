"""What a Tab is answered, without a shell: the scripts' own question, put to the program."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from hermesctl import cli
from hermesctl.agent_words import AGENT_VERBS
from hermesctl.client.places import Places
from hermesctl.completion import answering, live, typed
from hermesctl.completion.scripts import ALIAS_MARK
from hermesctl.options import Group
from hermesctl.refusals import REFUSED
from hermesd.domain.alias import render
from hermesd.domain.profile import ProfileName
from tests.cli.conftest import Ended, Run
from tests.fakes.contract import profile, runtime
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.cli]

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(run: Run) -> Ask:
    """Puts the question of zsh's script: words, the last one unfinished. Returns the answer's lines."""

    def asked(*words: str, command: str = "hermesctl", shell: str = "zsh") -> list[str]:
        ended = run(["__complete", shell], answers="".join(f"{word}\0" for word in (command, *words)))
        assert (ended.code, ended.err) == (0, "")
        return ended.out.splitlines()

    return asked


def values(lines: list[str]) -> list[str]:
    """The candidates alone."""
    assert lines[0] == "words"
    return [line.partition("\t")[0] for line in lines[1:]]


def test_the_top_offers_our_nouns_and_the_agents_commands(ask: Ask) -> None:
    """Ours first and with their help; what would be refused is not offered, nor what people do not call."""
    found = ask("")
    ours = [name for name in cli.COMMANDS if not name.startswith("_")]
    assert values(found)[: len(ours)] == ours
    assert set(values(found)) == {*ours, *AGENT_VERBS} - (REFUSED.keys() - set(ours))
    assert "status\tAll gateways, what is wrong and what to do about it." in found
    assert "chat\tof the agent" in found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["prof"], ["profile"]),
        (["profile", "l"], ["list"]),
        (["p", "cu"], ["current"]),
        (["gateway", "se"], ["setup"]),
        (["gw", "-p", "coder", "is"], ["is-active"]),
        (["-o", "json", "oper"], ["operations"]),
        (["-o", "json", "cha"], []),
        (["-p", "coder", "cha"], ["chat"]),
        (["--profile=coder", "cha"], ["chat"]),
        (["status", "-o", "js"], ["json", "jsonl"]),
        (["status", "--output=y"], ["--output=yaml"]),
        (["--color", ""], ["auto", "always", "never"]),
        (["daemon", "stop", "--ga"], ["--gateways"]),
        (["profile", "list", "--no-h"], ["--no-headers"]),
        (["profile", "list", "--json", "--js"], []),
        (["completion", "z"], ["zsh"]),
        (["profile", "prompt", "f"], ["fish"]),
        (["status", ""], []),
        (["bogus", ""], []),
        (["gateway", "run", ""], []),
        (["profile", "create", "c"], []),
        (["profile", "create", "new", "--clone-from", "w"], ["worker"]),
        (["profile", "create", "new", "--channels", ""], ["strip", "keep"]),
        (["profile", "create", "new", "--cron", "p"], ["pause"]),
        (["profile", "create", "new", "--clone-"], ["--clone-all", "--clone-from"]),
        (["profile", "use", "--help", "co"], ["coder"]),
    ],
)
def test_what_fits_is_offered(ask: Ask, daemon: FakeDaemon, words: list[str], expected: list[str]) -> None:
    """Nouns, verbs, options, choices; nothing where nothing fits."""
    assert values(ask(*words)) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["-p", ""],
        ["chat", "-p", ""],
        ["-z", "-p", "-p", ""],
        ["gateway", "start", ""],
        ["gw", "why", ""],
        ["profile", "delete", "--yes", ""],
        ["profile", "use", ""],
        ["status", "--profile", ""],
    ],
)
def test_profiles_are_offered_with_their_state(ask: Ask, daemon: FakeDaemon, words: list[str]) -> None:
    """After `-p` wherever it stands, and where a verb takes the name of one."""
    assert ask(*words) == ["words", "default\tstopped", "coder\tready", "worker\tbackoff"]


@pytest.mark.parametrize("words", [["--profile=w"], ["chat", "--profile=w"], ["gateway", "start", "--profile=w"]])
def test_a_profile_after_an_equals_sign_is_one_word(ask: Ask, daemon: FakeDaemon, words: list[str]) -> None:
    """As shells have it."""
    assert ask(*words) == ["words", "--profile=worker\tbackoff"]


def test_who_is_named_already_is_not_asked_for_again(ask: Ask, daemon: FakeDaemon) -> None:
    """`-p coder gateway start NAME` could only contradict itself."""
    assert values(ask("-p", "coder", "gateway", "start", "")) == []
    assert values(ask("gateway", "status", "coder", "")) == []
    assert values(ask("gateway", "start", "coder", "")) == ["default", "worker"]
    assert values(ask("gateway", "restart", "--all", "--exclude", "")) == ["default", "coder", "worker"]


def test_what_is_in_the_trash_is_offered(ask: Ask, daemon: FakeDaemon, run: Run) -> None:
    """Each name once, and each deletion by its id; a new name is nobody's."""
    run("profile delete coder --yes")
    words = ["words", "coder\tWrites and reviews code", "op0000000001\tcoder"]
    assert ask("profile", "trash", "restore", "") == words
    assert ask("profile", "trash", "empty", "--yes", "") == words
    assert values(ask("profile", "trash", "list", "")) == []


def test_operations_runtimes_and_commands_that_run_are_offered(
    ask: Ask, daemon: FakeDaemon, world: World, run: Run
) -> None:
    """What a noun's verbs take the name of."""
    run("gateway start worker --no-wait")
    assert ask("operations", "wait", "") == ["words", "op0000000001\trunning gateway.start worker"]
    world.runtimes.append(runtime("0.18.2", is_current=False))
    assert ask("runtime", "use", "hermes-agent-0.18") == [
        "words",
        "hermes-agent-0.18.2-4f2c1aa0\thermes-agent 0.18.2",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["chat", ""],
        ["-p", "coder", "-z", ""],
        ["gateway", "setup", ""],
        ["chat", "-"],
        ["quickstart", "--runtime", ""],
        ["runtime", "add", ""],
        ["runtime", "use", "--path", ""],
        ["exec", "--", "vi", ""],
        ["hermes", "--", ""],
    ],
)
def test_elsewhere_files_are_offered(ask: Ask, words: list[str]) -> None:
    """After a command of the agent, after `--`, and where a PATH is expected."""
    assert ask(*words) == ["files"]


def test_every_place_for_a_path_offers_files(ask: Ask) -> None:
    """Whatever is called PATH in the help."""
    for path, command in _commands():
        for parameter in command.params:
            if "PATH" in {parameter.metavar, (parameter.name or "").upper()}:
                words = [*path, *(parameter.opts[:1] if isinstance(parameter, click.Option) else []), ""]
                assert ask(*words) == ["files"], words


def test_every_name_offers_something_or_names_something_new(ask: Ask, daemon: FakeDaemon, run: Run) -> None:
    """A new noun whose verbs take a NAME has to say where names come from."""
    run("gateway start worker --no-wait")
    for path, command in _commands():
        if any(isinstance(one, click.Argument) and one.name == "name" for one in command.params):
            assert bool(values(ask(*path, ""))) != (path[-1] == "create"), path


def _commands() -> list[tuple[list[str], click.Command]]:
    """Every command that people call, with its path."""
    found: list[tuple[list[str], click.Command]] = []
    context = click.Context(cli.PROGRAM)
    for noun in cli.PROGRAM.list_commands(context):
        group = cli.PROGRAM.get_command(context, noun)
        assert group is not None
        verbs = group.list_commands(context) if isinstance(group, Group) else []
        found += [([noun, verb], group.commands[verb]) for verb in verbs if isinstance(group, Group)]
        found += [] if verbs else [([noun], group)]
    return found


def test_without_a_daemon_the_directories_are_offered(ask: Ask, places: Places) -> None:
    """And no daemon is started for it."""
    for name in ("coder", "zoe", "Loud", ".hermesd", "a b"):
        (places.root / "profiles" / name).mkdir(parents=True)
    assert ask("-p", "") == ["words", "default", "coder", "zoe"]
    assert values(ask("operations", "show", "")) == []
    assert not places.state.exists()


@pytest.mark.parametrize("spoiled", ["record", "version", "socket", "refusal"])
def test_a_daemon_that_is_no_help_is_passed_over(
    ask: Ask, daemon: FakeDaemon, world: World, places: Places, spoiled: str
) -> None:
    """Whatever is wrong with it, a Tab says nothing of it."""
    (places.root / "profiles" / "zoe").mkdir(parents=True)
    match spoiled:
        case "record":
            places.daemon_file.write_text("{")
        case "version":
            daemon.write_record(version="9.9.9")
        case "socket":
            daemon.write_record(socket=str(places.state / "none.sock"))
        case _:
            world.refused["ListGateways"] = Refusal("INTERNAL", "no")
    assert ask("-p", "") == ["words", "default", "zoe"]


def test_what_others_wrote_cannot_harm_a_shell(ask: Ask, daemon: FakeDaemon, world: World) -> None:
    """A value with a character of any meaning is not offered; what describes it is made one harmless line."""
    for name in ("a;b", "$(id)", "x y", "\x1b[31m", "q'", "`id`", "ünï"):
        world.profiles[name] = profile(name)
    world.runtimes[0].kind = "evil\n\x1b[31mkind\tx"
    assert values(ask("-p", "")) == ["default", "coder", "worker"]
    assert ask("runtime", "use", "")[1].partition("\t")[2] == "evil kind    x 0.19.0"


@pytest.mark.parametrize("sent", ["", "hermesctl", "\0", "hermesctl\0", "\0\0\0", "hermesctl\0hermesctl \0"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "ksh"])
def test_nonsense_is_answered_with_nothing(run: Run, sent: str, shell: str) -> None:
    """There is nobody to tell at a Tab: exit code 0, no word on stderr."""
    ended = run(["__complete", shell], answers=sent)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] in {"words", "files"}


def test_a_defect_is_not_told_at_a_tab(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even ours."""

    def defect(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(answering, "answer", defect)
    assert run("__complete zsh", answers="hermesctl\0\0") == Ended(0, "words\n", "")


SEPARATORS = " \t\n\"'><=;|&(:"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hermesctl prof", ["profile"]),
        ("hermesctl  'gateway' \"sta\"rt\\\n co", ["coder"]),
        ("hermesctl gateway start 'co", ["coder"]),
        ('hermesctl gateway start "', ["default", "coder", "worker"]),
        ("hermesctl gateway start c\\", ["coder"]),
        ("./x/hermesctl status --output=j", ["json", "jsonl"]),
        ("hermesctl --profile=wo", ["worker"]),
        ("hermesctl 2>/dev/null >>log gateway <in &>x start c", ["coder"]),
        ("hermesctl gateway # ", []),
        ("hermesctl -p $(id) gate", ["gateway"]),
        ("hermesctl `id` ", []),
    ],
)
def test_the_line_of_bash_is_read_as_bash_would(
    ask: Ask, daemon: FakeDaemon, line: str, expected: list[str]
) -> None:
    """Quotes, unfinished ones too, and redirections; nothing in it is ever executed."""
    assert values(ask(line, SEPARATORS, shell="bash")) == expected


@pytest.mark.parametrize("end", ["> lo", ">lo", "2>", "&> ", "< 'a"])
def test_a_redirection_of_bash_takes_a_file(ask: Ask, end: str) -> None:
    """The program never sees it."""
    assert ask(f"hermesctl status {end}", SEPARATORS, shell="bash") == ["files"]


def test_without_the_equals_sign_as_separator_bash_gets_whole_words(ask: Ask) -> None:
    """People can take it out of COMP_WORDBREAKS."""
    assert values(ask("hermesctl status --output=j", " \n", shell="bash")) == ["--output=json", "--output=jsonl"]


def test_an_alias_completes_as_the_profile_it_stands_for(
    ask: Ask, daemon: FakeDaemon, environment: dict[str, str]
) -> None:
    """Whatever its name and wherever it is called from; its profile is named already."""
    directory = Path(environment["HOME"]) / ".local" / "bin"
    directory.mkdir(parents=True)
    (directory / "mate").write_text(render(Path("/nowhere/launcher"), ProfileName("coder")))
    for command in ("mate", f"{directory}/mate", "~/.local/bin/mate"):
        assert values(ask("gateway", "is", command=command)) == ["is-active"]
        assert values(ask("gateway", "start", "", command=command)) == []
        assert ask("chat", "", command=command) == ["files"]
    assert values(ask(f"{directory}/mate gateway is", SEPARATORS, command="mate", shell="bash")) == ["is-active"]


def test_only_what_hermesd_wrote_is_an_alias(environment: dict[str, str], tmp_path: Path) -> None:
    """The mark is that of the daemon's own files."""
    home = Path(environment["HOME"])
    directory = home / ".local" / "bin"
    directory.mkdir(parents=True)
    assert f"\n{ALIAS_MARK}coder\n" in render(Path("/nowhere/launcher"), ProfileName("coder"))
    texts = {
        "theirs": '#!/bin/sh\nexec hermes -p coder "$@"\n',
        "odd": f"#!/bin/sh\n{ALIAS_MARK}../x\n",
        "other": "#!/bin/sh\n",
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    os.mkfifo(directory / "pipe")
    for name in (*texts, "pipe", "none", "hermesctl", "../x", ""):
        assert typed.profile_of(name, home) == ""


def test_a_daemon_that_hangs_costs_a_moment(
    ask: Ask, daemon: FakeDaemon, world: World, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty milliseconds, and then the directories."""
    monkeypatch.setattr(live, "LIMIT_S", 0.05)
    (places.root / "profiles" / "zoe").mkdir(parents=True)
    listening = places.state / "hung.sock"
    with socket.socket(socket.AF_UNIX) as hung:
        directory = os.open(places.state, os.O_PATH)
        hung.bind(f"/proc/self/fd/{directory}/{listening.name}")
        os.close(directory)
        hung.listen()
        daemon.write_record(socket=str(listening))
        began_s = time.monotonic()
        assert ask("-p", "") == ["words", "default", "zoe"]
        assert time.monotonic() - began_s < DEADLINE_S


@pytest.mark.parametrize(
    ("words", "allowed"),
    [("", ""), ("-", ""), ("prof", ""), ("--color ", ""), ("chat ", ""), ("gateway ", "google.protobuf")],
)
def test_a_tab_imports_what_it_needs(environment: dict[str, str], words: str, allowed: str) -> None:
    """Neither grpc nor what comes with it, where no live name is asked for."""
    code = (
        "import sys; from hermesctl import cli; from hermesctl.terminal import Terminal;"
        "code = cli.run(['__complete', 'zsh'], Terminal.of_this_process());"
        "names = {'grpc', 'google.protobuf', 'yaml', 'asyncio'} - {sys.argv[1]};"
        "sys.exit(code or ' '.join(names & set(sys.modules)) or 0)"
    )
    sent = "".join(f"{word}\0" for word in ("hermesctl", *words.split(" ")))
    ended = subprocess.run(
        [sys.executable, "-c", code, allowed],
        env=environment,
        input=sent.encode(),
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_closed_stdin_is_no_failure(environment: dict[str, str]) -> None:
    """Nothing waits, nothing is said."""
    script = f"{sys.executable} -m hermesctl __complete bash <&-"
    ended = subprocess.run(
        ["/bin/sh", "-c", script], env=environment, capture_output=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"words\n", b"")
