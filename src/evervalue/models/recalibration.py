"""`Recalibration`: what a holdout says of a model's predictive laws, and the correction that follows from it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evervalue.core import show
from evervalue.core.errors import InputError
from evervalue.core.text import count
from evervalue.models.histories import Histories
from evervalue.models.laws import customers_of, orders_law, spend_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.measures.coverage import Coverage, coverage
from evervalue.numerics.predictive.intervals import asked_mass
from evervalue.numerics.predictive.orders import OrdersLaw
from evervalue.numerics.predictive.recalibration import CorrectionMap, learn
from evervalue.numerics.predictive.score import (
    PACES,
    Corrections,
    Customers,
    Expectations,
    expectations,
    outcomes,
    pace_of,
    score,
)
from evervalue.numerics.predictive.value import SpendLaw


@dataclass(frozen=True)
class Checked:
    """Coverage on customers whose outcomes were not learnt from."""

    of: str
    """"orders" or "value"."""
    before: Coverage
    after: Coverage


@dataclass(frozen=True)
class Recalibration:
    """A correction of orders and of money, learnt where outcomes were known, with the coverage that it brings.

    Pass it to `ev.CLV(..., recalibration=)`. Means, probabilities and intervals are then those of the corrected laws.
    The coverage it shows is cross-fitted: each half of the customers is judged by maps learnt on the other half.
    """

    corrections: Corrections
    horizon_days: float
    """Horizon it was learnt at; 0 where it was not told."""
    interval: float
    """Mass that the intervals of the tables were asked to hold."""
    customers: int
    checked: Sequence[Checked] = ()
    came: float = math.nan
    """Orders of all customers within the horizon ..."""
    expected: float = math.nan
    """... and how many the model expected; NaN in files from before they were kept."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the coverage tables are left to `summary`."""
        return {
            "pace": self.corrections.pace,
            "orders": self.corrections.orders.to_dict(), "value": self.corrections.value.to_dict(),
            "horizon_days": self.horizon_days, "interval": self.interval, "customers": self.customers,
            "came": self.came, "expected": self.expected,
            "coverage": self.rows(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """What `to_dict` gave, without the coverage tables.

        Raises
        ------
        InputError
            It is of another form.
        """
        try:
            maps = Corrections(
                float(told["pace"]),
                CorrectionMap.from_dict(told["orders"]),
                CorrectionMap.from_dict(told["value"]),
            )
            return cls(
                maps,
                float(told["horizon_days"]),
                float(told["interval"]),
                int(told["customers"]),
                came=float(told.get("came", math.nan)),
                expected=float(told.get("expected", math.nan)),
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"This is no recalibration: {error} is missing or of another form.") from None

    def rows(self) -> list[dict[str, Any]]:
        """Coverage before and after, overall and by decile, a row each."""
        rows = []
        for each in self.checked:
            for when, found in (("before", each.before), ("after", each.after)):
                parts = [("all", found.whole), *((str(n), g) for n, g in enumerate(found.deciles, 1))]
                rows += [
                    {"of": each.of, "when": when, "decile": name, "customers": g.customers,
                     "own_mass": g.mass, "covered": g.covered, "errors": g.errors, "width": g.width}
                    for name, g in parts
                ]  # fmt: skip
        return rows

    def says(self) -> list[str]:
        """What it found, in sentences."""
        told = [self._pace()] if self.corrections.pace != 1 else []
        for each, found in zip(self.checked, (self.corrections.orders, self.corrections.value), strict=False):
            b, a = each.before, each.after
            verdict = (
                "nothing is corrected, for no correction told the outcomes of other customers better"
                if found.identity
                else f"after the correction they hold {100 * a.whole.covered:.1f} % where their mass is "
                f"{100 * a.whole.mass:.1f} % (farthest tenth {a.farthest:.1f} standard errors)"
            )
            told.append(
                f"Intervals of {each.of} held {100 * b.whole.covered:.1f} % of outcomes where their own mass is "
                f"{100 * b.whole.mass:.1f} % (farthest tenth {b.farthest:.1f} standard errors); {verdict}."
            )
        return told

    def _pace(self) -> str:
        """How much customers ordered beside what was expected of them."""
        pace, slowest, fastest = self.corrections.pace, *PACES
        beside = f" ({self.came:,.0f} orders, {self.expected:,.1f} expected)" if self.came >= 0 else ""
        if self.came == 0:
            return (
                f"Nobody ordered, where {self.expected:,.1f} orders were expected. The correction takes it that "
                "customers go on at a quarter of the pace, its slowest: see first whether all outcomes are there."
            )
        if not slowest * 1.001 < pace < fastest / 1.001:
            much = f"more than {fastest:g} times" if pace > 1 else "less than a quarter"
            return (
                f"Customers ordered {much} as much as the model expects{beside}, which is farther than the correction "
                f"goes: it takes it that they go on at {pace:.2g} of the pace."
            )
        return (
            f"Customers ordered {abs(pace - 1) * 100:.0f} % {'faster' if pace > 1 else 'slower'} than the model "
            f"expects{beside}; the correction takes it that they go on like that."
        )

    def __repr__(self) -> str:
        facts = [
            ("customers", f"{self.customers:,}"),
            ("horizon", f"{self.horizon_days:g} days"),
            *(("coverage", says) for says in self.says()),
        ]
        columns = ["of", "when", "own_mass", "covered"]
        rows = [
            [row["of"], row["when"], f"{row['own_mass']:.3f}", f"{row['covered']:.3f}"]
            for row in self.rows()
            if row["decile"] == "all"
        ]
        return show.text("Recalibration", facts, show.Sample(columns, rows, len(rows)))


def learnt(
    purchase: PurchaseModel,
    spend: SpendModel | None,
    h: Histories,
    horizon: float,
    orders: ArrayLike,
    value: ArrayLike | None = None,
    *,
    interval: float = 0.9,
    horizon_days: float = 0.0,
    ids: Sequence[Any] | NDArray[Any] | None = None,
) -> Recalibration:
    """A recalibration from histories at an origin and what then happened.

    Parameters
    ----------
    purchase, spend
        Models fitted to what was known at the origin.
    h
        Histories at the origin.
    horizon
        Length of the time after it, in the unit of the history.
    orders, value
        What came within it, one element a customer: purchase days, and money where there is a spend model.
    interval
        Mass of the intervals whose coverage is shown.
    horizon_days
        The horizon in days, to be told.
    ids
        Keys by which customers are put into halves; by default their histories are.

    Raises
    ------
    InputError
        Outcomes are missing, not finite or negative.
    """
    actual = _outcomes(orders, "orders", len(h), least=0.0)
    money = None if value is None or spend is None else _outcomes(value, "value", len(h), least=-np.inf)
    mass = asked_mass(interval)
    spent = None if money is None or spend is None else spent_by(spend, h)
    customers = customers_of(h, spent)
    law = orders_law(purchase, horizon)
    found = expectations(law, customers.histories, 0.0)
    of_spend = None if money is None or spend is None else spend_law(spend)
    known = _Known(law, customers, found, of_spend, actual, money)
    half = _halves(h, ids)
    everyone = np.ones(len(h), dtype=bool)
    tables: dict[str, list[list[Array]]] = {"before": [], "after": []}
    for when, side, corrections in (
        ("before", everyone, Corrections()),
        ("after", half, known.corrections(~half)),
        ("after", ~half, known.corrections(half)),
    ):
        if side.any():
            tables[when].append(known.intervals(side, corrections, mass))
    joined = {when: [np.concatenate(c) for c in zip(*parts, strict=True)] for when, parts in tables.items()}
    checked = [
        Checked(name, _coverage(joined["before"][first:]), _coverage(joined["after"][first:]))
        for name, first in (("orders", 0), ("value", 5))[: 1 if money is None else 2]
    ]
    expected = float(found.orders[customers.place].sum())
    return Recalibration(
        known.corrections(everyone), horizon_days, mass, len(h), checked, float(actual.sum()), expected
    )


@dataclass(frozen=True)
class _Known:
    """Histories whose outcomes are known, and the laws that were told of them."""

    law: OrdersLaw
    customers: Customers
    found: Expectations
    spend: SpendLaw | None
    orders: Array
    money: Array | None

    def corrections(self, side: NDArray[np.bool_]) -> Corrections:
        """What the customers of one side teach."""
        rows = np.flatnonzero(side)
        if not rows.size:
            return Corrections()
        part = _part(self.customers, rows)
        pace = pace_of(self.law, part, self.found, self.orders[rows])
        law, found = self._at(pace)
        money = None if self.money is None else self.money[rows]
        of_orders, of_money = outcomes(law, part, found, self.orders[rows], money, spend=self.spend)
        expected = found.orders[part.place]
        orders = learn(of_orders.below, of_orders.upto, expected)
        if of_money is None:
            return Corrections(pace, orders)
        return Corrections(pace, orders, learn(of_money.below, of_money.upto, expected * _each(part)))

    def intervals(self, side: NDArray[np.bool_], corrections: Corrections, mass: float) -> list[Array]:
        """Low, high, mass, outcome and expected, of orders and then of money, of the customers of one side."""
        rows = np.flatnonzero(side)
        part = _part(self.customers, rows)
        law, found = self._at(corrections.pace)
        of_orders, of_money = score(law, part, found, mass, spend=self.spend, corrections=corrections)
        place, own = part.place, of_orders.interval
        before = self.found.orders[place]
        told = [own.low[place], own.high[place], own.mass[place], self.orders[rows], before]
        if of_money is not None and self.money is not None:
            other = of_money.interval
            told += [other.low, other.high, other.mass, self.money[rows], before * _each(part)]
        return told

    def _at(self, pace: float) -> tuple[OrdersLaw, Expectations]:
        if pace == 1:
            return self.law, self.found
        law = replace(self.law, horizon=self.law.horizon * pace)
        return law, expectations(law, self.customers.histories, 0.0)


def _each(part: Customers) -> Array:
    """Expected money of a purchase."""
    assert part.spent is not None
    assert part.spent.order_value is not None
    return part.spent.order_value


def _coverage(columns: Sequence[Array]) -> Coverage:
    low, high, mass, outcome, expected = columns[:5]
    return coverage(low, high, mass, outcome, expected)


def _outcomes(values: ArrayLike, name: str, n: int, least: float) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (n,):
        raise InputError(f"'{name}' has shape {found.shape}, and the history {count(n, 'row')}.")
    bad = ~np.isfinite(found) | (found < least)
    if bad.any():
        raise InputError(
            f"'{name}' holds {count(int(bad.sum()), 'value')} that cannot be an outcome (first: row "
            f"{int(np.argmax(bad))}): they must be finite{', not negative' if least == 0 else ''}. Who bought nothing "
            "has 0."
        )
    return found


def _halves(h: Histories, ids: Sequence[Any] | NDArray[Any] | None) -> NDArray[np.bool_]:
    """Two halves of the customers, by a hash of their keys; without keys every other one in the order of histories."""
    keys = ids if ids is not None else next(iter(h.ids.values()), None)
    if keys is None:
        columns = [h.T, h.recency, h.frequency]
        if h.monetary_value is not None:
            columns = [h.monetary_value, *columns]
        order = np.lexsort(columns)
        half = np.zeros(len(h), dtype=bool)
        half[order[::2]] = True
        return half
    return np.array([hashlib.sha256(str(key).encode()).digest()[0] & 1 for key in keys], dtype=bool)


def _part(customers: Customers, rows: NDArray[np.intp]) -> Customers:
    spent = None if customers.spent is None else customers.spent.take(rows)
    return Customers(customers.histories, customers.place[rows], spent)
