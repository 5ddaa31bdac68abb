"""Where rules without a model win, said first and in words; and the table as people read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from evervalue.core.text import joined
from evervalue.models.backtest import BY_KEY, MASS, MEASURES, Backtest, Row, Target

DOES = {
    "bias": "is less biased in {of}",
    "mae": "has the lower mean absolute error in {of}",
    "rmse": "has the lower root mean squared error in {of}",
    "spearman": "ranks customers better by {of}",
    "normalised_gini": "ranks customers better by {of}",
    "top_decile_capture": "finds more of the top customers by {of}",
    "decile_mape": "is better calibrated by decile in {of}",
    "crps": "has the better law of {of}",
    "log_score": "has the better law of {of}",
    "brier": "knows better who orders at all",
}
OF: dict[Target, str] = {"orders": "orders", "value": "money"}
LABELS = {
    "bias": "bias",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "spearman": "Spearman",
    "normalised_gini": "normalised Gini",
    "top_decile_capture": "top-decile capture",
    "decile_mape": "decile MAPE",
    "crps": "CRPS",
    "log_score": "log score",
    "brier": "Brier score",
}
COLUMNS = ("target", "origin", "customers", "model", "name", "naive", "n", *(m.key for m in MEASURES))


def naive_wins(found: Backtest) -> list[str]:
    """A sentence for every measure by which the best naive rule beats the best model by more than chance."""
    return [_wins(target, rule, model) for target, rule, model in _ahead(found) if model.verdict == "worse"]


def level_with_naive(found: Backtest) -> list[str]:
    """A sentence for every measure by which a naive rule shows the better figure, within chance."""
    return [_level(target, rule, model) for target, rule, model in _ahead(found) if model.verdict != "worse"]


def level_in_short(found: Backtest) -> str:
    """The measures of `level_with_naive` in one sentence; empty where there is none."""
    groups: dict[tuple[str, str], dict[Target, list[str]]] = {}
    for target, rule, model in _ahead(found):
        if model.verdict != "worse":
            groups.setdefault((model.name, rule.name), {}).setdefault(target, []).append(LABELS[rule.measure])
    if not groups:
        return ""
    pairs = [
        f"{model} with {rule} by "
        + " and ".join(f"{joined(labels)} of {OF[target]}" for target, labels in by.items())
        for (model, rule), by in groups.items()
    ]
    return f"Level within chance, though the rule shows the better figure: {'; '.join(pairs)}."


def _ahead(found: Backtest) -> Iterator[tuple[Target, Row, Row]]:
    """Target, best rule and best model, over all origins, where the rule's figure is the better one.

    Figures that are the same as far as they are shown count as a draw.
    """
    for target in found.targets:
        for key in DOES:
            rows = [r for r in found.pooled(target, key).values() if np.isfinite(r.value)]
            rule, model = _best(rows, naive=True), _best(rows, naive=False)
            if rule is None or model is None or number(key, rule.value) == number(key, model.value):
                continue
            if _badness(rule) < _badness(model):
                yield target, rule, model


def wide(found: Backtest) -> list[dict[str, Any]]:
    """One row a target, origin, group of customers and model, with a column a measure.

    All origins together come first (origin None), then each origin; within them the best by CRPS first, so that a
    naive rule that wins stands above every model.
    """
    groups: dict[tuple[Target, dt.date | None, str], dict[str, dict[str, Any]]] = {}
    for r in found.rows:
        rows = groups.setdefault((r.target, r.origin, r.customers), {})
        row = rows.setdefault(
            r.model,
            {"target": r.target, "origin": r.origin, "customers": r.customers, "model": r.model, "name": r.name,
             "naive": r.naive, "n": r.n} | {m.key: None for m in MEASURES},
        )  # fmt: skip
        row[r.measure] = None if np.isnan(r.value) else r.value

    def place(key: tuple[Target, dt.date | None, str]) -> tuple[Any, ...]:
        target, origin, customers = key
        return target == "orders", customers == "late", origin is not None, origin or dt.date.min

    return [
        row
        for key in sorted(groups, key=place)
        for row in sorted(groups[key].values(), key=lambda row: (row["crps"], not row["naive"]))
    ]


def _best(rows: Sequence[Row], *, naive: bool) -> Row | None:
    some = [r for r in rows if r.naive is naive]
    if not some:
        return None
    # Of those that are shown alike the simplest, which is named first.
    least = min(some, key=_badness)
    return next(r for r in some if number(r.measure, r.value) == number(least.measure, least.value))


def _badness(row: Row) -> float:
    return float(BY_KEY[row.measure].badness(row.value))


def _wins(target: Target, rule: Row, model: Row) -> str:
    does = DOES[rule.measure].format(of=OF[target])
    return (
        f"{rule.name} {does}: {LABELS[rule.measure]} {number(rule.measure, rule.value)}, "
        f"best model {model.name} {number(model.measure, model.value)}, by more than chance: {_between(model)}."
    )


def _level(target: Target, rule: Row, model: Row) -> str:
    says = (
        f"{model.name} is level with {rule.name} by {LABELS[rule.measure]} of {OF[target]}: "
        f"{number(model.measure, model.value)}, the rule {number(rule.measure, rule.value)}"
    )
    if model.difference_low is None or not np.isfinite(model.difference_low):
        return f"{says}; too few resamples have a figure to tell them apart."
    return f"{says}; {_between(model)}."


def _between(model: Row) -> str:
    ends = (_end(model.measure, end or 0.0) for end in (model.difference_low, model.difference_high))
    return f"the difference lies between {' and '.join(ends)} in {MASS:.0%} of resamples"


def _end(measure: str, value: float) -> str:
    """An end of a difference; where it would be shown as zero, with the digit that it has."""
    shown = number(measure, value)
    if value == 0 or any(digit in shown for digit in "123456789"):
        return shown
    return f"{100 * value:+.1g}%" if shown.endswith("%") else f"{value:.1g}"


def number(measure: str, value: float | None) -> str:
    """A measure as people read it."""
    if value is None or np.isnan(value):
        return ""
    if np.isinf(value):
        return "-∞" if value < 0 else "∞"
    if measure in ("bias", "top_decile_capture", "coverage", "interval_mass"):
        return f"{value:+.1%}" if measure == "bias" else f"{value:.1%}"
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.3f}".replace("-0.000", "0.000")
