"""Whom to contact for a budget: customers for whom a contact is expected to bring more than it costs, the best first.

Every contact costs the same, so the best choice is the plain one: sort by what a contact is expected to bring, stop
where it no longer pays or where the budget ends (docs/methods/targeting.md). Equal values are told apart by key. No
customer is sorted: the engine groups by value, of which there are fewer, and only the last value is parted by keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from evervalue.api.queries.base import Condition, ListQuery
from evervalue.api.queries.customers import COLUMNS, SORTS, TABLE, CustomerFilters
from evervalue.api.snapshots import Reading, Row, Statement

MOST = Decimal(10) ** 12
EVERYBODY = 2**53
POINTS = 80
"""About as many points of the curve are drawn."""
Effect = Literal["value", "order"]
Channel = Literal["email", "sms", "phone", "letter", "catalogue", "visit"]
"""Those of `actions/factors.toml`."""
Part = Literal["summary", "curve", "customers", "factors"]
BASE: dict[str, str] = {"value": "expected_clv", "order": "expected_order_value"}
"""What a contact may add to: the value within the horizon, or one more order."""
CHOSEN_SORT = "-expected_clv"
"""The order of those chosen, unless another is asked for."""
USUAL_RATE = Decimal("2")
MONEY = "decimal(18,4)"
FACTOR = "decimal(19,12)"
"""Wider than it need be: of two decimals of at most 18 digits the engine multiplies no product that has more."""
SUM = "decimal(22,4)"
"""Sums of money times a factor have 35 digits: exact within what a decimal holds."""


def _none_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Money = Annotated[
    Annotated[Decimal, Field(ge=0, le=MOST, max_digits=17, decimal_places=4, allow_inf_nan=False)] | None,
    BeforeValidator(_none_if_empty),
]
Percent = Annotated[
    Annotated[Decimal, Field(ge=0, le=100, max_digits=6, decimal_places=3, allow_inf_nan=False)] | None,
    BeforeValidator(_none_if_empty),
]


class TargetingTerms(CustomerFilters):
    """What a contact costs and is expected to do, and among whom to choose.

    Empty values mean the default, so that a plain HTML form can send them. Percentages are numbers from 0 to 100.
    """

    budget: Money = None
    """What may be spent in all; without one, everybody for whom a contact pays."""

    contact_cost: Money = None
    """What one contact costs; without one, a round number at which about half of the customers are worth a contact."""

    effect: Effect | Literal[""] = ""
    """value (the default): a contact raises the value expected within the horizon by `uplift` percent.
    order: `uplift` percent of those who are contacted place one order more than without it."""

    uplift: Percent = None
    """In percent; without one, 2, an example."""

    uplift_low: Percent = None
    """What it may be at the least; without one, half of `uplift`."""

    uplift_high: Percent = None
    """What it may be at the most; without one, twice `uplift`."""

    margin: Percent = None
    """What is left of the value after the cost of what is sold, in percent; without one, 100: all of it."""

    channel: Channel | Literal[""] = ""
    """How they are contacted, which says what a contact emits; letter without one."""

    @model_validator(mode="after")
    def _rises(self) -> TargetingTerms:
        low, central, high = self.rates()
        if not low <= central <= high:
            raise PydanticCustomError(
                "uplift_range",
                "the uplift must lie between its least and its most (uplift_low <= uplift <= uplift_high)",
            )
        return self

    def rates(self) -> tuple[Decimal, Decimal, Decimal]:
        """The uplift, low, central and high, in percent."""
        central = USUAL_RATE if self.uplift is None else self.uplift
        low = central / 2 if self.uplift_low is None else self.uplift_low
        high = min(2 * central, Decimal(100)) if self.uplift_high is None else self.uplift_high
        return low, central, high

    def filters(self) -> CustomerFilters:
        """The filters alone: among whom to choose."""
        given = {name: getattr(self, name) for name in CustomerFilters.model_fields}
        return CustomerFilters.model_construct(**given)

    def says_filters(self, total: int, shown: str) -> str:
        """Among whom is chosen, in words."""
        return CustomerFilters.says(self.filters(), total, shown)

    @property
    def base(self) -> str:
        """The column to which a contact adds."""
        return BASE[self.effect or "value"]


@dataclass(frozen=True)
class Terms:
    """The terms in force: what was asked for, and the defaults for what was not."""

    asked: TargetingTerms
    contact_cost: Decimal
    cost_is_example: bool
    factors: tuple[Decimal, Decimal, Decimal]
    """What a contact adds for each unit of the base, low, central and high: uplift times margin."""

    @property
    def break_even_base(self) -> Decimal | None:
        """The value of a customer from which a contact pays; None where no value is enough."""
        factor = self.factors[1]
        return (self.contact_cost / factor).quantize(Decimal("0.0001"), ROUND_HALF_UP) if factor else None

    @property
    def affordable(self) -> int:
        """How many contacts the budget pays."""
        budget = self.asked.budget
        if budget is None or self.contact_cost == 0:
            return EVERYBODY
        return min(int(budget // self.contact_cost), EVERYBODY)

    def parameters(self) -> dict[str, Any]:
        """The terms, and the filters among whom to choose, as statements take them."""
        low, central, high = self.factors
        return {
            **{name: value for c in self.asked.conditions() for name, value in c.parameters.items()},
            "cost": self.contact_cost,
            "factor_low": low,
            "factor": central,
            "factor_high": high,
        }

    def table(self) -> str:
        """What every statement begins with: the terms in their types, and the values, the highest first.

        Each value stands with how many customers have it (`n`), how many have more (`before`) and what those come to.
        """
        base = self.asked.base
        return f"""with terms as (
  select $cost::{MONEY} as cost, $factor::{FACTOR} as factor, $factor_low::{FACTOR} as factor_low,
    $factor_high::{FACTOR} as factor_high
),
grouped as (
  select {base} as base, count(*) as n
  from {TABLE}{self.where(f"{base} is not null")}
  group by 1
),
levels as (
  select base, n,
    (sum(n) over upwards - n)::bigint as before,
    (sum(n * base) over upwards - n * base)::{SUM} as base_before,
    base * factor > cost as pays
  from grouped, terms
  window upwards as (order by base desc rows unbounded preceding)
)"""

    def where(self, *more: str) -> str:
        """Among whom to choose, as SQL."""
        parts = [*(c.sql for c in self.asked.conditions()), *more]
        return "\n  where " + "\n    and ".join(parts) if parts else ""


def terms_of(reading: Reading, asked: TargetingTerms) -> Terms:
    """The terms in force for a run."""
    margin = Decimal(100) if asked.margin is None else asked.margin
    low, central, high = (rate * margin / 10_000 for rate in asked.rates())
    cost = asked.contact_cost
    if cost is None:
        found = reading.row(_median(asked))
        cost = round_number(found["median"] if found else None, central)
    return Terms(asked, cost, asked.contact_cost is None, (low, central, high))


def round_number(median: Decimal | None, factor: Decimal) -> Decimal:
    """1, 2 or 5 times a power of ten, at most what a contact adds for the customer in the middle; at least 0.01.

    >>> round_number(Decimal("692.41"), Decimal("0.02")), round_number(None, Decimal("0.02"))
    (Decimal('10'), Decimal('1'))
    """
    if median is None or median <= 0 or factor <= 0:
        return Decimal(1)
    gain = median * factor
    power = Decimal(1).scaleb(gain.adjusted())
    found = max(step * power for step in (1, 2, 5) if step * power <= gain)
    return max(Decimal(f"{found:f}"), Decimal("0.01"))


def summary(terms: Terms) -> Statement:
    """One row: who pays, who is chosen and who is left out, what is expected of them, and what they cost.

    All sums are of expected values and exact; a part of the customers has no interval (docs/methods/targeting.md).
    """
    sql = f"""{terms.table()},
