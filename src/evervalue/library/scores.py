"""`ev.lrfm`: length, recency, frequency and monetary value of every customer, with scores and value tier."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeVar, overload

from evervalue.core import show
from evervalue.core.progress import Silent
from evervalue.core.text import count
from evervalue.library.columns import INTEGERS, frame_columns, lines_view
from evervalue.library.orders import Orders
from evervalue.library.session import cutoff, engine, settings
from evervalue.library.tables import Table
from evervalue.pipeline.from_orders import score_orders
from evervalue.pipeline.settings import Settings
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.frames import give_out, kind_of

Frame = TypeVar("Frame")
Ties = Literal["first", "share"]

MEASURES = "length_days, recency_days, frequency, monetary"
SCORES = "l_score, r_score, f_score, m_score, lrfm_score, customer_value"


class ScoresSayLittle(UserWarning):
    """There are fewer customers than score bins: the rule still scores them, and the scores say little."""


@overload
def lrfm(orders: Orders, *, as_of: str | dt.date | None = None, bins: int = 4, ties: Ties = "first",
         high_value_at: int | None = None, mid_value_at: int | None = None) -> Scores: ...  # fmt: skip
@overload
def lrfm(orders: Frame, *, as_of: str | dt.date | None = None, customer: str | None = None,
         order: str | None = None, date: str | None = None, monetary: str | None = None,
         customer_name: str | None = None, bins: int = 4, ties: Ties = "first",
         high_value_at: int | None = None, mid_value_at: int | None = None) -> Frame: ...  # fmt: skip
def lrfm(
    orders: Any,
    *,
    as_of: str | dt.date | None = None,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    customer_name: str | None = None,
    bins: int = 4,
    ties: Ties = "first",
    high_value_at: int | None = None,
    mid_value_at: int | None = None,
) -> Any:
    """Scores of every customer: the same kind of frame as came in, one row a customer in the order of the keys.

    Columns: `customer, length_days, recency_days, frequency, monetary, l_score, r_score, f_score, m_score,
    lrfm_score, customer_value`, and `customer_id` in front where a key differs from the name shown. Money is
    DECIMAL(18,4) (`evervalue.warehouse.frames` says what that is in each kind of frame). Customers without a
    sale before the cutoff are listed without scores.

    Parameters
    ----------
    orders
        What `ev.read_orders` returns, or order lines as a pandas or Polars DataFrame, a LazyFrame, an Arrow
        table or a DuckDB relation. One row a line; lines of one order share its id.
    as_of
        Cutoff, a day outside the window: orders count up to the day before. Default: the day after the newest order.
    customer, order, date, monetary
        Columns of the frame: the customer's key (text or whole number), the order's id (without one every row is an
        order), its day (a date or a timestamp; one with a zone is taken in that zone), and the money to sum
        up. Default: `customer_id` (or `customer`), `order_id`, `order_date`, `monetary`. Float money stands
        for its shortest text. A column `kind` that is there says which rows are sales ('sale') and which
        returns and the like, which change monetary value alone; without it every row is a sale.
    customer_name
        Column of the name shown, which also parts ties. Default: the key.
    bins
        Scores run from 1 to this (2 to 10).
    ties
        `first`: equal values are parted by name, then key. `share`: they share a score.
    high_value_at, mid_value_at
        Lowest LRFM scores of the upper two tiers. Default: 3.5 and 2.5 times the bins, which is 14 and 10 of 16.

    Raises
    ------
    MissingColumns
        A column is not in the frame.
    InputError
        Rows lack a customer, a date or an amount, or a column cannot be taken for what it should be.
    SettingsError
        An argument is impossible.

    Examples
    --------
    >>> import evervalue as ev
    >>> import polars as pl
    >>> import datetime as dt
    >>> orders = pl.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Ann", "Bob", "Cid", "Dee"],
    ...         "order_id": [1, 2, 3, 4, 5],
    ...         "order_date": [dt.date(2024, 1, d) for d in (1, 31, 15, 20, 25)],
    ...         "monetary": [10.5, 20.0, 5.0, 7.25, 1.0],
    ...     }
    ... )
    >>> scores = ev.lrfm(orders, as_of="2024-02-01")
    >>> scores.select("customer", "length_days", "recency_days", "frequency", "monetary").rows()[0]
    ('Ann', 30, 1, 2, Decimal('30.5000'))
    >>> scores.select("l_score", "r_score", "f_score", "m_score", "customer_value").rows()[0]
    (4, 4, 4, 4, 'High-Value')
    """
    chosen = settings(
        {"bins": bins, "ties": ties, "high_value_at": high_value_at, "mid_value_at": mid_value_at}
    )
    day = cutoff(as_of)
    if isinstance(orders, Orders):
        return _of_orders(orders, chosen, day)
    kind = kind_of(orders)
    columns = frame_columns(
        orders,
        kind,
        customer=customer,
        order=order,
        date=date,
        monetary=monetary,
        customer_name=customer_name,
    )
    with engine("Scoring the orders") as con:
        lines = lines_view(con, orders, kind, columns)
        score_orders(con, lines, chosen, "customers.lrfm", progress=Silent(), as_of=day)
        _warn_of_few(con, bins)
        return give_out(
            con, score_query(con, key_type(con, lines)), kind, like=orders if kind == "duckdb" else None
        )


def key_type(con: Connection, lines: str) -> str:
    """The type of the customers' keys in a view of lines."""
    types = {str(row[0]): str(row[1]) for row in con.execute(f"describe {lines}").fetchall()}
    return types["customer_id"]


