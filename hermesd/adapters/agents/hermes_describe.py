"""Having hermes-agent say what one of its profiles is for.

Owns: how it is asked in a process of its own (hermes-agent 0.18.2 and 0.19.0), for how long, and what its answer
means. The profile's keys stay between that process and the profile's files. Must not know where the answer goes.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters import steps
from hermesd.adapters.agents.hermes_describer import MARK
from hermesd.adapters.profilefiles import read_description
from hermesd.domain.description import trim_generated
from hermesd.domain.errors import AgentFailed, Cancelled, Incompatible
from hermesd.domain.profile import Home
from hermesd.domain.runtime import Runtime

LIMIT_S = 120.0
"""How long it may take: the agent itself gives its model a minute, and may try again."""

_PROGRAM = Path(__file__).with_name("hermes_describer.py")


def generate_description(
    runtime: Runtime, home: Home, environment: Mapping[str, str], is_cancelled: Callable[[], bool]
) -> str:
    """See the port."""
    read_description(home.path)  # what could not be written down is not asked for
    ends_at_s = time.monotonic() + LIMIT_S

    def must_end() -> bool:
        if time.monotonic() > ends_at_s:
            raise _failed(home, f"its model has not answered within {LIMIT_S:.0f} s")
        if is_cancelled():
            raise Cancelled(f"describing '{home.name}' was cancelled")
        return False

    lines: list[str] = []
    argv = [str(_interpreter(runtime)), "-P", str(_PROGRAM), home.name.text]
    try:
        steps.run(argv, environment, is_cancelled=must_end, on_line=lines.append, directory=home.path)
    except steps.StepFailed as failure:
        raise _failed(home, _reason(home, lines) or f"the agent ended with {failure.code}") from failure
    return _answer(home, lines)


def _interpreter(runtime: Runtime) -> Path:
    """The Python that the agent is installed for: it lies beside the program that a link or an alias leads to."""
    found = runtime.executable.resolve().with_name("python")
    if not found.exists():
        raise Incompatible(
            f"cannot have {runtime.executable} describe a profile: there is no Python beside it",
            hint="describe it yourself with --text, or use a runtime that hermesd installed",
            fixes=["hermesctl runtime install"],
        )
    return found


def _answer(home: Home, lines: Sequence[str]) -> str:
    said = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    text = trim_generated(str(json.loads(said[-1]))) if said else ""
    if not text:
        raise _failed(home, "its model said nothing")
    return text


def _reason(home: Home, lines: Sequence[str]) -> str:
    """Why the agent says that it failed, in the one form that holds no more than the kind of a failure.

    Anything else that it prints could hold a key, as the address of a request does.
    """
    label = f"profile describe {home.name}: "
    return next((line.removeprefix(label).strip() for line in reversed(lines) if line.startswith(label)), "")


def _failed(home: Home, why: str) -> AgentFailed:
    return AgentFailed(
        f"cannot describe '{home.name}': {why}",
        fixes=[f"hermesctl -p {home.name} -z hi"],
        profile=home.name.text,
    )
