"""The program `hermesd`: checks the platform, then runs the daemon in the foreground."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping

EXIT_CODES: Mapping[str, int] = {
    "PROFILE_BUSY": 5,
    "CONFIG_INVALID": 6,
    "INCOMPATIBLE": 6,
    "STATE_TOO_NEW": 8,
    "NOT_PERMITTED": 9,
}
"""Exit codes of failures to start, as hermesctl has them; any other failure is 1."""

USAGE = """\
Usage: hermesd [--version]

Keeps Hermes profiles and their gateways, in the foreground, until SIGTERM.
People use it through hermesctl; see `hermesctl daemon --help`.
"""


def main() -> int:
    """Runs the program; returns its exit code."""
    if sys.platform == "win32":
        print("error: hermesd does not run on Windows; use it inside WSL2", file=sys.stderr)
        return 6
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        print(USAGE, end="")
        return 0
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # read when grpc is imported, which `app` does
    from hermesd import app

    if arguments == ["--version"]:
        print(f"hermesd {app.VERSION}")
        return 0
    if arguments:
        print(USAGE, end="", file=sys.stderr)
        return 2
    return _explained(app.run)


def _explained(run: Callable[[Mapping[str, str]], int]) -> int:
    """Runs the daemon; a failure is told in a line or two and becomes an exit code."""
    from hermesd import log
    from hermesd.domain.errors import HermesError

    try:
        return run(os.environ)
    except HermesError as error:
        print(f"error: {error.message}", file=sys.stderr)
        for line in error.metadata.get("hint", "").splitlines():
            print(f"  why: {line}", file=sys.stderr)
        return EXIT_CODES.get(error.reason, 1)
    except Exception as error:  # noqa: BLE001 - it is told and recorded, and nothing goes on
        print("error: hermesd ends, for a mistake of its own", file=sys.stderr)
        if place := log.record_mistake(error):
            print(f"  why: {place} has the traceback", file=sys.stderr)
        else:
            traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(main())
