"""The list of customers: who they are, what they are worth, and how they score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from evervalue.api.queries import cohorts, revenue
from evervalue.api.queries.base import Condition, ListQuery, SortKey, chosen, joined, search, within

TABLE = "insight.customer_list"
COLUMNS = (
    "customer",
    "customer_id",
    "customer_value",
    "is_gem",
    "profit_rank",
    "length_days",
    "recency_days",
    "frequency",
    "monetary",
    "revenue",
    "margin",
    "expected_clv",
    "clv_low",
    "clv_high",
    "p_alive",
    "expected_orders",
    "orders_low",
    "orders_high",
    "expected_order_value",
    "l_score",
    "r_score",
    "f_score",
    "m_score",
    "lrfm_score",
    "region",
    "first_order_date",
    "last_order_date",
    "attributes",
)
SORTS = {
    "customer": SortKey("lower(customer)", "varchar", nullable=False),
    "monetary": SortKey("list_position", "bigint", flipped=True, stored=True),
    "revenue": SortKey("revenue", "decimal(38,4)"),
    "margin": SortKey("margin", "decimal(38,4)"),
    "expected_clv": SortKey("expected_clv", "decimal(38,4)"),
    "p_alive": SortKey("p_alive", "double"),
    "expected_orders": SortKey("expected_orders", "double"),
    "lrfm_score": SortKey("lrfm_score", "integer"),
    "l_score": SortKey("l_score", "integer"),
    "r_score": SortKey("r_score", "integer"),
    "f_score": SortKey("f_score", "integer"),
    "m_score": SortKey("m_score", "integer"),
    "length_days": SortKey("length_days", "integer"),
    "recency_days": SortKey("recency_days", "integer"),
    "frequency": SortKey("frequency", "bigint"),
    "region": SortKey("region", "varchar"),
    "first_order_date": SortKey("first_order_date", "date"),
    "last_order_date": SortKey("last_order_date", "date"),
}
DEFAULT_SORT = "-monetary"

Tier = Literal["high", "mid", "low", "unscored"]
TIER_NAMES: dict[str, str] = {"high": "High-Value", "mid": "Mid-Value", "low": "Low-Value"}


def _given(values: Any) -> Any:
    """The values without the empty ones, which a plain HTML form sends for 'all'; one alone is one of them."""
    if isinstance(values, str | int) and not isinstance(values, bool):
        values = (values,)
    return tuple(v for v in values if v != "") if isinstance(values, list | tuple) else values


def _false_if_empty(value: Any) -> Any:
    return False if value == "" else value


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Tiers = Annotated[tuple[Tier, ...], BeforeValidator(_given), Field(max_length=4)]
Words = Annotated[tuple[Text, ...], BeforeValidator(_given), Field(max_length=50)]
Switch = Annotated[bool, BeforeValidator(_false_if_empty)]
Chance = Annotated[Annotated[float, Field(ge=0, le=1)] | None, BeforeValidator(_none_if_empty)]
Money = Annotated[
    Annotated[Decimal, Field(max_digits=18, decimal_places=4)] | None, BeforeValidator(_none_if_empty)
]


Scores = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10)], ...], BeforeValidator(_given), Field(max_length=10)
]
SCORES = {"l_score": "length", "r_score": "recency", "f_score": "frequency", "m_score": "monetary value"}


@dataclass(frozen=True)
class Said:
    """One filter in words, behind 'customers', with the parameters that make it."""

    names: tuple[str, ...]
    words: str


class CustomerFilters(cohorts.CohortFilter, revenue.BehindFilter):
    """Which customers are asked for. Empty values mean 'all', so that a plain HTML form can send them."""

    q: Text = ""
    """Part of a name or of a key, in any case."""

    tier: Tiers = ()
    region: Words = ()
    gems: Switch = False
    """True: hidden gems only."""

    p_alive_from: Chance = None
    p_alive_to: Chance = None
    """Probability of being still active: from here, and below there."""

    clv_from: Money = None
    clv_to: Money = None
    """Expected value within the horizon: from here, and below there."""

    l_score: Scores = ()
    r_score: Scores = ()
    f_score: Scores = ()
    m_score: Scores = ()
    """Scores: any of these."""

    def conditions(self) -> tuple[Condition, ...]:
        """The filters that are set, in SQL."""
        found: list[Condition] = []
        if self.tier:
            found.append(_tier(self.tier))
        if self.gems:
            found.append(Condition("is_gem", {}))
        if self.region:
            found.append(chosen("region", "region", self.region))
        if self.q:
            found.append(search(self.q, "customer", "customer_id"))
        if self.cohort:
            found.append(cohorts.condition(cohorts.cohort_of(self.cohort), self.age))
        if self.by:
            found.append(revenue.condition(self.by, self.value))
        found += within("p_alive", "p_alive", self.p_alive_from, self.p_alive_to)
        found += within("expected_clv", "clv", self.clv_from, self.clv_to)
        found += [chosen(name, name, scores) for name in SCORES if (scores := getattr(self, name))]
        return tuple(found)

    def value_pairs(self) -> tuple[tuple[str, str], ...]:
        """The filters that other pages lead here with and that are set, as an address and a form carry them."""
        pairs = []
        for one in self.led():
            for name in one.names:
                value = getattr(self, name)
                values = value if isinstance(value, tuple) else (value,)
                pairs += [(name, f"{each}") for each in values if each not in (None, "")]
        return tuple(pairs)

    def led(self) -> list[Said]:
        """The filters that other pages lead here with and that are set, each in words."""
        found = []
        if self.cohort:
            found.append(Said(("cohort", "age"), cohorts.says(cohorts.cohort_of(self.cohort), self.age)))
        if self.by:
            found.append(Said(("by", "value"), revenue.says(self.by, self.value)))
        if chance := _between(self.p_alive_from, self.p_alive_to, lambda share: f"{100 * share:g} %"):
            found.append(Said(("p_alive_from", "p_alive_to"), f"still active with a chance {chance}"))
        if money := _between(self.clv_from, self.clv_to, lambda amount: f"{amount:,f}"):
            found.append(Said(("clv_from", "clv_to"), f"expected to bring {money}"))
        for name, dimension in SCORES.items():
            if scores := getattr(self, name):
                found.append(Said((name,), f"with {dimension} score {joined([str(s) for s in scores])}"))
        return found

    def query(self) -> ListQuery:
        """The list that these filters leave."""
        return ListQuery(TABLE, "customer_id", COLUMNS, SORTS, self.conditions())

    def says(self, total: int, shown: str | None = None) -> str:
        """The filters in words: '43 Mid-Value customers in EMEA'."""
        number = shown or f"{total:,}"
        tiers = [TIER_NAMES.get(t, "unscored") for t in self.tier]
        noun = "hidden gem" if self.gems else "customer"
        words = [number, *([joined(tiers)] if tiers else []), noun if total == 1 else noun + "s"]
        if self.region:
            words.append(f"in {joined(list(self.region))}")
        if self.q:
            words.append(f"matching “{self.q}”")
        if led := self.led():
            words.append(", ".join(one.words for one in led))
        return " ".join(words)


def _between(low: Any, high: Any, written: Callable[[Any], str]) -> str:
    """'from 500 to under 1,000'; empty where neither end is set."""
    ends = [
        f"from {written(low)}" if low is not None else "",
        f"{'to ' if low is not None else ''}under {written(high)}" if high is not None else "",
    ]
    return " ".join(end for end in ends if end)


def _tier(tiers: tuple[str, ...]) -> Condition:
    names = tuple(TIER_NAMES[t] for t in tiers if t in TIER_NAMES)
    unscored = "customer_value is null" if "unscored" in tiers else ""
    inside = chosen("customer_value", "tier", names) if names else None
    sql = " or ".join(part for part in (inside.sql if inside else "", unscored) if part)
    return Condition(f"({sql})", inside.parameters if inside else {})
