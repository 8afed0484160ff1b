"""Commands that go on: `events -f`, `status -w` and `gateway list -w`, also while the daemon is away."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hermesctl import cli, live
from hermesctl.client.places import Places
from hermesctl.commands import events
from hermesctl.terminal import NeedsOwnProcess
from hermesd.v1 import events_pb2 as v1
from hermesd.v1 import gateways_pb2 as g
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import NOW_S, at, gateway, profile
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import Refusal, World
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.cli]


class Watcher:
    """A command that runs until somebody ends it."""

    def __init__(self, line: str, terminal: FakeTerminal) -> None:
        self.terminal = terminal
        self.code: int | None = None
        terminal.monotonic_s = time.monotonic
        self._thread = threading.Thread(target=self._run, args=(line.split(),))
        self._thread.start()

    def _run(self, argv: list[str]) -> None:
        self.code = cli.run(argv, self.terminal)

    @property
    def out(self) -> str:
        """What it wrote."""
        return self.terminal.output.getvalue()

    @property
    def err(self) -> str:
        """What it said."""
        return self.terminal.talk.getvalue()

    def shows(self, text: str) -> None:
        """Returns once it wrote or said this."""
        wait_until(lambda: text in self.out + self.err or self.code is not None, repr(text))
        assert text in self.out + self.err, self.err

    def json(self) -> list[dict[str, object]]:
        """What it wrote, line by line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def leave(self) -> int | None:
        """Stops reading, and waits until it has noticed."""
        self.terminal.is_left = True
        self._thread.join(10)
        return self.code


Begin = Callable[..., Watcher]


