"""Whose command line this is, and which profile it names.

Owns: telling our command line from the agent's, and finding `-p` in either. Our own commands are parsed by click;
the agent's reach it untouched but for the profile flag. Must not know how either is carried out.
"""

import difflib
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from hermesctl.agent_words import (
    AGENT_CONFIG_VERBS,
    AGENT_OPTIONS,
    AGENT_PLUGIN_VERBS,
    AGENT_VERBS,
    PROFILE_FLAGS,
    is_agent_option,
    length_at,
    plain_words,
)
from hermesctl.errors import Fix, HermesError, usage
from hermesctl.refusals import AGENT_GATEWAY_VERBS, HELP, REFUSED, refusal

REFUSED_GATEWAY_VERBS = frozenset({"run", "install", "uninstall", "migrate-legacy"})
REFUSED_PROFILE_VERBS = frozenset("info install update".split())
"""Verbs of the agent that stand under nouns of ours, and that we have no equal of."""

GATEWAY_NOUNS = frozenset({"gateway", "gw"})
SKILLS = "skills"
CONFIG = "config"
OUR_SKILLS_VERBS = frozenset({"sync"})
"""All other words under this noun are the agent's."""

PROFILE_NOUNS = frozenset({"profile", "p"})

OUR_VALUE_OPTIONS = frozenset({"-o", "--output", "--color"})
OUR_FLAGS = re.compile(
    r"--json|--no-headers|-[qv]+|--quiet|--verbose|-h|--help|--version|(--output|--color)=.*|-o.+"
)
OUR_ANSWERS = frozenset({"-h", "--help", "--version"})
"""Options that are a command by themselves."""

PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class OwnCommand:
    """A command line for our own program, with its profile flags still in it."""

    arguments: tuple[str, ...]


@dataclass(frozen=True)
class AgentCommand:
    """A command line for the agent, with the profile flags taken out."""

    profile: str
    """The profile that `-p` names; empty if none does."""
    arguments: tuple[str, ...]


class NamedProfile:
    """The profile that flags name, which may be repeated but not contradicted."""

    def __init__(self) -> None:
        self.name = ""

    def set(self, name: str) -> None:
        """Notes one flag's value.

        Raises:
            HermesError: PROFILE_CONFLICT, another flag named another profile; ARGUMENT_INVALID, it is empty.
        """
        if not name:
            raise usage("'-p' needs the name of a profile")
        if self.name and self.name.lower() != name.lower():
            raise HermesError(
                "PROFILE_CONFLICT",
                f"two different profiles are named: '{self.name}' and '{name}'",
                why="a command works on one profile",
            )
        self.name = name


def split(argv: Sequence[str], nouns: Collection[str]) -> OwnCommand | AgentCommand:
    """Tells our command line, given our nouns and their aliases, from the agent's.

    Raises:
        HermesError: PROFILE_CONFLICT; ARGUMENT_INVALID for an unknown word, or one the agent must not get.
    """
    profile = NamedProfile()
    ours: list[str] = []
    at = 0
    while at < len(argv):
        word = argv[at]
        if taken := _take_profile(argv, at, profile):
            at += taken
        elif word in OUR_ANSWERS:
            return OwnCommand(tuple(argv))
        elif word in OUR_VALUE_OPTIONS or OUR_FLAGS.fullmatch(word):
            ours.append(word)
            at += 2 if word in OUR_VALUE_OPTIONS else 1
        elif word.startswith("-") and word != "--":
            return _for_agent(argv[at:], profile, ours) if is_agent_option(word) else _unknown_option(word)
        else:
            return _by_verb(argv, at, profile, ours, nouns)
    if profile.name and not ours:
        return AgentCommand(profile.name, ("chat",))
    if ours:
        raise usage(f"'{ours[0]}' is given without a command", fixes=[Fix("hermesctl --help")])
    return OwnCommand(("--help",))


def is_json_wanted(argv: Sequence[str]) -> bool:
    """Whether a command line that could not be parsed asked for JSON, so that its error is JSON too."""
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    asked = {f"{word}={value}" for word, value in pairwise(words)} | set(words)
    formats = ("json", "jsonl")
    return "--json" in asked or any(
        form in asked for one in formats for form in (f"-o={one}", f"--output={one}", f"-o{one}")
    )


def refuse(words: Sequence[str], profile: str) -> None:
    """Refuses a command line of the agent that would work against the daemon; `profile` is empty if none is named.

    Raises:
        HermesError: ARGUMENT_INVALID, with the command of ours that does it instead.
    """
    if HELP & set(words):
        return
    verb, *following = plain_words(words) or [""]
    if failure := refusal(verb, following, profile):
        raise failure


