"""A server on a real socket, in front of services on fakes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest_asyncio

from hermesd.adapters.places import Places
from hermesd.api.server import make_server
from hermesd.app import Ending, servicers_of
from tests.services.house import House


@dataclass
class Served:
    """A house, the channel to its server and its wish to end."""

    house: House
    channel: grpc.aio.Channel
    ending: Ending


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A daemon on fakes that serves on a socket of its own, with a runtime and the profile coder."""
    house = House()
    await house.open()
    await house.furnish("coder")
    ending = Ending()
    places = Places(tmp_path, tmp_path / ".hermes")
    server = await make_server(servicers_of(house.services, places, ending))
    address = f"unix:{tmp_path}/api.sock"
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield Served(house, channel, ending)
    await server.stop(None)
    await house.close()
