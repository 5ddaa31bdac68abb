"""Two runs beside each other: totals, movement between tiers, and what became of each customer.

Statements read two snapshots, `now` and `before`, and `changes`, which holds one row a customer of either (`beside`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict

from evervalue.api.queries.base import Condition, ListQuery, SortKey, chosen, search
from evervalue.api.queries.customers import Text
from evervalue.api.requests import ListRequest
from evervalue.api.snapshots import Reading, Statement

Part = Literal["summary", "movement", "customers", "settings"]
Place = Literal["high", "mid", "low", "unscored", "absent"]
Movement = Literal["up", "down", "joined", "left", "same"]
TABLE = "memory.changes"
HELD = """select table_catalog, column_name from information_schema.columns
where table_schema = 'insight' and table_name = 'customer_list'"""
PLACES: dict[str, str] = {
    "high": "High-Value",
    "mid": "Mid-Value",
    "low": "Low-Value",
    "unscored": "No sale yet",
    "absent": "Not there",
}
CODES = {name: code for code, name in PLACES.items()}
COUNTS = ("customers", "scored_customers", "high_value", "mid_value", "low_value", "gems", "orders")
MONEY = ("monetary", "revenue", "margin")
WANTED: dict[str, str] = {
    "customer_id": "varchar",
    "customer": "varchar",
    "customer_value": "varchar",
    "lrfm_score": "integer",
    "monetary": "decimal(18,4)",
    "expected_clv": "decimal(18,4)",
    "is_gem": "boolean",
}
COLUMNS = (
    "customer", "customer_id", "movement", "tier_before", "tier_now", "score_before", "score_now", "score_change",
    "monetary_before", "monetary_now", "monetary_change", "expected_before", "expected_now", "expected_change",
    "is_gem_before", "is_gem",
)  # fmt: skip
SORTS = {
    "customer": SortKey("lower(customer)", "varchar", nullable=False),
    "monetary_change": SortKey("monetary_change", "decimal(38,4)", nullable=False),
    "monetary_now": SortKey("monetary_now", "decimal(38,4)"),
    "monetary_before": SortKey("monetary_before", "decimal(38,4)"),
    "expected_change": SortKey("expected_change", "decimal(38,4)"),
    "score_change": SortKey("score_change", "integer"),
}
DEFAULT_SORT = "-monetary_change"


class ChangeFilters(BaseModel):
    """Which customers of two runs are asked for. Empty values mean 'all', so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Text = ""
    """The run that is looked at: its name, or a day that its orders lie before. Default: the one readers see."""

    against: Text = ""
    """The run that it is held against, in the same way. Default: the one before it."""

    q: Text = ""
    """Part of a name or of a key, in any case."""

    was: Place | Literal[""] = ""
    """Tier in the other run; absent: not there."""

    now: Place | Literal[""] = ""
    """Tier in this run; absent: no longer there."""

    moved: Movement | Literal[""] = ""
    """up or down a tier, joined, left, or same."""

    def conditions(self) -> tuple[Condition, ...]:
        """The filters that are set, in SQL."""
        found = []
        if self.was:
            found.append(chosen("tier_before", "was", (PLACES[self.was],)))
        if self.now:
            found.append(chosen("tier_now", "now", (PLACES[self.now],)))
        if self.moved:
            found.append(chosen("movement", "moved", (self.moved,)))
        if self.q:
            found.append(search(self.q, "customer", "customer_id"))
        return tuple(found)

    def query(self) -> ListQuery:
        """The list that these filters leave."""
        return ListQuery(TABLE, "customer_id", COLUMNS, SORTS, self.conditions())


class CompareRequest(ChangeFilters, ListRequest):
    """Two runs: which part, filters, order, place and format."""

    part: Part = "summary"


