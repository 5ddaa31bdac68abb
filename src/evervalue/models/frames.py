"""Columns out of any frame as arrays, and arrays back into the same kind, with ids, index and exact money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evervalue.core.errors import InputError
from evervalue.numerics.arrays import Array
from evervalue.warehouse.frame_facts import with_facts
from evervalue.warehouse.frames import Kind, kind_of, needed, pyarrow, to_pandas

if TYPE_CHECKING:
    from evervalue.models.histories import Histories

ARRAY_COLUMNS = ("frequency", "recency", "T", "monetary_value")


def columns_of(frame: Any) -> tuple[list[str], Callable[[str], Any]]:
    """Names of the columns, and a function that gets one of them.

    Raises
    ------
    InputError
        It is no frame.
    """
    if isinstance(frame, Mapping):
        return list(frame), lambda name: frame[name]
    if isinstance(frame, np.ndarray) or (
        isinstance(frame, Sequence)
        and not isinstance(frame, str)
        and not hasattr(frame, "__arrow_c_stream__")
    ):
        return _of_array(np.asarray(frame))
    match kind_of(frame):
        case "pandas":
            return [str(c) for c in frame.columns], lambda name: frame[name].to_numpy()
        case "polars":
            return list(frame.columns), lambda name: frame.get_column(name).to_numpy()
        case "polars-lazy":
            return columns_of(frame.collect())
        case "duckdb":
            pyarrow()
            return columns_of(frame.to_arrow_table())
        case _:
            pa = pyarrow()
            table = frame if isinstance(frame, pa.Table) else pa.table(frame)
            return list(table.column_names), lambda name: _arrow_numbers(pa, table.column(name))


def as_frame(h: Histories, columns: Mapping[str, Any], money: Sequence[str]) -> Any:
    """Ids and columns as the kind of frame that `h` came in; a mapping where it came as arrays."""
    source = h.source
    whole = {**h.ids, **columns}
    if source is None or isinstance(source, Mapping | np.ndarray | list | tuple):
        return whole
    kind = kind_of(source)
    pa = pyarrow()
    arrays = {name: _to_arrow(pa, v, name in money) for name, v in whole.items()}
    metadata = {k: v for k, v in (("unit", h.unit), ("currency", h.currency)) if v}
    return with_facts(_of_kind(pa.table(arrays), kind, source), kind, metadata)


def _of_kind(table: Any, kind: Kind, source: Any) -> Any:
    """An Arrow table as a frame like `source`."""
    if kind == "pandas":
        frame = to_pandas(table)
        frame.index = source.index
        return frame
    if kind in ("polars", "polars-lazy"):
        polars = needed("polars", "frames")
        made = polars.from_arrow(table)
        return made.lazy() if kind == "polars-lazy" else made
    if kind == "duckdb":
        from evervalue.warehouse.duckdb import connect

        return connect().from_arrow(table)
    return table


def decimals(pa: Any, values: Array) -> Any:
    """Money as an Arrow decimal128(18,4), rounded half away from zero; what is not finite becomes null.

    Raises
    ------
    InputError
        An amount does not fit.
    """
    finite = np.isfinite(values)
    scaled = np.where(finite, values, 0.0) * 1e4
    if np.abs(scaled).max(initial=0.0) >= 1e18:
        raise InputError("An amount is 100,000,000,000,000 or more, which DECIMAL(18,4) cannot hold.")
    units = (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int64)
    wide = np.empty((len(units), 2), dtype=np.int64)
    wide[:, 0], wide[:, 1] = units, units >> 63
    valid = None if finite.all() else pa.py_buffer(np.packbits(finite, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(units), [valid, pa.py_buffer(wide.tobytes())])


def _of_array(array: Any) -> tuple[list[str], Callable[[str], Any]]:
    if array.ndim != 2 or array.shape[1] < 3:
        raise InputError(
            "Expected 2D array, got an array of another shape: its columns are frequency, recency, T and, "
            "where there is a fourth, monetary_value. Reshape your data, or give a frame with these columns."
        )
    names = list(ARRAY_COLUMNS[: array.shape[1]])
    return names, lambda name: array[:, names.index(name)]


def _arrow_numbers(pa: Any, column: Any) -> Any:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column.to_numpy()


def _to_arrow(pa: Any, values: Any, is_money: bool) -> Any:
    if is_money:
        return decimals(pa, np.asarray(values, dtype=np.float64))
    return pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else pa.array(values)
