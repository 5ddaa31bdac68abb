"""What would become of one customer with further orders, or after a longer silence, everyone else as they are.

Scores are those of `insight.what_if`: whoever moves alone must pass, at each boundary, the row that the others leave at
its rank. Value is that of `models.step_values` while nothing is learnt of spend, else the models' own of the history
that the customer would then have.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from evervalue.core.money import divided
from evervalue.live.figures import Day, Figures, Purchases, figures, purchases
from evervalue.live.scores import Bound, Scores, is_above, tier

if TYPE_CHECKING:
    from evervalue.models.prediction import Predictor

MOST_ORDERS = 100
LONGEST_SILENCE = 3650
"""Days."""
LARGEST_SPEND = Decimal("1000000000")
NO_REVENUE = Decimal("0.0000")
"""Revenue is not told: what is tried is monetary value."""
TURNED = "R"
"""The dimension that is ranked upwards and whose score is turned afterwards."""


@dataclass(frozen=True)
class Wish:
    """What is tried."""

    orders: int = 0
    """Further orders, all of one day."""
    recency_days: int | None = None
    """Days from the last order to the cutoff then; None: the day before it with further orders, else as it is."""
    spend: Decimal | None = None
    """What each further order brings, in monetary value; None is the customer's own mean."""


@dataclass(frozen=True)
class Rule:
    """What a run scores with: its settings, and at each boundary its row and the row after it."""

    bins: int
    ties: str
    high_value_at: int
    mid_value_at: int
    thresholds: Mapping[str, Sequence[tuple[Bound, Bound | None]]]


@dataclass(frozen=True)
class Outcome:
    """What would become of the customer."""

    figures: Figures
    scores: Scores
    value: Mapping[str, Any]
    """P(alive), expected orders and value with intervals; empty where nothing is predicted."""
    spend: Decimal
    """What each further order brings."""
    brought: Decimal
    """What the further orders bring together."""
    clv_gain: Decimal | None
    """How much more (or less) is expected within the horizon then; None where value is not predicted."""

    @property
    def worth(self) -> Decimal | None:
        """The further orders themselves, and what is expected to follow from them."""
        return None if self.clv_gain is None else self.brought + self.clv_gain


def refused(wish: Wish, now: Figures) -> str:
    """Why a wish cannot be tried; empty where it can."""
    if now.recency_days is None or now.length_days is None:
        return "There is no sale yet, so there is nothing to rescore."
    if wish.recency_days is None:
        return ""
    if not wish.orders and wish.recency_days < now.recency_days:
        return "Only an order can make the last order more recent: at least one is needed for that."
    if wish.orders and wish.recency_days > now.length_days + now.recency_days:
        return "That is before the first order: the further orders must lie after it."
    return ""


def tried(
    wish: Wish,
    days: Sequence[Day],
    cutoff: dt.date,
    who: tuple[str, str],
    now: Scores,
    rule: Rule,
    predictor: Predictor | None,
    expected: Mapping[str, Any],
) -> Outcome:
    """What a wish that is not refused makes of the customer.

    Parameters
    ----------
    wish
        What is tried.
    days
        What each day brought so far.
    cutoff
        Of the run.
    who
        Shown name and key, by which ties are parted.
    now
        The scores as they are.
    rule
        What the run scores with.
    predictor
        What it predicts with; None where value is switched off.
    expected
        What is predicted as things are.
    """
    before = figures(days, cutoff)
    assert before.recency_days is not None
    spend = wish.spend if wish.spend is not None else divided(before.monetary, before.frequency)
    brought = spend * wish.orders
    if wish.orders:
        silent, ago = 0, wish.recency_days or 1
        further = [Day(cutoff - dt.timedelta(days=ago), True, wish.orders, NO_REVENUE, brought)]
    else:
        silent, further = max(0, (wish.recency_days or 0) - before.recency_days), []
    then = cutoff + dt.timedelta(days=silent)
    after = figures([*days, *further], then)
    value, gain = _valued(wish, [*days, *further], days, then, predictor, expected)
    return Outcome(after, rescored(after, who, now, rule), value, spend, brought, gain)


def rescored(found: Figures, who: tuple[str, str], now: Scores, rule: Rule) -> Scores:
    """The scores of a customer who moves alone."""
    values = {
        "L": found.length_days,
        "R": found.recency_days,
        "F": found.frequency,
        "M": found.monetary,
    }
    got: dict[str, int] = {}
    for dimension, value in values.items():
        assert value is not None
        held = getattr(now, f"{dimension.lower()}_score")
        upwards = rule.bins + 1 - held if dimension == TURNED else held
        passed = 0
        for j, (row, beyond) in enumerate(rule.thresholds.get(dimension, ()), 1):
            bound = row if upwards > j else beyond
            passed += bound is not None and is_above(bound, value, *who, rule.ties)
        got[dimension] = rule.bins - passed if dimension == TURNED else 1 + passed
    total = sum(got.values())
    return Scores(
        got["L"], got["R"], got["F"], got["M"], total, tier(total, rule.high_value_at, rule.mid_value_at)
    )


def _valued(
    wish: Wish,
    days: Sequence[Day],
    before: Sequence[Day],
    cutoff: dt.date,
    predictor: Predictor | None,
    expected: Mapping[str, Any],
) -> tuple[dict[str, Any], Decimal | None]:
    """What is predicted then, and how much more value that is than now."""
    history = purchases(days, cutoff)
    held = expected.get("expected_clv")
    if predictor is None or history is None or held is None:
        return {}, None
    if not wish.orders and wish.recency_days is None:
        return dict(expected), Decimal("0.0000")
    from evervalue.live.value import valued  # takes numpy and scipy along

    told = dict(valued(history, predictor))
    if wish.orders and wish.spend is None:
        gain = _gain(history, purchases(before, cutoff), predictor, expected)
        # At the customer's own mean nothing is learnt of spend, and the interval of another spend is none of this one.
        told |= {
            "expected_order_value": expected["expected_order_value"],
            "expected_clv": None if gain is None else held + gain,
            "clv_low": None,
            "clv_high": None,
        }
        return told, gain
    value = told["expected_clv"]
    return told, None if value is None else Decimal(value) - held


def _gain(
    after: Purchases, before: Purchases | None, predictor: Predictor, expected: Mapping[str, Any]
) -> Decimal | None:
    """How much more is expected of the same spend: the rule of `models.step_values`."""
    import numpy as np

    each, held = float(expected["expected_order_value"]), float(expected["expected_clv"])
    if before is None:
        return None
    both = (before, after)
    orders = predictor.discounted_orders(
        np.array([float(one.repeat_orders) for one in both]),
        np.array([float(one.length_days) for one in both]),
        np.array([float(one.age_days - 1) for one in both]),
    ).tolist()
    if not all(map(math.isfinite, orders)):
        return None
    plain = orders[0] * each
    lift = held / plain if plain else 1.0
    gain = (orders[1] - orders[0]) * each * lift
    return Decimal(f"{gain:.4f}") if abs(gain) < 1e14 else None
