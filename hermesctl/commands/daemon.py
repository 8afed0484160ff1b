"""`hermesctl daemon`: run, start, stop and look at the daemon.

Owns: the verbs and their results. Must not know the daemon's insides; `background.py` detaches it.
"""

import click
import grpc

from hermesctl import background
from hermesctl.client import Client
from hermesctl.client.failures import is_unsent
from hermesctl.client.places import DaemonRecord
from hermesctl.errors import ExitCode, Fix, HermesError
from hermesctl.gateway_view import moment_long
from hermesctl.options import Group, timeout_option
from hermesctl.session import Session
from hermesctl.tables import page
from hermesctl.terminal import Program
from hermesctl.text import clean
from hermesd.v1 import daemon_pb2 as v1

STOP_LIMIT_S = 30.0
SILENCE_LIMIT_S = 3.0
"""How long a daemon that takes no request may take to end by itself: it may be about to."""
DRAIN_LIMIT_S = 600.0
"""How long gateways may take to end when the daemon is asked to stop them first."""

daemon = Group("daemon", help="Run, start, stop and look at the daemon.")


@daemon.command()
@click.pass_obj
def run(session: Session) -> None:
    """Run the daemon in the foreground; Ctrl-C ends it, and gateways keep running."""
    command = background.COMMAND
    session.terminal.become(Program(command[0], command))


@daemon.command()
@click.pass_obj
def start(session: Session) -> None:
    """Start the daemon in the background, unless it runs."""
    started = session.start_daemon()
    record, is_new = started.record, started.is_new
    told = f"hermesd {record.version} {'started' if is_new else 'is already running'}  pid {record.pid}"
    session.renderer.single(
        "Daemon",
        {"pid": record.pid, "version": record.version, "root": str(record.root), "is_new": is_new},
        name=str(record.pid),
        text=lambda: "" if session.is_quiet else f"{clean(told)}\n",
    )


@daemon.command()
@click.option("--gateways", "with_gateways", is_flag=True, help="Stop all gateways first.")
@timeout_option
@click.pass_obj
def stop(session: Session, with_gateways: bool, timeout_s: float | None) -> None:
    """Stop the daemon; gateways keep running unless --gateways is given."""
    record = session.places.running()
    if record is None:
        _tell(session, {"running": False}, "hermesd is not running")
        return
    _stop(session, record, with_gateways=with_gateways, timeout_s=timeout_s)
    kept = "all gateways are stopped" if with_gateways else "gateways keep running"
    _tell(session, {"running": False, "pid": record.pid}, f"hermesd stopped; {kept}")


@daemon.command()
@click.option("--gateways", "with_gateways", is_flag=True, help="Stop all gateways in between.")
@timeout_option
@click.pass_obj
def restart(session: Session, with_gateways: bool, timeout_s: float | None) -> None:
    """Stop the daemon and start it; gateways keep running meanwhile unless --gateways is given."""
    background.require_way(session.places, session.terminal.environment)  # or it would only be stopped
    old = session.places.running()
    if old is not None:
        _stop(session, old, with_gateways=with_gateways, timeout_s=timeout_s)
    record = session.start_daemon().record
    data = {"pid": record.pid, "version": record.version, "root": str(record.root), "is_new": True}
    told = f"hermesd {record.version} {'restarted' if old else 'started'}  pid {record.pid}"
    session.renderer.single(
        "Daemon", data, name=str(record.pid), text=lambda: "" if session.is_quiet else f"{clean(told)}\n"
    )


@daemon.command()
@click.pass_obj
def status(session: Session) -> int:
    """Show the daemon; exit code 3 if it does not run."""
    record = session.places.running()
    if record is None:
        _tell(session, {"running": False}, "○ hermesd · not running")
        if session.form.is_text and not session.is_quiet:
            start = session.runnable("hermesctl daemon start")
            session.say(f"gateways that it started run on without it; to keep them again: {start}")
        return ExitCode.NEGATIVE
    with session.connect(any_version=True) as client:
        found = client.daemon.GetDaemon(v1.GetDaemonRequest())
    session.renderer.single(
        "Daemon", found, name=str(found.pid), text=lambda: _page(session, found), extra={"running": True}
    )
    return ExitCode.DONE


def _stop(session: Session, record: DaemonRecord, *, with_gateways: bool, timeout_s: float | None) -> None:
    """Ends the daemon of the record.

    Raises:
        HermesError: STILL_RUNNING, it has not ended in time.
    """
    limit_s = timeout_s or (DRAIN_LIMIT_S if with_gateways else STOP_LIMIT_S)
    _ask_to_stop(session, record, with_gateways=with_gateways, limit_s=limit_s)
    if not background.wait_until_gone(record, limit_s):
        raise HermesError(
            "STILL_RUNNING",
            f"hermesd (pid {record.pid}) has not ended after {limit_s:.0f} s",
            fixes=[Fix("hermesctl daemon status")],
        )


def _ask_to_stop(session: Session, record: DaemonRecord, *, with_gateways: bool, limit_s: float) -> None:
    """Asks the daemon to end. Having no answer is not a failure yet: what counts is whether it ends.

    Raises:
        HermesError: DAEMON_ABSENT, it cannot be asked although its process lives.
    """
    with Client(record) as client:
        try:
            client.daemon.StopDaemon(v1.StopDaemonRequest(gateways=with_gateways), timeout=limit_s)
        except grpc.RpcError as error:
            if is_unsent(error) and not background.wait_until_gone(record, min(limit_s, SILENCE_LIMIT_S)):
                raise background.unresponsive(
                    session.places, record.pid, "nothing answers on its socket"
                ) from error
            if error.code() not in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}:
                raise


def _tell(session: Session, data: dict[str, object], line: str) -> None:
    session.renderer.single("Daemon", data, name="", text=lambda: "" if session.is_quiet else f"{line}\n")


def _page(session: Session, found: v1.Daemon) -> str:
    fields = [
        ("Process", f"pid {found.pid}, up since {moment_long(session.terminal, found.started_at)}"),
        ("Version", found.version),
        ("Root", found.root),
        ("State", found.state_directory),
        ("Log", found.log_path),
        ("Settings", found.settings_path),
    ]
    return page("● hermesd · running", fields)
