"""Saved views: the address of a page as somebody had set it, under a name."""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError
from evervalue.state.store import Row, Schema, Store, stamp

LONGEST_NAME = 80
LONGEST_ADDRESS = 4000
MOST = 100
"""Views of one person."""


@dataclass(frozen=True)
class View:
    """One saved view."""

    id: int
    name: str
    address: str
    """Path and query, without the prefix of a proxy."""
    owner: str
    is_shared: bool
    """Whether everybody sees it."""
    saved_at: str


class Views:
    """The saved views of a project."""

    SCHEMA = Schema(
        "views",
        (
            """create table view (
  id integer primary key,
  name text not null,
  address text not null,
  owner text not null,
  is_shared integer not null check (is_shared in (0, 1)),
  saved_at text not null,
  unique (owner, name)
) strict;""",
        ),
    )

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def of(self, owner: str) -> list[View]:
        """One's own views and those that are shared, by name."""
        with self._store.read() as asked:
            rows = asked.rows(
                "select * from view where owner = ? or is_shared = 1 order by lower(name), id", owner
            )
        return [_view(row) for row in rows]

    def save(self, name: str, address: str, owner: str, *, is_shared: bool = False) -> View:
        """Keeps a view; one's own of the same name is replaced.

        Raises
        ------
        InputError
            The name says nothing or is too long, the address is none of this server's, or there are too many.
        """
        text = " ".join(name.split())
        if not text or len(text) > LONGEST_NAME:
            raise InputError(f"Give the view a name of 1 to {LONGEST_NAME} characters.")
        if not is_local(address) or len(address) > LONGEST_ADDRESS:
            raise InputError(
                f"A view keeps the address of a page of this server, up to {LONGEST_ADDRESS:,} characters long."
            )
        at = stamp(self._clock.now())
        with self._store.write() as change:
            change.run("delete from view where owner = ? and name = ?", owner, text)
            held = change.row("select count(*) as n from view where owner = ?", owner)
            if held is not None and held["n"] >= MOST:
                raise InputError(f"You have {MOST} views; take one away first.")
            found = change.row(
                "insert into view (name, address, owner, is_shared, saved_at) values (?, ?, ?, ?, ?) returning *",
                text, address, owner, int(is_shared), at,
            )  # fmt: skip
        assert found is not None
        return _view(found)

    def remove(self, id: int, owner: str | None) -> bool:
        """Takes a view away; whether there was one. With an owner, only one's own."""
        with self._store.write() as change:
            if owner is None:
                return change.run("delete from view where id = ?", id) > 0
            return change.run("delete from view where id = ? and owner = ?", id, owner) > 0


def is_local(address: str) -> bool:
    """Whether an address is a path on this server, whatever a browser makes of it.

    >>> (
    ...     is_local("/gems?q=a"),
    ...     is_local("//evil.example"),
    ...     is_local("/" + chr(92) + "evil"),
    ...     is_local("javascript:x"),
    ... )
    (True, False, False, False)
    """
    if not address.startswith("/") or address.startswith(("//", "/\\")):
        return False
    return all(character.isprintable() for character in address) and "\\" not in address.partition("?")[0]


def _view(row: Row) -> View:
    return View(row["id"], row["name"], row["address"], row["owner"], bool(row["is_shared"]), row["saved_at"])
