"""Scores from files alone: the same tables as a run, built in memory, without a project."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.progress import Progress
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import fill_run_tables, models_for
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.runner import build

GIVEN = ("raw.files", "raw.quarantine")


@dataclass(frozen=True)
class Scored:
    """Tables in memory, and what was read to build them."""

    con: Connection
    report: LoadReport


@contextmanager
def scored_files(
    settings: Settings, *targets: str, base: Path, progress: Progress, as_of: dt.date | None = None
) -> Iterator[Scored]:
    """The target tables with all that they are built from, open while the block lasts.

    Parameters
    ----------
    settings
        As a project's; its sources are read.
    targets
        Names of declared tables, for example `customers.lrfm`.
    base
        The folder that relative paths start from.
    progress
        Told of each step.
    as_of
        Cutoff; None takes the day after the newest order.
    """
    with tempfile.TemporaryDirectory(prefix="evervalue-") as spill, told_plainly("Scoring the file"):
        con = duckdb.connect(temp_directory=Path(spill))
        try:
            report = load(
                con,
                settings.sources,
                base=base,
                project_currency=settings.project.currency,
                time_zone=settings.project.time_zone,
                run_id="file",
                progress=progress,
                temp_directory=Path(spill),
            )
            fill_run_tables(con, settings, run_id="file", as_of=as_of)
            build(con, models_for("curated.reconciliation", *targets), given=GIVEN, progress=progress)
            yield Scored(con, report)
        finally:
            con.close()
