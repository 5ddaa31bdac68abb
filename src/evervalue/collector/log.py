"""The event log: one SQLite file in which an event is stored once, whenever it comes again.

What is written in one call is on disk together when the call returns, or not at all: the log is in WAL mode with
`synchronous=FULL`, so a commit waits for the disk. An event is known by its source and its messageId, for ever and not
for a window of days: key and event are one row. The tally of a source is written in the same transaction, so that
accepted = stored + duplicate + quarantined can be checked at any instant, also after a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from evervalue.collector.messages import Event, Refusal
from evervalue.core.errors import StorageError

LOG = "events.db"
"""Name of the log in the data directory."""
SCHEMA = """
create table if not exists source (
    source_id integer primary key,
    name text not null unique
) strict;
create table if not exists event (
    seq integer primary key autoincrement,
    source_id integer not null,
    message_id text not null,
    type text not null,
    at_us integer not null,
    received_us integer not null,
    who text,
    body blob,
    unique (source_id, message_id)
) strict;
create index if not exists event_who on event (source_id, who) where body is not null;
create table if not exists refused (
    refused_id integer primary key autoincrement,
    source_id integer not null,
    received_us integer not null,
    code text not null,
    says text not null,
    body blob not null
) strict;
create table if not exists tally (
    source_id integer primary key,
    accepted integer not null,
    stored integer not null,
    duplicate integer not null,
    quarantined integer not null
) strict;
create table if not exists position (
    source_id integer not null,
    stream text not null,
    part text not null,
    position text not null,
    moved_us integer not null,
    primary key (source_id, stream, part)
) strict, without rowid;
"""
LAYOUT = 3
"""Version of the schema, kept in the file's user_version."""

FROM_LAYOUT_1 = """
alter table event add column who text;
update event set who = coalesce(
    nullif(trim(json_extract(cast(body as text), '$.userId')), ''),
    nullif(trim(json_extract(cast(body as text), '$.anonymousId')), '')
) where body is not null;
"""
"""Logs of version 0.1 before there was `who`: whose an event is, found by the index."""

