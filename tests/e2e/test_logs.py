"""Logs as people read them, of gateways that write, flood, and have files rotated away while they are read."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.house import CLIENT
from tests.e2e.understudy import BEATING, home_of, play
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

FLOODED_S = 60.0
APART_S = 600.0
"""So far that no machine is so slow that one line's age becomes another's."""
CAP_BYTES = 200 * 2**20
"""Captured output is cut once a second, into files of 10 MiB and what a flood adds in that time."""


def agent_log(daemon: Daemon, profile: str) -> Path:
    """The log of everything that the agent of a profile writes itself."""
    directory = home_of(daemon.machine, profile) / "logs"
    directory.mkdir(exist_ok=True)
    return directory / "agent.log"


def render(at_s: float, level: str, text: str) -> str:
    """A line as hermes-agent 0.19.0 writes it."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
    return f"{moment},{int(at_s % 1 * 1000):03} {level} gateway.run: {text}\n"


def records(daemon: Daemon, *arguments: str) -> list[Any]:
    """What `hermesctl logs` says to programs."""
    return [json.loads(line) for line in daemon.machine.ok("logs", *arguments, "-o", "jsonl").splitlines()]


@contextmanager
def following(daemon: Daemon, *arguments: str) -> Iterator[Path]:
    """A person who follows logs and keeps them in a file."""
    path = daemon.machine.home / f"followed-{len(list(daemon.machine.home.glob('followed-*')))}"
    argv = [str(CLIENT), "logs", *arguments, "-f", "-n", "0", "-o", "jsonl"]
    with path.open("wb") as file:
        process = subprocess.Popen(argv, env=daemon.machine.environment, stdout=file, stderr=file)
    try:
        yield path
    finally:
        process.terminate()
        process.wait(timeout=20)


def said(path: Path) -> list[str]:
    """What a follower was told until now, but for a line that is not whole yet."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line)["text"] for line in lines if line.startswith(b"{")]


def numbers(texts: Sequence[str], word: str) -> list[int]:
    """The number in each text that begins with a word."""
    return [int(found[1]) for text in texts if (found := re.match(rf"{word} (\d+)", text))]


@pytest.mark.ci
def test_logs_of_many_are_read_in_one_order(stage: Daemon) -> None:
    """What gateways printed and what their agents wrote, merged by time; also by level, moment and pattern."""
    play(stage, dict.fromkeys(("one", "two"), (*BEATING, "--lines", "2")))
    began_s = time.time() - 6 * APART_S
    for number in range(6):
        level = "ERROR" if number == 3 else "INFO"
        with agent_log(stage, "one" if number % 2 else "two").open("a") as log:
            log.write(render(began_s + number * APART_S, level, f"number {number} of six"))
    for name in ("one", "two"):
        up = Path(stage.do("start", name).log_path)
        wait_until(lambda up=up: "up\n" in up.read_text(), f"{name} to be up")  # type: ignore[misc]

    merged = records(stage, "one", "two")
    assert [one["at"] for one in merged] == sorted(one["at"] for one in merged)
    assert numbers([one["text"] for one in merged], "number") == list(range(6))
    assert {one["profile"] for one in merged} == {"one", "two"}
    printed = [(one["profile"], one["text"]) for one in merged if one["source"] == "gateway"]
    assert printed == [(name, text) for name in ("one", "two") for text in ("line 0", "line 1", "up")]
    assert {one["source"] for one in merged} == {"agent", "gateway", "daemon"}

    (error,) = records(stage, "--all", "--level", "warn")
    assert (error["profile"], error["level"], error["text"]) == ("one", "error", "number 3 of six")
    recent = records(stage, "one", "two", "--source", "agent", "--since", f"{1.5 * APART_S:.0f}s")
    assert numbers([one["text"] for one in recent], "number") == [5]
    assert numbers([one["text"] for one in records(stage, "t*", "--grep", "number [24]")], "number") == [2, 4]
    assert [one["text"] for one in records(stage, "one", "-n", "1", "--source", "gateway")] == ["up"]

    piped = stage.machine.ok("logs", "one", "two", "--source", "agent").splitlines()
    assert [line.split()[0] for line in piped] == ["two", "one"] * 3
    assert re.fullmatch(r"one +\S+Z +ERROR +gateway\.run +number 3 of six", piped[3])


@pytest.mark.full
def test_a_flood_neither_holds_up_nor_hides_another_log(stage: Daemon) -> None:
    """One floods beyond its limit, is rotated and followed without a hole; another, rotated too, comes at once."""
    play(stage, {"loud": (*BEATING, "--flood", "20000"), "quiet": BEATING})
    quiet = agent_log(stage, "quiet")
    stage.do("start", "quiet")
    lags_s: list[float] = []
    with following(stage, "quiet", "--source", "agent") as heard, following(stage, "loud") as roar:
        stage.do("start", "loud")
        capture = Path(stage.gateway("loud").log_path)
        for number in range(int(FLOODED_S / 0.5)):
            if number % 40 == 20:
                quiet.replace(quiet.with_name("agent.log.1"))  # as the agent rotates its own
            with quiet.open("a") as log:
                log.write(render(time.time(), "INFO", f"number {number}"))
            written_s = time.monotonic()
            wait_until(lambda: len(said(heard)) == len(lags_s) + 1, f"number {number}")
            lags_s.append(time.monotonic() - written_s)
            time.sleep(0.5)
        assert capture.with_name(f"{capture.name}.1").exists(), "it was never rotated"
        stage.do("stop", "loud")
        last = numbers(capture.read_text().splitlines()[-2:], "flood")[-1]
        wait_until(lambda: numbers(said(roar)[-3:], "flood")[-1:] == [last], "the end of the flood", deadline_s=60)
        floods = numbers(said(roar), "flood")
    print(f"lag of the quiet one: {max(lags_s):.2f} s at most; {len(floods)} lines of flood")
    assert numbers(said(heard), "number") == list(range(len(lags_s)))
    assert floods[0] == 1
    holes = [(before, after) for before, after in pairwise(floods) if after != before + 1]
    assert len(holes) <= 3, holes  # a rotation may lose what is written in an instant, and nothing else


@pytest.mark.full
def test_a_flood_does_not_fill_the_disk(stage: Daemon) -> None:
    """Its captured output stays near its cap, five files of 10 MiB, while another gateway's is whole."""
    play(stage, {"loud": (*BEATING, "--flood", "200000"), "quiet": (*BEATING, "--lines", "5")})
    for name in ("quiet", "loud"):
        stage.do("start", name)
    most, end_s = 0, time.monotonic() + FLOODED_S
    while time.monotonic() < end_s:
        most = max(most, stage.captured_bytes("loud"))
        threading.Event().wait(0.5)
    print(f"{most / 2**20:.0f} MiB at most")
    assert most < CAP_BYTES
    texts = [one["text"] for one in records(stage, "quiet", "--source", "gateway")]
    assert texts == [*(f"line {number}" for number in range(5)), "up"]
