"""`hermesctl top`: tables and objects one after the other, and what the live screen shows."""

import json
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from hermesctl import cli
from hermesctl.render import Format
from hermesctl.session import Session
from hermesctl.terminal import NeedsOwnProcess
from hermesctl.text import width
from hermesctl.top_feed import News
from hermesctl.top_screen import TopScreen
from hermesctl.top_view import BARS, TREND_WIDTH, Order, Row, Trends, in_order, rows
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1.samples_pb2 import Sample
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import at, gateway, profile
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

MIB = 1024 * 1024


def sample(name: str, cpu_cores: float, rss_mib: int, seconds_ago: int = 0, **fields: int) -> Sample:
    """What a gateway used over a second."""
    made = Sample(profile=name, at=at(seconds_ago), step=Duration(seconds=1), cpu_cores=cpu_cores)
    made.MergeFrom(Sample(rss_bytes=rss_mib * MIB, descriptors=31, threads=12, processes=2))
    made.MergeFrom(Sample(**fields))  # type: ignore[arg-type]
    return made


@pytest.fixture
def sampled(world: World) -> World:
    """Two gateways that run, one of which was just begun to be looked at, and eleven seconds of them."""
    new = profile("new", gateway=gateway("new", g.GATEWAY_STATE_READY, restarts=4))
    world.profiles["new"] = new
    unknown = sample("new", 0.0, 60)
    unknown.step.Clear()
    world.sampled += [[sample("coder", 0.034, 82, 11), unknown]]
    world.sampled += [
        [sample("coder", 1.5, 83 + number, number), sample("new", 0.25, 900)] for number in range(10, 0, -1)
    ]
    return world


def test_tables_look_like_this_in_a_pipe(run: Run, daemon: FakeDaemon, sampled: World, tmp_path: Path) -> None:
    """Each with its moment and its sums, and without anything that moves."""
    lines = [
        "top -n 1",
        "top -n 2 --interval 3s --sort memory",
        "top",
        "top -n 1 --sort name --no-headers coder w*",
        "-p new top -n 1",
        "top -n 1 nobody",
        "top --interval 500ms",
        "top -n 1 -o json coder",
        "top -n 2 -o jsonl --interval 1s new worker",
        "top -n 1 -o yaml default",
        "top -n 2 -o name",
    ]
    compare("top", transcript(lines, run, tmp_path))


def test_tables_look_like_this_on_a_terminal(run: Run, daemon: FakeDaemon, sampled: World, tmp_path: Path) -> None:
    """For who wants nothing redrawn, and for terminals that cannot."""
    compare("top-tty", transcript(["top --plain -n 2"], lambda line: run(line, columns=80), tmp_path))
    dumb = run("top -n 1", columns=80, variables={"TERM": "dumb", "NO_COLOR": "1"})
    assert "\x1b" not in dumb.out
    assert "coder" in dumb.out


def test_objects_follow_each_other(run: Run, daemon: FakeDaemon, sampled: World) -> None:
    """A line each, so that programs can read along."""
    ended = run("top -o jsonl --interval 1s")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert len(lines) == 11
    assert {line["type"] for line in lines} == {"usage"}
    assert [item["usage"] is None for item in lines[0]["items"]] == [False, False, True, True]


def test_no_gateway_is_no_failure(run: Run, daemon: FakeDaemon, world: World) -> None:
    """There may be some tomorrow."""
    world.profiles.clear()
    world.sampled += [[]]
    ended = run("top -n 1")
    assert ended.code == 0
    assert "0 of 0 gateways up" in ended.out


def test_a_live_screen_needs_a_process_of_the_caller(environment: dict[str, str], daemon: FakeDaemon) -> None:
    """It is given back before anything is asked or drawn; tables are not."""
    terminal = FakeTerminal(environment, columns=80)
    terminal.is_shared = True
    with pytest.raises(NeedsOwnProcess):
        cli.run(["top"], terminal)
    assert terminal.output.getvalue() == ""
    assert daemon.world.calls == []
    daemon.world.sampled += [[]]
    assert cli.run(["top", "--plain", "-n", "1"], terminal) == 0


def some(count: int, **fields: object) -> News:
    """News of so many gateways, of which each uses a little less than the one before."""
    gateways = [gateway(f"bot{n:03}", g.GATEWAY_STATE_READY, restarts=n) for n in range(count)]
    samples = {one.profile: sample(one.profile, (count - n) / 1000, n + 1) for n, one in enumerate(gateways)}
    return News(gateways, samples, **fields)  # type: ignore[arg-type]


@pytest.fixture
def picture() -> TopScreen:
    """A screen of somebody who wants to see everything, without colour."""
    session = Session(FakeTerminal({"NO_COLOR": "1"}, columns=80), Format.TABLE)
    return TopScreen(session, Order.CPU, is_shown=lambda name: name != "hidden")


def press(picture: TopScreen, *keys: str) -> list[str]:
    """What is shown after these keys, on 80 columns and 24 lines."""
    for key in keys:
        picture.press(key)
    return picture.lines((80, 24))


def listed(lines: list[str]) -> list[str]:
    """Profiles of the table, in order."""
    return [line.split()[1] for line in lines if line.startswith(("●", "○"))]


