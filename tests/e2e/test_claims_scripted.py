"""Who may use a bot or a port while gateways misbehave, end and are killed: real programs, scripted gateways.

Each gateway says all the time that it uses its bot; a judge reads that nobody spoke between another one's words.
"""

import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import grpc
import psutil
import pytest

from hermesd.adapters import procfs
from hermesd.v1 import gateways_pb2
from hermesd.v1.gateways_pb2 import Gateway
from tests.e2e.accidents import cut_power
from tests.e2e.census import Decoy, members
from tests.e2e.daemon import Daemon
from tests.e2e.house import free_port
from tests.e2e.understudy import BEATING, cast, home_of, play
from tests.faults.claim_history import complaints, read
from tests.tiers import sampled
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

READY, PARKED = gateways_pb2.GATEWAY_STATE_READY, gateways_pb2.GATEWAY_STATE_PARKED
TOKEN = "1111:" + "A" * 35
PATIENT = {"start_limit_s": 10.0}
"""For machines on which more than one test runs."""


def journal(daemon: Daemon) -> Path:
    """Where gateways say which bots they use."""
    return daemon.machine.home / "journal"


def using(daemon: Daemon, *flags: str) -> Sequence[str]:
    """A gateway that is well and says which bots it uses."""
    return (*BEATING, "--uses-bots", str(journal(daemon)), *flags)


def give(daemon: Daemon, profile: str, env: str) -> None:
    """Writes a profile's `.env` as an editor does, by another file."""
    draft = home_of(daemon.machine, profile) / ".env.draft"
    draft.write_text(env)
    draft.replace(draft.with_name(".env"))


def share(daemon: Daemon, *profiles: str, env: str = f"TELEGRAM_BOT_TOKEN={TOKEN}\n", flags: str = "") -> None:
    """Profiles with one bot, and a daemon that runs; nothing is started."""
    for name in profiles:
        cast(daemon.machine, name)
        give(daemon, name, env)
    for name in profiles:
        cast(daemon.machine, name, *using(daemon, *flags.split()), has_channel=False)
    play(daemon, {}, **PATIENT)


def until(daemon: Daemon, profile: str, state: int) -> Gateway:
    """Waits for a gateway to be in a state."""
    what = f"{profile} to be {gateways_pb2.GatewayState.Name(state)}"  # type: ignore[arg-type]
    wait_until(lambda: daemon.gateway(profile).state == state, what)
    return daemon.gateway(profile)


def waits(daemon: Daemon, profile: str) -> bool:
    """Whether a gateway is wanted, waits for a claim and has no process."""
    found = daemon.gateway(profile)
    is_parked = found.state == PARKED and found.parked_for == gateways_pb2.PARKED_FOR_CLAIM
    return is_parked and found.wish == gateways_pb2.WISH_UP and not found.process.pid


def lives(pid: int) -> bool:
    """Whether a process has not ended; whether anybody took note of its end is no matter."""
    found = procfs.stat(pid)
    return found is not None and found.is_alive


def start_in_vain(daemon: Daemon, profile: str, holder: str) -> str:
    """A start that is refused for what another one has; what the person reads."""
    said = daemon.machine.ctl("gateway", "start", profile)
    assert said.returncode == 5, said
    assert waits(daemon, profile), daemon.gateway(profile)
    for word in (profile, holder):
        assert f"'{word}'" in said.stderr
    assert TOKEN not in said.stderr
    return said.stderr


def never_two(daemon: Daemon) -> None:
    """What the gateways said can be true."""
    assert complaints(read(journal(daemon))) == []


@pytest.mark.ci
def test_one_token_two_profiles_and_a_cold_boot(stage: Daemon) -> None:
    """One has it, and has it again after the boot; the other starts once its token is another one."""
    share(stage, "a", "b")
    stage.do("start", "a")
    said = start_in_vain(stage, "b", "a")
    assert "sha256:" in said
    cut_power(stage)
    stage.start()
    wait_until(lambda: waits(stage, "b"), "b to wait", deadline_s=5)
    holder = until(stage, "a", READY)
    assert "'a'" in stage.gateway("b").detail
    assert "sha256:" in stage.gateway("b").detail
    assert {member.profile for member in members(stage.machine)} == {"a"}
    give(stage, "b", f"TELEGRAM_BOT_TOKEN=2222:{'B' * 35}\n")
    until(stage, "b", READY)
    assert stage.gateway("a").process == holder.process
    assert stage.gateway("a").restarts == holder.restarts
    never_two(stage)


@pytest.mark.ci
def test_a_crash_hands_a_bot_to_nobody_and_a_stop_to_the_first_who_wished(stage: Daemon) -> None:
    """The killed one gets it back, also if no daemon saw it die; stopped, it makes way by the order of wishes."""
    share(stage, "a", "late", "early")
    first = stage.do("start", "a").process.pid
    start_in_vain(stage, "early", "a")
    start_in_vain(stage, "late", "a")
    psutil.Process(first).kill()
    wait_until(lambda: stage.gateway("a").process.pid not in (0, first), "a to come back")
    second = until(stage, "a", READY).process.pid
    stage.kill()
    psutil.Process(second).kill()
    stage.start()
    wait_until(lambda: stage.gateway("a").process.pid not in (0, second), "a to come back once more")
    until(stage, "a", READY)
    for name in ("early", "late"):
        wait_until(lambda name=name: waits(stage, name), f"{name} to wait")  # type: ignore[misc]
    stage.do("stop", "a")
    until(stage, "early", READY)
    stage.kill_and_start()
    wait_until(lambda: waits(stage, "late"), "late to wait")
    wait_until(lambda: "'early'" in stage.gateway("late").detail, "it to be told on whom it waits now")
    stage.do("stop", "early")
    until(stage, "late", READY)
    never_two(stage)


