"""The doctor on a profile that the real hermes-agent made and others damaged."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.house import Machine
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.ci, pytest.mark.e2e]


def test_what_hermes_agent_leaves_is_found_and_mended_and_its_own_doctor_follows(
    machine: Machine, runtimes: dict[str, Path]
) -> None:
    """Nothing of anybody else's profile changes, and no byte of this one."""
    machine.ok("daemon", "start")
    (newest, *_) = (one for one in machine.json("runtime", "list")["items"] if one["version"] == "0.19.0")
    machine.ok("runtime", "use", newest["name"])
    machine.ok("profile", "create", "mine")
    umask = os.umask(0o022)
    try:
        made = machine.run(runtimes["0.19.0"], "profile", "create", "theirs")
    finally:
        os.umask(umask)
    assert made.returncode == 0, made.stdout
    home = machine.root / "profiles" / "theirs"
    (home / "plans").rmdir()
    (home / ".env").chmod(0o644)
    mine, theirs = snapshot(home.with_name("mine")), snapshot(home)

    found = machine.ctl("doctor", "theirs", "--no-agent", "-o", "json")
    wrong = [one["check"] for one in json.loads(found.stdout)["items"] if one["severity"] != "fine"]
    assert (found.returncode, wrong) == (0, ["modes", "parts", "alias"])

    done = machine.ctl("-p", "theirs", "doctor", "--fix", "--", "--help")
    own, agents = done.stdout.split("usage: hermes doctor", 1)
    assert (done.returncode, own.splitlines()[0]) == (0, "theirs")
    assert own.count("✓ mended") == 2
    assert "--ack" in agents
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".env").stat().st_mode & 0o777 == 0o600
    assert snapshot(home.with_name("mine")) == mine
    after = snapshot(home)
    assert {name: after[name][1] for name in theirs} == {name: one[1] for name, one in theirs.items()}
    made_since = after.keys() - theirs.keys()
    assert {name for name in made_since if not name.startswith("logs/")} == {"plans"}  # the agent writes its log
