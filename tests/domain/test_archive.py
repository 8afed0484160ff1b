"""Archives: what travels, what of a stranger's is taken, and how paths are judged, without any file."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermesd.domain.archive import not_taken_because, stays_because
from hermesd.domain.errors import ArchiveUnsafe
from hermesd.domain.inventory import (
    ALWAYS_UNPACKED,
    MOST_DEPTH,
    Inventory,
    Kind,
    Member,
    most_unpacked,
    same_elsewhere,
    why_unportable,
)
from hermesd.domain.ownership import owner_of

pytestmark = [pytest.mark.fast, pytest.mark.domain]

NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("SOUL.md", ""),
        ("config.yaml", ""),
        ("memories/MEMORY.md", ""),
        ("my/own/file", ""),
        (".env", "secrets"),
        (".env.bak", "secrets"),
        ("auth.json", "secrets"),
        ("mcp-tokens/a.json", "secrets"),
        ("pairing/telegram.json", "logins and people of messaging platforms"),
        ("whatsapp/session/creds.json", "logins and people of messaging platforms"),
        ("state.db", "conversations"),
        ("gateway.pid", "belongs to processes"),
        ("logs/agent.log", "logs"),
        ("backups/a.zip", "earlier states"),
        ("shell-hooks-allowlist.json", "what was allowed to run on this machine"),
    ],
)
def test_what_travels_and_why_the_rest_stays(path: str, why: str) -> None:
    """In words that people read."""
    assert stays_because(path.split("/"), is_root=False, has_sessions=False) == why


def test_conversations_travel_where_they_are_asked_for() -> None:
    """And what is the machine's never does, of the default profile."""
    assert stays_because(["state.db"], is_root=False, has_sessions=True) == ""
    assert stays_because(["profiles"], is_root=True, has_sessions=True) == "not the profile's own"


@given(NAMES, st.booleans(), st.booleans())
def test_everything_travels_or_has_a_reason(names: list[str], is_root: bool, has_sessions: bool) -> None:
    """There is an answer for each owner that the table may ever name."""
    owner_of(names, is_root=is_root)
    assert isinstance(stays_because(names, is_root=is_root, has_sessions=has_sessions), str)


def test_the_log_beside_a_database_is_taken_with_it() -> None:
    """It holds what the database does not yet; that of a cache is not."""
    assert not not_taken_because(["state.db-wal"])
    assert not not_taken_because(["state.db-journal"])
    assert not_taken_because(["state.db-shm"])
    assert not_taken_because(["discord_message_recovery.db-wal"])
    assert not_taken_because([".env"])


@pytest.mark.parametrize(
    ("name", "why"),
    [("a", ""), ("ü", ""), ("a\tb", "control"), ("a\x7f", "control"), ("a\\b", "backslash"), ("C:", "drive")],
)
def test_names_that_no_archive_can_hold(name: str, why: str) -> None:
    """By what other systems make of them."""
    assert why in why_unportable(name)
    assert bool(why) is bool(why_unportable(name))


def test_paths_that_are_one_elsewhere() -> None:
    """By case and by how an accent is written."""
    assert same_elsewhere(["A", "É"]) == same_elsewhere(["a", "e\u0301"])
    assert same_elsewhere(["a", "b"]) != same_elsewhere(["a", "c"])


def test_how_much_an_archive_may_become() -> None:
    """By its size, or by a person's word."""
    assert most_unpacked(10) == ALWAYS_UNPACKED
    assert most_unpacked(1 << 30) == 100 << 30
    assert most_unpacked(1 << 30, 5) == 5


def file(path: str, size: int = 1) -> Member:
    """A file in an archive."""
    return Member(path, Kind.FILE, size)


def link(path: str, target: str) -> Member:
    """A link in one."""
    return Member(path, Kind.LINK, target=target)


def taken(*members: Member, most: int = 1000) -> list[tuple[str, Kind]]:
    """What is made of these members."""
    found = Inventory(most)
    for one in members:
        found.add(one)
    return [("/".join(one.names), one.kind) for one in found.judged(not_taken_because).contents]


