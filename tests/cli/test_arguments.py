"""Whose command line it is, and which profile it names."""

import shlex

import pytest

from hermesctl.agent_words import AGENT_OPTIONS, AGENT_PLUGIN_VERBS, AGENT_VERBS
from hermesctl.arguments import (
    AgentCommand,
    OwnCommand,
    is_json_wanted,
    refuse,
    split,
)
from hermesctl.cli import NOUNS
from hermesctl.errors import HermesError
from hermesctl.refusals import REFUSED
from hermesd.domain import alias

pytestmark = [pytest.mark.fast, pytest.mark.cli]

OURS = [
    "profile list",
    "-p coder gateway status",
    "gateway -p coder status",
    "gateway status -p coder",
    "gw start",
    "p ls",
    "-o json status",
    "--json status",
    "-qvv status",
    "--color=never status",
    "--help",
    "-p coder --version",
    "-h chat",
    "status -- -p x",
    "skills sync --all",
    "-p coder skills sync",
    "skills -p coder sync",
    "skills -o json sync",
    "skills --help",
    "skills -h",
]

AGENTS = [
    ("chat", "", ["chat"]),
    ("-p coder", "coder", ["chat"]),
    ("-p coder chat", "coder", ["chat"]),
    ("chat -p coder -q hello", "coder", ["chat", "-q", "hello"]),
    ("chat --profile coder", "coder", ["chat"]),
    ("chat --profile=coder x", "coder", ["chat", "x"]),
    ("-p coder -z hi", "coder", ["-z", "hi"]),
    ("-z -p", "", ["-z", "-p"]),
    ("-p coder -z -p", "coder", ["-z", "-p"]),
    ("--oneshot -p --model m", "", ["--oneshot", "-p", "--model", "m"]),
    ("-m -p chat -p coder", "coder", ["-m", "-p", "chat"]),
    ("-c session chat -p coder", "coder", ["-c", "session", "chat"]),
    ("-c -p coder", "coder", ["-c"]),
    ("--resume=x -p coder", "coder", ["--resume=x"]),
    ("-p coder --yolo", "coder", ["--yolo"]),
    ("send -- -p coder", "", ["send", "--", "-p", "coder"]),
    ("kanban add -p No:Name", "", ["kanban", "add", "-p", "No:Name"]),
    ("chat -p", "", ["chat", "-p"]),
    ("mcp add x --args run -p other", "", ["mcp", "add", "x", "--args", "run", "-p", "other"]),
    ("-p coder gateway setup", "coder", ["gateway", "setup"]),
    ("skills", "", ["skills"]),
    ("skills list", "", ["skills", "list"]),
    ("-p coder skills list --source hub", "coder", ["skills", "list", "--source", "hub"]),
    ("skills -p coder list --help", "coder", ["skills", "list", "--help"]),
    ("skills search sync", "", ["skills", "search", "sync"]),
    ("gateway enroll -p coder tok", "coder", ["gateway", "enroll", "tok"]),
    ("gw setup", "", ["gateway", "setup"]),
    ("honcho status", "", ["honcho", "status"]),
    ("-p a chat -p a", "a", ["chat"]),
    ("chat -p CamelCase", "CamelCase", ["chat"]),
    ("-p Coder chat -p coder", "coder", ["chat"]),
    ("update --help", "", ["update", "--help"]),
    ("-m update", "", ["-m", "update"]),
    ("-z gateway", "", ["-z", "gateway"]),
]


@pytest.mark.parametrize("line", OURS)
def test_our_command_lines_are_left_to_our_parser(line: str) -> None:
    """What starts with one of our nouns, or asks for help, is ours, profile flags and all."""
    assert split(line.split(), NOUNS) == OwnCommand(tuple(line.split()))


@pytest.mark.parametrize(("line", "profile", "arguments"), AGENTS)
def test_the_agents_command_lines_lose_only_the_profile_flag(
    line: str, profile: str, arguments: list[str]
) -> None:
    """Everything but `-p` reaches the agent as it was typed, and values of its options are no flags."""
    assert split(line.split(), NOUNS) == AgentCommand(profile, tuple(arguments))


@pytest.mark.parametrize("verb", sorted(AGENT_VERBS))
def test_every_verb_of_the_agent_is_ours_or_passed_on_or_refused_with_a_fix(verb: str) -> None:
    """No verb of hermes-agent 0.19.0 is unknown."""
    if verb in REFUSED:
        with pytest.raises(HermesError, match="is not run beside hermesd"):
            split([verb], NOUNS)
    else:
        assert split([verb], NOUNS).arguments == (verb,)


@pytest.mark.parametrize("option", sorted(AGENT_OPTIONS))
def test_a_leading_option_of_the_agent_makes_the_line_the_agents(option: str) -> None:
    """`coder -z hi` needs no verb."""
    assert isinstance(split(["-p", "coder", option, "value"], NOUNS), AgentCommand)


