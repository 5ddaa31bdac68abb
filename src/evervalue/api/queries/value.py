"""What customers are expected to be worth: all together, by tier, by band, and one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evervalue.api.queries.base import Condition, ListQuery, chosen, joined
from evervalue.api.queries.customers import SORTS as CUSTOMER_SORTS
from evervalue.api.queries.customers import TABLE, TIER_NAMES, Tiers, Words
from evervalue.api.snapshots import Statement

Part = Literal["headline", "tiers", "distribution", "alive", "top", "falling", "forecast"]
TOP = 12
PREDICTED = (
    "customer",
    "customer_id",
    "customer_value",
    "is_gem",
    "region",
    "monetary",
    "p_alive",
    "expected_orders",
    "orders_low",
    "orders_high",
    "expected_order_value",
    "expected_clv",
    "clv_low",
    "clv_high",
)
SORTS = {
    name: CUSTOMER_SORTS[name]
    for name in ("expected_clv", "p_alive", "expected_orders", "monetary", "customer")
}
DEFAULT_SORT = "-expected_clv"

COLUMNS = (
    "customer_id",
    "p_alive",
    "expected_orders",
    "orders_low",
    "orders_high",
    "expected_order_value",
    "expected_clv",
    "clv_low",
    "clv_high",
    "interval",
    "horizon_days",
    "discount_rate_annual",
    "model",
    "model_says",
    "currency",
)

ASKED = ("interval", "horizon_days", "discount_rate_annual", "model", "model_says")
"""What was asked for and what answered: the same for all customers who are predicted."""


def headline() -> Statement:
    """One row: the expected value of all customers with its interval, and what predicted it."""
    sql = """select customers, expected_alive, expected_orders, orders_low, orders_high, expected_clv,
  clv_low, clv_high, top10_share, gems_clv, horizon_days, interval, discount_rate_annual, model, spend_model,
  is_fitted, model_says,
  findings, (select nullif(string_agg(drift_says, ' ' order by role), '') from run.fits) as drift_says
from insight.value_headline"""
    return Statement(sql, {})


def by_tier() -> Statement:
    """One row a tier: what it is expected to bring."""
    sql = """select customer_value, customers, expected_alive, expected_orders, expected_clv, expected_clv_share,
  mean_expected_clv, monetary
from insight.value_by_tier
order by customer_value"""
    return Statement(sql, {})


def asked() -> Statement:
    """One row: horizon, interval and discount of the run's predictions, the models, and why these."""
    sql = f"select {', '.join(ASKED)}\nfrom models.clv\norder by interval is null\nlimit 1"
    return Statement(sql, {})


def of_customer(customer_id: str) -> Statement:
    """The prediction for one customer, with its interval and the model behind it."""
    sql = f"select {', '.join(COLUMNS)}\nfrom models.clv\nwhere customer_id = $customer_id"
    return Statement(sql, {"customer_id": customer_id})


def place(customer_id: str) -> Statement:
    """How many customers have a prediction, and how many are expected to bring more than this one."""
    sql = """with me as (
  select expected_clv from models.clv where customer_id = $customer_id
)
select count(*) as customers, count(*) filter (v.expected_clv > me.expected_clv) as worth_more
from models.clv as v, me
where v.expected_clv is not null"""
    return Statement(sql, {"customer_id": customer_id})


class ValueFilters(BaseModel):
    """Of whom the value is asked for. Empty values mean 'all', so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Tiers = ()
    region: Words = ()

    def conditions(self, alias: str) -> tuple[Condition, ...]:
        """The filters that are set, on a table that has tier and region of the customers in it."""
        found = []
        if self.tier:
            names = tuple(TIER_NAMES.get(t, "none") for t in self.tier)
            found.append(chosen(f"{alias}.customer_value", "tier", names))
        if self.region:
            found.append(chosen(f"{alias}.region", "region", self.region))
        return tuple(found)

    def says(self) -> str:
        """Who is left, in words: 'Mid-Value customers in EMEA'; empty where nobody is left out."""
        if not self.tier and not self.region:
            return ""
        tiers = [TIER_NAMES.get(t, "unscored") for t in self.tier]
        where = f" in {joined(list(self.region))}" if self.region else ""
        return f"{joined(tiers) + ' ' if tiers else ''}customers{where}"

    def pairs(self) -> tuple[tuple[str, object], ...]:
        """The filters as an address carries them."""
        return (*(("tier", t) for t in self.tier), *(("region", r) for r in self.region))


EVERYBODY = ValueFilters()


def distribution(filters: ValueFilters = EVERYBODY) -> Statement:
    """One row a band of expected value, the lowest first: how many customers, and their expected value; zeros too."""
    joins, parameters = _also(filters, "d", "\n  and ")
    sql = f"""select b.band, b.band_from, b.band_to, b.scale,
  cast(coalesce(sum(d.customers), 0) as bigint) as customers,
  cast(coalesce(sum(d.expected_clv), 0) as decimal(18,4)) as expected_clv
