"""Feeds of a database that is followed: one stream brings all tables of a system, each feed tells of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evervalue.core.progress import Progress
from evervalue.sources import keyed, raw_zone
from evervalue.sources.feed import Brought, Context
from evervalue.sources.keyed import Applied
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import Connection, literal


class Follower(Protocol):
    """A stream of changes and the tables it is applied to: `PostgresChanges` or `BinlogChanges`."""

    source: str
    applied: dict[str, Applied]
    committed_at: dt.datetime | None

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

    def check(self) -> list[str]:
        """What is there, in sentences."""
        ...

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        ...

    def behind(self) -> int | None:
        """Bytes of the source's log that are not applied; None where it does not tell."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


FollowerOf = Callable[[Path, Progress], Follower]
"""Makes the follower of a system, given a folder for what is read and thrown away."""

_brought: dict[tuple[int, str, str], dict[str, Applied]] = {}
"""What a load brought of a system, until each of its feeds has told it; (connection, run, system)."""


@dataclass(frozen=True)
class ChangesFeed:
    """A table of a followed database. The first feed of a system that is asked brings all of them."""

    name: str
    system: str
    follower: FollowerOf

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Bring the raw table to where the source stood when the load began."""
        at = (id(context.con), context.run_id, self.system)
        if self.name not in _brought.get(at, {}):
            _brought[at] = _bring(self.follower(context.temp, context.progress), context)
        told = _brought[at].pop(self.name, Applied())
        if not _brought[at]:
            del _brought[at]
        report.changes = _words(told)
        if told.refused:
            report.said.append(
                f"{self.name}: {told.refused:,} changes leave out values that are not known here, for example of "
                f"{told.example}; they wait in the past of the table."
            )
        return _since_mapped(context.con, self.name, self.system, told)

    def check(self, base: Path) -> str:
        """What is there, after looking."""
        from evervalue.core.progress import Silent

        return "; ".join(self.follower(base, Silent()).check())


def _bring(follower: Follower, context: Context) -> dict[str, Applied]:
    """What came to each table, up to where the source stood; neither committed nor acknowledged."""
    con = context.con
    keyed.ensure(con)
    try:
        if follower.followed_elsewhere(con):
            context.progress.step(
                f"{follower.source} is followed already", detail="taken as far as it was brought"
            )
            return {}
        follower.open(con, run_id=context.run_id, full_refresh=context.full_refresh, commit=lambda: None)
        target = follower.target(con)
        while True:
            if follower.read(until=target, seconds=3600.0):
                made = follower.apply(con, run_id=context.run_id)
                follower.done(committed=False)
                changes = sum(one.read for one in made.values())
                context.progress.doing(f"{follower.source}: {changes:,} changes applied")
                target = max(target, follower.settled(con))
            if follower.reached >= target:
                return dict(follower.applied)
    finally:
        follower.close()


def _words(told: Applied) -> dict[str, int]:
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


def _since_mapped(con: Connection, feed: str, system: str, told: Applied) -> Brought:
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
