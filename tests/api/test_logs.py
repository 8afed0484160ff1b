"""Logs over a real socket: what a record looks like, and readers who are slow or leave."""

import asyncio

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.v1 import logs_pb2 as v1
from hermesd.v1 import logs_pb2_grpc
from tests.api.serving import Served
from tests.waiting import until

pytestmark = [pytest.mark.fast, pytest.mark.api]

AT_S = 1_795_424_400
"""2026-11-23 09:00:00 in UTC."""
AGENT = "coder/logs/agent.log"


def line(second: int, text: str, level: str = "INFO") -> str:
    """A line as an agent writes it."""
    return f"2026-11-23 09:00:{second:02},250 {level} [s-1] gateway.run: {text}\n"


def stub(served: Served) -> "logs_pb2_grpc.LogsServiceAsyncStub":
    """The service."""
    return logs_pb2_grpc.LogsServiceStub(served.channel)


async def test_records_are_sent_with_all_their_parts(served: Served) -> None:
    """And only those that were asked for, by whatever can be asked."""
    for second, level in enumerate(["INFO", "ERROR", "WARNING", "ERROR", "ERROR"]):
        served.house.log_reader.write(AGENT, line(second, f"text {second}", level))
    request = v1.ReadLogsRequest(
        profiles=["Coder"],
        sources=[v1.LOG_SOURCE_AGENT],
        since=Timestamp(seconds=AT_S + 1),
        until=Timestamp(seconds=AT_S + 4),
        lines=1,
        level=v1.LOG_LEVEL_ERROR,
        contains=["run: text", "no"],
        session="s-",
        loggers=["gateway"],
    )
    (answer,) = [answer async for answer in stub(served).ReadLogs(request)]
    assert answer == v1.ReadLogsResponse(
        records=[
            v1.LogRecord(
                profile="coder",
                source=v1.LOG_SOURCE_AGENT,
                at=Timestamp(seconds=AT_S + 3, nanos=250_000_000),
                level=v1.LOG_LEVEL_ERROR,
                logger="gateway.run",
                session="s-1",
                text="text 3",
            )
        ]
    )


async def test_unknown_profiles_are_refused(served: Served) -> None:
    """Before anything is sent."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub(served).ReadLogs(v1.ReadLogsRequest(profiles=["codr"])):
            pass
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_problems_come_with_the_records(served: Served) -> None:
    """As notices."""
    served.house.log_reader.text(AGENT).problems.append("it is a link")
    (answer,) = [one async for one in stub(served).ReadLogs(v1.ReadLogsRequest(profiles=["coder"]))]
    assert [*answer.notices] == [v1.LogNotice(profile="coder", message="it is a link")]


async def test_a_follower_that_leaves_ends_the_looking(served: Served) -> None:
    """Nobody looks for what nobody reads."""
    sleepers = served.house.clock.sleepers
    call = stub(served).ReadLogs(v1.ReadLogsRequest(profiles=["coder"], follow=True))
    answer = await call.read()
    assert isinstance(answer, v1.ReadLogsResponse)
    assert answer.is_caught_up
    await until(lambda: served.house.clock.sleepers == sleepers + 1, "the looking to begin")
    call.cancel()
    await until(lambda: served.house.clock.sleepers == sleepers, "the looking to end")


async def test_a_reader_that_does_not_read_is_waited_for(served: Served) -> None:
    """What it has not taken is not read, so that it takes no room in the daemon; others are served meanwhile."""
    text = "x" * 50_000
    for second in range(600):
        served.house.log_reader.write(AGENT, line(second % 60, f"{second} {text}"))
    log = served.house.log_reader.text(AGENT)
    request = v1.ReadLogsRequest(profiles=["coder"], sources=[v1.LOG_SOURCE_AGENT])
    call = stub(served).ReadLogs(request)
    first = await call.read()
    assert isinstance(first, v1.ReadLogsResponse)
    before = -1
    while before != log.given:
        before = log.given
        await asyncio.sleep(0.1)
    assert before < 300
    call.cancel()
    last = v1.ReadLogsRequest(profiles=["coder"], sources=[v1.LOG_SOURCE_AGENT], lines=1)
    (answer,) = [one async for one in stub(served).ReadLogs(last)]
    assert answer.records[0].text.startswith("599 ")
