"""Builds declared tables in the order in which they read one another, and checks each as it lands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Earlier(Protocol):
    """A run before, whose tables lie where the new ones land."""

    def keeps(self, model: SqlModel) -> bool:
        """Whether a table is what it would become, and stays."""

    def has(self, con: Connection, model: SqlModel) -> bool:
        """Whether a table can be built from the one of the run before."""

    def landed(self, con: Connection, model: SqlModel) -> None:
        """Told of every table that was built anew, once it is checked."""


@dataclass(frozen=True)
class Built:
    """A table that has landed."""

    name: str
    rows: int
    seconds: float
    sql: str
    kept: bool = False
    """Whether it is the one of the run before, untouched."""


def build(
    con: Connection,
    models: Sequence[SqlModel],
    *,
    given: Iterable[str] = (),
    fillers: Mapping[str, Filler] | None = None,
    earlier: Earlier | None = None,
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
    earlier
        The run before, where its tables may be taken over.
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
    built = [_built(con, model, fillers or {}, earlier, progress) for model in ordered]
    anew = sum(not one.kept for one in built)
    progress.step("Tables built and checked", detail=count(anew, "table"))
    return built


def _built(
    con: Connection,
    model: SqlModel,
    fillers: Mapping[str, Filler],
    earlier: Earlier | None,
    progress: Progress,
) -> Built:
    start = time.perf_counter()
    progress.doing(model.name)
    kept = earlier is not None and earlier.keeps(model)
    try:
        if kept:
            (rows,) = con.execute(f"select count(*) from {model.name}").fetchone() or (0,)
        elif earlier is not None and earlier.has(con, model):
            rows = build_delta(con, model)
        else:
            _anew(con, model, fillers, replace=earlier is not None)
            rows = check(con, model.head)
            _index(con, model)
            if earlier is not None:
                earlier.landed(con, model)
    except EngineError as error:
        raise engine_failure(error, model.name) from error
    return Built(model.name, int(rows), time.perf_counter() - start, model.sql, kept)


def _anew(con: Connection, model: SqlModel, fillers: Mapping[str, Filler], *, replace: bool) -> None:
    """Create and fill a table, in place of one that is there where asked to; one that nobody fills is there."""
    if not model.sql and not model.head.reads:
        return
    if replace:
        con.execute(f"drop table if exists {model.name}")
    if model.sql:
        for setting in bindings(model):
            con.execute(setting)
        select = with_variables(model.sql)
        if order := model.head.layout:
            select = f"select * from (\n{select}\n) order by {', '.join(order)}"
        con.execute(f"create table {model.name} as {select}")
        return
    if model.name not in fillers:
        raise TableError(
            f"{model.name} is filled in the middle of a run by {model.head.filled_by}, "
            "and build() was given no filler for it."
        )
    fillers[model.name](con)


def _index(con: Connection, model: SqlModel) -> None:
    """Make the index that the head asks for."""
    if model.head.index:
        name = f"{model.name.split('.')[1]}_by_{'_'.join(model.head.index)}"
        con.execute(f"create index {name} on {model.name} ({', '.join(model.head.index)})")


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
