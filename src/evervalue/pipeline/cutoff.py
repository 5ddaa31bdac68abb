"""The cutoff held against the orders, where something is to be learnt from what came before it."""

from __future__ import annotations

import datetime as dt

from evervalue.core.errors import SettingsError
from evervalue.warehouse.duckdb import Connection


def refuse_empty_past(con: Connection, as_of: dt.date | None = None) -> None:
    """Raises where there are sales, and all of them come on or after the cutoff.

    Parameters
    ----------
    con
        A connection whose current database has `curated.orders` and `customers.cutoff`.
    as_of
        Cutoff; None takes that of the run.

    Raises
    ------
    SettingsError
        With the day of the first sale, and which cutoffs are possible.
    """
    cutoff, first, newest = con.execute(
        "select (select as_of from customers.cutoff), min(order_date), max(order_date) "
        "from curated.orders where kind = 'sale'"
    ).fetchone() or (None, None, None)
    end = as_of or cutoff
    if first is None or end is None or end > first:
        return
    day = dt.timedelta(days=1)
    raise SettingsError(
        f"The cutoff {end} (as_of, --as-of) leaves no sale: the first is of {first}, and sales count up to the day "
        f"before the cutoff. Take a day from {first + day} on; without one it is {newest + day}, which takes all."
    )
