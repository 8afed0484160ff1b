"""The words of hermes-agent's own command line, 0.19.0.

Owns: its commands, the options before them, and which of those take a value along. Must not know what becomes of a
command line.
"""

from collections.abc import Sequence

AGENT_VERBS = frozenset(
    (
        "chat model moa fallback secrets migrate gateway proxy lsp setup postinstall whatsapp whatsapp-cloud "
        "slack send login logout auth status cron webhook portal kanban project hooks doctor security dump "
        "debug backup checkpoints import config console pairing skills bundles plugins curator pets journey "
        "learning memory-graph memory tools computer-use mcp sessions insights claw version update uninstall "
        "acp profile completion dashboard serve desktop gui logs prompt-size"
    ).split()
)
"""Every command of hermes-agent 0.19.0. Ours win where names are equal."""

AGENT_PLUGIN_VERBS = frozenset({"honcho", "meet", "photon", "teams-pipeline"})
"""Commands that plugins which come with hermes-agent add once they are enabled."""

AGENT_SKILLS_VERBS = frozenset(
    (
        "browse search install inspect list check update audit uninstall reset list-modified diff opt-out opt-in "
        "repair-official publish snapshot tap config"
    ).split()
)
"""What stands under `skills`, which is the agent's but for what we add."""

AGENT_CONFIG_VERBS = frozenset({"check", "migrate", "env-path"})
"""What stands under `config` and is the agent's; all else there is ours."""

AGENT_VALUE_OPTIONS = frozenset(
    (
        "-z --oneshot -m --model --provider -t --toolsets -r --resume -s --skills --usage-file"  # their values are
    ).split()  # never taken for a profile flag
)
AGENT_OPTIONAL_VALUE_OPTIONS = frozenset({"-c", "--continue"})
AGENT_FLAGS = frozenset(
    (
        "-V -w --worktree --no-restore-cwd --accept-hooks --yolo --pass-session-id --ignore-user-config "
        "--ignore-rules --safe-mode --tui --cli --dev"
    ).split()
)
AGENT_OPTIONS = AGENT_VALUE_OPTIONS | AGENT_OPTIONAL_VALUE_OPTIONS | AGENT_FLAGS
"""Options that hermes-agent 0.19.0 takes before a command."""

AGENT_LOGS = {
    "agent": "logs --source agent",
    "errors": "logs --source errors",
    "gateway": "logs --source gateway",
    "gui": "hermes -- logs gui",
    "desktop": "hermes -- logs desktop",
    "mcp": "hermes -- logs mcp",
    "list": "hermes -- logs list",
}
"""What may follow the agent's own command `logs`, and how we say it."""

AGENT_COMPONENTS = {
    "gateway": ("gateway", "hermes_plugins", "plugins.platforms"),
    "agent": ("agent", "run_agent", "model_tools", "batch_runner"),
    "tools": ("tools",),
    "cli": ("hermes_cli", "cli"),
    "cron": ("cron",),
    "gui": ("hermes_cli.web_server", "hermes_cli.pty_bridge", "tui_gateway", "uvicorn"),
}
"""Parts of the agent as its command `logs` names them, and the loggers that belong to each."""

PROFILE_FLAGS = frozenset({"-p", "--profile"})


def plain_words(words: Sequence[str]) -> list[str]:
    """The agent's command and what stands under it: neither options nor their values."""
    plain: list[str] = []
    at = 0
    while at < len(words) and words[at] != "--":
        if not words[at].startswith("-"):
            plain.append(words[at])
        at += 2 if words[at] in PROFILE_FLAGS else length_at(words, at)
    return plain


def length_at(words: Sequence[str], at: int) -> int:
    """How many words belong together at this place: an option of the agent takes its value along."""
    following = words[at + 1 : at + 2]
    if words[at] in AGENT_VALUE_OPTIONS and following:
        return 2
    if words[at] in AGENT_OPTIONAL_VALUE_OPTIONS and following and not following[0].startswith("-"):
        return 2
    return 1


def is_agent_option(word: str) -> bool:
    """Whether a word is an option that the agent takes before a command, with or without a value stuck to it."""
    return word.partition("=")[0] in AGENT_OPTIONS or word[:2] in {"-z", "-m", "-t", "-r", "-s", "-c"}
