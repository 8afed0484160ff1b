"""Claims: what no two gateways can use at once, and which of those who want it may have it.

Owns: what makes two claims the same, who holds and who waits, in which order. A claim is a bot's identity, a login
directory or a port. Must not know files, locks or values: of a secret only the digest ever comes here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hermesd.domain.digests import fingerprint
from hermesd.domain.errors import HermesError, PortInUse, TokenInUse


class ClaimKind(StrEnum):
    """What kind of thing is claimed."""

    BOT = "bot"
    """What a messaging platform knows a bot by."""
    LOGIN = "login"
    """A directory in which a platform's login lies."""
    PORT = "port"
    """A port that a gateway listens on, whatever the address: two addresses of one port are seldom two things."""


@dataclass(frozen=True)
class Claim:
    """One thing that one gateway at a time can use."""

    kind: ClaimKind
    platform: str
    """For whom it is: a platform of `domain/channels.py`, or `api_server`."""
    source: str
    """Where it is read from: a variable, a dotted key of the configuration, or a directory of the home."""
    digest: str = ""
    """The SHA-256 of the value, all 64 digits: a shorter one could call two bots one. Empty for a port."""
    port: int = 0
    is_usual: bool = field(default=False, compare=False)
    """Whether nobody wrote the port, which is the agent's usual one then; `source` is where it could stand."""
    agents_lock: str = field(default="", compare=False)
    """What the agent calls the lock that it takes for it, in a directory of its own; empty if it takes none."""

    @property
    def key(self) -> str:
        """The same for the same thing, wherever it is read from; can name a file."""
        if self.kind is ClaimKind.PORT:
            return f"{self.kind}-{self.port}"
        return f"{self.kind}-{self.platform}-{self.digest}"

    @property
    def place(self) -> str:
        """Where it is read from, and of a port which one it is."""
        return f"{self.source} ({self.masked})" if self.kind is ClaimKind.PORT else self.source

    @property
    def file(self) -> str:
        """The file of the home in which its source stands; empty for a login, which no editor makes."""
        if "/" in self.source or self.source.endswith(".json"):
            return ""
        if self.source.startswith("gateway.json."):
            return "gateway.json"
        return "config.yaml" if "." in self.source else ".env"

    @property
    def masked(self) -> str:
        """What people see of it."""
        if self.kind is ClaimKind.PORT:
            return f"port {self.port}"
        return fingerprint(self.digest)

    def __str__(self) -> str:
        return (
            f"{self.masked} ({self.platform})" if self.kind is ClaimKind.PORT else f"{self.platform} {self.masked}"
        )


