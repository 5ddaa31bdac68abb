"""Folds of a backtest from the tables of a run: purchase histories as of each origin, and what followed.

The history of an origin is the SELECT of `customers.purchase_history` itself with the origin as its cutoff, so a
backtest tests exactly what a run predicts from. Nothing is written: readers of the run see no trace.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np

from evervalue.core.arguments import whole
from evervalue.core.errors import InputError, SettingsError
from evervalue.core.text import count, listing
from evervalue.models.fold import Fold, Folds, Timeline
from evervalue.models.returns import after_returns
from evervalue.numerics.arrays import Array
from evervalue.pipeline.cutoff import refuse_empty_past
from evervalue.pipeline.tables import all_models
from evervalue.warehouse.arrays import columns
from evervalue.warehouse.duckdb import Connection, literal

READS = ("curated.orders", "curated.customers", "customers.cutoff")
"""Tables that have to be there."""
EXTRA = (
    "monetary",
    "repeat_monetary",
    "mean_monetary",
    "least_monetary",
    "monetary_squared_sum",
    "log_interval_sum",
    "kept_share",
)
SAMPLE = 20_000
SALES = "select customer_id, order_date, monetary from curated.orders where kind = 'sale'"
LINES = "select customer_id, order_date, kind = 'sale' as sale, monetary from curated.orders"
"""Money that comes is what is left after returns, so labels count them."""


def make_folds(
    con: Connection,
    *,
    horizon_days: float,
    origins: int | Sequence[dt.date] = 3,
    step_days: int | None = None,
    as_of: dt.date | None = None,
    sample: int | None = SAMPLE,
    random_state: int = 0,
    currency: str | None = None,
) -> Folds:
    """Folds whose label windows are complete, oldest first.

    Parameters
    ----------
    con
        A connection whose current database has `READS`.
    horizon_days
        Length of the window after each origin: whole days, finite.
    origins
        How many, or the origins themselves. The last of several lies one horizon before `as_of`; the others `step_days`
        apart before it.
    step_days
        Default: the time from the first order to the last origin over the number of origins, at most the horizon.
    as_of
        First day of which nothing is known; default that of the run.
    sample
        At most so many customers, drawn by a hash of key and `random_state` (the same ones at every origin, whatever
        the order of rows); None takes all.
    random_state
        Seed of the sample.
    currency
        Of the money.

    Raises
    ------
    InputError
        No origin has both a history before it and a complete window after it.
    SettingsError
        An argument is impossible.
    """
    horizon = _whole(horizon_days)
    end, first = _bounds(con, as_of)
    if sample is not None:
        whole(
            sample, "sample", "is impossible: one customer at least, a whole number; None takes all.", least=1
        )
    asked = _origins(origins, horizon, step_days, first, end)
    kept, notes = _possible(asked, horizon, first, end)
    members, known = _members(con, kept[-1], sample, random_state)
    folds = [_fold(con, origin, horizon, first, kept[0], members, currency) for origin in kept]
    drawn = len(folds[-1])
    if drawn < known:
        notes.append(
            f"{drawn:,} of {known:,} customers stand for all, drawn at random with a fixed seed; sample=None takes all."
        )
    return Folds(
        folds,
        horizon,
        end,
        first,
        known,
        drawn if drawn < known else None,
        notes,
        _timeline(con, kept[-1], horizon, members),
    )


def _whole(horizon_days: float) -> int:
    if not math.isfinite(horizon_days) or horizon_days < 1 or horizon_days != int(horizon_days):
        raise SettingsError(
            f"The horizon of a backtest must be whole days, one at least, and not unlimited; it is {horizon_days:g}."
        )
    return int(horizon_days)


def _bounds(con: Connection, as_of: dt.date | None) -> tuple[dt.date, dt.date]:
    """First day of which nothing is known, and the day of the first sale."""
    first, newest, cutoff = con.execute(
        f"select min(order_date), max(order_date), (select as_of from customers.cutoff) from ({SALES})"
    ).fetchone() or (None, None, None)
    if first is None:
        raise InputError("There is no sale to test a forecast against.")
    if as_of is not None and as_of > newest + dt.timedelta(days=1):
        raise SettingsError(
            f"as_of={as_of} lies after the newest order ({newest}): the days between would count as days without "
            f"orders. Use {newest + dt.timedelta(days=1)} or an earlier day."
        )
    refuse_empty_past(con, as_of)
    end = min(as_of or cutoff, newest + dt.timedelta(days=1))
    return end, first


def _origins(
    origins: int | Sequence[dt.date], horizon: int, step: int | None, first: dt.date, end: dt.date
) -> list[dt.date]:
    if not isinstance(origins, int):
        return sorted(set(origins))
    whole(origins, "origins", "is impossible: one at least.", least=1)
    if step is not None and step < 1:
        raise SettingsError(f"step={step} days is impossible: one day at least.")
    last = end - dt.timedelta(days=horizon)
    room = (last - first).days
    if room < 1:
        half = count(max((end - first).days // 2, 1), "day")
        raise InputError(
            f"The orders run from {first} to {end - dt.timedelta(days=1)}: a window of {count(horizon, 'day')} after "
            f"an origin leaves no day before it. Use a shorter horizon; {half} would leave as much before it."
        )
    gap = step or max(1, min(horizon, room // origins))
    return sorted(last - dt.timedelta(days=gap * n) for n in range(origins))


def _possible(
    asked: Sequence[dt.date], horizon: int, first: dt.date, end: dt.date
) -> tuple[list[dt.date], list[str]]:
    """The origins that can be tested, and in sentences why the others cannot."""
    early = [o for o in asked if o <= first]
    open_ended = [o for o in asked if o + dt.timedelta(days=horizon) > end]
    kept = [o for o in asked if o not in early and o not in open_ended]
    notes = []
    if open_ended:
        notes.append(
            f"Left out: {listing(open_ended)}, whose {count(horizon, 'day')} are not complete on "
            f"{end - dt.timedelta(days=1)}, the last day known."
        )
    if early:
        notes.append(f"Left out: {listing(early)}, before which there is no order (the first is of {first}).")
    if not kept:
        raise InputError(
            f"No origin can be tested. {' '.join(notes)} Use other origins or a shorter horizon."
        )
    return kept, notes


def _members(con: Connection, last: dt.date, sample: int | None, seed: int) -> tuple[str, int]:
    """A SELECT of the customers that take part, and how many there are to choose from."""
    everyone = f"select customer_id from ({SALES}) where order_date < date '{last}' group by customer_id"
    (known,) = con.execute(f"select count(*) from ({everyone})").fetchone() or (0,)
    if sample is None or known <= sample:
        return everyone, known
    return (
        f"{everyone} order by md5(customer_id || {literal(f'/{seed}')}), customer_id limit {sample}",
        known,
    )


def _fold(
    con: Connection, origin: dt.date, horizon: int, first: dt.date, first_origin: dt.date, members: str,
    currency: str | None,
) -> Fold:  # fmt: skip
    end = origin + dt.timedelta(days=horizon)
    window = min(horizon, (origin - first).days)
    opened = origin - dt.timedelta(days=window)
    found = columns(
        con,
        f"""
        with members as ({members}),
        history as ({_history(origin)}),
        around as (
            select
                customer_id,
                count(distinct order_date) filter (where sale and order_date >= date '{origin}') as actual_orders,
                sum(monetary) filter (where order_date >= date '{origin}') as actual_value,
                count(distinct order_date) filter (where sale and order_date < date '{origin}') as window_orders,
                sum(monetary) filter (where order_date < date '{origin}') as window_value
            from ({LINES})
            where order_date >= date '{opened}' and order_date < date '{end}'
            group by customer_id
        )
        select
            h.customer_id, h.first_order_date, h.repeat_orders, h.length_days, h.age_days - 1 as age,
            coalesce(h.mean_repeat_monetary, 0) as monetary_value, {", ".join(f"h.{name}" for name in EXTRA)},
            coalesce(a.actual_orders, 0) as actual_orders, coalesce(a.actual_value, 0) as actual_value,
            coalesce(a.window_orders, 0) as window_orders, coalesce(a.window_value, 0) as window_value,
            h.first_order_date >= date '{first_origin}' as late
        from history as h
        semi join members as m on m.customer_id = h.customer_id
        left join around as a on a.customer_id = h.customer_id
        order by h.customer_id
        """,
    )
    rows = after_returns(found)
    newcomers, newcomer_value = con.execute(
        f"select count(*), coalesce(sum(value), 0)::double from (select customer_id, sum(monetary) as value, "
        f"min(order_date) filter (where sale) as came from ({LINES}) where order_date < date '{end}' "
        f"group by customer_id) where came >= date '{origin}'"
    ).fetchone() or (0, 0.0)
    return Fold(
        origin=origin,
        horizon_days=horizon,
        ids=rows["customer_id"],
        first_order_date=rows["first_order_date"].astype("datetime64[D]"),
        frequency=rows["repeat_orders"],
        recency=rows["length_days"],
        T=rows["age"],
        monetary_value=rows["monetary_value"],
        window_days=window,
        window_orders=rows["window_orders"],
        window_value=rows["window_value"],
        actual_orders=rows["actual_orders"],
        actual_value=rows["actual_value"],
        late=rows["late"].astype(bool),
        extra={name: rows[name] for name in EXTRA},
        newcomers=newcomers,
        newcomer_value=newcomer_value,
        currency=currency,
    )


def _history(origin: dt.date) -> str:
    """The SELECT of the purchase history with the origin as its cutoff, and so the SELECT of the sums it is made of."""
    by_name = {m.name: m.sql.replace("$as_of", f"date '{origin}'") for m in all_models()}
    totals = f"({by_name['customers.purchase_totals']})"
    return by_name["customers.purchase_history"].replace("customers.purchase_totals", totals)


def _timeline(con: Connection, origin: dt.date, horizon: int, members: str) -> Timeline:
    """Daily repeat purchases of the members from the first order to the end of the horizon."""
    end = origin + dt.timedelta(days=horizon)
    days = f"""
        with members as ({members}),
        days as (
            select s.customer_id, s.order_date, min(s.order_date) over (partition by s.customer_id) as came
            from (select distinct customer_id, order_date from ({SALES}) where order_date < date '{end}') as s
            semi join members as m on m.customer_id = s.customer_id
        )
    """
    starts = columns(
        con,
        f"{days} select came::date - min(came) over () as day, count(*) as n, min(came) over () as first_day "
        "from days where order_date = came group by came order by came",
    )
    repeats = columns(
        con,
        f"{days} select order_date - (select min(came) from days) as day, count(*) as n from days "
        "where order_date > came group by order_date",
    )
    first = starts["first_day"][0].astype("datetime64[D]").astype(dt.date)
    daily: Array = np.zeros((end - first).days)
    daily[repeats["day"].astype(np.intp)] = repeats["n"]
    return Timeline(starts["day"], starts["n"], first, (origin - first).days, daily)
