"""The house that service tests live in."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.services.house import House


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    """A daemon on fakes with one installed runtime and the profiles default and coder."""
    house = House()
    await house.open()
    await house.furnish("coder")
    yield house
    await house.close()
