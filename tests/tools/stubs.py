"""Generates the Python stubs of the contract, or checks that they are current.

`python -m tests.tools.stubs` writes `hermesd/v1/`; `--check` fails if that would change anything;
`--release` records today's contract as the released one that later changes are compared with.
"""

import filecmp
import os
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

PROJECT = Path(__file__).resolve().parents[2]
PROTO = PROJECT / "proto"
STUBS = PROJECT / "hermesd" / "v1"
RELEASED = PROJECT / "tests" / "api" / "released.binpb"


def sources() -> list[str]:
    """Names the contract's files relative to `proto/`."""
    return sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))


def compile_protos(*outputs: str) -> None:
    """Runs protoc over the whole contract with these output options.

    Raises:
        SystemExit: the contract does not compile; protoc has said why.
    """
    plugins = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([plugins, os.environ.get("PATH", "")])
    google = Path(grpc_tools.__file__).parent / "_proto"
    command = ["protoc", f"-I{PROTO}", f"-I{google}", *outputs, *sources()]
    if protoc.main(command) != 0:
        raise SystemExit("the contract does not compile")


def generate(target: Path) -> Path:
    """Writes the stubs below `target` and returns the directory that holds them."""
    compile_protos(
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
    )
    package = target / "hermesd" / "v1"
    (package / "__init__.py").write_text(
        '"""Generated from `proto/hermesd/v1`; do not edit. See `proto/README.md`."""\n'
    )
    return package


def descriptor_set(*, with_comments: bool = False) -> bytes:
    """The contract's own files as a serialized FileDescriptorSet."""
    comments = ["--include_source_info"] if with_comments else []
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "contract.binpb"
        compile_protos(f"--descriptor_set_out={file}", *comments)
        return file.read_bytes()


def differing(fresh: Path) -> list[str]:
    """Names the files in which the committed stubs and `fresh` differ, either way."""
    names = {path.name for path in [*fresh.iterdir(), *STUBS.iterdir()] if path.is_file()}
    _, mismatched, missing = filecmp.cmpfiles(fresh, STUBS, sorted(names), shallow=False)
    return sorted(mismatched + missing)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    if arguments == ["--release"]:
        RELEASED.write_bytes(descriptor_set())
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(Path(scratch))
        stale = differing(fresh)
        if arguments == ["--check"]:
            print("\n".join(f"hermesd/v1/{name} is not what proto/ generates" for name in stale))
            return 1 if stale else 0
        for name in stale:
            source = fresh / name
            if source.exists():
                (STUBS / name).write_bytes(source.read_bytes())
            else:
                (STUBS / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
