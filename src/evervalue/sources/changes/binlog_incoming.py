"""What a binary log tells, transaction by transaction, on its way to the tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.sources.changes.binlog_cells import RANGES, text
from evervalue.sources.changes.binlog_server import AGAIN, gtids
from evervalue.sources.changes.binlog_stream import BinlogStream
from evervalue.sources.changes.binlog_tables import BinlogTables
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.stage import Cell, Shape, Stage

RESHAPES = re.compile(r"^\s*(?:/\*.*?\*/\s*)?(alter|rename|drop|create)\b", re.I | re.S)
TRUNCATES = re.compile(r"^\s*(?:/\*.*?\*/\s*)?truncate\b", re.I | re.S)
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
        self.anew: set[str] = set()
        """Feeds that must be read again: their columns changed."""
        self.committed_at: dt.datetime | None = None
        """When the source committed the last transaction that came whole."""
        self.in_transaction = False
        self._gtids: dict[str, str] = {}
        self._next_gtid = ""
        self._told: set[str] = set()
        self._lsn = 0
        self._ordinal = 0

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
        self.pending, self.anew = None, set()
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
            self._begin()
            self._next_gtid = event.gtid
        elif name == "QueryEvent":
            self._query(_text(event.query), event)
        elif name == "XidEvent":
            self._commit(event)

    def log_ended(self) -> None:
        """Note how far the log goes; what came behind the last transaction was none of ours."""
        if not self.in_transaction and self.stream.at > self.end.next_lsn:
            self.pending = replace(self.end, next_lsn=self.stream.at, slot=self.stream.file)

    def _query(self, statement: str, event: Any) -> None:
        word = statement.strip().upper()
        if word == "BEGIN":
            if not self.in_transaction:
                self._begin()
            return
        if word != "COMMIT":
            self._statement(statement, _text(event.schema))
        self._commit(event)

    def _begin(self) -> None:
        self.in_transaction = True
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

    def _rows(self, event: Any, op: bytes) -> None:
        feed = self.tables.by_name.get((str(event.schema).lower(), str(event.table).lower()))
        if feed is None:
            return
        if not self.in_transaction:
            self._begin()
        table = self.tables.described[feed]
        columns = list(event.columns)
        known = self.tables.names_columns and all(
            c.name and not str(c.name).startswith("UNKNOWN_COL") for c in columns
        )
        names = [str(c.name) for c in columns] if known else [c.name for c in table.columns]
        if len(names) != len(columns) or (known and set(names) != {c.name for c in table.columns}):
            self.anew.add(feed)
        if len(names) != len(columns) or any(k not in names for k in table.key):
            return  # the table is read again behind this batch
        bases = {c.name: c.extra for c in table.columns}
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
                )  # fmt: skip
                out.append(None if shown is None else shown.encode())
            return out

        for row in event.rows:
            self._ordinal += 1
            old: list[Cell] | None = None
            if op == b"u":
                before = cells(row["before_values"], row["before_none_sources"])
                old = [before[i] for i in places]
                new = cells(row["after_values"], row["after_none_sources"])
            else:
                new = cells(row["values"], row["none_sources"])
            self.stage.add(segment, op, self._lsn, self._ordinal, new, old)

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

    def _statement(self, statement: str, schema: str) -> None:
        """A statement that is logged as text: it may empty or reshape a table."""
        if not self.in_transaction:
            self._begin()
        truncates = TRUNCATES.match(statement)
        if not truncates and not RESHAPES.match(statement):
            return
        for (database, name), feed in self.tables.by_name.items():
            if not re.search(rf"(?<![\w$])`?{re.escape(name)}`?(?![\w$])", statement, re.I):
                continue
            if database != schema.lower() and database not in statement.lower():
                continue
            if truncates:
                self._ordinal += 1
                table = self.tables.described[feed]
                names = tuple(c.name for c in table.columns)
                segment = self.stage.segment(feed, Shape(table.key, names))
                self.stage.add(segment, b"t", self._lsn, self._ordinal, [None] * len(names))
            else:
                self.anew.add(feed)


def _text(said: str | bytes) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
