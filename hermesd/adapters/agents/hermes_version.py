"""Asking a hermes-agent for its version.

Owns: how it is asked without a trace, and which differences between versions matter. Must not know homes.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from hermesd.domain.errors import Incompatible

_LIMIT_S = 60.0
_ANSWER = re.compile(r"Hermes Agent v(\S+)")
_PASSED_ON = ("HOME", "PATH", "LANG", "LC_ALL")
_FIRST_WITH_SUPERVISOR_FLAG = "0.19.0"
_FIRST_WITH_WATCHDOG = "0.19.0"


def ask_version(executable: Path) -> str:
    """What the executable says its version is.

    It is asked in a home of its own that vanishes afterwards: even this question makes files (0.19.0).

    Raises:
        Incompatible: it cannot be run, does not answer in time, or is something else.
    """
    with tempfile.TemporaryDirectory(prefix="hermesd-version-") as home:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        output = _run(executable, environment | {"HERMES_HOME": home})
    found = _ANSWER.search(output)
    if found is None:
        raise Incompatible(f"{executable} is not hermes-agent: it does not say its version")
    return found[1]


def _run(executable: Path, environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            [executable, "--version"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Incompatible(f"{executable} does not say its version within {_LIMIT_S:.0f} s") from error
    except OSError as error:
        raise Incompatible(f"cannot run {executable}: {error.strerror}") from error
    return done.stdout.decode(errors="replace")


def has_supervisor_flag(version: str) -> bool:
    """Whether `gateway run` knows `--external-supervisor`; what cannot be compared counts as recent."""
    return _is_from(version, _FIRST_WITH_SUPERVISOR_FLAG)


def has_watchdog(version: str) -> bool:
    """Whether a gateway can tell that it is ready, and beat; what cannot be compared counts as recent."""
    return _is_from(version, _FIRST_WITH_WATCHDOG)


def _is_from(version: str, first: str) -> bool:
    from packaging.version import InvalidVersion, Version  # here, as it is large and needed at a start only

    try:
        return Version(version) >= Version(first)
    except InvalidVersion:
        return True
