"""Rows of whole numbers from any frame, for models that count in periods: read, checked, and handed back with ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import count, did_you_mean, listing
from evervalue.models.frames import columns_of
from evervalue.models.histories import IDS, Histories
from evervalue.models.purchase import weights
from evervalue.numerics.arrays import Array

CUSTOMERS = "customers"
"""Column that says how many customers share a row."""
Fault = tuple[NDArray[np.bool_], str]


@dataclass(frozen=True)
class Rows:
    """Columns of a frame as numbers, with how many customers each row stands for."""

    columns: Mapping[str, Array]
    weight: Array
    ids: Mapping[str, Any] = field(default_factory=dict)
    source: Any = None

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def frame(self, columns: Mapping[str, Any]) -> Any:
        """Ids and result columns as the kind of frame that the rows came in."""
        none = np.zeros(len(self))
        return Histories(none, none, none, ids=self.ids, source=self.source).frame(columns)


def names_of(frame: Any) -> list[str]:
    """Names of the columns of any frame."""
    return columns_of(frame)[0]


def rows_of(
    frame: Any,
    wanted: Sequence[str],
    *,
    optional: Mapping[str, float] | None = None,
    other_names: Mapping[str, str] | None = None,
    sample_weight: Any = None,
    what: str = "history",
) -> Rows:
    """Columns of a frame as whole numbers.

    Parameters
    ----------
    frame
        pandas, Polars, Arrow, a DuckDB relation, or a mapping of columns.
    wanted
        Columns that must be there.
    optional
        Columns that may be, with the value that stands for an absent one.
    other_names
        Another name that a column may have instead.
    sample_weight
        (n,) How many customers each row stands for; else the column `customers` says, else 1.
    what
        How messages call the frame.

    Raises
    ------
    MissingColumns, InputError, SettingsError
        With every fault found, how many rows have it, and the first of them.
    """
    names, get = columns_of(frame)
    other = {
        name: alias for name, alias in (other_names or {}).items() if name not in names and alias in names
    }
    absent = [name for name in wanted if name not in names and name not in other]
    if absent:
        hints = "".join(f" '{name}'{did_you_mean(name, names)}" for name in absent)
        raise MissingColumns(f"The {what} lacks{hints}; it has {listing(names, 12)}.")
    columns = {name: _numbers(get(other.get(name, name)), name) for name in wanted}
    size = len(next(iter(columns.values())))
    for name, value in (optional or {}).items():
        columns[name] = _numbers(get(name), name) if name in names else np.full(size, value)
    if size == 0:
        raise InputError(f"There is nothing to take: the {what} has no row.")
    if CUSTOMERS in names:
        if sample_weight is not None:
            raise SettingsError(
                f"The {what} has a column '{CUSTOMERS}' and sample_weight is given too: leave one out."
            )
        sample_weight = _numbers(get(CUSTOMERS), CUSTOMERS)
    found = Rows(
        columns, weights(sample_weight, size), {name: get(name) for name in IDS if name in names}, frame
    )
    with np.errstate(invalid="ignore"):
        faults: list[Fault] = []
        for name, column in columns.items():
            faults.append((~np.isfinite(column), f"have NaN or infinite numbers in '{name}'"))
            faults.append((column < 0, f"have a negative '{name}'"))
            broken = np.isfinite(column) & (column != np.floor(column))
            faults.append((broken, f"have a '{name}' that is no whole number"))
    refuse(found, faults, what)
    return found


def refuse(rows: Rows, faults: Sequence[Fault], what: str, hint: str = "") -> None:
    """Raises where a row has a fault.

    Raises
    ------
    InputError
        Names every fault, how many rows have it, and the first of them.
    """
    told = [
        f"{count(int(bad.sum()), 'row')} {says} (first: row {int(np.argmax(bad))}{_who(rows, int(np.argmax(bad)))})"
        for bad, says in faults
        if bad.any()
    ]
    if told:
        raise InputError(f"The {what} cannot be taken: {'; '.join(told)}. {hint}Mend or drop those rows.")


def whole(value: Any, name: str, *, infinite: bool = False) -> float:
    """A number of periods that a user gave.

    Raises
    ------
    SettingsError
        It is no whole number of 0 or more (or infinity, where that is possible).
    """
    number = (
        float(value) if isinstance(value, int | float | np.number) and not isinstance(value, bool) else np.nan
    )
    if number == np.inf and infinite:
        return number
    if not np.isfinite(number) or number < 0 or number != np.floor(number):
        raise SettingsError(
            f"{name}={value!r} must be a whole number of periods from 0 up{' or inf' if infinite else ''}: this model "
            "counts in periods, not in days."
        )
    return number


def _numbers(column: Any, name: str) -> Array:
    try:
        values = np.asarray(column)
        if values.dtype.kind not in "fiub":
            values = values.astype(np.float64)
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"'{name}' holds cells that are no numbers.") from None


def _who(rows: Rows, row: int) -> str:
    for column in rows.ids.values():
        return f", customer {np.asarray(column)[row]}"
    return ""
