"""What hermesctl's own commands offer at a Tab.

Owns: which options, verbs and names fit a place that click has found. Must not know how the shell asked.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from hermesctl.agent_words import AGENT_CONFIG_VERBS, AGENT_SKILLS_VERBS, AGENT_VERBS
from hermesctl.refusals import AGENT_GATEWAY_VERBS, REFUSED

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from hermesctl.session import Session

OF_THE_AGENT = "of the agent"
AGENT_VERBS_UNDER = {
    "gateway": AGENT_GATEWAY_VERBS,
    "skills": AGENT_SKILLS_VERBS,
    "config": AGENT_CONFIG_VERBS,
}
"""Verbs of the agent under nouns of ours."""


def options(context: click.Context, unfinished: str) -> "list[CompletionItem]":
    """The options of a command that begin so, the common ones too, but none that are hidden everywhere."""
    if not unfinished.startswith("-"):
        return []
    common = {name for one in _visible(context.find_root().command.params) for name in one.opts}
    own = [one for one in _options(context.command.params) if not one.hidden or common & set(one.opts)]
    left = [one for one in own if one.multiple or one.count or not _is_given(context, one)]
    return _items(((name, one.help or "") for one in left for name in one.opts), unfinished)


def commands(context: click.Context, helps: Iterable[tuple[str, str]], unfinished: str) -> "list[CompletionItem]":
    """The commands of a group that begin so, given with a line of help each, and the agent's where it has some."""
    own = dict(helps)
    theirs = sorted(name for name in _agent_verbs(context) if name not in own)
    return _items([*own.items(), *((name, OF_THE_AGENT) for name in theirs)], unfinished)


def names(context: click.Context, _: click.Parameter, unfinished: str) -> "list[CompletionItem]":
    """What the argument NAME of a verb may name, which its noun decides; a new thing has no name to offer."""
    from hermesctl.completion import live

    noun = context.parent.command.name if context.parent else ""
    session = cast("Session", context.obj)
    source = live.BY_NOUN.get(noun or "") or live.BY_NOUN.get(context.command.name or "")
    is_named = source is live.profiles and session.profile.name
    if source is None or is_named or context.command.name == "create":
        return []
    typed = context.params.get("names") or ()
    return _items([one for one in source(session) if one[0] not in typed], unfinished)


def profiles(context: click.Context, _: click.Parameter, unfinished: str) -> "list[CompletionItem]":
    """The values of `-p`."""
    from hermesctl.completion import live

    return _items(live.profiles(cast("Session", context.obj)), unfinished)


def aliases(context: click.Context, _: click.Parameter, unfinished: str) -> "list[CompletionItem]":
    """The names of aliases that can be removed; a new one has no name to offer."""
    from hermesctl.completion import live

    if not context.params.get("is_removing"):
        return []
    return _items(live.aliases(cast("Session", context.obj)), unfinished)


def _agent_verbs(context: click.Context) -> frozenset[str]:
    if context.command.name in AGENT_VERBS_UNDER:
        return AGENT_VERBS_UNDER[context.command.name]
    is_ours = any(_is_given(context, one) for one in _options(context.command.params) if not one.multiple)
    return AGENT_VERBS - REFUSED.keys() if context.parent is None and not is_ours else frozenset()


def _items(found: Iterable[tuple[str, str]], unfinished: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=text) for value, text in found if value.startswith(unfinished)]


def _options(parameters: Iterable[click.Parameter]) -> Iterator[click.Option]:
    return (one for one in parameters if isinstance(one, click.Option))


def _visible(parameters: Iterable[click.Parameter]) -> Iterator[click.Option]:
    return (one for one in _options(parameters) if not one.hidden)


def _is_given(context: click.Context, option: click.Option) -> bool:
    return context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
