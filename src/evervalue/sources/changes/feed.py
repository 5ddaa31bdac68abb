"""Feeds of a database that is followed: one stream brings all tables of a system, each feed tells of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from evervalue.core.progress import Progress, Silent
from evervalue.sources import keyed, raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes import positions
from evervalue.sources.changes.lag import Gauge
from evervalue.sources.changes.positions import Position
from evervalue.sources.feed import Brought, Context, Feed
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import Connection, literal


class Follower(Protocol):
    """A stream of changes and the tables it is applied to: `PostgresChanges` or `BinlogChanges`."""

    source: str
    applied: dict[str, Applied]
    position: Position
    """How far it was applied."""

    def open(self, con: Connection, *, run_id: str, full_refresh: bool, commit: Callable[[], None]) -> None:
        """Bring every table to where the stream can be read."""
        ...

    def read(self, *, until: int | None, seconds: float, stop: Callable[[], bool] = ...) -> bool:
        """Take in whole transactions; whether anything is to be applied."""
        ...

    def apply(self, con: Connection, *, run_id: str) -> dict[str, Applied]:
        """Bring what came into the tables, and the position with it."""
        ...

    def done(self, *, committed: bool) -> None:
        """What was applied may be acknowledged where it is committed."""
        ...

    def followed_elsewhere(self, con: Connection) -> bool:
        """Whether another process of this project follows the stream just now."""
        ...

    def target(self, con: Connection) -> int:
        """The position to catch up to: where the source stands now, and all tables agree with it."""
        ...

    @property
    def reached(self) -> int:
        """Everything before this position has come."""
        ...

    @property
    def moved(self) -> bool:
        """Whether the source's log went on past what is applied, with nothing of ours in it."""
        ...

    def look_again(self) -> bool:
        """Whether a table has other columns than the stream has told of, so that there is something to apply."""
        ...

    def acknowledge(self) -> None:
        """All that was applied is committed: the source may forget it. For a follower that is closed."""
        ...

    def check(self, feed: str) -> list[str]:
        """What is there of one table, in sentences."""
        ...

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        ...

    def end(self) -> tuple[int, dt.datetime]:
        """Where the source's log ends, and an instant by the source's clock before which all of it was committed.

        May be asked of a follower that is not open.
        """
        ...

    @property
    def applied_to(self) -> int:
        """Everything of ours before this position is applied."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


FollowerOf = Callable[[Path, Progress], Follower]
"""Makes the follower of a system, given a folder for what is read and thrown away."""


class Bringing:
    """The tables of one system on their way: the first feed that is asked brings them all."""

    def __init__(self, system: str, follower: FollowerOf) -> None:
        self.system = system
        self.follower = follower
        self._told: dict[str, Applied] = {}
        self._run: str | None = None
        self._to_settle: Follower | None = None
        self.behind_seconds: float | None = None
        """How far behind the source what was brought is."""

    def bring(self, context: Context, feed: str) -> Applied:
        """What became of the changes of one table, once."""
        if self._run != context.run_id:
            self._told = {}
            self._told = self._bring(context)
            self._run = context.run_id
        return self._told.pop(feed, Applied())

    def settle(self) -> None:
        """All is committed: the source may forget what was brought."""
        follower, self._to_settle, self._run = self._to_settle, None, None
        if follower is not None:
            follower.acknowledge()

    def _bring(self, context: Context) -> dict[str, Applied]:
        """What came to each table, up to where the source stood; neither committed nor acknowledged."""
        con = context.con
        follower = self.follower(context.temp, context.progress)
        try:
            if not context.full_refresh and follower.followed_elsewhere(con):
                context.progress.step(
                    f"{self.system} is followed already", detail="taken as far as it was brought"
                )
                if (held := positions.read(con, self.system)) is not None:
                    self.behind_seconds = Gauge().look(*follower.end(), held.next_lsn, held).seconds
                return {}
            gauge = Gauge()
            told = bring_up(
                follower,
                con,
                context.run_id,
                full_refresh=context.full_refresh,
                progress=context.progress,
                gauge=gauge,
            )
            self.behind_seconds = gauge.last.seconds if gauge.last else None
            self._to_settle = follower
            return told
        finally:
            follower.close()


def bring_up(
    follower: Follower,
    con: Connection,
    run_id: str,
    *,
    full_refresh: bool,
    progress: Progress,
    gauge: Gauge | None = None,
) -> dict[str, Applied]:
    """What came to each table, up to where the source stands now; the caller's transaction holds it all.

    `gauge` is told how far behind that is in the end.
    """
    gauge = gauge or Gauge()
    try:
        follower.open(con, run_id=run_id, full_refresh=full_refresh, commit=lambda: None)
        gauge.look(*follower.end(), follower.applied_to, follower.position)
        target = follower.target(con)
        looked = False
        while not (looked and follower.reached >= target):
            if follower.read(until=target, seconds=3600.0):
                made = follower.apply(con, run_id=run_id)
                follower.done(committed=False)
                progress.doing(
                    f"{follower.source}: {sum(one.read for one in made.values()):,} changes applied"
                )
            elif follower.reached >= target:
                # A table that was reshaped and not written to since: the stream says nothing of it yet.
                looked = True
                if follower.look_again():
                    follower.apply(con, run_id=run_id)
                    follower.done(committed=False)
            target = max(target, follower.settled(con))
        behind = gauge.look(*follower.end(), follower.applied_to, follower.position)
        positions.note_current(con, follower.source, behind.current_to)
        return dict(follower.applied)
    finally:
        follower.close()


class ChangesFeed:
    """One table of a followed database."""

    def __init__(self, name: str, bringing: Bringing, sampled: Feed) -> None:
        """`sampled` is what reads the table without its changes, for a first look."""
        self.name = name
        self.bringing = bringing
        self.sampled = sampled

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Bring the raw table to where the source stood when the load began."""
        told = self.bringing.bring(context, self.name)
        report.changes = words(told)
        report.behind_seconds = self.bringing.behind_seconds
        if told.refused:
            report.said.append(
                f"{self.name}: {told.refused:,} changes leave out values that are not known here, for example of "
                f"{told.example}; they wait in the past of the table."
            )
        return since_mapped(context.con, self.name, self.bringing.system)

    def settle(self) -> None:
        """Acknowledge what was brought, once for all tables."""
        self.bringing.settle()

    def check(self, base: Path) -> str:
        """What is there, after looking."""
        return "; ".join(self.bringing.follower(base, Silent()).check(self.name))

    def sample(self, context: Context, rows: int) -> bool:
        """Some rows, read as they are now."""
        return self.sampled.sample(context, rows)


