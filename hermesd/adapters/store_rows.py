"""Rows of the database as domain values, and back.

Owns: how each value is spelt in columns and JSON. Must not know SQL or when a row is read. A row that cannot be
read raises `ValueError`, `LookupError` or `TypeError`: the file says something that hermesd never wrote.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.gateway import Gateway, ParkedFor, State
from hermesd.domain.operation import Happening, Operation, OperationError, OperationState, Progress, TargetResult
from hermesd.domain.process import ExitCause, ExitStatus, LastExit, ProcessIdentity
from hermesd.domain.profile import Home, HomeIdentity, ProfileName
from hermesd.domain.record import Binding, GatewayRecord
from hermesd.domain.runtime import Runtime

Row = dict[str, Any]


def render_json(value: object) -> str:
    """JSON in the one form the database holds."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def binding_row(binding: Binding) -> Row:
    """Columns of a binding."""
    home = binding.home
    return {
        "id": binding.id,
        "device": str(home.device),
        "inode": str(home.inode),
        "birth_ns": home.birth_ns,
        "name": binding.name,
    }


def binding(row: sqlite3.Row) -> Binding:
    """A binding from its columns."""
    home = HomeIdentity(int(row["device"]), int(row["inode"]), row["birth_ns"])
    return Binding(id=row["id"], home=home, name=row["name"])


def gateway_row(record: GatewayRecord) -> Row:
    """Columns of a gateway's record."""
    return {
        **asdict(record.gateway),
        "profile_id": record.profile_id,
        "spawn_id": record.spawn_id,
        "home": _render_home(record.home) if record.home else None,
        "process": render_json(asdict(record.process)) if record.process else None,
        "since_s": record.since_s,
        "restarts": record.restarts,
        "next_start_at_s": record.next_start_at_s,
        "last_exit": _render_exit(record.last_exit) if record.last_exit else None,
        "detail": record.detail,
        "starts": render_json(record.starts_s),
        "is_enabled": record.is_enabled,
        "start_order": record.start_order,
        "wished_at_s": record.wished_at_s,
        "claims": render_json([asdict(claim) for claim in record.claims]),
    }


def gateway_record(row: sqlite3.Row) -> GatewayRecord:
    """A gateway's record from its columns."""
    gateway = Gateway(
        state=State(row["state"]),
        wanted_up=bool(row["wanted_up"]),
        attempts=row["attempts"],
        is_stable=bool(row["is_stable"]),
        is_port_taken=bool(row["is_port_taken"]),
        parked_for=ParkedFor(row["parked_for"]) if row["parked_for"] else None,
        relapses=row["relapses"],
    )
    return GatewayRecord(
        profile_id=row["profile_id"],
        gateway=gateway,
        spawn_id=row["spawn_id"],
        home=_parse_home(row["home"]) if row["home"] else None,
        process=ProcessIdentity(**json.loads(row["process"])) if row["process"] else None,
        since_s=row["since_s"],
        restarts=row["restarts"],
        next_start_at_s=row["next_start_at_s"],
        last_exit=_parse_exit(row["last_exit"]) if row["last_exit"] else None,
        detail=row["detail"],
        starts_s=tuple(json.loads(row["starts"])),
        is_enabled=bool(row["is_enabled"]),
        start_order=row["start_order"],
        wished_at_s=row["wished_at_s"],
        claims=tuple(_parse_claim(fields) for fields in json.loads(row["claims"])),
    )


def token_starts_row(key: str, starts_s: Sequence[float]) -> Row:
    """Columns of the starts with one bot."""
    return {"key": key, "starts": render_json(list(starts_s))}


def token_starts(row: sqlite3.Row) -> tuple[str, tuple[float, ...]]:
    """The key of a bot and its starts from their columns."""
    return row["key"], tuple(json.loads(row["starts"]))


def operation_row(operation: Operation) -> Row:
    """Columns of an operation."""
    return {
        **asdict(operation),
        "progress": render_json(asdict(operation.progress)),
        "warnings": render_json(operation.warnings),
        "results": render_json([asdict(result) for result in operation.results]),
        "error": render_json(asdict(operation.error)) if operation.error else None,
    }


def operation(row: sqlite3.Row) -> Operation:
    """An operation from its columns."""
    return Operation(
        id=row["id"],
        kind=row["kind"],
        profile=row["profile"],
        parameters=row["parameters"],
        requester=row["requester"],
        started_at_s=row["started_at_s"],
        state=OperationState(row["state"]),
        progress=Progress(**json.loads(row["progress"])),
        warnings=tuple(json.loads(row["warnings"])),
        results=tuple(_parse_result(fields) for fields in json.loads(row["results"])),
        error=OperationError(**json.loads(row["error"])) if row["error"] else None,
        finished_at_s=row["finished_at_s"],
        elapsed_s=row["elapsed_s"],
    )


def _parse_claim(fields: Row) -> Claim:
    return Claim(**{**fields, "kind": ClaimKind(fields["kind"])})


def _parse_result(fields: Row) -> TargetResult:
    error = OperationError(**fields["error"]) if fields["error"] else None
    return TargetResult(fields["profile"], fields["summary"], error, fields.get("is_skipped", False))


def happening(row: sqlite3.Row) -> Happening:
    """An event from its columns."""
    return Happening(
        token=row["token"],
        kind=row["kind"],
        profile=row["profile"],
        message=row["message"],
        facts=json.loads(row["facts"]),
        at_s=row["at_s"],
    )


def runtime_row(runtime: Runtime) -> Row:
    """Columns of a registered runtime."""
    return {**asdict(runtime), "executable": str(runtime.executable)}


def runtime(row: sqlite3.Row) -> Runtime:
    """A registered runtime from its columns."""
    return Runtime(
        name=row["name"],
        kind=row["kind"],
        version=row["version"],
        executable=Path(row["executable"]),
        is_managed=bool(row["is_managed"]),
    )


def _render_home(home: Home) -> str:
    """In ASCII: a path may hold bytes that are no text."""
    return json.dumps({"name": home.name.text, "path": str(home.path), **asdict(home.identity)}, sort_keys=True)


def _parse_home(text: str) -> Home:
    fields = json.loads(text)
    identity = HomeIdentity(fields["device"], fields["inode"], fields["birth_ns"])
    return Home(ProfileName(fields["name"]), Path(fields["path"]), identity)


def _render_exit(last_exit: LastExit) -> str:
    return render_json(
        {
            "cause": last_exit.cause,
            "code": last_exit.status.code,
            "signal": last_exit.status.signal,
            "detail": last_exit.detail,
            "at_s": last_exit.at_s,
        }
    )


def _parse_exit(text: str) -> LastExit:
    fields = json.loads(text)
    return LastExit(
        cause=ExitCause(fields["cause"]),
        status=ExitStatus(fields["code"], fields["signal"]),
        detail=fields["detail"],
        at_s=fields["at_s"],
    )
