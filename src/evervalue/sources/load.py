"""Brings the raw and mapped zones of the warehouse up to date: each source in one transaction, all of it or nothing."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from evervalue.core.errors import EvervalueError
from evervalue.core.progress import Progress
from evervalue.sources import apply, raw_zone
from evervalue.sources.changes.lag import last_known
from evervalue.sources.feed import Brought, Context, Feed
from evervalue.sources.feeds import feeds_of
from evervalue.sources.known import as_known
from evervalue.sources.mapped import bring_output, count_output
from evervalue.sources.report import LoadReport, SourceReport
from evervalue.sources.settings import FilesSource
from evervalue.sources.systems import System, system
from evervalue.sources.volumes import note_volumes
from evervalue.warehouse.duckdb import Connection

ANY_TIME = dt.datetime(1970, 1, 1)
"""Instant of a load that nobody will ask about."""


def load(
    con: Connection,
    sources: Mapping[str, System | FilesSource],
    *,
    base: Path,
    project_currency: str,
    time_zone: str,
    run_id: str,
    progress: Progress,
    known_at: dt.datetime = ANY_TIME,
    full_refresh: bool = False,
    temp_directory: Path | None = None,
    own_transaction: bool = True,
) -> LoadReport:
    """Load what is new or changed in `sources`; returns what became of each.

    Mapped rows of an output are computed anew when its rows or its settings changed.

    Parameters
    ----------
    known_at
        Instant of the load, UTC without a zone; what it reads is known from then on.
    own_transaction
        Begin and commit here. With False the caller has begun a transaction, and rolls it back on any exception.
    temp_directory
        Where unpacked or recoded copies lie while they are read.

    Raises
    ------
    EvervalueError
        Something cannot be taken; nothing was changed (with False: nothing will be, once the caller rolls back).
    """
    systems = {
        name: source if isinstance(source, System) else system(name, source)
        for name, source in sources.items()
    }
    report = LoadReport()
    with tempfile.TemporaryDirectory(prefix="evervalue-", dir=temp_directory) as temp:
        context = Context(con, base, run_id, known_at, progress, Path(temp), full_refresh)
        with _whole(con, own_transaction):
            raw_zone.ensure(con)
            raw_zone.note_load(con, run_id, known_at, "run")
        for source in systems.values():
            try:
                feeds = feeds_of(source)
                with _whole(con, own_transaction):
                    told = _bring(context, source, feeds, currency=project_currency, time_zone=time_zone)
                    note_volumes(context, source, told)
                for feed in feeds.values() if own_transaction else ():
                    feed.settle()
            except EvervalueError as error:
                if source.settings.on_failure == "stop" or not own_transaction or not _was_read(con, source):
                    raise
                told = _skipped(con, source, error, known_at)
                note_volumes(context, source, told)
            report.sources |= told
            _warn(told, progress)
        with _whole(con, own_transaction):
            report.dropped = _drop_others(con, systems)
            for name, warning in _shared_content(con, systems):
                report.sources[name].warnings = [*report.sources[name].warnings, warning]
                progress.warn(warning)
    return report


def load_known(
    con: Connection,
    sources: Mapping[str, System],
    *,
    known_at: dt.datetime,
    kept: str,
    base: Path,
    project_currency: str,
    time_zone: str,
    run_id: str,
    progress: Progress,
    temp_directory: Path,
) -> LoadReport:
    """Map what the attached warehouse `kept` knew at an instant, in the current, empty database.

    Raises
    ------
    InputError
        Nothing had been read by then.
    """
    report = LoadReport()
    context = Context(con, base, run_id, known_at, progress, temp_directory)
    with raw_zone.transaction(con):
        progress.step("Going back", detail=f"what was known at {known_at:%Y-%m-%d %H:%M:%S} UTC")
        feeds = [name for source in sources.values() for name in source.tables]
        rows = as_known(con, feeds, known_at, kept=kept)
        for source in sources.values():
            told = _reports(source)
            brought = {name: Brought(changed=True) for name in source.tables}
            for output in source.outputs.values():
                if rows[output.feed]:
                    bring_output(
                        context,
                        output,
                        brought,
                        told[output.name],
                        currency=project_currency,
                        time_zone=time_zone,
                    )
            report.sources |= told
            _warn(told, progress)
    return report


def _whole(con: Connection, own: bool) -> AbstractContextManager[None]:
    return raw_zone.transaction(con) if own else nullcontext()


def _bring(
    context: Context, source: System, feeds: Mapping[str, Feed], *, currency: str, time_zone: str
) -> dict[str, SourceReport]:
    """What became of one system: of its tables, then of its outputs."""
    told = _reports(source)
    brought = {name: feed.bring(context, told[name]) for name, feed in feeds.items()}
    # All tables of a system come by one stream, or one writer of files: the newest of them tells how far it has come.
    behind = min(
        (seconds for name in feeds if (seconds := told[name].behind_seconds) is not None), default=None
    )
    for name in told:
        told[name].behind_seconds = behind
    for output in source.outputs.values():
        bring_output(context, output, brought, told[output.name], currency=currency, time_zone=time_zone)
    return told


def _reports(source: System) -> dict[str, SourceReport]:
    tables = {name: SourceReport(name, "") for name in source.tables}
    return tables | {name: SourceReport(name, output.provides) for name, output in source.outputs.items()}


def _skipped(
    con: Connection, source: System, error: EvervalueError, known_at: dt.datetime
) -> dict[str, SourceReport]:
    """What is told of a system that could not be read, where the settings let a run go on with what was read before."""
    told = _reports(source)
    behind = None
    if source.settings.capture == "changes" or source.settings.kind == "changes":
        behind = last_known(con, source.name, source.tables, known_at)
    for one in told.values():
        one.behind_seconds = behind
    for name, output in source.outputs.items():
        count_output(con, output, told[name])
        told[name].failed = str(error)
    first = next(iter(told.values()))
    first.failed = str(error)
    first.said.append(
        f"sources.{source.name} could not be read, so this run goes on with what it brought before: {error}"
    )
    return told


def _was_read(con: Connection, source: System) -> bool:
    """Whether every output of a system was mapped before, so that there is something to go on with."""
    listed = raw_zone.in_list(source.outputs)
    found = con.execute(f"select count(*) from raw.mappings where source in ({listed})").fetchone()
    return found is not None and found[0] == len(source.outputs)


def _warn(told: Mapping[str, SourceReport], progress: Progress) -> None:
    for one in told.values():
        one.warnings = [*one.warnings, *one.said]
        for warning in one.warnings:
            progress.warn(warning)


def _shared_content(con: Connection, systems: Mapping[str, System]) -> list[tuple[str, str]]:
    """A warning for every source that reads a file whose content another source reads as the same thing."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    outputs = {output.name: output for source in systems.values() for output in source.outputs.values()}
    for name, output in outputs.items():
        for row in raw_zone.files_of(con, output.feed):
            if row.status != "loaded" or output.settings.only:
                continue
            other, path = seen.setdefault((output.provides, row.sha256), (name, row.path))
            if other != name:
                pairs.setdefault((name, other), []).append((row.path, path))
    return [
        (
            name,
            f"sources.{name}: {files[0][0]} has the same content as {files[0][1]} of sources.{other}"
            + (f", and so have {len(files) - 1:,} more" if len(files) > 1 else "")
            + f"; both provide {outputs[name].provides}, so its rows count twice. Take it out of one of them.",
        )
        for (name, other), files in pairs.items()
    ]


def _drop_others(con: Connection, systems: Mapping[str, System]) -> list[str]:
    held = con.execute(
        "select source from raw.mappings union select source from raw.files where status = 'loaded'"
    ).fetchall()
    known = {name for source in systems.values() for name in (*source.tables, *source.outputs)}
    gone = sorted({row[0] for row in held} - known)
    for name in gone:
        apply.clear(con, name)
        raw_zone.leave(con, name)
        raw_zone.run(con, "delete from raw.mappings where source = ?", [name])
    return gone
