"""Command lines in the hands of warm workers: the same as cold, and nothing of one caller reaches another."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from hermesctl.client.places import Places
from hermesd.v1 import runtimes_pb2
from tests.cli import syscalls
from tests.cli.workers import COLD, LAUNCH, ORDINARY_SIGNALS, Workers, call, ended, is_alive
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.cli]

MOST_SYSCALLS = 35
"""Of the launcher, for a command that no signal disturbs."""


@pytest.fixture
def workers(places: Places, daemon: FakeDaemon) -> Iterator[Workers]:
    """Workers that wait, beside the fake daemon; what they say of dead ones is only that."""
    places.root.mkdir()
    with Workers(places) as made:
        yield made
    assert re.fullmatch(r"(hermesctl: worker \d+ ended with -9\n)*", made.said.decode())


def requester_pids(world: World) -> list[int]:
    """The processes that called the daemon."""
    return [int(one.rpartition(" ")[2]) for one in world.requesters]


def test_a_worker_calls_the_daemon_for_its_caller(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """One that was there before the caller came."""
    before = workers.pids()
    code, out, err = ended(call("profile list -o name", environment))
    assert (code, out, err) == (0, "profile/default\nprofile/coder\nprofile/worker\n", "")
    assert requester_pids(world)[0] in before


def test_a_worker_calls_for_an_agents_tool(environment: dict[str, str], workers: Workers, world: World) -> None:
    """Whose agent gave it a home in its profile."""
    before, profile = workers.pids(), "/srv/coder"
    told = {"HOME": f"{profile}/home", "HERMES_HOME": profile, "HERMES_REAL_HOME": environment["HOME"]}
    code, out, _ = ended(call("profile list -o name", environment | told))
    assert (code, out) == (0, "profile/default\nprofile/coder\nprofile/worker\n")
    assert requester_pids(world)[0] in before


@pytest.mark.parametrize(
    "variables",
    [{"HERMESCTL_NO_WARM": "1"}, {"PYTHONIOENCODING": "ascii"}, {"HERMESD_ROOT": "/nowhere"}],
    ids=["asked for", "other Python", "other root"],
)
def test_callers_that_a_worker_cannot_stand_in_for_run_cold(
    environment: dict[str, str], workers: Workers, world: World, variables: dict[str, str]
) -> None:
    """In their own process."""
    caller = call("--version", environment | variables)
    assert ended(caller)[0] == 0
    caller = call("profile list", environment | variables)
    ended(caller)
    assert set(requester_pids(world)) <= {caller.pid}


def test_a_caller_without_a_stream_runs_cold(environment: dict[str, str], workers: Workers, world: World) -> None:
    """What it has closed cannot be handed over."""
    script = f"exec {LAUNCH[0]} {LAUNCH[1]} '{LAUNCH[2]}' profile delete worker <&- >&-"
    done = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"--yes" in done.stderr


def test_a_launcher_of_another_version_runs_cold(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """Until the daemon, and with it its workers, is of that version too."""
    other = "import hermesctl; hermesctl.__version__ = '0.1.7'; from hermesctl.launch.launcher import main; main()"
    caller = call("profile list -q", environment, command=[sys.executable, "-c", other])
    assert ended(caller)[0] == 0
    assert requester_pids(world) == [caller.pid]


def test_a_directory_that_others_may_write_is_not_trusted(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """Somebody else could have put a socket there."""
    workers.directory.chmod(0o770)
    caller = call("profile list", environment)
    assert ended(caller)[0] == 0
    assert requester_pids(world) == [caller.pid]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process other mounts")
def test_a_caller_with_other_mounts_runs_where_its_files_are(
    environment: dict[str, str], workers: Workers, world: World, tmp_path: Path
) -> None:
    """The worker would see other files under the same names."""
    (tmp_path / "mine").mkdir()
    words = f"mount --bind {tmp_path} {tmp_path / 'mine'} && exec {COLD[0]} -c '{LAUNCH[2]}' profile list -o name"
    caller = call(["-m", "sh", "-c", words], environment, command=["unshare"])
    assert ended(caller)[:2] == (0, "profile/default\nprofile/coder\nprofile/worker\n")
    assert requester_pids(world) == [caller.pid]


def test_commands_that_start_daemons_run_in_their_callers_process(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """What they start must not hang on a worker, and a key that a variable holds is not handed over."""
    lines = ["daemon status", "quickstart --api-key-env MY_KEY --model m --base-url http://b/v1"]
    callers = [call(line, environment | {"MY_KEY": "sk-canary"}) for line in lines]
    assert [ended(caller)[0] for caller in callers] == [0, 0]
    assert set(requester_pids(world)) == {caller.pid for caller in callers}


def test_values_that_commands_do_not_read_stay_with_the_caller(
    environment: dict[str, str], workers: Workers
) -> None:
    """Workers live on, so nothing of the caller's secrets may get into one."""
    assert ended(call("profile list", environment | {"MY_SECRET": "sk-canary-4711"}))[0] == 0
    for pid in workers.pids():
        assert b"sk-canary-4711" not in memory_of(pid)