def distinct(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Each thing once, in the one order in which everybody takes them."""
    first: dict[str, Claim] = {}
    for claim in claims:
        first.setdefault(claim.key, claim)
    return tuple(first[key] for key in sorted(first))


def clashes_within(claims: Iterable[Claim]) -> list[tuple[Claim, Claim]]:
    """Claims of one gateway that get into each other's way: the first, and the one that cannot have it for that.

    Two platforms of one gateway cannot listen on one port.
    """
    first: dict[int, Claim] = {}
    ports = (claim for claim in claims if claim.kind is ClaimKind.PORT)
    return [(first[one.port], one) for one in ports if first.setdefault(one.port, one).platform != one.platform]


@dataclass(frozen=True)
class ClaimNote:
    """For whom a claim was taken, as it is left beside its lock."""

    profile: str
    profile_id: str
    spawn_id: str
    root: str
    """The Hermes root that the profile belongs to."""


@dataclass(frozen=True)
class ClaimLock:
    """The lock file that stands for a claim, and for whom it is to be taken."""

    claim: Claim
    path: Path
    note: ClaimNote


@dataclass(frozen=True)
class ClaimHolder:
    """Who holds the lock of a claim."""

    pids: tuple[int, ...]
    """Living processes with the lock, in order."""
    note: ClaimNote | None = None
    """For whom it was taken last, where that can be read."""
    main_pid: int | None = None
    """The process that was started with it, if it lives; else something of its tree holds the lock alone."""


@dataclass(frozen=True)
class Outsider:
    """A holder that is none of this daemon's gateways."""

    pid: int | None = None
    profile: str = ""
    """The profile it works for, where that is known."""
    root: str = ""
    """The Hermes root of that profile, if it is another one than the daemon's."""
    program: str = ""

    def __str__(self) -> str:
        """Who it is, in words."""
        who = self.program or "a gateway that hermesd did not start"
        if self.profile:
            who = f"the gateway of '{self.profile}'" + (f" in {self.root}" if self.root else "")
        return who + (f" (pid {self.pid})" if self.pid is not None else "")


@dataclass(frozen=True)
class Contender:
    """A profile whose gateway runs or is wanted."""

    profile_id: str
    name: str
    wished_at_s: float
    """When it was first wanted, seconds since the epoch; the order among those who wait."""
    wanted: tuple[Claim, ...] = ()
    """What its files claim now."""
    held: tuple[Claim, ...] = ()
    """What its present or last process was started with, as long as it is to come back by itself."""
    is_live: bool = False
    """Whether a process of its tree may live."""

    @property
    def kept(self) -> tuple[Claim, ...]:
        """What nobody else can have because of it.

        A process holds what it was started with. One that comes back keeps what it still wants of that: a crash
        must not hand a bot to whoever waits for it.
        """
        if self.is_live:
            return distinct(self.held)
        wanted = {claim.key for claim in self.wanted}
        return distinct(claim for claim in self.held if claim.key in wanted)


@dataclass(frozen=True)
class Denial:
    """Why a gateway cannot start: a claim, and who has it."""

    claim: Claim
    """As the one that is denied reads it."""
    holder: Contender | Outsider

    @property
    def holder_name(self) -> str:
        """The holder in a sentence."""
        return f"'{self.holder.name}'" if isinstance(self.holder, Contender) else str(self.holder)


@dataclass(frozen=True)
class ClaimTable:
    """Who has what and who waits: a moment's view, from which all decisions follow."""

    contenders: Sequence[Contender]
    outsiders: Mapping[str, Outsider] = field(default_factory=dict)
    """Who else has a claim, by its key. Whoever is both counts as the contender."""

    def holder(self, claim: Claim) -> Contender | Outsider | None:
        """Who has a claim, or keeps it for its return. A living process comes before one that returns."""
        keeping = [one for one in self.contenders if claim.key in {kept.key for kept in one.kept}]
        first = min(keeping, key=lambda one: (not one.is_live, *_order(one)), default=None)
        return first or self.outsiders.get(claim.key)

    def denials(self, profile_id: str) -> list[Denial]:
        """What keeps a contender from starting, in the order of claims; nothing if it may."""
        (contender,) = (one for one in self.contenders if one.profile_id == profile_id)
        found = ((claim, self.holder(claim)) for claim in distinct(contender.wanted))
        return [
            Denial(claim, holder) for claim, holder in found if holder is not None and not _is(holder, contender)
        ]

    def waiters(self) -> list[Contender]:
        """Contenders without a process, in the order in which they get what is free: by wish, then by name."""
        return sorted((one for one in self.contenders if not one.is_live), key=_order)

    def starters(self) -> list[str]:
        """Ids of those that may start now, each with all it wants, in order.

        Who cannot start anyway keeps nobody waiting: a claim that is free helps no bot that waits for another one.
        """
        table, found = self, []
        for waiter in self.waiters():
            if not table.denials(waiter.profile_id):
                table = table.with_started(waiter.profile_id)
                found.append(waiter.profile_id)
        return found

    def with_started(self, profile_id: str) -> "ClaimTable":
        """The view once a contender has been started."""
        return ClaimTable(
            [_started(one) if one.profile_id == profile_id else one for one in self.contenders], self.outsiders
        )


def _started(contender: Contender) -> Contender:
    return Contender(
        contender.profile_id,
        contender.name,
        contender.wished_at_s,
        contender.wanted,
        contender.wanted,
        is_live=True,
    )


def _order(contender: Contender) -> tuple[float, str]:
    return contender.wished_at_s, contender.name


def _is(holder: Contender | Outsider, contender: Contender) -> bool:
    return isinstance(holder, Contender) and holder.profile_id == contender.profile_id


def in_use(
    claim: Claim, holder: str = "another gateway", *, profile: str = "", hint: str = "", fixes: Sequence[str] = ()
) -> HermesError:
    """The refusal to start with a claim that somebody has. `profile` is who wants it, where that is known."""
    failure = PortInUse if claim.kind is ClaimKind.PORT else TokenInUse
    metadata = {"claim": claim.masked, "platform": claim.platform, "source": claim.source, "holder": holder}
    if claim.kind is ClaimKind.PORT:
        metadata["port"] = str(claim.port)
    if profile:
        metadata["profile"] = profile
    what = {ClaimKind.BOT: "bot", ClaimKind.LOGIN: "login"}.get(claim.kind, "port")
    named = f"port {claim.port}" if claim.kind is ClaimKind.PORT else f"{claim.platform} {what} {claim.masked}"
    return failure(f"{named} is in use by {holder}", hint=hint, fixes=fixes, **metadata)
