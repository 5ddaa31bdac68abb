"""Notes on customers: what people want others to know, signed and dated."""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.core.clock import Clock
from evervalue.core.errors import InputError
from evervalue.state.store import Row, Schema, Store, stamp

LONGEST = 4000
MOST = 500
"""Notes on one customer."""


@dataclass(frozen=True)
class Note:
    """One note."""

    id: int
    customer_id: str
    says: str
    author: str
    written_at: str


class Notes:
    """The notes of a project."""

    SCHEMA = Schema(
        "notes",
        (
            """create table note (
  id integer primary key,
  customer_id text not null,
  says text not null,
  author text not null,
  written_at text not null
) strict;
create index note_customer on note (customer_id, id);""",
        ),
    )

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def of(self, customer_id: str) -> list[Note]:
        """The notes on a customer, the newest first."""
        with self._store.read() as asked:
            rows = asked.rows("select * from note where customer_id = ? order by id desc", customer_id)
        return [_note(row) for row in rows]

    def add(self, customer_id: str, says: str, author: str) -> Note:
        """A new note.

        Raises
        ------
        InputError
            It says nothing or too much, or there are too many.
        """
        text = says.replace("\r\n", "\n").strip()
        if not text:
            raise InputError("The note is empty. Write something, then save it.")
        if len(text) > LONGEST:
            raise InputError(f"A note may have {LONGEST:,} characters; this one has {len(text):,}.")
        at = stamp(self._clock.now())
        with self._store.write() as change:
            held = change.row("select count(*) as n from note where customer_id = ?", customer_id)
            if held is not None and held["n"] >= MOST:
                raise InputError(f"There are {MOST} notes on this customer; take one away first.")
            found = change.row(
                "insert into note (customer_id, says, author, written_at) values (?, ?, ?, ?) returning *",
                customer_id, text, author, at,
            )  # fmt: skip
        assert found is not None
        return _note(found)

    def remove(self, id: int, customer_id: str, author: str | None) -> bool:
        """Takes a note away; whether there was one. With an author, only one's own."""
        own = "" if author is None else " and author = ?"
        values = () if author is None else (author,)
        with self._store.write() as change:
            sql = f"delete from note where id = ? and customer_id = ?{own}"
            return change.run(sql, id, customer_id, *values) > 0


def _note(row: Row) -> Note:
    return Note(row["id"], row["customer_id"], row["says"], row["author"], row["written_at"])
