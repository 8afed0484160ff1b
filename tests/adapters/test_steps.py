"""What an installation consists of, and what its failures mean."""

from pathlib import Path

import pytest

from hermesd.adapters import steps
from hermesd.adapters.locked import Locks, fingerprint, package_count
from hermesd.domain.errors import DiskFull, HermesError, Incompatible, SourceUnreachable

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


@pytest.mark.parametrize(
    ("code", "lines", "kind"),
    [
        (1, ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"], DiskFull),
        (1, ["OSError: [Errno 122] Disk quota exceeded"], DiskFull),
        (1, ["The virtual environment was not created because ensurepip is not available."], Incompatible),
        (1, ["WARNING: Retrying", "ERROR: No matching distribution found for x"], SourceUnreachable),
        (1, [], SourceUnreachable),
        (-9, ["Collecting x"], HermesError),
    ],
)
def test_each_end_of_pip_has_its_reason(code: int, lines: list[str], kind: type[HermesError]) -> None:
    """And a way on."""
    explained = steps.explain(steps.StepFailed(code, lines), Path("/r/hermes-agent"))
    assert type(explained) is kind
    if kind is Incompatible:
        assert "python3-venv" in explained.metadata["fix"]


def test_last_words_hold_no_password() -> None:
    """An index's address may have one in it; control characters go, and so does what is too long."""
    words = steps.last_words(["ERROR: https://me:secret@index/x\x1b[0m refused", "ERROR: " + "y" * 1_000, "bye"])
    assert "secret" not in words
    assert "https://index/x" in words
    assert words.isprintable()
    assert len(words) <= 300


def test_a_broken_connection_is_told_rather_than_a_missing_package() -> None:
    """Which is all that pip says in the end."""
    retry = "WARNING: Retrying (Retry(total=0)) after connection broken by 'refused': /simple/x/"
    lines = [retry, "ERROR: No matching distribution found for x"]
    assert "'refused'" in steps.explain(steps.StepFailed(1, lines), Path("/r")).message


def test_lock_files_of_both_versions_come_with_hermesd() -> None:
    """Each pins the agent, everything with a hash, and the library that its API needs."""
    found = Locks()
    assert found.versions() == ["0.19.0", "0.18.2"]
    for version in found.versions():
        text = found.text(version)
        assert f"hermes-agent=={version} " in text
        assert "\naiohttp==" in text
        assert package_count(text) > 80
        assert len(fingerprint(text, "3.11")) == 8
        assert fingerprint(text, "3.11") != fingerprint(text, "3.12")
