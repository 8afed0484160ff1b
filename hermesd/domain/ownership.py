"""Whose is what in the home of a profile.

Owns: the one table of what lies in a hermes-agent home (0.19.0, and what earlier ones left) and who owns each
entry. Whatever copies, packs or replaces parts of a home asks it, so that no two of them disagree. An entry that
is not in the table is the person's own. Must not know what is done with the answer, or files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Owner(StrEnum):
    """Who an entry belongs to, or what it belongs with."""

    PERSON = "person"
    """Whatever is not in the table: work, notes, scripts."""
    SETTINGS = "settings"
    SECRETS = "secrets"
    PERSONALITY = "personality"
    MEMORY = "memory"
    SESSIONS = "sessions"
    """Conversations, and what was sent in them."""
    SKILLS = "skills"
    CRON = "cron"
    EXTENSIONS = "extensions"
    """Plugins, hooks and installed servers of tools."""
    CHANNELS = "channels"
    """Logins at messaging platforms and what goes with them: who may talk to the bot, where it left off."""
    PROFILE = "profile"
    """What the profile is for and where it came from."""
    HISTORY = "history"
    """Earlier states: backups and snapshots, which would bring back the profile they were made of."""
    CACHE = "cache"
    """What is made again when it is missing."""
    RUNTIME = "runtime"
    """What belongs to processes: who runs, who holds what, what they are in the middle of."""
    LOG = "log"
    SHARED = "shared"
    """In the root alone: other profiles, installations, and what all profiles have in common."""
    OURS = "ours"
    """What hermesd keeps: staging and the trash."""


_EVERYWHERE: Mapping[Owner, str] = {
    Owner.SETTINGS: "config.yaml gateway.json channel_aliases.json skins shell-hooks-allowlist.json honcho.json"
    " mem0.json gateway_voice_mode.json .no-bundled-skills desktop.json",
    Owner.SECRETS: ".env .env.* .op.env auth.json .anthropic_oauth.json nous_auth.json google_token.json"
    " google_client_secret.json mcp-tokens",
    Owner.PERSONALITY: "SOUL.md system_prompt.md AGENTS.md CLAUDE.md .cursorrules",
    Owner.MEMORY: "memories MEMORY.md USER.md memory_store.db byterover hindsight knowledge preferences",
    Owner.SESSIONS: "state.db hermes_state.db sessions session-exports response_store.db projects.db images pastes"
    " .hermes_history moa-traces verification_evidence.db todo.json state"
    " image_cache audio_cache document_cache video_cache browser_screenshots browser_recordings"
    " cache cache/images cache/audio cache/documents cache/videos cache/screenshots",
    Owner.SKILLS: "skills optional-skills skill-bundles",
    Owner.CRON: "cron",
    Owner.EXTENSIONS: "plugins hooks mcp-installs optional-mcps",
    Owner.CHANNELS: "platforms whatsapp whatsapp_cloud matrix weixin pairing slack_tokens.json *_threads.json"
    " google_chat_user_token.json google_chat_user_tokens google_chat_user_client_secret.json"
    " google_chat_user_oauth_pending.json google_chat_user_oauth_pending google_chat_thread_counts.json"
    " discord_command_sync_state.json discord_message_recovery.db discord_nonconversational_messages.json"
    " feishu_seen_message_ids.json feishu_comment_rules.json feishu_comment_pairing.json"
    " teams_pipeline_store.json webhook_subscriptions.json channel_directory.json sticker_cache.json"
    " gateway/dead_targets.json state/rich_sent_index.json",
    Owner.PROFILE: "profile.yaml distribution.yaml",
    Owner.HISTORY: "backups state-snapshots checkpoints config.yaml.*.bak config.yaml.bak*"
    " skills/.curator_backups",
    Owner.CACHE: "cache/* web_cache delegation_cache temp_vision_images temp_video_files piper_voices_cache"
    " context_length_cache.yaml models_dev_cache.json models_cache.json provider_models_cache.json"
    " ollama_cloud_models_cache.json .skills_prompt_snapshot.json .update_check .tirith-install-failed"
    " .codex_gpt55_autoraise_notice chrome-debug .cache",
    Owner.RUNTIME: "gateway.pid gateway.lock gateway_state.json gateway-starts.log .clean_shutdown processes.json"
    " auth.lock cron.pid .gateway-planned-stop.json .gateway-takeover.json .drain_request.json"
    " .gateway-launchd-unsupported .restart_* .update_* .*.tmp *.json.tmp *.yaml.tmp"
    " state/gateway.heartbeat state/*.tmp state/.*.tmp gateway/restart_loop.json gateway/*.tmp gateway/.*.tmp"
    " cron/.tick.lock cron/.jobs.lock cron/ticker_heartbeat cron/ticker_last_success cron/*.tmp cron/.*.tmp"
    " memories/*.lock memories/*.tmp memories/.*.tmp sessions/*.tmp sessions/.*.tmp"
    " skills/*.tmp skills/.*.tmp spawn-trees singularity_snapshots.json modal_snapshots.json",
    Owner.LOG: "logs errors.log interrupt_debug.log",
    Owner.SHARED: ".managed .container-mode .install_method",
}
"""By owner, entries of every home, each a path; `*` stands for part of a name. What is longer wins."""

_IN_THE_ROOT: Mapping[Owner, str] = {
    Owner.SHARED: "profiles active_profile active_profile.tmp hermes-agent .worktrees bin node node_modules"
    " .npm-global kanban kanban.db honcho.json .skip_upstream_prompt desktop-build-stamp.json lazy-packages",
    Owner.OURS: "profiles/.hermesd",
}
"""Entries that are something else in the root, which is the default profile's home."""

