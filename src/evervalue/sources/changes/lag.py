"""How far what is applied lies behind its source, in seconds that are true.

The instant of the last transaction alone would lie: where a source rests since yesterday and its log then goes on with
what is none of ours, its last transaction is a day old and nothing waits. So the source is also asked where its log
ends, and when. Once everything up to that place is applied, all that was committed before that instant is here.
Instants of a database are those of its own clock, so that ours may differ from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from evervalue.sources import raw_zone
from evervalue.sources.changes.positions import Position
from evervalue.warehouse.duckdb import Connection

MOST_ENDS = 200


@dataclass(frozen=True)
class Behind:
    """How far what is applied lies behind a database's log."""

    bytes: int | None
    """Of the log not applied; None where it went on to another file."""
    seconds: float | None
    """Since the instant up to which all is applied; 0 where nothing waits, None before any is known."""
    current_to: dt.datetime | None
    """That instant, by the source's clock, UTC."""


class Gauge:
    """Tells how far behind a follower is, from what it was told of the log's end before and now."""

    def __init__(self) -> None:
        self.last: Behind | None = None
        self._ends: list[tuple[int, dt.datetime]] = []

    def look(self, end: int, at: dt.datetime, applied_to: int, position: Position) -> Behind:
        """How far behind it is, where the log ends at `end` at the instant `at`."""
        self._ends.append((end, at))
        current = self.current_to(applied_to, position)
        passed = [one for one in self._ends if one[0] <= applied_to]
        del self._ends[: max(0, len(passed) - 1)]
        if len(self._ends) > MOST_ENDS:
            # The one between the two that are nearest in time goes: it tells less exactly then, and never too little.
            gaps = [
                (later[1] - before[1], place)
                for place, (before, later) in enumerate(
                    zip(self._ends, self._ends[2:], strict=False), start=1
                )
            ]
            del self._ends[min(gaps)[1]]
        if end <= applied_to:
            self.last = Behind(0, 0.0, current)
            return self.last
        one_file = position.kind != "binlog" or end >> 32 == applied_to >> 32
        seconds = None if current is None else max(0.0, (at - current).total_seconds())
        self.last = Behind(end - applied_to if one_file else None, seconds, current)
        return self.last

    def current_to(self, applied_to: int, position: Position) -> dt.datetime | None:
        """The instant before which all that the source committed is applied; None where that is not known."""
        known = [position.committed_at, position.current_to]
        known += [at for end, at in self._ends if end <= applied_to]
        return max((at for at in known if at is not None), default=None)


def last_known(con: Connection, system: str, feeds: Iterable[str], now: dt.datetime) -> float | None:
    """Seconds since the newest instant up to which a followed system is known to be applied; None where it is not.

    For a system that cannot be asked just now, so it is our clock that tells `now`.
    """
    (newest,) = raw_zone.run(
        con,
        "select max(instant) from (select greatest(committed_at, current_to) as instant from raw.positions "
        "where source = ? and feed = '' union all select newest_at from raw.change_files "
        f"where feed in ({raw_zone.in_list(feeds)}))",
        [system],
    ).fetchone() or (None,)
    return None if newest is None else max(0.0, (now - newest).total_seconds())
