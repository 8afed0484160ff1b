"""What people see of a gateway's health: on the screen of the fleet, on its page, and when they ask why."""

from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from hermesctl import gateway_view
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1.profiles_pb2 import Channel
from hermesd.v1.samples_pb2 import Sample
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import at, gateway, profile
from tests.fakes.server import FakeDaemon
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


def part(name: str, word: str, age_s: float | None = None, **fields: object) -> g.HealthPart:
    """A layer of health that works, unless the fields say else."""
    made = g.HealthPart(name=name, word=word, is_well=True)
    made.MergeFrom(g.HealthPart(**fields))  # type: ignore[arg-type]
    made.is_well = bool(fields.get("is_well", True))
    if age_s is not None:
        made.age.CopyFrom(duration(age_s))
    return made


def duration(seconds: float) -> Duration:
    """A span."""
    return Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


def health(*parts: g.HealthPart, detail: str = "") -> g.GatewayHealth:
    """What was seen twelve seconds ago."""
    return g.GatewayHealth(parts=parts, age=duration(12))


TELEGRAM = part("telegram", "connected", 11_520, is_platform=True)
SLACK = part(
    "slack", "retrying", 372, is_platform=True, is_well=False, detail="cannot reach slack.com: timed out\x1b[2J"
)
USAGE = Sample(
    at=at(40), cpu_cores=0.043, rss_bytes=212_000_000, descriptors=61, threads=38, processes=1, restarts=0
)
FOREIGN = g.ForeignGateway(
    pid=4132,
    owner="ben",
    started_at=at(90_000),
    unit="hermes-gateway.service",
    resolution="sudo systemctl --machine=ben@ --user stop hermes-gateway.service",
)


def up(name: str, state: g.GatewayState.ValueType, *parts: g.HealthPart, detail: str = "") -> g.Gateway:
    """A gateway that has a process."""
    return gateway(name, state, health=health(part("process", "alive", 7_500), *parts), usage=USAGE, detail=detail)


@pytest.fixture
def ward(world: World) -> World:
    """One gateway for each thing that can be the matter."""
    world.profiles.clear()
    trouble = "slack: cannot reach slack.com: timed out"
    hang = "its event loop gives no sign of life"
    for one in (
        gateway("default", g.GATEWAY_STATE_STOPPED),
        up(
            "coder",
            g.GATEWAY_STATE_READY,
            part("watchdog", "beats", 12),
            part("heartbeat", "beats", 2.5),
            part("api_server", "answers"),
            TELEGRAM,
            part("discord", "connected", 30, is_platform=True),
        ),
        up("worker", g.GATEWAY_STATE_DEGRADED, part("heartbeat", "beats", 3), TELEGRAM, SLACK, detail=trouble),
        up(
            "sleeper", g.GATEWAY_STATE_HUNG, part("heartbeat", "silent", 200, is_well=False), TELEGRAM, detail=hang
        ),
        up("leaver", g.GATEWAY_STATE_DRAINING, TELEGRAM, detail="it finishes its turns and takes no new ones"),
        gateway("waiter", g.GATEWAY_STATE_PARKED, wish=g.WISH_UP, detail="nothing could reach it", since=at(41)),
        gateway("guest", g.GATEWAY_STATE_FOREIGN, foreign=FOREIGN),
    ):
        channels = [Channel(platform="telegram", variable="T")] if one.profile == "waiter" else []
        world.profiles[one.profile] = profile(
            one.profile, gateway=one, model="openrouter/qwen3-coder", channels=channels
        )
    return world


PAGES = [
    "status",
    "gateway list",
    "gateway status coder",
    "gateway status worker",
    "gateway status sleeper",
    "gateway status leaver",
    "gateway status guest",
    "gateway why worker",
    "gateway why sleeper",
    "gateway why leaver",
    "gateway why guest",
    "gateway is-active sleeper",
    "gateway is-active leaver",
    "profile show sleeper",
]


@pytest.fixture
def dumped(ward: World) -> World:
    """The same, and something was kept of processes that were ended."""
    ward.dumps += [
        g.GatewayDump(path="/home/ana/dumps/x-2.txt", at=at(60), cause=g.EXIT_CAUSE_HUNG, size_bytes=48_213),
        g.GatewayDump(
            path="/home/ana/dumps/x-1.txt", at=at(9000), cause=g.EXIT_CAUSE_START_TIMEOUT, size_bytes=912
        ),
    ]
    return ward


@pytest.mark.parametrize("columns", [None, 80, 200])
def test_health_looks_like_this(
    run: Run, daemon: FakeDaemon, dumped: World, columns: int | None, tmp_path: Path
) -> None:
    """In a pipe, in a small window and in a wide one."""
    lines = [*PAGES, *(["gateway list -o wide", "gateway why sleeper -o json"] if columns is None else [])]
    found = transcript(lines, lambda line: run(line, columns=columns), tmp_path)
    compare(f"health-{columns or 'pipe'}", found)


def test_a_locale_without_our_symbols_has_words(run: Run, daemon: FakeDaemon, ward: World, tmp_path: Path) -> None:
    """Nothing is said by a symbol alone."""
    lines = ["status", "gateway status worker", "gateway status sleeper"]
    variables = {"LC_ALL": "C", "NO_COLOR": "1"}
    found = transcript(lines, lambda line: run(line, columns=80, variables=variables), tmp_path)
    assert found.isascii()
    compare("health-c-locale", found)


def test_a_line_fits_unless_one_part_alone_does_not(run: Run, daemon: FakeDaemon, ward: World) -> None:
    """What is said of health is broken between parts, below each other."""
    for columns in (60, 80, 120):
        out = run("gateway status coder", columns=columns, variables={"NO_COLOR": "1"}).out
        page = out.partition("  Wanted")[0].splitlines()[1:]
        assert all(len(line) <= columns for line in page)
        assert any(line.startswith(" " * 14 + "h") for line in page) is (columns == 60)


def test_one_that_is_ended_for_its_health_is_a_problem() -> None:
    """Whoever looks while it ends finds out why; one that a person ends is none."""
    ending = gateway("coder", g.GATEWAY_STATE_STOPPING, detail="its event loop gives no sign of life")
    found = gateway_view.look(ending)
    assert found is not None
    assert (found.command, found.text) == ("hermesctl gateway why coder", "its event loop gives no sign of life")
    assert gateway_view.look(gateway("coder", g.GATEWAY_STATE_STOPPING)) is None
