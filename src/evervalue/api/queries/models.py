"""Whether predictions can be trusted: what was fitted, how it would have done in the past, and how sure it is."""

from __future__ import annotations

from typing import Literal

from evervalue.api.snapshots import Statement

Part = Literal["fits", "backtest", "calibration", "coverage", "parameters"]
Target = Literal["orders", "value"]
CHOSEN = "(select model_key from models.fits where role = 'orders')"
HEADLINE = ("bias", "mae", "rmse", "spearman", "normalised_gini", "top_decile_capture", "decile_mape", "crps")
"""Measures that tell forecasts apart, as the page shows them; coverage is a question of its own."""


def fits() -> Statement:
    """One row a model of this run: what it tells, why this one, how sure it is, and how far it moved."""
    sql = """select f.role, f.model, f.model_key, f.is_fitted, f.model_says, f.parameters, f.time_unit,
  f.log_likelihood, f.customers, f.distinct_histories, f.posterior_method, f.posterior_says, f.k_hat, f.findings,
  f.data_sha256, r.is_reused, r.drift, r.drift_says, r.file
from models.fits as f
left join run.fits as r on r.role = f.role
order by f.role"""
    return Statement(sql, {})


def backtest() -> Statement:
    """One row a target, origin, model and measure; a measure that has no finite value is null."""
    finite = ", ".join(
        f"case when isfinite({c}) then {c} end as {c}"
        for c in ("value", "difference", "difference_low", "difference_high")
    )
    sql = f"""select target, origin, customers, model, model_name, naive, model = {CHOSEN} as is_chosen, measure, n,
  best_naive, verdict, {finite}
from models.backtest
order by target, origin nulls first, customers, naive, model, measure"""
    return Statement(sql, {})


def compared(target: str, measure: str) -> Statement:
    """One row a model or rule by one measure, all origins together, customers known at the first."""
    sql = f"""select model, model_name, naive, coalesce(model = {CHOSEN}, false) as is_chosen, n, best_naive, verdict,
  case when isfinite(value) then value end as value
from models.backtest
where origin is null and customers = 'known' and target = $target and measure = $measure
order by naive, model"""
    return Statement(sql, {"target": target, "measure": measure})


def measured(target: str) -> Statement:
    """One row a model or rule and measure, all origins together, customers known at the first."""
    sql = f"""select model, model_name, naive, coalesce(model = {CHOSEN}, false) as is_chosen, n, measure, best_naive,
  verdict, case when isfinite(value) then value end as value
from models.backtest
where origin is null and customers = 'known' and target = $target
order by naive, model, measure"""
    return Statement(sql, {"target": target})


def tested() -> Statement:
    """One row: the days in the past that were forecast from, and how many days ahead; nulls where there was none."""
    sql = """select count(distinct b.origin) as origins, min(b.origin) as first_origin, max(b.origin) as last_origin,
  date_diff('day', max(b.origin), (select as_of from customers.cutoff)) as window_days
from models.backtest as b"""
    return Statement(sql, {})


def calibration(target: str | None = None) -> Statement:
    """One row a tenth of the customers, the lowest forecasts first: the mean forecast and the mean of what came.

    With a target it is the model of the run alone, else every model and rule.
    """
    of = "" if target is None else f"\nwhere target = $target and model = {CHOSEN}"
    sql = f"""select target, model, coalesce(model = {CHOSEN}, false) as is_chosen, decile, customers, predicted,
  actual, coverage, interval_mass, mean_width
from models.backtest_deciles{of}
order by target, model, decile"""
    return Statement(sql, {} if target is None else {"target": target})


def coverage() -> Statement:
    """One row a target, model and origin: how often what came lay inside the interval, beside its mass."""
    sql = f"""select target, origin, customers, model, model_name, naive,
  coalesce(model = {CHOSEN}, false) as is_chosen, max(n) as n,
  max(value) filter (where measure = 'coverage') as coverage,
  max(value) filter (where measure = 'interval_mass') as interval_mass,
  max(value) filter (where measure = 'mean_width') as mean_width
from models.backtest
where measure in ('coverage', 'interval_mass', 'mean_width')
group by target, origin, customers, model, model_name, naive
order by target, origin nulls first, customers, naive, model"""
    return Statement(sql, {})


def parameters() -> Statement:
    """One row a parameter of a fitted model, with its standard error and 95 % interval."""
    sql = """select role, parameter, position, estimate, standard_error, low, high
from models.parameters
order by role, position"""
    return Statement(sql, {})


def settings() -> Statement:
    """One row: what was asked of the predictions of this run."""
    sql = """select value_horizon_days, value_interval, value_discount_rate_annual, value_model, value_spend,
  value_recalibrate, monetary_basis, currency
from run.settings"""
    return Statement(sql, {})


def contracts() -> Statement:
    """One row: how many customers have a contract, for whom other models are made."""
    return Statement("select count(distinct customer_id) as customers from curated.subscriptions", {})


def total() -> Statement:
    """One row: how the interval of all customers together came about."""
    return Statement("select customers, expected_clv, clv_low, clv_high, total_says from models.total", {})


PARTS = {
    "fits": fits,
    "backtest": backtest,
    "calibration": calibration,
    "coverage": coverage,
    "parameters": parameters,
}
