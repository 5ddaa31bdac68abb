"""What a binary log tells, transaction by transaction, on its way to the tables."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import listing
from evervalue.sources.changes import binlog_statements
from evervalue.sources.changes.binlog_cascades import Cascade
from evervalue.sources.changes.binlog_cells import RANGES, text
from evervalue.sources.changes.binlog_server import AGAIN, gtids
from evervalue.sources.changes.binlog_statements import Kind, Said
from evervalue.sources.changes.binlog_stream import BinlogStream
from evervalue.sources.changes.binlog_tables import BinlogTables
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.stage import Cell, Shape, Stage

OLD_TIMES = (7, 11, 12)
"""Types of the log: timestamp, time and datetime without their places behind the second."""
STANDALONE = 1
"""Flag of MariaDB's transaction ids: a statement for itself, without an end of its own."""
PARTIAL = "parts of JSON values (binlog_row_value_options), not whole rows: SET GLOBAL binlog_row_value_options = '';"
COMPRESSED = "compressed events, which are not read: SET GLOBAL log_bin_compress = OFF;"
UNREAD = {
    **dict.fromkeys((20, 21, 22), "rows as servers before MySQL 5.1.18 wrote them"),
    26: "a note that the server lost some of it (an incident)",
    40: "compressed transactions, which are not read: SET GLOBAL binlog_transaction_compression = OFF;",
    **dict.fromkeys(range(165, 172), COMPRESSED),
}
"""Kinds of events that may hold changes of ours which cannot be read: what they are, and the mend."""
ROWS = {"WriteRowsEvent": b"i", "UpdateRowsEvent": b"u", "DeleteRowsEvent": b"d"}
"""Event: what it does to its rows."""


