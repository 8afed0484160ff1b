"""How bad what was seen is, and what of a home is worth keeping private."""

from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.domain.conditions import HOLDS_KEY, Disk, Exposed, Matter, Unit, matter_of
from hermesd.domain.findings import GIB, MIB, Severity, judge_disk, listed

pytestmark = [pytest.mark.fast, pytest.mark.domain]

ROOMY = Disk(Path("/data"), 1, 50 * GIB, 100 * GIB, 1_000_000, 2_000_000)


@pytest.mark.parametrize(
    ("changes", "severity", "said"),
    [
        ({}, None, ""),
        ({"free_bytes": GIB - 1, "total_bytes": 4 * GIB}, None, "a small disk with much of it free"),
        ({"free_bytes": 2 * GIB}, None, "a big disk with little of it free that is much"),
        ({"free_bytes": 300 * MIB}, Severity.WARNING, "only 300 MiB are left where /data lies"),
        ({"free_bytes": 0}, Severity.ERROR, "only 0 MiB are left where /data lies"),
        ({"free_files": 2_000}, Severity.WARNING, "only room for 2000 files is left where /data lies"),
        ({"free_files": 3}, Severity.ERROR, "only room for 3 files is left where /data lies"),
        ({"free_files": 0, "total_files": 0}, None, "files are not counted"),
        ({"is_read_only": True}, Severity.ERROR, "/data lies on a file system that is read-only"),
        (
            {"network_kind": "nfs4"},
            Severity.WARNING,
            "/data lies on a network file system (nfs4), whose locks may not hold",
        ),
    ],
)
def test_a_disk_is_low_by_size_and_by_share(changes: dict[str, int], severity: Severity | None, said: str) -> None:
    """Neither a big disk nor a small one is low by one of them alone."""
    judged = judge_disk(replace(ROOMY, **changes))  # type: ignore[arg-type]
    assert judged == (None if severity is None else (severity, said))


@pytest.mark.parametrize(
    ("name", "matter"),
    [
        (".env", Matter.SECRET),
        (".env.bak", Matter.SECRET),
        (".env.EXAMPLE", None),
        ("auth.json", Matter.SECRET),
        ("auth.json.old", Matter.SECRET),
        ("config.yaml", None),
        ("state.db", Matter.PRIVATE),
        ("state.db-wal", Matter.PRIVATE),
        ("gateway.pid", None),
        ("SOUL.md", None),
    ],
)
def test_files_are_worth_what_is_in_them(name: str, matter: Matter | None) -> None:
    """Keys and tokens most, then conversations; the rest nobody minds."""
    assert matter_of(name, is_directory=False) is matter


def test_a_configuration_with_keys_is_secret() -> None:
    """And so is a copy of it."""
    for name in ("config.yaml", "config.yaml.bak"):
        assert matter_of(name, is_directory=False, holds_key=True) is Matter.SECRET
    assert matter_of("sessions", is_directory=True) is Matter.PRIVATE
    assert matter_of("skills", is_directory=True) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("model:\n  api_key: sk-123\n", True),
        ("  BOT_TOKEN: '11:aa'\n", True),
        ('"client_secret": "abc"\n', True),
        ("  apikey: x # note\n", True),
        ("  api_key: ${OPENAI_API_KEY}\n", False),
        ('  api_key: "$KEY"\n', False),
        ("  api_key:\n  next: 1\n", False),
        ("  api_key: ''\n", False),
        ("  api_key: null\n", False),
        ("max_tokens: 4096\n", False),
        ("# api_key: none here\n", False),
    ],
)
def test_a_key_is_told_from_a_reference_to_one(text: str, holds: bool) -> None:
    """Nothing, and a variable, are no secret."""
    assert bool(HOLDS_KEY.search(text)) is holds


def test_many_are_listed_as_the_first_of_them() -> None:
    """A sentence stays one."""
    assert (listed([]), listed(["a"]), listed(["a", "b"]), listed([1, 2, 3])) == ("", "a", "a and b", "1, 2 and 3")
    assert listed(list("abcdefgh")) == "a, b, c, d, e and 3 more"


def test_a_service_is_removed_by_who_may() -> None:
    """The command can be pasted whatever the path."""
    unit = Unit(Path("/etc/systemd/system/hermes-gateway-a.service"), None, is_enabled=True, is_of_system=True)
    assert unit.removal == (
        "sudo systemctl disable --now hermes-gateway-a.service"
        " && sudo rm /etc/systemd/system/hermes-gateway-a.service"
    )
    own = Unit(Path("/my home/hermes-gateway.service"), None, is_enabled=False, is_of_system=False)
    assert own.removal == (
        "systemctl --user disable --now hermes-gateway.service && rm '/my home/hermes-gateway.service'"
    )


def test_writing_is_worse_than_reading() -> None:
    """By anybody but the owner."""
    assert Exposed(Path("/a"), 0o620, None, is_reachable=True).is_writable
    assert not Exposed(Path("/a"), 0o755, None, is_reachable=True).is_writable