@pytest.mark.ci
def test_what_a_gateway_left_behind_with_its_descriptors_ends_with_it(stage: Daemon) -> None:
    """A daemon of its own session that takes no SIGTERM: gone before anybody else starts, and in nobody's way."""
    share(stage, "a", "b", flags="--daemon --daemon-ignores-term --daemon-clears-environment")
    started = stage.do("start", "a")
    tree = procfs.holders(stage.lock_of(started))
    assert len(tree) == 2
    start_in_vain(stage, "b", "a")
    assert procfs.holders(stage.lock_of(started)) == tree
    psutil.Process(started.process.pid).kill()
    wait_until(lambda: stage.gateway("a").process.pid not in (0, started.process.pid), "a to come back")
    until(stage, "a", READY)
    assert not any(map(lives, tree))
    left = procfs.holders(stage.lock_of(started))
    assert len(left) == 2
    stage.do("stop", "a")
    assert not any(map(lives, left))
    until(stage, "b", READY)
    stage.do("stop", "b")
    assert stage.do("start", "a").state == READY
    never_two(stage)


@pytest.mark.ci
def test_the_second_on_one_port_waits_until_it_is_free(stage: Daemon) -> None:
    """Told before anything starts, by number and by name; never an exit that nobody comes back from."""
    port = free_port()
    api = f"API_SERVER_ENABLED=true\nAPI_SERVER_KEY={'k' * 32}\nAPI_SERVER_PORT={port}\n"
    share(stage, "a", "b", env=api)
    stage.call("start", "a")
    wait_until(lambda: stage.gateway("a").process.pid, "a to have a process")
    said = start_in_vain(stage, "b", "a")
    assert str(port) in said
    assert "PORT_IN_USE" in stage.machine.ctl("gateway", "start", "b", "-o", "json").stderr
    stage.call("stop", "a")
    wait_until(lambda: stage.gateway("b").process.pid, "b to have a process")


class Rounds:
    """Two gateways of one bot, and whatever may befall them, in an order that nobody chose."""

    def __init__(self, daemon: Daemon, rng: random.Random) -> None:
        self._daemon = daemon
        self._rng = rng

    def turn(self) -> None:
        """One thing happens, perhaps another one at once; then a moment passes."""
        for deed in self._rng.choices(
            (self._command, self._kill, self._fell), (4, 3, 2), k=self._rng.randint(1, 2)
        ):
            deed()
        pause = self._rng.random()
        wait_until(lambda: not self._tick(pause), "a moment to pass")

    def _tick(self, pause: float) -> bool:
        return self._rng.random() > 0.02 / max(pause, 0.02)

    def _command(self) -> None:
        verb, name = self._rng.choice(("start", "start", "stop", "restart")), self._rng.choice("ab")
        print(verb, name)
        try:
            self._daemon.call(verb, name)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED), error  # noqa: PT017

    def _kill(self) -> None:
        """Some process of somebody's tree."""
        if found := members(self._daemon.machine):
            victim = self._rng.choice(found)
            print("kill", victim)
            try:
                os.kill(victim.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def _fell(self) -> None:
        """The daemon, and perhaps a gateway while there is none."""
        print("daemon")
        self._daemon.kill()
        if self._rng.random() < 0.5:
            self._kill()
        self._daemon.start()


@pytest.mark.parametrize("rounds", sampled([8]))
def test_whatever_happens_one_bot_never_has_two_gateways(stage: Daemon, rng: random.Random, rounds: int) -> None:
    """Stops, starts, killed gateways and daemons; in the end each gets it that is first to be wanted."""
    share(stage, "a", "b", flags="--daemon")
    turns = Rounds(stage, rng)
    for _ in range(rounds):
        turns.turn()
    for name in "ab":
        stage.do("stop", name)
    stage.do("start", "a")
    start_in_vain(stage, "b", "a")
    stage.do("stop", "a")
    until(stage, "b", READY)
    start_in_vain(stage, "a", "b")
    never_two(stage)


@pytest.mark.ci
def test_served_already_is_no_sign_of_health(stage: Daemon, tmp_path: Path) -> None:
    """A version that wants one gateway per host: who has it is told, and lives; ours start once it is gone."""
    lock = str(tmp_path / "host.lock")
    cast(stage.machine, "a", *using(stage, "--host-lock", lock))
    play(stage, {}, **PATIENT)
    with Decoy(tmp_path / "manual", "--host-lock", lock) as owner:
        stage.call("start", "a")
        wait_until(lambda: stage.gateway("a").restarts >= 1, "it to be tried again")
        for _ in range(2):
            assert stage.gateway("a").state != READY
            page = stage.machine.ctl("gateway", "status", "a")
            assert f"PID {owner.identity.pid}" in page.stdout
            assert page.returncode != 0
        assert owner.is_untouched
    until(stage, "a", READY)