class Incoming:
    """Events in, staged changes and what else is pending out."""

    def __init__(self, tables: BinlogTables, stream: BinlogStream, stage: Stage, progress: Progress) -> None:
        self.tables = tables
        self.stream = stream
        self.stage = stage
        self.progress = progress
        self.where = tables.address.where
        self.applied_to = Position(tables.kind)
        """Everything before it is applied."""
        self.pending: Position | None = None
        """What came whole ends here; None where nothing came."""
        self.anew: dict[str, str] = {}
        """Feeds that must be read again: why."""
        self.committed_at: dt.datetime | None = None
        """When the source committed the last transaction that came whole."""
        self.in_transaction = False
        self._gtids: dict[str, str] = {}
        self._next_gtid = ""
        self._told: set[str] = set()
        self._lsn = 0
        self._ordinal = 0
        self._grouped = False
        self._mark = stage.mark()
        self._changed: set[str] = set()
        """Feeds with changes in the transaction."""
        self._ends = ""
        self._waiting: dict[str, set[str]] = {}
        """Prepared transactions, as the log names them: the feeds that they change."""

    @property
    def anything(self) -> bool:
        """Whether something is to be applied."""
        return bool(self.stage.rows or self.anew or self.pending)

    @property
    def end(self) -> Position:
        """Everything before it has come."""
        return self.pending or self.applied_to

    def begin(self, at: Position) -> None:
        """Everything before a position is applied, and what comes follows it."""
        self.applied_to = at
        self._gtids = gtids(at.gtid)

    def clear(self) -> None:
        """What was pending is applied, or comes again."""
        self.pending, self.anew = None, {}
        self.stage.clear()

    def take(self, event: Any) -> None:
        """One event of the log.

        Raises
        ------
        SourceUnavailable
            The log leaves out what did not change.
        """
        name = type(event).__name__
        if name in ROWS:
            self._rows(event, ROWS[name])
        elif name in ("GtidEvent", "MariadbGtidEvent"):
            self._begin(grouped=name == "MariadbGtidEvent" and not event.flags & STANDALONE)
            self._next_gtid = event.gtid
        elif name == "QueryEvent":
            self._query(binlog_statements.read(_text(event.query)), event)
        elif name == "XidEvent":
            self._commit(event)
        elif name == "XAPrepareEvent":
            self._prepared(event)
        elif name == "ExecuteLoadQueryEvent":
            self._unknown_rows()
        elif name == "PartialUpdateRowsEvent" or event.event_type in UNREAD:
            raise SourceUnavailable(
                f"{self.where}: the log holds {UNREAD.get(event.event_type, PARTIAL)}, so changes are lost. {AGAIN}"
            )

    def log_ended(self) -> None:
        """Note how far the log goes; what came behind the last transaction was none of ours."""
        self.broken_off()
        if self.stream.at > self.end.next_lsn:
            self.pending = replace(self.end, next_lsn=self.stream.at, slot=self.stream.file)

    def broken_off(self) -> None:
        """What came of a transaction that has not ended is forgotten: it comes again, or never ended."""
        if self.in_transaction:
            self.stage.back(self._mark)
            self.in_transaction = False

    def _query(self, said: Said, event: Any) -> None:
        if said.kind is Kind.BEGIN:
            if not self.in_transaction:
                self._begin()
            self._grouped = True
            return
        if not self.in_transaction:
            self._begin()
        match said.kind:
            case Kind.COMMIT:
                self._commit(event)
                return
            case Kind.ROLLBACK:
                # Only logged where tables were changed that cannot be set back.
                self._again(self._changed, "a transaction was taken back in part")
                self._commit(event)
                return
            case Kind.PART_BACK:
                self._again(self._changed, "a transaction was taken back in part")
            case Kind.XA_END:
                self._ends = said.text.split(None, 2)[-1]
            case Kind.XA_COMMIT:
                feeds = self._waiting.pop(said.text.split(None, 2)[-1], set(self.tables.wanted))
                self._again(feeds, "a prepared transaction was committed")
            case Kind.XA_ROLLBACK:
                self._waiting.pop(said.text.split(None, 2)[-1], None)
            case Kind.ROWS:
                self._unknown_rows()
            case Kind.TRUNCATE | Kind.RESHAPE:
                self._statement(said, _text(event.schema))
        if not self._grouped:
            self._commit(event)

    def _begin(self, *, grouped: bool = False) -> None:
        """A transaction begins; `grouped` where only its own end ends it, not the next statement."""
        self.broken_off()
        self.in_transaction = True
        self._grouped = grouped
        self._mark = self.stage.mark()
        self._changed = set()
        self._ordinal = 0
        self._lsn = self.stream.at

    def _commit(self, event: Any) -> None:
        self.in_transaction = False
        if self._next_gtid:
            self._gtids |= gtids(self._next_gtid) if self.tables.server.mariadb else {}
            self._next_gtid = ""
        if event.timestamp:
            self.committed_at = dt.datetime.fromtimestamp(event.timestamp, dt.UTC).replace(tzinfo=None)
        self.pending = replace(
            self.applied_to, lsn=self._lsn, ordinal=self._ordinal, next_lsn=self.stream.at, slot=self.stream.file,
            gtid=",".join(sorted(self._gtids.values())) or self.applied_to.gtid, committed_at=self.committed_at,
        )  # fmt: skip

    def _prepared(self, event: Any) -> None:
        """A transaction whose changes count only once another says so, perhaps after we were ended and begun again."""
        if not event.one_phase:
            self._waiting[self._ends] = self._changed
            self.stage.back(self._mark)
        self._commit(event)

    def _again(self, feeds: Iterable[str], why: str) -> None:
        for feed in feeds:
            self.anew.setdefault(feed, why)

    def _unknown_rows(self) -> None:
        if "statements" not in self._told:
            self._told.add("statements")
            self.progress.warn(
                f"{self.where}: a session writes statements into the log in place of rows (its binlog_format is not "
                "ROW), so what they changed is not known and all tables are read again."
            )
        self._again(self.tables.wanted, "a statement changed rows that the log does not show")

    def _rows(self, event: Any, op: bytes) -> None:
        if not self.in_transaction:
            self._begin()
        self._cascade(event, op)
        feed = self.tables.feed(str(event.schema), str(event.table))
        if feed is None:
            return
        self._changed.add(feed)
        table = self.tables.described[feed]
        columns = list(event.columns)
        names = [str(c.name) for c in columns]
        if set(names) != {c.name for c in table.columns}:
            self._again([feed], "its columns changed")
            if len(names) != len(table.columns) or any(k not in names for k in table.key):
                return  # the table is read again behind this batch
        for column in columns:
            if column.character_set_name is not None and column.name in self.tables.codecs[feed]:
                column.character_set_name = self.tables.codecs[feed][column.name]
        bases = {c.name: c.extra for c in table.columns}
        sizes = {c.name: int(c.database_type[7:-1]) for c in table.columns if c.extra == "binary"}
        segment = self.stage.segment(feed, Shape(table.key, tuple(names)))
        places = [names.index(k) for k in table.key]

        def cells(values: Mapping[str, Any], missing: Mapping[str, str]) -> list[Cell]:
            out: list[Cell] = []
            for (key, value), column, own in zip(values.items(), columns, names, strict=True):
                why = str(missing.get(key, ""))
                if value is None:
                    self._look_why(feed, why)
                shown = text(
                    value, bases.get(own, ""), missing=why,
                    digits=int(getattr(column, "fsp", 0) or 0), members=getattr(column, "set_values", None),
                    size=sizes.get(own, 0),
                )  # fmt: skip
                out.append(None if shown is None else shown.encode())
            return out

        for row in self._read(event, table.name):
            self._ordinal += 1
            old: list[Cell] | None = None
            if op == b"u":
                before = cells(row["before_values"], row["before_none_sources"])
                old = [before[i] for i in places]
                new = cells(row["after_values"], row["after_none_sources"])
            else:
                new = cells(row["values"], row["none_sources"])
            self.stage.add(segment, op, self._lsn, self._ordinal, new, old)

    def _read(self, event: Any, table: str) -> Any:
        """The rows of an event."""
        old = [str(column.name) for column in event.columns if column.type in OLD_TIMES]
        try:
            rows = [] if old else event.rows
        except (NotImplementedError, ValueError, LookupError, TypeError, struct.error) as error:
            raise SourceUnavailable(
                f"{self.where}: rows of {table} cannot be read from the log ({type(error).__name__}). Read the table "
                'with capture = "snapshot".'
            ) from None
        if old:
            raise SourceUnavailable(
                f"{self.where}: {table} keeps {listing(old)} as MySQL before 5.6 and MariaDB before 10.1 did, which "
                f"cannot be read from the log. Let its owner run: ALTER TABLE {table} FORCE; {AGAIN}"
            )
        return rows

    def _look_why(self, feed: str, why: str) -> None:
        """Say what an empty cell may hide."""
        if why == "cols bitmap":
            raise SourceUnavailable(
                f"{self.where}: the log leaves out columns that did not change. Let an administrator run: SET GLOBAL "
                f"binlog_row_image = 'FULL'; {AGAIN}"
            )
        if why in RANGES and feed not in self._told:
            self._told.add(feed)
            self.progress.warn(
                f"{feed} holds dates with zeros in them. The log's reader does not tell 2024-00-00 from 0000-00-00, so "
                "such dates are kept as 0000-00-00 until the table is read again."
            )

    def _cascade(self, event: Any, op: bytes) -> None:
        """Rows of others go or change with these, without a word in the log."""
        for feed, cascade in self.tables.hanging(str(event.schema), str(event.table)):
            if feed in self.anew or op == b"i":
                continue
            if (op == b"d" and cascade.deletes) or (
                op == b"u" and cascade.updates and _moves(event, cascade)
            ):
                self._again([feed], f"rows of {event.table} that it hangs on changed")

    def _statement(self, said: Said, schema: str) -> None:
        """A statement that empties a table or may have reshaped some."""
        if said.kind is Kind.TRUNCATE:
            feed = self.tables.feed(said.database or schema, said.table)
            if feed is not None:
                self._ordinal += 1
                self._changed.add(feed)
                table = self.tables.described[feed]
                names = tuple(c.name for c in table.columns)
                segment = self.stage.segment(feed, Shape(table.key, names))
                self.stage.add(segment, b"t", self._lsn, self._ordinal, [None] * len(names))
            return
        for (database, name), feed in self.tables.by_name.items():
            here = database.lower() == schema.lower() or binlog_statements.names(said.text, database)
            if here and binlog_statements.names(said.text, name):
                self._again([feed], "its columns changed")


def _moves(event: Any, cascade: Cascade) -> bool:
    """Whether an update changes what other tables name its rows by; also where that cannot be told."""
    try:
        return any(
            row["before_values"].get(name, 0) != row["after_values"].get(name, 1)
            for row in event.rows
            for name in cascade.columns
        )
    except (LookupError, UnicodeError, ValueError, TypeError):
        return True


def _text(said: str | bytes) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
