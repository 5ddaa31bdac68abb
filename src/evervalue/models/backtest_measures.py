"""A backtest measured: every forecast by every measure, apart and pooled, with the bootstrap of what parts them.

Customers known at the first origin and those who came later are measured apart. Pooled rows put all origins together;
the bootstrap draws customers, each with all the origins they stand in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evervalue.core.text import joined
from evervalue.models.backtest import (
    BY_KEY,
    DRAWS,
    MASS,
    Backtest,
    DecileRow,
    Group,
    Row,
    Target,
    forecast_all,
)
from evervalue.models.fold import Fold, Folds
from evervalue.models.forecast import Candidate, Forecast, Outlook
from evervalue.models.naive import RULES
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.measures import errors as measures
from evervalue.numerics.measures import ranking
from evervalue.numerics.measures.bootstrap import resamples, spread
from evervalue.numerics.measures.errors import Weights, weighted_mean
from evervalue.numerics.measures.probability_scores import brier
from evervalue.numerics.measures.ranking import RankMeasures, rank_measures


def run_backtest(
    folds: Folds,
    candidates: Sequence[Candidate],
    *,
    interval: float = 0.9,
    draws: int = DRAWS,
    random_state: int = 0,
) -> Backtest:
    """Every candidate and every naive rule, measured at every origin and over all of them.

    Parameters
    ----------
    folds, candidates, interval
        As for `forecast_all`.
    draws
        Bootstrap resamples of customers.
    random_state
        Seed of the bootstrap.
    """
    found = forecast_all(folds, candidates, interval=interval)
    rows = [*_apart(found), *_pooled(found, draws, random_state)]
    if found.alone:
        rules = forecast_all(replace(folds, folds=found.alone), (), interval=interval)
        rows += [row for row in _apart(rules) if row.origin is not None]
    folds = replace(found.folds, notes=[*found.folds.notes, *_lost(found)])
    return replace(found, folds=folds, rows=rows, deciles=_deciles(found))


def _lost(test: Backtest) -> list[str]:
    """A sentence where known customers' money sums to nothing or less, so that there are no shares of it."""
    if "value" not in test.targets:
        return []
    folds = list(test.folds)
    sums = [
        float(f.actual_value[known].sum()) for f, known in zip(folds, _groups(folds)["known"], strict=True)
    ]
    where = [f"at {f.origin}" for f, total in zip(folds, sums, strict=True) if total <= 0]
    if sum(sums) <= 0:
        where.append("over all origins together")
    if not where:
        return []
    says = (
        f"Money after the origin sums to nothing or less {joined(where)}: there are no shares of that, so "
        "top-decile capture and Gini of money are empty there."
    )
    return [says]


@dataclass(frozen=True)
class _Scores:
    """One candidate's forecasts of some customers, put together."""

    mean: Array
    inside: Array
    mass: Array
    width: Array
    crps: Array
    log_score: Array | None
    brier: Array | None
    actual: Array

    @classmethod
    def of(
        cls,
        target: Target,
        folds: Sequence[Fold],
        forecasts: Sequence[Forecast],
        who: Sequence[NDArray[np.bool_]],
    ) -> _Scores | None:
        parts = []
        for fold, forecast, mask in zip(folds, forecasts, who, strict=True):
            outlook = forecast.orders if target == "orders" else forecast.value
            if outlook is None:
                return None
            actual = fold.actual_orders if target == "orders" else fold.actual_value
            parts.append([a[mask] for a in (*_columns(outlook, actual), *_of_counts(forecast, fold))])
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        mean, inside, mass, width, crps, actual, log_score, squared = joined
        counts = target == "orders"
        return cls(
            mean,
            inside,
            mass,
            width,
            crps,
            log_score if counts else None,
            squared if counts else None,
            actual,
        )

    def measured(
        self, ranks: RankMeasures, weight: Weights = None, *, intervals: bool = True
    ) -> dict[str, Number]:
        p, a = self.mean, self.actual
        found: dict[str, Number] = {
            "bias": measures.bias(p, a, weight),
            "mae": measures.mean_absolute_error(p, a, weight),
            "rmse": measures.root_mean_squared_error(p, a, weight),
            "spearman": ranks.spearman,
            "normalised_gini": ranks.normalised_gini,
            "top_decile_capture": ranks.top_capture,
            "decile_mape": ranking.decile_mape(p, a, weight),
            "crps": weighted_mean(self.crps, weight),
        }
        if self.log_score is not None and self.brier is not None:
            with np.errstate(invalid="ignore"):  # a law that held the outcome impossible, drawn zero times
                found["log_score"] = weighted_mean(self.log_score, weight)
            found["brier"] = weighted_mean(self.brier, weight)
        if intervals:
            found |= {
                "coverage": weighted_mean(self.inside),
                "interval_mass": weighted_mean(self.mass),
                "mean_width": weighted_mean(self.width),
            }
        return found


def _measured(
    scores: Mapping[str, _Scores], weight: Weights = None, *, intervals: bool = True
) -> dict[str, dict[str, Number]]:
    """Every measure of every candidate; they share the outcome."""
    if not scores:
        return {}
    actual = next(iter(scores.values())).actual
    ranks = rank_measures({key: s.mean for key, s in scores.items()}, actual, weight)
    return {key: s.measured(ranks[key], weight, intervals=intervals) for key, s in scores.items()}


