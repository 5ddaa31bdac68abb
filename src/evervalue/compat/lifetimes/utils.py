"""Summaries of transactions, and curves over them, under the names and arguments of `lifetimes.utils`.

pandas only, as there. `ev.purchase_history` does the same for every kind of frame, in the engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evervalue.compat.lifetimes.errors import ConvergenceError, RefusedInput
from evervalue.compat.lifetimes.fitter import pandas

__all__ = (
    "ConvergenceError",
    "calculate_alive_path",
    "calibration_and_holdout_data",
    "expected_cumulative_transactions",
    "summary_data_from_transaction_data",
)


def summary_data_from_transaction_data(
    transactions: Any,
    customer_id_col: str,
    datetime_col: str,
    monetary_value_col: str | None = None,
    datetime_format: str | None = None,
    observation_period_end: Any = None,
    freq: str = "D",
    freq_multiplier: int = 1,
    include_first_transaction: bool = False,
) -> Any:
    """Frame of frequency, recency, T and, with a money column, monetary_value, one row a customer, by id.

    Transactions of one period are one purchase, worth their sum; times are differences of whole periods, divided by
    `freq_multiplier`.

    Parameters
    ----------
    transactions
        pandas frame, one row a transaction.
    customer_id_col, datetime_col, monetary_value_col
        Its columns.
    datetime_format
        How dates are written, where pandas cannot tell.
    observation_period_end
        Last period that counts, itself included. Default: that of the newest transaction.
    freq
        Period: "D", "W", "M", "h" ...
    freq_multiplier
        Periods to a unit of time: freq="h" with 24 gives days to the hour.
    include_first_transaction
        Whether the first purchase counts in frequency and monetary_value; not so for the fitters.

    Examples
    --------
    >>> import pandas as pd
    >>> orders = pd.DataFrame(
    ...     {"who": ["a", "a", "b", "a"], "day": ["2024-01-01", "2024-01-08", "2024-01-03", "2024-01-08"]}
    ... )
    >>> summary_data_from_transaction_data(orders, "who", "day", observation_period_end="2024-01-10")
         frequency  recency    T
    who
    a          1.0      7.0  9.0
    b          0.0      0.0  7.0
    """
    purchases = _purchases(
        transactions, customer_id_col, datetime_col, monetary_value_col, datetime_format, freq
    )
    end = purchases["period"].max()
    if observation_period_end is not None:
        end = _period(observation_period_end, datetime_format, freq)
    purchases = purchases[purchases["period"] <= end]
    customers = purchases.groupby(customer_id_col)["period"].agg(["min", "max", "count"])
    found = {
        "frequency": customers["count"] - (not include_first_transaction),
        "recency": (customers["max"] - customers["min"]) / freq_multiplier,
        "T": (end - customers["min"]) / freq_multiplier,
    }
    if monetary_value_col is not None:
        counted = purchases if include_first_transaction else purchases[~purchases["first"]]
        mean = counted.groupby(customer_id_col)["money"].mean()
        found["monetary_value"] = mean.reindex(customers.index).fillna(0.0)
    return pandas().DataFrame(found).astype(float)


def calibration_and_holdout_data(
    transactions: Any,
    customer_id_col: str,
    datetime_col: str,
    calibration_period_end: Any,
    observation_period_end: Any = None,
    freq: str = "D",
    freq_multiplier: int = 1,
    datetime_format: str | None = None,
    monetary_value_col: str | None = None,
    include_first_transaction: bool = False,
) -> Any:
    """Summary up to `calibration_period_end` (columns `_cal`) beside what follows: frequency_holdout, duration_holdout.

    Customers whose first transaction comes later are left out. A time without a clock means midnight, so that
    transactions later on the day `calibration_period_end` belong to the holdout. With a money column
    `monetary_value_holdout` is the mean of transactions, not of periods, as in lifetimes.

    Raises
    ------
    RefusedInput
        Nothing happens after the calibration.
    """
    pd = pandas()
    times = pd.to_datetime(transactions[datetime_col], format=datetime_format)
    split = pd.to_datetime(calibration_period_end, format=datetime_format)
    last = times.max() if observation_period_end is None else observation_period_end
    last = pd.to_datetime(last, format=datetime_format)
    summary = summary_data_from_transaction_data(
        transactions[times <= split],
        customer_id_col,
        datetime_col,
        monetary_value_col,
        datetime_format,
        split,
        freq,
        freq_multiplier,
        include_first_transaction,
    ).add_suffix("_cal")
    after = transactions[(times > split) & (times <= last)]
    if after.empty:
        raise RefusedInput(
            f"There is no data available: no transaction lies after calibration_period_end ({split}) and up to "
            f"observation_period_end ({last})."
        )
    periods = _purchases(after, customer_id_col, datetime_col, None, datetime_format, freq)
    summary["frequency_holdout"] = periods.groupby(customer_id_col)["period"].count()
    if monetary_value_col is not None:
        summary["monetary_value_holdout"] = after.groupby(customer_id_col)[monetary_value_col].mean()
    summary = summary.fillna(0.0)
    length = _period(last, datetime_format, freq) - _period(split, datetime_format, freq)
    summary["duration_holdout"] = length / freq_multiplier
    return summary


def calculate_alive_path(model: Any, transactions: Any, datetime_col: str, t: int, freq: str = "D") -> Any:
    """Series of the P(alive) of one customer at each age 0, 1, ..., t, from the transactions up to then.

    Parameters
    ----------
    model
        A fitted fitter of a purchase model.
    transactions
        Those of the customer.
    datetime_col
        Their time.
    t
        Number of periods since the first.
    freq
        Period, the unit of time that the model was fitted in.
    """
    periods = np.unique(_ordinals(transactions[datetime_col], None, freq))
    age = np.arange(max(int(t), int(periods[-1] - periods[0])) + 1)
    bought = np.isin(age, periods - periods[0])
    recency = np.maximum.accumulate(np.where(bought, age, 0))
    return pandas().Series(
        np.asarray(model.conditional_probability_alive(np.cumsum(bought) - 1.0, recency, age))
    )


def expected_cumulative_transactions(
    model: Any,
    transactions: Any,
    datetime_col: str,
    customer_id_col: str,
    t: int,
    datetime_format: str | None = None,
    freq: str = "D",
    freq_multiplier: int = 1,
    set_index_date: bool = False,
) -> Any:
    """Frame of `actual` and `predicted` repeat purchases of everyone, cumulated over the t periods since the first.

    At each time every customer who has begun is expected to have made the repeat purchases of a new customer of that
    age. As in lifetimes, one row is `freq_multiplier` periods.
    """
    purchases = _purchases(transactions, customer_id_col, datetime_col, None, datetime_format, freq)
    start = int(purchases["period"].min())
    purchases = purchases[purchases["period"] <= start + int(t)]
    begun, customers = np.unique(purchases.loc[purchases["first"], "period"], return_counts=True)
    repeats = np.sort(purchases.loc[~purchases["first"], "period"].to_numpy())
    marks = start + np.arange(freq_multiplier, int(t) + 1, freq_multiplier)
    ages = np.maximum(marks[:, None] - begun, 0) / freq_multiplier
    expected = np.asarray(model.expected_number_of_purchases_up_to_time(ages))
    found = pandas().DataFrame(
        {"actual": np.searchsorted(repeats, marks, side="left"), "predicted": expected @ customers}
    )
    if set_index_date:
        first = pandas().Period(ordinal=start, freq=freq)
        found.index = pandas().period_range(first, periods=int(t) + 1, freq=freq)[
            freq_multiplier - 1 : -1 : freq_multiplier
        ]
    return found


def _purchases(
    transactions: Any, customer: str, time: str, money: str | None, format: str | None, freq: str
) -> Any:
    """One row a customer and period, in their order: the money in it, and whether it is the customer's first."""
    pd = pandas()
    rows = pd.DataFrame(
        {
            customer: transactions[customer].to_numpy(),
            "period": _ordinals(transactions[time], format, freq),
            "money": 0.0 if money is None else transactions[money].to_numpy(dtype=float),
        }
    )
    found = rows.groupby([customer, "period"], as_index=False)["money"].sum()
    found["first"] = ~found.duplicated(customer)
    return found


def _ordinals(times: Any, format: str | None, freq: str) -> Any:
    """Numbers of the periods in which times lie."""
    pd = pandas()
    return np.asarray(pd.PeriodIndex(pd.to_datetime(times, format=format), freq=freq).asi8)


def _period(time: Any, format: str | None, freq: str) -> int:
    return int(pandas().Period(pandas().to_datetime(time, format=format), freq=freq).ordinal)
