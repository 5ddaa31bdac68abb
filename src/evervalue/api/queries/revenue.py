"""Where money comes from: revenue by product, region, industry ..., month by month, and the lines behind a value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from evervalue.api.errors import BadRequest
from evervalue.api.queries.base import Condition, ListQuery, SortKey, search
from evervalue.api.snapshots import Reading, Row, Statement
from evervalue.core.text import did_you_mean

TABLE = "insight.revenue_by_dimension"
COLUMNS = (
    "value",
    "name",
    "place",
    "revenue",
    "revenue_share",
    "margin",
    "margin_rate",
    "sold",
    "returned",
    "return_rate",
    "lines",
    "orders",
    "customers",
    "revenue_now",
    "revenue_before",
    "change",
)
SORTS = {
    "revenue": SortKey("place", "bigint", flipped=True, stored=True),
    "name": SortKey("lower(name)", "varchar"),
    "margin": SortKey("margin", "decimal(38,4)"),
    "margin_rate": SortKey("margin_rate", "double"),
    "returned": SortKey("returned", "decimal(38,4)", nullable=False),
    "return_rate": SortKey("return_rate", "double"),
    "orders": SortKey("orders", "bigint", nullable=False),
    "customers": SortKey("customers", "bigint", nullable=False),
    "change": SortKey("change", "double"),
}
DEFAULT_SORT = "-revenue"
Part = Literal["values", "months", "lines", "concentration", "dimensions"]
FEW_DISCOUNTS = 50
OF_LINES: dict[str, str] = {
    "product": "coalesce(l.product_id, l.product_name, '')",
    "category": "coalesce(l.category, '')",
    "discount": f"""case when l.discount is null then ''
      when (select count(distinct discount) from curated.order_lines) <= {FEW_DISCOUNTS}
        then rtrim(rtrim(cast(l.discount as varchar), '0'), '.')
      when l.discount = 0 then 'without' else 'with' end""",
}
"""What the table calls the value of a line, dimension by dimension."""
OF_ORDERS = ("region", "country", "channel")
"""Columns of an order, which all of its lines share."""
NAMES = ("product", "category", "region", "country", "channel", "discount")
ROWS_SHOWN = 1000
"""Lines that JSON gives; csv and xlsx give all."""

Name = Annotated[str, StringConstraints(max_length=200)]
Value = Annotated[str, StringConstraints(max_length=1000)]


class BehindFilter(BaseModel):
    """A value of a dimension of revenue. Empty values mean 'all', so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Name = ""
    """Dimension: product, category, region, country, channel, discount or an attribute of customers."""

    value: Value = ""
    """A value of it, as /v1/revenue gives it; with a dimension an empty one is what the source says nothing of."""

    @model_validator(mode="after")
    def _value_of_a_dimension(self) -> BehindFilter:
        if self.value and not self.by:
            raise ValueError("a value needs 'by', the dimension that it is one of")
        return self


def known(reading: Reading) -> list[Row]:
    """The dimensions that the run has, those of lines first."""
    return reading.rows(dimensions())


def dimension_of(reading: Reading, name: str) -> Row:
    """What the run knows of a dimension.

    Raises
    ------
    BadRequest
        It has none of that name.
    """
    found = known(reading)
    for row in found:
        if row["dimension"] == name:
            return row
    names = [row["dimension"] for row in found]
    has = f"It has {', '.join(names)}." if names else "It has none."
    raise BadRequest(f"This run has no dimension '{name[:100]}'{did_you_mean(name, names)}. {has}")


def dimensions() -> Statement:
    """One row a dimension that the data has."""
    order = " ".join(f"when '{name}' then {place}" for place, name in enumerate(NAMES))
    sql = f"""select dimension, is_attribute, value_count, revenue, said_revenue
from insight.revenue_dimensions
order by case when is_attribute then 5 else case dimension {order} else 9 end end, dimension"""
    return Statement(sql, {})


def periods() -> Statement:
    """One row: the two periods that are compared."""
    sql = "select as_of, first_day, compared_months, now_from, before_from\nfrom insight.revenue_periods"
    return Statement(sql, {})


def values(by: str, q: str = "") -> ListQuery:
    """The values of a dimension, read page by page."""
    conditions = [Condition("dimension = $dimension", {"dimension": by})]
    if q:
        conditions.append(search(q, "coalesce(name, '')", "value"))
    return ListQuery(TABLE, "value", COLUMNS, SORTS, tuple(conditions))


def top(by: str, count: int) -> Statement:
    """The values with the most revenue, and all others as one row (`place` null), which add up to all revenue.

    Orders and customers of the others are not known: a customer of several of them would count several times.
    """
    sums = ("revenue", "margin", "sold", "returned", "lines", "revenue_now", "revenue_before")
    added = ", ".join(
        f"cast(sum({name}) as {'bigint' if name == 'lines' else 'decimal(18,4)'}) as {name}" for name in sums
    )
    sql = f"""select place, value, name, revenue, margin, sold, returned, lines, revenue_now, revenue_before,
  1 as value_count, orders, customers
from {TABLE}
where dimension = $dimension and place <= $count
union all
select null, null, null, {added}, count(*), null, null
from {TABLE}
where dimension = $dimension and place > $count
having count(*) > 0
order by place nulls last"""
    return Statement(sql, {"dimension": by, "count": count})


