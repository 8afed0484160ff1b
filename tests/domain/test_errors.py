"""The failures that can be explained: one class per reason, and every reason of the contract accounted for."""

import re
from pathlib import Path

import pytest

from hermesd.domain import errors
from hermesd.domain.errors import HermesError, ProfileNotFound
from hermesd.v1.errors_pb2 import Reason

pytestmark = [pytest.mark.fast, pytest.mark.domain]

CONTRACT = Path(__file__).resolve().parents[2] / "proto" / "hermesd" / "v1" / "errors.proto"

CLIENT_ONLY = {"PROFILE_CONFLICT", "DECLINED", "DAEMON_ABSENT", "VERSION_SKEW", "STILL_RUNNING", "FILE_EXISTS"}
"""Reasons that only a client raises: the daemon has no class for them."""

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, HermesError) and value is not HermesError
]


def reasons_of_the_contract() -> set[str]:
    """Every reason that can be sent, without its prefix."""
    return {name.removeprefix("REASON_") for name in Reason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118


def test_each_reason_has_exactly_one_class() -> None:
    """Every reason that the daemon raises has one class; what cannot be explained is the base class."""
    assert sorted(cls.reason for cls in CLASSES) == sorted(reasons_of_the_contract() - CLIENT_ONLY - {"INTERNAL"})
    assert HermesError.reason == "INTERNAL"


def test_client_only_reasons_say_so() -> None:
    """The contract's comments tell which reasons only a client raises."""
    said = re.findall(r"\(raised by the client\)\.\n  REASON_(\w+) =", CONTRACT.read_text())
    assert set(said) == CLIENT_ONLY


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_class_states_its_own_reason(cls: type[HermesError]) -> None:
    """No class inherits its reason, and each is named after it and explained."""
    assert "reason" in vars(cls)
    assert re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper() == cls.reason
    assert cls.__doc__
    assert cls.__bases__ == (HermesError,)


def test_failure_carries_its_facts() -> None:
    """Message, hint, fixes and facts arrive as they were given, fixes a line each."""
    failure = ProfileNotFound("no profile 'codr'", hint="look", fixes=["a", "b"], closest="coder")
    assert failure.message == str(failure) == "no profile 'codr'"
    assert failure.metadata == {"closest": "coder", "hint": "look", "fix": "a\nb"}


def test_plain_failure_carries_nothing() -> None:
    """Without a hint or a fix there is no empty one."""
    assert ProfileNotFound("no profile 'codr'").metadata == {}
