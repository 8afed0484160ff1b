"""The rules of the house, held against every source, and each rule held against code that breaks it.

The tables are in `tests/architecture/imports.py`, `tests/architecture/deeds.py` and `tests/architecture/prose.py`;
the files that are allowed an exception are listed here, each with its reason. An exception nobody needs fails.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import packages_distributions, version

import pytest

import hermesctl
import hermesd
from tests.architecture import deeds, imports, prose
from tests.architecture.source import PROJECT, Source, Violation, sources

pytestmark = [pytest.mark.fast, pytest.mark.domain]

Rule = Callable[[Source], Iterator[Violation]]

BOUNDARIES = {
    "hermesd/__main__.py": "whatever ends the daemon becomes a message and an exit code",
    "hermesd/api/errors.py": "whatever a call raises becomes INTERNAL with an incident, and the daemon lives on",
    "hermesd/services/claims.py": "a defect in one look must not end the waking of those that wait",
    "hermesd/services/keeper.py": "a defect in one step must not end the keeping of a gateway",
    "hermesd/services/tasks.py": "a defect must not end for good what the daemon does as long as it lives",
    "hermesd/services/rounds.py": "a defect in one look must not end the looking, or hung gateways stay unseen",
    "hermesd/services/operations.py": "whatever an operation raises becomes its result, and the daemon lives on",
    "hermesctl/commands/complete.py": "whatever goes wrong at a Tab, a prompt is no place to tell",
    "hermesctl/cli.py": "whatever a command raises becomes a message and an exit code",
}
"""Files that may catch whatever comes, and what becomes of it."""

WRITERS = {
    "hermesd/adapters/atomic.py": "durable files: the one place that writes them",
    "hermesd/adapters/locks.py": "lock files, of which only the lock matters",
    "hermesd/adapters/logfile.py": "rotated copies of a gateway's log, which may be lost in a crash",
    "hermesd/adapters/snapshot_program.py": "copies of databases, synced before their home is published",
    "hermesd/adapters/treecopy.py": "copies of files, synced before their home is published",
    "hermesd/adapters/unpacking.py": "files out of an archive, synced before their home is published",
    "hermesd/adapters/secretsearch.py": "private copies, which end with the export that they are made for",
    "hermesd/adapters/samplestore.py": "samples, created private before SQLite opens it",
    "hermesd/adapters/skillrecords.py": "what was seen of skills, which may be lost, flushed together",
    "hermesd/adapters/skillstaging.py": "copies of skills, flushed together before any of them is exchanged",
    "hermesd/adapters/spawn.py": "a gateway's log, opened to be inherited",
    "hermesd/adapters/store.py": "the database, created private before SQLite opens it",
    "hermesd/adapters/terminalfiles.py": "records of commands on terminals, which end with the machine",
    "hermesd/log.py": "the daemon's own log",
}
"""Files of the daemon that may open something for writing, and what."""

PRODUCT = sources("hermesd", "hermesctl")
TESTS = sources("tests")

PRODUCT_RULES: tuple[Rule, ...] = (
    imports.foreign_imports,
    imports.adapters_in_adapters,
    deeds.kept_names,
    deeds.forbidden_arguments,
    deeds.domain_deeds,
)
RULES_FOR_ALL: tuple[Rule, ...] = (prose.missing_docstring, prose.dangling_references, prose.unfinished)


def hold(rule: Rule, held_against: list[Source]) -> None:
    """Fails with what breaks the rule, a line each."""
    found = sorted(violation for source in held_against for violation in rule(source))
    if found:
        pytest.fail("\n".join([str(rule.__doc__), *map(str, found)]), pytrace=False)


def hold_except(rule: Rule, exceptions: Mapping[str, str]) -> None:
    """Fails with what breaks the rule outside the listed files, and with listed files that keep it."""
    found = sorted(violation for source in PRODUCT for violation in rule(source))
    complaints = [str(violation) for violation in found if violation.path not in exceptions]
    needless = exceptions.keys() - {violation.path for violation in found}
    complaints += [f"{path} needs no exception" for path in sorted(needless)]
    if complaints:
        pytest.fail("\n".join([str(rule.__doc__), *complaints]), pytrace=False)


@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=lambda rule: rule.__name__)
def test_product_keeps_the_rule(rule: Rule) -> None:
    """Daemon and client keep to their layers."""
    hold(rule, PRODUCT)


@pytest.mark.parametrize("rule", RULES_FOR_ALL, ids=lambda rule: rule.__name__)
def test_everything_keeps_the_rule(rule: Rule) -> None:
    """Daemon, client and tests are explained, finished, and refer to what exists."""
    hold(rule, [*PRODUCT, *TESTS])


def test_no_module_imports_itself() -> None:
    """No module needs itself to be imported, by however long a way."""
    assert imports.circles([*PRODUCT, *TESTS]) == []


def test_only_boundaries_catch_whatever_comes() -> None:
    """A bug is caught at a listed boundary and nowhere else, and the list has no file too many."""
    hold_except(deeds.broad_excepts, BOUNDARIES)


def test_only_writers_write() -> None:
    """Files are opened for writing where it is listed and nowhere else, and the list has no file too many."""
    hold_except(deeds.written_files, WRITERS)


def test_libraries_are_declared() -> None:
    """Whatever the product imports is installed with it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in project["dependencies"]}
    providers = packages_distributions()
    roots = {imported.module.partition(".")[0] for source in PRODUCT for imported in source.imports}
    for root in roots - {*imports.OWN, *sys.stdlib_module_names, *imports.DIGESTS}:
        names = {name.lower().replace("_", "-") for name in providers.get(root, [])}
        assert declared & names, f"{root} is not a dependency"