def _by_verb(
    argv: Sequence[str], at: int, profile: NamedProfile, ours: list[str], nouns: Collection[str]
) -> OwnCommand | AgentCommand:
    verb, rest = argv[at], argv[at + 1 :]
    if verb == "help" and verb not in rest:
        return split([*argv[:at], *rest, "--help"], nouns)
    own = _first_word(rest)
    if verb in GATEWAY_NOUNS and own in REFUSED_GATEWAY_VERBS | AGENT_GATEWAY_VERBS:
        return _for_agent(["gateway", *rest], profile, ours)
    if verb in PROFILE_NOUNS and own in REFUSED_PROFILE_VERBS:
        refuse(["profile", *plain_words(rest[rest.index(own) :])], "")
    if verb == SKILLS and own not in OUR_SKILLS_VERBS and (own or not HELP & set(rest)):
        return _for_agent([verb, *rest], profile, ours)
    if verb == CONFIG and own in AGENT_CONFIG_VERBS:
        return _for_agent([verb, *rest], profile, ours)
    if verb in nouns or verb == "--":
        return OwnCommand(tuple(argv))
    if verb in AGENT_VERBS or verb in AGENT_PLUGIN_VERBS:
        return _for_agent([verb, *rest], profile, ours)
    raise _unknown_verb(verb, rest, profile, nouns)


def _unknown_verb(verb: str, rest: Sequence[str], profile: NamedProfile, nouns: Collection[str]) -> HermesError:
    """The failure for a word that may be a slip, or a command of a plugin that only the agent knows."""
    known = sorted({*nouns, *AGENT_VERBS} - REFUSED.keys())
    name, words = _extract_profile(rest, profile)
    plain = takewhile(lambda word: not word.startswith("-"), [verb, *words])
    named = f" -p {shlex.quote(name)}" if name else ""
    passed = Fix(f"hermesctl hermes{named} -- {shlex.join(plain)}", "if a plugin of the agent adds it")
    return usage(
        f"'{verb}' is not a command",
        why=suggestion(verb, known),
        fixes=[Fix("hermesctl --help", "see all commands"), passed],
    )


def _first_word(words: Sequence[str]) -> str:
    """The first word that is no option nor the value of one; empty if there is none."""
    _, rest = _extract_profile(words, NamedProfile())
    values = {at + 1 for at, word in enumerate(rest) if word in OUR_VALUE_OPTIONS}
    return next((word for at, word in enumerate(rest) if at not in values and not word.startswith("-")), "")


def _for_agent(words: Sequence[str], profile: NamedProfile, ours: list[str]) -> AgentCommand:
    if ours:
        raise usage(f"'{ours[0]}' is for hermesctl's own commands; '{words[0]}' belongs to the agent")
    name, arguments = _extract_profile(words, profile)
    refuse(arguments, name)
    return AgentCommand(name, tuple(arguments))


def _extract_profile(words: Sequence[str], profile: NamedProfile) -> tuple[str, list[str]]:
    """Takes the profile flags out of the agent's words, where the agent itself would look for them."""
    kept: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--" or (word == "--args" and _follows_mcp_add(kept)):
            break
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in PROFILE_FLAGS and not PROFILE_NAME.fullmatch(following.lower()):
            taken = 0  # a flag of the agent's own command, such as a port
        else:
            taken = _take_profile(words, at, profile)
        if taken:
            at += taken
            continue
        end = at + length_at(words, at)
        kept.extend(words[at:end])
        at = end
    return profile.name, [*kept, *words[at:]]


def _take_profile(words: Sequence[str], at: int, profile: NamedProfile) -> int:
    """Notes a profile flag at this place; returns how many words it takes, 0 if there is none."""
    word = words[at]
    if word in PROFILE_FLAGS:
        profile.set(words[at + 1] if at + 1 < len(words) else "")
        return 2
    if word.startswith("--profile="):
        profile.set(word.removeprefix("--profile="))
        return 1
    return 0


def _follows_mcp_add(words: Sequence[str]) -> bool:
    """Whether what follows `--args` is another program's command line."""
    return "mcp" in words and "add" in words[list(words).index("mcp") :]


def _unknown_option(word: str) -> OwnCommand:
    known = [*AGENT_OPTIONS, "--profile", "--output", "--json", "--no-headers", "--quiet", "--verbose", "--color"]
    raise usage(f"'{word}' is not an option", why=suggestion(word, sorted(known)), fixes=[Fix("hermesctl --help")])


def suggestion(word: str, known: Collection[str]) -> str:
    """What someone who typed `word` may have meant, as a question; empty if nothing is near."""
    near = difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(repr(one) for one in near)}?" if near else ""
