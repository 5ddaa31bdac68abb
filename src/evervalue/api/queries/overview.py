"""The whole customer base in one row, and its money by month."""

from __future__ import annotations

from evervalue.api.snapshots import Statement


def headline() -> Statement:
    """One row: customers, tiers, gems and money. No filter touches it."""
    sql = """select customers, scored_customers, high_value, mid_value, low_value, top10_mid, top20_mid,
  gems, gems_monetary, monetary, revenue, margin, orders, first_order_date, last_order_date, tie_dependent
from insight.headline"""
    return Statement(sql, {})


def revenue() -> Statement:
    """One row a month, months without an order included."""
    sql = "select month, revenue, margin, orders, customers\nfrom insight.revenue_by_month\norder by month"
    return Statement(sql, {})


def regions() -> Statement:
    """The regions that customers have, for the filter's choices."""
    sql = """select region, count(*) as customers
from insight.customer_list
where region is not null and region <> ''
group by region
order by customers desc, region
limit 200"""
    return Statement(sql, {})
