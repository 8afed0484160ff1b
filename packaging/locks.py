"""Writes the lock file of a version of hermes-agent: `python packaging/locks.py 0.19.0`.

Needs `uv` on PATH. The file holds every package with its hashes for all supported interpreters and systems; the
installer takes from it what belongs on the machine. See `packaging/README.md` for when to run this.
"""

import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[1] / "hermesd" / "adapters" / "agents" / "locks"

EXTRAS = "messaging,slack,cron,cli,pty,mcp"
"""Parts of hermes-agent that a gateway may need; among what they bring is aiohttp, which its HTTP API needs."""

OLDEST_PYTHON = "3.11"


def resolve(version: str) -> str:
    """The lock file's text.

    Raises:
        subprocess.CalledProcessError: the version does not exist or cannot be resolved; uv has said why.
    """
    options = [
        "--universal",
        "--python-version",
        OLDEST_PYTHON,
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    wanted = f"hermes-agent[{EXTRAS}]=={version}\n"
    done = subprocess.run(
        ["uv", "pip", "compile", "--quiet", *options, "-"],
        input=wanted,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Writes one file for each version that is named."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for version in sys.argv[1:]:
        path = LOCKS / f"hermes-agent-{version}.txt"
        path.write_text(resolve(version))
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
