"""A daemon on fakes that serves, for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.api.serving import Served, serving


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """One that serves on a socket of the test's own."""
    async with serving(tmp_path) as daemon:
        yield daemon
