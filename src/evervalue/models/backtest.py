"""Forecasts to be held against what happened: every candidate at every origin, beside the naive rules; and the report.

Features lie strictly before each origin and labels after it (`fold.py`); a candidate is fitted anew at each origin.
Customers who came after the first origin ("late") are measured apart (`backtest_measures.py`): at later origins they
are young and few, and a mean over both would mix two questions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evervalue.core.errors import FitFailed, InputError
from evervalue.core.text import listing
from evervalue.models.fold import Fold, Folds
from evervalue.models.forecast import Candidate, Forecast
from evervalue.models.naive import RULES
from evervalue.numerics.arrays import Number

Target = Literal["orders", "value"]
Group = Literal["known", "late"]
DRAWS = 200
MASS = 0.9
"""Of the bootstrap intervals."""


@dataclass(frozen=True)
class Measure:
    """One column of the table."""

    key: str
    says: str
    better: Literal["low", "high", "zero", "none"]
    """Which values are better: low, high, near zero; none where it has to be read beside another."""

    def compared(self, value: Number) -> Number:
        """What differences are taken of: the value, or its size where near zero is better."""
        return np.abs(value) if self.better == "zero" else value

    def badness(self, value: Number) -> Number:
        """The value turned so that lower is better."""
        return -value if self.better == "high" else self.compared(value)


MEASURES = (
    Measure("bias", "predicted total over actual total, less one", "zero"),
    Measure("mae", "mean absolute error", "low"),
    Measure("rmse", "root mean squared error", "low"),
    Measure("spearman", "rank correlation", "high"),
    Measure("normalised_gini", "Gini in the order predicted, over the best possible", "high"),
    Measure("top_decile_capture", "share of the total that the top tenth by prediction brought", "high"),
    Measure("decile_mape", "mean relative error of decile means", "low"),
    Measure("crps", "continuous ranked probability score, in the unit of the target", "low"),
    Measure("log_score", "mean log of the probability given to what happened", "high"),
    Measure("brier", "mean squared error of P(at least one order)", "low"),
    Measure("coverage", "share of outcomes inside the interval", "none"),
    Measure("interval_mass", "mass that the intervals hold by the forecast itself", "none"),
    Measure("mean_width", "mean width of the interval", "none"),
)
BY_KEY = {m.key: m for m in MEASURES}


@dataclass(frozen=True)
class Row:
    """A candidate by one measure."""

    target: Target
    origin: dt.date | None
    """None: all origins together."""
    customers: Group
    model: str
    name: str
    naive: bool
    measure: str
    value: float
    n: int
    """Customers, counted once an origin."""
    best_naive: str | None = None
    difference: float | None = None
    """Value less that of the best naive rule; of biases, size less size."""
    difference_low: float | None = None
    difference_high: float | None = None
    verdict: str | None = None
    """better, worse or level: whether the interval of the difference leaves zero out."""


@dataclass(frozen=True)
class DecileRow:
    """A tenth of the customers, by prediction of one candidate, lowest first; all origins together, late ones out."""

    target: Target
    model: str
    decile: int
    customers: int
    predicted: float
    actual: float
    coverage: float
    interval_mass: float
    mean_width: float


@dataclass(frozen=True)
class Backtest:
    """What a backtest found."""

    folds: Folds
    """Origins at which a model stands; all of them where none does anywhere."""
    candidates: Sequence[Candidate]
    interval: float | None
    forecasts: Mapping[str, Sequence[Forecast]]
    """By candidate, one a fold; who failed anywhere is not here."""
    failures: Sequence[str]
    """Who could not be fitted where, and why."""
    rows: Sequence[Row]
    deciles: Sequence[DecileRow]
    alone: Sequence[Fold] = ()
    """Other origins, at which rules without a model are alone."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Orders, and money where a model forecast it."""
        models = [c.key for c in self.candidates if not c.naive] or [c.key for c in self.candidates]
        money = any(f.value is not None for key in models for f in self.forecasts[key])
        return ("orders", "value") if money else ("orders",)

    def pooled(self, target: Target, measure: str) -> dict[str, Row]:
        """The rows over all origins, late customers out, by candidate."""
        return {
            r.model: r
            for r in self.rows
            if r.target == target and r.measure == measure and r.origin is None and r.customers == "known"
        }


def forecast_all(folds: Folds, candidates: Sequence[Candidate], *, interval: float | None = 0.9) -> Backtest:
    """The forecasts of every candidate and every naive rule at every origin, not yet measured.

    Parameters
    ----------
    folds
        The origins.
    candidates
        Models, from the simpler to the less simple; the naive rules are added.
    interval
        Mass that the forecasts' intervals shall hold; None leaves them out.
    """
    everyone: list[Candidate] = [*RULES, *candidates]
    told: dict[str, list[Forecast | str]] = {
        c.key: [_forecast(c, fold, interval) for fold in folds] for c in everyone
    }
    stands = [any(isinstance(told[c.key][n], Forecast) for c in candidates) for n in range(len(folds))]
    kept = [n for n, does in enumerate(stands) if does or not any(stands)]
    forecasts: dict[str, list[Forecast]] = {}
    for candidate in everyone:
        own = [told[candidate.key][n] for n in kept]
        whole = [f for f in own if isinstance(f, Forecast)]
        if len(whole) == len(kept):
            forecasts[candidate.key] = whole
    failures = tuple(_failures(folds, candidates, told, stands))
    running = [c for c in everyone if c.key in forecasts]
    alone = [folds[n] for n in range(len(folds)) if n not in kept]
    used = replace(folds, folds=[folds[n] for n in kept]) if alone else folds
    return Backtest(used, running, interval, forecasts, failures, (), (), alone)


def _forecast(candidate: Candidate, fold: Fold, interval: float | None) -> Forecast | str:
    """The forecast, or why there is none."""
    try:
        return candidate.forecast(fold, interval)
    except (FitFailed, InputError) as error:
        return str(error)


def _failures(
    folds: Folds,
    candidates: Sequence[Candidate],
    told: Mapping[str, Sequence[Forecast | str]],
    stands: Sequence[bool],
) -> Iterator[str]:
    """Sentences about candidates that could not be fitted; what several of them say of one origin is said once."""
    said: dict[tuple[int, str], list[str]] = {}
    for n in range(len(folds)):
        for c in candidates:
            why = told[c.key][n]
            if isinstance(why, str):
                said.setdefault((n, _of_anyone(why, c)), []).append(c.name)
    apart = ", which is left out of all origins together" if any(stands) else ""
    for (n, why), names in said.items():
        origin = folds[n].origin
        if stands[n]:
            yield f"Not in the table: {listing(names)}. At {origin}: {why}"
        else:
            yield f"No model stands at {origin}{apart}: {listing(names)}. {why}"


def _of_anyone(why: str, candidate: Candidate) -> str:
    """The reason without the model's name, so that it is the same for all whom it stops."""
    for name in candidate.name.split(" with "):
        why = why.replace(f"{name} ", "the model ")
    return ". ".join(part[:1].upper() + part[1:] for part in why.split(". "))
