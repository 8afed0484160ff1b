"""Asks a hermes-agent, in its own interpreter, what it makes of homes: which platforms are on, and as whom.

Owns: how the agent is asked. Reads cases from standard input: by name, the texts of `.env` and `config.yaml`.
Writes its platforms and, by case, what each that is on was given. Must not know what anybody expects.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Goes through the cases, each with the environment of the first moment."""
    from gateway.config import Platform, load_gateway_config  # type: ignore[import-not-found]
    from gateway.platform_registry import platform_registry  # type: ignore[import-not-found]
    from hermes_cli.env_loader import load_hermes_dotenv  # type: ignore[import-not-found]
    from hermes_cli.plugins import discover_plugins  # type: ignore[import-not-found]

    home, environment = Path(os.environ["HERMES_HOME"]), dict(os.environ)
    discover_plugins()
    names = {platform.value for platform in Platform} | {
        entry.name for entry in platform_registry.plugin_entries()
    }
    found = {}
    for case, (env, config) in json.load(sys.stdin).items():
        os.environ.clear()
        os.environ.update(environment)
        (home / ".env").write_text(env)
        (home / "config.yaml").write_text(config)
        load_hermes_dotenv(hermes_home=home)
        found[case] = {
            platform.value: {"token": said.token or "", **{key: str(value) for key, value in said.extra.items()}}
            for platform, said in load_gateway_config().platforms.items()
            if said.enabled
        }
    print(json.dumps({"platforms": sorted(names), "found": found}))


if __name__ == "__main__":
    main()