from insight.value_breaks as b
left join insight.value_distribution as d on d.band = b.band{joins}
group by b.band, b.band_from, b.band_to, b.scale
order by b.band"""
    return Statement(sql, parameters)


def at_stake(filters: ValueFilters = EVERYBODY) -> Statement:
    """One row a band of the chance of being active, the least likely first: who they are, past and expected money."""
    where, parameters = _also(filters, "s", "\nwhere ")
    sql = f"""select s.alive_band, s.alive_from, s.alive_to, cast(sum(s.customers) as bigint) as customers,
  cast(sum(cast(s.expected_alive as decimal(28,12))) as double) as expected_alive,
  cast(sum(s.past_monetary) as decimal(18,4)) as past_monetary,
  cast(sum(s.expected_clv) as decimal(18,4)) as expected_clv, cast(sum(s.falling) as bigint) as falling
from insight.value_at_stake as s{where}
group by s.alive_band, s.alive_from, s.alive_to
order by s.alive_band nulls last"""
    return Statement(sql, parameters)


def top(filters: ValueFilters = EVERYBODY, limit: int = TOP) -> Statement:
    """The customers who are expected to bring most, each with the interval of what may really come."""
    where, parameters = _also(filters, "c", "\n  and ")
    sql = f"""select c.customer, c.customer_id, c.customer_value, c.is_gem, c.p_alive, c.expected_orders,
  c.expected_clv, c.clv_low, c.clv_high, c.monetary
from insight.customer_list as c
where c.expected_clv is not null{where}
order by c.expected_clv desc, c.customer_id
limit {limit}"""
    return Statement(sql, parameters)


def falling(filters: ValueFilters = EVERYBODY, limit: int | None = None) -> Statement:
    """Customers who brought much and are expected to bring less than half of it, the largest fall first."""
    where, parameters = _also(filters, "c", "\n  and ")
    most = "" if limit is None else f"\nlimit {limit}"
    sql = f"""select c.customer, c.customer_id, c.customer_value, c.is_gem, c.region, c.recency_days, c.p_alive,
  o.span_days, o.past_monetary, o.expected_clv, o.change_monetary
from insight.value_outlook as o
join insight.customer_list as c on c.customer_id = o.customer_id
where o.is_falling{where}
order by o.change_monetary, c.customer_id{most}"""
    return Statement(sql, parameters)


def forecast() -> Statement:
    """One row a target and day in the past: what would have been expected beside what came; all days together last."""
    sql = """select target, origin, until, model, model_name, customers, expected_share, is_within_tenth
from insight.value_forecast
order by target desc, origin nulls last"""
    return Statement(sql, {})


def predictions(conditions: tuple[Condition, ...]) -> ListQuery:
    """The list of predictions: who is expected to bring what."""
    return ListQuery(
        TABLE, "customer_id", PREDICTED, SORTS, (*conditions, Condition("expected_clv is not null", {}))
    )


def _also(filters: ValueFilters, alias: str, lead: str) -> tuple[str, dict[str, Any]]:
    """The filters as SQL that begins with `lead`, or nothing; and their values."""
    conditions = filters.conditions(alias)
    sql = lead + "\n  and ".join(c.sql for c in conditions) if conditions else ""
    return sql, {name: value for c in conditions for name, value in c.parameters.items()}


PARTS: dict[str, Callable[[ValueFilters], Statement]] = {
    "headline": lambda _: headline(),
    "tiers": lambda _: by_tier(),
    "distribution": distribution,
    "alive": at_stake,
    "top": top,
    "falling": falling,
    "forecast": lambda _: forecast(),
}
NEEDS = {
    "headline": "insight.value_headline",
    "tiers": "insight.value_by_tier",
    "distribution": "insight.value_distribution",
    "alive": "insight.value_at_stake",
    "top": "insight.customer_list",
    "falling": "insight.value_outlook",
    "forecast": "insight.value_forecast",
}
"""The table that each part reads; a run of an earlier version may lack it."""
