"""`hermesctl gateway`: start, stop and look at gateways.

Owns: the verbs and their results. Must not decide anything about a gateway: the daemon does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import click

from hermesctl import gateway_view as view
from hermesctl import live
from hermesctl.commands.logs import Reading, reading_options, show
from hermesctl.errors import ExitCode
from hermesctl.gateway_board import GatewayBoard
from hermesctl.options import Group, following_options, profile_argument, watch_option
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.tables import EMPTY
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1.operations_pb2 import Operation

TAIL_LINES = 10

gateway = Group("gateway", help="Start, stop and look at gateways, the processes that answer messages.")


@gateway.command()
@profile_argument
@following_options
@click.pass_obj
def start(session: Session, name: str, no_wait: bool, timeout_s: float | None) -> None:
    """Start the gateway and keep it running, now and whenever the daemon starts."""
    profile = session.select(name, is_change=True)
    begin_start(session, profile, no_wait=no_wait, timeout_s=timeout_s)


@gateway.command()
@profile_argument
@following_options
@click.pass_obj
def stop(session: Session, name: str, no_wait: bool, timeout_s: float | None) -> None:
    """Stop the gateway and keep it stopped."""
    profile = session.select(name, is_change=True)
    before = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    operation = session.client.gateways.StopGateway(v1.StopGatewayRequest(profile=profile))
    is_same = before.state == v1.GATEWAY_STATE_STOPPED
    _conclude(session, profile, operation, is_same=is_same, no_wait=no_wait, timeout_s=timeout_s)


@gateway.command()
@profile_argument
@following_options
@click.pass_obj
def restart(session: Session, name: str, no_wait: bool, timeout_s: float | None) -> None:
    """Stop the gateway if it runs, and start it."""
    profile = session.select(name, is_change=True)
    operation = session.client.gateways.RestartGateway(v1.RestartGatewayRequest(profile=profile))
    _conclude(session, profile, operation, is_same=False, no_wait=no_wait, timeout_s=timeout_s)


@gateway.command()
@profile_argument
@click.pass_obj
def status(session: Session, name: str) -> int:
    """Show the gateway and the end of its log; exit code 3 if it does not run."""
    profile = session.select(name)
    found = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    tail = list(_read_log(session, profile, TAIL_LINES))
    session.renderer.single(
        "Gateway",
        found,
        name=profile,
        text=lambda: view.detail_page(found, session.terminal, tail),
        extra={"log_tail": tail},
    )
    return _answer(found)


@gateway.command()
@profile_argument
@click.pass_obj
def why(session: Session, name: str) -> None:
    """Say why the gateway is as it is, what happens next, and how to change it."""
    profile = session.select(name)
    told = session.client.gateways.ExplainGateway(v1.ExplainGatewayRequest(profile=profile))
    session.renderer.single(
        "GatewayExplanation", told, name=profile, text=lambda: view.why_page(told, session.terminal)
    )


@gateway.command()
@profile_argument
@click.pass_obj
def enable(session: Session, name: str) -> None:
    """Start the gateway with the daemon again, while it is wanted."""
    profile = session.select(name, is_change=True)
    found = session.client.gateways.EnableGateway(v1.EnableGatewayRequest(profile=profile))
    _show_enabled(session, found)


@gateway.command()
@profile_argument
@click.pass_obj
def disable(session: Session, name: str) -> None:
    """Do not start the gateway with the daemon; one that runs goes on."""
    profile = session.select(name, is_change=True)
    found = session.client.gateways.DisableGateway(v1.DisableGatewayRequest(profile=profile))
    _show_enabled(session, found)


@gateway.command("list")
@watch_option
@click.pass_obj
def list_(session: Session, is_watching: bool) -> None:
    """List the gateways of all profiles."""
    if is_watching:
        live.watch(session, GatewayBoard(session))
    found = session.client.gateways.ListGateways(v1.ListGatewaysRequest()).gateways
    session.renderer.listing(
        "Gateway",
        found,
        view.columns(session.terminal),
        name=lambda one: one.profile,
        empty="there is no profile yet: hermesctl profile create NAME",
    )


@gateway.command("is-active")
@profile_argument
@click.pass_obj
def is_active(session: Session, name: str) -> int:
    """Print the state in one word; exit code 3 if the gateway does not run.

    Starts no daemon: without one nothing is known, which is exit code 8.
    """
    profile = session.select(name)
    found = session.running_client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    if not session.is_quiet:
        session.renderer.single("Gateway", found, name=profile, text=lambda: f"{clean(view.state_word(found))}\n")
    return _answer(found)


@gateway.command("logs")
@reading_options
@click.pass_obj
def logs_(session: Session, /, **given: Any) -> None:
    """Show what gateways printed and logged.

    The same as `hermesctl logs --source gateway`, whose help says more.
    """
    show(session, Reading(**given, sources=("gateway",)))


def _show_enabled(session: Session, found: v1.Gateway) -> None:
    text = f"{clean(found.profile)}  {'starts' if found.enabled else 'does not start'} with the daemon\n"
    session.renderer.single("Gateway", found, name=found.profile, text=lambda: "" if session.is_quiet else text)


def begin_start(session: Session, profile: str, *, no_wait: bool = False, timeout_s: float | None = None) -> None:
    """Starts a gateway and shows what came of it.

    Raises:
        HermesError: it did not become ready, or not in time.
    """
    before = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    operation = session.client.gateways.StartGateway(v1.StartGatewayRequest(profile=profile))
    is_same = before.state == v1.GATEWAY_STATE_READY
    _conclude(session, profile, operation, is_same=is_same, no_wait=no_wait, timeout_s=timeout_s)


def _conclude(
    session: Session,
    profile: str,
    operation: Operation,
    *,
    is_same: bool,
    no_wait: bool,
    timeout_s: float | None,
) -> None:
    """Follows the operation unless told not to, and shows the gateway, or the operation that goes on."""
    if no_wait:
        session.renderer.single(
            "Operation", operation, name=operation.id, text=lambda: f"{profile}  operation {operation.id}\n"
        )
        return
    done = follow(session, operation, timeout_s=timeout_s)
    found = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    session.renderer.single("Gateway", found, name=profile, text=_result(session, found, done, is_same=is_same))


def _result(session: Session, found: v1.Gateway, done: Operation, *, is_same: bool) -> Callable[[], str]:
    if session.is_quiet:
        return lambda: ""
    parts = [clean(found.profile), f"already {view.state_word(found)}" if is_same else view.state_word(found)]
    if view.pid(found) != EMPTY:
        parts.append(f"pid {view.pid(found)}")
    if not is_same:
        parts.append(elapsed(span(done.elapsed)))
    return lambda: "  ".join(parts) + "\n"


def _answer(found: v1.Gateway) -> int:
    return ExitCode.DONE if found.state in view.RUNNING else ExitCode.NEGATIVE


def _read_log(session: Session, profile: str, lines: int) -> Iterator[str]:
    request = v1.ReadGatewayLogRequest(profile=profile, lines=lines)
    for line in session.client.gateways.ReadGatewayLog(request):
        yield line.text