def score_query(con: Connection, type: str) -> str:
    """The SELECT of the promised columns, keys in their own type, with the key where it differs from the name."""
    (differs,) = con.execute(
        "select coalesce(bool_or(customer_id <> customer), false) from customers.lrfm"
    ).fetchone() or (False,)
    key = f"customer_id::{type}" if type in INTEGERS else "customer_id"
    who = f"{key} as customer_id, customer" if differs else f"{key} as customer"
    return f"select {who}, {MEASURES}, {SCORES} from customers.lrfm order by {key}"


def _warn_of_few(con: Connection, bins: int) -> int:
    (scored,) = con.execute("select count(lrfm_score) from customers.lrfm").fetchone() or (0,)
    if scored < bins:
        warnings.warn(
            f"{count(scored, 'customer')} for {bins} score bins: the rule still scores them, "
            "but the scores say little.",
            ScoresSayLittle,
            stacklevel=4,
        )
    return int(scored)


@dataclass(frozen=True)
class Tiers:
    """How many customers are in each tier, and how many stand unscored."""

    high: int
    mid: int
    low: int
    unscored: int


class Scores(Table):
    """Scored customers, as `ev.lrfm` returns them for what `ev.read_orders` has read.

    `to_pandas()`, `to_polars()`, `to_arrow()` and `relation` give the same rows as a frame.
    """

    _select = "select * from scores"

    def __init__(
        self, con: Connection, database: str, stack: ExitStack, source: object, set_to: Settings, as_of: dt.date,
        currency: str,
    ) -> None:  # fmt: skip
        self._source = source  # its files are where the engine spills
        self._hold(con, database, stack)
        self.settings = set_to.lrfm
        """Bins, tie rule and bounds that were used."""
        self.as_of = as_of
        """Cutoff, itself outside the window."""
        self.currency = currency
        """Currency of the money."""

    @property
    def tiers(self) -> Tiers:
        """Customers by tier."""
        with self._read() as con:
            row = con.execute(
                "select count(*) filter (where customer_value = 'High-Value'), "
                "count(*) filter (where customer_value = 'Mid-Value'), "
                "count(*) filter (where customer_value = 'Low-Value'), "
                "count(*) filter (where customer_value is null) from scores"
            ).fetchone()
        return Tiers(*(row or (0, 0, 0, 0)))

    @property
    def monetary(self) -> Decimal:
        """Monetary value of all customers."""
        with self._read() as con:
            (total,) = con.execute(
                "select coalesce(sum(monetary), 0)::decimal(18,4) from scores"
            ).fetchone() or (0,)
        return Decimal(total)

    def _facts(self) -> Iterator[tuple[str, str]]:
        tiers = self.tiers
        total = tiers.high + tiers.mid + tiers.low
        yield (
            "customers",
            f"{total:,}" + (f", {tiers.unscored:,} more without a sale" if tiers.unscored else ""),
        )
        yield "tiers", f"{tiers.high:,} High-Value, {tiers.mid:,} Mid-Value, {tiers.low:,} Low-Value"
        yield "monetary value", f"{self.monetary:,.2f} {self.currency}"
        yield "as of", f"{self.as_of} (orders up to the day before)"
        yield "scores", f"1 to {self.settings.bins}, ties: {self.settings.ties}"

    def _sample(self) -> show.Sample:
        columns = ["customer", "monetary", *MEASURES.split(", ")[:3], *SCORES.split(", ")]
        return self._first(columns, "monetary desc, customer")


def _of_orders(orders: Orders, chosen: Settings, day: dt.date | None) -> Scores:
    with ExitStack() as stack:
        con, name = stack.enter_context(orders._beside("Scoring the orders"))
        lines = orders.lines_view(con)
        score_orders(con, lines, chosen, "customers.lrfm", progress=Silent(), as_of=day)
        _warn_of_few(con, chosen.lrfm.bins)
        (as_of,) = con.execute("select as_of from customers.cutoff").fetchone() or (None,)
        con.execute(f"create view scores as {score_query(con, 'VARCHAR')}")
        return Scores(con, name, stack.pop_all(), orders, chosen, as_of, orders.currency)