def _columns(o: Outlook, actual: Array) -> tuple[Array, ...]:
    inside = ((o.low <= actual) & (actual <= o.high)).astype(np.float64)
    return o.mean, inside, o.mass, o.high - o.low, o.crps, actual


def _of_counts(forecast: Forecast, fold: Fold) -> tuple[Array, Array]:
    return forecast.log_score, brier(forecast.p_any, fold.actual_orders > 0)


def _groups(folds: Sequence[Fold]) -> dict[Group, list[NDArray[np.bool_]]]:
    return {"known": [~f.late for f in folds], "late": [f.late for f in folds]}


def _apart(test: Backtest) -> list[Row]:
    """Rows of each origin, and of the late customers over all origins."""
    found = []
    everyone = list(test.folds)
    spans: list[tuple[dt.date | None, list[int]]] = [(f.origin, [n]) for n, f in enumerate(everyone)]
    spans.append((None, list(range(len(everyone)))))
    for origin, places in spans:
        some = [everyone[n] for n in places]
        for group, masks in _groups(some).items():
            if (origin is None and group == "known") or not any(m.any() for m in masks):
                continue
            for target in test.targets:
                scores = _scores(test, target, places, masks)
                points = _measured(scores)
                for c in test.candidates:
                    if c.key in scores:
                        found += _rows(c, target, origin, group, points[c.key], len(scores[c.key].mean))
    return found


def _scores(
    test: Backtest, target: Target, places: Sequence[int], masks: Sequence[NDArray[np.bool_]]
) -> dict[str, _Scores]:
    """Forecasts of some customers at some origins, by candidate."""
    some = [test.folds[n] for n in places]
    found = {
        c.key: _Scores.of(target, some, [test.forecasts[c.key][n] for n in places], masks)
        for c in test.candidates
    }
    return {key: scores for key, scores in found.items() if scores is not None}


def _rows(
    c: Candidate, target: Target, origin: dt.date | None, group: Group, found: Mapping[str, Number], n: int
) -> list[Row]:
    return [
        Row(target, origin, group, c.key, c.name, c.naive, key, float(value), n)
        for key, value in found.items()
    ]


def _pooled(test: Backtest, draws: int, random_state: int) -> list[Row]:
    """Rows over all origins without late customers, each held against the best naive rule."""
    folds, running = list(test.folds), test.candidates
    masks = _groups(folds)["known"]
    ids = np.concatenate([f.ids[m] for f, m in zip(folds, masks, strict=True)])
    who, place = np.unique(ids.astype(str), return_inverse=True)
    weight = resamples(len(who), draws, random_state)[:, place]
    found: list[Row] = []
    for target in test.targets:
        scores = _scores(test, target, range(len(folds)), masks)
        points = _measured(scores)
        drawn = _measured(scores, weight, intervals=False)
        for c in running:
            if c.key in scores:
                for row in _rows(c, target, None, "known", points[c.key], len(place)):
                    found.append(_held_against(row, points, drawn))
    return found


def _held_against(
    row: Row, points: Mapping[str, Mapping[str, Number]], drawn: Mapping[str, Mapping[str, Number]]
) -> Row:
    measure = BY_KEY[row.measure]
    rules = {
        r.key: float(measure.badness(float(points[r.key][row.measure])))
        for r in RULES
        if measure.better != "none"
    }
    rules = {key: value for key, value in rules.items() if np.isfinite(value) and key != row.model}
    if row.naive or not rules:
        return row
    rival = min(rules, key=lambda key: rules[key])
    with np.errstate(invalid="ignore"):
        apart = spread(
            np.asarray(measure.compared(drawn[row.model][row.measure]))
            - np.asarray(measure.compared(drawn[rival][row.measure])),
            MASS,
        )
    verdict = (
        "level"
        if apart.sign == 0
        else "worse"
        if (apart.sign > 0) is (measure.better != "high")
        else "better"
    )
    return Row(
        **{
            **vars(row),
            "best_naive": rival,
            "difference": float(measure.compared(row.value) - measure.compared(points[rival][row.measure])),
            "difference_low": apart.low,
            "difference_high": apart.high,
            "verdict": verdict,
        }
    )


def _deciles(test: Backtest) -> list[DecileRow]:
    folds = list(test.folds)
    masks = _groups(folds)["known"]
    found = []
    for candidate in test.candidates:
        for target in test.targets:
            s = _Scores.of(target, folds, test.forecasts[candidate.key], masks)
            if s is None:
                continue
            of = {
                name: ranking.deciles(s.mean, getattr(s, name))
                for name in ("actual", "inside", "mass", "width")
            }
            for n, size in enumerate(of["actual"].size):
                if size > 0:
                    found.append(
                        DecileRow(
                            target,
                            candidate.key,
                            n + 1,
                            int(size),
                            *(float(v[n]) for v in (of["actual"].predicted, of["actual"].actual)),
                            *(float(of[name].actual[n]) for name in ("inside", "mass", "width")),
                        )
                    )
    return found
