"""Changing a file of settings in an editor.

Owns: that a text which cannot be saved is edited again or kept, and that a copy with secrets in it does not stay
behind where it was saved. Must not touch the file itself: the daemon does.
"""

from hermesctl import setting_verbs as verbs
from hermesctl.editing import Copy, edit
from hermesctl.errors import HermesError
from hermesctl.session import Session
from hermesctl.text import clean
from hermesd.v1 import configs_pb2 as v1


def edit_file(session: Session, file: v1.ConfigFile.ValueType) -> None:
    """Lets a person edit all of a file; saved once it can be read, and only over what was opened.

    Raises:
        HermesError: DECLINED, the editor ended with a failure; CHANGED_MEANWHILE, CONFIG_INVALID and whatever else
            the daemon refuses: the text is kept then, and it is said where.
    """
    session.terminal.need_own_process()
    chosen = session.select(is_change=True)
    opened = session.client.configs.OpenConfig(v1.OpenConfigRequest(profile=chosen, file=file))
    session.close()  # the person may take longer than a daemon lives
    noun = "env" if file == v1.CONFIG_FILE_ENV else "config"
    copy = Copy(verbs.FILES[file], opened.text.encode())
    try:
        done = _saved(session, chosen, opened, copy, instead=f"hermesctl {noun} set KEY=VALUE -p {chosen}")
    except (HermesError, OSError, KeyboardInterrupt):
        _keep(session, opened, copy)
        raise
    copy.drop()
    verbs.tell(session, chosen, done)


def _saved(
    session: Session, name: str, opened: v1.ConfigText, copy: Copy, *, instead: str
) -> v1.UpdateConfigResponse:
    """Edits until what came of it can be saved, or the person gives up."""
    while True:
        edit(session.terminal, copy, instead=instead)
        text = _text(copy)
        if text == opened.text:
            return v1.UpdateConfigResponse()
        request = v1.WriteConfigRequest(profile=name, file=opened.file, text=text, revision=opened.revision)
        try:
            return _written(session, request)
        except HermesError as error:
            if error.reason != "CONFIG_INVALID" or not session.terminal.can_ask:
                raise
            session.terminal.say(
                f"not saved: {clean(error.message)}{f': {clean(error.why)}' if error.why else ''}\n"
            )
            answer = session.terminal.ask("Edit it again? [Y/n] ")
            if answer is None or answer.strip().lower() in {"n", "no"}:
                raise


def _written(session: Session, request: v1.WriteConfigRequest) -> v1.UpdateConfigResponse:
    """Raises HermesError for whatever the daemon refuses, so that it can be answered."""
    import grpc

    from hermesctl.client import explain

    try:
        return session.client.configs.WriteConfig(request)
    except grpc.RpcError as error:
        raise explain(error) from error


def _text(copy: Copy) -> str:
    """What the person made of it. Raises HermesError: CONFIG_INVALID, it is no text."""
    try:
        return copy.read().decode()
    except UnicodeDecodeError as error:
        raise HermesError("CONFIG_INVALID", "cannot save it", why="it is not UTF-8") from error


def _keep(session: Session, opened: v1.ConfigText, copy: Copy) -> None:
    """Says where a text is that was not saved; one that nobody has touched is dropped."""
    try:
        is_touched = copy.read() not in (opened.text.encode(), b"")
    except OSError:
        is_touched = False
    if is_touched:
        session.terminal.say(f"your text is kept in {clean(str(copy.path))}\n")
    else:
        copy.drop()
