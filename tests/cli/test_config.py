"""`config` and `env`: what is shown, what is asked for, and that no secret is taken from a command line."""

import json
from pathlib import Path

import pytest

from hermesd.v1 import configs_pb2 as v1
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

CANARY = "canary-of-a-secret-0123456789"


@pytest.fixture(autouse=True)
def configured(world: World) -> None:
    """Two settings, a key and a number."""
    world.configs["coder", v1.CONFIG_FILE_CONFIG] = [
        {"model.default": "gpt-5", "approvals.mode": "smart"},
        {"model.default": "gpt-5\x1b[2J", "approvals.mode": "smart", "agent.max_turns": "default"},
    ]
    world.configs["coder", v1.CONFIG_FILE_ENV] = [{"OPENAI_API_KEY": CANARY, "LEVEL": "7"}]


LINES = [
    "config get approvals.mode -p coder",
    "config get agent.max_turns -p coder",
    "config get nothing.there -p coder",
    "config get approvals.mode -p coder -o json",
    "config show -p coder",
    "config show --env -p coder",
    "config show --version 1 -p coder",
    "config show --version 9 -p coder",
    "config show -p worker",
    "config show -p coder -o json",
    "config diff -p coder",
    "config diff 2 -p coder",
    "config diff -p worker",
    "config history -p coder",
    "config history -p worker",
    "config history -p coder -o json",
    "config history -p coder -o name",
    "config path -p coder",
    "config path --env -p coder -o json",
    "config set approvals.mode=manual model.default=x=y -p coder",
    "config set approvals.mode manual -p coder",
    "config set aproval.mode manual -p worker",
    "config set agent.max_turns 7 -p worker",
    "config set approvals.mode=off -p coder -o json",
    "config set approvals.mode=smart -q -p coder",
    "config set approvals.mode a b -p coder",
    "config set model.api_key=geheim -p coder",
    "config set OPENAI_API_KEY geheim -p coder",
    "config set model.api_key=${OPENAI_API_KEY} -p coder",
    "config unset approvals.mode -p coder",
    "config revert 1 -p coder",
    "config revert 1 -p coder -o json",
    "config revert nine -p coder",
    "config revert",
    "env list -p coder",
    "env list -p worker",
    "env list -p coder -o json",
    "env get OPENAI_API_KEY -p coder",
    "env get LEVEL -p coder",
    "env get OPENAI_API_KEY --reveal -p coder",
    "env get LEVEL --reveal --yes -p coder",
    "env set LEVEL=8 -p coder",
    "env set TELEGRAM_BOT_TOKEN=1111:AAAA -p coder",
    "env unset LEVEL -p coder",
    "env copy OPENAI_API_KEY --from coder --to worker",
    "env copy GONE --from coder --to worker",
    "env copy OPENAI_API_KEY --to worker",
    "env import -f gone.env -p worker",
    "env import -p worker",
    "config set level=1",
    "config --help",
    "config set --help",
    "env --help",
]


def test_settings_are_shown_word_for_word(run: Run, daemon: FakeDaemon, environment: dict[str, str]) -> None:
    """Every verb in its forms, and every refusal."""
    written = transcript(LINES, run, Path(environment["HOME"]))
    compare("settings", written)
    assert CANARY not in written
    told = [line for line in written.splitlines() if not line.startswith("$ ")]
    assert not [line for line in told if "geheim" in line]


