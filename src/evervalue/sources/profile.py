"""What the cells of every column of a file say of it: kind of content, distinct values, gaps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.beginning import beginning
from evervalue.sources.dates import looks_like_date
from evervalue.sources.evidence import Cells, date_shapes, number_shapes
from evervalue.sources.files import FoundFile
from evervalue.sources.named import found_at
from evervalue.sources.numbers import looks_like_number
from evervalue.sources.read import read_file
from evervalue.sources.settings import ReaderSettings
from evervalue.warehouse.duckdb import Connection, quoted

MOST_LINES = 200_000
"""Lines of a long file that are looked at."""
KIND_LINES = 20_000
"""Lines by which a column's kind of content is judged."""
SOURCE = "guessed"


@dataclass(frozen=True)
class ColumnProfile:
    """What is known of one column."""

    name: str
    filled: int
    distinct: int
    numbers: float
    """Share of filled cells that are numbers."""
    dates: float
    """Share of filled cells that are dates in a usual notation."""
    negative: bool
    fractional: bool
    """Some numbers have decimals."""
    cells: Cells
    typed: bool
    """The file says the type itself."""


@dataclass(frozen=True)
class FileProfile:
    """What is known of a file, and where its rows lie."""

    file: FoundFile
    files: int
    """Files that the path means; the first was looked at."""
    rows: int
    whole: bool
    """Whether all rows were looked at, or the first ones only."""
    columns: dict[str, ColumnProfile]
    con: Connection
    table: str

    def values_a_key(self, key: str, column: str) -> int:
        """The most distinct values of `column` that one value of `key` has."""
        row = self.con.execute(
            f"select max(n) from (select count(distinct {quoted(column)}) as n from {self.table} "
            f"where {quoted(key)} is not null and {quoted(key)}::varchar <> '' group by {quoted(key)})"
        ).fetchone()
        return int(row[0] or 0) if row else 0

    def shared_keys(self, key: str, column: str) -> int:
        """How many values of `key` have several values of `column`."""
        row = self.con.execute(
            f"select count(*) from (select {quoted(key)} from {self.table} where {quoted(key)} is not null "
            f"and {quoted(key)}::varchar <> '' group by {quoted(key)} having count(distinct {quoted(column)}) > 1)"
        ).fetchone()
        return int(row[0]) if row else 0


def profile(con: Connection, path: str, base: Path, **reader: str | None) -> FileProfile:
    """Look at the first file that `path` means, on a connection whose raw zone may be written to.

    `reader` may give `encoding`, `delimiter`, `quote` and `sheet`, as in the settings.
    """
    settings = ReaderSettings(path=path).model_copy(update={k: v for k, v in reader.items() if v is not None})
    raw_zone.ensure(con)
    with tempfile.TemporaryDirectory(prefix="evervalue-") as temp:
        found = found_at(path, Path(temp), base)
        file = found[0]
        taken, whole = beginning(file.here(), settings, Path(temp), MOST_LINES)
        result = read_file(con, taken, SOURCE, settings, run_id=SOURCE, temp=Path(temp))
    if result.rows_read == 0:
        raise InputError(
            f"{file.shown} has a header and no rows. Export it again, or take it out of the path."
        )
    return profile_rows(con, file, len(found), result.rows_read, whole)


def profile_rows(con: Connection, file: FoundFile, files: int, rows: int, whole: bool) -> FileProfile:
    """What is known of the rows that lie in the raw table of the source `SOURCE`, and came from `file`."""
    columns = {c.name: _column(con, c) for c in raw_zone.stored_columns(con, SOURCE).values()}
    return FileProfile(file, files, rows, whole, columns, con, raw_zone.table(SOURCE))


def _column(con: Connection, column: raw_zone.StoredColumn) -> ColumnProfile:
    name = quoted(column.name)
    table = raw_zone.table(SOURCE)
    cells = Cells(column.name, f"nullif(trim({name}::varchar), '')", table)
    row = con.execute(
        f"select count(c), count(distinct c) from (select {cells.sql} as c from {table})"
    ).fetchone()
    filled, distinct = (int(n) for n in row or (0, 0))
    numbers = dates = 0.0
    negative = fractional = False
    temporal = column.type.startswith(("DATE", "TIMESTAMP"))
    if filled and temporal:
        dates = 1.0
    elif filled:
        first = replace(cells, where=f"_line <= {KIND_LINES}")
        shapes = number_shapes(con, first)
        total = max(sum(s.cells for s in shapes), 1)
        for shape in shapes:
            if looks_like_number(shape.shape):
                numbers += shape.cells / total
                negative = negative or shape.shape[:1] in "-(" or shape.example.startswith("-")
                fractional = fractional or "." in shape.shape or "," in shape.shape
        compact = 0.0
        for shape in date_shapes(con, first):
            if looks_like_date(shape.shape):
                dates += shape.cells / total
            elif shape.shape == "9" * 8:
                compact += shape.cells / total
        if compact > 0.9:
            dates = _compact_dates(con, first)
    typed = column.type != "VARCHAR" or "number" in column.typed_in.values()
    return ColumnProfile(column.name, filled, distinct, numbers, dates, negative, fractional, cells, typed)


def _compact_dates(con: Connection, cells: Cells) -> float:
    """Share of cells that are days written in eight digits."""
    row = con.execute(
        "select count(*) filter (case when length(c) = 8 then try_strptime(c, '%Y%m%d') end "
        "between date '1950-01-01' and date '2100-01-01') / count(*) "
        f"from (select {cells.sql} as c from {cells.table} where {cells.where}) where c is not null"
    ).fetchone()
    return float(row[0] or 0) if row else 0.0
