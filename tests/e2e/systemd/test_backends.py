"""The systemd backend on a real systemd: its contract, and what only scopes can do.

The suites run inside the machine, with another interpreter's pytest, because a process cannot be put from outside
into a scope there.
"""

import sys

import pytest

from tests.e2e.systemd.machine import LINGERER, ROOT, Person, SystemdMachine
from tests.tiers import sampled

pytestmark = pytest.mark.e2e

SUITES = ("tests/contracts/test_backend.py", "tests/adapters/test_spawn.py", "tests/e2e/systemd/scopes.py")
CHOSEN = "not nonsense"
"""What is no program at all is found out too late to be explained."""


@pytest.mark.parametrize("who", sampled([LINGERER, ROOT]), ids=["user-manager", "system-manager"])
def test_the_contract_of_backends_holds_on_scopes(systemd_machine: SystemdMachine, who: Person) -> None:
    """Every test of it, and no unit is left behind, the slice included."""
    pytest_words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN)
    done = systemd_machine.run(who, *pytest_words, *SUITES, extra={"HERMESD_TEST_BACKEND": "systemd"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert systemd_machine.units(who) == []
