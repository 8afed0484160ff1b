"""Operations and events as values. Owns their shape; must not know who runs or records them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OperationState(StrEnum):
    """Where an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Progress:
    """How far an operation has come; `total` 0 means not known."""

    phase: str = ""
    detail: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class OperationError:
    """Why an operation failed, in the terms of `domain/errors.py`."""

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TargetResult:
    """What became of one of several profiles that an operation works on."""

    profile: str
    summary: str = ""
    """What was done, a short phrase."""
    error: OperationError | None = None
    """Why it could not be done; `None` if it was."""
    is_skipped: bool = False
    """Whether nothing had to be done; `summary` says why."""


@dataclass(frozen=True)
class Operation:
    """One long-running piece of work. Times are seconds since the epoch."""

    id: str
    kind: str
    profile: str
    parameters: str
    """What was asked for, in a form that is equal for identical requests. Never holds a secret."""
    requester: str
    started_at_s: float
    state: OperationState = OperationState.RUNNING
    progress: Progress = Progress()
    warnings: tuple[str, ...] = ()
    results: tuple[TargetResult, ...] = ()
    """Of work on several profiles, in the order in which it was done."""
    error: OperationError | None = None
    finished_at_s: float | None = None
    elapsed_s: float = 0.0
    """By a clock that never jumps; while it runs, as of the last change."""

    @property
    def tally(self) -> str:
        """How many of several profiles were done, skipped and failed; empty for work on one."""
        counts = Counter(
            "failed" if one.error is not None else "skipped" if one.is_skipped else "done" for one in self.results
        )
        return ", ".join(f"{counts[word]} {word}" for word in ("done", "skipped", "failed") if counts[word])


@dataclass(frozen=True)
class Happening:
    """One recorded event. `token` grows by one from 1."""

    token: int
    kind: str
    profile: str
    message: str
    facts: Mapping[str, str]
    at_s: float


def is_one_of(kind: str, kinds: Collection[str]) -> bool:
    """Whether a kind is asked for: by itself, "gateway.ready", or by its noun, "gateway". None means all."""
    return not kinds or kind in kinds or kind.partition(".")[0] in kinds
