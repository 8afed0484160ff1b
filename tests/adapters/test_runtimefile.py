"""How clients without a daemon learn which agent is in use."""

import json
from pathlib import Path

import pytest

from hermesd.adapters.runtimefile import write_runtime_file
from hermesd.domain.runtime import HERMES_AGENT, Runtime

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def test_the_last_choice_is_told(tmp_path: Path) -> None:
    """With all that it takes to run it, to its owner alone."""
    file = tmp_path / "runtime.json"
    for version in ("0.18.2", "0.19.0"):
        write_runtime_file(file, Runtime("r", HERMES_AGENT, version, Path("/opt/bin/hermes"), is_managed=False))
    assert json.loads(file.read_bytes()) == {
        "name": "r",
        "version": "0.19.0",
        "executable": "/opt/bin/hermes",
        "is_managed": False,
        "environment": {},
    }
    assert file.stat().st_mode & 0o777 == 0o600
