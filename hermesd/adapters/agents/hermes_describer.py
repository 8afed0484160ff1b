"""A program: has hermes-agent describe one of its profiles, and prints what came of it instead of writing it down.

Run by the Python that hermes-agent is installed for, with the profile's name. It is the agent's own command, which
asks the profile's model for one answer, without tools, memory or a session; only the agent's way of writing that
down is left out, since it empties the file first and loses the comments in it. Owns: which function of the agent
that is (hermes-agent 0.18.2 and 0.19.0). Must not import anything of hermesd.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

MARK = "hermesd-description:"


def tell(_: Path, *, description: str | None = None, description_auto: bool | None = None) -> None:
    """Stands for the function that writes profile.yaml."""
    if description is not None and description_auto:
        sys.stdout.write(f"\n{MARK}{json.dumps(description)}\n")
        sys.stdout.flush()


def main(name: str) -> None:
    """Runs the command, which ends this process."""
    sys.argv[:] = ["hermes", "-p", name, "profile", "describe", name, "--auto", "--overwrite"]
    agent = importlib.import_module("hermes_cli.main")
    profiles: Any = importlib.import_module("hermes_cli.profiles")
    assert callable(profiles.write_profile_meta)
    profiles.write_profile_meta = tell
    agent.main()


if __name__ == "__main__":
    main(sys.argv[1])
