"""Runs one bench: `python -m tests.bench NAME [OPTIONS]`."""

import argparse
import sys

from tests.bench import archives, lives, logs, samples, skills, startup, survival

BENCHES = {
    "archives": archives,
    "lives": lives,
    "logs": logs,
    "samples": samples,
    "skills": skills,
    "startup": startup,
    "survival": survival,
}


def main() -> None:
    """Hands over to the bench that is named."""
    listed = [f"  {name:<10}{(module.__doc__ or '').splitlines()[0]}" for name, module in BENCHES.items()]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measurements, printed beside the competition and never asserted.",
        epilog="\n".join(["benches:", *listed]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bench", choices=BENCHES, help="NAME --help shows its options")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of the bench")
    chosen = parser.parse_args(sys.argv[1:])
    BENCHES[chosen.bench].main(chosen.options)


if __name__ == "__main__":
    main()
