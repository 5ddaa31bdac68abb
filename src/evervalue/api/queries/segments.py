"""What the tiers are made of: counts, money, scores and concentration."""

from __future__ import annotations

from typing import Literal

from evervalue.api.snapshots import Statement

Part = Literal["tiers", "concentration", "lorenz", "scores"]


def tiers() -> Statement:
    """One row a tier, High-Value first."""
    sql = """select customer_value, customers, customer_share, monetary, monetary_share, revenue, margin, orders,
  mean_length_days, mean_recency_days, mean_frequency, mean_monetary,
  mean_l_score, mean_r_score, mean_f_score, mean_m_score
from insight.tiers
order by case customer_value when 'High-Value' then 1 when 'Mid-Value' then 2 else 3 end"""
    return Statement(sql, {})


def concentration() -> Statement:
    """Who the most profitable customers are: tier by tier for the top 10, 20, 50, ..."""
    sql = """select top_n, customer_value, customers, monetary, monetary_share, share_of_top
from insight.concentration
order by top_n, case customer_value when 'High-Value' then 1 when 'Mid-Value' then 2 else 3 end"""
    return Statement(sql, {})


def lorenz() -> Statement:
    """The share of profit that the best p per cent of customers bring."""
    return Statement(
        "select percentile, customers, monetary_share\nfrom insight.lorenz\norder by percentile", {}
    )


def scores(pair: str | None = None) -> Statement:
    """How many customers have each pair of scores; `pair` is like 'R-F', None gives all pairs."""
    sql = "select x_dimension, x_score, y_dimension, y_score, customers, monetary\nfrom insight.score_grid"
    order = "\norder by x_dimension, y_dimension, x_score, y_score"
    if pair is None:
        return Statement(sql + order, {})
    x, _, y = pair.partition("-")
    return Statement(f"{sql}\nwhere x_dimension = $x and y_dimension = $y{order}", {"x": x, "y": y})


def score_pairs() -> Statement:
    """The pairs of scores that the grid knows."""
    sql = "select distinct x_dimension || '-' || y_dimension as pair\nfrom insight.score_grid\norder by 1"
    return Statement(sql, {})


PARTS = {"tiers": tiers, "concentration": concentration, "lorenz": lorenz, "scores": scores}
