"""Purchase histories as arrays, checked, from any frame; and arrays back as a frame of the kind that came in.

Frames: pandas, Polars, Arrow, DuckDB relations, a mapping of columns, or a two-dimensional array whose columns are
frequency, recency, T and, where there is a fourth, monetary_value. Row order and ids are kept as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evervalue.core.duration import DAYS_IN, UNIT_NAMES
from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import count, did_you_mean, listing
from evervalue.numerics.arrays import Array

COLUMNS = ("frequency", "recency", "T")
SPEND = "monetary_value"
IDS = ("customer_id", "customer")
YEARS_SUSPECTED = 20
MANY = 10
"""Customers whose ages tell a unit that nobody said."""
OF_REPEATS = ("repeat_monetary",)
"""Further columns that say nothing of who has no repeat purchase."""
SEVERAL = 30
"""Customers from which it is worth a word that none of them came back."""
SEVENFOLD = (4.0, 12.0)
"""Between which a ratio of ages is taken for that of days to weeks, for time passes between a fit and a prediction."""


class UnitSuspected(UserWarning):
    """Times look as if they were in another unit than the one that was said."""


@dataclass(frozen=True)
class Histories:
    """Checked purchase histories, one element a customer."""

    frequency: Array
    """Purchase days after the first."""
    recency: Array
    """Time from the first purchase to the last."""
    T: Array
    """Time from the first purchase to the end of the window."""
    monetary_value: Array | None = None
    """Mean money of a repeat purchase day; 0 without a repeat."""
    unit: str | None = None
    """"D", "W", or None where nobody said."""
    ids: Mapping[str, Any] = field(default_factory=dict)
    """Key and name columns, as they came."""
    extra: Mapping[str, Array] = field(default_factory=dict)
    """Further numeric columns that were asked for (covariates, spend statistics)."""
    source: Any = None
    """The frame itself."""
    currency: str | None = None

    def __len__(self) -> int:
        return len(self.frequency)

    def frame(self, columns: Mapping[str, Any], money: Sequence[str] = ()) -> Any:
        """Ids and result columns as the kind of frame that the histories came in; money as DECIMAL(18,4)."""
        from evervalue.models.frames import as_frame

        return as_frame(self, columns, money)


@dataclass(frozen=True)
class Distinct:
    """Each history once, with how many customers have it."""

    x: Array
    t_x: Array
    T: Array
    weight: Array
    inverse: NDArray[np.intp]
    """Place of each customer's history among the distinct ones."""
    extra: Mapping[str, Array] = field(default_factory=dict)


def histories(
    frame: Any,
    *,
    unit: str | None = None,
    spend: bool = False,
    extra: Sequence[str] = (),
) -> Histories:
    """Checked histories from a frame.

    Parameters
    ----------
    frame
        Columns frequency, recency, T; monetary_value where `spend`; ids are kept where there are any.
    unit
        "D" or "W"; by default what the frame itself says, as those of `ev.purchase_history` do.
    spend
        Whether monetary_value is needed.
    extra
        Further numeric columns that are needed.

    Raises
    ------
    MissingColumns, InputError, SettingsError
        With every fault found, how many rows have it, and the first of them.
    """
    if isinstance(frame, Histories):
        missing = [name for name in extra if name not in frame.extra]
        if missing:
            raise MissingColumns(f"The history has no column {listing(missing)}.")
        if spend and frame.monetary_value is None:
            raise MissingColumns(f"The history has no column {SPEND}.")
        return frame
    from evervalue.models.frames import columns_of
    from evervalue.warehouse.frame_facts import facts_of

    names, get = columns_of(frame)
    wanted = [*COLUMNS, *([SPEND] if spend else []), *extra]
    absent = [name for name in wanted if name not in names]
    if absent:
        hints = "".join(f" '{name}'{did_you_mean(name, names)}" for name in absent)
        raise MissingColumns(
            f"The history lacks{hints}; it has {listing(names, 12)}. ev.purchase_history(orders) makes these columns."
        )
    said = facts_of(frame)
    unit = _unit(unit, said.get("unit"))
    x, t_x, T = (_numbers(get(name), name) for name in COLUMNS)
    money = _of_repeats(x, _numbers(get(SPEND), SPEND)) if SPEND in names else None
    more = {name: _numbers(get(name), name) for name in extra}
    more |= {name: _of_repeats(x, more[name]) for name in OF_REPEATS if name in more}
    found = Histories(
        frequency=x,
        recency=t_x,
        T=T,
        monetary_value=money,
        unit=unit,
        ids={name: get(name) for name in IDS if name in names},
        extra=more,
        source=frame,
        currency=said.get("currency"),
    )
    _refuse(found)
    _suspect(found)
    return found


