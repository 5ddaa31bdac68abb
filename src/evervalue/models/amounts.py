"""What spend models are fitted to: how many purchases of each customer count, their mean, and how they vary.

With `spend="repeat"` the first purchase day is left out: the number is `frequency`, the mean `monetary_value`. With
`spend="all"` every purchase day counts: the number is `frequency` + 1, and the sum is the column `monetary`, which
`ev.purchase_history(orders, columns="all")` hands out. How amounts vary within a customer is taken from
`monetary_squared_sum` (and, for repeats alone, `monetary` and `repeat_monetary`) where the history has these columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import count, did_you_mean, listing
from evervalue.models.histories import IDS, Histories, distinct
from evervalue.numerics.arrays import Array

REPEAT, ALL = "repeat", "all"
ROUNDING = 64 * np.finfo(float).eps
"""Share of a sum of squares below which what is left of it is rounding, and taken for none."""


@dataclass(frozen=True)
class Amounts:
    """One element a customer, in the order of the history; or one element for all who are alike."""

    x: Array
    """Purchases that count; 0 where there is none."""
    m: Array
    """Their mean amount; 0 where there is none."""
    squares: Array | None
    """Sum of their squared distances from it; None where the history does not tell."""
    weight: Array
    """How many customers each element stands for."""
    least: Array | None = None
    """Amount of the purchase day that brought least, where the history tells."""

    def counted(self) -> Amounts:
        """Customers with a purchase, each number, mean and squares once, in an order that the rows do not decide."""
        some = (self.x > 0) & (self.weight > 0)
        squares = None if self.squares is None else self.squares[some]
        d = distinct(
            self.x[some],
            self.m[some],
            np.zeros(int(some.sum())) if squares is None else squares,
            self.weight[some],
        )
        return Amounts(d.x, d.t_x, None if squares is None else d.T, d.weight)


def amounts(history: Any, spend: str, weight: Array | None = None) -> Amounts:
    """Amounts of each customer, from any frame.

    Raises
    ------
    SettingsError
        `spend` is neither "repeat" nor "all".
    MissingColumns
        A column that is needed is not there.
    InputError
        Numbers that cannot be: NaN, negative or broken counts.
    """
    if spend not in (REPEAT, ALL):
        raise SettingsError(
            f"spend={spend!r} is not known. There are: 'repeat' (purchase days after the first) and 'all'."
        )
    names, get = _columns(history)
    needed = ("frequency", "monetary_value") if spend == REPEAT else ("frequency", "monetary")
    _require(names, needed, spend)
    x = _numbers(get, "frequency")
    bad = ~np.isfinite(x) | (x < 0) | (x != np.floor(x))
    _refuse(bad, "have a frequency that is no whole number of 0 or more", names, get)
    if spend == ALL:
        x = x + 1
        total = _numbers(get, "monetary")
        _refuse(~np.isfinite(total), "have no finite 'monetary'", names, get)
        m = total / x
    else:
        m = _numbers(get, "monetary_value")
        _refuse((x > 0) & ~np.isfinite(m), "have no finite 'monetary_value'", names, get)
        m = np.where(x > 0, m, 0.0)
    least = _numbers(get, "least_monetary") if "least_monetary" in names else None
    return Amounts(
        x, m, _squares(names, get, spend, x, m), np.ones(len(x)) if weight is None else weight, least
    )


def ids_of(history: Any) -> Histories:
    """Ids, source and currency of a history, to hand results back with; its times are not looked at."""
    if isinstance(history, Histories):
        return history
    from evervalue.models.frames import columns_of
    from evervalue.warehouse.frame_facts import facts_of

    names, get = columns_of(history)
    said = facts_of(history)
    x = _numbers(get, "frequency")
    return Histories(
        frequency=x,
        recency=np.zeros_like(x),
        T=np.zeros_like(x),
        unit=said.get("unit"),
        ids={name: get(name) for name in IDS if name in names},
        source=history,
        currency=said.get("currency"),
    )


def _columns(history: Any) -> tuple[list[str], Callable[[str], Any]]:
    if isinstance(history, Histories):
        known: dict[str, Any] = {"frequency": history.frequency, **history.ids, **history.extra}
        if history.monetary_value is not None:
            known["monetary_value"] = history.monetary_value
        return list(known), known.__getitem__
    from evervalue.models.frames import columns_of

    return columns_of(history)


def _require(names: list[str], needed: tuple[str, ...], spend: str) -> None:
    absent = [name for name in needed if name not in names]
    if absent:
        hints = "".join(f" '{name}'{did_you_mean(name, names)}" for name in absent)
        how = (
            "ev.purchase_history(orders)" if spend == REPEAT else "ev.purchase_history(orders, columns='all')"
        )
        raise MissingColumns(
            f"The history lacks{hints}, which spend='{spend}' needs; it has {listing(names, 12)}. {how} makes it."
        )


def _squares(names: list[str], get: Callable[[str], Any], spend: str, x: Array, m: Array) -> Array | None:
    """Squared distances from the mean, out of sums of squares over all purchase days."""
    needed = ("monetary_squared_sum", *(("monetary", "repeat_monetary") if spend == REPEAT else ()))
    if any(name not in names for name in needed):
        return None
    of_all = _numbers(get, "monetary_squared_sum")
    _refuse(
        ~(of_all >= 0) | np.isinf(of_all), "have no finite 'monetary_squared_sum' of 0 or more", names, get
    )
    whole = of_all
    if spend == REPEAT:
        total, repeat = _numbers(get, "monetary"), _numbers(get, "repeat_monetary")
        repeat = np.where(x > 0, repeat, 0.0)
        _refuse(~np.isfinite(total + repeat), "have no finite 'monetary' or 'repeat_monetary'", names, get)
        whole = of_all - (total - repeat) ** 2
        m = np.where(x > 0, repeat / np.maximum(x, 1.0), 0.0)
    squares = whole - x * m * m
    return np.where((x > 1) & (squares > ROUNDING * of_all), squares, 0.0)


def _numbers(get: Callable[[str], Any], name: str) -> Array:
    try:
        values = np.asarray(get(name))
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"'{name}' holds cells that are no numbers.") from None


def _refuse(bad: Any, says: str, names: list[str], get: Callable[[str], Any]) -> None:
    if not len(bad):
        raise InputError(
            "There is no history to take: the frame has no row, and it takes one sample at least."
        )
    if bad.any():
        first = int(np.argmax(bad))
        who = next((f", customer {np.asarray(get(name))[first]}" for name in IDS if name in names), "")
        raise InputError(
            f"The amounts cannot be taken: {count(int(bad.sum()), 'row')} {says} (first: row {first}{who})."
        )
