"""Scores from files alone: the same tables as a run, built in memory, without a project."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evervalue.core.progress import Progress, Silent
from evervalue.core.text import count
from evervalue.identity.stage import IdentityStage
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import Settings, settings_from
from evervalue.pipeline.tables import create_empty, fill_run_tables, models_for, models_without_value
from evervalue.sources.file_source import source_for_file
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.runner import build

OPTIONS = {
    "sources.file.date_format": "--date-format", "sources.file.decimal": "--decimal",
    "sources.file.currency": "--currency", "lrfm.bins": "--bins", "lrfm.ties": "--ties", "gems.top_n": "--top",
    "value.horizon": "--horizon", "value.interval": "--interval", "value.discount_rate_annual": "--discount-rate",
    "value.model": "--model", "value.spend": "--spend", "value": "--horizon and --discount-rate",
}  # fmt: skip
"""What the command line calls settings."""
GIVEN = ("raw.files", "raw.quarantine")


def settings_for_file(
    file: Path,
    *,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    currency: str | None = None,
    lrfm: Mapping[str, Any] | None = None,
    gems: Mapping[str, Any] | None = None,
    value: Mapping[str, Any] | None = None,
    options: Mapping[str, str] = OPTIONS,
) -> tuple[Settings, list[str]]:
    """Settings that score one file, and in sentences which of its columns were guessed.

    Parameters
    ----------
    customer, order, date, monetary
        Columns as found in the file; those not given are guessed.
    date_format, decimal, currency
        Decide what the file leaves open.
    lrfm, gems, value
        Settings of those sections, as in `evervalue.toml`.
    options
        What the caller calls each setting, for errors.

    Raises
    ------
    MissingColumns
        A column is not in the file, or cannot be guessed.
    SettingsError
        A setting is impossible.
    """

    @contextmanager
    def scratch() -> Iterator[Connection]:
        with tempfile.TemporaryDirectory(prefix="evervalue-") as spill:
            con = duckdb.connect(temp_directory=Path(spill))
            try:
                yield con
            finally:
                con.close()

    with told_plainly("Looking at the file"):
        made = source_for_file(
            scratch,
            str(file),
            base=Path.cwd(),
            customer=customer,
            order=order,
            date=date,
            monetary=monetary,
            date_format=date_format,
            decimal=decimal,
            currency=currency,
            options=options,
        )
    settings = settings_from(
        {
            "project": {"currency": made.currency} if made.currency else {},
            "sources": {"file": made.source.model_dump(mode="json", exclude_none=True, by_alias=True)},
            "lrfm": {"monetary": made.monetary, **(lrfm or {})},
            "gems": dict(gems or {}),
            "value": dict(value or {}),
        },
        options,
    )
    return settings, made.says


@dataclass(frozen=True)
class Scored:
    """Tables in memory, and what was read to build them."""

    con: Connection
    report: LoadReport

    def left_out(self) -> list[str]:
        """What is not in the scores and why, a sentence a reason; empty where every row is."""
        (rows,) = self.con.execute(
            "select sum(rows_read)::bigint from curated.reconciliation"
        ).fetchone() or (0,)
        reasons = self.con.execute(
            "select verdict, reason, count(*), min(line), arg_min(says, line) from ("
            "select 'refused' as verdict, reason, line, says from raw.quarantine union all "
            "select case verdict when 'duplicate' then 'counted once' else 'refused' end, reason, line, says "
            "from curated.refused_lines) group by verdict, reason order by count(*) desc, reason"
        ).fetchall()
        return [
            f"{count(n, 'row')} of {rows:,} {verdict} and not scored ({reason}; first row {line:,}: {says})."
            for verdict, reason, n, line, says in reasons
        ]


@contextmanager
def scored_files(
    settings: Settings,
    *targets: str,
    base: Path,
    progress: Progress,
    as_of: dt.date | None = None,
    with_value: bool = False,
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
    with_value
        Whether models are fitted for the tables of value that are among the targets or above them; else those are
        left empty.
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
            wanted = ("curated.reconciliation", *targets)
            fillers = IdentityStage(settings.identity, run_id="file").fillers()
            if with_value:
                from evervalue.pipeline.value import ValueStage  # numpy and scipy, which scores do without

                stage = ValueStage(settings, Silent())  # what it has to say stands in the tables
                build(
                    con,
                    models_for(*wanted),
                    given=GIVEN,
                    fillers={**fillers, **stage.fillers()},
                    progress=progress,
                )
            else:
                models, empty = models_without_value(*wanted)
                create_empty(con, *empty)
                build(con, models, given=(*GIVEN, *empty), fillers=fillers, progress=progress)
            yield Scored(con, report)
        finally:
            con.close()
