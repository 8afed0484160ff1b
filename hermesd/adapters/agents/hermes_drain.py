"""Asking a hermes-agent gateway to take no new turns.

Owns: the request's file and what it says (hermes-agent 0.18.2 and 0.19.0). Its presence is what counts; one of an
earlier boot, or of an earlier container, is ignored by the agent, so a machine that restarts ends every drain.
Must not know processes of gateways.
"""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hermesd.adapters import procfs
from hermesd.adapters.agents.hermes_state import replace_link
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.oserrors import translating

REQUEST = ".drain_request.json"
_FIRST_PROCESS = 1


def request_drain(home: Path) -> None:
    """Leaves the request, in place of one that lies there. A home that was removed has nobody to leave it for.

    Raises:
        DiskFull, NotPermitted: it cannot be written; what lay there does so still.
    """
    request = {
        "action": "drain",
        "requested_at": datetime.now(UTC).isoformat(),
        "principal": "hermesd",
        "epoch": epoch(),
        "suppress_notification": False,
    }
    path = home / REQUEST
    replace_link(path)
    with suppress(FileNotFoundError):  # the home, for the file need not be there
        write_atomic(path, json.dumps(request).encode())


def withdraw_drain(home: Path) -> None:
    """Removes the request, whoever made it: the agent knows only one.

    Raises:
        NotPermitted: it cannot be removed.
    """
    path = home / REQUEST
    with translating(path, "remove"):
        path.unlink(missing_ok=True)


def epoch() -> str:
    """This run of the machine or container, as the agent tells it: the boot, and when its first process began."""
    began_ticks = procfs.start_ticks(_FIRST_PROCESS)
    return f"{procfs.boot_id()}:{'' if began_ticks is None else began_ticks}"