def _of_repeats(x: Array, amount: Array) -> Array:
    """Amounts of repeat purchases, 0 where there is none: summaries write 0 there, or nothing."""
    return np.where((x == 0) & ~np.isfinite(amount), 0.0, amount)


def distinct(
    x: Array, t_x: Array, T: Array, weight: ArrayLike | None = None, extra: Mapping[str, Array] | None = None
) -> Distinct:
    """Each history once, with the summed weight of the customers who have it.

    Parameters
    ----------
    x, t_x, T
        (n,) each.
    weight
        (n,); by default 1 each.
    extra
        Further columns that make histories differ, such as covariates.
    """
    columns = [x, t_x, T, *(extra or {}).values()]
    key = _one_number(columns)
    order = np.lexsort(columns[::-1]) if key is None else np.argsort(key)
    first = np.zeros(len(x), dtype=bool)
    first[:1] = True
    for column in columns:
        sorted_column = column[order]
        first[1:] |= sorted_column[1:] != sorted_column[:-1]
    place = np.cumsum(first) - 1
    inverse = np.empty(len(x), dtype=np.intp)
    inverse[order] = place
    ones = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64)
    rows = order[first]
    return Distinct(
        x[rows],
        t_x[rows],
        T[rows],
        np.asarray(np.bincount(inverse, weights=ones, minlength=len(rows)), dtype=np.float64),
        inverse,
        {name: column[rows] for name, column in (extra or {}).items()},
    )


def suspect_other_unit(h: Histories, unit: str, mean_age: float) -> None:
    """Warns where histories that say no unit look as if theirs were not the model's.

    Weeks taken for days are sevenths of whole numbers, and days taken for weeks reach back decades. Else ages may give
    it away: those of `MANY` customers or more are on average about seven times, or a seventh of, what they were in the
    fit, which few days between a fit and a prediction bring about.

    Parameters
    ----------
    h
        Without a unit.
    unit
        Of the model.
    mean_age
        Mean T of the fit, in that unit.
    """
    looks = _looks(replace(h, unit=unit))
    ratio = float(h.T.mean()) / mean_age
    sevenfold = ratio if unit == "W" else 1 / max(ratio, 1e-9)
    if not looks and len(h) >= MANY and SEVENFOLD[0] <= sevenfold <= SEVENFOLD[1]:
        looks = f"its customers are on average {ratio:.2g} times as old as those of the fit"
    if looks:
        other = UNIT_NAMES["W" if unit == "D" else "D"]
        warnings.warn(
            f"This history says no unit, and the model was fitted in {UNIT_NAMES[unit]}s, yet {looks}. "
            f"Are they {other}s? Then make it with ev.purchase_history(..., unit='{unit}').",
            UnitSuspected,
            stacklevel=4,
        )


def tell_that_nobody_repeats(h: Histories, name: str, fitted_to: float) -> None:
    """Warns where none of several customers came back: what is predicted of them is what others did.

    Parameters
    ----------
    h
        Histories to predict from.
    name
        Of the model.
    fitted_to
        Customers that it was fitted to.
    """
    if len(h) >= SEVERAL and not h.frequency.any():
        warnings.warn(
            f"None of these {len(h):,} customers came back so far: what is predicted of them is what the "
            f"{fitted_to:,.0f} customers that {name} was fitted to let expect of customers of their age. Nothing of "
            "their own pace is in it.",
            stacklevel=4,
        )


