"""Ports between profiles and strangers: given out, told, and never fought for."""

import json
import os
import socket

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.house import Machine, free_port
from tests.e2e.understudy import BEATING, TELEGRAM, play

pytestmark = [pytest.mark.ci, pytest.mark.e2e]


def webhook_of(machine: Machine, name: str) -> str:
    """What a profile's files say of its webhook, and nothing else."""
    text = (machine.root / "profiles" / name / ".env").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if line.startswith("WEBHOOK_"))


def test_profiles_get_ports_of_their_own_and_a_stranger_is_named(stage: Daemon) -> None:
    """A clone gets the port that was told; who named none gives way; of a stranger pid and program are said."""
    play(stage, {"coder": (*BEATING, *TELEGRAM), "late": (*BEATING, *TELEGRAM)})
    machine, port = stage.machine, free_port()
    for name, said in (("coder", f"WEBHOOK_ENABLED=1\nWEBHOOK_PORT={port}\n"), ("late", "WEBHOOK_ENABLED=1\n")):
        with (machine.root / "profiles" / name / ".env").open("a") as env:
            env.write(said)
    planned = machine.ok("profile", "create", "twin", "--clone-from", "coder", "--dry-run")
    assert f"for webhook: 'coder' has {port}" in planned
    made = machine.ctl("profile", "create", "twin", "--clone-from", "coder")
    assert f"since 'coder' has {port}" in made.stdout + made.stderr
    assert webhook_of(machine, "coder") == f"WEBHOOK_ENABLED=1\nWEBHOOK_PORT={port}\n"
    assert str(port) not in webhook_of(machine, "twin")
    with (machine.root / "profiles" / "twin" / ".env").open("a") as env:
        env.write("WEBHOOK_PORT=8644\n")
    machine.ok("gateway", "start", "late")
    assert webhook_of(machine, "late").startswith("WEBHOOK_ENABLED=1\nWEBHOOK_PORT=")
    with socket.create_server(("127.0.0.1", port)):
        refused = machine.ctl("-o", "json", "gateway", "start", "coder")
    error = json.loads(refused.stderr.splitlines()[-1])["error"]
    assert (refused.returncode, error["reason"], error["facts"]["pid"]) == (5, "PORT_IN_USE", str(os.getpid()))
    assert error["facts"]["platform"] == "webhook"
    assert error["facts"]["program"] in error["message"]
