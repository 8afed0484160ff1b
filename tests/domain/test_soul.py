"""SOUL.md: what it may be, and what stands for exactly one text."""

import pytest

from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.soul import LARGEST, Soul, check_soul, soul_of

pytestmark = [pytest.mark.fast, pytest.mark.domain]


def test_a_revision_stands_for_exactly_one_text() -> None:
    """Line ends and byte order marks included; no file is not an empty one."""
    texts = ["", "a", "a\n", "a\r\n", "\ufeffa"]
    assert len({Soul().revision, *(soul_of(text.encode()).revision for text in texts)}) == len(texts) + 1
    assert [soul_of(text.encode()).text for text in texts] == texts


def test_a_text_may_have_a_mebibyte() -> None:
    """Counted in bytes."""
    check_soul("x" * LARGEST)
    with pytest.raises(ArgumentInvalid, match="1048578 bytes"):
        check_soul("ü" * (LARGEST // 2 + 1))


def test_what_is_no_text_is_refused() -> None:
    """A program that was taken for a text, say."""
    with pytest.raises(ArgumentInvalid, match="NUL"):
        check_soul("a\0b")