def test_all_that_is_installed_has_one_version() -> None:
    """Client and daemon say it without asking anybody, for that would take the client longer than its command."""
    assert hermesctl.__version__ == hermesd.__version__ == version("hermesd")


def test_contract_refers_to_what_exists() -> None:
    """Files that the contract's comments name are there."""
    for file in sorted((PROJECT / "proto").rglob("*.proto")):
        for reference in prose.REFERENCE.findall(file.read_text().replace("import ", "")):
            assert reference.startswith("google/") or (PROJECT / "proto" / reference).is_file(), file


DOMAIN, SERVICE, ADAPTER = "hermesd/domain/x.py", "hermesd/services/x.py", "hermesd/adapters/x.py"
API, APP, CLIENT, COMMAND = "hermesd/api/x.py", "hermesd/app.py", "hermesctl/x.py", "hermesctl/commands/x.py"

BREAKING: list[tuple[Rule, str, str]] = [
    *[
        (imports.foreign_imports, DOMAIN, f"import {module}")
        for module in "os os.path asyncio subprocess socket grpc time random yaml logging hermesctl tests".split()
    ],
    (imports.foreign_imports, DOMAIN, "from hermesd.services import gateways"),
    (imports.foreign_imports, DOMAIN, "from hermesd.v1 import errors_pb2"),
    (imports.foreign_imports, DOMAIN, "from ..services import gateways"),
    (imports.foreign_imports, DOMAIN, "def f():\n    import os"),
    (imports.foreign_imports, DOMAIN, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio"),
    *[
        (imports.foreign_imports, SERVICE, f"import {module}")
        for module in "os subprocess socket signal fcntl grpc time random psutil".split()
    ],
    (imports.foreign_imports, SERVICE, "from hermesd.adapters.store import SqliteStore"),
    (imports.foreign_imports, SERVICE, "from hermesd import adapters"),
    (imports.foreign_imports, SERVICE, "from hermesd.api import convert"),
    (imports.foreign_imports, SERVICE, "from hermesd.v1 import errors_pb2"),
    (imports.foreign_imports, ADAPTER, "from hermesd.services.gateways import Gateways"),
    (imports.foreign_imports, ADAPTER, "from hermesd.api import server"),
    (imports.foreign_imports, ADAPTER, "import grpc"),
    (imports.foreign_imports, ADAPTER, "import hermesd.app"),
    (imports.foreign_imports, API, "from hermesd.adapters import atomic"),
    (imports.foreign_imports, API, "import subprocess"),
    (imports.foreign_imports, API, "from hermesd.app import run"),
    (imports.foreign_imports, CLIENT, "from hermesd.domain.profile import ProfileName"),
    (imports.foreign_imports, COMMAND, "import hermesd"),
    (imports.foreign_imports, "hermesd/log.py", "from hermesd.services import events"),
    (imports.foreign_imports, APP, "import hermesctl"),
    (imports.adapters_in_adapters, ADAPTER, "from hermesd.adapters.store import SqliteStore"),
    (imports.adapters_in_adapters, ADAPTER, "from .store import SqliteStore"),
    (deeds.kept_names, SERVICE, "import asyncio\nasyncio.create_subprocess_exec('a')"),
    (deeds.kept_names, APP, "import subprocess\nsubprocess.run(['a'])"),
    (deeds.kept_names, CLIENT, "from subprocess import run as go\ngo(['a'])"),
    (deeds.kept_names, CLIENT, "import os\nos.kill(1, 2)"),
    (deeds.kept_names, CLIENT, "import os as o\nf = o.killpg"),
    (deeds.kept_names, CLIENT, "from os import execv\nexecv('a', [])"),
    (deeds.kept_names, APP, "import signal\nsignal.pidfd_send_signal(3, 9)"),
    (deeds.kept_names, CLIENT, "import fcntl\nfcntl.flock(1, fcntl.LOCK_EX)"),
    (deeds.kept_names, ADAPTER, "import os\nos.fork()"),
    (deeds.kept_names, ADAPTER, "import os\nos.system('a')"),
    (deeds.kept_names, ADAPTER, "import pty\npty.fork()"),
    (deeds.forbidden_arguments, ADAPTER, "run(['a'], preexec_fn=f)"),
    (deeds.forbidden_arguments, ADAPTER, "run('a', shell=True)"),
    (deeds.forbidden_arguments, ADAPTER, "run('a', shell=flag)"),
    (deeds.forbidden_arguments, CLIENT, "argv = ['gateway', 'run', '--replace']"),
    (deeds.forbidden_arguments, CLIENT, "line = f'gateway run --replace {x}'"),
    (deeds.domain_deeds, DOMAIN, "path.read_text()"),
    (deeds.domain_deeds, DOMAIN, "(path / 'a').exists()"),
    (deeds.domain_deeds, DOMAIN, "Path.home()"),
    (deeds.domain_deeds, DOMAIN, "datetime.now()"),
    (deeds.domain_deeds, DOMAIN, "open('a')"),
    (deeds.domain_deeds, DOMAIN, "print('a')"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept Exception:\n    pass"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept (OSError, BaseException) as e:\n    g(e)"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept:\n    pass"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept Exception as e:\n    raise ValueError from e"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept Exception:\n    if a:\n        return\n    raise"),
    (deeds.broad_excepts, ADAPTER, "import contextlib\nwith contextlib.suppress(Exception):\n    f()"),
    (deeds.broad_excepts, ADAPTER, "from contextlib import suppress\nwith suppress(Exception):\n    f()"),
    (deeds.written_files, ADAPTER, "open('a', 'w')"),
    (deeds.written_files, ADAPTER, "open('a', mode='ab')"),
    (deeds.written_files, ADAPTER, "path.open('x')"),
    (deeds.written_files, ADAPTER, "path.open(mode='r+')"),
    (deeds.written_files, ADAPTER, "path.write_text('a')"),
    (deeds.written_files, ADAPTER, "path.write_bytes(b'a')"),
    (deeds.written_files, ADAPTER, "import os\nos.open('a', os.O_WRONLY | os.O_CREAT, 0o600)"),
    (deeds.written_files, ADAPTER, "import os\nFLAGS = os.O_RDWR"),
    (deeds.written_files, ADAPTER, "from os import O_CREAT, open as o\nimport os\no('a', os.O_CREAT)"),
    (deeds.written_files, ADAPTER, "import os\nos.fdopen(3, 'w')"),
    (deeds.written_files, "hermesd/log.py", "path.open('a')"),
    (deeds.written_files, ADAPTER, "open('a', mode)"),
    (deeds.written_files, ADAPTER, "path.open(mode=mode)"),
    (prose.missing_docstring, SERVICE, "x = 1"),
    (prose.missing_docstring, SERVICE, ""),
    (prose.dangling_references, SERVICE, '"""See `hermesd/nowhere/x.py`."""'),
    (prose.dangling_references, SERVICE, "x = 1  # as in services/nowhere.py"),
    (prose.dangling_references, SERVICE, 'class A:\n    x = 1\n    """See spec/cli.md."""'),
    (prose.unfinished, SERVICE, "x = 1  # TO" + "DO: more"),
    (prose.unfinished, SERVICE, '"""FIX' + 'ME later."""'),
]
"""A rule, a file and a text in it that breaks the rule."""

KEEPING: list[tuple[Rule, str, str]] = [
    (
        imports.foreign_imports,
        DOMAIN,
        "from pathlib import Path\nfrom hermesd.domain.profile import Home\nimport re",
    ),
    (imports.foreign_imports, SERVICE, "import asyncio\nimport logging\nfrom hermesd.domain.ports import Ports"),
    (imports.foreign_imports, ADAPTER, "import os, yaml\nfrom hermesd.domain import errors\nfrom . import atomic"),
    (imports.foreign_imports, API, "import grpc.aio\nfrom hermesd.services.gateways import Gateways"),
    (imports.foreign_imports, APP, "from hermesd.adapters.store import SqliteStore\nimport hermesd.api.server"),
    (
        imports.foreign_imports,
        CLIENT,
        "import click\nfrom hermesd.v1 import errors_pb2\nfrom hermesctl import render",
    ),
    (
        imports.adapters_in_adapters,
        ADAPTER,
        "from hermesd.adapters import procfs\nfrom .atomic import MODE, write",
    ),
    (deeds.kept_names, ADAPTER, "import subprocess, os, fcntl\nsubprocess.run(['a'])\nos.kill(1, 2)"),
    (deeds.kept_names, CLIENT, "import os\nos.getpid()\nkill(1)"),
    (deeds.forbidden_arguments, ADAPTER, '"""Never says --replace."""\nrun(["a"], shell=False)'),
    (deeds.domain_deeds, DOMAIN, "text.replace('a', 'b')\npath.with_name('a')\nmapping.get('a')"),
    (deeds.domain_deeds, ADAPTER, "path.read_text()\nopen('a')"),
    (deeds.broad_excepts, ADAPTER, "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
    (
        deeds.written_files,
        ADAPTER,
        "import os\nopen('a')\npath.open('rb')\nos.open('a', os.O_RDONLY)\nz.open('way')",
    ),
    (deeds.written_files, CLIENT, "path.write_text('a')"),
    (prose.missing_docstring, SERVICE, '"""Owns nothing."""'),
    (prose.dangling_references, SERVICE, '"""See `domain/gateway.py`, proto/README.md and /etc/x/y.md."""'),
    (prose.unfinished, SERVICE, '"""Things to do."""\nx = "TO" + "DO"'),
]
"""A rule, a file and a text in it that keeps the rule."""


@pytest.mark.parametrize(("rule", "path", "text"), BREAKING)
def test_rule_catches_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    """A rule that cannot fail would hold nothing up."""
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), KEEPING)
def test_rule_lets_pass_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    """A rule that always fails would be switched off."""
    assert list(rule(Source(path, text))) == []


def test_circle_is_found() -> None:
    """Modules that import each other are named in order, and those around them are not."""
    circle = [
        Source("hermesd/a.py", "from hermesd import b"),
        Source("hermesd/b.py", "import hermesd.c"),
        Source("hermesd/c.py", "def f():\n    from hermesd.a import x"),
        Source("hermesd/d.py", "import hermesd.a"),
        Source("hermesd/e.py", "import os"),
    ]
    assert imports.circles(circle) == ["hermesd.a -> hermesd.b -> hermesd.c -> hermesd.a"]
    assert imports.circles(circle[1:]) == []


def test_every_rule_is_tried() -> None:
    """Each rule has code that breaks it and code that keeps it."""
    rules = {*PRODUCT_RULES, *RULES_FOR_ALL, deeds.broad_excepts, deeds.written_files}
    assert {rule for rule, _, _ in BREAKING} == {rule for rule, _, _ in KEEPING} == rules


def test_sources_are_found() -> None:
    """The rules see the whole project, generated stubs left out."""
    paths = {source.path for source in [*PRODUCT, *TESTS]}
    assert {"hermesd/domain/gateway.py", "tests/test_architecture.py"} <= paths
    assert not any(path.startswith("hermesd/v1/") for path in paths)
