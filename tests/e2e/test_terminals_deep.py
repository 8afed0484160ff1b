"""The same commands with more patience: older agents, both ways to call, and a shell around a real chat."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import desk as desks
from tests.e2e.desk import PROFILE, WAYS, Desk, client, furnished
from tests.e2e.screens import CTRL_C, CTRL_D, CTRL_Z
from tests.e2e.test_terminals import PROMPT, needs, terminals
from tests.e2e.test_workplaces import CHAT, ONE_SHOT, told_by
from tests.fakes import model
from tests.fakes.model import ANSWER
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.e2e]


@pytest.fixture(scope="module", params=["0.19.0", "0.18.2"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runtimes_directory: Path
) -> Iterator[Desk]:
    """A desk with each version of the agent in turn."""
    directory = tmp_path_factory.mktemp("desk")
    with model.serving() as server, furnished(directory, runtimes_directory, server, request.param) as made:
        yield made


@pytest.fixture(params=sorted(WAYS), autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which the client may run."""
    monkeypatch.setattr(desks, "WAY", request.param)
    chosen: str = request.param
    return chosen


@pytest.mark.parametrize("lines", [(), ("terminal:", "  cwd: ."), ("terminal:", "  cwd: auto"), ("cwd",)])
@pytest.mark.parametrize("arguments", [ONE_SHOT, CHAT], ids=["one-shot", "chat"])
def test_tools_start_where_they_should(
    desk: Desk, tmp_path: Path, arguments: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    """In the configured directory, which the older agent's one-shots would not mind either."""
    is_set = lines == ("cwd",)
    desk.configure(*(("terminal:", "  backend: local", f"  cwd: {tmp_path}") if is_set else lines))
    desk.model.command = "pwd"
    try:
        assert told_by(desk, arguments) == str(tmp_path if is_set else desk.work)
    finally:
        desk.model.command = ""
        desk.configure()


def test_a_chat_is_stopped_and_brought_back_by_the_shell(desk: Desk) -> None:
    """Which the agent does with a terminal in raw mode; the shell finds its own settings again each time."""
    with desk.at_screen(needs("bash"), "--norc", "--noprofile", "-i", PS1="at-prompt$ ") as bash:
        bash.until("at-prompt$ ")
        at_prompt = bash.settings
        bash.enter(" ".join(client("-p", PROFILE, "chat")))
        bash.until(PROMPT)
        (listed,) = terminals(desk)
        bash.press(CTRL_Z)
        bash.until("Stopped")
        bash.until("at-prompt$ ")
        wait_until(lambda: bash.settings == at_prompt, "the shell to have the terminal again")
        assert terminals(desk) == [listed]
        bash.enter("fg")
        bash.until(PROMPT)
        bash.enter("hello")
        bash.until(ANSWER)
        bash.until(PROMPT)
        bash.press(CTRL_D)
        bash.until("at-prompt$ ")
        bash.enter("echo status=$?")
        bash.until("status=0")
        bash.enter("exit")
        bash.ended()


def test_a_chat_follows_the_window(desk: Desk) -> None:
    """Its lines are as long as the window is wide."""
    with desk.at_screen(*client("-p", PROFILE, "chat")) as chat:
        chat.until(PROMPT)
        chat.resize(40, 132)
        chat.until("─" * 131)  # the last column is drawn apart
        chat.insist(CTRL_C)
