"""Asks hermes-agent's own code about a process and a lock that another one has; `python FILE PID`.

Owns: how it is asked. Prints when the process began, as the agent reads it, and what the second one who wants the
lock of an IRC identity is answered, with whether the agent's IRC adapter takes that for a yes. Must not judge.
"""

import json
import subprocess
import sys

HOLDER = (
    "from gateway.status import acquire_scoped_lock; "
    "print(acquire_scoped_lock('irc', 'irc.example:bot')[0], flush=True); input()"
)
LOOKING_LIKE_A_GATEWAY = ("-m", "hermes_cli.main", "gateway", "run")
"""Or the agent takes the lock away from it."""


def main(pid: int) -> None:
    """First one takes it, then we do."""
    from gateway.status import acquire_scoped_lock, get_process_start_time  # type: ignore[import-not-found]

    command = [sys.executable, "-c", HOLDER, *LOOKING_LIKE_A_GATEWAY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        first = holder.stdout.readline().strip() == "True"
        answer = acquire_scoped_lock("irc", "irc.example:bot")
        holder.communicate("\n")
    said = {"first": first, "second": answer[0], "is_taken_for_yes": bool(answer)}
    print(json.dumps({"start": get_process_start_time(pid), **said}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
