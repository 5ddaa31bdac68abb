"""A MySQL or MariaDB source that is followed: a snapshot of every table, then its binary log.

The position is read before the snapshot is taken, so a copy may show changes that the log brings again. Each of them
sets whole rows, in the order of commits, so at the position read after the copy the rows are the source's. No lock is
taken for it. A position is the log's number and the place in it; behind another server, which global transaction ids
lead to, a number in front tells that everything is later.
"""

from __future__ import annotations

import datetime as dt
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from evervalue.core.progress import Progress
from evervalue.sources.applied import Applied
from evervalue.sources.changes import positions
from evervalue.sources.changes.binlog_incoming import Incoming
from evervalue.sources.changes.binlog_stream import BinlogStream, the_library
from evervalue.sources.changes.binlog_tables import BinlogTables
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.stage import BATCH_ROWS, Stage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import MySqlReader
from evervalue.warehouse.duckdb import Connection

POLL_SECONDS = 0.2


class BinlogChanges:
    """One source's log, applied to the tables of a warehouse that is given for each batch."""

    def __init__(
        self,
        source: str,
        address: Address,
        tables: Mapping[str, Wanted],
        *,
        server_id: int | None = None,
        temp: Path,
        progress: Progress,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.source = source
        self.address = address
        self.tables = BinlogTables(source, address, tables, temp, progress)
        self.server = self.tables.server
        self.applied = self.tables.applied
        self.stage = Stage(temp / f"stream-{source}", batch_rows)
        self.stream = BinlogStream(self.server, server_id or 1 + zlib.crc32(source.encode()) % (2**31))
        self.incoming = Incoming(self.tables, self.stream, self.stage, progress)
        self.committed_at: dt.datetime | None = None
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
        """Bring every table to where the log can be read from; `commit` is called after each table copied."""
        the_library()
        self.tables.open()
        held = positions.read(con, self.source)
        if full_refresh and held is not None:
            self.tables.begin_anew(con, run_id)
            held = None
        at = self.server.now() if held is None else self.server.verified(held)
        positions.write(con, self.source, at, run_id=run_id)
        self.incoming.begin(at)
        self.tables.copy_missing(
            con, lambda feed: self.tables.copy(con, feed, lsn=at.next_lsn, run_id=run_id), commit
        )
        self.incoming.clear()

    def close(self) -> None:
        """End the connections."""
        self.stream.end()
        self.tables.close()
        self.stage.clear()

    # Reading

    def read(self, *, until: int | None, seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in whole transactions until a batch is full or the log ends; whether anything is to be applied."""
        end = time.monotonic() + seconds
        while True:
            ended = self._read_to_end(stop)
            if stop() and self.incoming.in_transaction:
                self.stream.end()
                return False
            if self.stage.is_full:
                return True
            if (ended and until is not None) or time.monotonic() > end or stop():
                return self.incoming.anything
            time.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))

    def _read_to_end(self, stop: Callable[[], bool]) -> bool:
        """Whether the log's end was reached; False where the batch is full or it is time to end."""
        if not self.stream.is_open:
            self.stream.begin(self.incoming.end, self.tables.names())
            self.incoming.broken_off()
        while True:
            event = self.stream.event()
            if event is None:
                self.incoming.log_ended()
                self.stream.end()
                return True
            self.incoming.take(event)
            self.committed_at = self.incoming.committed_at
            if (self.stage.is_full and not self.incoming.in_transaction) or stop():
                return False

    @property
    def reached(self) -> int:
        """Everything before this position has come."""
        return self.incoming.end.next_lsn

    @property
    def moved(self) -> bool:
        """Whether the log went on with nothing of ours in it."""
        return self.incoming.pending is not None

    def look_again(self) -> bool:
        """Whether a table was reshaped by a statement that the log does not show."""
        return False

    # Applying

    def apply(self, con: Connection, *, run_id: str) -> dict[str, Applied]:
        """Bring what is pending into the tables; rows and position are the caller's one transaction."""
        self.stage.close()
        counts: dict[str, Applied] = {}
        for segment in self.stage.filled():
            made = self.tables.apply(con, segment, run_id=run_id)
            counts.setdefault(segment.feed, Applied()).add(made)
        position = self.incoming.end
        for feed, why in sorted(self.incoming.anew.items()):
            made = self.tables.reread(con, feed, why, at=position, run_id=run_id)
            counts.setdefault(feed, Applied()).add(made)
        positions.write(con, self.source, position, run_id=run_id)
        self._next = position
        self.tables.gather(counts)
        return counts

    def done(self, *, committed: bool) -> None:
        """The next batch may come."""
        del committed
        self.position = self._next
        self.incoming.clear()

    def acknowledge(self) -> None:
        """Nothing: the server keeps its log as long as it is set to."""

    # How far it is

    def target(self, con: Connection) -> int:
        """Where the log ends now, or where all tables agree with the source, whichever comes later."""
        return max(self.server.now().next_lsn, self.settled(con))

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        return self.tables.settled(con)

    def end(self) -> tuple[int, dt.datetime]:
        """Where the log ends, and the instant of asking by the server's clock, UTC."""
        return self.server.end()

    @property
    def applied_to(self) -> int:
        """Everything of ours before this position is applied."""
        waits = self.stage.rows or self.incoming.anew
        return self.position.next_lsn if waits else self.reached

    def followed_elsewhere(self, con: Connection) -> bool:
        """Never: a log may be read by many."""
        return False

    def check(self, feed: str) -> list[str]:
        """What is there of a table, in sentences."""
        reader = MySqlReader(self.address, 1)
        try:
            return reader.check(self.tables.wanted[feed].table, changes=True)
        finally:
            reader.close()
