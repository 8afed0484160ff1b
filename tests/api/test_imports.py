"""What a daemon carries from its start on: what it seldom needs is not part of that."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.fast, pytest.mark.api]

SELDOM = ("grpc_reflection.v1alpha", "http.client", "importlib.metadata", "jeepney", "packaging", "psutil")


def test_a_daemon_begins_without_what_it_seldom_needs() -> None:
    """Each of them costs memory for ever, and time before the first answer."""
    code = f"import sys; from hermesd import app; print(*sys.modules.keys() & set({SELDOM}))"
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path}; {code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.split() == []
