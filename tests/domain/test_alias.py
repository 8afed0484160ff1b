"""Alias files: what is written is found again, by hermesd and by hermes-agent, and harms no shell."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.alias import (
    AGENT_VERBS,
    MARK,
    RECOGNISED_BYTES,
    Alias,
    check_name,
    parse_name,
    recognise,
    render,
)
from hermesd.domain.errors import AliasTaken, ArgumentInvalid
from hermesd.domain.profile import NAME_PATTERN, RESERVED, ProfileName

pytestmark = [pytest.mark.fast, pytest.mark.domain]

NAMES = st.from_regex(NAME_PATTERN, fullmatch=True).map(ProfileName)

ODD_CLIENTS = [
    "/opt/my apps/hermesctl",
    "/opt/it's/hermesctl",
    '/opt/"quoted"/hermesctl',
    "/opt/$HOME/hermesctl",
    "/opt/$(touch PWNED)/hermesctl",
    "/opt/`touch PWNED`/hermesctl",
    "/opt/a;touch PWNED/hermesctl",
    "/opt/a\\b/hermesctl",
    "/opt/a*b?[c]/hermesctl",
    "/opt/#a/hermesctl",
    "/opt/\u00fcml\u00e4ut/\U0001f916/hermesctl",
    "/opt/new\nline/hermesctl",
    "/opt/-p other/hermesctl",
    "/opt/hermes -p other/hermesctl",
]


def as_hermes_agent_reads(text: str) -> str | None:
    """The profile that hermes-agent 0.19.0 finds: the word after the first `hermes -p ` in the first 8 KiB."""
    _, found, rest = text[:8192].partition("hermes -p ")
    return rest.split()[0].lower() if found and rest.split() else None


@given(NAMES, st.sampled_from(["/usr/bin/hermesctl", *ODD_CLIENTS]))
def test_rendered_alias_is_recognised(name: ProfileName, client: str) -> None:
    """What `render` writes stands for its profile and is ours, wherever the client lies."""
    head = render(Path(client), name)[:RECOGNISED_BYTES]
    assert recognise(head) == (name, True)


@given(NAMES, st.sampled_from(["/usr/bin/hermesctl", *ODD_CLIENTS]))
def test_hermes_agent_recognises_it_too(name: ProfileName, client: str) -> None:
    """hermes-agent lists our alias under the right profile."""
    assert as_hermes_agent_reads(render(Path(client), name)) == str(name)


@pytest.mark.parametrize("client", ODD_CLIENTS)
def test_alias_is_a_valid_script(client: str) -> None:
    """The shell can parse the alias however odd the client's path is."""
    text = render(Path(client), ProfileName("coder"))
    checked = subprocess.run(["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("client", ODD_CLIENTS)
def test_alias_runs_the_client_with_what_was_typed(tmp_path: Path, client: str) -> None:
    """The client gets the profile and every argument unharmed, and the path's text runs nothing."""
    launcher = tmp_path / client.lstrip("/")
    launcher.mkdir(parents=True)
    program = launcher / "python3"
    program.write_text("#!/bin/sh\nshift 2\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    alias = tmp_path / "coder"
    alias.write_text(render(launcher, ProfileName("coder")))
    ran = subprocess.run(
        ["/bin/sh", alias, "-z", "say 'hi' $HOME", ""], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ran.stdout == "-p\ncoder\n-z\nsay 'hi' $HOME\n\n"
    assert not (tmp_path / "PWNED").exists()


def test_alias_without_its_launcher_looks_for_the_client(tmp_path: Path) -> None:
    """hermesd was removed, or installed elsewhere and not started yet."""
    client = tmp_path / "bin" / "hermesctl"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\nprintf '%s|' \"$@\"\n")
    client.chmod(0o755)
    text = render(tmp_path / "gone", ProfileName("coder"))
    ran = subprocess.run(
        ["/bin/sh", "-s", "chat", "a b"],
        input=text,
        env={"PATH": f"{client.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("-p|coder|chat|a b|", "")


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\nexec hermes -p coder "$@"\n',
        '#!/bin/sh\nexec /usr/bin/hermes -p coder "$@"\n',
        "#!/bin/bash\nhermes -p coder\n",
        "exec hermesctl -p coder",
    ],
)
def test_foreign_alias_is_recognised_and_not_ours(text: str) -> None:
    """An alias that hermes-agent or a person wrote is known, and left to them."""
    assert recognise(text) == (ProfileName("coder"), False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#!/bin/sh\necho hello\n",
        "hermes --profile",
        "hermes -p ",
        "hermes -p $1",
        "hermes -p Coder",
        "hermes -p -x",
        f"hermes -p {'x' * 65}",
        "\x7fELF\x00\x00",
    ],
)
def test_other_files_are_no_aliases(text: str) -> None:
    """A program that does not name a profile in so many words is no alias."""
    assert recognise(text) is None


@given(NAMES, NAMES)
def test_names_are_never_confused(name: ProfileName, other: ProfileName) -> None:
    """An alias stands for one profile: not for one whose name begins alike."""
    found = recognise(render(Path("/usr/bin/hermesctl"), name))
    assert found is not None
    assert (found[0] == other) is (name == other)


@pytest.mark.parametrize(("longer", "shorter"), [("coder2", "coder"), ("coder-2", "coder"), ("a_b", "a")])
def test_prefix_is_not_the_name(longer: str, shorter: str) -> None:
    """The alias of `coder2` is not one of `coder`."""
    found = recognise(f"exec hermes -p {longer} chat")
    assert found is not None
    assert found[0] != ProfileName(shorter)
    assert found[0] == ProfileName(longer)


@pytest.mark.parametrize("name", ["coder", "ls", "a", "0", "my_bot-2", "default2"])
def test_ordinary_name_is_allowed(name: str) -> None:
    """Any other legal name may become a command; what lies on PATH is not decided here."""
    check_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED | AGENT_VERBS | {"hermesctl", "hermesd"}))
def test_command_of_hermes_is_refused(name: str) -> None:
    """No alias hides a command of Hermes or takes a reserved name."""
    with pytest.raises(AliasTaken):
        check_name(name)


@pytest.mark.parametrize("name", ["", "Coder", "../coder", "a/b", "-x", "a b", "coder\n", "x" * 65, "a.sh"])
def test_malformed_name_is_refused(name: str) -> None:
    """An alias is a file name in a directory of programs: nothing is forgiven."""
    with pytest.raises(AliasTaken):
        check_name(name)


def test_mark_is_a_comment() -> None:
    """What marks an alias as ours is nothing to the shell."""
    assert MARK.startswith("#")
    assert Alias("coder", ProfileName("coder"), Path("/bin/coder"), is_ours=True).is_ours


def test_a_name_is_read_as_a_profiles_is() -> None:
    """Space and upper case are forgiven."""
    assert parse_name(" Bot ") == "bot"


@pytest.mark.parametrize("text", ["", "-x", "a/b", "../x", "a b", "ä", "a\n b", "x" * 65, "$(id)"])
def test_what_cannot_be_a_command_is_refused(text: str) -> None:
    """Before anything looks for a file of that name."""
    with pytest.raises(ArgumentInvalid):
        parse_name(text)
