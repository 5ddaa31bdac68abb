"""Retention: events that lie whole in checked files leave the log, which keeps no more of them than that they came."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from evervalue.collector.records import Log
from evervalue.core.clock import Clock
from evervalue.core.errors import StorageError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline.event_bodies import bodies, holds_bodies, in_order, verify
from evervalue.pipeline.event_log import found_log
from evervalue.pipeline.event_places import place
from evervalue.pipeline.event_rows import EVENTS
from evervalue.pipeline.event_settings import FOLDER
from evervalue.pipeline.settings import Project
from evervalue.warehouse.duckdb import connect, literal
from evervalue.warehouse.publish import Publisher

MARK = "compacted"
"""File beside a source's files: up to which place in the log events have left it. Without it they are looked for."""


@dataclass(frozen=True)
class Compacted:
    """What was let go of a source, and why no more."""

    source: str
    events: int
    files: int
    kept_because: str


def compact_events(project: Project, clock: Clock, progress: Progress, *, keep_days: int) -> list[Compacted]:
    """What left the log: of each source, the events of files all of which came longer ago than `keep_days`.

    A file's checksum is verified, and a body leaves only where the file has it to the last letter. Events behind those
    that the oldest kept run holds stay, for profiles are told by them; so do those that no run has written out.

    Raises
    ------
    StorageError
        A file is damaged, or does not hold what the log holds; what it does not hold stays in the log.
    """
    log = found_log(project)
    if log is None:
        return []
    done: list[Compacted] = []
    before = clock.now().astimezone(dt.UTC).replace(tzinfo=None) - dt.timedelta(days=keep_days)
    try:
        for source in project.settings.events:
            folder = project.data_dir / FOLDER / source / EVENTS
            done.append(_compact(log, source, folder, before, _held(Publisher(project.data_dir), source)))
        if any(one.events for one in done):
            log.give_back()
    finally:
        log.close()
    for one in done:
        progress.step(
            f"Log of {one.source}", detail=f"{count(one.events, 'event')} kept in files alone from now on"
        )
    return done


def _compact(log: Log, source: str, folder: Path, before: dt.datetime, held: int) -> Compacted:
    events = files = 0
    mark = folder.with_name(MARK)
    done = int(mark.read_text("utf-8")) if mark.exists() else 0
    for path in in_order(folder):
        if place(path) > held:
            return Compacted(source, events, files, "a kept run does not hold what came since")
        verify(path)
        newest = _newest(path)
        if newest is None:
            return Compacted(source, events, files, "its files were written by an older version; run again")
        if newest >= before:
            return Compacted(source, events, files, "the rest is not old enough")
        if place(path) <= done:
            continue
        gone = 0
        for some in bodies(path):
            gone += log.let_go(source, some)
        left = next(log.of(source, int(path.stem.partition("-")[0]) - 1, 1), None)
        if left is not None and left.seq <= place(path):
            raise StorageError(
                f"{path} does not hold event {left.seq} of {log.where} as it came. The log keeps it; look whether both "
                "belong together."
            )
        mark.write_text(f"{place(path)}\n", "utf-8")
        events, files = events + gone, files + bool(gone)
    return Compacted(source, events, files, "")


def _newest(path: Path) -> dt.datetime | None:
    """When the newest event of a file came; None where it does not hold events whole."""
    con = connect()
    try:
        if not holds_bodies(con, path):
            return None
        found = con.execute(f"select max(received_at) from read_parquet({literal(str(path))})").fetchone()
    finally:
        con.close()
    return found[0] if found else None


def _held(publisher: Publisher, source: str) -> int:
    """Up to where every kept run holds the events of a source; 0 before the first run."""
    held: list[int] = []
    for snapshot in publisher.runs():
        con = snapshot.open()
        try:
            if con.execute(
                "select 1 from duckdb_tables() where schema_name = 'run' and table_name = 'event_sources'"
            ).fetchone():
                rows = con.execute(
                    "select last_seq from run.event_sources where source = ?", [source]
                ).fetchall()
                held += [int(last) for (last,) in rows]
        finally:
            con.close()
    return min(held, default=0)
