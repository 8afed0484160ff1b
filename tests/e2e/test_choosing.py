"""The sticky default with a real daemon, and with hermes-agent writing the same file behind its back."""

import shutil

import pytest

from tests.e2e.house import Machine

pytestmark = [pytest.mark.ci, pytest.mark.e2e, pytest.mark.cli]


def used(machine: Machine, *words: str) -> str:
    """Uses a profile and returns what the file that hermes-agent reads says then; empty if it is gone."""
    machine.ok("profile", "use", *words)
    path = machine.root / "active_profile"
    return path.read_text() if path.exists() else ""


def test_the_default_is_chosen_toggled_and_cleared(empty_machine: Machine) -> None:
    """In hermes-agent's own format, whatever we keep beside it; another daemon still knows the way back."""
    machine = empty_machine
    machine.ok("daemon", "start")
    for name in ("coder", "worker"):
        machine.ok("profile", "create", name, "--no-alias")
    assert used(machine, "coder") == "coder\n"
    assert used(machine, "worker") == "worker\n"
    assert machine.ok("profile", "current") == "worker\n"
    machine.ok("daemon", "stop")
    machine.ok("daemon", "start")
    assert used(machine, "-") == "coder\n"
    assert used(machine, "--clear") == ""
    assert used(machine, "-") == "coder\n"
    (machine.root / "active_profile").write_text("worker\n")
    assert used(machine, "-") == "coder\n"
    assert sorted(path.name for path in machine.root.iterdir()) == ["active_profile", "profiles"]


def test_a_default_that_was_deleted_by_hand_locks_nobody_out(empty_machine: Machine) -> None:
    """What names no profile works on; what needs one says what to run, and that helps."""
    machine = empty_machine
    machine.ok("daemon", "start")
    for name in ("coder", "worker"):
        machine.ok("profile", "create", name, "--no-alias")
    machine.ok("profile", "use", "coder")
    shutil.rmtree(machine.root / "profiles" / "coder")
    shown = machine.ctl("profile")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, "coder (sticky default)")
    assert "hermesctl profile use --clear" in shown.stderr
    for words in ("profile list", "status", "gateway list", "operations list", "gateway why worker"):
        machine.ok(*words.split())
    refused = machine.ctl("gateway", "why")
    assert refused.returncode == 4
    assert "hermesctl profile use " in refused.stderr
    assert "(was coder)" in machine.ok("profile", "use", "--clear")
    machine.ok("gateway", "why")
    back = machine.ctl("profile", "use", "-")
    assert (back.returncode, "there is no profile 'coder'" in back.stderr) == (4, True)


def test_a_tab_and_a_prompt_start_no_daemon(empty_machine: Machine) -> None:
    """Nor anything that only prints."""
    machine = empty_machine
    (machine.root / "profiles" / "coder").mkdir(parents=True)
    answer = machine.run("hermesctl", "__complete", "zsh", stdin="hermesctl\0-p\0\0")
    assert (answer.stdout, answer.stderr) == ("words\ndefault\ncoder\n", "")
    for words in ("completion bash", "profile prompt zsh", "profile current", "--help", "--version"):
        machine.ok(*words.split())
    assert machine.processes() == []
    assert not (machine.home / ".local" / "state" / "hermesd").exists()