def beside(found: Collection[tuple[str, str]]) -> str:
    """The SELECT behind `changes`: one row a customer of either run.

    `found` has the columns of both customer lists, as (database, column); what one of an earlier version lacks is null.
    """
    return f"""
  select
    coalesce(n.customer_id, b.customer_id) as customer_id,
    coalesce(n.customer, b.customer) as customer,
    case
      when b.customer_id is null then 'joined'
      when n.customer_id is null then 'left'
      when {_rank("n")} > {_rank("b")} then 'up'
      when {_rank("n")} < {_rank("b")} then 'down'
      else 'same'
    end as movement,
    case when b.customer_id is null then 'Not there' else coalesce(b.customer_value, 'No sale yet') end as tier_before,
    case when n.customer_id is null then 'Not there' else coalesce(n.customer_value, 'No sale yet') end as tier_now,
    b.lrfm_score as score_before, n.lrfm_score as score_now, n.lrfm_score - b.lrfm_score as score_change,
    b.monetary as monetary_before, n.monetary as monetary_now,
    (coalesce(n.monetary, 0) - coalesce(b.monetary, 0))::decimal(18,4) as monetary_change,
    b.expected_clv as expected_before, n.expected_clv as expected_now,
    case when n.expected_clv is not null or b.expected_clv is not null
      then (coalesce(n.expected_clv, 0) - coalesce(b.expected_clv, 0))::decimal(18,4) end as expected_change,
    coalesce(b.is_gem, false) as is_gem_before, coalesce(n.is_gem, false) as is_gem
  from ({_side(found, "now")}) as n
  full join ({_side(found, "before")}) as b on b.customer_id = n.customer_id
"""


def movement() -> Statement:
    """One row for each pair of tiers that a customer has: how many, and their money in both runs."""
    order = ", ".join(f"when '{name}' then {n}" for n, name in enumerate(PLACES.values())).replace(",", "")
    sql = f"""select tier_before, tier_now, any_value(movement) as movement, count(*) as customers,
  coalesce(sum(monetary_before), 0)::decimal(18,4) as monetary_before,
  coalesce(sum(monetary_now), 0)::decimal(18,4) as monetary_now,
  sum(expected_before)::decimal(18,4) as expected_before,
  sum(expected_now)::decimal(18,4) as expected_now
from {TABLE}
group by tier_before, tier_now
order by case tier_before {order} end, case tier_now {order} end"""
    return Statement(sql, {})


def summary(reading: Reading) -> Statement:
    """Both runs in one row: totals before, now, and what they changed by."""
    has = _has(reading, "value_headline")
    sides = ("now", "before")
    parts = [
        f"{side}_totals.{name} as {name}_{side}" for name in (*COUNTS, *MONEY) for side in ("before", "now")
    ]
    parts += [f"now_totals.{name} - before_totals.{name} as {name}_change" for name in (*COUNTS, *MONEY)]
    value = {
        side: f"(select expected_clv from {side}.insight.value_headline)"
        if has[side]
        else "null::decimal(18,4)"
        for side in sides
    }
    parts += [f"{value[side]} as expected_{side}" for side in ("before", "now")]
    parts.append(f"{value['now']} - {value['before']} as expected_change")
    totals = ",\n".join(
        f"{side}_totals as (select {', '.join((*COUNTS, *MONEY))} from {side}.insight.headline)"
        for side in sides
    )
    return Statement(f"with {totals}\nselect {', '.join(parts)}\nfrom now_totals, before_totals", {})


def _side(found: Collection[tuple[str, str]], side: str) -> str:
    names = [name if (side, name) in found else f"null::{type_} as {name}" for name, type_ in WANTED.items()]
    return f"select {', '.join(names)} from {side}.insight.customer_list"


def _has(reading: Reading, table: str) -> dict[str, bool]:
    sql = "select table_catalog from information_schema.tables where table_schema = 'insight' and table_name = $name"
    found = {row[0] for row in reading.result(Statement(sql, {"name": table})).rows}
    return {side: side in found for side in ("now", "before")}


def _rank(side: str) -> str:
    tiers = "when 'High-Value' then 3 when 'Mid-Value' then 2 when 'Low-Value' then 1"
    return f"case {side}.customer_value {tiers} else 0 end"
