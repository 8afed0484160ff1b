"""Taking the rights of others away from what is ours.

Owns: that it happens to the very entry that was looked at, never through a link, and never to what belongs to
somebody else. Must not know what an entry is worth.
"""

import os
import stat
from pathlib import Path

from hermesd.adapters.oserrors import translating
from hermesd.domain.conditions import OTHERS


def keep_private(path: Path) -> bool:
    """Takes away what others may do with a file or directory; says whether it is private now.

    The entry is opened without its content, so that no database is touched and no pipe waits.

    Raises:
        NotPermitted: the system refuses.
    """
    with translating(path, "make private"):
        try:
            entry = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):  # gone: nobody can read it
            return True
        try:
            found = os.fstat(entry)
            is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            if not is_plain or found.st_uid != os.geteuid():
                return False
            if found.st_mode & OTHERS:
                os.chmod(f"/proc/self/fd/{entry}", stat.S_IMODE(found.st_mode) & ~OTHERS)  # noqa: PTH101
            return True
        finally:
            os.close(entry)
