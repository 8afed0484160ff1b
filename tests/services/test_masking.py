"""Credentials that an agent told, in all that services hand out or record."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hermesd.domain.errors import HermesError
from hermesd.domain.logs import Source, Wanted
from hermesd.domain.masking import MARK
from hermesd.domain.process import Phase, Probe
from hermesd.domain.profile import ProfileName
from hermesd.log import set_up
from hermesd.services.logs import Question
from hermesd.services.operations import Job, Request
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
TOKEN = "1111:" + "A" * 35
VALUE = "correct-horse-battery"
SAID = f"The token `{TOKEN}` was rejected, and so was {VALUE}"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A profile with a secret, whose gateway has told it, and a token."""
    made = House()
    made.agent.secret_values = [VALUE]
    await made.open()
    await made.furnish("coder")
    profile_id = (await made.record("coder")).profile_id
    made.logs.write(profile_id, f"{SAID}\n" * 3)
    made.log_reader.write(f"captured/{profile_id}", f"ERROR x: {SAID}\n")
    made.log_reader.write("coder/logs/agent.log", f"2026-11-23 09:00:01,000 ERROR x: {SAID}\n")
    made.log_reader.write("daemon", f"2026-11-23T09:00:02.000Z ERROR x profile=coder {TOKEN}\n")
    yield made
    await made.close()


def check(*texts: str) -> None:
    """Nothing of it is told, and that it is not is seen."""
    for text in texts:
        assert "AAAA" not in text
        assert VALUE not in text
        assert f"1111:{MARK}" in text


async def test_captured_lines_hold_none(house: House) -> None:
    """The last ones, those that follow, and those that explain."""
    views = house.services.views
    check(*[line async for line in views.read_log(CODER, lines=2, follow=False)])
    following = views.read_log(CODER, lines=1, follow=True)
    check(await anext(following))
    await following.aclose()  # type: ignore[attr-defined]
    lines = (await views.explain(CODER)).last_lines
    assert len(lines) == 3
    check(*lines)


async def records(house: House, *contains: str, lines: int | None = None) -> list[str]:
    """What records say in which one of these stands."""
    asked = Question([CODER], frozenset(Source), Wanted(contains=contains), lines, False)
    return [one.text for batch in [got async for got in house.services.logs.read(asked)] for one in batch.records]


async def test_logs_hold_none_and_are_searched_as_they_are_shown(house: House) -> None:
    """Of the agent, of what was printed, and of the daemon; whoever looks for a token finds out nothing."""
    found = await records(house)
    assert len(found) == 3
    check(*found)
    assert await records(house, lines=10) == found
    assert await records(house, TOKEN) == await records(house, TOKEN[:20]) == await records(house, VALUE) == []
    assert len(await records(house, f"1111:{MARK}")) == 3
    assert len(await records(house, "was rejected")) == 2


async def test_dumps_hold_none(house: House) -> None:
    """Their lines are those of the captured output."""
    house.agent.probes["coder"] = [Probe(Phase.STARTING, "connecting")]
    await house.start("coder")
    await house.clock.advance(house.settings.policy.start_limit_s)
    (text,) = house.dumps.texts.values()
    check(text)


async def test_the_history_and_operations_hold_none(house: House) -> None:
    """Whatever is quoted in them."""
    services = house.services
    await services.events.record("agent.told", f"it said {TOKEN}", profile="coder", detail=f"{TOKEN} too")
    event = (await services.events.recent(profile="coder", limit=1))[0]
    check(event.message, event.facts["detail"])

    async def work(job: Job) -> None:
        job.report("ask", TOKEN)
        job.warn(TOKEN)
        raise HermesError(TOKEN, why=TOKEN)

    asked = Request("test", "coder")
    operation = await house.now(await services.operations.start(asked, REQUESTER, work))
    assert operation.error is not None
    assert operation.progress is not None
    check(operation.error.message, operation.error.metadata["why"], *operation.warnings, operation.progress.detail)
    assert "AAAA" not in repr(await house.store.operations(profile="coder", limit=10))
    assert "AAAA" not in repr(await services.events.recent(profile="coder", limit=100))


def test_the_daemons_own_log_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the traceback of a mistake."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    set_up(tmp_path / "daemon.log")
    logging.getLogger("test").info("it said %s", TOKEN)
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logging.getLogger("test").exception("mistake")
    for handler in root.handlers:
        handler.close()
    check((tmp_path / "daemon.log").read_text())
