"""What `config` and `env` have in common: how values are given, and how a change is told.

Owns: that no secret is taken from a command line, which anybody can read while it runs and a shell remembers. Must
not know where a setting is kept: the daemon does.
"""

import re
from collections.abc import Sequence

from hermesctl.errors import Fix, HermesError, usage
from hermesctl.inherited import NO_SECRET, SECRET
from hermesctl.session import Session
from hermesctl.tables import Column
from hermesctl.text import clean
from hermesd.v1 import configs_pb2 as v1

FILES = {v1.CONFIG_FILE_CONFIG: "config.yaml", v1.CONFIG_FILE_ENV: ".env"}
MOST_VALUE_BYTES = 1 << 16
MOST_FILE_BYTES = 1 << 20
NOT_SECRET_NAMES = ("_ENV", "_TOKENS")
"""What names a variable, and what is counted."""

PLAIN = re.compile(r"true|false|yes|no|on|off|[0-9.]{0,7}", re.IGNORECASE)
"""What no secret is, whatever its key is called: a yes, a no, a number that somebody chose."""

COLUMNS: list[Column[v1.Setting]] = [
    Column("KEY", lambda one: one.key),
    Column("VALUE", lambda one: one.value),
]


def changes_of(session: Session, words: Sequence[str], noun: str) -> list[v1.SettingChange]:
    """What `KEY=VALUE...`, `KEY VALUE` or `KEY` says; a value that is not there is asked for, or read from a pipe.

    Raises:
        HermesError: ARGUMENT_INVALID, the words say nothing else, or a secret is among them.
    """
    if len(words) == 1 and "=" not in words[0]:
        return [v1.SettingChange(key=words[0], value=_asked(session, words[0], noun))]
    if len(words) == 2 and "=" not in words[0]:
        pairs = [(words[0], words[1])]
    else:
        pairs = []
        for word in words:
            key, mark, value = word.partition("=")
            if not (key and mark):
                raise usage(f"'{clean(word)}' says no value", fixes=[Fix(f"hermesctl {noun} set KEY=VALUE")])
            pairs.append((key, value))
    for key, value in pairs:
        if is_secret(key, value):
            name = f" -p {session.profile.name}" if session.profile.name else ""
            raise usage(
                f"the value of {clean(key)} is a secret, and is not taken from a command line",
                why="others can see it there, and your shell keeps it",
                fixes=[Fix(f"hermesctl {noun} set {clean(key)}{name}", "asks for it, or reads it from a pipe")],
            )
    return [v1.SettingChange(key=key, value=value) for key, value in pairs]


def update(session: Session, changes: Sequence[v1.SettingChange], *, are_variables: bool = False) -> None:
    """Has the daemon make the changes, and tells what came of them."""
    chosen = session.select(is_change=True)
    request = v1.UpdateConfigRequest(profile=chosen, changes=changes, are_variables=are_variables)
    tell(session, chosen, session.client.configs.UpdateConfig(request))


def tell(session: Session, name: str, done: v1.UpdateConfigResponse) -> None:
    """What is another now, how to go back, and when it takes effect."""
    text = "" if session.is_quiet else _told(session, name, done)
    session.renderer.single("ConfigChange", done, name=name, text=lambda: text)


def reveal(session: Session, key: str, *, is_confirmed: bool, is_variable: bool = False) -> None:
    """Shows a value as it is, once a person has said that nobody looks over their shoulder.

    Raises:
        HermesError: DECLINED; ARGUMENT_INVALID, nobody is there to ask.
    """
    chosen = session.select()
    if not is_confirmed:
        if not session.terminal.can_ask:
            again = f"hermesctl {'env' if is_variable else 'config'} get {clean(key)} --reveal --yes -p {chosen}"
            raise usage("a secret is shown only to who confirms it", fixes=[Fix(again)])
        answer = session.terminal.ask(f"Show {clean(key)} of {clean(chosen)} on this screen? [y/N] ")
        if (answer or "").strip().lower() not in {"y", "yes"}:
            raise HermesError("DECLINED", "nothing was shown")
    request = v1.RevealSettingRequest(profile=chosen, key=key, is_variable=is_variable)
    told = session.client.configs.RevealSetting(request)
    data = {"key": key, "value": told.value}
    session.renderer.single("RevealedSetting", data, name=key, text=lambda: f"{clean(told.value)}\n")


def show_setting(session: Session, key: str, *, is_variable: bool = False) -> None:
    """Shows one value, masked if it is a secret; that it is the agent's default is told beside it."""
    request = v1.GetSettingRequest(profile=session.select(), key=key, is_variable=is_variable)
    found = session.client.configs.GetSetting(request)
    if found.is_default and session.form.is_text:
        session.say(f"{clean(key)} is not set; this is the agent's default")
    text = "".join(f"{clean(line)}\n" for line in found.value.split("\n"))
    session.renderer.single("Setting", found, name=found.key, text=lambda: text)


def is_secret(key: str, value: str) -> bool:
    """Whether a value should not have been typed here, by the name of its key: as the daemon masks it."""
    names = [name for name in key.split(".") if not name.isdecimal()]
    name = names[-1].upper() if names else ""
    is_named = SECRET.search(name) is not None and not name.endswith(NOT_SECRET_NAMES)
    return is_named and not NO_SECRET.fullmatch(value) and not PLAIN.fullmatch(value)


def _asked(session: Session, key: str, noun: str) -> str:
    """A value that a person types unseen, or that is piped in without the end of its last line."""
    terminal = session.terminal
    if terminal.can_ask:
        terminal.need_own_process()
        value = terminal.ask_hidden("Value (hidden): ")
    else:
        data = terminal.read_exactly(MOST_VALUE_BYTES + 1)
        if len(data) > MOST_VALUE_BYTES:
            raise usage(f"the value of {clean(key)} is too long", why=f"it may have {MOST_VALUE_BYTES} bytes")
        try:
            value = data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise usage(f"the value of {clean(key)} is no text", why="it is not UTF-8") from error
    if not value:
        fixes = [Fix(f"hermesctl {noun} unset {clean(key)}", "takes it away")]
        raise usage(f"no value was given for {clean(key)}; nothing was changed", fixes=fixes)
    return value


def _told(session: Session, name: str, done: v1.UpdateConfigResponse) -> str:
    if not done.files:
        return "✓ already so\n"
    lines = []
    for file in done.files:
        lines.append(clean(f"{name}/{FILES[file.file]}"))
        for one in done.settings:
            if one.file == file.file:
                lines += [f"- {clean(f'{one.key}: {one.before}')}"] if one.HasField("before") else []
                lines += [f"+ {clean(f'{one.key}: {one.after}')}"] if one.HasField("after") else []
        env = " --env" if file.file == v1.CONFIG_FILE_ENV else ""
        undo = session.runnable(f"hermesctl config revert {file.before}{env} -p {name}")
        lines.append(f"✓ saved as version {file.after}" + (f"; undo: {undo}" if file.before else ""))
    lines += [f"! {clean(notice)}" for notice in done.notices]
    restart = session.runnable(f"hermesctl gateway restart {name}")
    lines.append(f"  takes effect after: {restart}" if done.is_running else "  takes effect at the next start")
    return "".join(f"{line}\n" for line in lines)
