"""Tells a client without a daemon which agent is in use.

Owns: `runtime.json` in the state directory. Must not know who chose the runtime. The file is a notice, not the
truth, which is in the database: its reader checks that the executable is there.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from hermesd.adapters.atomic import write_atomic
from hermesd.domain.runtime import Runtime

NOTHING: Mapping[str, str] = {}


def write_runtime_file(path: Path, runtime: Runtime, environment: Mapping[str, str] = NOTHING) -> None:
    """Says that this runtime is the one in use, replacing what was said before.

    `environment` is what its programs are told of the machine, whatever their profile; no secret.

    Raises:
        DiskFull, NotPermitted: it cannot be written.
    """
    said = {
        "name": runtime.name,
        "version": runtime.version,
        "executable": str(runtime.executable),
        "is_managed": runtime.is_managed,
        "environment": dict(environment),
    }
    write_atomic(path, json.dumps(said, indent=1).encode() + b"\n")