_COMPILED = "__pycache__"
_BY_ENDING: Mapping[str, Owner] = {
    ".pyc": Owner.CACHE,
    ".pyo": Owner.CACHE,
    ".db-wal": Owner.RUNTIME,
    ".db-shm": Owner.RUNTIME,
    ".db-journal": Owner.RUNTIME,
}
"""Names at any depth that say it themselves. What is beside an open database means nothing without processes."""


@dataclass
class _Branch:
    """What is known below one entry."""

    owner: Owner | None = None
    names: dict[str, "_Branch"] = field(default_factory=dict)
    patterns: list[tuple[str, "_Branch"]] = field(default_factory=list)

    def below(self, name: str) -> "_Branch | None":
        """What is known of a name here: itself before a pattern that fits it."""
        found = self.names.get(name)
        if found is not None:
            return found
        return next((branch for pattern, branch in self.patterns if fnmatchcase(name, pattern)), None)

    def grow(self, path: str, owner: Owner) -> None:
        """Writes down whose a path is."""
        first, _, rest = path.partition("/")
        branch = self.names.get(first) or next((one for pattern, one in self.patterns if pattern == first), None)
        if branch is None:
            branch = _Branch()
            if "*" in first:
                self.patterns.append((first, branch))
            else:
                self.names[first] = branch
        if rest:
            branch.grow(rest, owner)
        else:
            branch.owner = owner


def _grown(tables: Iterable[Mapping[Owner, str]]) -> _Branch:
    tree = _Branch()
    for table in tables:
        for owner, paths in table.items():
            for path in paths.split():
                tree.grow(path, owner)
    return tree


_OF_A_HOME = _grown([_EVERYWHERE])
_OF_THE_ROOT = _grown([_EVERYWHERE, _IN_THE_ROOT])


def owner_of(path: Sequence[str], *, is_root: bool) -> Owner:
    """Whose an entry is, by the names from the home down to it; `is_root` says that the home is the root.

    What lies in a directory is its owner's, unless the table says otherwise. Total: any names have one owner.
    """
    owner = Owner.PERSON
    branch = _OF_THE_ROOT if is_root else _OF_A_HOME
    for name in path:
        below = branch.below(name)
        if below is None:
            break
        branch, owner = below, below.owner or owner
    if owner in {Owner.SHARED, Owner.OURS}:
        return owner
    if _COMPILED in path:
        return Owner.CACHE
    return _BY_ENDING.get(_ending(path[-1]), owner) if path else owner


def _ending(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""


NEVER_COPIED = frozenset({Owner.HISTORY, Owner.CACHE, Owner.RUNTIME, Owner.LOG, Owner.SHARED, Owner.OURS})
"""What no other profile takes over: it is made again, belongs to processes, or is no profile's."""
