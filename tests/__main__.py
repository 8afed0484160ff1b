"""Everything that must hold before a change lands: format, lint, types, generated code, tests, coverage.

`python -m tests` runs what CI runs and stops at the first failure. `python -m tests TIER [AREA ...]` runs the
tests of a tier (fast, ci, full, soak), with the tiers before it, in these areas only.
"""

import subprocess
import sys
from collections.abc import Sequence

TIERS = ("fast", "ci", "full", "soak")
COVERAGE = ("--cov=hermesd", "--cov=hermesctl", "--cov-report=")
IN_PARALLEL = ("-n", "2", "--dist", "worksteal")
"""Most tests of `ci` wait for processes. Each worker goes on with the tests of a module while it has any."""

CHECKS: Sequence[tuple[str, ...]] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("tests.tools.stubs", "--check"),
    ("pytest", "-q", "-m", "fast or ci", "--durations=10", *IN_PARALLEL, *COVERAGE),
    ("coverage", "report", "--include=hermesd/domain/*", "--fail-under=100", "--skip-covered"),
    ("coverage", "report", "--omit=hermesd/domain/*", "--fail-under=90", "--skip-covered"),
)


def selection(tier: str, areas: Sequence[str]) -> str:
    """The marker expression for a tier with those before it, in these areas (all if none is named)."""
    tiers = " or ".join(TIERS[: TIERS.index(tier) + 1])
    return f"({tiers}) and ({' or '.join(areas)})" if areas else tiers


def run(module: str, *arguments: str) -> int:
    """Runs a module of this interpreter's environment; returns its exit code."""
    print(f"== {module} {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Runs the program; returns the exit code of the first failure, else 0."""
    if arguments:
        tier, *areas = arguments
        return run("pytest", "-q", "-m", selection(tier, areas))
    for command in CHECKS:
        if code := run(*command):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