def test_the_picture_fits_and_looks_like_this(picture: TopScreen) -> None:
    """On 80 columns and 24 lines, with names that do not fit and gateways that do not run."""
    news = some(3)
    news = News(
        [
            *news.gateways,
            gateway("a-profile-with-a-long-name", g.GATEWAY_STATE_STOPPED),
            gateway("hidden", g.GATEWAY_STATE_READY),
        ],
        news.samples,
    )
    picture.take(news)
    lines = press(picture)
    assert len(lines) == 24
    compare("top-screen", "".join(f"{line}\n" for line in lines))
    compare("top-help", "".join(f"{line}\n" for line in press(picture, "?")))
    assert press(picture, "x") == lines


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10), (20, 5), (10, 3), (2, 1)])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_no_line_is_too_wide_and_there_are_never_too_many(
    picture: TopScreen, size: tuple[int, int], count: int
) -> None:
    """Whatever the size of the window and the number of gateways, and with help."""
    picture.take(some(count))
    for _ in range(2):
        lines = picture.lines(size)
        assert len(lines) <= size[1]
        assert all(width(line) <= max(size[0], 40) for line in lines)
        picture.press("h")


def test_keys_sort_and_the_same_key_again_turns_it_round(picture: TopScreen) -> None:
    """Most first, names from the beginning."""
    picture.take(some(3))
    assert listed(press(picture)) == ["bot000", "bot001", "bot002"]
    assert listed(press(picture, "m")) == ["bot002", "bot001", "bot000"]
    assert listed(press(picture, "m")) == ["bot000", "bot001", "bot002"]
    assert "reversed" in picture.lines((80, 24))[0]
    assert listed(press(picture, "r")) == ["bot002", "bot001", "bot000"]
    assert listed(press(picture, "n")) == ["bot000", "bot001", "bot002"]
    assert listed(press(picture, "n")) == ["bot002", "bot001", "bot000"]
    assert [order for key in "cft" if (order := press(picture, key)[0].split()[-1])] == ["cpu", "fds", "threads"]


def test_what_does_not_run_stays_last() -> None:
    """Whichever way round."""
    still = Row(gateway("aa", g.GATEWAY_STATE_STOPPED), None)
    found = [still, *rows(some(2).gateways, some(2).samples)]
    for order in Order:
        for is_reversed in (False, True):
            assert in_order(found, order, is_reversed=is_reversed)[-1] is still


def test_the_list_moves_when_it_is_longer_than_the_screen(picture: TopScreen) -> None:
    """And never beyond its ends."""
    picture.take(some(50))
    assert "1 to 20 of 50" in press(picture)[0]
    assert listed(press(picture, "down"))[0] == "bot001"
    assert listed(press(picture, "page down"))[0] == "bot021"
    assert listed(press(picture, "last"))[-1] == "bot049"
    assert listed(press(picture, "page down"))[0] == "bot030"
    assert listed(press(picture, "page up", "up"))[0] == "bot009"
    assert listed(press(picture, "home", "up"))[0] == "bot000"


def test_space_holds_the_picture(picture: TopScreen) -> None:
    """Sorting and moving go on with what is held."""
    picture.take(some(3))
    assert "paused" in press(picture, "space")[0]
    picture.take(some(9))
    assert len(listed(press(picture, "m"))) == 3
    press(picture, "space")
    picture.take(some(9))
    assert len(listed(press(picture))) == 9


@pytest.mark.parametrize("key", ["q", "Q", "end"])
def test_it_is_over_when_a_person_says_so_or_is_gone(picture: TopScreen, key: str) -> None:
    """Also from the help."""
    press(picture, "h", key)
    assert picture.is_over


def test_a_daemon_that_is_gone_is_told_and_nothing_stale_is_shown_as_new(picture: TopScreen) -> None:
    """What was known of gateways stays, what they use does not, and the moment stands still."""
    picture.take(some(2))
    picture.take(some(2, trouble="hermesd is not\x1b[2J running"))
    lines = press(picture)
    assert lines[-1] == "◆ hermesd is not running; trying again"
    assert listed(lines) == ["bot000", "bot001"]
    assert "RSS 0 B" in lines[1]


def test_memory_is_drawn_where_there_is_room(picture: TopScreen) -> None:
    """From the least to the most of each gateway, over all the time since the beginning."""
    for number in range(100):
        grown = some(1)
        grown.samples["bot000"].rss_bytes = (100 + number) * MIB
        picture.take(grown)
    wide = picture.lines((200, 50))
    assert "RSS SINCE START OF TOP" in wide[2]
    bars = wide[3].split()[-1]
    assert 10 <= len(bars) < TREND_WIDTH
    assert list(bars) == sorted(bars)
    assert (bars[0], bars[-1]) == (BARS[0], BARS[-1])
    assert "RSS SINCE" not in picture.lines((100, 50))[2]


def test_what_hardly_moves_looks_level() -> None:
    """A page more or less is no trend."""
    trends = Trends()
    for number in range(5):
        trends.add([Row(gateway("a", g.GATEWAY_STATE_READY), Sample(rss_bytes=80 * MIB + 4096 * number))])
    assert trends.of("a") == BARS[0] * 5
    assert trends.of("b") == "–"  # noqa: RUF001
