"""What services may rely on of `Notices`: by hand, and through a socket."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from hermesd.adapters import procfs
from hermesd.adapters.notify import NotifySocket
from hermesd.domain.notice import Notice
from hermesd.domain.ports import Notices
from hermesd.domain.process import ProcessIdentity
from tests.fakes.notices import MemoryNotices

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

LIMIT_S = 10.0


class Scene(Protocol):
    """Somebody who listens, and this process, which speaks."""

    notices: Notices

    def say(self, text: str) -> None:
        """Sends a datagram."""


def this_process() -> ProcessIdentity:
    """Who speaks."""
    found = procfs.identity(os.getpid(), "")
    assert found is not None
    return found


class ScriptedScene:
    """By hand."""

    def __init__(self) -> None:
        self._scripted = MemoryNotices()
        self.notices: Notices = self._scripted

    def say(self, text: str) -> None:
        self._scripted.say(this_process(), text)


class SocketScene:
    """By the kernel."""

    def __init__(self, path: Path) -> None:
        self.socket = NotifySocket(path)
        self.socket.open()
        self.notices: Notices = self.socket

    def say(self, text: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), self.notices.address)


@pytest_asyncio.fixture(params=["scripted", "socket"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """Both, one after the other."""
    if request.param == "scripted":
        yield ScriptedScene()
        return
    made = SocketScene(tmp_path / "notify.sock")
    yield made
    made.socket.close()


async def heard(scene: Scene) -> list[Notice]:
    """What is there, soon."""
    return list(await asyncio.wait_for(scene.notices.heard(), LIMIT_S))


async def test_it_is_known_where_to_speak(scene: Scene) -> None:
    """An absolute path."""
    assert Path(scene.notices.address).is_absolute()


async def test_who_spoke_is_known(scene: Scene) -> None:
    """By pid and start time, whatever was said."""
    scene.say("READY=1\nSTATUS=up\nMAINPID=1")
    (notice,) = await heard(scene)
    me = this_process()
    assert notice == Notice(me.pid, me.start_ticks, is_ready=True, status="up")


async def test_what_was_said_is_heard_in_order_and_once(scene: Scene) -> None:
    """Several notices may be there at once."""
    for text in ("READY=1", "nonsense", "WATCHDOG=1", "STOPPING=1"):
        scene.say(text)
    notices: list[Notice] = []
    while len(notices) < 3:
        notices += await heard(scene)
    assert [(one.is_ready, one.is_alive, one.is_stopping) for one in notices] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    waiting = asyncio.ensure_future(scene.notices.heard())
    done, _ = await asyncio.wait({waiting}, timeout=0)
    assert not done
    scene.say("WATCHDOG=1")
    (notice,) = await asyncio.wait_for(waiting, LIMIT_S)
    assert notice.is_alive


async def test_who_waits_is_woken(scene: Scene) -> None:
    """Nobody polls."""
    waiting = asyncio.ensure_future(scene.notices.heard())
    await asyncio.sleep(0)
    scene.say("WATCHDOG=1")
    (notice,) = await asyncio.wait_for(waiting, LIMIT_S)
    assert notice.is_alive


async def test_nonsense_wakes_nobody(scene: Scene) -> None:
    """What says nothing is not heard."""
    waiting = asyncio.ensure_future(scene.notices.heard())
    await asyncio.sleep(0)
    scene.say("HELLO=1")
    scene.say("READY=1")
    (notice,) = await asyncio.wait_for(waiting, LIMIT_S)
    assert notice.is_ready
