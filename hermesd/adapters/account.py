"""The account hermesd runs under, as gateways are to see it.

Owns: reading the passwd entry and this process's own environment; it is the only place that reads the latter for
gateways. Must not know which variables are allowed through: that is `hermesd/domain/environment.py`.
"""

import os
import pwd
from pathlib import Path

DEFAULT_SHELL = "/bin/sh"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def account() -> dict[str, str]:
    """HOME, USER, LOGNAME, SHELL and PATH of the account.

    HOME follows this process's own, so that whoever gives the daemon a private home gives it to the gateways;
    everything else is the passwd entry's, or made up for a uid without one, as containers have them.
    """
    try:
        entry = pwd.getpwuid(os.geteuid())
        name, home, shell = entry.pw_name, entry.pw_dir, entry.pw_shell
    except KeyError:
        name, home, shell = str(os.geteuid()), "/", ""
    home = os.environ.get("HOME") or home
    return {
        "HOME": home,
        "USER": name,
        "LOGNAME": name,
        "SHELL": shell or DEFAULT_SHELL,
        "PATH": f"{Path(home) / '.local' / 'bin'}:{SYSTEM_PATH}",
    }


def inherited_environment() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)
