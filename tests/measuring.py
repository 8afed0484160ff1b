"""Which processes of a test count in the coverage of the run.

Owns: the variables by which coverage asks a process to be measured. They are taken away from every test's own
environment, since most processes are slow enough and some may not write where they would have to.
"""

import os

VARIABLES = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_")}
"""For the environment of a process that is to be measured; empty where coverage is not."""
