"""What became of all that each source sent, for who looks at a log without writing to it.

The tally of a source is one row, written with the events it counts: asking for it costs the same at ten events and at
ten million.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from evervalue.collector.records import CANARY, Tally
from evervalue.core.errors import StorageError

PATIENCE_MS = 1000
COUNTED = (
    "select s.name, count(*) from event as e join source as s using (source_id) "
    f"where s.name <> '{CANARY}' group by e.source_id"
)


def accounts(log: Path) -> list[Tally] | None:
    """The tallies by source; None where there is no log.

    Raises
    ------
    StorageError
        The log cannot be read.
    """
    rows = _rows(
        log,
        "select s.name, t.accepted, t.stored, t.duplicate, t.quarantined from tally as t "
        f"join source as s using (source_id) where s.name <> '{CANARY}' order by s.name",
    )
    return None if rows is None else [Tally(*row) for row in rows]


def unaccounted(tally: Tally) -> int:
    """How many events were accepted and are neither stored, duplicate nor quarantined."""
    return tally.accepted - tally.stored - tally.duplicate - tally.quarantined


def counted(log: Path) -> dict[str, int]:
    """How many events of each source stand in the log, counted one by one; takes seconds where there are millions.

    Raises
    ------
    StorageError
        The log cannot be read.
    """
    return {str(name): int(n) for name, n in _rows(log, COUNTED) or ()}


def _rows(log: Path, sql: str) -> list[tuple[Any, ...]] | None:
    if not log.exists():
        return None
    try:
        con = apsw.Connection(str(log), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            con.set_busy_timeout(PATIENCE_MS)
            return list(con.execute(sql))
        finally:
            con.close(force=True)
    except apsw.Error as error:
        raise StorageError(f"The event log {log} cannot be read: {error}.") from error
