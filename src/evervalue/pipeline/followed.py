"""How the sources of a published run stand that somebody follows: what followers say, held against what runs read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evervalue.sources.changes import standing
from evervalue.sources.changes.standing import Seen
from evervalue.warehouse.duckdb import Connection

READ = """select s.source, s.system, s.read_at, s.behind_seconds, g.stale_after_seconds
from run.sources as s
join run.source_settings as g on g.source = s.source"""
"""What a run knows of its sources, as `seen` takes it."""


def seen(rows: Iterable[Mapping[str, Any]], data_dir: Path, now: dt.datetime) -> dict[str, Seen]:
    """How each source stands that is meant to be followed, at the instant `now` (UTC without a zone)."""
    told = standing.read(data_dir / standing.FOLDER)
    found = {}
    for row in rows:
        if (one := told.get(row["system"])) is None:
            continue
        stands = standing.seen(
            one,
            now,
            limit=row["stale_after_seconds"],
            read_at=row["read_at"],
            behind_then=row["behind_seconds"],
        )
        if stands is not None:
            found[str(row["source"])] = stands
    return found


def seen_in(snapshot: Connection, data_dir: Path, now: dt.datetime) -> dict[str, Seen]:
    """The same, of an open snapshot that watched its sources."""
    cursor = snapshot.execute(READ)
    names = [column[0] for column in cursor.description or ()]
    return seen([dict(zip(names, row, strict=True)) for row in cursor.fetchall()], data_dir, now)
