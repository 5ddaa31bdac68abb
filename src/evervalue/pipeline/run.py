"""A run: sources into raw, declared tables over them, checks, and one published snapshot.

Nothing that readers see changes before the last step. The warehouse file is held open from beginning to end, which is
also what keeps two runs of one project apart.
"""

from __future__ import annotations

import datetime as dt
import errno
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evervalue import __version__
from evervalue.core.clock import Clock
from evervalue.core.errors import (
    CheckFailed,
    EvervalueError,
    NothingPublished,
    ReconciliationFailed,
    StorageError,
)
from evervalue.core.progress import Progress
from evervalue.identity.stage import IdentityStage
from evervalue.insight import profiles
from evervalue.pipeline import findings
from evervalue.pipeline.cutoff import refuse_no_orders
from evervalue.pipeline.describe import write_descriptions
from evervalue.pipeline.earlier import Earlier, before_this
from evervalue.pipeline.event_compaction import compact_events
from evervalue.pipeline.event_files import write_event_files
from evervalue.pipeline.event_log import found_log
from evervalue.pipeline.event_places import last_read
from evervalue.pipeline.event_view import show_events
from evervalue.pipeline.progress_file import under_way
from evervalue.pipeline.settings import Project, Settings
from evervalue.pipeline.tables import all_models, definitions_sha256, fill_run_tables
from evervalue.sources import conflicts, raw_zone
from evervalue.sources.load import load, load_known
from evervalue.sources.report import LoadReport
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, EngineError, literal
from evervalue.warehouse.publish import Publisher, Snapshot
from evervalue.warehouse.runner import Built, build, engine_failure

KEPT = "kept"
"""Name of the attached warehouse where a run takes what was known at an earlier instant."""


REFUSED = (
    "(select * from snapshot.curated.refused_lines union all select * from snapshot.curated.refused_rows)"
)


@dataclass(frozen=True)
class RunResult:
    """What a run did."""

    snapshot: Snapshot
    report: LoadReport
    built: list[Built]


def run(
    project: Project,
    *,
    clock: Clock,
    progress: Progress,
    as_of: dt.date | None = None,
    known_at: dt.datetime | None = None,
    full_refresh: bool = False,
) -> RunResult:
    """The published result of taking the project's sources through every table.

    Parameters
    ----------
    project
        The project.
    clock
        Names the run.
    progress
        Told of each step.
    as_of
        Cutoff, in place of the one in the settings.
    known_at
        Takes what was known at this instant (UTC without a zone) in place of what the sources hold now. Nothing is
        read, and readers are not pointed to the run.
    full_refresh
        Reads every file again, also those that have not changed.

    Raises
    ------
    EvervalueError
        Whatever stopped the run; the last published snapshot is untouched.
    """
    data_dir = project.data_dir
    publisher = Publisher(data_dir)
    run_id = _run_id(publisher, clock)
    with told_plainly("The run"):
        (data_dir / "tmp").mkdir(parents=True, exist_ok=True)
        con = _open(data_dir, known_at)
    tables = [model.name for model in all_models()]
    with under_way(data_dir, progress, clock, run_id=run_id, tables=tables) as told:
        return _run(
            con,
            project,
            publisher,
            run_id,
            clock=clock,
            progress=told,
            as_of=as_of,
            known_at=known_at,
            full_refresh=full_refresh,
        )


def _run(
    con: Connection,
    project: Project,
    publisher: Publisher,
    run_id: str,
    *,
    clock: Clock,
    progress: Progress,
    as_of: dt.date | None,
    known_at: dt.datetime | None,
    full_refresh: bool,
) -> RunResult:
    data_dir, begun = project.data_dir, clock.now()
    identity = IdentityStage(
        project.settings.identity, run_id=run_id, warehouse="warehouse" if known_at is None else KEPT
    )
    try:
        with told_plainly("Loading the sources"):
            loaded: dict[str, Any] = {
                "base": project.folder,
                "project_currency": project.settings.project.currency,
                "time_zone": project.settings.project.time_zone,
                "run_id": run_id,
                "progress": progress,
                "temp_directory": data_dir / "tmp",
            }
            if known_at is not None:
                report = load_known(con, project.settings.sources, known_at=known_at, kept=KEPT, **loaded)
            else:
                write_event_files(data_dir, found_log(project), project.settings.events, progress)
                now = clock.now().replace(tzinfo=None)
                report = load(
                    con, project.settings.sources, known_at=now, full_refresh=full_refresh, **loaded
                )
        with told_plainly("The run"):
            built = _build(
                con,
                publisher,
                project.settings,
                identity,
                run_id=run_id,
                as_of=as_of,
                known_at=known_at,
                full_refresh=full_refresh,
                progress=progress,
            )
            manifest = _manifest(con, project, built, begun, clock)
            con.execute("use warehouse")
            con.execute("detach snapshot")
            if known_at is not None:
                manifest["known_at"] = known_at.isoformat()
            snapshot = publisher.publish(run_id, manifest, point=known_at is None)
            if known_at is None:
                _remember(con, snapshot, identity)
    except BaseException:
        con.close()
        publisher.abandon(run_id)
        raise
    con.close()
    shutil.rmtree(data_dir / "tmp", ignore_errors=True)
    keep_days = project.settings.collector.keep_days
    if keep_days is not None and known_at is None:
        compact_events(project, clock, progress, keep_days=keep_days)
    progress.step("Published" if known_at is None else "Kept beside what is published", detail=run_id)
    return RunResult(snapshot, report, built)


