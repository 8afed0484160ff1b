"""How many conversations a database of hermes-agent holds: a program, run while its gateway may write.

Owns: which table that is (hermes-agent 0.18.2 and 0.19.0), and that not one byte beside the database changes. Run
by path, with the standard library alone; must not import anything of hermesd.

    python -I -S hermes_count.py DATABASE

Prints the number, or nothing where it cannot be told: others have the file, it is damaged, or what was written
last could only be read by writing.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

PATIENCE_S = 1.0
"""How long a database may be in use by others."""


def access(path: Path) -> str | None:
    """How to open it without leaving a trace; `None` if there is no way.

    With a write-ahead log, SQLite shares an index file with who writes, and would make one where it is missing.
    """
    log, index = (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))
    if not log.exists() or log.stat().st_size == 0:
        return "mode=ro&immutable=1"
    return "mode=ro&readonly_shm=1" if index.exists() else None


def count(path: Path) -> int:
    """Conversations.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    if (how := access(path)) is None:
        raise sqlite3.OperationalError("its log has no index")
    with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=PATIENCE_S)) as database:
        return int(database.execute("SELECT count(*) FROM sessions").fetchone()[0])


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{count(Path(sys.argv[1]))}\n")
    except (sqlite3.Error, OSError):
        sys.exit(1)
