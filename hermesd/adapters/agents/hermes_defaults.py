"""A program: prints what hermes-agent's own defaults say of its settings.

Run by the Python that hermes-agent is installed for. Owns: where the agent has them (hermes-agent 0.18.2 and
0.19.0). Nothing of any profile is read. Must not import anything of hermesd.
"""

import importlib
import json
import sys
from typing import Any

MARK = "hermesd-defaults:"


def main() -> None:
    """Prints the defaults, and which of them the agent also reads from variables."""
    config: Any = importlib.import_module("hermes_cli.config")
    mirrors = {f"terminal.{name}": variable for name, variable in config.TERMINAL_CONFIG_ENV_MAP.items()}
    told = {"defaults": config.DEFAULT_CONFIG, "mirrors": mirrors}
    sys.stdout.write(f"\n{MARK}{json.dumps(told, default=str)}\n")


if __name__ == "__main__":
    main()
