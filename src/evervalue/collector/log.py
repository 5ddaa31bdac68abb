"""The event log: one SQLite file in which an event is stored once, whenever it comes again.

What is written in one call is on disk together when the call returns, or not at all: the log is in WAL mode with
`synchronous=FULL`, so a commit waits for the disk. An event is known by its source and its messageId, for ever and not
for a window of days: key and event are one row. The tally of a source is written in the same transaction, so that
accepted = stored + duplicate + quarantined can be checked at any instant, also after a crash.

The driver is apsw: tests put a disk of their own under the very code that runs in production, and it brings a SQLite
of its own that has the cure for two writers damaging a file (sqlite.org/wal.html#walresetbug), which many systems lack.
Nothing else may open the file in the same process with another SQLite: POSIX takes its locks away when that one closes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import apsw

from evervalue.collector import compaction
from evervalue.collector.log_schema import LAYOUT, made_ready
from evervalue.collector.records import CANARY, Delivery, Position, Refused, Stored, Tally, Whose
from evervalue.core.errors import StorageError

__all__ = ["LAYOUT", "LOG", "Delivery", "EventLog", "Position", "Stored", "Tally"]

LOG = "events.db"
"""Name of the log in the data directory."""
ENDS = ("", "-wal", "-shm")
"""Of the names of the files that a log is made of."""
BUSY_MS = 10_000
"""How long another writer is waited for."""
INSERT = "insert or ignore into event (source_id, message_id, type, at_us, received_us, who, body) values "
ROW = "(?, ?, ?, ?, ?, ?, ?)"
BLOCK = 50
"""Events of one statement. Python's lock is let go and asked for again at each; beside a busy server that costs more
than the rows do."""
INSERT_BLOCK = INSERT + ", ".join([ROW] * BLOCK)
FEW = 500
"""Bodies that are let go in one commit, so that whoever writes waits for milliseconds alone."""
SELECT = (
    "select e.seq, s.name, e.message_id, e.type, e.at_us, e.received_us, e.body from event as e "
    "join source as s using (source_id) where e.body is not null and "
)
USERS = f"e.source_id is not (select source_id from source where name = '{CANARY}')"
"""Events that somebody sent: all but the collector's own."""

Connect = Callable[[], apsw.Connection]


