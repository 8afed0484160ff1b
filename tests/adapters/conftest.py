"""What tests of real processes start with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.processes import Place


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A backend in a directory of its own; whatever it started is ended after the test."""
    made = Place(tmp_path)
    yield made
    await made.close()
