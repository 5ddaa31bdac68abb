"""`ev.hidden_gems`: Mid-Value customers among the most profitable, why they are not High-Value, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, TypeVar, overload

from evervalue.core import show
from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.progress import Silent
from evervalue.core.text import count, did_you_mean, listing
from evervalue.library.columns import INTEGERS, frame_columns, lines_view
from evervalue.library.orders import Orders
from evervalue.library.scores import Scores, Ties, key_type
from evervalue.library.session import cutoff, engine, settings
from evervalue.library.tables import Table
from evervalue.pipeline.from_orders import score_orders
from evervalue.pipeline.from_scores import gems_from_scores
from evervalue.pipeline.settings import Settings
from evervalue.warehouse.duckdb import Connection, quoted
from evervalue.warehouse.frames import Kind, give_out, kind_of, names_in, take_in

Frame = TypeVar("Frame")

GEMS = (
    "monetary, length_days, recency_days, frequency, l_score, r_score, f_score, m_score, lrfm_score, customer_value, "
    "profit_rank, low_scores, reason, action, action_title, orders_to_high, score_after, step_says, step_worth"
)
SCORE_TYPES = {
    "length_days": "integer", "recency_days": "integer", "frequency": "bigint", "monetary": "decimal(18,4)",
    "l_score": "integer", "r_score": "integer", "f_score": "integer", "m_score": "integer",
    "lrfm_score": "integer", "customer_value": "text",
}  # fmt: skip
ANY_DAY = dt.date(2000, 1, 1)
"""The cutoff of scores that came without one: lengths and recencies are counted from it, so any day will do."""


@overload
def hidden_gems(scores: Orders | Scores, top: int | None = None, *, as_of: str | dt.date | None = None,
                bins: int | None = None, ties: Ties | None = None, high_value_at: int | None = None,
                mid_value_at: int | None = None) -> Gems: ...  # fmt: skip
@overload
def hidden_gems(scores: Frame, top: int | None = None, *, as_of: str | dt.date | None = None, bins: int | None = None,
                ties: Ties | None = None, high_value_at: int | None = None, mid_value_at: int | None = None,
                customer: str | None = None, order: str | None = None, date: str | None = None,
                monetary: str | None = None, customer_name: str | None = None) -> Frame: ...  # fmt: skip
def hidden_gems(
    scores: Any,
    top: int | None = None,
    *,
    as_of: str | dt.date | None = None,
    bins: int | None = None,
    ties: Ties | None = None,
    high_value_at: int | None = None,
    mid_value_at: int | None = None,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    customer_name: str | None = None,
) -> Any:
    """Mid-Value customers among the top profit performers, the most profitable first, in the kind of frame given.

    Columns: the customer's money, measures and scores as `ev.lrfm` gives them, then `profit_rank, low_scores, reason,
    action, action_title, orders_to_high, score_after, step_says, step_worth`. `orders_to_high` is the
    smallest number of further orders, placed on the day before the cutoff at the customer's own mean, that
    makes the customer High-Value with everyone rescored and the others fixed; null where 100 do not.
    `step_worth` is that number times the mean.

    Parameters
    ----------
    scores
        What `ev.lrfm` returned (or anything it takes: the orders are then scored first).
    top
        Gems are the Mid-Value customers among this many most profitable. Default: those with the highest M score.
    as_of
        With orders: the cutoff, as for `ev.lrfm`.
    bins, ties, high_value_at, mid_value_at
        What the scores were computed with. Default: bins and ties are found out from scores, bounds are the usual
        ones; for orders as in `ev.lrfm`.
    customer, order, date, monetary, customer_name
        With a frame of orders: its columns, as for `ev.lrfm`.

    Raises
    ------
    MissingColumns, InputError, SettingsError
        As `ev.lrfm`.

    Examples
    --------
    >>> import evervalue as ev
    >>> import polars as pl
    >>> import datetime as dt
    >>> orders = pl.DataFrame(
    ...     {
    ...         "customer": ["Ann", "Ann", "Bob", "Cid", "Cid", "Dee", "Dee"],
    ...         "order_date": [dt.date(2024, 1, d) for d in (1, 31, 5, 2, 29, 4, 30)],
    ...         "monetary": [10, 20, 90, 5, 7, 1, 1],
    ...     }
    ... )
    >>> scores = ev.lrfm(orders, mid_value_at=7, high_value_at=12)
    >>> gems = ev.hidden_gems(scores, top=1, mid_value_at=7, high_value_at=12)
    >>> gems.select("customer", "low_scores", "action", "orders_to_high").rows()
    [('Bob', 'L1 R1 F1', 'reactivate', 2)]
    """
    given = {"bins": bins, "ties": ties, "high_value_at": high_value_at, "mid_value_at": mid_value_at}
    asked = {name: value for name, value in given.items() if value is not None}
    rule: dict[str, Any] = {} if top is None else {"rule": "top_n", "top_n": top}
    day = cutoff(as_of)
    if isinstance(scores, Scores):
        return _of_scores(scores, rule)
    if isinstance(scores, Orders):
        return _of_orders(scores, settings(asked, rule), day)
    kind = kind_of(scores)
    names = names_in(scores, kind)
    like = scores if kind == "duckdb" else None
    with engine("Looking for hidden gems") as con:
        if "lrfm_score" in names or "l_score" in names:
            type = _scores_view(con, scores, kind, names)
            tried = [settings(one, rule) for one in _candidates(con, asked)]
            gems_from_scores(con, "evervalue_scores", tried, as_of=day or ANY_DAY, progress=Silent())
        else:
            columns = frame_columns(
                scores,
                kind,
                customer=customer,
                order=order,
                date=date,
                monetary=monetary,
                customer_name=customer_name,
            )
            lines = lines_view(con, scores, kind, columns)
            type = key_type(con, lines)
            score_orders(
                con, lines, settings(asked, rule), "insight.hidden_gems", progress=Silent(), as_of=day
            )
        return give_out(con, _query(con, type), kind, like=like)


class Gems(Table):
    """Hidden gems, as `ev.hidden_gems` returns them for `Orders` and `Scores`.

    `to_pandas()`, `to_polars()`, `to_arrow()` and `relation` give the same rows as a frame.
    """

    _select = "select * from gems"

    def __init__(
        self, con: Connection, database: str, stack: ExitStack, source: object, currency: str
    ) -> None:
        self._source = source  # its files are where the engine spills
        self._hold(con, database, stack)
        self.currency = currency
        """Currency of the money."""

    @property
    def actions(self) -> dict[str, int]:
        """Gems by recommended action, the most frequent first."""
        with self._read() as con:
            return dict(
                con.execute(
                    "select action_title, count(*) from gems group by 1 order by 2 desc, 1"
                ).fetchall()
            )

    def _facts(self) -> Iterator[tuple[str, str]]:
        with self._read() as con:
            total, worth = con.execute(
                "select coalesce(sum(monetary), 0)::decimal(18,4), "
                "coalesce(sum(step_worth), 0)::decimal(18,4) from gems"
            ).fetchone() or (Decimal(0), Decimal(0))
        yield "hidden gems", f"{len(self):,}, bringing {total:,.2f} {self.currency}"
        yield "smallest steps", f"worth {worth:,.2f} {self.currency} together"
        for title, n in self.actions.items():
            yield title.lower(), f"{n:,}"

    def _sample(self) -> show.Sample:
        columns = [
            "customer",
            "monetary",
            "lrfm_score",
            "low_scores",
            "action_title",
            "orders_to_high",
            "step_worth",
        ]
        return self._first(columns, "profit_rank")


def _of_orders(orders: Orders, chosen: Settings, day: dt.date | None) -> Gems:
    with ExitStack() as stack:
        con, name = stack.enter_context(orders._beside("Looking for hidden gems"))
        score_orders(con, orders.lines_view(con), chosen, "insight.hidden_gems", progress=Silent(), as_of=day)
        con.execute(f"create table gems as {_query(con, 'VARCHAR')}")
        return Gems(con, name, stack.pop_all(), orders, orders.currency)


def _of_scores(scores: Scores, rule: dict[str, Any]) -> Gems:
    with ExitStack() as stack:
        con, name = stack.enter_context(scores._beside("Looking for hidden gems"))
        used = scores.settings
        chosen = settings(
            {"bins": used.bins, "ties": used.ties, "high_value_at": used.high, "mid_value_at": used.mid}, rule
        )
        table = f"{scores._database}.customers.lrfm"
        gems_from_scores(con, table, [chosen], as_of=scores.as_of, progress=Silent())
        con.execute(f"create table gems as {_query(con, 'VARCHAR')}")
        return Gems(con, name, stack.pop_all(), scores, scores.currency)


def _query(con: Connection, type: str) -> str:
    (differs,) = con.execute(
        "select coalesce(bool_or(customer_id <> customer), false) from customers.lrfm"
    ).fetchone() or (False,)
    key = f"customer_id::{type}" if type in INTEGERS else "customer_id"
    who = f"{key} as customer_id, customer" if differs else f"{key} as customer"
    return f"select {who}, {GEMS} from insight.hidden_gems order by profit_rank"


def _scores_view(con: Connection, frame: Any, kind: Kind, names: Sequence[str]) -> str:
    """Makes a frame of scores readable as `evervalue_scores`; returns the type of its keys."""
    key = "customer_id" if "customer_id" in names else "customer"
    name = "customer" if "customer" in names else key
    missing = [c for c in (key, *SCORE_TYPES) if c not in names]
    if missing:
        raise MissingColumns(
            f"The frame has scores but no column '{missing[0]}'{did_you_mean(missing[0], names)}; ev.lrfm gives "
            f"{listing(['customer', *SCORE_TYPES], 20)}."
        )
    take_in(con, "evervalue_frame", frame, kind, [key, name, *SCORE_TYPES])
    types = {str(row[0]): str(row[1]) for row in con.execute("describe evervalue_frame").fetchall()}
    typed = ", ".join(f"{quoted(c)}::{type} as {c}" for c, type in SCORE_TYPES.items())
    con.execute(
        f"create temp view evervalue_scores as select {quoted(key)}::text as customer_id, "
        f"{quoted(name)}::text as customer, {typed} from evervalue_frame"
    )
    rows, keys = con.execute(
        "select count(*), count(distinct customer_id) from evervalue_scores"
    ).fetchone() or (0, 0)
    if rows == 0 or rows != keys:
        raise InputError(
            "There are no scores: the frame has no row." if rows == 0 else
            f"The frame has {rows:,} rows for {keys:,} customers; scores have one row a customer."
        )  # fmt: skip
    return types[key]


def _candidates(con: Connection, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """What the scores may have been computed with; what was asked for is certain.

    Raises
    ------
    SettingsError
        The tiers have other bounds than those asked for or usual, and bounds cannot be read off scores.
    """
    (largest,) = con.execute(
        "select max(greatest(l_score, r_score, f_score, m_score)) from evervalue_scores"
    ).fetchone() or (None,)
    given = {"bins": max(4, int(largest or 4)), **asked}
    used = settings(given).lrfm
    n, score, tier = con.execute(
        "select count(*), min(lrfm_score), arg_min(customer_value, lrfm_score) from evervalue_scores "
        f"where customer_value <> case when lrfm_score >= {used.high} then 'High-Value' "
        f"when lrfm_score >= {used.mid} then 'Mid-Value' else 'Low-Value' end"
    ).fetchone() or (0, None, None)
    if n:
        raise SettingsError(
            f"{count(n, 'customer')} are in another tier than the bounds {used.high} and {used.mid} give, for example "
            f"{tier} with a score of {score}. Say what the scores were computed with: "
            "high_value_at=, mid_value_at=, bins=."
        )
    return [{**given, "ties": rule} for rule in ([asked["ties"]] if "ties" in asked else ["first", "share"])]