def memory_of(pid: int) -> bytes:
    """The writable memory of a process."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" in line.split()[1]:
                memory.seek(begin)
                with suppress(OSError):  # a device's, which cannot be read this way
                    found.append(memory.read(end - begin))
    return b"".join(found)


def test_twenty_callers_at_once_are_not_mixed(
    environment: dict[str, str], workers: Workers, world: World, tmp_path: Path
) -> None:
    """Each has its own directory, profile, time zone and locale."""

    def run(number: int) -> tuple[int, str, str]:
        directory = tmp_path / f"at{number}"
        directory.mkdir()
        variables = {"HERMESCTL_PROFILE": f"p{number}", "LC_ALL": "C" if number % 2 else "C.UTF-8"}
        added = ended(call("runtime add bin/hermes -o name", environment, cwd=directory))
        assert added[0] == 0, added
        return ended(call("profile current", environment | variables, cwd=directory))

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(run, range(20)))
    assert found == [(0, f"p{number}\n", "") for number in range(20)]
    added = {one.executable for _, one in world.calls if isinstance(one, runtimes_pb2.RegisterRuntimeRequest)}
    assert added == {str(tmp_path / f"at{number}" / "bin" / "hermes") for number in range(20)}


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_are_made_with_the_callers_umask(
    environment: dict[str, str], workers: Workers, umask: int, tmp_path: Path
) -> None:
    """As if the caller had made them."""
    assert ended(call("completion fish --install", environment, umask=umask))[0] == 0
    (directory,) = {path.parent for path in tmp_path.rglob("hermesctl.fish") if path.parent.name == "completions"}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o777 & ~umask


def test_a_caller_that_hands_nothing_over_holds_no_worker_for_long(
    environment: dict[str, str], workers: Workers
) -> None:
    """A process that was stopped at the wrong moment; meanwhile others are served."""
    with socket.socket(socket.AF_UNIX) as stranger:
        reach(workers, stranger)
        wait_until(lambda: len(workers.pids()) == 2, "another worker")
        assert ended(call("profile current", environment))[0] == 0
        assert stranger.recv(1) == b""


def reach(workers: Workers, stranger: socket.socket) -> None:
    """Connects to the workers by a path short enough for an address."""
    directory = os.open(workers.directory, os.O_PATH)
    stranger.connect(f"/proc/self/fd/{directory}/{workers.socket.name}")
    os.close(directory)


def test_a_command_becomes_the_agent_in_its_callers_process(
    environment: dict[str, str], workers: Workers, world: World, tmp_path: Path
) -> None:
    """With the caller's own variables, signals and descriptors, and the agent's exit code."""
    agent = tmp_path / "agent"
    agent.write_text('#!/bin/sh\necho "$$ $MY_SECRET $HERMES_HOME" "$@"\ngrep SigIgn /proc/$$/status\nexit 75\n')
    agent.chmod(0o755)
    world.executable = str(agent)
    world.environment_set["HERMES_HOME"] = "/home/ana/.hermes/profiles/coder"
    caller = call("-p coder chat -q hi", environment | {"MY_SECRET": "sk-canary", "HERMES_HOME": "/elsewhere"})
    code, out, err = ended(caller)
    assert (code, err) == (75, "")
    said, ignored = out.splitlines()
    assert said == f"{caller.pid} sk-canary /home/ana/.hermes/profiles/coder -p coder chat -q hi"
    assert int(ignored.split()[1], 16) & ORDINARY_SIGNALS == 0


def test_secrets_of_other_profiles_are_taken_out_where_their_values_are(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """In the caller's process, by digests; the worker never has the values."""
    world.foreign_values = ["sk-theirs-4711", "sk-nobodys-4711"]
    caller = call("exec -- env", environment | {"SPELL": "sk-theirs-4711 ", "MINE": "sk-mine-4711", "EMPTY": ""})
    code, out, _ = ended(caller)
    assert code == 0
    assert "SPELL" not in out
    assert {"MINE=sk-mine-4711", "EMPTY="} <= set(out.splitlines())
    assert requester_pids(world)[0] != caller.pid
    for pid in workers.pids():
        assert b"-4711" not in memory_of(pid)