counted as (
  select
    coalesce(sum(n), 0)::bigint as predicted,
    coalesce(sum(n) filter (pays), 0)::bigint as paying,
    coalesce(sum(n * base), 0)::{SUM} as all_base,
    coalesce(sum(n * base) filter (pays), 0)::{SUM} as paying_base
  from levels
),
reach as (
  select *, least(paying, $affordable::bigint) as contacts from counted
),
last_one as (
  select l.base, (l.base_before + (r.contacts - l.before) * l.base)::{SUM} as sum_base
  from levels as l, reach as r
  where l.before < r.contacts and r.contacts <= l.before + l.n
),
taken as (
  select r.*, o.base as last_base, coalesce(o.sum_base, 0)::{SUM} as base
  from reach as r
  left join last_one as o on true
),
everybody as (
  select count(*) as customers from {TABLE}{terms.where()}
)
select
  e.customers, t.predicted, e.customers - t.predicted as not_predicted, t.paying, t.contacts,
  t.paying - t.contacts as beyond_budget, t.predicted - t.paying as not_worth, t.predicted - t.contacts as avoided,
  s.cost as contact_cost,
  (t.contacts * s.cost)::{MONEY} as spent,
  t.base::{MONEY} as base,
  (t.base * s.factor)::{MONEY} as expected_gain,
  (t.base * s.factor_low)::{MONEY} as gain_low,
  (t.base * s.factor_high)::{MONEY} as gain_high,
  (t.base * s.factor - t.contacts * s.cost)::{MONEY} as expected_net,
  (t.base * s.factor_low - t.contacts * s.cost)::{MONEY} as net_low,
  (t.base * s.factor_high - t.contacts * s.cost)::{MONEY} as net_high,
  (t.paying * s.cost)::{MONEY} as best_spent,
  (t.paying_base * s.factor - t.paying * s.cost)::{MONEY} as best_net,
  ((t.paying_base - t.base)::{SUM} * s.factor - t.beyond * s.cost)::{MONEY} as foregone,
  (t.predicted * s.cost)::{MONEY} as everybody_spent,
  (t.all_base * s.factor - t.predicted * s.cost)::{MONEY} as everybody_net,
  t.last_base,
  $break_even_base::{MONEY} as break_even_base,
  case when t.base * s.factor > 0
    then (t.contacts * s.cost)::double / (t.base * s.factor)::double * $uplift::double end as break_even_uplift
