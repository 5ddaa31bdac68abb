"""Frames in and out: pandas, Polars, Arrow and DuckDB relations, known by their type without importing any of them.

Everything crosses as Arrow, so no value passes through a float or a Python object on its way. Money comes out as
`decimal(18,4)` in every kind: a Polars Decimal, an Arrow decimal128, a DuckDB DECIMAL, and in pandas a column of
`pd.ArrowDtype(pa.decimal128(18, 4))`, which adds and groups exactly; `.astype(float)` gives floats where they
will do. Counts, days and scores are nullable integers in pandas, because customers without a sale have no
score.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import did_you_mean, listing
from evervalue.warehouse.duckdb import Connection, Relation, connect

Kind = Literal["pandas", "polars", "polars-lazy", "arrow", "duckdb"]
FRAMES = ("pandas", "polars", "arrow", "duckdb")


def kind_of(frame: object) -> Kind:
    """Which kind of frame this is; anything else with an Arrow stream counts as Arrow.

    Raises
    ------
    InputError
        It is no frame.
    """
    if isinstance(frame, Relation):
        return "duckdb"
    for package, name, kind in (
        ("pandas", "DataFrame", "pandas"),
        ("polars", "DataFrame", "polars"),
        ("polars", "LazyFrame", "polars-lazy"),
    ):
        module = sys.modules.get(package)
        if module is not None and isinstance(frame, getattr(module, name)):
            return kind  # type: ignore[return-value]
    if hasattr(frame, "__arrow_c_stream__"):
        return "arrow"
    raise InputError(
        f"A {type(frame).__name__} is no frame of orders. Give a pandas or Polars DataFrame, an Arrow table, "
        "a DuckDB relation, or what ev.read_orders returns; a file is read by ev.read_orders."
    )


def names_in(frame: Any, kind: Kind) -> list[str]:
    """The names of a frame's columns."""
    if kind == "polars-lazy":
        return list(frame.collect_schema().names())
    if kind == "arrow":
        if hasattr(frame, "column_names"):
            return list(frame.column_names)
        return list(frame.schema.names)
    return [str(name) for name in frame.columns]


def take_in(con: Connection, name: str, frame: Any, kind: Kind, columns: Iterable[str]) -> Any:
    """Makes columns of a frame readable under `name` in the connection; returns their Arrow schema.

    Raises
    ------
    InputError
        A column mixes types.
    """
    wanted = list(dict.fromkeys(columns))
    match kind:
        case "pandas":
            pa = pyarrow()
            picked = frame[wanted]
            try:
                table = pa.Table.from_pandas(picked, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise InputError(
                    f"A column of the frame mixes types: {error.args[-1]}. Convert it first."
                ) from None
        case "polars":
            pyarrow()
            table = frame.select(wanted).to_arrow()
        case "polars-lazy":
            pyarrow()
            table = frame.select(wanted).collect().to_arrow()
        case "arrow":
            pa = pyarrow()
            table = (frame if isinstance(frame, pa.Table) else pa.table(frame)).select(wanted)
        case "duckdb":
            pyarrow()
            quoted = ", ".join('"' + c.replace('"', '""') + '"' for c in wanted)
            table = frame.project(quoted).to_arrow_table()
    con.register(name, table)
    return table.schema


def give_out(con: Connection, query: str, kind: Kind, like: Any = None) -> Any:
    """The rows of `query` as a frame of the kind asked for; a relation lives where the relation `like` does."""
    if kind == "duckdb":
        return _relation(con, query, like)
    pyarrow()
    table = con.execute(query).to_arrow_table()
    if kind == "arrow":
        return table
    if kind == "pandas":
        return to_pandas(table)
    polars = needed("polars", "frames")
    frame = polars.from_arrow(table)
    return frame.lazy() if kind == "polars-lazy" else frame


def to_pandas(table: Any) -> Any:
    """An Arrow table as a DataFrame with exact money and integers that may be missing."""
    pd, pa = needed("pandas", "frames"), pyarrow()
    integers = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}

    def dtype(arrow: Any) -> Any:
        return pd.ArrowDtype(arrow) if pa.types.is_decimal(arrow) else integers.get(arrow)

    return table.to_pandas(types_mapper=dtype)


def _relation(con: Connection, query: str, like: Any) -> Any:
    pyarrow()
    rows = con.execute(query).to_arrow_table()
    if like is None:
        return connect().from_arrow(rows)
    # A relation on the caller's own connection, so that it joins with the caller's others; nothing is left there.
    name = f"evervalue_{uuid.uuid4().hex}"
    found = like.query(name, "select * from rows")
    like.query(name, f"drop view {name}")
    return found


def chosen(
    names: Sequence[str], asked: str | None, usual: Sequence[str], what: str, *, needed: bool = True
) -> str | None:
    """The column asked for, else the first of the usual ones that is there.

    Raises
    ------
    MissingColumns
        It is not there; the message offers the nearest.
    """
    if asked is not None:
        if asked not in names:
            raise MissingColumns(
                f"The frame has no column '{asked}'{did_you_mean(asked, names)}. It has {listing(names, 20)}."
            )
        return asked
    found = next((name for name in usual if name in names), None)
    if found is None and needed:
        raise MissingColumns(
            f"Which column holds the {what}? None is called {' or '.join(usual)}; "
            f"the frame has {listing(names, 20)}. Name it: {what.split()[-1]}=..."
        )
    return found


def pyarrow() -> Any:
    """The Arrow library, through which all frames pass."""
    return needed("pyarrow", "frames")


def needed(package: str, extra: str) -> Any:
    """An optional package, imported now.

    Raises
    ------
    SettingsError
        It is not installed; the message says what to install.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != package:
            raise
        raise SettingsError(
            f"This needs {package}, which is not installed. Install it with: pip install 'evervalue[{extra}]'"
        ) from None