def test_an_agent_that_cannot_be_executed_is_told_of(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """The worker learns that its caller could not become it."""
    world.executable = "/gone/hermes"
    code, out, err = ended(call("-p coder chat", environment))
    assert (code, out) == (6, "")
    assert "cannot run /gone/hermes" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_reach_the_command(
    environment: dict[str, str], workers: Workers, world: World, number: signal.Signals, code: int
) -> None:
    """It ends with the same code as a process of its own, says no more, and the worker lives on."""
    world.hanging.add("log")
    before = workers.pids()
    caller = call("gateway logs coder -f", environment)
    assert caller.stdout is not None
    assert caller.stdout.readline().endswith(b"  INFO gateway up\n")
    caller.send_signal(number)
    assert ended(caller)[::2] == (code, "")
    assert ended(call("profile current", environment))[1] == "default\n"
    assert set(before) & set(workers.pids())


def test_a_stopped_caller_goes_on(environment: dict[str, str], workers: Workers, world: World) -> None:
    """Ctrl-Z stops the caller's process, and `fg` lets the command finish."""
    world.hanging.add("log")
    caller = call("gateway logs coder -f", environment, process_group=0)  # an orphaned group could not be stopped
    assert caller.stdout is not None
    caller.stdout.readline()
    caller.send_signal(signal.SIGTSTP)
    os.waitid(os.P_PID, caller.pid, os.WSTOPPED)
    caller.send_signal(signal.SIGCONT)
    caller.send_signal(signal.SIGINT)
    assert ended(caller)[0] == 130


def test_a_caller_that_was_killed_leaves_no_command_behind(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """Its worker stops what it did for it and serves others."""
    world.hanging.add("log")
    caller = call("gateway logs coder -f", environment)
    assert caller.stdout is not None
    caller.stdout.readline()
    caller.kill()
    ended(caller)
    for _ in range(3):
        assert ended(call("profile current", environment))[0] == 0
    wait_until(lambda: len(workers.pids()) <= 2, "spare workers to go")


def test_a_worker_that_was_killed_is_told_of(environment: dict[str, str], workers: Workers, world: World) -> None:
    """What it asked of the daemon may still be running, and nothing is tried again."""
    world.hanging.add("log")
    caller = call("gateway logs coder -f", environment)
    assert caller.stdout is not None
    caller.stdout.readline()
    calls = len(world.calls)
    os.kill(requester_pids(world)[-1], signal.SIGKILL)
    code, _, err = ended(caller)
    assert code == 1
    assert "error: the process that ran this command has died" in err
    assert "may still be running" in err
    assert len(world.calls) == calls
    assert ended(call("profile current", environment))[0] == 0
    workers.zygote.kill()


def test_the_operation_of_a_killed_worker_is_named(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """It goes on in the daemon, and the person learns how to wait for it."""
    world.hanging.add("gateway.start")
    caller = call("gateway start coder --json", environment)
    assert caller.stderr is not None
    wait_until(lambda: any(type(one).__name__ == "WatchOperationRequest" for _, one in world.calls), "a watch")
    os.kill(requester_pids(world)[-1], signal.SIGKILL)
    code, out, err = ended(caller)
    assert (code, out) == (11, "")
    assert '"operation": "op0000000001"' in err
    assert "hermesctl operations wait op0000000001" in err
    workers.zygote.kill()


def test_workers_outlive_no_zygote(environment: dict[str, str], workers: Workers, world: World) -> None:
    """A command under way is finished; whoever is idle ends."""
    world.hanging.add("log")
    caller = call("gateway logs coder -f", environment)
    assert caller.stdout is not None
    caller.stdout.readline()
    busy = requester_pids(world)[-1]
    idle = [pid for pid in workers.pids() if pid != busy]
    workers.zygote.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in idle), "the end of the idle")
    assert is_alive(busy)
    caller.send_signal(signal.SIGINT)
    assert ended(caller)[0] == 130
    wait_until(lambda: not is_alive(busy), "the end of the busy")
    assert ended(call("profile current", environment))[0] == 0


def test_callers_beyond_the_last_worker_run_cold(
    environment: dict[str, str], workers: Workers, world: World
) -> None:
    """Nobody waits for somebody else's command to end."""
    world.hanging.add("log")
    callers = [call("gateway logs coder -f", environment) for _ in range(10)]
    for caller in callers:
        assert caller.stdout is not None
        caller.stdout.readline()
    pids = set(requester_pids(world))
    assert len(pids & {caller.pid for caller in callers}) == 2
    assert len(workers.pids()) == 8
    for caller in callers:
        caller.send_signal(signal.SIGINT)
    assert {ended(caller)[0] for caller in callers} == {130}
    wait_until(lambda: len(workers.pids()) <= 2, "spare workers to go")


def test_a_worker_makes_room_for_a_fresh_one(
    environment: dict[str, str], places: Places, daemon: FakeDaemon, world: World
) -> None:
    """After some hundred commands, here after three, whatever they left in it."""
    places.root.mkdir()
    with Workers(places, most_commands=3):
        callers = [call("profile list -q", environment) for _ in range(12)]
        assert {ended(caller)[0] for caller in callers} == {0}
    served = Counter(requester_pids(world))
    assert max(served.values()) <= 3
    assert sum(served.values()) == 12


def test_a_cleaner_that_takes_the_socket_ends_the_zygote(places: Places, daemon: FakeDaemon) -> None:
    """Whoever keeps it starts another, which binds again."""
    with Workers(places) as made:
        made.socket.unlink()
        made.zygote.wait(40)
        assert made.zygote.returncode == 0


def test_what_is_no_launcher_harms_no_worker(environment: dict[str, str], workers: Workers) -> None:
    """Neither garbage, nor half a word, nor a word without its descriptors."""
    for said in (b"", b"GET / HTTP/1.1\r\n\r\n", b"R\0\0\0\x05a", b"R\0\0\0\x01a", b"R\xff\xff\xff\xffa"):
        with socket.socket(socket.AF_UNIX) as stranger:
            reach(workers, stranger)
            stranger.sendall(said)
    assert ended(call("profile current", environment))[0] == 0


def test_output_goes_where_the_caller_says(
    environment: dict[str, str], workers: Workers, world: World, tmp_path: Path
) -> None:
    """A pipe's reader sees its end as soon as the command has ended; a full disk is told."""
    path = tmp_path / "out"
    with path.open("wb") as file:
        assert ended_with_file(call("profile list -o name", environment, stdout=file)) == 0
    assert path.read_text() == "profile/default\nprofile/coder\nprofile/worker\n"
    with Path("/dev/full").open("wb") as full:
        caller = call("profile list", environment, stdout=full)
        _, err = caller.communicate()
    assert caller.returncode == 1
    assert b"No space left on device" in err
    world.log[:] = ["x" * 999] * 3000
    code, out, _ = ended(call("gateway logs coder -n 3000 --no-fold", environment))
    assert (code, out.count("x" * 999)) == (0, 3000)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        caller = call("profile list", environment, stdout=pipe)
        _, err = caller.communicate()
    assert (caller.returncode, err) == (141, b"")


def ended_with_file(caller: "subprocess.Popen[bytes]") -> int:
    """How a caller ended whose output is a file."""
    caller.communicate()
    return caller.returncode


def test_the_launcher_imports_next_to_nothing(environment: dict[str, str]) -> None:
    """Whatever it imports is a part of every command's time."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); before = set(sys.modules);"
        "import hermesctl.launch.launcher; print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-IS", "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ours = ["", ".launch", ".launch.launcher", ".launch.meeting", ".launch.wire"]
    assert set(found) - {"_sha2", "_sha256"} <= {"_socket", *(f"hermesctl{name}" for name in ours)}


def test_nothing_is_left_of_the_callers_place(
    environment: dict[str, str], workers: Workers, tmp_path: Path
) -> None:
    """The worker that served holds neither a directory nor a stream of a caller that is gone."""
    directory = tmp_path / "work"
    directory.mkdir()
    (served,) = workers.pids()
    assert ended(call("profile list", environment, cwd=directory))[0] == 0
    assert Path(f"/proc/{served}/cwd").readlink() == Path("/")
    streams = [str(Path(f"/proc/{served}/fd/{stream}").readlink()) for stream in (0, 1, 2)]
    assert streams == ["/dev/null"] * 3


def test_the_launcher_asks_little_of_the_kernel(environment: dict[str, str], workers: Workers) -> None:
    """Once it is imported: finding a worker, handing over, passing signals on, waiting, ending."""
    python = f"import posix, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r});"
    imported = f"{python} import hermesctl.launch.launcher; posix._exit(0)"
    whole = f"{python} from hermesctl.launch.launcher import main; main()"
    try:
        before, _ = syscalls.count([sys.executable, "-IS", "-c", imported], environment)
        after, code = syscalls.count([sys.executable, "-IS", "-c", whole, "profile", "list"], environment)
    except syscalls.NotAllowed:
        pytest.skip("no process may be traced here")
    assert code == 0
    assert 0 < after - before <= MOST_SYSCALLS
