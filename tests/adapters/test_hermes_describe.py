"""Having hermes-agent describe a profile: what of its answer counts, and how its process ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hermesd.adapters.agents import hermes_describe, hermes_describer
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain.description import LONGEST_GENERATED
from hermesd.domain.errors import AgentFailed, Cancelled, ConfigInvalid, HermesError, Incompatible
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.adapters.hermes_homes import home_at
from tests.waiting import DEADLINE_S

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
MAIN = """
import os, sys
from hermes_cli import profiles
def main():
    assert sys.argv == ["hermes", "-p", "coder", "profile", "describe", "coder", "--auto", "--overwrite"], sys.argv
    print("a notice")
    if os.environ.get("FAILING"):
        print("profile describe coder: LLM error: Refused", file=sys.stderr)
        sys.exit(1)
    profiles.write_profile_meta("somewhere", description="Reads code. ü", description_auto=True)
    print("Described 'coder'")
    sys.exit(0)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that says something about itself."""
    return home_at(tmp_path / "coder", profile__yaml="# mine\nother: 1\n")


def runtime_that(tmp_path: Path, script: str) -> Runtime:
    """A runtime whose Python runs this script instead of the program it is given."""
    binaries = tmp_path / "runtime" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "hermes").write_text("#!/bin/sh\n")
    (binaries / "python").write_text(f"#!/bin/sh\n{script}\n")
    (binaries / "python").chmod(0o755)
    return Runtime("r", HERMES_AGENT, "0.19.0", binaries / "hermes", is_managed=True)


def said(text: str) -> str:
    """A script that says what the program would."""
    return f"printf '%s\\n' '{hermes_describer.MARK}{json.dumps(text)}'"


def ask(runtime: Runtime, home: Home) -> str:
    """What the agent says, whom nobody stops."""
    return HermesAgent().generate_description(runtime, home, ENVIRONMENT, lambda: False)


def refused(runtime: Runtime, home: Home) -> HermesError:
    """Why it says nothing."""
    with pytest.raises(HermesError) as failure:
        ask(runtime, home)
    return failure.value


def test_the_answer_is_one_line_among_others(tmp_path: Path, home: Home) -> None:
    """However many lines the model wrote; the profile's file is not touched."""
    answer = said("Reads code.  Writes\nfindings.")
    script = f"echo notice; {answer}; echo \"Described 'coder'\""
    assert ask(runtime_that(tmp_path, script), home) == "Reads code. Writes findings."
    assert (home.path / "profile.yaml").read_text() == "# mine\nother: 1\n"


def test_an_answer_that_is_too_long_is_cut(tmp_path: Path, home: Home) -> None:
    """Between words."""
    text = ask(runtime_that(tmp_path, said("words " * 200)), home)
    assert len(text) <= LONGEST_GENERATED + 1
    assert text.endswith("words…")


def test_the_process_gets_what_is_written_out_and_no_more(tmp_path: Path, home: Home) -> None:
    """Which home it is for, and neither a key nor a prompt in its arguments, which anybody can read."""
    script = f'env > {tmp_path}/env; printf "%s\\n" "$PWD" "$@" > {tmp_path}/argv; {said("x")}'
    os.environ["SECRET_API_KEY"] = "canary"
    try:
        ask(runtime_that(tmp_path, script), home)
    finally:
        del os.environ["SECRET_API_KEY"]
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert told["HERMES_HOME"] == str(home.path)
    of_a_shell = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert told.keys() - of_a_shell == {*ENVIRONMENT, "HERMES_HOME", "HERMES_DISABLE_LAZY_INSTALLS"}
    program = str(Path(hermes_describer.__file__))
    assert (tmp_path / "argv").read_text().splitlines() == [str(home.path), "-P", program, "coder"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo 'profile describe coder: LLM error: Refused' >&2; exit 1",
            "LLM error: Refused",
        ),
        ("echo 'https://me:canary@model/v1 refused sk-canary' >&2; exit 1", "the agent ended with 1"),
        ("kill -9 $$", "the agent ended with -9"),
        ("echo done", "its model said nothing"),
        (said(" \n "), "its model said nothing"),
    ],
)
def test_no_answer_is_a_failure_that_holds_no_secret(tmp_path: Path, home: Home, script: str, why: str) -> None:
    """The agent's own reason where it gives one, and a command that shows more."""
    failure = refused(runtime_that(tmp_path, script), home)
    assert type(failure) is AgentFailed
    assert failure.message == f"cannot describe 'coder': {why}"
    assert failure.metadata["fix"] == "hermesctl -p coder -z hi"
    assert "canary" not in str(failure.metadata)


def test_an_agent_that_never_answers_is_ended(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it started."""
    monkeypatch.setattr(hermes_describe, "LIMIT_S", 2.0)
    script = f"sleep 300 & echo $! > {tmp_path}/pid; sleep 300"
    assert "has not answered within" in refused(runtime_that(tmp_path, script), home).message
    assert_ended(int((tmp_path / "pid").read_text()))


def test_who_cancels_ends_it(tmp_path: Path, home: Home) -> None:
    """At once."""
    script = f"echo $$ > {tmp_path}/pid; touch {tmp_path}/told; sleep 300"
    runtime = runtime_that(tmp_path, script)
    with pytest.raises(Cancelled, match="describing 'coder'"):
        HermesAgent().generate_description(runtime, home, ENVIRONMENT, (tmp_path / "told").exists)
    assert_ended(int((tmp_path / "pid").read_text()))


def assert_ended(pid: int) -> None:
    """A process is gone, or only waits to be reaped by whoever got it."""
    try:
        assert psutil.Process(pid).wait(timeout=DEADLINE_S) is None
    except psutil.NoSuchProcess:
        return


def test_what_could_not_be_written_down_is_not_asked_for(tmp_path: Path, home: Home) -> None:
    """A model's answer costs money."""
    (home.path / "profile.yaml").write_text("a: [")
    failure = refused(runtime_that(tmp_path, f"touch {tmp_path}/asked"), home)
    assert type(failure) is ConfigInvalid
    assert not (tmp_path / "asked").exists()


def test_an_agent_without_its_python_is_refused(tmp_path: Path, home: Home) -> None:
    """As one that is a script of somebody's."""
    runtime = runtime_that(tmp_path, "")
    runtime.executable.with_name("python").unlink()
    failure = refused(runtime, home)
    assert type(failure) is Incompatible
    assert "--text" in failure.metadata["hint"]


def program(tmp_path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs the program on an agent that is none."""
    package = tmp_path / "hermes_cli"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "profiles.py").write_text("def write_profile_meta(*_, **__): raise SystemExit('it was written')\n")
    (package / "main.py").write_text(MAIN)
    environment = {**ENVIRONMENT, **variables, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", hermes_describer.__file__, "coder"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_program_tells_what_the_agent_would_write(tmp_path: Path) -> None:
    """And lets it write nothing."""
    done = program(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{hermes_describer.MARK}{json.dumps('Reads code. ü')}\n" in done.stdout


def test_the_program_ends_as_the_agent_does(tmp_path: Path) -> None:
    """With its own words."""
    done = program(tmp_path, FAILING="1")
    assert (done.returncode, done.stderr) == (1, "profile describe coder: LLM error: Refused\n")
