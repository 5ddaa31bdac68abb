"""The event log in PostgreSQL: several collectors write to it, and an event is stored once, whichever they send it to.

What is written in one call is one transaction, and committed when the call returns. One writes at a time: the lock is
let go after the commit is seen by all, so a `seq` that is given later is seen later, and who has read up to one misses
none before it. A collector that is killed lets the lock go with its connection. Many requests share a commit, so the
lock costs no more than the disk of the database does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from evervalue.collector.postgres import Database, Shared
from evervalue.collector.records import CANARY, Delivery, Position, Refused, Stored, Tally, Whose

INSERT = (
    "insert into evervalue.event (source_id, message_id, type, at_us, received_us, who, body) "
    "select %s, * from unnest(%b::bytea[], %b::text[], %b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[]) "
    "on conflict do nothing"
)
SELECT = (
    "select e.seq, s.name, e.message_id, e.type, e.at_us, e.received_us, e.body from evervalue.event as e "
    "join evervalue.source as s using (source_id) where e.body is not null and "
)
USERS = (
    "e.source_id is distinct from "
    f"(select source_id from evervalue.source where name = '{CANARY}')"
)  # fmt: skip


class PostgresLog:
    """A log in a database. Each thread that uses it needs its own.

    Parameters
    ----------
    database
        Where it is.

    Raises
    ------
    MissingExtra
        The library is not installed.
    StorageError
        The database cannot be reached, or a later version of Evervalue made its tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ids: dict[str, int] = {}
        self._shared = Shared(database, self._ids.clear)
        with self._shared.told():
            pass

    @property
    def where(self) -> str:
        """The database, as messages name it."""
        return self.database.shown()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Store what came, on disk when this returns.

        Raises
        ------
        StorageError
            The database could not take it; nothing of it is stored, or all of it where the answer alone was lost.
        """
        by_source: dict[str, list[Delivery]] = {}
        for one in deliveries:
            by_source.setdefault(one.source, []).append(one)
        try:
            with self._shared.written() as con:
                for source, its in by_source.items():
                    self._deliver(con, source, its)
        except BaseException:
            self._ids.clear()
            raise

    def _deliver(self, con: Any, source: str, deliveries: Sequence[Delivery]) -> None:
        source_id = self._id(con, source)
        taken = [(one.received_us, event) for one in deliveries for event in one.taken]
        stored = 0
        if taken:
            stored = con.execute(
                INSERT,
                (
                    source_id,
                    [e.message_id.encode() for _, e in taken],
                    [e.type for _, e in taken],
                    [e.at_us for _, e in taken],
                    [received_us for received_us, _ in taken],
                    [None if e.who is None else e.who.encode() for _, e in taken],
                    [e.body for _, e in taken],
                ),
            ).rowcount
        cursor = con.cursor()
        refused = [
            (source_id, one.received_us, r.code, r.says.replace("\0", "?"), r.body)
            for one in deliveries
            for r in one.refused
        ]
        if refused:
            cursor.executemany(
                "insert into evervalue.refused (source_id, received_us, code, says, body) values (%s, %s, %s, %s, %s)",
                refused,
            )
        moved = [
            (source_id, *of, position, one.received_us)
            for one in deliveries
            for of, position in one.positions.items()
        ]
        if moved:
            cursor.executemany(
                "insert into evervalue.position values (%s, %s, %s, %s, %s) on conflict (source_id, stream, part) "
                "do update set position = excluded.position, moved_us = excluded.moved_us",
                moved,
            )
        con.execute(
            "insert into evervalue.tally as t values (%s, %s, %s, %s, %s) on conflict (source_id) do update set "
            "accepted = t.accepted + excluded.accepted, stored = t.stored + excluded.stored, "
            "duplicate = t.duplicate + excluded.duplicate, quarantined = t.quarantined + excluded.quarantined",
            (source_id, len(taken) + len(refused), stored, len(taken) - stored, len(refused)),
        )

    def _id(self, con: Any, source: str) -> int:
        """The number of a source, given at its first event."""
        if source not in self._ids:
            con.execute("insert into evervalue.source (name) values (%s) on conflict do nothing", (source,))
            found = con.execute("select source_id from evervalue.source where name = %s", (source,))
            self._ids[source] = int(found.fetchone()[0])
        return self._ids[source]

    def read(self, after: int, most: int = 1000) -> list[Stored]:
        """The events behind `after` (a seq), in the order in which they were stored."""
        return self._events(f"{USERS} and e.seq > %s order by e.seq limit %s", after, most)

    def of(self, source: str, after: int, at_once: int) -> Iterator[Stored]:
        """The events of one source behind `after`, in the order of the log; `at_once` rows are read at a time."""
        while events := self._events(
            "s.name = %s and e.seq > %s order by e.seq limit %s", source, after, at_once
        ):
            yield from events
            after = events[-1].seq

    def about(self, source: str, names: Collection[str], after: int) -> list[Stored]:
        """The events of one source behind `after` that are `names`, in the order of the log."""
        return self._events(
            "s.name = %s and e.seq > %s and e.who = any(%s) order by e.seq", source, after, _bytes(names)
        )

    def recent(self, source: str, names: Collection[str], most: int) -> list[Stored]:
        """The newest events of one source that are `names`, the newest first."""
        return self._events(
            "s.name = %s and e.who = any(%s) order by e.seq desc limit %s", source, _bytes(names), most
        )

    def whose(self, after: int, most: int) -> list[Whose]:
        """Whose the events behind `after` are, in the order of the log."""
        rows = self._shared.rows(
            "select e.seq, s.name, e.who from evervalue.event as e join evervalue.source as s using (source_id) "
            f"where {USERS} and e.seq > %s order by e.seq limit %s",
            after,
            most,
        )
        return [Whose(seq, source, None if who is None else who.decode()) for seq, source, who in rows]

    def newest_us(self, after: int) -> int | None:
        """When the newest of the events behind `after` happened, none later than it came; None without any."""
        rows = self._shared.rows(
            f"select max(least(at_us, received_us)) from evervalue.event as e where {USERS} and seq > %s",
            after,
        )
        return None if rows[0][0] is None else int(rows[0][0])

    def before(self, n: int) -> int:
        """The seq behind which the newest `n` events stand."""
        rows = self._shared.rows(
            f"select seq from evervalue.event as e where {USERS} order by seq desc limit 1 offset %s", n
        )
        return int(rows[0][0]) if rows else 0

    def last(self) -> int:
        """The seq of the newest event; 0 before the first."""
        return self.before(0)

    def named(self, seq: int) -> tuple[str, str] | None:
        """Source and messageId of the event at a place, also where its body has left; None where there is none."""
        rows = self._shared.rows(
            "select s.name, e.message_id from evervalue.event as e join evervalue.source as s using (source_id) "
            "where e.seq = %s",
            seq,
        )
        return (str(rows[0][0]), rows[0][1].decode()) if rows else None

    def tallies(self) -> list[Tally]:
        """What became of what each source sent, by name."""
        rows = self._shared.rows(
            "select s.name, t.accepted, t.stored, t.duplicate, t.quarantined from evervalue.tally as t "
            'join evervalue.source as s using (source_id) where s.name <> %s order by s.name collate "C"',
            CANARY,
        )
        return [Tally(*row) for row in rows]

    def refused(self, source: str | None, most: int) -> list[Refused]:
        """The newest events in quarantine, of one source or of all, the newest first."""
        rows = self._shared.rows(
            "select r.refused_id, s.name, r.received_us, r.code, r.says, r.body from evervalue.refused as r "
            "join evervalue.source as s using (source_id) where s.name = coalesce(%s::text, s.name) "
            "order by r.refused_id desc limit %s",
            source,
            most,
        )
        return [Refused(*row) for row in rows]

    def reasons(self, source: str | None) -> list[tuple[str, str, int]]:
        """How many events are in quarantine by source and code, the most first."""
        rows = self._shared.rows(
            "select s.name, r.code, count(*) from evervalue.refused as r join evervalue.source as s using (source_id) "
            "where s.name = coalesce(%s::text, s.name) group by 1, 2 "
            'order by 3 desc, s.name collate "C", r.code collate "C"',
            source,
        )
        return [(str(name), str(code), int(n)) for name, code, n in rows]

    def forget(self, source: str, before_us: int) -> None:
        """Take the events out of the log that a source sent before an instant (microseconds since 1970)."""
        self._shared.rows(
            "delete from evervalue.event where source_id = (select source_id from evervalue.source where name = %s) "
            "and received_us < %s",
            source,
            before_us,
        )

    def let_go(self, source: str, events: Sequence[tuple[int, bytes]]) -> int:
        """How many events lost their bodies: of these (seq and body) all that stand in the log just so."""
        rows = self._shared.rows(
            "update evervalue.event as e set body = null, who = null "
            "from unnest(%s::bigint[], %s::bytea[]) as gone (seq, body) where e.seq = gone.seq and e.body = gone.body "
            "and e.source_id = (select source_id from evervalue.source where name = %s) returning 1",
            [seq for seq, _ in events],
            [body for _, body in events],
            source,
        )
        return len(rows)

    def give_back(self) -> None:
        """Give the space that bodies have left to the events that come."""
        self._shared.rows("vacuum (analyze) evervalue.event")

    def positions(self, source: str) -> list[Position]:
        """How far the streams of a source are read, by stream and part."""
        rows = self._shared.rows(
            "select p.stream, p.part, p.position, p.moved_us from evervalue.position as p join evervalue.source as s "
            'using (source_id) where s.name = %s order by p.stream collate "C", p.part collate "C"',
            source,
        )
        return [Position(*row) for row in rows]

    def close(self) -> None:
        """Let the connection go; it is opened anew where the log is used again."""
        self._shared.close()

    def _events(self, where: str, *values: object) -> list[Stored]:
        return [
            Stored(seq, source, message_id.decode(), type, at_us, received_us, body)
            for seq, source, message_id, type, at_us, received_us, body in self._shared.rows(
                SELECT + where, *values
            )
        ]


def _bytes(texts: Collection[str]) -> list[bytes]:
    return [text.encode() for text in texts]
