"""`hermesctl gateway`: start, stop and look at gateways.

Owns: the verbs and their results. Must not decide anything about a gateway: the daemon does.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click

from hermesctl import enabling, live
from hermesctl import gateway_view as view
from hermesctl.bulk import Choice, change, changing_options, choosing_options, only_one
from hermesctl.commands.logs import Reading, reading_options, show
from hermesctl.errors import ExitCode
from hermesctl.gateway_board import GatewayBoard
from hermesctl.options import Group, profile_argument, watch_option
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import span
from hermesctl.tables import EMPTY
from hermesctl.text import clean
from hermesctl.times import elapsed
from hermesd.v1 import gateways_pb2 as v1
from hermesd.v1.operations_pb2 import Operation
from hermesd.v1.profiles_pb2 import GetProfileRequest

TAIL_LINES = 10

LATEST = 1_000
"""The last place in line that can be asked for."""

ENDING = frozenset({"gateway.stop", "gateway.restart"})
"""Kinds of operations by which a gateway ends."""

gateway = Group("gateway", help="Start, stop and look at gateways, the processes that answer messages.")


@gateway.command()
@changing_options
@click.pass_obj
def start(session: Session, /, **given: Any) -> int:
    """Start gateways and keep them running, now and whenever the daemon starts.

    NAME may be a quoted pattern such as 'work*'. What a pattern or --all meets is skipped where it is disabled or
    nothing could reach it; what you name is started.
    """
    return _change(session, "start", v1.GATEWAY_VERB_START, begin_start, **given)


@gateway.command()
@changing_options
@click.pass_obj
def stop(session: Session, /, **given: Any) -> int:
    """Stop gateways and keep them stopped. NAME may be a quoted pattern such as 'work*'."""
    return _change(session, "stop", v1.GATEWAY_VERB_STOP, _begin_stop, **given)


@gateway.command()
@changing_options
@click.pass_obj
def restart(session: Session, /, **given: Any) -> int:
    """Stop gateways that run, and start them, a few at a time.

    NAME may be a quoted pattern such as 'work*'. What a pattern or --all meets is skipped unless it runs or is
    to run; what you name is started.
    """
    return _change(session, "restart", v1.GATEWAY_VERB_RESTART, _begin_restart, **given)


@gateway.command()
@click.option("--cancel", "is_cancel", is_flag=True, help="Let them take turns again.")
@changing_options
@click.pass_obj
def drain(session: Session, /, is_cancel: bool, **given: Any) -> int:
    """Have gateways finish their turns and take no new ones; they go on running.

    Until --cancel, a start or a restart. NAME may be a quoted pattern such as 'work*'.
    """
    verb = v1.GATEWAY_VERB_UNDRAIN if is_cancel else v1.GATEWAY_VERB_DRAIN
    return _change(session, "drain", verb, partial(_begin_drain, is_cancel=is_cancel), **given)


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
    problems = session.client.profiles.GetProfile(GetProfileRequest(profile=profile)).problems
    session.renderer.single(
        "GatewayExplanation",
        told,
        name=profile,
        text=lambda: view.why_page(told, session.terminal, problems),
        extra={"problems": list(problems)},
    )


@gateway.command()
@click.option(
    "--order", type=click.IntRange(-LATEST, LATEST), metavar="N", help="Place in line: lower is earlier."
)
@click.option("--now", "is_now", is_flag=True, help="Start them too.")
@choosing_options
@click.pass_obj
def enable(session: Session, /, order: int | None, is_now: bool, **chosen: Any) -> int:
    """Start gateways with the daemon again, while they are wanted.

    By --order, then by name, a few at a time. It is 0 unless set.
    """
    choice = Choice("enable", **chosen)
    return _set_enabled(session, choice, partial(enabling.enable, order=order), begin_start if is_now else None)


@gateway.command()
@click.option("--now", "is_now", is_flag=True, help="Stop them too.")
@choosing_options
@click.pass_obj
def disable(session: Session, /, is_now: bool, **chosen: Any) -> int:
    """Do not start gateways with the daemon; those that run go on."""
    choice = Choice("disable", **chosen)
    return _set_enabled(session, choice, enabling.disable, _begin_stop if is_now else None)


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


def _set_enabled(
    session: Session,
    choice: Choice,
    set_them: Callable[[Session, list[str]], list[v1.Gateway]],
    begin: Callable[..., None] | None,
) -> int:
    """Sets whether gateways are started with the daemon, and starts or stops them if that is asked for too."""
    name = only_one(session, choice)
    names = [name] if name else enabling.meant(session, choice)
    found = set_them(session, names)
    if begin is None or session.form.is_text:
        enabling.show(session, found, is_single=bool(name))
    if begin is not None and name:
        begin(session, name)
    elif begin is not None:
        verb = v1.GATEWAY_VERB_START if begin is begin_start else v1.GATEWAY_VERB_STOP
        return change(session, verb, Choice(choice.verb, tuple(names), is_all=False, excluded=()))
    return ExitCode.DONE


def _change(
    session: Session,
    word: str,
    verb: v1.GatewayVerb.ValueType,
    begin: Callable[..., None],
    *,
    at_once: int | None,
    no_wait: bool,
    timeout_s: float | None,
    **chosen: Any,
) -> int:
    """Does a verb to the one gateway that is meant, or to many as one operation."""
    choice = Choice(word, **chosen)
    if name := only_one(session, choice):
        begin(session, name, no_wait=no_wait, timeout_s=timeout_s)
        return ExitCode.DONE
    return change(session, verb, choice, at_once=at_once, no_wait=no_wait, timeout_s=timeout_s)


def begin_start(session: Session, profile: str, *, no_wait: bool = False, timeout_s: float | None = None) -> None:
    """Starts a gateway and shows what came of it.

    Raises:
        HermesError: it did not become ready, or not in time.
    """
    before = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    operation = session.client.gateways.StartGateway(v1.StartGatewayRequest(profile=profile))
    is_same = before.state == v1.GATEWAY_STATE_READY
    _conclude(session, profile, operation, is_same=is_same, no_wait=no_wait, timeout_s=timeout_s)


def _begin_stop(session: Session, profile: str, *, no_wait: bool = False, timeout_s: float | None = None) -> None:
    before = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    operation = session.client.gateways.StopGateway(v1.StopGatewayRequest(profile=profile))
    is_same = before.state == v1.GATEWAY_STATE_STOPPED
    _conclude(session, profile, operation, is_same=is_same, no_wait=no_wait, timeout_s=timeout_s)


def _begin_restart(session: Session, profile: str, *, no_wait: bool, timeout_s: float | None) -> None:
    operation = session.client.gateways.RestartGateway(v1.RestartGatewayRequest(profile=profile))
    _conclude(session, profile, operation, is_same=False, no_wait=no_wait, timeout_s=timeout_s)


def _begin_drain(
    session: Session, profile: str, *, is_cancel: bool, no_wait: bool, timeout_s: float | None
) -> None:
    request = v1.DrainGatewayRequest(profile=profile, cancel=is_cancel)
    operation = session.client.gateways.DrainGateway(request)
    word = "takes turns" if is_cancel else "draining"
    _conclude(session, profile, operation, is_same=False, no_wait=no_wait, timeout_s=timeout_s, word=word)


def _conclude(
    session: Session,
    profile: str,
    operation: Operation,
    *,
    is_same: bool,
    no_wait: bool,
    timeout_s: float | None,
    word: str = "",
) -> None:
    """Follows the operation unless told not to, and shows the gateway, or the operation that goes on.

    `word` says what it does now, where that is not its state alone.
    """
    if no_wait or (operation.kind in ENDING and session.ends_with(profile)):
        session.renderer.single(
            "Operation", operation, name=operation.id, text=lambda: f"{profile}  operation {operation.id}\n"
        )
        return
    done = follow(session, operation, timeout_s=timeout_s)
    found = session.client.gateways.GetGateway(v1.GetGatewayRequest(profile=profile))
    session.renderer.single(
        "Gateway", found, name=profile, text=_result(session, found, done, word, is_same=is_same)
    )


def _result(
    session: Session, found: v1.Gateway, done: Operation, word: str, *, is_same: bool
) -> Callable[[], str]:
    if session.is_quiet:
        return lambda: ""
    word = word or view.state_word(found)
    parts = [clean(found.profile), f"already {word}" if is_same else word]
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
