"""`hermesctl runtime`: the agents that gateways run on.

Owns: the verbs and their results. Must not install anything: the daemon does.
"""

import click

from hermesctl.errors import usage
from hermesctl.options import Group, following_options, optional_name_argument
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.tables import EMPTY, Column
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import runtimes_pb2 as v1

PROBE_LIMIT_S = 120.0
"""How long an agent that is already there may take to tell its version."""

COLUMNS: list[Column[v1.Runtime]] = [
    Column("", lambda one: "*" if one.is_current else ""),
    Column("NAME", lambda one: one.name),
    Column("KIND", lambda one: one.kind),
    Column("VERSION", lambda one: one.version or EMPTY),
    Column("FROM", lambda one: "hermesd" if one.is_managed else "this machine"),
    Column("EXECUTABLE", lambda one: one.executable),
]

runtime = Group("runtime", help="List, install and choose the agents that gateways run on.")


@runtime.command("list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the agents there are; '*' marks the one in use."""
    found = session.client.runtimes.ListRuntimes(v1.ListRuntimesRequest())
    versions = list(found.installable_versions)
    available = f" ({clean(', '.join(versions))})" if versions else ""
    session.renderer.listing(
        "Runtime",
        found.runtimes,
        COLUMNS,
        name=lambda one: one.name,
        empty=f"no agent is installed yet: {session.runnable('hermesctl runtime install')}{available}",
        extra={"installable_versions": versions},
    )


@runtime.command()
@click.argument("version", default="")
@following_options
@click.pass_obj
def install(session: Session, version: str, no_wait: bool, timeout_s: float | None) -> None:
    """Install hermes-agent, in the newest version that this hermesd was tested with or the one named."""
    before = _names(session)
    operation = session.client.runtimes.InstallRuntime(v1.InstallRuntimeRequest(version=version))
    done = operation if no_wait else follow(session, operation, timeout_s=timeout_s)
    fresh = [] if no_wait else [clean(name) for name in _names(session) if name not in before]
    took = elapsed(span(done.elapsed))
    told = f"✓ installed {', '.join(fresh)} in {took}" if fresh else "✓ already installed"
    told = f"operation {done.id}" if no_wait else told
    session.renderer.single("Operation", done, name=done.id, text=lambda: "" if session.is_quiet else f"{told}\n")


@runtime.command()
@optional_name_argument
@click.option("--path", type=click.Path(), help="Use the agent with this executable instead.")
@click.pass_obj
def use(session: Session, name: str, path: str | None) -> None:
    """Make an agent the one in use."""
    if bool(name) == bool(path):
        raise usage("'runtime use' needs either a name or --path")
    if path:
        _show(session, register(session, path))
    else:
        _show(session, session.client.runtimes.UseRuntime(v1.UseRuntimeRequest(name=name)))


@runtime.command()
@click.argument("path", type=click.Path())
@click.pass_obj
def add(session: Session, path: str) -> None:
    """Use an agent that is on this machine already; PATH is its executable."""
    _show(session, register(session, path))


def register(session: Session, path: str) -> v1.Runtime:
    """Registers an executable, relative to the caller's directory, and makes it the one in use."""
    executable = session.terminal.working_directory / path
    request = v1.RegisterRuntimeRequest(executable=str(executable))
    return session.client.runtimes.RegisterRuntime(request, timeout=PROBE_LIMIT_S)


def _names(session: Session) -> list[str]:
    return [one.name for one in session.client.runtimes.ListRuntimes(v1.ListRuntimesRequest()).runtimes]


def _show(session: Session, found: v1.Runtime) -> None:
    told = f"✓ {clean(found.name)} is in use; gateways that run change with their next start\n"
    session.renderer.single("Runtime", found, name=found.name, text=lambda: "" if session.is_quiet else told)
