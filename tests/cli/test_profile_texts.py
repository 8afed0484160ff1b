"""What people do to a profile's texts and aliases beyond the transcripts: editors, files, pipes, PATH."""

import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import pytest

from hermesctl import editing
from hermesctl.terminal import NeedsOwnProcess
from hermesd.v1 import profiles_pb2 as v1
from tests.cli.conftest import Run
from tests.fakes.contract import alias
from tests.fakes.server import FakeDaemon
from tests.fakes.terminal import FakeTerminal
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

OLD = "You write code.\n"


@pytest.fixture(autouse=True)
def _copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies for editors are made where the test can see them."""
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(editing, "DIRECTORIES", (str(tmp_path / "copies"),))


def copies(tmp_path: Path) -> list[Path]:
    """Texts that were kept."""
    return sorted(path for path in (tmp_path / "copies").rglob("*") if path.is_file())


def writing(text: str | bytes, code: int = 0, meanwhile: Callable[[], object] = lambda: None) -> object:
    """An editor in which a person makes this of the text."""

    def editor(argv: Sequence[str]) -> int:
        path = Path(argv[-1])
        assert path.read_text() == OLD
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        meanwhile()
        return code

    return editor


def soul(world: World) -> str:
    """What the daemon has."""
    return world.souls["coder"].text


def test_an_edited_soul_is_shown_and_saved(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """The difference, when it takes effect, and no copy is left."""
    ended = run("profile soul edit coder", running=writing("You write code.\nWell.\n"), is_asking=True)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "--- before\n+++ after\n@@ -1 +1,2 @@\n You write code.\n+Well.\n"
        "✓ SOUL.md of coder written: 22 B, was 16 B\n"
        "  takes effect in new conversations; in a chat of its gateway, /new begins one\n"
    )
    assert soul(world) == "You write code.\nWell.\n"
    assert copies(tmp_path) == []
    sent = next(request for method, request in world.calls if method == "SetSoul")
    assert isinstance(sent, v1.SetSoulRequest)
    assert sent.revision == "4f2c1aa0"


def test_a_soul_that_is_not_changed_is_not_sent(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """Saved or not."""
    ended = run("profile soul edit coder", running=writing(OLD), is_asking=True)
    assert (ended.code, ended.out) == (0, "✓ SOUL.md of coder is already so\n")
    assert "SetSoul" not in [method for method, _ in world.calls]
    assert copies(tmp_path) == []


def test_an_editor_is_found_as_people_set_it(run: Run, daemon: FakeDaemon) -> None:
    """VISUAL before EDITOR, with options, and vi for who set neither."""
    called: list[list[str]] = []

    def editor(argv: Sequence[str]) -> int:
        called.append(list(argv))
        return 0

    for variables in ({"VISUAL": "code --wait", "EDITOR": "nano"}, {"EDITOR": "nano"}, {"VISUAL": " "}):
        run("profile soul edit coder", running=editor, variables=variables, is_asking=True)
    assert [argv[:4] for argv in called] == [
        ["/bin/sh", "-c", f'{editor} "$@"', editor] for editor in ("code --wait", "nano", "vi")
    ]


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """The person's text is kept, and it is said where and what to do."""

    def interfere() -> None:
        world.souls["coder"].CopyFrom(v1.Soul(text="theirs", revision="other"))

    editor = writing("mine\n", meanwhile=interfere)
    ended = run("profile soul edit coder", running=editor, is_asking=True, variables={"NO_COLOR": "1"})
    assert (ended.code, ended.out, soul(world)) == (6, "", "theirs")
    (kept,) = copies(tmp_path)
    assert (kept.name, kept.read_text()) == ("SOUL.md", "mine\n")
    assert ended.err.splitlines() == [
        f"your text is kept in {kept}",
        "error: cannot write /home/ana/.hermes/profiles/coder/SOUL.md",
        "  why: somebody changed it meanwhile",
        "  fix: hermesctl profile soul show coder",
        f"       hermesctl profile soul set coder -f {kept}",
    ]


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal("DISK_FULL", "cannot write it: the disk is full"), 1),
        (Refusal("", "gone", code=grpc.StatusCode.UNAVAILABLE, domain=""), 8),
    ],
)
def test_whatever_keeps_a_text_from_being_saved_does_not_cost_it(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path, refusal: Refusal, code: int
) -> None:
    """A full disk, a daemon that is gone."""
    world.refused["SetSoul"] = refusal
    ended = run("profile soul edit coder", running=writing("mine\n"), is_asking=True)
    assert ended.code == code
    (kept,) = copies(tmp_path)
    assert kept.read_text() == "mine\n"
    assert f"hermesctl profile soul set coder -f {kept}\n" in ended.err