def test_a_secret_is_read_from_a_pipe(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Without the end of its line, and never shown."""
    for answers in (f"{CANARY}\n", f"{CANARY}\r\n", CANARY):
        world.configs.clear()
        ended = run("env set TELEGRAM_BOT_TOKEN -p worker", answers=answers)
        assert ended.code == 0
        assert CANARY not in ended.out + ended.err
        assert world.configs["worker", v1.CONFIG_FILE_ENV] == [{"TELEGRAM_BOT_TOKEN": CANARY}]


@pytest.mark.parametrize(
    ("answers", "why"),
    [("", "no value was given"), ("\n", "no value"), ("x" * 70_000, "long"), ("\udcff", "UTF-8")],
)
def test_what_is_no_value_changes_nothing(
    run: Run, daemon: FakeDaemon, world: World, answers: str, why: str
) -> None:
    """Nothing, too much, or no text."""
    ended = run("config set model.api_key -p coder", answers=answers)
    assert ended.code == 2
    assert why in ended.err
    assert "UpdateConfig" not in [name for name, _ in world.calls]


def test_variables_come_from_a_file_or_a_pipe(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """As such files are written; what sets nothing is said to, and no value is shown."""
    text = f"# mine\nexport TELEGRAM_BOT_TOKEN='{CANARY}'\nEMPTY=\nLEVEL=${{X}}\n"
    (tmp_path / "some.env").write_text(text)
    for file, answers in ((f"{tmp_path}/some.env", ""), ("-", text)):
        world.configs.pop(("worker", v1.CONFIG_FILE_ENV), None)
        ended = run(f"env import -f {file} -p worker", answers=answers)
        assert ended.code == 0
        assert CANARY not in ended.out + ended.err
        assert world.configs["worker", v1.CONFIG_FILE_ENV] == [{"TELEGRAM_BOT_TOKEN": CANARY, "LEVEL": "${X}"}]
    assert run("env import -f - -p worker", answers="# nothing\n").code == 2


def test_a_person_types_a_secret_unseen(
    run: Run, daemon: FakeDaemon, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is on the screen."""
    asked: list[str] = []

    def hidden(_: FakeTerminal, question: str) -> str:
        asked.append(question)
        return CANARY

    monkeypatch.setattr(FakeTerminal, "ask_hidden", hidden)
    ended = run("env set TELEGRAM_BOT_TOKEN -p worker", columns=80)
    assert (ended.code, asked) == (0, ["Value (hidden): "])
    assert CANARY not in ended.out + ended.err
    assert world.configs["worker", v1.CONFIG_FILE_ENV] == [{"TELEGRAM_BOT_TOKEN": CANARY}]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 7), ("\n", 7), ("", 7)])
def test_a_secret_is_shown_only_to_who_says_yes(
    run: Run, daemon: FakeDaemon, world: World, answer: str, code: int
) -> None:
    """Else it is not even asked for."""
    ended = run("config get OPENAI_API_KEY --reveal -p coder", columns=80, answers=answer)
    assert ended.code == code
    assert (CANARY in ended.out) is (code == 0)
    assert ("RevealSetting" in [name for name, _ in world.calls]) is (code == 0)


def test_what_was_changed_is_told_to_programs_too(run: Run, daemon: FakeDaemon) -> None:
    """As it may be shown."""
    told = json.loads(run("env set OPENAI_API_KEY -p coder -o json", answers="another-key").out)
    assert (told["kind"], told["is_running"]) == ("ConfigChange", True)
    assert told["settings"] == [
        {
            "file": "env",
            "key": "OPENAI_API_KEY",
            "before": "set · sha256:77c0…1d · 29 chars",
            "after": "set · sha256:77c0…1d · 11 chars",
        }
    ]


@pytest.mark.parametrize("verb", ["check", "migrate", "env-path"])
def test_the_agents_own_verbs_are_still_the_agents(verb: str) -> None:
    """With everything behind them."""
    from hermesctl.arguments import AgentCommand, split
    from hermesctl.cli import NOUNS

    assert split(["-p", "coder", "config", verb, "--x"], NOUNS) == AgentCommand("coder", ("config", verb, "--x"))


@pytest.mark.parametrize(
    "key", ["model.api_key", "A_TOKEN", "custom.0.password", "model.key_env", "model.max_tokens", "x"]
)
@pytest.mark.parametrize("value", ["geheim", "${X}", "~/.ssh/id", ""])
def test_what_is_not_taken_is_what_the_daemon_would_not_show(key: str, value: str) -> None:
    """The client's rule is the daemon's, by names."""
    from hermesctl.setting_verbs import is_secret
    from hermesd.domain.configuration import is_hidden

    assert is_secret(key, value) is is_hidden(key, value)
