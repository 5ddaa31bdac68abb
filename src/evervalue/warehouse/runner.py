"""Builds declared tables in the order in which they read one another, and checks each as it lands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evervalue.core.errors import EvervalueError, StorageError, TableError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.warehouse.checks import check
from evervalue.warehouse.delta import build_delta
from evervalue.warehouse.duckdb import Connection, EngineError, first_line
from evervalue.warehouse.money_sql import MACRO
from evervalue.warehouse.sql_model import SqlModel, in_order
from evervalue.warehouse.variables import bindings, with_variables

Filler = Callable[[Connection], None]
"""Creates and fills one table in the current database."""


@dataclass(frozen=True)
class Built:
    """A table that has landed."""

    name: str
    rows: int
    seconds: float
    sql: str


def build(
    con: Connection,
    models: Sequence[SqlModel],
    *,
    given: Iterable[str] = (),
    fillers: Mapping[str, Filler] | None = None,
    delta: Callable[[Connection], bool] | None = None,
    progress: Progress,
) -> list[Built]:
    """The tables, built and checked, in the order in which they were.

    Parameters
    ----------
    con
        An open connection; tables land in its current database.
    models
        Declared tables. Those without a SELECT that read nothing must be there already: they are checked alone.
    given
        Further tables that are there and may be read.
    fillers
        For each table that code fills in the middle of a run (its head says `reads`): what creates and fills it.
    delta
        Asked once tables that can be built from those of the run before have their turn: whether they are to be.
    progress
        Told of each table.

    Raises
    ------
    TableError, CheckFailed, StorageError
        The first table that cannot be built or does not keep its head.
    """
    con.execute(MACRO)
    # Rows land in the order of each head, so the engine need not keep any other: less memory, and inserts in parallel.
    con.execute("set preserve_insertion_order = false")
    ordered = in_order(models, given)
    for schema in sorted({m.head.schema_name for m in ordered if m.sql or m.head.reads}):
        con.execute(f"create schema if not exists {schema}")
    built = [_built(con, model, fillers or {}, delta, progress) for model in ordered]
    progress.step("Tables built and checked", detail=count(len(built), "table"))
    return built


def _built(
    con: Connection,
    model: SqlModel,
    fillers: Mapping[str, Filler],
    delta: Callable[[Connection], bool] | None,
    progress: Progress,
) -> Built:
    start = time.perf_counter()
    progress.doing(model.name)
    try:
        if model.head.delta and delta is not None and delta(con):
            rows = build_delta(con, model)
            return Built(model.name, rows, time.perf_counter() - start, model.sql)
        if model.sql:
            for setting in bindings(model):
                con.execute(setting)
            select = with_variables(model.sql)
            if order := model.head.layout:
                select = f"select * from (\n{select}\n) order by {', '.join(order)}"
            con.execute(f"create table {model.name} as {select}")
        elif model.head.reads:
            if model.name not in fillers:
                raise TableError(
                    f"{model.name} is filled in the middle of a run by {model.head.filled_by}, "
                    "and build() was given no filler for it."
                )
            fillers[model.name](con)
        rows = check(con, model.head)
    except EngineError as error:
        raise engine_failure(error, model.name) from error
    seconds = time.perf_counter() - start
    return Built(model.name, rows, seconds, model.sql)


def engine_failure(error: EngineError, doing: str) -> EvervalueError:
    """The error to show for what the engine refused while it was `doing` something."""
    text = first_line(error)
    if any(
        sign in text.lower() for sign in ("no space left", "disk full", "could not write", "file too large")
    ):
        return StorageError(
            f"{doing} could not be written; free some space and run again. The system said: {text}"
        )
    if "out of memory" in text.lower():
        return StorageError(
            f"{doing} needs more memory than the engine may use. Raise EVERVALUE_MEMORY_LIMIT, "
            f"or give the spill more room (EVERVALUE_TEMP_DIRECTORY). The engine said: {text}"
        )
    return TableError(f"{doing} could not be built: {text}")