class EventLog:
    """A log in one file. Each thread that uses it needs its own.

    Parameters
    ----------
    path
        The file; made where it is missing.
    connect
        Opens the file, in tests with faults; default: as SQLite does.

    Raises
    ------
    StorageError
        The file cannot be opened, is no log, or was written by a later version.
    """

    def __init__(self, path: Path, connect: Connect | None = None) -> None:
        self.path = path
        self._connect = connect or (lambda: apsw.Connection(str(path)))
        self.con: apsw.Connection | None = None
        self._ids: dict[str, int] = {}
        self._names = tuple(f"{path}{end}" for end in ENDS)
        self._files: tuple[tuple[int, int] | None, ...] = ()
        with self._told():
            self._open()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Store what came, on disk when this returns.

        Raises
        ------
        StorageError
            The disk is full, or failed; nothing of it is stored.
        """
        by_source: dict[str, list[Delivery]] = {}
        for one in deliveries:
            by_source.setdefault(one.source, []).append(one)
        with self._told():
            con = self._open()
            con.execute("begin immediate")
            try:
                for source, its in by_source.items():
                    self._deliver(con, source, its)
                con.execute("commit")
            except BaseException:
                self._ids.clear()
                with suppress(apsw.Error):
                    con.execute("rollback")
                raise
            self._check_is_there()

    def read(self, after: int, most: int = 1000) -> list[Stored]:
        """The events behind `after` (a seq), in the order in which they were stored."""
        return [
            Stored(*row)
            for row in self._rows(SELECT + f"{USERS} and e.seq > ? order by e.seq limit ?", (after, most))
        ]

    def of(self, source: str, after: int, at_once: int) -> Iterator[Stored]:
        """The events of one source behind `after`, in the order of the log; `at_once` rows are read at a time."""
        while rows := self._rows(
            SELECT + "s.name = ? and e.seq > ? order by e.seq limit ?", (source, after, at_once)
        ):
            yield from (Stored(*row) for row in rows)
            after = int(rows[-1][0])

    def about(self, source: str, names: Collection[str], after: int) -> list[Stored]:
        """The events of one source behind `after` that are `names`, in the order of the log."""
        among = ", ".join("?" * len(names))
        rows = self._rows(
            SELECT + f"s.name = ? and e.seq > ? and e.who in ({among}) order by e.seq",
            (source, after, *names),
        )
        return [Stored(*row) for row in rows]

    def recent(self, source: str, names: Collection[str], most: int) -> list[Stored]:
        """The newest events of one source that are `names`, the newest first."""
        among = ", ".join("?" * len(names))
        rows = self._rows(
            SELECT + f"s.name = ? and e.who in ({among}) order by e.seq desc limit ?", (source, *names, most)
        )
        return [Stored(*row) for row in rows]

    def whose(self, after: int, most: int) -> list[Whose]:
        """Whose the events behind `after` are, in the order of the log."""
        rows = self._rows(
            "select e.seq, s.name, e.who from event as e join source as s using (source_id) "
            f"where {USERS} and e.seq > ? order by e.seq limit ?",
            (after, most),
        )
        return [Whose(*row) for row in rows]

    def newest_us(self, after: int) -> int | None:
        """When the newest of the events behind `after` happened, none later than it came; None without any."""
        rows = self._rows(
            f"select max(min(at_us, received_us)) from event as e where {USERS} and seq > ?", (after,)
        )
        return None if rows[0][0] is None else int(rows[0][0])

    def before(self, n: int) -> int:
        """The seq behind which the newest `n` events stand."""
        rows = self._rows(
            f"select seq from event as e where {USERS} order by seq desc limit 1 offset ?", (n,)
        )
        return int(rows[0][0]) if rows else 0

    def last(self) -> int:
        """The seq of the newest event; 0 before the first."""
        rows = self._rows(f"select seq from event as e where {USERS} order by seq desc limit 1")
        return int(rows[0][0]) if rows else 0

    def named(self, seq: int) -> tuple[str, str] | None:
        """Source and messageId of the event at a place, also where its body has left; None where there is none."""
        rows = self._rows(
            "select s.name, e.message_id from event as e join source as s using (source_id) where e.seq = ?",
            (seq,),
        )
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def tallies(self) -> list[Tally]:
        """What became of what each source sent, by name."""
        rows = self._rows(
            "select s.name, t.accepted, t.stored, t.duplicate, t.quarantined from tally as t "
            f"join source as s using (source_id) where s.name <> '{CANARY}' order by s.name"
        )
        return [Tally(*row) for row in rows]

    def refused(self, source: str | None, most: int) -> list[Refused]:
        """The newest events in quarantine, of one source or of all, the newest first."""
        rows = self._rows(
            "select r.refused_id, s.name, r.received_us, r.code, r.says, r.body from refused as r "
            "join source as s using (source_id) where s.name = coalesce(?, s.name) order by r.refused_id desc limit ?",
            (source, most),
        )
        return [Refused(*row) for row in rows]

    def reasons(self, source: str | None) -> list[tuple[str, str, int]]:
        """How many events are in quarantine by source and code, the most first."""
        rows = self._rows(
            "select s.name, r.code, count(*) from refused as r join source as s using (source_id) "
            "where s.name = coalesce(?, s.name) group by 1, 2 order by 3 desc, 1, 2",
            (source,),
        )
        return [(str(name), str(code), int(n)) for name, code, n in rows]

    def forget(self, source: str, before_us: int) -> None:
        """Take the events out of the log that a source sent before an instant (microseconds since 1970)."""
        self._rows(
            "delete from event where source_id = (select source_id from source where name = ?) and received_us < ?",
            (source, before_us),
        )

    def let_go(self, source: str, events: Sequence[tuple[int, bytes]]) -> int:
        """How many events lost their bodies: of these (seq and body) all that stand in the log just so."""
        gone = 0
        for start in range(0, len(events), FEW):
            with self._told():
                gone += compaction.let_go(self._open(), source, events[start : start + FEW])
        return gone

    def put_back(self, source: str, rows: Sequence[tuple[int, str, str, int, int, str | None, bytes]]) -> int:
        """How many events were stored in their own places (seq, messageId, type, instants, who, body), none twice."""
        with self._told():
            return compaction.put_back(self._open(), source, rows)

    def give_back(self) -> None:
        """Give the space back that bodies have left, while others write."""
        with self._told():
            compaction.give_back(self._open())

    def positions(self, source: str) -> list[Position]:
        """How far the streams of a source are read, by stream and part."""
        rows = self._rows(
            "select p.stream, p.part, p.position, p.moved_us from position as p "
            "join source as s using (source_id) where s.name = ? order by p.stream, p.part",
            (source,),
        )
        return [Position(*row) for row in rows]

    @property
    def where(self) -> str:
        """The file, as messages name it."""
        return str(self.path)

    def close(self) -> None:
        """Let the file go."""
        if self.con is not None:
            with suppress(apsw.Error):
                self.con.close()
            self.con = None
        self._ids.clear()  # the file opened next may be another one

    def _check_is_there(self) -> None:
        """Refuses what was written to a file that has been deleted or replaced meanwhile.

        What was acknowledged before lies in the write-ahead log, which is open still where its name alone is gone: it
        is carried over into the file first.

        Raises
        ------
        StorageError
            A path leads to another file than the one that is open, or to none.
        """
        found = _on_disk(self._names)
        if found == self._files:
            return
        if self.con is not None and found[0] == self._files[0]:
            with suppress(apsw.Error):
                self.con.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        self.close()
        named = zip(self._names, found, self._files, strict=True)
        gone = ", ".join(name for name, now, then in named if now != then)
        raise StorageError(
            f"{gone} was deleted or replaced while it was in use. Events are refused with 503 and taken anew into the "
            "file that stands there now; senders try again."
        )

    def _id(self, con: apsw.Connection, source: str) -> int:
        """The number of a source, given at its first event."""
        if source not in self._ids:
            con.execute("insert or ignore into source (name) values (?)", (source,))
            self._ids[source] = int(con.execute("select source_id from source where name = ?", (source,)).get)
        return self._ids[source]

    def _deliver(self, con: apsw.Connection, source: str, deliveries: Sequence[Delivery]) -> None:
        """Store what one source brought; one statement for many deliveries, and one tally for all."""
        source_id = self._id(con, source)
        before = con.total_changes()
        _insert(
            con,
            [
                (source_id, e.message_id, e.type, e.at_us, one.received_us, e.who, e.body)
                for one in deliveries
                for e in one.taken
            ],
        )
        stored = con.total_changes() - before
        bad = [
            (source_id, one.received_us, r.code, r.says, r.body) for one in deliveries for r in one.refused
        ]
        if bad:
            con.executemany(
                "insert into refused (source_id, received_us, code, says, body) values (?, ?, ?, ?, ?)", bad
            )
        moved = [
            (source_id, *of, position, one.received_us)
            for one in deliveries
            for of, position in one.positions.items()
        ]
        if moved:
            con.executemany(
                "insert into position values (?, ?, ?, ?, ?) on conflict (source_id, stream, part) "
                "do update set position = excluded.position, moved_us = excluded.moved_us",
                moved,
            )
        taken = sum(len(one.taken) for one in deliveries)
        con.execute(
            "insert into tally values (?1, ?2, ?3, ?4, ?5) on conflict (source_id) do update set accepted = "
            "accepted + ?2, stored = stored + ?3, duplicate = duplicate + ?4, quarantined = quarantined + ?5",
            (source_id, taken + len(bad), stored, taken - stored, len(bad)),
        )

    def _open(self) -> apsw.Connection:
        """The connection, opened anew where the last one failed."""
        if self.con is not None:
            return self.con
        con = self._connect()
        try:
            con.set_busy_timeout(BUSY_MS)
            made_ready(con, self.path, BUSY_MS / 1000)
            con.execute("select 1 from source limit 1").fetchall()  # opens the write-ahead log
        except BaseException:
            con.close(force=True)
            raise
        self.con, self._files = con, _on_disk(self._names)
        return con

    def _rows(self, sql: str, values: tuple[str | int | None, ...] = ()) -> list[Any]:
        with self._told():
            return self._open().execute(sql, values).fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what SQLite refuses into our own error, and opens the file anew the next time."""
        try:
            yield
        except apsw.Error as error:
            self.close()
            raise StorageError(
                f"The event log {self.path} could not be used: {error}. Events are refused with 503 until it can be; "
                "senders try again."
            ) from error


def _insert(con: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert events that are not there yet, in their order."""
    whole = len(rows) // BLOCK * BLOCK
    for start in range(0, whole, BLOCK):
        con.execute(INSERT_BLOCK, tuple(chain.from_iterable(rows[start : start + BLOCK])))
    if whole < len(rows):
        con.executemany(INSERT + ROW, rows[whole:])


def _on_disk(names: tuple[str, ...]) -> tuple[tuple[int, int] | None, ...]:
    """What tells each file from another that is put in its place; None where there is none."""
    found: list[tuple[int, int] | None] = []
    for name in names:
        try:
            seen = os.stat(name)  # noqa: PTH116 - at every commit, and half as dear as a Path's
            found.append((seen.st_dev, seen.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)
