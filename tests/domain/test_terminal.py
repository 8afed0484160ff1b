"""What is kept of a command line: whose it is, and nothing that somebody may have meant to keep."""

import pytest

from hermesd.domain.terminal import program_verb, verb

pytestmark = [pytest.mark.fast, pytest.mark.domain]


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ([], ""),
        (["chat", "-q", "my secret"], "chat"),
        (["-z", "my secret"], "-z"),
        (["-zmy secret"], "-z"),
        (["--oneshot=my secret"], "--oneshot"),
        (["--yolo", "chat"], "--yolo"),
    ],
)
def test_only_the_first_word_is_kept_and_no_value_in_it(arguments: list[str], kept: str) -> None:
    """A prompt may stand in the same word as its option."""
    assert verb(arguments) == kept


@pytest.mark.parametrize(
    ("program", "kept"), [("less", "exec less"), ("/opt/my secret/run", "exec run"), ("bin/", "exec bin")]
)
def test_a_program_is_known_by_its_name(program: str, kept: str) -> None:
    """Not by where it lies."""
    assert program_verb(program) == kept
