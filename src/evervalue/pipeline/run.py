"""A run: sources into raw, declared tables over them, checks, and one published snapshot.

Nothing that readers see changes before the last step. The warehouse file is held open from beginning to end, which is
also what keeps two runs of one project apart.
"""

from __future__ import annotations

import datetime as dt
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from evervalue import __version__
from evervalue.core.clock import Clock
from evervalue.core.errors import CheckFailed, EvervalueError, ReconciliationFailed, StorageError
from evervalue.core.progress import Progress
from evervalue.pipeline.describe import write_descriptions
from evervalue.pipeline.settings import Project, Settings
from evervalue.pipeline.tables import all_models, fill_run_tables
from evervalue.sources import conflicts
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, EngineError, literal
from evervalue.warehouse.publish import Publisher, Snapshot
from evervalue.warehouse.runner import Built, build, engine_failure


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
        con = duckdb.connect(data_dir / "warehouse.duckdb", temp_directory=data_dir / "tmp")
    try:
        with told_plainly("Loading the sources"):
            report = load(
                con,
                project.settings.sources,
                base=project.folder,
                project_currency=project.settings.project.currency,
                time_zone=project.settings.project.time_zone,
                run_id=run_id,
                known_at=clock.now().replace(tzinfo=None),
                progress=progress,
                full_refresh=full_refresh,
                temp_directory=data_dir / "tmp",
            )
        with told_plainly("The run"):
            built = _build(con, publisher, project.settings, run_id=run_id, as_of=as_of, progress=progress)
            manifest = _manifest(con, project, built, clock)
            con.execute("use warehouse")
            con.execute("detach snapshot")
            snapshot = publisher.publish(run_id, manifest)
    except BaseException:
        con.close()
        publisher.abandon(run_id)
        raise
    con.close()
    shutil.rmtree(data_dir / "tmp", ignore_errors=True)
    progress.step("Published", detail=run_id)
    return RunResult(snapshot, report, built)


def _build(
    con: Connection,
    publisher: Publisher,
    settings: Settings,
    *,
    run_id: str,
    as_of: dt.date | None,
    progress: Progress,
) -> list[Built]:
    from evervalue.pipeline.before import (
        Before,  # these two import numpy and scipy, which scores alone do without
    )
    from evervalue.pipeline.value import ValueStage

    before = Before.of(publisher)
    file = publisher.begin(run_id)
    con.execute(f"attach {literal(str(file))} as snapshot")
    con.execute("use snapshot")
    con.execute("set search_path = 'snapshot.main,warehouse.raw,warehouse.mapped'")
    fill_run_tables(con, settings, run_id=run_id, as_of=as_of)
    models = all_models()
    value = ValueStage(settings, progress, folder=file.parent, before=before)
    try:
        built = build(con, models, fillers=value.fillers(), progress=progress)
    except CheckFailed as error:
        if str(error).startswith("curated.reconciliation"):
            raise ReconciliationFailed(
                f"Rows or money are not accounted for, so nothing is published. {error}"
            ) from None
        raise
    write_descriptions(con, models, built)
    conflicts.keep(con, "snapshot.curated.refused_lines", warehouse="warehouse", run_id=run_id)
    con.execute("checkpoint snapshot")
    return built


def _manifest(con: Connection, project: Project, built: list[Built], clock: Clock) -> dict[str, Any]:
    (as_of,) = con.execute("select as_of from customers.cutoff").fetchone() or (None,)
    files = con.execute(
        "select source, path, sha256, bytes, rows_read from raw.files where status = 'loaded' order by all"
    ).fetchall()
    return {
        "project": project.settings.project.name,
        "finished_at": clock.now().isoformat(),
        "as_of": str(as_of),
        "settings_sha256": project.settings.sha256,
        "inputs": [
            dict(zip(("source", "path", "sha256", "bytes", "rows_read"), f, strict=True)) for f in files
        ],
        "versions": {
            "evervalue": __version__,
            "duckdb": duckdb.version,
            "sqlglot": version("sqlglot"),
            "python": platform.python_version(),
        },
        "tables": [{"table": b.name, "rows": b.rows, "seconds": round(b.seconds, 4)} for b in built],
    }


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
        raise StorageError(
            f"{doing} cannot go on: {error.strerror or error} ({error.filename or 'no file named'})."
        ) from error
