"""Contends for one stale lock of hermes-agent's with its own code, in its own interpreter; `python FILE TRIALS`.

Owns: how it is asked. For each trial a record of somebody who has ended lies there and four processes want it at
once. Prints where the locks lie, what one is called, and how many won in each trial. Must not judge.
"""

import json
import os
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

CONTENDERS = 4
SCOPE, IDENTITY = "telegram-bot-token", "1:stale"


def contend(barrier: Any, won: Any) -> None:
    """Takes it once all are there."""
    from gateway.status import acquire_scoped_lock  # type: ignore[import-not-found]

    barrier.wait()
    is_won, _ = acquire_scoped_lock(SCOPE, IDENTITY)
    won.put(is_won)
    barrier.wait()
    time.sleep(0.05)  # or the next one would find the record of somebody who has ended


def main(trials: int) -> None:
    """One trial after the other."""
    from gateway.status import _get_lock_dir as directory_of
    from gateway.status import acquire_scoped_lock, release_scoped_lock

    acquire_scoped_lock(SCOPE, IDENTITY)
    directory = Path(directory_of())
    (path,) = directory.iterdir()
    release_scoped_lock(SCOPE, IDENTITY)
    winners = []
    context = get_context("fork")
    for _ in range(trials):
        path.write_text(json.dumps({"pid": 1 << 22, "start_time": 1}))
        barrier, won = context.Barrier(CONTENDERS), context.Queue()
        processes = [context.Process(target=contend, args=(barrier, won)) for _ in range(CONTENDERS)]
        for process in processes:
            process.start()
        winners.append(sum(won.get() for _ in processes))
        for process in processes:
            process.join()
        path.unlink(missing_ok=True)
    print(json.dumps({"directory": str(directory), "name": path.name, "winners": winners, "pid": os.getpid()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
