"""Asks hermes-agent without end whether the gateway of a home runs; in its own interpreter, until it is killed.

Owns: how it is asked. Its own question tries the lock of the gateway, and what it takes for stale it removes
(hermes-agent 0.19.0). Says how often it has asked, in lines. Must not judge.
"""


def main() -> None:
    """One question after the other."""
    from gateway.status import get_running_pid  # type: ignore[import-not-found]

    asked = 0
    while True:
        get_running_pid()
        asked += 1
        if asked % 100 == 0:
            print(asked, flush=True)


if __name__ == "__main__":
    main()
