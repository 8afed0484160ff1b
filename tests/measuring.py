"""Which processes of a test count in the coverage of the run.

Owns: the variables by which coverage asks a process to be measured. They are taken away from every test's own
environment, since most processes are slow enough and some may not write where they would have to.
"""

import os

VARIABLES: dict[str, str] = {}
"""For the environment of a process that is to be measured; empty where coverage is not."""


def take_away() -> None:
    """Moves them from this process's environment, once coverage has put them there."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        VARIABLES[name] = os.environ.pop(name)