Connect = Callable[[], sqlite3.Connection]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request brought."""

    source: str
    received_us: int
    taken: Sequence[Event]
    refused: Sequence[Refusal] = ()
    positions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """How far streams are read with it: (stream, part) and the position, as the stream's own reader writes it."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a part of a stream (a shard, a partition) is read into the log."""

    stream: str
    part: str
    position: str
    moved_us: int
    """When it was written, microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands in the log."""

    seq: int
    source: str
    message_id: str
    type: str
    at_us: int
    received_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of all that a source sent: accepted = stored + duplicate + quarantined."""

    source: str
    accepted: int
    stored: int
    duplicate: int
    quarantined: int


class EventLog:
    """A log in one file. Each thread that uses it needs its own.

    Parameters
    ----------
    path
        The file; made where it is missing.
    connect
        Opens the file, in tests with faults; default: SQLite's own way.

    Raises
    ------
    StorageError
        The file cannot be opened, is no log, or was written by a later version.
    """

    def __init__(self, path: Path, connect: Connect | None = None) -> None:
        self.path = path
        self._connect = connect or (lambda: sqlite3.connect(path, isolation_level=None, timeout=10))
        self.con: sqlite3.Connection | None = None
        self._ids: dict[str, int] = {}
        self._inode: tuple[int, int] | None = None
        with self._told():
            self._open()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Store what came, on disk when this returns.

        Raises
        ------
        StorageError
            The disk is full, or failed; nothing of it is stored.
        """
        with self._told():
            con = self._open()
            con.execute("begin immediate")
            try:
                for one in deliveries:
                    self._deliver(con, one)
                con.execute("commit")
            except BaseException:
                self._ids.clear()
                with suppress(sqlite3.Error):
                    con.execute("rollback")
                raise
            self._check_is_there()

    def read(self, after: int, most: int = 1000) -> list[Stored]:
        """The events behind `after` (a seq), in the order in which they were stored."""
        with self._told():
            rows = self._open().execute(
                "select e.seq, s.name, e.message_id, e.type, e.at_us, e.received_us, e.body from event as e "
                "join source as s using (source_id) where e.seq > ? and e.body is not null order by e.seq limit ?",
                (after, most),
            )
            return [Stored(*row) for row in rows]

    def of(self, source: str, after: int, at_once: int) -> Iterator[Stored]:
        """The events of one source behind `after`, in the order of the log; `at_once` rows are read at a time."""
        while True:
            with self._told():
                rows = (
                    self._open()
                    .execute(
                        "select e.seq, s.name, e.message_id, e.type, e.at_us, e.received_us, e.body from event as e "
                        "join source as s using (source_id) where s.name = ? and e.seq > ? and e.body is not null "
                        "order by e.seq limit ?",
                        (source, after, at_once),
                    )
                    .fetchall()
                )
            if not rows:
                return
            for row in rows:
                yield Stored(*row)
            after = int(rows[-1][0])

    def about(self, source: str, whos: Collection[str], after: int) -> list[Stored]:
        """The events of one source behind `after` that are `whos`, in the order of the log."""
        with self._told():
            rows = self._open().execute(
                "select e.seq, s.name, e.message_id, e.type, e.at_us, e.received_us, e.body from event as e "
                "join source as s using (source_id) where s.name = ? and e.seq > ? and e.body is not null "
                f"and e.who in ({', '.join('?' * len(whos))}) order by e.seq",
                (source, after, *whos),
            )
            return [Stored(*row) for row in rows]

    def before(self, n: int) -> int:
        """The seq behind which the newest `n` events stand."""
        with self._told():
            rows = (
                self._open()
                .execute("select seq from event order by seq desc limit 1 offset ?", (n,))
                .fetchone()
            )
            return int(rows[0]) if rows else 0

    def last(self) -> int:
        """The seq of the newest event; 0 before the first."""
        with self._told():
            (seq,) = self._open().execute("select coalesce(max(seq), 0) from event").fetchone()
            return int(seq)

    def tallies(self) -> list[Tally]:
        """What became of what each source sent, by name."""
        with self._told():
            rows = self._open().execute(
                "select s.name, t.accepted, t.stored, t.duplicate, t.quarantined from tally as t "
                "join source as s using (source_id) order by s.name"
            )
            return [Tally(*row) for row in rows]

    def positions(self, source: str) -> list[Position]:
        """How far the streams of a source are read, by stream and part."""
        with self._told():
            rows = self._open().execute(
                "select p.stream, p.part, p.position, p.moved_us from position as p "
                "join source as s using (source_id) where s.name = ? order by p.stream, p.part",
                (source,),
            )
            return [Position(*row) for row in rows]

    def close(self) -> None:
        """Let the file go."""
        if self.con is not None:
            with suppress(sqlite3.Error):
                self.con.close()
            self.con = None
        self._ids.clear()  # the file opened next may be another one

    def _check_is_there(self) -> None:
        """Refuses what was written to a file that has been deleted or replaced meanwhile.

        Raises
        ------
        StorageError
            The path leads to another file than the one that is open, or to none.
        """
        if _inode(self.path) != self._inode:
            self.close()
            raise StorageError(
                f"{self.path} was deleted or replaced while it was in use. Events are refused with 503 and taken anew "
                "into the file that stands there now; senders try again."
            )

    def _id(self, con: sqlite3.Connection, source: str) -> int:
        """The number of a source, given at its first event."""
        if source not in self._ids:
            con.execute("insert or ignore into source (name) values (?)", (source,))
            (found,) = con.execute("select source_id from source where name = ?", (source,)).fetchone()
            self._ids[source] = int(found)
        return self._ids[source]

    def _deliver(self, con: sqlite3.Connection, one: Delivery) -> None:
        source_id = self._id(con, one.source)
        before = con.total_changes
        con.executemany(
            "insert or ignore into event (source_id, message_id, type, at_us, received_us, who, body) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            [(source_id, e.message_id, e.type, e.at_us, one.received_us, e.who, e.body) for e in one.taken],
        )
        stored = con.total_changes - before
        if one.refused:
            con.executemany(
                "insert into refused (source_id, received_us, code, says, body) values (?, ?, ?, ?, ?)",
                [(source_id, one.received_us, r.code, r.says, r.body) for r in one.refused],
            )
        if one.positions:
            con.executemany(
                "insert into position values (?, ?, ?, ?, ?) on conflict (source_id, stream, part) "
                "do update set position = excluded.position, moved_us = excluded.moved_us",
                [(source_id, *of, position, one.received_us) for of, position in one.positions.items()],
            )
        taken, refused = len(one.taken), len(one.refused)
        con.execute(
            "insert into tally values (?1, ?2, ?3, ?4, ?5) on conflict (source_id) do update set accepted = "
            "accepted + ?2, stored = stored + ?3, duplicate = duplicate + ?4, quarantined = quarantined + ?5",
            (source_id, taken + refused, stored, taken - stored, refused),
        )

    def _open(self) -> sqlite3.Connection:
        """The connection, opened anew where the last one failed."""
        if self.con is not None:
            return self.con
        con = self._connect()
        try:
            (found,) = con.execute("pragma user_version").fetchone()
            if found > LAYOUT:
                raise StorageError(
                    f"{self.path} was written by a later version of Evervalue (layout {found}, ours is {LAYOUT}). "
                    "Install that version again."
                )
            con.execute("pragma journal_mode=wal")
            con.execute("pragma synchronous=full")
            if found < LAYOUT:
                older = FROM_LAYOUT_1 if found == 1 else ""
                con.executescript(f"begin immediate; {older} {SCHEMA} pragma user_version={LAYOUT}; commit;")
        except BaseException:
            con.close()
            raise
        self.con, self._inode = con, _inode(self.path)
        return con

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what SQLite refuses into our own error, and opens the file anew the next time."""
        try:
            yield
        except sqlite3.Error as error:
            self.close()
            raise StorageError(
                f"The event log {self.path} could not be used: {error}. Events are refused with 503 until it can be; "
                "senders try again."
            ) from error


def _inode(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that is put in its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
