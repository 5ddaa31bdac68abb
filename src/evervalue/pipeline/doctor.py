"""Looks a project over: settings, files, free disk, the published run and its checksum."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evervalue.collector.accounts import counted
from evervalue.collector.log import LOG
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError, NothingPublished
from evervalue.core.text import count
from evervalue.pipeline import collecting, followed
from evervalue.pipeline.event_bodies import damaged
from evervalue.pipeline.event_log import found_log
from evervalue.pipeline.event_settings import FOLDER
from evervalue.pipeline.settings import Project, read_project
from evervalue.sources.feeds import feeds_of
from evervalue.warehouse.publish import Publisher, Snapshot


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    fine: bool
    says: str


def examine(folder: Path, clock: Clock) -> Iterator[Finding]:
    """What is well and what is not, in the order in which it matters; stops where nothing further can be looked at."""
    try:
        project = read_project(folder)
    except EvervalueError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, f"{count(len(project.settings.sources), 'source')}, all settings known")
    yield from _sources(project)
    yield from _events(project, clock)
    free = shutil.disk_usage(project.folder).free
    yield Finding("disk", free > 1 << 30, f"{free / (1 << 30):,.1f} GB free where the project lies")
    yield from _published(project, clock)


def _sources(project: Project) -> Iterator[Finding]:
    for system in project.settings.sources.values():
        try:
            feeds = feeds_of(system)
        except EvervalueError as error:
            yield Finding(f"source {system.name}", False, str(error))
            continue
        for name, feed in feeds.items():
            try:
                found = feed.check(project.folder)
            except EvervalueError as error:
                if not getattr(system.tables.get(name), "optional", False):  # else a run goes on without it
                    yield Finding(f"source {name}", False, str(error))
            else:
                yield Finding(f"source {name}", True, found)


def _events(project: Project, clock: Clock) -> Iterator[Finding]:
    """How the collector and its sources of events stand; the events are counted one by one and held to the tallies."""
    log = project.data_dir / LOG
    try:
        found = collecting.seen(project.data_dir, clock.now(), lambda: found_log(project))
    except EvervalueError as error:
        yield Finding("event log", False, str(error))
        return
    if found.collector is not None:
        yield Finding("collector", found.collector.state == "ok", found.collector.says)
    elif project.settings.events:
        yield Finding("collector", True, "none has run here yet; 'evervalue collect' starts one")
    try:
        there = counted(log) if log.exists() else {one.source: one.stored for one in found.sources}
    except EvervalueError as error:
        yield Finding("event log", False, str(error))
        return
    for one in found.sources:
        told = one.state in ("ok", "learning")
        yield Finding(f"events of {one.source} come", told, one.state_says)
        same = there.get(one.source, 0) >= one.stored
        says = f"{one.accepted:,} accepted = {one.stored:,} stored + {one.duplicate:,} duplicate + "
        says += f"{one.quarantined:,} quarantined"
        if not same:
            says += f"; of those stored {there.get(one.source, 0):,} are in the log: it was damaged, put back a backup"
        yield Finding(f"events of {one.source} are all there", same and not one.unaccounted, says)
    for source in project.settings.events:
        faults = damaged(project.data_dir / FOLDER / source)
        says = " ".join(faults) or "their checksums are right"
        yield Finding(f"files of events of {source}", not faults, says)


def _published(project: Project, clock: Clock) -> Iterator[Finding]:
    publisher = Publisher(project.data_dir)
    try:
        snapshot = publisher.current()
        snapshot.verify()
    except NothingPublished as error:
        yield Finding("published run", False, str(error))
        return
    except (EvervalueError, OSError) as error:
        yield Finding(
            "published run",
            False,
            f"{error} 'evervalue publish --rollback' points readers to the run before.",
        )
        return
    yield Finding(
        "published run",
        True,
        f"{snapshot.run_id}, orders before {snapshot.manifest['as_of']}, checksum right",
    )
    same = snapshot.manifest["settings_sha256"] == project.settings.sha256
    says = "the ones in evervalue.toml" if same else "changed since; 'evervalue run' takes them in"
    yield Finding("its settings", same, says)
    yield from _fresh(snapshot, project.data_dir, clock)


def _fresh(snapshot: Snapshot, data_dir: Path, clock: Clock) -> Iterator[Finding]:
    """What is stale or otherwise not as usual, and how followed sources stand, as of now."""
    now = clock.now().replace(tzinfo=None)
    con = snapshot.open()
    try:
        there = con.execute(
            "select 1 from duckdb_tables() where schema_name = 'run' and table_name = 'sources'"
        ).fetchone()
        rows = (
            con.execute(
                "select source, state, state_says, last_news_at, stale_after_seconds from run.sources order by source"
            ).fetchall()
            if there
            else []
        )
        standing = followed.seen_in(con, data_dir, now) if there else {}
    finally:
        con.close()
    for source, state, says, news_at, stale in rows:
        quiet = (now - news_at).total_seconds() if news_at else 0.0
        if stale is not None and quiet > stale:
            says = (
                f"stale: no news for {quiet / 3600:,.1f} hours, and {stale / 3600:,.1f} would be usual at most; "
                "look whether it is still delivered, then 'evervalue run'"
            )
            state = "alarm"
        yield Finding(f"{source} is fresh", state not in ("alarm", "watch"), says)
    for source, one in standing.items():
        yield Finding(f"{source} is followed", one.state == "ok", one.says)
