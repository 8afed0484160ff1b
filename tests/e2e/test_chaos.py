"""Whatever is killed, at any moment: the same agents are still there."""

import random
from collections.abc import Iterator

import pytest

from tests.e2e.census import Decoy
from tests.e2e.chaos import Chaos, scripted_behaviour
from tests.e2e.daemon import HURRIED, Daemon
from tests.e2e.house import Machine, free_port
from tests.fakes.model import MODEL, ModelServer

pytestmark = [pytest.mark.e2e]

UNDER_FIRE = ("dev", "prod", "night")
BYSTANDER = "dev-test"
"""Its name begins with that of another."""

REAL = ("ana", "ben", "cleo")
PATIENT = {"start_limit_s": 90.0, "stable_s": 2.0, "grace_extra_s": 20.0}
"""What the real agent needs more of."""


@pytest.fixture
def scripted_chaos(empty_machine: Machine, rng: random.Random) -> Iterator[Chaos]:
    """Scripted gateways under fire, one that is not, and strangers that look like them."""
    daemon = Daemon(empty_machine)
    daemon.make_homes(BYSTANDER, *UNDER_FIRE)
    with (
        Decoy(empty_machine.home / "decoy") as same,
        Decoy(empty_machine.home / "other", "--ignore-term") as other,
    ):
        chaos = Chaos(
            daemon,
            rng,
            behaviours=dict.fromkeys(UNDER_FIRE, scripted_behaviour),
            bystander=BYSTANDER,
            decoys=(same, other),
        )
        yield chaos
        chaos.close()


@pytest.mark.parametrize(
    "rounds", [pytest.param(20, marks=pytest.mark.ci), pytest.param(500, marks=pytest.mark.full)]
)
def test_scripted_gateways_survive_everything(scripted_chaos: Chaos, rounds: int) -> None:
    """After each death: one tree per profile, no orphan, no lost wish, and no stranger was signalled."""
    scripted_chaos.prepare()
    for number in range(rounds):
        scripted_chaos.round(number)


@pytest.fixture
def real_chaos(machine: Machine, model_server: ModelServer, rng: random.Random) -> Iterator[Chaos]:
    """Three gateways of the real agent under fire."""
    for name in REAL:
        endpoint = ("--model", MODEL, "--base-url", model_server.base_url, "--api-port", str(free_port()))
        machine.ok("-p", name, "quickstart", *endpoint)
    machine.ok("daemon", "stop")
    chaos = Chaos(
        Daemon(machine), rng, behaviours=dict.fromkeys(REAL), policy={**HURRIED, **PATIENT}, patience_s=180.0
    )
    yield chaos
    chaos.close()


@pytest.mark.parametrize(
    "rounds", [pytest.param(3, marks=pytest.mark.ci), pytest.param(30, marks=pytest.mark.full)]
)
def test_real_gateways_survive_everything(real_chaos: Chaos, rounds: int) -> None:
    """The same with the real agent, which is slow to start and careful to end."""
    real_chaos.prepare()
    for number in range(rounds):
        real_chaos.round(number)
