"""The cutoff held against the orders, where something is to be learnt from what came before it."""

from __future__ import annotations

import datetime as dt

from evervalue.core.errors import InputError, SettingsError
from evervalue.core.text import count
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


def refuse_no_orders(con: Connection) -> None:
    """Raises where not one order came of all that was read, so that there is no day to look back from.

    Raises
    ------
    InputError
        With what became of the rows.
    """
    orders, read, refused, aside = con.execute(
        "select (select count(*) from curated.orders), coalesce(sum(rows_read), 0), "
        "coalesce(sum(rows_quarantined), 0), coalesce(sum(rows_set_aside), 0) from mapped.source_totals "
        "where provides in ('order_lines', 'income')"
    ).fetchone() or (0, 0, 0, 0)
    if orders:
        return
    raise InputError(
        f"There is no order to look at: of {count(int(read), 'row')} of orders, {int(refused):,} are in quarantine and "
        f"{int(aside):,} were set aside by `only`. 'evervalue quarantine list' says why; 'evervalue sources check' "
        "shows what rows become."
    )
