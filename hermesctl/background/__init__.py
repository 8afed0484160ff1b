"""Starting the daemon in the background, and waiting for it to come or go.

`starting.py` does it; `ways.py` decides how, from what `surroundings.py` and `managers.py` see. Nothing here asks
the daemon for anything: that it serves is for the caller to tell.
"""

from hermesctl.background.attempts import COMMAND
from hermesctl.background.starting import Started, start, unresponsive, wait_until_gone
from hermesctl.background.surroundings import require_way

__all__ = ["COMMAND", "Started", "require_way", "start", "unresponsive", "wait_until_gone"]
