"""What archives hold and would do, as people read it.

Owns: the pages. Must not ask the daemon, or the person.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from hermesctl.text import clean, size
from hermesd.v1 import archives_pb2 as v1

_NAMED = 6
"""Entries that a line names before it counts them."""

_SIZE_WIDTH = 8


def exported(name: str, place: str, size_bytes: int, contents: v1.ExportContents) -> str:
    """That an archive was made, and what is not in it."""
    files = sum(not one.is_directory for one in contents.entries)
    told = f"✓ exported {clean(name)} to {clean(place)}  {size(size_bytes)}, {files} file{'s' * (files != 1)}\n"
    return told + _redacted(contents.leaks) + _staying(contents.staying)


def export_plan(name: str, contents: v1.ExportContents) -> str:
    """Everything that an archive would hold, with what stays behind."""
    lines = [
        f"  {size(one.size_bytes) if not one.is_directory else '':>{_SIZE_WIDTH}}  {clean(one.path)}"
        + ("/" if one.is_directory else "")
        for one in contents.entries
    ]
    files = [one for one in contents.entries if not one.is_directory]
    total = (
        f"{len(files)} file{'s' * (len(files) != 1)}, {size(sum(one.size_bytes for one in files))} before packing"
    )
    head = f"an export of {clean(name)} would hold {total}\n"
    return head + "".join(f"{line}\n" for line in lines) + _redacted(contents.leaks) + _staying(contents.staying)


def import_plan(plan: v1.ImportPlan) -> str:
    """What would come, what of it could act, and what is left out."""
    files = f"{plan.file_count} file{'s' * (plan.file_count != 1)}, {size(plan.size_bytes)}"
    told = f"plan for new profile '{clean(plan.profile)}', from an archive\n"
    told += f"  path   {clean(plan.path)}\n  files  {files}\n"
    told += _acts(
        "arrives switched off, for it would run by itself", [one for one in plan.acts if one.is_disabled]
    )
    told += _acts("could act once its gateway or a chat runs", [one for one in plan.acts if not one.is_disabled])
    return told + _staying(plan.left_out, "not taken")


def _acts(title: str, acts: Sequence[v1.ImportAct]) -> str:
    if not acts:
        return ""
    width = max(len(one.category) for one in acts)
    lines = []
    for one in acts:
        lines.append(f"    {clean(one.category):<{width}}  {clean(one.what)}")
        lines += [f"      to switch it on: {clean(one.enabling)}"] if one.enabling else []
    return f"  {title}:\n" + "".join(f"{line}\n" for line in lines)


def _redacted(leaks: Iterable[v1.ArchiveLeak]) -> str:
    return "".join(
        f"  written over: {clean(one.secret)}, in {clean(one.path)}"
        + (f" ({clean(one.how)})\n" if one.how != "as it is" else "\n")
        for one in leaks
    )


def _staying(staying: Iterable[v1.StayingEntry], title: str = "stays behind") -> str:
    """A line for each reason."""
    told = ""
    for why, group in groupby(sorted(staying, key=lambda one: (one.why, one.path)), key=lambda one: one.why):
        paths = [clean(one.path) for one in group]
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        told += f"  {title}: {', '.join(paths[:_NAMED])}{more} ({clean(why)})\n"
    return told
