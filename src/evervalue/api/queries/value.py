"""What customers are expected to be worth: all together, by tier, and one by one."""

from __future__ import annotations

from evervalue.api.snapshots import Statement

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
