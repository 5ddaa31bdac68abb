"""Notes and views are kept, signed, and taken away by whoever may."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import InputError
from evervalue.state.notes import LONGEST, Notes
from evervalue.state.store import Store
from evervalue.state.views import Views

NOON = FixedClock(dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC))


def notes(folder: Path) -> Notes:
    return Notes(Store(folder, Notes.SCHEMA), NOON)


def views(folder: Path) -> Views:
    return Views(Store(folder, Views.SCHEMA), NOON)


def test_notes_are_signed_and_the_newest_comes_first(tmp_path: Path) -> None:
    kept = notes(tmp_path)
    kept.add("a/b", "  first\r\nline ", "ada")
    kept.add("a/b", "second", "ben")
    kept.add("other", "elsewhere", "ada")
    found = notes(tmp_path).of("a/b")
    assert [(note.says, note.author, note.written_at) for note in found] == [
        ("second", "ben", "2024-05-06T12:00:00Z"),
        ("first\nline", "ada", "2024-05-06T12:00:00Z"),
    ]
    assert not kept.remove(found[0].id, "a/b", "ada")
    assert not kept.remove(found[0].id, "other", None)
    assert kept.remove(found[0].id, "a/b", None)
    assert kept.remove(found[1].id, "a/b", "ada")
    assert kept.of("a/b") == []


@pytest.mark.parametrize(("says", "told"), [(" \n ", "empty"), ("x" * (LONGEST + 1), "4,001")])
def test_what_is_no_note_is_refused(tmp_path: Path, says: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        notes(tmp_path).add("a", says, "ada")


def test_views_are_ones_own_or_shared(tmp_path: Path) -> None:
    kept = views(tmp_path)
    kept.save(" Mid  in EMEA ", "/customers?tier=mid&region=EMEA", "ada")
    kept.save("Gems", "/gems", "ben", is_shared=True)
    kept.save("Secret", "/gems?q=x", "ben")
    assert [(view.name, view.address) for view in kept.of("ada")] == [
        ("Gems", "/gems"),
        ("Mid in EMEA", "/customers?tier=mid&region=EMEA"),
    ]
    kept.save("Mid in EMEA", "/customers?tier=mid", "ada")
    assert [view.address for view in kept.of("ada")] == ["/gems", "/customers?tier=mid"]
    (gems,) = [view for view in kept.of("ada") if view.is_shared]
    assert not kept.remove(gems.id, "ada")
    assert kept.remove(gems.id, "ben")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("", "/gems"),
        ("x" * 81, "/gems"),
        ("a", "https://evil.example"),
        ("a", "//evil.example"),
        ("a", "/\\evil.example"),
        ("a", "javascript:alert(1)"),
        ("a", "/gems\nLocation: x"),
        ("a", "/" + "x" * 4000),
    ],
)
def test_a_view_is_a_page_of_this_server(tmp_path: Path, name: str, address: str) -> None:
    with pytest.raises(InputError):
        views(tmp_path).save(name, address, "ada")
