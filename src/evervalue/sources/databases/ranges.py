"""The ranges that a table is read by: remembered from run to run, so that what has not changed is not read again."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from evervalue.sources import raw_zone
from evervalue.sources.databases.reader import Bound, Range
from evervalue.sources.databases.tables import Table
from evervalue.warehouse.duckdb import Connection, insert

OPEN_TYPES = ("SMALLINT", "INTEGER", "BIGINT", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
"""Types of keys that name nobody, so that a part may be called by them."""


@dataclass(frozen=True)
class Known:
    """A range as it was read last."""

    file_id: str
    lower: Bound | None
    rows: int
    content: str
    schema_hash: str
    next_line: int


@dataclass(frozen=True)
class Part:
    """A range under the name that its rows have in the raw zone."""

    range: Range
    path: str
    file_id: str


def known(con: Connection, feed: str) -> tuple[list[str], list[Known]]:
    """The key by which a feed was parted, and its ranges in order; none where it was never read."""
    rows = raw_zone.run(
        con,
        "select file_id, above, rows, content, schema_hash, next_line, key_columns from raw.ranges "
        "where source = ? order by place",
        [feed],
    ).fetchall()
    found = [
        Known(
            str(r[0]), tuple(json.loads(r[1])) if r[1] else None, int(r[2]), str(r[3]), str(r[4]), int(r[5])
        )
        for r in rows
    ]
    return (json.loads(rows[0][6]) if rows else []), found


def keep(
    con: Connection, feed: str, key: Sequence[str], ranges: Sequence[tuple[Known, str | None]], run_id: str
) -> None:
    """Remember the ranges of a feed, in order; with each the run that read it, None where it was read before."""
    before = dict(
        raw_zone.run(con, "select file_id, run_id from raw.ranges where source = ?", [feed]).fetchall()
    )
    raw_zone.run(con, "delete from raw.ranges where source = ?", [feed])
    insert(
        con,
        "raw.ranges",
        (
            [
                *(feed, one.file_id, place, json.dumps(list(key))),
                json.dumps(list(one.lower)) if one.lower is not None else None,
                *(
                    one.rows,
                    one.content,
                    one.schema_hash,
                    one.next_line,
                    read or before.get(one.file_id, run_id),
                ),
            ]
            for place, (one, read) in enumerate(ranges)
        ),
    )


def ranges_between(bounds: Sequence[Bound], within: Range | None = None) -> list[Range]:
    """The ranges that bounds part `within` (or everything) into.

    >>> [(part.lower, part.upper) for part in ranges_between([("10",), ("20",)])]
    [(None, ('10',)), (('10',), ('20',)), (('20',), None)]
    """
    whole = within or Range()
    edges = [whole.lower, *bounds, whole.upper]
    return [Range(lower, upper) for lower, upper in itertools.pairwise(edges)]


def part(system: str, feed: str, table: Table, range: Range) -> Part:
    """A range with its name. The name is that of its beginning, so that it stays when the range is parted.

    Keys of text may be somebody's address, so they are named by a hash.
    """
    path = f"{system}/{table.name}"
    if range.lower is not None:
        columns = table.key_columns
        open = all(column.type in OPEN_TYPES for column in columns)
        shown = (
            ", ".join(range.lower)
            if open
            else "#" + hashlib.sha256(json.dumps(list(range.lower)).encode()).hexdigest()[:8]
        )
        path += f"[{', '.join(table.key) or 'block'} > {shown}]"
    named = json.dumps([feed, list(table.order), list(range.lower) if range.lower is not None else None])
    return Part(range, path, hashlib.sha256(named.encode()).hexdigest()[:16])


def sha256(part: Part, content: str, schema_hash: str) -> str:
    """What raw.files calls the content of a part by."""
    return hashlib.sha256(json.dumps([part.file_id, part.path, content, schema_hash]).encode()).hexdigest()
