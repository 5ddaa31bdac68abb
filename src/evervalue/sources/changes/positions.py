"""How far a stream was applied: read and written in the transaction that holds the rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from evervalue.sources import raw_zone
from evervalue.warehouse.duckdb import Connection

FIELDS = "kind, server, timeline, slot, lsn, ordinal, next_lsn, gtid, committed_at, shape, current_to"


@dataclass(frozen=True)
class Position:
    """A row of raw.positions, without its key and its run."""

    kind: str
    lsn: int = 0
    ordinal: int = 0
    next_lsn: int = 0
    server: str | None = None
    timeline: int | None = None
    slot: str | None = None
    gtid: str | None = None
    committed_at: dt.datetime | None = None
    shape: str | None = None
    current_to: dt.datetime | None = None
    """All that the source had committed by then is applied; UTC, by its own clock."""


def read(con: Connection, source: str, feed: str = "") -> Position | None:
    """The position of a stream, or of one feed of it; None where nothing was applied yet."""
    row = raw_zone.run(
        con, f"select {FIELDS} from raw.positions where source = ? and feed = ?", [source, feed]
    ).fetchone()
    if row is None:
        return None
    kind, server, timeline, slot, lsn, ordinal, next_lsn, gtid, committed_at, shape, current_to = row
    return Position(
        kind, lsn, ordinal, next_lsn, server, timeline, slot, gtid, committed_at, shape, current_to
    )


def write(con: Connection, source: str, position: Position, *, run_id: str, feed: str = "") -> None:
    """Keep the position of a stream, or of one feed of it."""
    p = position
    raw_zone.run(con, "delete from raw.positions where source = ? and feed = ?", [source, feed])
    raw_zone.run(
        con,
        f"insert into raw.positions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_time(p.committed_at)}, "
        f"{_time(p.current_to)}, ?, ?)",
        [
            source,
            feed,
            p.kind,
            p.server,
            p.timeline,
            p.slot,
            p.lsn,
            p.ordinal,
            p.next_lsn,
            p.gtid,
            p.shape,
            run_id,
        ],
    )


def note_current(con: Connection, source: str, current_to: dt.datetime | None) -> None:
    """Keep the instant up to which all of a stream is applied; nothing where it is not known."""
    if current_to is not None:
        raw_zone.run(
            con,
            f"update raw.positions set current_to = {_time(current_to)} where source = ? and feed = ''",
            [source],
        )


def forget(con: Connection, source: str, feed: str | None = None) -> None:
    """Take the position of one feed away, or all of a stream."""
    only = "" if feed is None else " and feed = ?"
    raw_zone.run(
        con, f"delete from raw.positions where source = ?{only}", [source] if feed is None else [source, feed]
    )


def _time(value: dt.datetime | None) -> str:
    return "null" if value is None else f"timestamp '{value.isoformat(sep=' ')}'"
