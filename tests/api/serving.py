"""A server on a real socket, in front of services on fakes.

Owns: how such a daemon is put together and taken apart. Must not know what is asked of it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

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


@asynccontextmanager
async def serving(place: Path) -> AsyncIterator[Served]:
    """A daemon that serves on a socket in `place`, with a runtime and the profile coder."""
    house = House()
    await house.open()
    await house.furnish("coder")
    ending = Ending()
    server = await make_server(servicers_of(house.services, Places(place, place / ".hermes"), ending))
    address = f"unix:{place}/api.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield Served(house, channel, ending)
    finally:
        await server.stop(None)
        await house.close()
