"""A hermes-agent home taken over by another one.

Owns: what comes along and what is brought to the clone's own name and place (hermes-agent 0.19.0). Whose is
what stands in the domain's ownership table. Must not know how a home is published.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesd.adapters import dotenvfile, yamlfile
from hermesd.adapters.agents import hermes_channels, hermes_cron, hermes_honcho
from hermesd.adapters.agents.clones import copy_files, copy_home
from hermesd.adapters.agents.hermes_files import CONFIG, ENV
from hermesd.adapters.agents.hermes_moves import STATE, Move, mentions, move_workplace, rekey
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.oserrors import translating
from hermesd.adapters.textfile import read_text
from hermesd.adapters.treecopy import WORKERS, Names, Order
from hermesd.domain.cloning import CloneOrder, Extent
from hermesd.domain.errors import ConfigInvalid
from hermesd.domain.layout import OPT_OUT
from hermesd.domain.ownership import NEVER_COPIED, Owner, owner_of
from hermesd.domain.profile import Home, ProfileName

SETTINGS = (CONFIG, ENV, "SOUL.md", OPT_OUT)
"""What a clone of the settings takes over."""

ABOUT = "profile.yaml"
LOGINS = "auth.json"


@dataclass(frozen=True)
class Clone:
    """A clone in the making."""

    source: Home
    name: ProfileName
    target: Path
    """Where its files are now."""
    order: CloneOrder
    user_home: Path | None
    """Where Honcho keeps what all programs share; `None` leaves that alone."""

    @property
    def root(self) -> Path:
        """The root, which is the default profile's home."""
        return root_of(self.source)

    @property
    def move(self) -> Move:
        """From the source to where the clone will lie."""
        return Move(self.source.name, self.source.path, self.name, self.root / "profiles" / self.name.text)

    @property
    def is_whole(self) -> bool:
        """Whether everything comes along."""
        return self.order.extent is Extent.EVERYTHING


def root_of(home: Home) -> Path:
    """The root that a home lies in or is."""
    return home.path if home.name.is_default else home.path.parent.parent


def make_clone(clone: Clone, is_cancelled: Callable[[], bool], *, workers: int = WORKERS) -> list[str]:
    """See the port. Nothing is copied of a home whose settings could not be brought to the clone."""
    check_source(clone.source, clone.order)
    order = Order(
        clone.source.path,
        clone.target,
        clone.move.after_path,
        is_wanted=lambda names: is_wanted(clone, names),
        is_cancelled=is_cancelled,
        workers=workers,
    )
    told = copy_home(order) if clone.is_whole else copy_files(order, SETTINGS)
    if not clone.order.has_channels:
        told += hermes_channels.strip(clone.target)
    told += [*_take_over_honcho(clone, order), *_bring_home(clone)]
    if clone.is_whole:
        told += [*_bring_all_home(clone), *_describe(clone, order)]
    return [line.replace(str(clone.target), str(clone.move.after_path)) for line in told]


def check_source(source: Home, order: CloneOrder) -> None:
    """Refuses what could not be cloned as it is asked for, in the words of the source's own files.

    Raises:
        ConfigInvalid: a file must be mended by hand first.
        NotPermitted: the settings cannot be read.
    """
    for name in (CONFIG, ENV):
        with translating(source.path / name, "read"):
            _touch(source.path / name)
    if not order.has_channels:
        hermes_channels.stripped(source.path)
    if order.extent is Extent.EVERYTHING and not order.keeps_cron:
        hermes_cron.count_active(source.path)


def _touch(path: Path) -> None:
    """Fails if a file is there that may not be read."""
    if path.is_file():
        path.open("rb").close()


def is_wanted(clone: Clone, names: Names) -> bool:
    """Whether a clone of everything takes an entry over."""
    owner = owner_of(names, is_root=clone.source.name.is_default)
    if owner in NEVER_COPIED or (owner is Owner.CHANNELS and not clone.order.has_channels):
        return False
    return names != (ABOUT,)


def settle(source: Home, home: Home, user_home: Path | None) -> list[str]:
    """See the port: Honcho's file, where profiles share one."""
    path = hermes_honcho.shared_file(root_of(source), user_home)
    if path is None or (home.path / hermes_honcho.HONCHO).exists():
        return []
    return hermes_honcho.give_peer(path, source.name, home.name, _env(source.path))


def _take_over_honcho(clone: Clone, order: Order) -> list[str]:
    """The file of a profile that has one of its own; in the root it is everybody's."""
    told = []
    env = _env(clone.target)
    if env.get(hermes_honcho.OVERRIDE):
        place = clone.target / ENV
        told.append(f"{place} sets {hermes_honcho.OVERRIDE}, so to Honcho both profiles are one")
    if clone.source.name.is_default:
        return told
    if not clone.is_whole:
        told += copy_files(order, [hermes_honcho.HONCHO])
    path = clone.target / hermes_honcho.HONCHO
    return told + (hermes_honcho.give_peer(path, clone.source.name, clone.name, env) if path.is_file() else [])


def _bring_home(clone: Clone) -> list[str]:
    """What the settings say of the place."""
    told = move_workplace(clone.target, clone.move, only_existing=True)
    named = mentions(clone.target, clone.source.path)
    return told + [f"{path} still names {clone.source.path}" for path in named]


def _bring_all_home(clone: Clone) -> list[str]:
    """What else goes by the source's name or place, jobs and conversations."""
    told = _bring_jobs_home(clone)
    if (clone.target / STATE).is_file():
        failures = rekey(clone.target / STATE, clone.move, None)
        told += [f"{path or STATE} still knows '{clone.source.name}': {why}" for path, why in failures]
    return told


def _bring_jobs_home(clone: Clone) -> list[str]:
    """Jobs, paused unless that is not wanted; where it is, nobody can read them but the agent may yet."""
    try:
        paused = hermes_cron.adapt_jobs(clone.target, clone.move, keeps_active=clone.order.keeps_cron)
    except ConfigInvalid as error:
        if not clone.order.keeps_cron:
            raise
        return [error.message]
    if not paused:
        return []
    cron = f"hermesctl -p {clone.name} cron"
    return [
        f"{paused} scheduled job{'s' * (paused > 1)} paused ({cron} list --all), to start one: {cron} resume JOB"
    ]


def _describe(clone: Clone, order: Order) -> list[str]:
    """What the profile is for comes along, unless the clone has been given something of its own to be for."""
    path = clone.target / ABOUT
    if path.exists():
        return []
    told = copy_files(order, [ABOUT])
    try:
        text = yamlfile.without(read_text(path), [("display_name",)], path)
    except ConfigInvalid:  # told with every look at the source; a clone needs no damaged file
        text = ""
    if path.exists():
        write_atomic(path, text.encode())
    return told


def _text(path: Path) -> str:
    """What a file says; nothing if it cannot be read, which is told with every look at the profile."""
    try:
        return read_text(path)
    except ConfigInvalid:
        return ""


def _env(home: Path) -> Mapping[str, str]:
    return dotenvfile.parse_env(_text(home / ENV))
