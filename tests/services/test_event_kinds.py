"""Every kind of event is in the table that people read, and every kind in it happens."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hermesd
from hermesd.domain.gateway import State
from hermesd.domain.health import Condition
from hermesd.domain.operation import OperationState
from hermesd.services.stories import SHOWN

pytestmark = [pytest.mark.fast, pytest.mark.services]

SOURCES = Path(hermesd.__file__).parent
RECORDING = "record"
"""Methods of this name have a kind as their first argument."""

MADE_UP = {
    "f'gateway.{SHOWN.get(state, state)}'": {f"gateway.{SHOWN.get(state, state)}" for state in State},
    "f'gateway.{condition}'": {f"gateway.{condition}" for condition in Condition},
    "f'gateway.{word}'": {"gateway.enabled", "gateway.disabled"},
    "f'operation.{finished.state}'": {
        f"operation.{state}" for state in OperationState if state is not OperationState.RUNNING
    },
}
"""What the kinds stand for that are put together where they are recorded."""


def recorded(source: Path) -> Iterator[str]:
    """The kinds that a module records."""
    tree = ast.parse(source.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != RECORDING:
            continue
        match node.args[0]:
            case ast.Constant(value=kind):
                yield str(kind)
            case ast.Name(id=name) if name in constants:
                yield str(constants[name])
            case ast.Name(id="kind"):  # handed through
                continue
            case other:
                yield from MADE_UP[ast.unparse(other)]


def documented() -> set[str]:
    """The kinds in the table."""
    text = (SOURCES / "STATE.md").read_text().partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    return {kind for row in rows for kind in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}


def test_every_kind_is_in_the_table() -> None:
    """Whoever asks for events can read which there are, and finds none that never happens."""
    kinds = {kind for source in SOURCES.rglob("*.py") for kind in recorded(source)}
    assert len(kinds) > 20
    assert documented() == kinds
