"""What-if of one customer: typed wishes, computed on the published run, told as one row."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from evervalue.api import live_rules
from evervalue.api.profile import Profile
from evervalue.api.queries import live as asked
from evervalue.api.snapshots import Reading, Row
from evervalue.live.figures import figures
from evervalue.live.rules import Published
from evervalue.live.scores import Bound, Scores
from evervalue.live.what_if import (
    LARGEST_SPEND,
    LONGEST_SILENCE,
    MOST_ORDERS,
    Outcome,
    Rule,
    Wish,
    refused,
    tried,
)

SCORES = ("l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value")
FIGURES = ("length_days", "recency_days", "frequency", "monetary")
VALUE = (
    "p_alive",
    "expected_orders",
    "orders_low",
    "orders_high",
    "expected_order_value",
    "expected_clv",
    "clv_low",
    "clv_high",
)


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


class WhatIfRequest(BaseModel):
    """What is tried. Empty values mean 'as it is', so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    orders: Annotated[int, BeforeValidator(lambda v: 0 if v == "" else v)] = Field(0, ge=0, le=MOST_ORDERS)
    """Further orders, all of one day."""

    recency_days: Annotated[int | None, BeforeValidator(_none_if_empty)] = Field(
        None, ge=1, le=LONGEST_SILENCE
    )
    """Days from the last order to the cutoff then. Without further orders: how long the silence has grown."""

    spend: Annotated[Decimal | None, BeforeValidator(_none_if_empty)] = Field(
        None, ge=-LARGEST_SPEND, le=LARGEST_SPEND, max_digits=14, decimal_places=4
    )
    """Monetary value of each further order; empty is the customer's own mean."""

    def wish(self) -> Wish:
        """The same for the rules."""
        return Wish(self.orders, self.recency_days, self.spend)


def what_if(reading: Reading, known: Profile, wish: Wish) -> Row:
    """One row: the customer as it is (`now`), as it would be (`then`), and what that is worth.

    `then` is null where the wish cannot be tried; `says` has the reason.
    """
    published = reading.once(live_rules.published)
    days = known.days()
    cutoff = published.as_of
    before = figures(days, cutoff)
    row = known.row
    told: Row = {
        "customer_id": known.customer_id,
        "customer": row["customer"],
        "as_of": cutoff,
        "orders_added": wish.orders,
        "recency_days": wish.recency_days,
        "now": {name: row[name] for name in (*FIGURES, *SCORES, *VALUE)},
        "then": None,
        "spend": None,
        "orders_worth": None,
        "clv_gain": None,
        "worth": None,
        "says": refused(wish, before),
    }
    if told["says"]:
        return told
    now = Scores(**{name: row[name] for name in SCORES})
    expected = {name: row[name] for name in VALUE}
    who = (str(row["customer"]), known.customer_id)
    outcome = tried(wish, days, cutoff, who, now, reading.once(_rule), published.predictor, expected)
    return {**told, **_told(outcome, published)}


def _told(outcome: Outcome, published: Published) -> Row:
    then: Row = {
        **{name: getattr(outcome.figures, name) for name in FIGURES},
        **{name: getattr(outcome.scores, name) for name in SCORES},
        **{name: outcome.value.get(name) for name in VALUE},
    }
    return {
        "then": then,
        "spend": outcome.spend,
        "orders_worth": outcome.brought,
        "clv_gain": outcome.clv_gain,
        "worth": outcome.worth,
        "says": "" if published.predictor else "Value is not predicted in this run.",
    }


def _rule(reading: Reading) -> Rule:
    thresholds: dict[str, list[tuple[Bound, Bound | None]]] = {}
    for row in reading.rows(asked.thresholds()):
        beyond = (
            None
            if row["next_value"] is None
            else Bound(row["next_value"], row["next_tie_name"], row["next_tie_key"])
        )
        thresholds.setdefault(row["dimension"], []).append(
            (Bound(row["value"], row["tie_name"], row["tie_key"]), beyond)
        )
    run = reading.run
    return Rule(run.bins, run.ties, run.high_value_at, run.mid_value_at, thresholds)
