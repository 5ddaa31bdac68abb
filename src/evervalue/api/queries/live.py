"""What the live layer asks of a snapshot: how it was computed, and what it knows of one customer."""

from __future__ import annotations

from collections.abc import Collection

from evervalue.api.snapshots import Statement


def event_sources() -> Statement:
    """Sources of events, whose keys they speak of, and up to where in the log the run has read."""
    sql = """select e.source, e.customer_keys, e.last_seq, e.takes_orders, list(s.source order by s.source) as outputs
from run.event_sources as e
join run.source_settings as s on s.system = e.source
group by e.source, e.customer_keys, e.last_seq, e.takes_orders
order by e.source"""
    return Statement(sql, {})


def settings() -> Statement:
    """The settings that figures and predictions hang on."""
    sql = """select allow_missing_cost, monetary_basis, currency, time_zone, same_orders, value_horizon_days,
  value_interval, value_discount_rate_annual, value_model
from run.settings"""
    return Statement(sql, {})


def bounds() -> Statement:
    """The boundary rows between scores."""
    sql = "select dimension, value, tie_name, tie_key from customers.lrfm_bounds order by dimension, j"
    return Statement(sql, {})


def thresholds() -> Statement:
    """The boundary rows between scores, each with the row after it."""
    sql = """select dimension, value, tie_name, tie_key, next_value, next_tie_name, next_tie_key
from customers.lrfm_bounds
order by dimension, j"""
    return Statement(sql, {})


def models() -> Statement:
    """Which models were fitted, and in which file each is."""
    return Statement("select role, is_fitted, file from models.fits left join run.fits using (role)", {})


def all_histories() -> Statement:
    """What the rules are made of that stand in for models."""
    sql = """select coalesce(sum(repeat_orders), 0)::double as repeats, coalesce(sum(age_days - 1), 0)::double as days,
  coalesce(sum(monetary::double * kept_share), 0) as monetary, coalesce(sum(repeat_orders + 1), 0)::double as purchases
from customers.purchase_history"""
    return Statement(sql, {})


def keys(customer_id: str) -> Statement:
    """The keys under which systems know a customer."""
    sql = "select namespace, customer_key from curated.customer_keys where customer_id = $customer_id"
    return Statement(sql, {"customer_id": customer_id})


def customer_of(namespace: str, key: str) -> Statement:
    """The customer that a key means."""
    sql = "select customer_id from curated.customer_keys where namespace = $namespace and customer_key = $key"
    return Statement(sql, {"namespace": namespace, "key": key})


def days(customer_ids: Collection[str]) -> Statement:
    """What each business day brought, of sales and of what takes back."""
    holders, parameters = _several("customer_id", customer_ids)
    sql = f"""select order_date, kind = 'sale' as is_sale, count(*) as orders, sum(revenue)::decimal(18,4) as revenue,
  sum(monetary)::decimal(18,4) as monetary
from curated.orders
where customer_id in ({holders})
group by order_date, kind = 'sale'"""
    return Statement(sql, parameters)


def order_lines(customer_ids: Collection[str], numbers: Collection[str]) -> Statement:
    """What is known of the customer's orders of these numbers, by source, kind, way and currency."""
    holders, parameters = _several("customer_id", customer_ids)
    wanted, more = _several("number", numbers)
    sql = f"""select source, coalesce(reverses_order_id, order_id) as order_id, kind,
  reverses_order_id is not null as takes_back, source_currency as currency, sum(source_amount)::decimal(18,4) as amount
from curated.order_lines
where customer_id in ({holders}) and coalesce(reverses_order_id, order_id) in ({wanted})
group by all"""
    return Statement(sql, {**parameters, **more})


def owner_of(output: str, number: str) -> Statement:
    """Whose the order of a number is, as an output tells its orders."""
    sql = "select customer_id from curated.orders where order_key = $order_key limit 1"
    return Statement(sql, {"order_key": f"{output}/{number}"})


def bought(customer_id: str, outputs: Collection[str]) -> Statement:
    """A row where the customer has an order that one of these outputs told."""
    holders, parameters = _several("output", outputs)
    sql = f"""select 1 as found from curated.order_lines
where customer_id = $customer_id and kind = 'sale' and source in ({holders}) limit 1"""
    return Statement(sql, {**parameters, "customer_id": customer_id})


def rate(currency: str, day: str) -> Statement:
    """Value of one unit of a currency on a day."""
    sql = """select rate from curated.rates
where from_currency = $currency and $day::date >= rate_date and $day::date < valid_until"""
    return Statement(sql, {"currency": currency, "day": day})


def cost(product: str, day: str) -> Statement:
    """Cost of a unit of a product on a day."""
    sql = """select unit_cost from curated.costs
where product_id = $product and $day::date >= valid_from and (valid_until is null or $day::date < valid_until)"""
    return Statement(sql, {"product": product, "day": day})


def _several(name: str, values: Collection[str]) -> tuple[str, dict[str, str]]:
    parameters = {f"{name}_{n}": value for n, value in enumerate(values)}
    return ", ".join(f"${one}" for one in parameters), parameters
