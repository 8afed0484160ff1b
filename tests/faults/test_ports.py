"""Ports that are being written when the disk is full, or the daemon is gone."""

from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.adapters.agents.hermes_ports import move_ports
from hermesd.domain.errors import DiskFull
from hermesd.domain.listening import Neighbour, PortMove, Sockets, displaced, moves, ports_of
from tests.faults.injection import crash_at, fill_disk_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

OLD = {
    ".env": "# mine\nWEBHOOK_ENABLED=1\nWHATSAPP_ENABLED=1\n",
    "config.yaml": "# mine\nmodel: x\n",
}
NEW = {
    ".env": OLD[".env"] + "WEBHOOK_PORT=8645\n",
    "config.yaml": OLD["config.yaml"] + "platforms:\n  whatsapp:\n    extra:\n      bridge_port: 3001\n",
}


def furnished(place: Path) -> Path:
    """A home whose gateway would listen on two usual ports."""
    place.mkdir()
    for name, text in OLD.items():
        (place / name).write_text(text)
    return place


def wanted(home: Path, others: Path) -> Sequence[PortMove]:
    """What the home gets, as whoever starts it finds out: another profile runs on the usual ports."""
    taken = ports_of(read_claims(others))
    crowded = displaced(read_claims(home), [Neighbour("other", taken, is_up=True)])
    return moves(crowded, [claim.port for claim in taken], Sockets())


def held(home: Path) -> dict[str, str]:
    """What the files say."""
    return {name: (home / name).read_text() for name in OLD}


def test_a_change_cut_off_at_any_step_leaves_whole_files_and_is_gone_on_with(tmp_path: Path) -> None:
    """Each is the old or the new one; the next start finishes it."""
    other = furnished(tmp_path / "other")
    seen = []
    for step in count(1):
        home = furnished(tmp_path / str(step))
        has_crashed = crash_at(step, partial(move_ports, home, wanted(home, other)))
        found = held(home)
        assert all(found[name] in (OLD[name], NEW[name]) for name in OLD)
        seen.append([found[name] == NEW[name] for name in OLD])
        move_ports(home, wanted(home, other))
        assert held(home) == NEW
        if not has_crashed:
            break
    assert [False, False] in seen
    assert [True, False] in seen
    assert held(other) == OLD


def test_a_full_disk_leaves_whole_files_and_says_so(tmp_path: Path) -> None:
    """At any step; with room again it is done."""
    other = furnished(tmp_path / "other")
    for step in count(1):
        home = furnished(tmp_path / str(step))
        has_failed = fill_disk_at(step, partial(move_ports, home, wanted(home, other)), DiskFull)
        assert all(held(home)[name] in (OLD[name], NEW[name]) for name in OLD)
        assert sorted(path.name for path in home.iterdir()) == sorted(OLD)
        move_ports(home, wanted(home, other))
        assert held(home) == NEW
        if not has_failed:
            break
    assert step > 5