def words(told: Applied) -> dict[str, int]:
    """The counts under the names that reports use."""
    return {
        "inserted": told.inserted,
        "updated": told.updated,
        "deleted": told.deleted,
        "truncated": told.truncated,
        "overtaken": told.superseded,
        "repeated": told.repeated,
        "late": told.late,
        "incomplete": told.refused,
    }


def since_mapped(con: Connection, feed: str, system: str) -> Brought:
    """What changed since the feed's outputs were mapped: in this load, and in batches that came between runs."""
    own = f"_brought_{keyed.part_id(feed)}"
    touched = f"_touched_since_{keyed.part_id(feed)}"
    con.execute(f"create or replace temp table {touched} (file_id text, line bigint)")
    if con.execute(
        f"select 1 from duckdb_tables() where temporary and table_name = {literal(own)}"
    ).fetchone():
        con.execute(f"insert into {touched} from {own}")
        con.execute(f"drop table {own}")
    mapped = con.execute(
        "select count(*), count(l.known_at), min(l.known_at) from raw.mappings as m left join raw.loads as l "
        f"using (run_id) where m.source = {literal(system)} or starts_with(m.source, {literal(system + '.')})"
    ).fetchone() or (0, 0, None)
    if not mapped[0] or mapped[0] != mapped[1]:
        return Brought(changed=True)
    batches = [
        row[0]
        for row in con.execute(
            f"select run_id from raw.loads where kind = 'watch' and known_at >= timestamp '{mapped[2]}'"
        ).fetchall()
    ]
    if batches:
        listed = raw_zone.in_list(batches)
        con.execute(
            f"insert into {touched} select _file_id, _line from {raw_zone.table(feed)} where _run_id in ({listed}) "
            f"union select _file_id, _line from {raw_zone.table(feed + '~past')} where _line > 0 "
            f"and (_run_id in ({listed}) or _until_run_id in ({listed}))"
        )
    (n,) = con.execute(f"select count(*) from {touched}").fetchone() or (0,)
    return Brought(changed=n > 0, touched=touched)
