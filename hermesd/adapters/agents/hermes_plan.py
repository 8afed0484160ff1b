"""What a clone of a hermes-agent home will hold, in words, before it is made.

Owns: the words. What comes along is decided by the same code that makes the clone. Must not know how it is shown.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from hermesd.adapters import dotenvfile
from hermesd.adapters.agents import hermes_claims, hermes_cron, hermes_grants
from hermesd.adapters.agents.clones import printable
from hermesd.adapters.agents.hermes_clone import ABOUT, LOGINS, SETTINGS, Clone, check_source, is_wanted
from hermesd.adapters.agents.hermes_files import ENV
from hermesd.adapters.oserrors import translating
from hermesd.adapters.textfile import read_text
from hermesd.domain.channels import channel_of
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import ClonePlan
from hermesd.domain.layout import OPT_OUT
from hermesd.domain.ownership import Owner, owner_of

_WORDS = {
    Owner.SETTINGS: "other settings",
    Owner.SECRETS: "other logins",
    Owner.PERSONALITY: "other instructions",
    Owner.MEMORY: "memory",
    Owner.SESSIONS: "sessions",
    Owner.SKILLS: "its skills",
    Owner.CRON: "scheduled jobs",
    Owner.EXTENSIONS: "plugins and hooks",
    Owner.CHANNELS: "messaging logins",
    Owner.PROFILE: "description",
    Owner.HISTORY: "backups",
    Owner.CACHE: "caches",
    Owner.RUNTIME: "what belongs to running processes",
    Owner.LOG: "logs",
    Owner.SHARED: "other profiles and what all share",
}
"""What people call what belongs to each, in the order of a sentence; the person's own entries have names."""

_KEYS_NAMED = 2
_ENTRIES_NAMED = 3


def plan_clone(clone: Clone) -> ClonePlan:
    """See the port."""
    check_source(clone.source, clone.order)
    with translating(clone.source.path, "read"):
        present = _present(clone.source.path)
    taken = [name for name in present if _is_taken(clone, name)]
    pauses = clone.is_whole and not clone.order.keeps_cron
    claims = [one for one in hermes_claims.read_claims(clone.source.path) if _comes_along(clone, one)]
    return ClonePlan(
        copied=(
            *(_file(clone, name) for name in SETTINGS if name in taken and name != OPT_OUT),
            *_words(clone, taken),
        ),
        skipped=tuple(_words(clone, [name for name in present if name not in taken])),
        is_seeded=OPT_OUT not in present,
        paused_jobs=hermes_cron.count_active(clone.source.path) if pauses else 0,
        claims=tuple(claims),
        grants=tuple(hermes_grants.read_grants(clone.source.path)) if clone.is_whole else (),
    )


def _comes_along(clone: Clone, claim: Claim) -> bool:
    """Whether the clone will claim it too: a directory is another one there, a login in it may be the same.

    Ports are given out anew.
    """
    is_kept_elsewhere = "/" in claim.source or claim.source == LOGINS
    if not clone.order.has_channels or claim.kind is ClaimKind.PORT:
        return False
    if claim.kind is ClaimKind.LOGIN:
        return not is_kept_elsewhere
    return clone.is_whole or not is_kept_elsewhere


def _present(home: Path) -> list[str]:
    """What lies in a home, directories only if there is something in them."""
    with os.scandir(home) as entries:
        return sorted(entry.name for entry in entries if _holds(entry))


def _holds(entry: "os.DirEntry[str]") -> bool:
    """Whether there is anything to speak of: a file, a link, or a directory that is not empty."""
    if not entry.is_dir(follow_symlinks=False):
        return entry.is_symlink() or entry.is_file(follow_symlinks=False)
    try:
        with os.scandir(entry) as entries:
            return next(entries, None) is not None
    except OSError:  # what cannot be looked at is told when it is copied
        return True


def _is_taken(clone: Clone, name: str) -> bool:
    return (is_wanted(clone, (name,)) or name == ABOUT) if clone.is_whole else name in SETTINGS


def _file(clone: Clone, name: str) -> str:
    """One of the settings; of the secrets only what they are called."""
    if name != ENV:
        return name
    keys = sorted(dotenvfile.parse_env(read_text(clone.source.path / ENV)))
    if not clone.order.has_channels:
        keys = [key for key in keys if channel_of(key) is None]
    named = ", ".join(keys[:_KEYS_NAMED]) + (", …" if len(keys) > _KEYS_NAMED else "")
    return f"{name}: {len(keys)} key{'s' * (len(keys) != 1)}" + (f" ({named})" if keys else "")


def _words(clone: Clone, names: Sequence[str]) -> list[str]:
    """Entries in the words people have for them, the person's own by name."""
    others = [name for name in names if name not in SETTINGS]
    owners = {owner_of((name,), is_root=clone.source.name.is_default) for name in others}
    own = [name for name in others if owner_of((name,), is_root=clone.source.name.is_default) is Owner.PERSON]
    more = len(own) - _ENTRIES_NAMED
    named = [printable(name) for name in own[:_ENTRIES_NAMED]] + ([f"{more} more of your own"] if more > 0 else [])
    return [*(words for owner, words in _WORDS.items() if owner in owners), *named]
