"""hermes-agent's files of settings: where keys go, that every other byte stays, and what is never shown."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.adapters.agents import hermes_config
from hermesd.adapters.agents.hermes_config import HermesConfigFiles, is_variable
from hermesd.domain.configuration import Change, ConfigFile, Schema, flattened
from hermesd.domain.errors import ArgumentInvalid, ConfigInvalid, Incompatible, ProfileNotFound
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Runtime
from tests.adapters.hermes_homes import home_at

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

FILES = HermesConfigFiles()
CONFIG, ENV = ConfigFile.CONFIG, ConfigFile.ENV
SCHEMA = Schema({"approvals": {"mode": "manual"}}, {"terminal.backend": "TERMINAL_ENV", "terminal.cwd": "X"})
CANARY = "canary-of-a-secret-0123456789"

ODD = [
    "",
    "# nothing but a comment\n",
    "model: gpt\n",
    "model:\n  default: x # why\n\n\n# the end",
    "model: {default: x, provider: y} # flow\n",
    "base: &base\n  a: 1\nmodel:\n  <<: *base\n  default: x\n",
    "custom_providers:\n  - name: one\n    api_key: x\n  -   name: two # second\n",
    "custom_providers: [{name: one}, {name: two}]\n",
    "other: |\n  # inside\n  more: text\ntext: short\nmodel:\n    default: 'quoted'\n",
    "folded: >-\n  a\n  b\n'quoted key': 1\n\"model\":\n  default: x\n",
    "\ufeffmodel:\r\n  default: x\r\n",
    "---\nmodel:\n  default: x\n...\n",
    "a: 1\na: 2\nmodel: null\n",
    "? complex\n: 1\nmodel:\n  default: x\n",
    "1: one\ntrue: yes\nmodel: {}\n",
]
"""As people and programs write it."""

CHANGES = [
    Change("model.default", "y"),
    Change("approvals.mode", "off"),
    Change("custom_providers.1.name", "zwei"),
    Change("display.compact", "on"),
    Change("a", "1.5"),
    Change("text", "plain"),
    Change("base.a", "2"),
    Change("deep.er.est", "007"),
]


def planned(home: Home, *changes: Change, schema: Schema = SCHEMA) -> dict[ConfigFile, bytes]:
    """What each file would hold."""
    return {edit.file: edit.after for edit in FILES.plan(home, schema, changes)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.key)
@pytest.mark.parametrize("text", ODD)
def test_a_change_touches_the_lines_of_its_key_alone(tmp_path: Path, text: str, change: Change) -> None:
    """Or it is refused, where another key shares the value or a key has no line of its own."""
    home = home_at(tmp_path / "coder")
    (home.path / CONFIG).write_bytes(text.encode())
    before = dict(flattened(FILES.values(CONFIG, text.encode(), home.path)))
    if (text.startswith("base:") and change.key == "base.a") or (
        text.startswith("?") and change.key != "model.default"
    ):
        with pytest.raises(ConfigInvalid, match="by hand"):
            planned(home, change)
        return
    after = planned(home, change)[CONFIG]
    found = dict(flattened(FILES.values(CONFIG, after, home.path)))
    below = {key for key in before if key == change.key or key.startswith(f"{change.key}.")}
    above = {key for key in before if change.key.startswith(f"{key}.")}
    assert {key: found[key] for key in before.keys() - below - above - set(_shared(text))}.items() <= found.items()
    assert str(found[change.key]).lower() in {"y", "off", "zwei", "true", "1.5", "plain", "2", "7"}
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert all(line in after.decode() for line in comments)
    kept = [line for line in text.splitlines(keepends=True) if line in after.decode()]
    assert len(kept) >= len(text.splitlines()) - 1


def _shared(text: str) -> list[str]:
    """Keys that follow another by an anchor."""
    return ["model.a", "base.a"] if "&base" in text else []


def test_a_link_is_written_where_it_leads(tmp_path: Path) -> None:
    """And goes on being one; the file keeps its mode."""
    target = tmp_path / "shared.yaml"
    target.write_text("a: 1\n")
    target.chmod(0o640)
    home = home_at(tmp_path / "coder")
    (home.path / CONFIG).symlink_to(target)
    (edit,) = FILES.plan(home, SCHEMA, [Change("a", "2")])
    FILES.write(edit)
    assert (home.path / CONFIG).is_symlink()
    assert target.read_text() == "a: 2\n"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    """It is not replaced: somebody meant it."""
    home = home_at(tmp_path / "coder")
    (home.path / CONFIG).symlink_to(tmp_path / "gone" / "config.yaml")
    (edit,) = FILES.plan(home, SCHEMA, [Change("a", "2")])
    with pytest.raises(ArgumentInvalid, match=r"a link to .*gone"):
        FILES.write(edit)


def test_a_home_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    """A profile that somebody deletes meanwhile stays deleted."""
    home = home_at(tmp_path / "coder")
    (edit,) = FILES.plan(home, SCHEMA, [Change("a", "2")])
    home.path.rmdir()
    with pytest.raises(ProfileNotFound):
        FILES.write(edit)
    assert not home.path.exists()


def test_new_files_are_nobody_elses(tmp_path: Path) -> None:
    """Both may hold keys."""
    home = home_at(tmp_path / "coder")
    for edit in FILES.plan(home, SCHEMA, [Change("a", "2"), Change("A_TOKEN", "x")]):
        FILES.write(edit)
    assert {(home.path / file).stat().st_mode & 0o777 for file in ConfigFile} == {0o600}


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("openai_api_key", True),
        ("TELEGRAM_BOT_TOKEN", True),
        ("sudo_password", True),
        ("TERMINAL_SSH_PORT", True),
        ("API_SERVER_KEY", False),
        ("API_SERVER_PORT", False),
        ("model.api_key", False),
        ("a.b_token", False),
    ],
)
def test_keys_of_variables_are_told_by_their_names(key: str, is_one: bool) -> None:
    """As `hermes config set` does; they are written in capital letters."""
    assert is_variable(key) is is_one


def test_what_the_agent_reads_from_a_variable_too_follows(tmp_path: Path) -> None:
    """But for the directory, which is never taken from there."""
    home = home_at(tmp_path / "coder")
    found = planned(home, Change("terminal.backend", "docker"), Change("terminal.cwd", "/work"))
    assert found == {ENV: b"TERMINAL_ENV=docker\n", CONFIG: b"terminal:\n  backend: docker\n  cwd: /work\n"}


def test_an_old_name_is_written_as_the_one_that_is_read(tmp_path: Path) -> None:
    """`api_base` would be passed over."""
    found = planned(home_at(tmp_path / "coder"), Change("model.api_base", "http://x/v1"))
    assert found == {CONFIG: b"model:\n  base_url: http://x/v1\n"}


@pytest.mark.parametrize("name", ["PATH", "LD_AUDIT", "PYTHONPATH", "HERMES_HOME", "GIT_EXEC_PATH", "ENV"])
def test_what_steers_programs_is_never_written(tmp_path: Path, name: str) -> None:
    """An agent would run something else."""
    with pytest.raises(ArgumentInvalid, match="steers programs"):
        FILES.plan_variables(home_at(tmp_path / "coder"), [Change(name, "/tmp/x")])


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITLAB_TOKEN", "NODE_AUTH_TOKEN", "HERMES_LANGFUSE_KEY"])
def test_keys_that_only_sound_so_are_written(tmp_path: Path, name: str) -> None:
    """People have them."""
    (edit,) = FILES.plan_variables(home_at(tmp_path / "coder"), [Change(name, CANARY)])
    assert edit.after == f"{name}={CANARY}\n".encode()


@pytest.mark.parametrize(("name", "value"), [("A B", "x"), ("1A", "x"), ("A_KEY", "two\nlines"), ("A_KEY", "ä")])
def test_what_no_env_can_hold_is_refused_without_its_value(tmp_path: Path, name: str, value: str) -> None:
    """hermes-agent would drop or break it."""
    with pytest.raises(ArgumentInvalid) as failure:
        FILES.plan_variables(home_at(tmp_path / "coder"), [Change(name, value)])
    assert value not in failure.value.message or value == "x"


@pytest.mark.parametrize(
    "text",
    [
        f"model:\n  api_key: {CANARY}\n",
        f"model: {{api_key: '{CANARY}'}}\n",
        f'custom_providers:\n- name: x\n  api_key: "{CANARY}"\n',
        f"# api_key: {CANARY}\n",
        f"x: 1 # token={CANARY}\n",
        f"secret: |\n  {CANARY}\n",
        f"secret: &one {CANARY}\nagain: *one\n",
        f"proxy: http://me:{CANARY}@host/\n",
        "note: 1111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n# 1111:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
    ],
)
def test_no_secret_is_shown_wherever_it_stands(text: str) -> None:
    """In YAML, in comments, and behind an anchor."""
    told = FILES.masked(CONFIG, text.encode(), Path("x"))
    assert CANARY not in told
    assert "AAAAAAAAAA" not in told


@pytest.mark.parametrize(
    "line", [f"A_TOKEN={CANARY}", f"export A_TOKEN='{CANARY}'", f"# A_TOKEN={CANARY}", f'#export A_KEY="{CANARY}"']
)
def test_no_variable_is_shown_that_is_a_secret(line: str) -> None:
    """Nor one that was switched off; all else is as it was."""
    told = FILES.masked(ENV, f"LEVEL=7 # why\n{line}\n\nLAST=x\n".encode(), Path("x"))
    assert CANARY not in told
    assert told.startswith("LEVEL=7 # why\n")
    assert told.endswith("\n\nLAST=x\n")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_whatever_stands_there_is_shown_or_refused(text: str) -> None:
    """Nothing else comes of it."""
    for file in ConfigFile:
        with suppress(ConfigInvalid):
            FILES.masked(file, text.encode(), Path("x"))


@pytest.mark.parametrize("key", ["custom_providers.0", "custom_providers.0.name", "a.b"])
def test_what_is_taken_away_is_gone_or_a_person_has_to_do_it(tmp_path: Path, key: str) -> None:
    """It is never said to be done while it is still there."""
    home = home_at(tmp_path / "coder", config__yaml="custom_providers:\n- name: x\na:\n  b: null\n")
    if key == "a.b":
        assert planned(home, Change(key, None)) == {CONFIG: b"custom_providers:\n- name: x\n"}
        return
    with pytest.raises(ConfigInvalid, match="by hand"):
        planned(home, Change(key, None))


def test_a_broken_file_gives_way_to_an_earlier_one(tmp_path: Path) -> None:
    """And never the other way round."""
    home = home_at(tmp_path / "coder", config__yaml="a: [")
    (edit,) = FILES.plan_text(home, CONFIG, b"a: 1\n")
    assert (edit.before, edit.after, [one.key for one in edit.differences]) == (b"a: [", b"a: 1\n", ["a"])
    FILES.write(edit)
    with pytest.raises(ConfigInvalid, match=str(home.path)):
        FILES.masked(CONFIG, b"a: [", home.path / CONFIG)
    for broken in (b"a: [", b"\xff"):
        with pytest.raises(ConfigInvalid):
            FILES.plan_text(home, CONFIG, broken)
    assert FILES.plan_text(home, CONFIG, b"a: 1\n") == []


def test_an_agent_without_defaults_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known cannot be gone by: no Python, one that fails, says nothing, or goes on for ever."""
    monkeypatch.setattr(hermes_config, "LIMIT_S", 2.0)
    for number, script in enumerate(("", "echo nothing", "exit 3", "sleep 300")):
        python = tmp_path / str(number) / "bin" / "python"
        python.parent.mkdir(parents=True)
        if script:
            python.write_text(f"#!/bin/sh\n{script}\n")
            python.chmod(0o755)
        runtime = Runtime("one", HERMES_AGENT, "0.19.0", python.with_name("hermes"), is_managed=True)
        with pytest.raises(Incompatible, match="does not say what its defaults are"):
            FILES.schema(runtime, {})
