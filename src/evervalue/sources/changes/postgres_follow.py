"""A PostgreSQL source that is followed: a snapshot of every table, then every transaction in the order of commits.

Where the snapshot's position and the stream meet, nothing is missing and nothing counts twice: the slot's snapshot
holds exactly what was committed before the position that the stream begins at. A table that is read later than that
(a load that was broken off, a table named later, a column that came with values of its own) is put at the position
the stream has reached and then gets changes that its rows may already show. Each of them sets what the source set, in
the source's order, so behind the last change that the copy could have seen the rows are the source's again; until
then the source is not handed on.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.sources.applied import Applied
from evervalue.sources.changes import positions
from evervalue.sources.changes import postgres_slot as slots
from evervalue.sources.changes.copied import is_followed
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.postgres_incoming import Incoming
from evervalue.sources.changes.postgres_stream import Stream
from evervalue.sources.changes.postgres_tables import FOLLOWING, PostgresTables
from evervalue.sources.changes.stage import BATCH_ROWS, Stage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres import PostgresReader
from evervalue.sources.databases.postgres_errors import told
from evervalue.warehouse.duckdb import Connection

POLL_SECONDS = 0.2


class PostgresChanges:
    """One source's stream, applied to the tables of a warehouse that is given for each batch."""

    def __init__(
        self,
        source: str,
        address: Address,
        tables: Mapping[str, Wanted],
        *,
        slot: str | None = None,
        publication: str | None = None,
        temp: Path,
        progress: Progress,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.source = source
        self.address = address
        self.slot = slots.slot_name(source, slot)
        self.progress = progress
        self.tables = PostgresTables(source, address, tables, temp, progress, publication or self.slot)
        self.applied = self.tables.applied
        self.stage = Stage(temp / f"stream-{source}", batch_rows)
        self.incoming = Incoming(self.tables, self.stage, progress)
        self.committed_at: dt.datetime | None = None
        self.stream: Stream | None = None
        self._next = self.position

    @property
    def position(self) -> Position:
        """Everything before it is applied."""
        return self.incoming.applied_to

    @position.setter
    def position(self, at: Position) -> None:
        self.incoming.applied_to = at

    # Opening

    def open(self, con: Connection, *, run_id: str, full_refresh: bool, commit: Callable[[], None]) -> None:
        """Bring slot, publication and every table to where the stream can be read; the stream is then open.

        `commit` is called where what was done so far may be kept: after each table that was copied. A load that keeps
        nothing before its end passes a function that does nothing.
        """
        self.tables.open()
        self.incoming.begin()
        held = positions.read(con, self.source)
        if full_refresh and held is not None:
            self.tables.begin_anew(con, run_id)
            held = None
        replication = slots.connect(self.address, replication=True)
        try:
            with told(self.address, FOLLOWING):
                snapshot = self._begin_at(replication, held, anew=full_refresh)
                positions.write(con, self.source, self.position, run_id=run_id)
                lsn = self.position.next_lsn
                self.tables.copy_missing(
                    con,
                    lambda feed: self.tables.copy(con, feed, lsn=lsn, run_id=run_id, snapshot=snapshot),
                    commit,
                )
        finally:
            replication.close()
        self.stream = Stream(self.address, self.slot, self.tables.publication, lsn)
        self.stream.acknowledge(lsn if snapshot is None and held is not None else 0)
        self.tables.streaming = True
        self.incoming.clear()

    def close(self) -> None:
        """End the stream; the slot stays where it was acknowledged."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        self.tables.close()
        self.stage.clear()

    def _begin_at(self, replication: Any, held: Position | None, *, anew: bool) -> str | None:
        """The snapshot to copy tables under, where the slot is made now; the position is where the stream begins."""
        where = self.address.where
        server = slots.identify(replication, self.address)
        slot = slots.find(self.tables.sql, self.slot, where)
        if held is not None:
            history = ""
            if server.timeline != held.timeline:
                history = slots.history(replication, server.timeline, self.address)
            slots.verify(slot, held, server, self.slot, where, history)
            self.position = replace(held, timeline=server.timeline)
            return None
        snapshot = None
        if slot is not None and not slot.lost and not anew:
            # Made by a load that was broken off, or by an administrator for us.
            start = slot.confirmed
        else:
            if slot is not None:
                slots.drop(self.tables.sql, self.slot, where)
            start, snapshot = slots.create(replication, self.slot, self.address, where)
        self.position = Position("postgres", start, 0, start, server.system_id, server.timeline, self.slot)
        return snapshot

    # Reading

    def read(self, *, until: int | None, seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in whole transactions until a batch is full; whether anything is to be applied.

        Ends when the batch has its size, when `seconds` have passed and no transaction is open, when everything up to
        the position `until` has come, or when `stop` says so.
        """
        assert self.stream is not None
        end = time.monotonic() + seconds
        asked = 0.0
        while True:
            data = self.stream.message(1.0 if self.incoming.in_transaction else POLL_SECONDS)
            if data is not None:
                self.incoming.take(data)
                self.committed_at = self.incoming.committed_at
                if self.incoming.in_transaction:
                    if stop():
                        return False
                    continue
            if self.stage.is_full:
                return True
            now = time.monotonic()
            if not self.incoming.in_transaction:
                if until is not None and self.reached >= until:
                    return self.incoming.anything
                if now > end or stop():
                    return self.incoming.anything
            if data is None and now - asked >= POLL_SECONDS:
                self.stream.ask()
                asked = now

    @property
    def reached(self) -> int:
        """Everything before this position was sent to us, and is applied or pending."""
        assert self.stream is not None
        if self.incoming.in_transaction:
            return self.position.next_lsn
        return max(self.stream.seen, (self.incoming.pending.position or self.position).next_lsn)

    @property
    def moved(self) -> bool:
        """Whether the source's log went on past what is applied, with nothing of ours in it."""
        return not self.incoming.in_transaction and self.reached > self.position.next_lsn

    def look_again(self) -> bool:
        """Whether a table was reshaped and not written to since, of which the stream says nothing."""
        assert not self.incoming.in_transaction
        self.incoming.look_again()
        return self.incoming.anything

    # Applying

    def apply(self, con: Connection, *, run_id: str) -> dict[str, Applied]:
        """Bring what is pending into the tables; rows and position are the caller's one transaction.

        Call `done` after it.
        """
        assert self.stream is not None
        self.stage.close()
        counts: dict[str, Applied] = {}
        began, pending = self.position.next_lsn, self.incoming.pending
        with self.stream.busy():
            anew = set(pending.anew)
            for segment in self.stage.filled():
                feed = segment.feed
                converging = began < self.tables.agrees_from(con, feed)
                made = self.tables.apply(con, segment, run_id=run_id, converging=converging)
                counts.setdefault(feed, Applied()).add(made)
                if made.refused and not converging:
                    self.progress.warn(
                        f"{feed}: {count(made.refused, 'change')} leave out values that are not known here (for "
                        f"example of {made.example}), so the table is read again."
                    )
                    anew.add(feed)
            position = pending.position or self.position
            if not self.incoming.in_transaction and self.stream.seen > position.next_lsn:
                position = replace(position, next_lsn=self.stream.seen)
            for feed in sorted(anew):
                made = self.tables.copy(con, feed, lsn=position.next_lsn, run_id=run_id, snapshot=None)
                counts.setdefault(feed, Applied()).add(made)
            for feed, described in pending.shapes.items():
                if feed not in anew:
                    self.tables.note(con, feed, described.dump(), run_id)
            positions.write(con, self.source, position, run_id=run_id)
        self._next = position
        self.tables.gather(counts)
        return counts

    def done(self, *, committed: bool) -> None:
        """The next batch may come; where what `apply` did is committed, the server may forget it."""
        assert self.stream is not None
        self.position = self._next
        if committed:
            self.stream.acknowledge(self.position.next_lsn)
        self.incoming.clear()

    def acknowledge(self) -> None:
        """Tell the server, over a connection made for it, that it may forget what is committed here."""
        stream = Stream(self.address, self.slot, self.tables.publication, self.position.next_lsn)
        try:
            stream.acknowledge(self.position.next_lsn)
            stream.message(0.2)
        finally:
            stream.close()

    # How far it is

    def target(self, con: Connection) -> int:
        """Where the source's log ends now, or where all tables agree with it, whichever comes later."""
        return max(self.tables.end_of_log(), self.settled(con))

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        return self.tables.settled(con)

    def end(self) -> tuple[int, dt.datetime]:
        """Where the source's log ends, and the instant of asking by the source's clock, UTC."""
        if self.tables.sql is None:
            self.tables.sql = slots.connect(self.address)
        with told(self.address, FOLLOWING):
            (at,) = self.tables.sql.execute("select statement_timestamp() at time zone 'UTC'").fetchone()
        return self.tables.end_of_log(), at

    @property
    def applied_to(self) -> int:
        """Everything of ours before this position is applied."""
        return max(self.position.next_lsn, 0 if self.incoming.anything else self.reached)

    def followed_elsewhere(self, con: Connection) -> bool:
        """Whether another process reads from the slot, and what it brought is here.

        Raises
        ------
        SourceUnavailable
            It does, and a table that it has copied does not agree with the source yet.
        """
        held = positions.read(con, self.source)
        if held is None:
            return False
        sql = slots.connect(self.address)
        try:
            with told(self.address, FOLLOWING):
                slot = slots.find(sql, self.slot, self.address.where)
        finally:
            sql.close()
        if slot is None or not slot.active:
            return False
        if slot.confirmed > held.next_lsn:
            raise SourceUnavailable(
                f"{self.address.where}: somebody else reads from the replication slot '{self.slot}', which stands at "
                f"{slots.shown(slot.confirmed)}; what is stored ends at {slots.shown(held.next_lsn)}. Give every "
                f"project a slot of its own, with the setting `slot`. {slots.AGAIN}"
            )
        new = [feed for feed in self.tables.wanted if not is_followed(con, feed)]
        if new:
            raise SourceUnavailable(
                f"{self.address.where}: {new[0]} is not among the tables that are followed by the process that follows "
                "this source. End it (`evervalue sources watch`) and start it again."
            )
        if held.next_lsn < self.settled(con):
            raise SourceUnavailable(
                f"{self.address.where}: a table was just copied by the process that follows it, and the changes made "
                "meanwhile are not applied yet. Run again in a minute."
            )
        return True

    def check(self, feed: str) -> list[str]:
        """What is there of a table, in sentences, after looking."""
        reader = PostgresReader(self.address, 1)
        try:
            return reader.check(self.tables.wanted[feed].table, changes=True)
        finally:
            reader.close()