@pytest.fixture
def begin(environment: dict[str, str], world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Begins a command; whatever still runs at the end is left."""
    monkeypatch.setattr(live, "TICK_S", 0.2)
    monkeypatch.setattr(events, "LOOK_S", 0.2)
    world.hanging.add("events")
    begun: list[Watcher] = []

    def begin_command(line: str, rows: int = 24, **terminal: object) -> Watcher:
        variables = environment | {"LINES": str(rows), "NO_COLOR": "1"}
        begun.append(Watcher(line, FakeTerminal(variables, **terminal)))  # type: ignore[arg-type]
        return begun[-1]

    yield begin_command
    for one in begun:
        one.leave()


LISTING = [
    "events",
    "events -n 2",
    "events -n 0",
    "events -p coder -o wide",
    "events --kind gateway --kind profile.used",
    "events --kind nothing",
    "events --until 10m -f",
    "events --since soon",
    "events -o jsonl -n 1",
    "events -o name -n 3",
    "events --help",
]


@pytest.fixture
def told(world: World) -> World:
    """A world in which something happened."""
    asked = {"requester": "hermesctl/0.1.0 pid 7", "operation": "op0000000001"}
    world.happen("operation.started", "coder", "gateway.start started", work="gateway.start", **asked)
    world.happen("gateway.starting", "coder", "gateway of coder: starting", **asked)
    world.happen("gateway.degraded", "worker", "gateway of worker: telegram: \x1b[31mnot connected")
    world.happen("profile.used", "worker", "worker is the sticky default", requester="a dashboard")
    world.happen("runtime.used", "", "hermes-agent-0.19.0 is the runtime in use")
    return world


@pytest.mark.parametrize("columns", [None, 80])
def test_the_history_looks_like_this(
    run: Run, daemon: FakeDaemon, told: World, columns: int | None, tmp_path: Path
) -> None:
    """In a pipe and on a terminal."""
    lines = LISTING if columns is None else LISTING[:1]
    compare(f"events-{columns or 'pipe'}", transcript(lines, lambda line: run(line, columns=columns), tmp_path))


def test_options_become_a_question(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Whatever the daemon can narrow, it is asked to."""
    assert run("events -p coder --kind gateway --since 10m --until 1m -n 7").code == 0
    (asked,) = [one for method, one in world.calls if method == "ListEvents"]
    assert isinstance(asked, v1.ListEventsRequest)
    assert (asked.profile, [*asked.kinds], asked.page_size) == ("coder", ["gateway"], 7)
    assert (asked.since.seconds, asked.until.seconds) == (NOW_S - 600, NOW_S - 60)


def test_a_long_history_is_read_in_pages(run: Run, daemon: FakeDaemon, world: World) -> None:
    """All since a moment, or as many as are asked for."""
    for _ in range(1200):
        world.happen("test.fact")
    found = run("events --since 2d -o name").out.splitlines()
    assert found == [f"event/{number}" for number in range(1, 1201)]
    assert run("events -n 700 -o name").out.splitlines() == found[-700:]


def test_events_are_followed(begin: Begin, daemon: FakeDaemon, told: World) -> None:
    """The last ones, then each as it happens, and nothing else; a reader that leaves ends it."""
    watcher = begin("-p worker events -f -n 1 --kind gateway")
    watcher.shows("gateway.degraded")
    told.happen("gateway.ready", "coder", "not this")
    told.happen("profile.used", "worker", "nor this")
    told.happen("gateway.ready", "worker", "but this")
    watcher.shows("but this")
    assert [line.split()[1] for line in watcher.out.splitlines()] == ["gateway.degraded", "gateway.ready"]
    assert "\x1b" not in watcher.out
    assert watcher.leave() == 141
    assert watcher.err == ""


def test_people_see_times_of_the_day(begin: Begin, daemon: FakeDaemon, told: World) -> None:
    """On a terminal; what was recorded comes first, unless none of it is wanted."""
    watcher = begin("events -f -n 1", columns=80)
    watcher.shows("runtime.used")
    told.happen("gateway.ready", "coder", "coder is ready")
    watcher.shows("14:13:20  gateway.ready  coder  coder is ready\n")
    other = begin("events -f -n 0", columns=80)
    wait_until(lambda: [method for method, _ in told.calls].count("WatchEvents") == 2, "another watcher")
    told.happen("gateway.ready", "coder", "again")
    other.shows("again")
    assert len(other.out.splitlines()) == 1


def test_a_gap_is_told(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """As a warning, and as an object of its own where lines are JSON."""
    world.watched.append(v1.WatchEventsResponse(gap=v1.Gap(next_token=7)))
    begin("events -f").shows("warning: some events before number 7 are missing here")
    watcher = begin("events -f -o jsonl")
    watcher.shows("gap")
    assert watcher.json() == [{"type": "gap", "next_token": 7}]


def test_following_goes_on_with_the_next_daemon(
    begin: Begin, daemon: FakeDaemon, told: World, places: Places
) -> None:
    """From the last event on: what happened while nobody listened comes too, once."""
    watcher = begin("events -f -o jsonl -n 1")
    watcher.shows("runtime.used")
    told.happen("gateway.ready", "coder", "before")
    watcher.shows("before")
    daemon.stop()
    watcher.shows("hermesd went away; waiting for it to come back\n")
    told.happen("gateway.ready", "coder", "meanwhile")
    other = FakeDaemon(told, places)
    other.start()
    watcher.shows("hermesd is back; going on after event 6\n")
    watcher.shows("meanwhile")
    told.happen("gateway.ready", "coder", "later")
    watcher.shows("later")
    assert [one["token"] for one in watcher.json()] == [5, 6, 7, 8]
    watcher.leave()
    other.stop()


def test_following_ends_with_a_daemon_that_is_of_no_use(
    begin: Begin, daemon: FakeDaemon, world: World, places: Places
) -> None:
    """It says why, instead of waiting for ever."""
    watcher = begin("events -f")
    wait_until(lambda: any(method == "WatchEvents" for method, _ in world.calls), "a watcher")
    daemon.stop()
    watcher.shows("hermesd went away")
    daemon.write_record(version="9.0.0")
    other = FakeDaemon(world, places)
    world.version = "9.0.0"
    other.start()
    watcher.shows("cannot talk to hermesd 9.0.0")
    wait_until(lambda: watcher.code == 8, "its end")
    other.stop()


def test_a_refused_stream_is_a_failure(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """What the daemon says is no absence."""
    world.refused["WatchEvents"] = Refusal("STATE_CORRUPT", "cannot read the history: it is damaged")
    for line in ("events -f", "status -w"):
        watcher = begin(line)
        watcher.shows("error: cannot read the history")
        wait_until(lambda: watcher.code == 1, "its end")  # noqa: B023 - used at once


@pytest.mark.parametrize("line", ["events -f", "status -w", "gateway list -w"])
def test_what_goes_on_needs_its_own_process(
    environment: dict[str, str], daemon: FakeDaemon, world: World, line: str
) -> None:
    """Workers are few; the command is given back before it has done anything."""
    terminal = FakeTerminal(environment)
    terminal.is_shared = True
    with pytest.raises(NeedsOwnProcess):
        cli.run(line.split(), terminal)
    assert world.calls == []


def test_changed_rows_are_appended(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """Where nothing can be redrawn: headers once, then what changed, and that something is gone."""
    watcher = begin("gateway list -w")
    watcher.shows("worker")
    world.profiles["coder"].gateway.CopyFrom(gateway("coder", g.GATEWAY_STATE_FAILED))
    world.happen("gateway.failed", "coder")
    watcher.shows("failed")
    world.happen("gateway.nothing", "coder")
    del world.profiles["worker"]
    world.happen("profile.deleted", "worker")
    watcher.shows("worker  deleted\n")
    lines = [line.split() for line in watcher.out.splitlines()]
    assert [line[:3] for line in lines[:4]] == [
        ["PROFILE", "STATE", "SINCE"],
        ["○", "default", "stopped"],
        ["●", "coder", "ready"],
        ["◆", "worker", "backoff"],
    ]
    assert [line[:3] for line in lines[4:]] == [["◆", "coder", "failed"], ["worker", "deleted"]]


def test_changes_are_told_to_programs(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """What is added, modified and deleted, and not that time has passed or memory moved."""
    watcher = begin("status -w -o jsonl")
    watcher.shows('"name": "worker"')
    found = world.profiles["coder"].gateway
    found.health.age.seconds = 5
    found.usage.rss_bytes = 5
    world.happen("gateway.nothing", "coder")
    found.state = g.GATEWAY_STATE_HUNG
    world.happen("gateway.hung", "coder")
    watcher.shows("modified")
    world.profiles["writer"] = profile("writer")
    del world.profiles["default"]
    world.happen("profile.created", "writer")
    watcher.shows("deleted")
    assert [(one["type"], one["name"]) for one in watcher.json()] == [
        ("added", "default"),
        ("added", "coder"),
        ("added", "worker"),
        ("modified", "coder"),
        ("added", "writer"),
        ("deleted", "default"),
    ]


def test_questions_are_few(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """However much happens: at most ten a second, and none while nothing does."""
    watcher = begin("gateway list -w -o jsonl")
    watcher.shows("worker")
    began_s = time.monotonic()
    for _ in range(300):
        world.happen("gateway.nothing")
        time.sleep(0.001)
    world.profiles["coder"].gateway.state = g.GATEWAY_STATE_FAILED
    world.happen("gateway.failed", "coder")
    watcher.shows("modified")
    asked = [method for method, _ in world.calls].count("ListGateways")
    assert asked <= 2 + (time.monotonic() - began_s) / 0.1


class Screen:
    """What a terminal shows to which this was written."""

    def __init__(self, columns: int) -> None:
        self.lines = [""]
        self.row = 0
        self.columns = columns

    def feed(self, text: str) -> list[str]:
        """Obeys what is written; returns the lines."""
        while text:
            if text.startswith("\x1b["):
                end = next(at for at in range(2, len(text)) if text[at].isalpha())
                self._obey(text[2:end], text[end])
                text = text[end + 1 :]
            elif text[0] == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
                text = text[1:]
            elif text[0] == "\r":
                text = text[1:]
            else:
                end = min(at for at in (text.find("\n"), text.find("\x1b"), len(text)) if at >= 0)
                assert end <= self.columns, text[:end]
                self.lines[self.row] = text[:end]
                text = text[end:]
        return self.lines

    def _obey(self, number: str, what: str) -> None:
        if what == "A":
            self.row -= int(number)
            assert self.row >= 0
        elif what == "J":
            del self.lines[self.row :]
            self.lines.append("")


@pytest.mark.parametrize("line", ["status -w", "gateway list -w"])
def test_a_screen_is_redrawn_in_place(begin: Begin, daemon: FakeDaemon, world: World, line: str) -> None:
    """It shows what the plain command shows, then what has become of it, on the same lines."""
    watcher = begin(line, columns=80)
    watcher.shows("worker")
    before = list(Screen(80).feed(watcher.out))
    world.profiles["coder"].gateway.CopyFrom(gateway("coder", g.GATEWAY_STATE_HUNG, detail="it hangs"))
    world.happen("gateway.hung", "coder")
    watcher.shows("hung")
    wait_until(lambda: watcher.out.endswith("\x1b[J"), "a whole screen")
    after = Screen(80).feed(watcher.out)
    assert after[0] == before[0]
    assert [one for one in after if " coder " in one[:10]][:1] == [
        one for one in after if one.startswith("◆  coder")
    ]
    assert "hung" in "".join(after)
    assert watcher.out.count("PROFILE") == 1


def test_ages_move_without_a_question(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """The screen is no older than it says."""
    watcher = begin("gateway list -w", columns=80)
    watcher.shows("41s")
    wait_until(lambda: any(method == "WatchEvents" for method, _ in world.calls), "a watcher")
    asked = len(world.calls)
    watcher.terminal.now_s = lambda: NOW_S + 30.0
    watcher.shows("1m")
    assert len(world.calls) == asked


def test_a_screen_fits_the_window(begin: Begin, daemon: FakeDaemon, world: World) -> None:
    """What is wrong stays, what is well gives way, and it says of how much there is no more to see."""
    for number in range(40):
        world.profiles[f"p{number:02d}"] = profile(f"p{number:02d}")
    hung = gateway("p39", g.GATEWAY_STATE_HUNG, since=at(60))
    world.profiles["p39"] = profile("p39", gateway=hung, problems=[f"trouble {number}" for number in range(30)])
    for line, rows in (("status -w", 24), ("status -w", 12), ("gateway list -w", 10), ("status -w", 6)):
        watcher = begin(line, rows=rows, columns=60)
        watcher.shows("\x1b[J")
        shown = Screen(60).feed(watcher.out)
        assert len(shown) <= rows, (line, rows)
        assert rows < 10 or any("p39" in one and "hung" in one for one in shown)
        assert any(one.startswith("… ") and one.endswith(" more") for one in shown)


def test_a_screen_says_that_the_daemon_is_away(
    begin: Begin, daemon: FakeDaemon, world: World, places: Places
) -> None:
    """What it shows is old then; with the next daemon it is new again."""
    watcher = begin("status -w", columns=80)
    watcher.shows("worker")
    daemon.stop()
    watcher.shows("hermesd went away")
    world.profiles["coder"].gateway.CopyFrom(gateway("coder", g.GATEWAY_STATE_HUNG))
    other = FakeDaemon(world, places)
    other.start()
    watcher.shows("hung")
    wait_until(lambda: "went away" not in "".join(Screen(80).feed(watcher.out)), "the notice to go")
    watcher.leave()
    other.stop()


def test_a_dumb_terminal_gets_rows(begin: Begin, daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """Nothing is redrawn where nothing can be."""
    environment["TERM"] = "dumb"
    watcher = begin("gateway list -w", columns=80)
    watcher.shows("worker")
    assert "\x1b" not in watcher.out
