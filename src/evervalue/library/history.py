"""`ev.purchase_history`: the purchase days of every customer, in the letters that purchase models are written in.

Beware: what these models call *recency* runs from the first purchase to the last, which LRFM calls *length*.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, TypeVar, overload

from evervalue.core.errors import SettingsError
from evervalue.core.progress import Silent
from evervalue.library.columns import INTEGERS, frame_columns, lines_view
from evervalue.library.orders import Orders
from evervalue.library.scores import key_type
from evervalue.library.session import cutoff, engine, settings
from evervalue.pipeline.cutoff import refuse_empty_past
from evervalue.pipeline.from_orders import score_orders
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.frame_facts import with_facts
from evervalue.warehouse.frames import give_out, kind_of

Frame = TypeVar("Frame")
DAYS = {"D": 1, "W": 7}
MORE = (
    "first_order_date, last_order_date, monetary, repeat_monetary, mean_monetary, least_monetary, "
    "monetary_squared_sum, reversed_monetary, kept_share"
)


@overload
def purchase_history(orders: Orders, *, as_of: str | dt.date | None = None,
                     unit: Literal["D", "W"] = "D", columns: Literal["usual", "all"] = "usual",
                     frame: str = "pandas") -> Any: ...  # fmt: skip
@overload
def purchase_history(orders: Frame, *, as_of: str | dt.date | None = None, unit: Literal["D", "W"] = "D",
                     customer: str | None = None, order: str | None = None, date: str | None = None,
                     monetary: str | None = None, customer_name: str | None = None,
                     columns: Literal["usual", "all"] = "usual") -> Frame: ...  # fmt: skip
def purchase_history(
    orders: Any,
    *,
    as_of: str | dt.date | None = None,
    unit: str = "D",
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    customer_name: str | None = None,
    columns: str = "usual",
    frame: str = "pandas",
) -> Any:
    """Purchase days of every customer with a sale before the cutoff: the same kind of frame as came in.

    Columns: `customer` (and `customer_id` where it differs), `frequency` (purchase days after the first),
    `recency` (from the first to the last), `T` (from the first to the last day inside the window, `as_of` - 1
    day) and `monetary_value` (mean money of a repeat purchase day, DECIMAL(18,4); 0 without a repeat). Orders
    of one day are one purchase; returns are left out. Times are exact days, only rescaled.

    The frame carries its unit, and the currency where it is known, so that models need not be told: as `attrs` in
    pandas, as metadata of the schema in Arrow. Polars frames and DuckDB relations have no place for it; it is
    remembered of the very object that is returned, and what is made of that (filtered, joined, collected) says no unit
    any more: then `fit(history, unit="W")`.

    Parameters
    ----------
    orders
        As for `ev.lrfm`.
    as_of
        Cutoff, a day outside the window. Default: the day after the newest order.
    unit
        Unit of `recency` and `T`: "D" days, "W" weeks of seven days.
    customer, order, date, monetary, customer_name
        Columns of the frame, as for `ev.lrfm`.
    columns
        "all" adds `first_order_date`, `last_order_date`, `monetary` (all purchase days), `repeat_monetary`,
        `mean_monetary` (a purchase day, the first one counted too), `least_monetary` (of the day that brought least),
        `monetary_squared_sum` (over all days, DECIMAL(38,8)), `reversed_monetary` (what returns took back, below
        zero), `kept_share` (of the money of sales, what returns left) and `log_interval_sum` (over repeats, of
        the logarithm of the time since the day before, in the unit asked for).
    frame
        With what `ev.read_orders` returned: "pandas", "polars", "arrow" or "duckdb".

    Raises
    ------
    MissingColumns, InputError
        As `ev.lrfm`.
    SettingsError
        The unit, `columns` or `frame` is not one of them, or `as_of` is not a date, or is not after the first sale.

    Examples
    --------
    >>> import evervalue as ev
    >>> import polars as pl
    >>> import datetime as dt
    >>> orders = pl.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Ann", "Ann", "Bob"],
    ...         "order_date": [dt.date(2024, 1, d) for d in (1, 8, 8, 15)],
    ...         "monetary": [10, 20, 30, 5],
    ...     }
    ... )
    >>> ev.purchase_history(orders, as_of="2024-01-30", unit="W").rows()
    [('Ann', 1, 1.0, 4.0, Decimal('50.0000')), ('Bob', 0, 0.0, 2.0, Decimal('0.0000'))]
    """
    if unit not in DAYS:
        raise SettingsError(
            f"unit={unit!r} is not known. There are: 'D' (days) and 'W' (weeks of seven days)."
        )
    if columns not in ("usual", "all"):
        raise SettingsError(f"columns={columns!r} is not known. There are: 'usual' and 'all'.")
    asked = kind_named(frame)
    day = cutoff(as_of)
    if isinstance(orders, Orders):
        with orders._beside("Counting purchases") as (con, _):
            _build(con, orders.lines_view(con), day)
            found = give_out(con, _query(con, "VARCHAR", unit, columns), asked)
            return with_facts(found, asked, {"unit": unit, "currency": orders.currency})
    kind = kind_of(orders)
    named = frame_columns(
        orders,
        kind,
        customer=customer,
        order=order,
        date=date,
        monetary=monetary,
        customer_name=customer_name,
    )
    with engine("Counting purchases") as con:
        lines = lines_view(con, orders, kind, named)
        _build(con, lines, day)
        query = _query(con, key_type(con, lines), unit, columns)
        found = give_out(con, query, kind, like=orders if kind == "duckdb" else None)
        return with_facts(found, kind, {"unit": unit})


def kind_named(frame: str) -> Any:
    """The kind of frame of that name.

    Raises
    ------
    SettingsError
        There is none.
    """
    if frame not in ("pandas", "polars", "arrow", "duckdb"):
        raise SettingsError(f"frame={frame!r} is not known. There are: pandas, polars, arrow and duckdb.")
    return frame


def _build(con: Connection, lines: str, day: dt.date | None) -> None:
    score_orders(con, lines, settings({}), "customers.purchase_history", progress=Silent(), as_of=day)
    refuse_empty_past(con)


def _query(con: Connection, type: str, unit: str, columns: str) -> str:
    (differs,) = con.execute(
        "select coalesce(bool_or(customer_id <> customer), false) from customers.purchase_history"
    ).fetchone() or (False,)
    key = f"customer_id::{type}" if type in INTEGERS else "customer_id"
    who = f"{key} as customer_id, customer" if differs else f"{key} as customer"
    days = DAYS[unit]
    more = f", {MORE}, log_interval_sum::double - repeat_orders * ln({days}) as log_interval_sum"
    return (
        f"select {who}, repeat_orders as frequency, length_days / {days}::double as recency, "
        f'(age_days - 1) / {days}::double as "T", coalesce(mean_repeat_monetary, 0)::decimal(18,4) as monetary_value'
        f"{more if columns == 'all' else ''} from customers.purchase_history order by {key}"
    )
