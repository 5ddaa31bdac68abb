"""Objects of changes that were looked at before, so that they are not fetched again while the store says they stay."""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.files import FoundFile
from evervalue.sources.objects import Known
from evervalue.warehouse.duckdb import Connection


def seen(con: Connection, feed: str) -> dict[str, Known]:
    """What is known of a feed's objects, by URL."""
    rows = raw_zone.run(
        con,
        "select path, etag, bytes, modified_at, sha256, format from raw.change_objects where feed = ?",
        [feed],
    ).fetchall()
    return {path: Known(etag, int(size), at, sha256, format) for path, etag, size, at, sha256, format in rows}


def note(con: Connection, feed: str, file: FoundFile, run_id: str) -> None:
    """Keep the state of an object; of a file nothing."""
    if file.etag is None or file.modified_at is None:
        return
    raw_zone.run(con, "delete from raw.change_objects where feed = ? and path = ?", [feed, file.shown])
    format = file.format + (f".{file.compression}" if file.compression else "")
    at = file.modified_at.isoformat(" ")
    raw_zone.run(
        con,
        "insert into raw.change_objects values (?, ?, ?, ?, ?, ?, ?, ?)",
        [feed, file.shown, file.etag, file.bytes, at, file.sha256, format, run_id],
    )


def forget(con: Connection, feed: str) -> None:
    """Everything is to be looked at anew."""
    raw_zone.run(con, "delete from raw.change_objects where feed = ?", [feed])
