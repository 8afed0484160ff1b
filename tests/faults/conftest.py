"""What tests of faults share."""

import os

import pytest


@pytest.fixture
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the real disk: what is durable is counted, not tried, and no power fails here."""
    monkeypatch.setattr(os, "fsync", os.fstat)
