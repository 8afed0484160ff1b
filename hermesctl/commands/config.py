"""`hermesctl config`: a profile's settings, and every earlier state of them.

Owns: the verbs and how they show things. Must not touch a file: the daemon does.
"""

import difflib

import click

from hermesctl import setting_verbs as verbs
from hermesctl.agent_words import AGENT_CONFIG_VERBS
from hermesctl.options import Group
from hermesctl.session import Session
from hermesctl.setting_editing import edit_file
from hermesctl.shapes import seconds, word
from hermesctl.tables import Column
from hermesctl.text import clean, size
from hermesctl.times import age, rfc3339
from hermesd.v1 import configs_pb2 as v1

ORIGINS = {
    "found": "there before hermesd changed it",
    "command": "a command",
    "revert": "a revert",
    "elsewhere": "somebody else",
}
"""How a version came to be, for people."""

HELP = f"""Look at settings and change them; nothing that was there is lost.

Keys that end in _API_KEY or _TOKEN are kept in .env, all others in config.yaml, as hermes-agent has it.
Comments and every other line stay as they are.

The agent's own: {", ".join(sorted(AGENT_CONFIG_VERBS))}."""

config = Group("config", help=HELP)

env_option = click.option("--env", "is_env", is_flag=True, help="Of .env, instead of config.yaml.")


@config.command()
@click.argument("key")
@click.option("--reveal", "is_revealing", is_flag=True, help="Show a secret as it is; that is recorded.")
@click.option("-y", "--yes", "is_confirmed", is_flag=True, help="With --reveal, do not ask.")
@click.pass_obj
def get(session: Session, key: str, is_revealing: bool, is_confirmed: bool) -> None:
    """Show one setting. A secret is shown by its fingerprint."""
    if is_revealing:
        verbs.reveal(session, key, is_confirmed=is_confirmed)
    else:
        verbs.show_setting(session, key)


@config.command("set")
@click.argument("words", nargs=-1, required=True, metavar="KEY=VALUE... | KEY [VALUE]")
@click.option("--force", is_flag=True, hidden=True, help="Taken for the sake of hermes config; changes nothing.")
@click.pass_obj
def set_(session: Session, words: tuple[str, ...], force: bool) -> None:
    """Set settings. Without a value it is asked for, or read from a pipe: so that secrets stay unseen."""
    verbs.update(session, verbs.changes_of(session, words, "config"))


@config.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.pass_obj
def unset(session: Session, keys: tuple[str, ...]) -> None:
    """Take settings away, so that the agent's defaults hold."""
    verbs.update(session, [v1.SettingChange(key=key) for key in keys])


@config.command()
@env_option
@click.option("--version", "version", type=click.IntRange(min=1), metavar="N", help="As it was in this version.")
@click.pass_obj
def show(session: Session, is_env: bool, version: int | None) -> None:
    """Show the file with its secrets masked."""
    found = _get(session, session.select(), is_env=is_env, version=version or 0)
    text = "".join(f"{clean(line)}\n" for line in found.text.splitlines())
    if session.form.is_text and not found.text:
        session.say(f"{clean(found.path)} sets nothing")
    session.renderer.single("Config", found, name=verbs.FILES[found.file], text=lambda: text)


@config.command()
@env_option
@click.pass_obj
def edit(session: Session, is_env: bool) -> None:
    """Change the file in $VISUAL, $EDITOR or vi. What cannot be read is not saved."""
    edit_file(session, _file(is_env=is_env))


@config.command()
@click.argument("version", type=click.IntRange(min=1), required=False, metavar="[VERSION]")
@env_option
@click.pass_obj
def diff(session: Session, version: int | None, is_env: bool) -> None:
    """Show what has changed since a version, or since the last change."""
    chosen = session.select()
    kept = _versions(session, chosen, is_env=is_env)
    now = _get(session, chosen, is_env=is_env)
    before = version or next((one.number for one in kept if one.number != now.version), 0)
    if not before:
        session.say(f"no earlier version of {verbs.FILES[_file(is_env=is_env)]} is kept")
    was = _get(session, chosen, is_env=is_env, version=before) if before else now
    lines = list(
        difflib.unified_diff(
            was.text.splitlines(), now.text.splitlines(), f"version {before}", "now", lineterm="", n=2
        )
    )
    text = "".join(f"{clean(line)}\n" for line in lines)
    data = {"file": verbs.FILES[now.file], "before": before, "diff": lines}
    session.renderer.single("ConfigDiff", data, name=verbs.FILES[now.file], text=lambda: text)


@config.command()
@env_option
@click.pass_obj
def history(session: Session, is_env: bool) -> None:
    """List the versions that are kept, newest first: the last fifty."""
    now_s = session.terminal.now_s()
    is_rough = session.terminal.columns is not None
    columns: list[Column[v1.ConfigVersion]] = [
        Column("VERSION", lambda one: str(one.number), is_number=True),
        Column("KEPT", lambda one: _moment(one, now_s) if is_rough else rfc3339(seconds(one.kept_at))),
        Column("BY", lambda one: ORIGINS.get(word(v1.ConfigOrigin.DESCRIPTOR, one.origin), "?")),
        Column("SIZE", lambda one: size(one.size_bytes), is_number=True),
    ]
    session.renderer.listing(
        "ConfigVersion",
        _versions(session, session.select(), is_env=is_env),
        columns,
        name=lambda one: str(one.number),
        empty="no version is kept: hermesd has not changed this file yet",
    )


@config.command()
@click.argument("version", type=click.IntRange(min=1))
@env_option
@click.pass_obj
def revert(session: Session, version: int, is_env: bool) -> None:
    """Make the file what it was in a version. That is a new version, and none is taken away."""
    chosen = session.select(is_change=True)
    request = v1.RevertConfigRequest(profile=chosen, file=_file(is_env=is_env), version=version)
    verbs.tell(session, chosen, session.client.configs.RevertConfig(request))


@config.command()
@env_option
@click.pass_obj
def path(session: Session, is_env: bool) -> None:
    """Print where the file is."""
    found = _get(session, session.select(), is_env=is_env)
    data = {"file": verbs.FILES[found.file], "path": found.path}
    session.renderer.single("ConfigPath", data, name=found.path, text=lambda: f"{clean(found.path)}\n")


def _moment(version: v1.ConfigVersion, now_s: float) -> str:
    return f"{age(max(0.0, now_s - seconds(version.kept_at)))} ago"


def _versions(session: Session, name: str, *, is_env: bool) -> list[v1.ConfigVersion]:
    request = v1.ListConfigVersionsRequest(profile=name, file=_file(is_env=is_env))
    return list(session.client.configs.ListConfigVersions(request).versions)


def _get(session: Session, name: str, *, is_env: bool, version: int = 0) -> v1.Config:
    request = v1.GetConfigRequest(profile=name, file=_file(is_env=is_env), version=version)
    return session.client.configs.GetConfig(request)


def _file(*, is_env: bool) -> v1.ConfigFile.ValueType:
    return v1.CONFIG_FILE_ENV if is_env else v1.CONFIG_FILE_CONFIG
