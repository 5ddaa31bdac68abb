"""`model="auto"`: the purchase model that a backtest on the company's own data speaks for, and why, in a sentence.

The rule. Each candidate is scored by the continuous ranked probability score (CRPS) of orders: it rewards a law that
is both sharp and right, in orders, and a point forecast scores its absolute error on the same scale. The candidate
with the lowest mean over customers and origins leads. A candidate named before it (they are named from the simpler to
the less simple) is taken instead where its mean lies within one standard error of the leader's, by a bootstrap over
customers of the paired difference (the one-standard-error rule of Breiman, Friedman, Olshen and Stone, 1984), or
within a thousandth of the leader's, which is no difference that anyone would notice. Where a spend model is to be
chosen too, the same rule runs over money.

A naive rule cannot be chosen, for it says nothing of who is still active, but where one scores better than the chosen
model by more than chance (the bootstrap interval of the paired difference leaves zero out) that is said first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evervalue.core.errors import InputError
from evervalue.core.text import count, listing
from evervalue.models.backtest import DRAWS, MASS, Backtest, Target, forecast_all
from evervalue.models.fold import Folds
from evervalue.models.forecast import Candidate, Forecast
from evervalue.models.naive import RULES
from evervalue.numerics.arrays import Array
from evervalue.numerics.measures.bootstrap import Spread, resamples, spread
from evervalue.numerics.measures.errors import weighted_mean

NO_DIFFERENCE = 0.001
"""Share of the lowest score by which another may be higher and still count as equal."""
UNITS: dict[Target, str] = {"orders": "orders", "value": "money"}


@dataclass(frozen=True)
class Choice:
    """Which model, and why."""

    model: str
    """Key of the candidate."""
    name: str
    says: str
    """Why, in a sentence or two with numbers; a naive rule that scores better is named first."""
    table: Sequence[dict[str, Any]]
    """A row a candidate and naive rule, best first: model, name, naive, crps, behind (the leader), standard_error."""
    naive_wins: bool
    """Whether a naive rule scores better than the chosen model, by more than chance."""
    spend: str | None = None
    """Key of the spend model beside it, where money was forecast."""
    spend_says: str = ""
    """Why that one, where there was a choice."""


def choose(
    folds: Folds,
    candidates: Sequence[Candidate],
    *,
    target: Target = "orders",
    draws: int = DRAWS,
    random_state: int = 0,
) -> Choice:
    """The candidate that the folds speak for, by the rule above; costs one fit and one scoring an origin each.

    Parameters
    ----------
    folds
        Origins, best made from a sample of customers (`make_folds` draws 20,000), which bounds the cost.
    candidates
        From the simpler to the less simple.
    target
        What is scored: orders, or value where the candidates forecast money.
    draws, random_state
        As for `run_backtest`.

    Raises
    ------
    InputError
        No candidate could be fitted.
    """
    found = forecast_all(folds, candidates, interval=None)
    return choice_of(found, target=target, draws=draws, random_state=random_state)


def choice_of(
    found: Backtest, *, target: Target = "orders", draws: int = DRAWS, random_state: int = 0
) -> Choice:
    """The candidate that a finished backtest speaks for.

    Parameters
    ----------
    found
        The backtest; its candidates from the simpler to the less simple.
    target, draws, random_state
        As for `choose`.

    Raises
    ------
    InputError
        There is no model to choose from.
    """
    losses = {
        c.key: np.concatenate([_crps(f, target) for f in found.forecasts[c.key]])
        for c in found.candidates
        if _scored(found.forecasts[c.key], target)
    }
    names = {c.key: c.name for c in found.candidates}
    models = [c.key for c in found.candidates if not c.naive and c.key in losses]
    if not models:
        raise InputError(f"There is no model to choose from. {' '.join(found.failures)}".strip())
    who, place = np.unique(np.concatenate([f.ids for f in found.folds]).astype(str), return_inverse=True)
    weight = resamples(len(who), draws, random_state)[:, place]
    mean = {key: float(loss.mean()) for key, loss in losses.items()}
    leader = min(models, key=lambda key: mean[key])
    error = {key: _standard_error(loss - losses[leader], weight) for key, loss in losses.items()}
    near = NO_DIFFERENCE * mean[leader]
    chosen = next(key for key in models if mean[key] - mean[leader] <= max(error[key], near))
    rival = min((r.key for r in RULES if r.key in mean), key=lambda key: mean[key])
    behind = spread(np.asarray(weighted_mean(losses[chosen] - losses[rival], weight)), MASS)
    ahead = mean[rival] < mean[chosen]
    says = _why(chosen, leader, rival, models, mean, error, names, target, found.folds)
    if ahead:
        says = _after_rule(says, names[chosen], names[rival], mean[rival], behind, target)
    table = [
        {
            "model": key, "name": names[key], "naive": key not in models, "crps": mean[key],
            "behind": mean[key] - mean[leader], "standard_error": error[key],
        }
        for key in sorted(mean, key=lambda key: mean[key])
    ]  # fmt: skip
    return Choice(chosen, names[chosen], says, table, ahead and behind.sign > 0)


def _scored(forecasts: Sequence[Forecast], target: Target) -> bool:
    return target == "orders" or all(f.value is not None for f in forecasts)


def _crps(forecast: Forecast, target: Target) -> Array:
    outlook = forecast.orders if target == "orders" else forecast.value
    assert outlook is not None
    return outlook.crps


def _standard_error(difference: Array, weight: Array) -> float:
    return float(np.std(np.asarray(weighted_mean(difference, weight)), ddof=1))


def _why(
    chosen: str, leader: str, rival: str, models: Sequence[str], mean: dict[str, float], error: dict[str, float],
    names: dict[str, str], target: Target, folds: Folds,
) -> str:  # fmt: skip
    what, own = UNITS[target], _number(mean[chosen])
    tested = f"over {count(len(folds), 'origin')}"
    if folds.sampled:
        tested += f" and {folds.sampled:,} customers drawn at random"
    if any(fold.late.any() for fold in folds):
        tested += " (late customers included)"
    others = [f"{names[k]} {_number(mean[k])}" for k in sorted(models, key=lambda k: mean[k]) if k != chosen]
    naive = f"{names[rival]}, the best rule without a model, {_number(mean[rival])}"
    told_before = mean[rival] < mean[chosen]
    if len(models) == 1:
        why = f"{names[chosen]} is the only model tested: its mean CRPS of {what} {tested} is {own}"
        lower = f"{naive}; lower is better"
    elif chosen == leader:
        why = f"{names[chosen]} has the lowest mean CRPS of {what} of {len(models)} models {tested}: {own}"
        lower = f"{listing(others)}; {naive}"
    elif mean[chosen] - mean[leader] <= NO_DIFFERENCE * mean[leader]:
        why = (
            f"{names[chosen]} is the simplest of {len(models)} models and within a thousandth of the lowest mean CRPS "
            f"of {what} {tested}: {own}"
        )
        lower = f"{listing(others)}; {naive}"
    else:
        gap = f"{mean[chosen] - mean[leader]:.2g}"
        why = (
            f"{names[chosen]} is the simplest of {len(models)} models whose mean CRPS of {what} {tested} lies within "
            f"one standard error of the lowest: {own}, {gap} above {names[leader]}, with a standard error of "
            f"{error[chosen]:.2g}"
        )
        lower = naive
    return f"{why} ({lower})." if not told_before else f"{why}."


def _after_rule(says: str, chosen: str, rule: str, score: float, behind: Spread, target: Target) -> str:
    """Why the model, with the rule without one that scores better before it."""
    what = f"{rule} has a mean CRPS of {UNITS[target]} of {_number(score)}, lower"
    if behind.sign > 0:
        return f"A rule without a model wins: {what} than that of {chosen}. Of the models, {says}"
    ends = f"{_number(behind.low)} to {_number(behind.high)}"
    return (
        f"{chosen} is level with a rule without a model: {what} by no more than chance (the difference lies in {ends} "
        f"in {MASS:.0%} of resamples). Of the models, {says}"
    )


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"