def _open(data_dir: Path, known_at: dt.datetime | None) -> Connection:
    """The warehouse; or an empty one that is thrown away, with the warehouse beside it as `kept`."""
    if known_at is None:
        return duckdb.connect(data_dir / "warehouse.duckdb", temp_directory=data_dir / "tmp")
    file = data_dir / "warehouse.duckdb"
    if not file.exists():
        raise NothingPublished("Nothing was read yet, so nothing was known. Run 'evervalue run' first.")
    (data_dir / "tmp" / "warehouse.duckdb").unlink(missing_ok=True)
    duckdb.connect(file, read_only=True).close()  # tells plainly where another process holds it
    con = duckdb.connect(data_dir / "tmp" / "warehouse.duckdb", temp_directory=data_dir / "tmp")
    con.execute(f"attach {literal(str(file))} as {KEPT} (read_only)")
    return con


def _build(
    con: Connection,
    publisher: Publisher,
    settings: Settings,
    identity: IdentityStage,
    *,
    run_id: str,
    as_of: dt.date | None,
    known_at: dt.datetime | None,
    full_refresh: bool,
    progress: Progress,
) -> list[Built]:
    from evervalue.pipeline.before import (
        Before,  # these two import numpy and scipy, which scores alone do without
    )
    from evervalue.pipeline.value import ValueStage

    file = publisher.begin(run_id)
    history = con.execute(f"select 1 from duckdb_databases() where database_name = '{KEPT}'").fetchone()
    snapshot = None
    if not history and not full_refresh:
        snapshot = before_this(con, publisher, wanted=_made_of(settings), file=file, progress=progress)
    con.execute(f"attach {literal(str(file))} as snapshot")
    show_events(con, publisher.data_dir, settings.events, known_at=known_at)
    con.execute("use snapshot")
    con.execute("set search_path = 'snapshot.main,warehouse.raw,warehouse.mapped'")
    models = all_models()
    read_up_to = last_read(publisher.data_dir, settings.events)
    fill_run_tables(con, settings, run_id=run_id, as_of=as_of, events=read_up_to)
    value = ValueStage(
        settings, progress, folder=file.parent, before=Before.of(publisher), kept=Before(snapshot)
    )
    earlier = None
    if snapshot is not None:
        never = () if identity.settled(con) else identity.fillers()
        earlier = Earlier(con, snapshot, inputs=_inputs(con), never=never, progress=progress)
    try:
        built = build(
            con,
            models,
            fillers={**identity.fillers(), **value.fillers(), profiles.TABLE: profiles.fill},
            earlier=earlier,
            progress=progress,
        )
    except CheckFailed as error:
        if str(error).startswith("curated.reconciliation"):
            raise ReconciliationFailed(
                f"Rows or money are not accounted for, so nothing is published. {error}"
            ) from None
        if str(error).startswith("customers.cutoff"):
            refuse_no_orders(con)
        raise
    write_descriptions(con, models, built)
    findings.tell(con, progress)
    if earlier is not None:
        earlier.close(con)
    con.execute("checkpoint snapshot")
    return built


def _remember(con: Connection, snapshot: Snapshot, identity: IdentityStage) -> None:
    """Write into the warehouse what goes on from a published run to the next, all of it or nothing."""
    con.execute(f"attach {literal(str(snapshot.path))} as snapshot (read_only)")
    with raw_zone.transaction(con):
        conflicts.keep(con, REFUSED, warehouse="warehouse", run_id=snapshot.run_id)
        identity.keep(con, "snapshot")
        raw_zone.note_built(con, snapshot.run_id)


def _manifest(
    con: Connection, project: Project, built: list[Built], begun: dt.datetime, clock: Clock
) -> dict[str, Any]:
    now = clock.now()
    (as_of,) = con.execute("select as_of from customers.cutoff").fetchone() or (None,)
    return {
        "project": project.settings.project.name,
        "finished_at": now.isoformat(),
        "seconds": round((now - begun).total_seconds(), 3),
        "as_of": str(as_of),
        **_made_of(project.settings),
        "inputs": _inputs(con),
        "tables": [
            {"table": b.name, "rows": b.rows, "seconds": round(b.seconds, 4), "kept": b.kept} for b in built
        ],
    }


def _made_of(settings: Settings) -> dict[str, Any]:
    """What tables hang on beside the data, as a manifest says it."""
    return {
        "settings_sha256": settings.sha256,
        "definitions_sha256": definitions_sha256(),
        "versions": {
            "evervalue": __version__,
            "duckdb": duckdb.version,
            **{name: version(name) for name in ("numpy", "scipy", "sqlglot")},
            "python": platform.python_version(),
        },
    }


def _inputs(con: Connection) -> list[dict[str, Any]]:
    """The files that a run is made of, as a manifest lists them."""
    names = ("source", "path", "sha256", "bytes", "rows_read")
    rows = con.execute(
        f"select {', '.join(names)} from raw.files where status = 'loaded' order by all"
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def _run_id(publisher: Publisher, clock: Clock) -> str:
    base = f"{clock.now():%Y%m%dT%H%M%SZ}"
    taken = {p.stem for p in publisher.runs_dir.glob("*")}
    return next(name for n in range(1, 1000) if (name := base if n == 1 else f"{base}-{n:03}") not in taken)


@contextmanager
def told_plainly(doing: str) -> Iterator[None]:
    """Turns what the engine or the system refuses into one of our own errors."""
    try:
        yield
    except EvervalueError:
        raise
    except duckdb.Interrupted:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if (
            "interrupted" in str(error).lower()
        ):  # how the engine's client tells of ctrl-C in the middle of a query
            raise KeyboardInterrupt from None
        raise
    except EngineError as error:
        raise engine_failure(error, doing) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise StorageError(
                f"{error.filename or doing} could not be written; free some space and run again. The system said: "
                f"{error.strerror}"
            ) from error
        raise StorageError(
            f"{doing} cannot go on: {error.strerror or error} ({error.filename or 'no file named'})."
        ) from error
