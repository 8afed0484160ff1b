"""What a deletion takes away, as people read it before they confirm it.

Owns: the page. Must not ask the daemon, or the person.
"""

from collections.abc import Iterable

from hermesctl import gateway_view
from hermesctl.profile_view import label
from hermesctl.shapes import span
from hermesctl.tables import page
from hermesctl.text import clean, size
from hermesd.v1 import gateways_pb2
from hermesd.v1 import profiles_pb2 as v1

DAY_S = 86_400.0


def plan_page(plan: v1.DeletionPlan) -> str:
    """What goes, what stays, and whether there is a way back."""
    one = plan.profile
    fields = [
        ("gateway", _gateway(one.gateway)),
        ("alias", f"{', '.join(plan.aliases)}: will be removed" if plan.aliases else ""),
        ("default", "plain commands work on it, and will work on 'default'" if one.is_sticky_default else ""),
        ("data", "" if plan.link_target else _data(plan)),
        ("path", one.path),
        ("link", f"only the link goes; {plan.link_target} stays, with {_data(plan)}" if plan.link_target else ""),
        ("origin", _origin(plan)),
        *(("stays", f"{left.message}: {left.fix}" if left.fix else left.message) for left in plan.leftovers),
    ]
    return page(f"This removes profile '{clean(label(one))}'", fields, label_width=9) + _way_back(plan)


def _gateway(gateway: gateways_pb2.Gateway) -> str:
    if gateway.HasField("process") and gateway.state != gateways_pb2.GATEWAY_STATE_STOPPED:
        word = gateway_view.state_word(gateway)
        return f"{word} (pid {gateway.process.pid}): will be drained and stopped"
    return "is wanted, and will not be started again" if gateway.wish == gateways_pb2.WISH_UP else ""


def _data(plan: v1.DeletionPlan) -> str:
    """The size, and what people would miss."""
    counts = [
        _count(plan.session_count, "session") if plan.HasField("session_count") else "sessions not counted",
        _count(plan.profile.skill_count, "skill"),
        _count(plan.job_count, "scheduled job") if plan.HasField("job_count") else "scheduled jobs not counted",
        f".env with {_count(plan.secret_count, 'secret')}" if plan.secret_count else "",
    ]
    more = "more than " if plan.usage.is_partial else ""
    return f"{more}{size(plan.usage.bytes)}: {_listed(counts)}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _origin(plan: v1.DeletionPlan) -> str:
    """Where it can be had again, though not as it is now."""
    if not plan.profile.distribution:
        return ""
    return f"{plan.profile.distribution} from {plan.origin}" if plan.origin else plan.profile.distribution


def _way_back(plan: v1.DeletionPlan) -> str:
    if not plan.HasField("kept_for"):
        return "Removed for good: nothing of it can be brought back\n"
    days = span(plan.kept_for) / DAY_S
    kept = f"{days:g} day{'' if days == 1 else 's'}"
    return f"Kept {kept} in the trash: hermesctl profile trash restore {clean(plan.profile.name)}\n"
