"""A home's files in another home that is being made, whatever agent they belong to.

Owns: that all of it is durable when a copy is done, and how what was left behind is told. Must not know what the
files mean: which of them are wanted is asked.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.adapters.snapshots import Pair, Snapshots
from hermesd.adapters.syscalls import sync_file_system
from hermesd.adapters.treecopy import Leftovers, Names, Order, copy_tree, is_database, opened

_NAMED = 3
"""How many entries a sentence names before it counts them."""


def copy_home(order: Order, *, is_durable: bool = True) -> list[str]:
    """Copies what is wanted of a home, databases as snapshots. Returns what a person has to know.

    Without `is_durable` nothing is waited for: a copy that ends with its operation needs no disk.

    Raises:
        Cancelled, DiskFull, NotPermitted: as said.
    """
    with translating(order.source, "read"), opened(order.source):
        early = list(_first_databases(order))
    with translating(order.becomes, "copy files into"), opened(order.target) as top:
        with Snapshots(_pairs(order, early)) as begun:
            left = copy_tree(order)
            with Snapshots(_pairs(order, [one for one in left.databases if one not in early])) as rest:
                troubles = [*begun.finish(order.is_cancelled), *rest.finish(order.is_cancelled)]
        if is_durable:
            sync_file_system(top)
    return [*_told(left), *(f"{_shown(path.relative_to(order.source).parts)}: {why}" for path, why in troubles)]


def copy_files(order: Order, names: Iterable[str]) -> list[str]:
    """Copies single files of a home, byte for byte and private. Returns what a person has to know.

    A link is only followed inside the home, as a copy of the whole home would keep it.

    Raises:
        DiskFull, NotPermitted: as said.
    """
    told = []
    home = os.path.realpath(order.source)
    for name in names:
        path = order.source / name
        real = os.path.realpath(path)
        if not real.startswith(f"{home}/"):
            told += _told(Leftovers(links=[((name,), str(path.readlink()))]))
        elif os.path.isfile(real):  # noqa: PTH113 - a path that cannot be looked at is no file
            with translating(path, "read"):
                data = Path(real).read_bytes()
            write_atomic(order.target / name, data)
    return told


def _first_databases(order: Order) -> Iterable[Names]:
    """Databases at the top, which are the large ones: their copies are made beside all else."""
    with opened(order.source) as top:
        present = os.listdir(top)  # noqa: PTH208 - of the directory that is open
        names = [name for name in present if order.is_wanted((name,)) and is_database(top, name)]
    return [(name,) for name in names]


def _pairs(order: Order, databases: Sequence[Names]) -> list[Pair]:
    return [(order.source.joinpath(*names), order.target.joinpath(*names)) for names in databases]


def _told(left: Leftovers) -> list[str]:
    """What was left behind, a sentence each."""
    links = [f"{_shown(names)} -> {printable(text)}" for names, text in left.links]
    groups = (
        (links, "what a link leads to outside was left behind"),
        ([_shown(names) for names in left.unreadable], "cannot be read and was left behind"),
        ([_shown(names) for names in left.unsettled], "was written all the while: the copy may be of two moments"),
    )
    return [f"{_listed(entries)}: {what}" for entries, what in groups if entries]


def _listed(entries: Sequence[str]) -> str:
    entries = sorted(entries)
    more = len(entries) - _NAMED
    return ", ".join(entries[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _shown(names: Sequence[str]) -> str:
    return printable("/".join(names))


def printable(text: str) -> str:
    """A name as text that any terminal and any message can hold."""
    decoded = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in decoded)