def test_directories_come_first_and_links_last() -> None:
    """Also those that have no member of their own; what leads to them comes once they are there."""
    assert taken(link("b/l", "a/x"), Member("./b", Kind.DIRECTORY), file("./b/a/x")) == [
        ("a", Kind.DIRECTORY),
        ("a/x", Kind.FILE),
        ("l", Kind.LINK),
    ]


def test_a_directory_may_follow_what_lies_in_it() -> None:
    """As some programs write archives."""
    assert taken(file("r/a/x"), Member("r/a/", Kind.DIRECTORY)) == [("a", Kind.DIRECTORY), ("a/x", Kind.FILE)]


def test_a_link_up_and_down_again_is_straight() -> None:
    """As packed trees have them."""
    assert ("a/b/l", Kind.LINK) in taken(file("r/c/x"), link("r/a/b/l", "../../c"))
    assert ("a/l", Kind.LINK) in taken(file("r/c/x"), link("r/a/l", "../c/x"))


@pytest.mark.parametrize("target", ["", ".", "..", "../..", "../../r/x", "x/", "x/.", "y", "/x", "./x", "d/../x"])
def test_a_link_that_is_not_straight_is_refused(target: str) -> None:
    """Whatever it would lead to in the end."""
    with pytest.raises(ArchiveUnsafe):
        taken(file("r/x"), file("r/d/y"), link("r/l", target))


def test_what_a_link_leads_to_must_be_taken_too() -> None:
    """Else it is left out, and told."""
    found = Inventory(1000)
    for one in (file("r/.env"), link("r/env", ".env"), Member("r/hard", Kind.HARD_LINK, target="r/.env")):
        found.add(one)
    made = found.judged(not_taken_because)
    assert made.contents == []
    assert [(one.path, one.why) for one in made.left_out] == [
        (".env", "secrets"),
        ("env", "what it leads to stays behind"),
        ("hard", "what it leads to stays behind"),
    ]


def test_an_archive_of_nothing_is_refused() -> None:
    """And one of a single file."""
    with pytest.raises(ArchiveUnsafe, match="empty"):
        taken()
    with pytest.raises(ArchiveUnsafe, match="no directory"):
        taken(file("alone"))


def test_sizes_add_up() -> None:
    """A hard link counts as the file that is copied for it."""
    taken(file("r/a", 500), file("r/b", 500))
    with pytest.raises(ArchiveUnsafe, match="more than 1000 bytes"):
        taken(file("r/a", 500), file("r/b", 501))
    with pytest.raises(ArchiveUnsafe, match="more than 1000 bytes"):
        taken(file("r/a", 501), Member("r/b", Kind.HARD_LINK, target="r/a"))


def test_the_place_that_an_archive_was_made_in_is_no_entry() -> None:
    """As `tar c .` writes it; but it is a directory."""
    assert taken(Member("./", Kind.DIRECTORY), file("./r/x")) == [("x", Kind.FILE)]
    with pytest.raises(ArchiveUnsafe, match="no directory"):
        taken(file("."))


def test_a_size_below_nothing_is_refused() -> None:
    """Else others could be larger than is allowed."""
    with pytest.raises(ArchiveUnsafe, match="impossible size"):
        taken(file("r/a", -1))


def test_a_path_may_be_deep_but_not_bottomless() -> None:
    """So that whoever walks it comes back."""
    assert taken(file("/".join(["r", *["d"] * (MOST_DEPTH - 2), "x"])))
    with pytest.raises(ArchiveUnsafe, match="too long"):
        taken(file("/".join(["r", *["d"] * (MOST_DEPTH - 1), "x"])))


@given(st.lists(st.tuples(st.text(max_size=12), st.sampled_from(Kind), st.text(max_size=8)), max_size=6))
def test_nothing_ever_leads_out(members: list[tuple[str, Kind, str]]) -> None:
    """Whatever anybody writes: what is taken lies below the directory, name by name."""
    with suppress(ArchiveUnsafe):
        for path, _ in taken(*(Member(f"r/{path}", kind, 1, target=target) for path, kind, target in members)):
            assert not {"", ".", ".."}.intersection(path.split("/"))
