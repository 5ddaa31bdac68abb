"""Looks a source over before it is loaded: is it there, does it let us in, and what do its first rows come to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evervalue.collector.streams.opening import reader
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError
from evervalue.core.progress import Silent
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import Project
from evervalue.sources import apply, raw_zone
from evervalue.sources.feed import Context, Feed
from evervalue.sources.feeds import feeds_of
from evervalue.sources.fitted import fitted
from evervalue.sources.mapping import plan
from evervalue.sources.systems import Output, System
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, literal, quoted

SAMPLED_ROWS = 10_000
"""Rows of each table that are looked at."""
LOOKED_UP_ROWS = 1_000_000
"""Rows of a table that others look things up in."""


@dataclass(frozen=True)
class Checked:
    """What was found of one table, or of what is mapped from it."""

    name: str
    fine: bool
    says: list[str]
    columns: list[str] = field(default_factory=list)
    """Fields of the first mapped rows."""
    rows: list[tuple[Any, ...]] = field(default_factory=list)


def check_sources(
    project: Project, *, clock: Clock, only: str | None = None, rows: int = 10
) -> Iterator[Checked]:
    """What is found of each source, one after the other: of its tables, then of its outputs.

    Nothing is stored. A source that has a fault is told with what mends it, and the next one is looked at.

    Parameters
    ----------
    only
        Name of one source.
    rows
        Most mapped rows to show of each output.
    """
    for system in project.settings.sources.values():
        if only is None or system.name == only:
            yield from _system(project, system, clock, rows)


def _system(project: Project, system: System, clock: Clock, rows: int) -> Iterator[Checked]:
    if system.name in project.settings.streams:
        yield _stream(project.settings.streams[system.name], clock)
    try:
        feeds = feeds_of(system)
    except EvervalueError as error:
        yield Checked(system.name, False, [str(error)])
        return
    there = True
    for name, feed in feeds.items():
        try:
            with told_plainly(f"Looking at {name}"):
                found = feed.check(project.folder)
        except EvervalueError as error:
            there = False
            yield Checked(name, False, [str(error)])
        else:
            yield Checked(name, True, [found])
    if there:
        with tempfile.TemporaryDirectory(prefix="evervalue-") as temp:
            con = duckdb.connect(temp_directory=Path(temp))
            try:
                context = Context(
                    con, project.folder, "check", clock.now().replace(tzinfo=None), Silent(), Path(temp)
                )
                yield from _outputs(context, project, system, feeds, rows)
            finally:
                con.close()


def _stream(settings: StreamSettings, clock: Clock) -> Checked:
    """Whether the stream of a source of events can be read."""
    name = f"{settings.source}, stream"
    try:
        return Checked(name, True, [reader(settings, clock).check()])
    except EvervalueError as error:
        return Checked(name, False, [str(error)])


def _outputs(
    context: Context, project: Project, system: System, feeds: Mapping[str, Feed], rows: int
) -> Iterator[Checked]:
    raw_zone.ensure(context.con)
    looked_up = {lookup.feed for output in system.outputs.values() for lookup in output.lookups}
    try:
        with told_plainly(f"Reading {system.name}"):
            whole = [
                feed.sample(context, LOOKED_UP_ROWS if name in looked_up else SAMPLED_ROWS)
                for name, feed in feeds.items()
            ]
    except EvervalueError as error:
        yield Checked(system.name, False, [str(error)])
        return
    for output in system.outputs.values():
        try:
            with told_plainly(f"Mapping {output.name}"):
                yield _output(context.con, project, output, all(whole), rows)
        except EvervalueError as error:
            yield Checked(output.name, False, [str(error)])


def _output(con: Connection, project: Project, output: Output, whole: bool, rows: int) -> Checked:
    settings = project.settings.project
    fit = fitted(
        output, {feed: list(raw_zone.column_types(con, feed)) for feed in output.feeds}, preset=output.preset
    )
    if fit.output is None:
        return Checked(output.name, True, fit.notes)
    plans = plan(con, fit.output, currency=settings.currency, time_zone=settings.time_zone)
    apply.apply(con, plans, run_id="check")
    columns = [name for name in plans.mapped if name != "row_key"]
    shown = con.execute(
        f"select {', '.join(quoted(c) for c in columns)} from mapped.{output.provides} "
        f"where source = {literal(output.name)} order by file_id, line limit {int(rows)}"
    ).fetchall()
    counts = con.execute(
        "select sum(rows_read), sum(rows_mapped), sum(rows_quarantined), sum(rows_set_aside) "
        f"from mapped.source_totals where source = {literal(output.name)}"
    ).fetchone() or (0, 0, 0, 0)
    read, mapped, refused, aside = (int(n or 0) for n in counts)
    counted = (
        f"{output.provides}: {read:,} rows looked at{'' if whole else ' (not all there are)'}, {mapped:,} mapped, "
        f"{refused:,} refused, {aside:,} set aside"
    )
    says = [counted]
    for column, n, why in con.execute(
        "select column_name, count(*), min(says) from raw.quarantine group by column_name, reason "
        "order by 2 desc limit 5"
    ).fetchall():
        says.append(f"{n:,} refused{f' for {column}' if column else ''}: {why}")
    return Checked(
        output.name, mapped > 0, [*says, *fit.notes, *plans.notes, *plans.warnings], columns, shown
    )
