"""What a profile shows of one customer as one text: written in a run, read in one look-up.

A profile is put together from four tables, each of many columns, and a column-wise engine pays for every column of
every table that it looks into. Whoever asks often (pages that follow a customer, a shop's own site) reads one text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import orjson

from evervalue.warehouse.duckdb import Connection, literal

TABLE = "insight.customer_profile"
VERSION = 1
"""Of the text; one of another version is not read."""
MOST = 50
"""Of more orders, attributes or keys than this the text tells none."""
ROWS_AT_ONCE = 200_000
"""About as many rows are put together at a time; each takes some 0.5 KB until it is written."""
Row = dict[str, Any]
Cell = Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:
    return value


LIST: Mapping[str, Cell] = {
    **dict.fromkeys(
        ("customer", "customer_value", "region", "attributes", "is_gem", "profit_rank", "length_days", "recency_days",
         "frequency", "l_score", "r_score", "f_score", "m_score", "lrfm_score"), _as_it_is,
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
    """What the text of a customer tells; rows by column name, None where they are too many."""

    row: Row
    keys: list[Row] | None
    attributes: list[Row] | None
    orders: list[Row] | None
    """With `order_key` and `monetary`."""


def fill(con: Connection) -> None:
    """Creates and fills the table, some customers at a time: what is put together does not fit memory as a whole."""
    con.execute(f"create table {TABLE} (customer_id varchar, profile varchar)")
    for first, following in _ranges(con):
        con.execute(_insert(first, following))


def _ranges(con: Connection) -> list[tuple[str, str | None]]:
    """The first customer of each part, and that of the next one."""
    (rows,) = con.execute(
        "select (select count(*) from curated.orders) + (select count(*) from curated.customer_attributes) "
        "+ (select count(*) from insight.customer_list)"
    ).fetchone() or (0,)
    firsts = con.execute(
        f"select min(customer_id) from (select customer_id, ntile({rows // ROWS_AT_ONCE + 1}) over "
        "(order by customer_id) as part from insight.customer_list) group by part order by 1"
    ).fetchall()
    return list(pairwise([*(first for (first,) in firsts), None]))


def _insert(first: str, following: str | None) -> str:
    among = f"customer_id >= {literal(first)}" + (
        f" and customer_id < {literal(following)}" if following else ""
    )
    return f"""insert into {TABLE}
with k as ({_told(KEYS, "curated.customer_keys", among)}),
a as ({_told(ATTRIBUTES, "curated.customer_attributes", among)}),
o as ({_told(ORDERS, "curated.orders", among)})
select l.customer_id, '[{VERSION},' || {_array(LIST, "l.")}::text
  || ',' || {_listed("k")} || ',' || {_listed("a")} || ',' || {_listed("o")} || ']' as profile
from (select * from insight.customer_list where {among}) as l
left join k using (customer_id)
left join a using (customer_id)
left join o using (customer_id)
order by l.customer_id"""


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
        _rows(KEYS, keys),
        _rows(ATTRIBUTES, attributes),
        _rows(ORDERS, orders),
    )


def _told(columns: Mapping[str, Cell], table: str, among: str) -> str:
    """How many rows each customer has, and where they are few the rows, parted by commas."""
    return f"""
  select customer_id, n.rows, t.told
  from (select customer_id, count(*) as rows from {table} where {among} group by customer_id) as n
  left join (
    select customer_id, string_agg(cells, ',' order by cells) as told
    from (
      select customer_id, {_array(columns)}::text as cells from {table} where {among}
      and customer_id in (select customer_id from {table} where {among} group by customer_id having count(*) <= {MOST})
    )
    group by customer_id
  ) as t using (customer_id)
"""


def _listed(table: str) -> str:
    """What a text says of a table: its rows, or null where they are too many."""
    rows = f"case when {table}.rows <= {MOST} then '[' || {table}.told || ']' else 'null' end"
    return f"case when {table}.rows is null then '[]' else {rows} end"


def _array(columns: Mapping[str, Cell], prefix: str = "") -> str:
    """The columns as a JSON array; numbers that JSON does not hold to the last digit as text."""
    cells = [
        f"{prefix}{name}::text" if cell in (Decimal, float) else f"{prefix}{name}"
        for name, cell in columns.items()
    ]
    return f"json_array({', '.join(cells)})"


def _rows(columns: Mapping[str, Cell], rows: list[list[Any]] | None) -> list[Row] | None:
    return None if rows is None else [_row(columns, values) for values in rows]


def _row(columns: Mapping[str, Cell], values: list[Any]) -> Row:
    return {
        name: None if value is None else cell(value)
        for (name, cell), value in zip(columns.items(), values, strict=True)
    }