@pytest.mark.parametrize(
    ("text", "why"),
    [(b"a\0b", "NUL"), (b"a\n\xff", "not UTF-8: line 2"), (b"x" * (1 << 20) + b"x", "more than 1.0 MB")],
)
def test_what_is_no_text_is_kept_and_not_sent(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path, text: bytes, why: str
) -> None:
    """From an editor, and from a file."""
    ended = run("profile soul edit coder", running=writing(text), is_asking=True)
    assert (ended.code, soul(world)) == (2, OLD)
    assert why in ended.err
    (kept,) = copies(tmp_path)
    assert kept.read_bytes() == text
    again = run(["profile", "soul", "set", "coder", "-f", str(kept)])
    assert (again.code, soul(world)) == (2, OLD)
    assert why in again.err


def test_an_emptied_text_and_a_failing_editor_change_nothing(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """As with other programs that open editors; of an empty text there is nothing to keep."""
    for editor, code, why in ((writing(""), 2, "it is empty"), (writing(OLD, code=1), 7, "ended with 1")):
        ended = run("profile soul edit coder", running=editor, is_asking=True)
        assert (ended.code, soul(world), copies(tmp_path)) == (code, OLD, [])
        assert why in ended.err
    ended = run("profile soul edit coder", running=writing("mine", code=1), is_asking=True)
    assert (ended.code, soul(world), len(copies(tmp_path))) == (7, OLD, 1)
    ended = run("profile soul edit coder", running=lambda _: 127, variables={"EDITOR": "no-such"})
    assert ended.code == 127
    assert "cannot run the editor 'no-such'" in ended.err


def test_an_editor_needs_a_process_of_its_own(environment: dict[str, str]) -> None:
    """A worker gives the command back before it does anything."""
    terminal = FakeTerminal(environment)
    terminal.need_own_process()
    terminal.is_shared = True
    with pytest.raises(NeedsOwnProcess):
        terminal.need_own_process()


def test_a_soul_comes_from_a_pipe_or_a_file(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """To the byte."""
    text = "\ufeffDu schreibst Code.\r\nGründlich.\n"
    ended = run("profile soul set coder -f -", answers=text)
    assert (ended.code, soul(world)) == (0, text)
    assert ended.out.startswith(f"✓ SOUL.md of coder written: {len(text.encode())} B, was 16 B\n")
    assert run("profile soul show coder").out == text
    assert "is already so" in run("profile soul set coder -f -", answers=text).out
    (tmp_path / "new.md").write_text("worker's")
    ended = run(["profile", "soul", "set", "worker", "-f", str(tmp_path / "new.md"), "-q"])
    assert (ended.code, ended.out, world.souls["worker"].text) == (0, "", "worker's")
    ended = run("-p worker profile soul set -f - -o json", answers="x")
    assert json.loads(ended.out)["text"] == "x"


def test_a_soul_of_others_harms_no_terminal(run: Run, daemon: FakeDaemon, world: World) -> None:
    """It may have come from anywhere; a pipe gets what is there."""
    world.souls["coder"].text = "\x1b]0;title\x07red \x1b[31m\tx\n"
    assert run("profile soul show coder", columns=80).out == "red     x\n"
    assert run("profile soul show coder").out == "\x1b]0;title\x07red \x1b[31m\tx\n"


def test_a_shells_own_pipe_is_read_in_its_own_process(
    run: Run, daemon: FakeDaemon, environment: dict[str, str]
) -> None:
    """`-f <(program)` names a descriptor that nobody else has."""
    read, write = os.pipe()
    os.write(write, b"from a pipe")
    os.close(write)
    ended = run(f"profile soul set coder -f /dev/fd/{read} -o json")
    os.close(read)
    assert json.loads(ended.out)["text"] == "from a pipe"


def test_some_profiles_are_described_and_some_are_not(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Each is told of; the code says whether any was."""
    world.failing["profile.describe"] = Refusal("AGENT_FAILED", "cannot describe 'worker': its model said nothing")
    ended = run("profile describe --all --auto -q")
    assert ended.code == 1
    assert [line.split()[:2] for line in ended.out.splitlines()[1:]] == [
        ["default", "failed"],
        ["worker", "failed"],
    ]
    del world.failing["profile.describe"]
    world.refused["GenerateDescription"] = Refusal("RUNTIME_MISSING", "no hermes-agent runtime is installed")
    assert run("profile describe coder --auto --overwrite").code == 6

    original = world.enter

    def refuse_worker(context: grpc.ServicerContext, request: object) -> None:
        world.refused.clear()
        if isinstance(request, v1.GenerateDescriptionRequest) and request.profile == "worker":
            world.refused["GenerateDescription"] = Refusal("INCOMPATIBLE", "cannot describe 'worker': a program")
        original(context, request)  # type: ignore[arg-type]

    world.enter = refuse_worker  # type: ignore[method-assign]
    ended = run("profile describe --all --auto -q -o json")
    assert ended.code == 10
    found = {one["profile"]: one["error"] and one["error"]["reason"] for one in json.loads(ended.out)["items"]}
    assert found == {"default": None, "worker": "INCOMPATIBLE"}
    assert json.loads(ended.err)["error"]["reason"] == "INCOMPATIBLE"


def test_an_alias_that_is_found_needs_no_remark(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """By the caller's own PATH, whatever links lead there."""
    world.bin = str(tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "bin")
    for path in (f"/usr/bin:{tmp_path}/bin", f"{tmp_path}/link/:/usr/bin"):
        assert run("profile alias coder --name helper", variables={"PATH": path}).err == ""
        assert run("profile alias --list", variables={"PATH": path}).err == ""
    for path in ("", "bin::.", "/usr/bin"):
        assert "is not on PATH" in run("profile alias --list", variables={"PATH": path}).err


def test_a_program_that_only_the_caller_has_is_not_hidden(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """The daemon may have been started with another PATH."""
    world.bin = str(tmp_path / "bin")
    for directory, mode in (("cargo", 0o755), ("data", 0o644), ("bin", 0o755)):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "helper").touch(mode=mode)
    on_path = {"PATH": f"{tmp_path}/data:{tmp_path}/bin"}
    assert run("profile alias coder --name helper", variables=on_path).code == 0
    hiding = {"PATH": f"{tmp_path}/bin:{tmp_path}/cargo"}
    ended = run("profile alias coder --name other --name helper", variables=hiding)
    assert ended.code == 5
    assert f"why: there is {tmp_path}/cargo/helper\n" in ended.err
    world.refused["CreateAlias"] = Refusal("ARGUMENT_INVALID", "'../x' cannot be a command")
    assert run("profile alias coder --name ../x").code == 2


def test_aliases_that_others_wrote_are_told_of_when_ours_go(run: Run, daemon: FakeDaemon, world: World) -> None:
    """They go on calling the profile."""
    world.aliases.append(alias("theirs", "coder", is_ours=False))
    ended = run("profile alias coder --remove")
    assert ended.out == "✓ removed coder, which called coder\n"
    left = "/home/ana/.local/bin/theirs"
    assert ended.err == f"warning: others wrote {left}, which stays; to remove it: rm {left}\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["profile", "soul", "show", "co"], ["coder"]),
        (["profile", "describe", "w"], ["worker"]),
        (["profile", "alias", "co"], ["coder"]),
        (["profile", "alias", "coder", "--remove", "--name", ""], ["coder", "old"]),
        (["profile", "alias", "coder", "--name", ""], []),
        (["profile", "so"], ["soul"]),
    ],
)
def test_names_are_offered_at_a_tab(run: Run, daemon: FakeDaemon, words: list[str], offered: list[str]) -> None:
    """Profiles, and the aliases that can be removed."""
    ended = run(["__complete", "zsh"], answers="".join(f"{word}\0" for word in ("hermesctl", *words)))
    found = [line.split("\t")[0] for line in ended.out.splitlines()[1:]]
    assert found == offered


def test_what_differs_is_shown_like_a_difference_of_files(run: Run, daemon: FakeDaemon) -> None:
    """Under a heading for each kind of thing, without anything that could write on the screen."""
    ended = run("profile diff coder worker")
    assert ended.code == 0
    assert ended.out == (
        "--- coder\n+++ worker\n@@ settings @@\n"
        "- model.default: anthropic/claude-opus-4\n+ model.default: qwen3-coder\n- odd: a b\n"
        "@@ variables @@\n+ OPENAI_API_KEY: set · sha256:ab12…9f · 46 chars\n"
        "@@ skills @@\n- web: 0123456789ab\n+ web: ba9876543210\n"
    )
    alike = run("profile diff coder coder")
    assert (alike.code, alike.out) == (0, "")
    assert "do not differ" in alike.err
    assert run("profile diff coder gone").code == 4
    assert run("profile diff coder").code == 2
    told = json.loads(run("profile diff coder worker -o json").out)
    assert (told["kind"], told["differences"][1]["right"]) == ("ProfileDiff", None)