from (select *, paying - contacts as beyond from taken) as t, terms as s, everybody as e"""
    parameters = {
        **terms.parameters(),
        "affordable": terms.affordable,
        "break_even_base": terms.break_even_base,
        "uplift": terms.asked.rates()[1],
    }
    return Statement(sql, parameters)


def curve(terms: Terms, contacts: int, predicted: int) -> Statement:
    """Expected gain, cost and what is left of it for numbers of contacts from none to all, the chosen among them."""
    sql = f"""{terms.table()},
points as (
  select unnest(list_distinct(list_concat(range(0, $predicted::bigint, $step::bigint), [$predicted, $contacts])))
    as contacts
),
held as (
  select l.* from levels as l
  where l.before // $step <> (l.before + l.n) // $step
    or l.before < $contacts and $contacts <= l.before + l.n
    or l.before + l.n = $predicted
),
summed as (
  select p.contacts, coalesce(l.base_before + (p.contacts - l.before) * l.base, 0)::{SUM} as base
  from points as p
  left join held as l on l.before < p.contacts and p.contacts <= l.before + l.n
)
select
  p.contacts,
  (p.base * s.factor)::{MONEY} as expected_gain,
  (p.contacts * s.cost)::{MONEY} as spent,
  (p.base * s.factor - p.contacts * s.cost)::{MONEY} as expected_net,
  (p.base * s.factor_low - p.contacts * s.cost)::{MONEY} as net_low,
  (p.base * s.factor_high - p.contacts * s.cost)::{MONEY} as net_high,
  p.contacts = $contacts as is_chosen
from summed as p, terms as s
order by p.contacts"""
    more = {"predicted": predicted, "contacts": contacts, "step": max(predicted // POINTS, 1)}
    return Statement(sql, {**terms.parameters(), **more})


def chosen_customers(reading: Reading, terms: Terms, found: Row) -> ListQuery:
    """Those who are to be contacted, as a list of customers, sorted and paged as the others are.

    `found` is the row of the summary.
    """
    base, contacts, last = terms.asked.base, int(found["contacts"]), found["last_base"]
    conditions = [*terms.asked.conditions(), Condition(f"{base} is not null", {})]
    if contacts == 0:
        return ListQuery(TABLE, "customer_id", COLUMNS, SORTS, (*conditions, Condition("false", {})))
    key = reading.row(_last_key(terms, contacts, last))
    until = Condition(
        f"({base} > $last_base or ({base} = $last_base and customer_id <= $last_key))",
        {"last_base": last, "last_key": key["customer_id"] if key else ""},
    )
    return ListQuery(TABLE, "customer_id", COLUMNS, SORTS, (*conditions, until))


def _last_key(terms: Terms, contacts: int, last: Decimal) -> Statement:
    """The key of the last customer to be contacted: of those with the last value, the one who makes the number full."""
    base = terms.asked.base
    sql = f"""select customer_id
from {TABLE}{terms.where(f"{base} = $last_base")}
order by customer_id
limit 1 offset greatest($contacts - 1 - (select count(*) from {TABLE}{terms.where(f"{base} > $last_base")}), 0)"""
    filters = {name: value for c in terms.asked.conditions() for name, value in c.parameters.items()}
    return Statement(sql, {**filters, "last_base": last, "contacts": contacts})


def _median(asked: TargetingTerms) -> Statement:
    conditions = asked.conditions()
    where = "\nwhere " + "\n  and ".join(c.sql for c in conditions) if conditions else ""
    sql = f"select median({asked.base})::{MONEY} as median\nfrom {TABLE}{where}"
    return Statement(sql, {name: value for c in conditions for name, value in c.parameters.items()})