def one(by: str, value: str) -> Statement:
    """One value of a dimension."""
    sql = f"select {', '.join(COLUMNS)}\nfrom {TABLE}\nwhere dimension = $dimension and value = $value"
    return Statement(sql, {"dimension": by, "value": value})


def totals(by: str) -> Statement:
    """One row: what all values of a dimension add up to."""
    sql = f"""select count(*) as value_count, cast(sum(revenue) as decimal(18,4)) as revenue,
  cast(sum(margin) as decimal(18,4)) as margin, cast(sum(sold) as decimal(18,4)) as sold,
  cast(sum(returned) as decimal(18,4)) as returned, cast(sum(lines) as bigint) as lines,
  count(*) filter (where margin < 0) as losing_count
from {TABLE}
where dimension = $dimension"""
    return Statement(sql, {"dimension": by})


def concentration(by: str) -> Statement:
    """The share of revenue that the best p per cent of the values bring."""
    sql = """select percentile, value_count, revenue, revenue_share
from insight.revenue_concentration
where dimension = $dimension
order by percentile"""
    return Statement(sql, {"dimension": by})


def months(dimension: Row, value: str) -> Statement:
    """One row a month of a value, from the first month of the run to the last, months without a line as zeros."""
    where, parameters = _where(dimension, value)
    of_orders = dimension["is_attribute"] or dimension["dimension"] in OF_ORDERS
    table, amount = ("orders", "revenue") if of_orders else ("order_lines", "amount")
    order = "order_key" if of_orders else "distinct l.order_key"
    sql = f"""with monthly as (
  select cast(date_trunc('month', l.order_date) as date) as month, sum(l.{amount}) as revenue, sum(l.margin) as margin,
    count({order}) filter (where l.kind = 'sale') as orders,
    count(distinct l.customer_id) filter (where l.kind = 'sale') as customers
  from curated.{table} as l
  {where}
  group by 1
)
select r.month, cast(coalesce(m.revenue, 0) as decimal(18,4)) as revenue,
  cast(coalesce(m.margin, 0) as decimal(18,4)) as margin,
  coalesce(m.orders, 0) as orders, coalesce(m.customers, 0) as customers
from insight.revenue_by_month as r
left join monthly as m on m.month = r.month
order by r.month"""
    return Statement(sql, parameters)


def lines(dimension: Row, value: str) -> Statement:
    """The lines behind a value, the newest first; their amounts add up to its revenue."""
    where, parameters = _where(dimension, value)
    if not dimension["is_attribute"] and dimension["dimension"] in OF_ORDERS:
        where = f"where l.order_key in (select l.order_key from curated.orders as l {where})"
    sql = f"""select l.order_date, l.kind, l.order_id, l.line_id, c.customer, l.customer_id, l.product_id,
  l.product_name, l.category, l.quantity, l.discount, l.amount, l.margin, l.channel, l.region, l.country,
  l.source, l.line
from curated.order_lines as l
join curated.customers as c on c.customer_id = l.customer_id
{where}
order by l.order_date desc, l.source, l.file_id, l.line"""
    return Statement(sql, parameters)


def condition(by: str, value: str) -> Condition:
    """Customers who bought what has the value; of a dimension that the run does not have there are none."""
    parameters = {"behind_by": by, "behind_value": value}
    is_attribute = """exists (select 1 from insight.revenue_dimensions as d
    where d.dimension = $behind_by and d.is_attribute)"""
    latest = """select a.customer_id from curated.customer_attributes as a
    where a.is_latest and a.attribute = $behind_by and a.value <> ''"""
    by_attribute = f"""({is_attribute} and frequency > 0
    and (customer_id in ({latest} and a.value = $behind_value)
      or $behind_value = '' and customer_id not in ({latest})))"""
    if by not in NAMES:
        return Condition(by_attribute, parameters)
    rows, of_value = ("orders", f"coalesce(l.{by}, '')") if by in OF_ORDERS else ("order_lines", OF_LINES[by])
    bought = f"""select l.customer_id from curated.{rows} as l
    where l.kind = 'sale' and l.order_date < (select as_of from customers.cutoff)
      and {of_value} = $behind_value"""
    return Condition(f"(not {is_attribute} and customer_id in ({bought}) or {by_attribute})", parameters)


def says(by: str, value: str) -> str:
    """Behind 'customers': 'with product FinanceHub', 'without a said region'."""
    return f"with {by} {value}" if value else f"without a said {by}"


def _where(dimension: Row, value: str) -> tuple[str, dict[str, Any]]:
    """What picks the rows `l` before the cutoff that have the value: orders where it is an order's, else lines."""
    parameters: dict[str, Any] = {"value": value}
    name = str(dimension["dimension"])
    if dimension["is_attribute"]:
        parameters["attribute"] = name
        which = """coalesce((select max(a.value) from curated.customer_attributes as a
    where a.customer_id = l.customer_id and a.attribute = $attribute and a.is_latest), '')"""
    else:
        which = f"coalesce(l.{name}, '')" if name in OF_ORDERS else OF_LINES[name]
    return f"where l.order_date < (select as_of from customers.cutoff) and {which} = $value", parameters
