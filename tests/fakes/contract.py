"""Messages of the contract as tests need them: one that says what matters, and is likely in all else.

Owns: what goes without saying, and when the present is. Must not know who sends them.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from hermesd.v1 import (
    aliases_pb2,
    claims_pb2,
    doctor_pb2,
    gateways_pb2,
    profiles_pb2,
    runtimes_pb2,
    trash_pb2,
)

NOW_S = 1_790_000_000
"""When the fake's present is, seconds since the epoch."""

ROOT = "/home/ana/.hermes"

UP = frozenset(
    {
        gateways_pb2.GATEWAY_STATE_READY,
        gateways_pb2.GATEWAY_STATE_DEGRADED,
        gateways_pb2.GATEWAY_STATE_HUNG,
        gateways_pb2.GATEWAY_STATE_DRAINING,
    }
)
"""States in which a gateway has a process, is wanted, and has been there for a while."""


def at(seconds_ago: int) -> Timestamp:
    """A moment of the fake's past."""
    return Timestamp(seconds=NOW_S - seconds_ago)


def finding(profile: str, check: str, message: str = "", **fields: object) -> doctor_pb2.Finding:
    """What the doctor found; fine where nothing else is said."""
    made = doctor_pb2.Finding(profile=profile, check=check, message=message, severity=doctor_pb2.SEVERITY_FINE)
    made.MergeFrom(doctor_pb2.Finding(**fields))  # type: ignore[arg-type]
    return made


def gateway(profile: str, state: gateways_pb2.GatewayState.ValueType, **fields: object) -> gateways_pb2.Gateway:
    """A gateway in a state, with a process if that state has one."""
    made = gateways_pb2.Gateway(profile=profile, state=state, log_path=f"/home/ana/logs/{profile}.log")
    is_up = state in UP
    made.wish = gateways_pb2.WISH_UP if is_up else gateways_pb2.WISH_DOWN
    if is_up:
        made.process.CopyFrom(gateways_pb2.GatewayProcess(pid=4711, start_ticks=99, boot_id="b", spawn_id="s"))
        made.since.CopyFrom(at(11_520))
    made.enabled = True
    budget = gateways_pb2.StartBudget(used_in_hour=1, per_hour=20, used_in_day=2, per_day=200)
    made.start_budget.CopyFrom(budget)
    made.MergeFrom(gateways_pb2.Gateway(**fields))  # type: ignore[arg-type]
    return made


def profile(name: str, **fields: object) -> profiles_pb2.Profile:
    """A profile whose gateway is stopped unless one is given."""
    path = ROOT if name == "default" else f"{ROOT}/profiles/{name}"
    made = profiles_pb2.Profile(name=name, id=f"id-{name}", path=path, skill_count=74)
    made.gateway.CopyFrom(gateway(name, gateways_pb2.GATEWAY_STATE_STOPPED))
    made.api_server.CopyFrom(profiles_pb2.ApiServer(host="127.0.0.1", port=8642))
    made.created_at.CopyFrom(at(86_400 * 3))
    given = profiles_pb2.Profile(**fields)  # type: ignore[arg-type]
    if given.HasField("gateway"):
        made.ClearField("gateway")
    made.MergeFrom(given)
    return made


def trashed(gone: profiles_pb2.Profile, id_: str, seconds_ago: int = 0) -> trash_pb2.TrashedProfile:
    """A profile that was deleted by the operation of this id."""
    return trash_pb2.TrashedProfile(
        id=id_,
        profile=gone.name,
        profile_id=gone.id,
        description=gone.description,
        aliases=gone.aliases,
        deleted_at=at(seconds_ago),
        kept_until=at(seconds_ago - 7 * 86_400),
        path=f"{ROOT}/profiles/.hermesd/trash/{gone.name}-{id_}",
    )


def usage(total: int, *, is_partial: bool = False) -> profiles_pb2.DiskUsage:
    """What a profile takes on disk, most of it as sessions."""
    shares = (("state.db", 80), ("skills", 15), ("logs", 4), ("cache", 1))
    parts = [profiles_pb2.DiskPart(name=name, bytes=total * share // 100) for name, share in shares]
    return profiles_pb2.DiskUsage(bytes=total, parts=parts, is_partial=is_partial)


def alias(name: str, profile_name: str, *, is_ours: bool = True, has_profile: bool = True) -> aliases_pb2.Alias:
    """A command for a profile."""
    path = f"/home/ana/.local/bin/{name}"
    return aliases_pb2.Alias(name=name, profile=profile_name, path=path, is_ours=is_ours, has_profile=has_profile)


def claim(masked: str, platform: str, *uses: claims_pb2.ClaimUse, **fields: object) -> claims_pb2.Claim:
    """A bot, unless something else is said, and who uses it."""
    made = claims_pb2.Claim(kind=claims_pb2.CLAIM_KIND_BOT, platform=platform, masked=masked, uses=uses)
    made.MergeFrom(claims_pb2.Claim(**fields))  # type: ignore[arg-type]
    return made


def claim_use(profile_name: str, state: str, source: str = "", **fields: object) -> claims_pb2.ClaimUse:
    """What a profile has of a claim."""
    number = claims_pb2.ClaimState.Value(f"CLAIM_STATE_{state.upper()}")
    made = claims_pb2.ClaimUse(profile=profile_name, state=number, source=source)
    made.MergeFrom(claims_pb2.ClaimUse(**fields))  # type: ignore[arg-type]
    return made


def runtime(version: str = "0.19.0", *, is_current: bool = True) -> runtimes_pb2.Runtime:
    """An agent that hermesd installed."""
    name = f"hermes-agent-{version}-4f2c1aa0"
    executable = f"/home/ana/.local/share/hermesd/runtimes/{name}/bin/hermes"
    return runtimes_pb2.Runtime(
        name=name,
        kind="hermes-agent",
        version=version,
        executable=executable,
        is_managed=True,
        is_current=is_current,
    )
