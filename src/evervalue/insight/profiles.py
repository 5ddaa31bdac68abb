"""What a profile shows of one customer as one text: written in a run, read in one look-up.

A profile is put together from four tables, each of many columns, and a column-wise engine pays for every column of
every table that it looks into. Whoever asks often (pages that follow a customer, a shop's own site) reads one text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from evervalue.warehouse.duckdb import Connection

TABLE = "insight.customer_profile"
VERSION = 1
"""Of the text; one of another version is not read."""
MOST_ORDERS = 50
"""Of more orders than this the text tells none."""
Row = dict[str, Any]
Cell = Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:
    return value


LIST: Mapping[str, Cell] = {
    **dict.fromkeys(("customer", "customer_value", "region", "attributes"), _as_it_is),
    **dict.fromkeys(
        ("is_gem", "profit_rank", "length_days", "recency_days", "frequency", "l_score", "r_score", "f_score",
         "m_score", "lrfm_score"), _as_it_is,
    ),
    **dict.fromkeys(("p_alive", "expected_orders", "orders_low", "orders_high"), float),
    **dict.fromkeys(
        ("monetary", "revenue", "margin", "expected_order_value", "expected_clv", "clv_low", "clv_high"), Decimal
    ),
    **dict.fromkeys(("first_order_date", "last_order_date"), date.fromisoformat),
}  # fmt: skip
KEYS: Mapping[str, Cell] = dict.fromkeys(("namespace", "customer_key"), _as_it_is)
ATTRIBUTES: Mapping[str, Cell] = {
    **dict.fromkeys(("attribute", "value", "is_latest"), _as_it_is),
    **dict.fromkeys(("valid_from", "valid_to", "first_seen", "last_seen"), date.fromisoformat),
}
ORDERS: Mapping[str, Cell] = {
    **dict.fromkeys(
        ("order_key", "order_id", "kind", "line_count", "region", "channel", "currency"), _as_it_is
    ),
    "order_date": date.fromisoformat,
    **dict.fromkeys(("revenue", "margin", "monetary"), Decimal),
}
"""Columns by table, each with what makes its value of JSON's."""


@dataclass(frozen=True)
class Told:
    """What the text of a customer tells; rows by column name, in no order."""

    row: Row
    keys: list[Row]
    attributes: list[Row]
    orders: list[Row] | None
    """All orders with `order_key` and `monetary`; None where they are too many."""


def fill(con: Connection) -> None:
    """Creates and fills the table."""
    con.execute(f"""create table {TABLE} as
with counted as (select customer_id, count(*) as orders from curated.orders group by customer_id),
few as (select customer_id from counted where orders <= {MOST_ORDERS}),
o as ({_told(ORDERS, "curated.orders", "semi join few using (customer_id)")}),
k as ({_told(KEYS, "curated.customer_keys")}),
a as ({_told(ATTRIBUTES, "curated.customer_attributes")})
select l.customer_id, '[{VERSION},' || {_array(LIST, "l.")}::text
  || ',[' || coalesce(k.told, '') || '],[' || coalesce(a.told, '') || '],'
  || case when c.orders > {MOST_ORDERS} then 'null' else '[' || coalesce(o.told, '') || ']' end || ']' as profile
from insight.customer_list as l
left join counted as c using (customer_id)
left join o using (customer_id)
left join k using (customer_id)
left join a using (customer_id)
order by l.customer_id""")


def read(text: str, customer_id: str) -> Told | None:
    """What a text tells; None where another version of Evervalue wrote it.

    Parameters
    ----------
    text
        As the table has it.
    customer_id
        Whose it is.
    """
    told = orjson.loads(text)
    if told[0] != VERSION:
        return None
    _, row, keys, attributes, orders = told
    return Told(
        {**_row(LIST, row), "customer_id": customer_id},
        [_row(KEYS, one) for one in keys],
        [_row(ATTRIBUTES, one) for one in attributes],
        None if orders is None else [_row(ORDERS, one) for one in orders],
    )


def _told(columns: Mapping[str, Cell], table: str, of: str = "") -> str:
    """The rows of each customer, parted by commas."""
    told = f"string_agg({_array(columns)}::text, ',')"
    return f"select customer_id, {told} as told from {table} {of} group by customer_id"


def _array(columns: Mapping[str, Cell], prefix: str = "") -> str:
    """The columns as a JSON array; numbers that JSON does not hold to the last digit as text."""
    cells = [
        f"{prefix}{name}::text" if cell in (Decimal, float) else f"{prefix}{name}"
        for name, cell in columns.items()
    ]
    return f"json_array({', '.join(cells)})"


def _row(columns: Mapping[str, Cell], values: list[Any]) -> Row:
    return {
        name: None if value is None else cell(value)
        for (name, cell), value in zip(columns.items(), values, strict=True)
    }
