"""The launcher that aliases execute: published in one step, whatever was there before."""

import subprocess
import sys
from pathlib import Path

import pytest

from hermesd.adapters import launcher as adapter
from hermesd.adapters.launcher import Launcher

pytestmark = [pytest.mark.fast, pytest.mark.adapters]


def launcher(tmp_path: Path, release: str) -> Launcher:
    """The launcher of a release whose client says its name and arguments."""
    library = tmp_path / release / "library with space"
    package = library / "hermesctl" / "launch"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (library / "hermesctl" / "__init__.py").write_text("")
    text = f"import sys\ndef main(cold): print({release!r}, *sys.argv, *cold, *sorted(sys.flags[2:7]), sep='|')\n"
    (package / "launcher.py").write_text(text)
    return Launcher(Path(sys.executable), library, tmp_path / release / "hermesctl")


def run(share: Path) -> str:
    """What the published launcher says."""
    command = [str(share / "current" / "python3"), "-IS", str(share / "current" / "launch.py"), "a b"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_published_launcher_runs_the_client_of_its_release(tmp_path: Path) -> None:
    """Under its own name and with every argument, by an interpreter that loads nothing else."""
    share = tmp_path / "share"
    launcher(tmp_path, "one").publish(share)
    client = tmp_path / "one" / "hermesctl"
    assert run(share).startswith(f"one|{client}|a b|{client}|")


def test_an_upgrade_changes_what_the_same_path_runs(tmp_path: Path) -> None:
    """Aliases name the path; the release before stays for whoever is just executing it, older ones do not."""
    share = tmp_path / "share"
    for release in ("one", "two", "three"):
        launcher(tmp_path, release).publish(share)
    assert run(share).startswith("three|")
    assert len(list((share / "clients").iterdir())) == 2


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    """Every start of the daemon does it."""
    share = tmp_path / "share"
    launcher(tmp_path, "one").publish(share)
    before = (share / "current").lstat()
    launcher(tmp_path, "one").publish(share)
    assert (share / "current").lstat() == before


def test_a_launcher_that_lost_a_file_is_mended(tmp_path: Path) -> None:
    """A cleaner may take what it does not know."""
    share = tmp_path / "share"
    launcher(tmp_path, "one").publish(share)
    (share / "current" / "launch.py").unlink()
    launcher(tmp_path, "one").publish(share)
    assert run(share).startswith("one|")


@pytest.mark.parametrize("name", ["ensure_private", "_point", "write_atomic", "remove_tree"])
@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_crash_at_any_step_leaves_one_release_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, survived: int
) -> None:
    """The old one or the new one runs, and the next start finishes the work."""
    share = tmp_path / "share"
    launcher(tmp_path, "zero").publish(share)
    launcher(tmp_path, "one").publish(share)
    done = getattr(adapter, name)
    calls = 0

    def crashing(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls > survived:
            raise KeyboardInterrupt
        done(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(adapter, name, crashing)
        try:
            launcher(tmp_path, "two").publish(share)
        except KeyboardInterrupt:
            assert run(share).split("|")[0] in {"one", "two"}
    launcher(tmp_path, "two").publish(share)
    assert run(share).startswith("two|")
    launcher(tmp_path, "three").publish(share)
    assert len(list((share / "clients").iterdir())) == 2


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Whoever publishes decides whether that matters."""
    (tmp_path / "share").write_text("in the way")
    with pytest.raises(FileExistsError):
        launcher(tmp_path, "one").publish(tmp_path / "share")