@pytest.mark.parametrize(
    "line",
    ["-p a -p b chat", "-p a chat --profile=b", "chat -p a -p b", "-p a --profile b", "chat -p a --profile=b"],
)
def test_two_different_profiles_are_a_conflict(line: str) -> None:
    """A command works on one profile."""
    with pytest.raises(HermesError) as caught:
        split(line.split(), NOUNS)
    assert (caught.value.reason, caught.value.exit_code) == ("PROFILE_CONFLICT", 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("profil list", "did you mean 'profile'?"),
        ("chta", "did you mean 'chat'?"),
        ("--modle x", "did you mean '--model'"),
    ],
)
def test_an_unknown_word_gets_a_suggestion(line: str, said: str) -> None:
    """What looks like a typing error is told, never corrected."""
    with pytest.raises(HermesError) as caught:
        split(line.split(), NOUNS)
    assert said in caught.value.why
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("update", "hermesctl runtime install"),
        ("uninstall --full", "hermesctl runtime list"),
        ("dashboard", "hermesctl status"),
        ("serve --port 1", "hermesctl status"),
        ("gui", "hermesctl status"),
        ("--yolo update", "hermesctl runtime install"),
        ("-m gateway uninstall", "hermesctl runtime list"),
        ("-m x gateway restart", "hermesctl gateway restart"),
        ("-p coder --yolo gateway", "hermesctl gateway start -p coder"),
        ("--cli profile delete coder", "hermesctl profile delete coder"),
        ("gateway run", "hermesctl gateway start"),
        ("-p coder gateway install", "hermesctl gateway start -p coder"),
        ("gw run -p coder", "hermesctl gateway start -p coder"),
        ("gateway uninstall", "hermesctl gateway stop"),
        ("profile install a", "hermesctl hermes --unsafe -- profile install a"),
        ("--cli profile rename a b", "hermesctl profile rename a b"),
        ("-p coder p -o json update", "hermesctl hermes --unsafe -- profile update"),
    ],
)
def test_verbs_that_would_fight_the_daemon_are_refused(line: str, command: str) -> None:
    """The refusal says what to use instead."""
    with pytest.raises(HermesError) as caught:
        split(line.split(), NOUNS)
    assert caught.value.exit_code == 2
    assert [fix.command for fix in caught.value.fixes] == [command]


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("help", "--help"),
        ("help gateway start", "gateway start --help"),
        ("-p coder help chat", "-p coder chat --help"),
    ],
)
def test_help_is_a_word_too(line: str, same: str) -> None:
    """It is what people try first."""
    assert split(line.split(), NOUNS) == split(same.split(), NOUNS)


@pytest.mark.parametrize("line", ["-o json", "-q", "-p coder -o json", "-p", "--profile="])
def test_options_without_a_command_are_an_error(line: str) -> None:
    """They apply to nothing."""
    with pytest.raises(HermesError) as caught:
        split(line.split(), NOUNS)
    assert caught.value.exit_code == 2


def test_what_only_a_plugin_knows_can_be_passed_on_as_it_is() -> None:
    """The way is shown with the profile, and without what may be somebody's secret."""
    with pytest.raises(HermesError) as caught:
        split("-p coder frobnicate now -p coder --token s3cret".split(), NOUNS)
    assert [fix.command for fix in caught.value.fixes] == [
        "hermesctl --help",
        "hermesctl hermes -p coder -- frobnicate now",
    ]


@pytest.mark.parametrize(
    "line", ["chat", "gateway setup", "gateway --help", "profile info coder", "-z update", "-p x setup", "", "-c"]
)
def test_harmless_command_lines_of_the_agent_are_not_refused(line: str) -> None:
    """Nor are words that only look like a verb."""
    refuse(line.split(), "")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("gateway", "hermesctl gateway start -p coder"),
        ("-p other --accept-hooks gateway stop", "hermesctl gateway stop -p coder"),
        ("gateway nonsense", "hermesctl gateway --help -p coder"),
        ("profile", "hermesctl profile"),
        ("profile create --no-alias 'my work'", "hermesctl profile create 'my work'"),
        ("profile export coder", "hermesctl profile export coder"),
        ("--profile=x dashboard --stop", "hermesctl status"),
    ],
)
def test_each_refusal_names_the_command_to_use(line: str, command: str) -> None:
    """With the profile that was named."""
    with pytest.raises(HermesError, match="is not run beside hermesd") as caught:
        refuse(shlex.split(line), "coder")
    assert [fix.command for fix in caught.value.fixes] == [command]


def test_our_options_do_not_apply_to_the_agents_commands() -> None:
    """The agent would not know them, and dropping them would mislead."""
    with pytest.raises(HermesError, match="belongs to the agent"):
        split(["-o", "json", "chat"], NOUNS)


def test_no_words_at_all_ask_for_help() -> None:
    """`hermesctl` alone explains itself."""
    assert split([], NOUNS) == OwnCommand(("--help",))


@pytest.mark.parametrize("line", ["-o json x", "x -ojson", "--output=jsonl", "--json", "x --output json"])
def test_json_is_recognised_in_a_line_that_cannot_be_parsed(line: str) -> None:
    """Its error is JSON too."""
    assert is_json_wanted(line.split())


@pytest.mark.parametrize("line", ["-o table", "json", "-- --json", "--output yaml"])
def test_other_lines_do_not_ask_for_json(line: str) -> None:
    """Their errors are for people."""
    assert not is_json_wanted(line.split())


def test_both_programs_know_the_same_verbs_of_the_agent() -> None:
    """What the client hands to the agent, the daemon never lets an alias hide."""
    assert AGENT_VERBS <= alias.AGENT_VERBS
    assert alias.AGENT_VERBS - AGENT_VERBS <= AGENT_PLUGIN_VERBS