def _one_number(columns: Sequence[Array]) -> NDArray[np.int64] | None:
    """Columns of whole numbers from 0 up as one column, which sorts much faster; None where they are not."""
    packed, room = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        whole = column.astype(np.int64) if len(column) and 0 <= column.min() <= column.max() < 2**40 else None
        if whole is None or not np.array_equal(whole, column):
            return None
        size = int(whole.max()) + 1
        room *= size
        if room >= 2**62:
            return None
        packed = packed * size + whole
    return packed


def _unit(asked: str | None, said: str | None) -> str | None:
    if asked is not None and asked not in DAYS_IN:
        raise SettingsError(
            f"unit={asked!r} is not known. There are: 'D' (days) and 'W' (weeks of seven days)."
        )
    if asked and said and asked != said:
        raise SettingsError(
            f"The history says that its times are in {UNIT_NAMES[said]}s, and unit={asked!r} says otherwise. "
            "Leave unit out, or make the history again with the unit you want."
        )
    return asked or said


def _numbers(column: Any, name: str) -> Array:
    try:
        values = np.asarray(column)
        if values.dtype.kind not in "fiub":
            values = values.astype(np.float64)
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"'{name}' holds cells that are no numbers.") from None


def _refuse(h: Histories) -> None:
    if h.frequency.ndim != 1 or len(h) == 0:
        raise InputError(
            "There is no history to take: the frame has no row, and it takes one sample at least."
        )
    x, t_x, T = h.frequency, h.recency, h.T
    with np.errstate(invalid="ignore"):
        faults = [
            (~(np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T)), "with NaN or infinite numbers"),
            ((x < 0) | (t_x < 0) | (T < 0), "with negative numbers"),
            (np.isfinite(x) & (x != np.floor(x)), "with a frequency that is no whole number"),
            (t_x > T, "with a recency beyond T: the last purchase lies after the end of the window"),
            ((x > 0) & (t_x == 0), "with frequency above 0 but recency 0: orders of one day are one purchase"),
            ((x == 0) & (t_x > 0), "with recency above 0 but frequency 0: recency ends at the last purchase"),
        ]  # fmt: skip
    for name, values in ((SPEND, h.monetary_value), *h.extra.items()):
        if values is not None:
            faults.append((~np.isfinite(values), f"without a finite '{name}'"))
    told = [
        f"{count(int(bad.sum()), 'row')} {says} (first: row {int(np.argmax(bad))}{_who(h, int(np.argmax(bad)))})"
        for bad, says in faults
        if bad.any()
    ]
    if told:
        raise InputError(
            f"The history cannot be taken: {'; '.join(told)}. "
            "frequency counts purchase days after the first, 0 <= recency <= T. Mend or drop those rows."
        )


def _who(h: Histories, row: int) -> str:
    for column in h.ids.values():
        return f", customer {np.asarray(column)[row]}"
    return ""


def _suspect(h: Histories) -> None:
    looks = _looks(h)
    if looks:
        other = "W" if h.unit == "D" else "D"
        warnings.warn(
            f"Times are said to be {UNIT_NAMES[h.unit or 'D']}s, yet {looks}. "
            f"Are they {UNIT_NAMES[other]}s? Then say unit='{other}'.",
            UnitSuspected,
            stacklevel=4,
        )


def _looks(h: Histories) -> str:
    """What makes times look as if they were in another unit than that of `h`; nothing where they do not."""
    longest = float(h.T.max())
    whole = bool(np.allclose(h.T, np.round(h.T), atol=1e-6))
    if h.unit == "W" and (longest * 7 > YEARS_SUSPECTED * 365 or (whole and longest > 260)):
        also = ", and all are whole numbers" if whole else ""
        return f"T reaches {longest:,.0f} weeks, {longest * 7 / 365:.0f} years{also}"
    sevenths = h.T * 7
    if h.unit == "D" and not whole and np.allclose(sevenths, np.round(sevenths), atol=1e-6):
        return "they are sevenths of whole numbers, as weeks are"
    return ""
