"""What the Models page says: each measure in a sentence, and what the backtest found, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evervalue.core.text import joined
from evervalue.dashboard.formats import Formats

ROLES = {"orders": "When customers buy and leave", "spend": "What they spend"}
TARGETS = {"value": "Money", "orders": "Orders"}
FAR = 0.05
"""Share by which intervals may hold less than they say before it is told as too narrow."""


@dataclass(frozen=True)
class Measure:
    """One measure of error, as a reader who is no statistician should know it."""

    name: str
    short: str
    """Head of its column."""

    says: str
    better: str
    """'low', 'high' or 'zero': where a good forecast lies."""

    is_share: bool = False
    is_money: bool = False
    """In the unit of what is forecast: money where that is money."""


MEASURES = {
    "crps": Measure(
        "Error of the whole forecast (CRPS)",
        "CRPS",
        "How far the forecast with its uncertainty lies from what came. Models are chosen by it.",
        "low",
        is_money=True,
    ),
    "mae": Measure(
        "Mean absolute error",
        "MAE",
        "How far the expected value lies from what came, a customer.",
        "low",
        is_money=True,
    ),
    "rmse": Measure(
        "Root mean squared error", "RMSE", "The same, with large misses counting more.", "low", is_money=True
    ),
    "bias": Measure(
        "Bias of the total",
        "Bias",
        "How much more (or less) was expected of all together than came.",
        "zero",
        is_share=True,
    ),
    "spearman": Measure(
        "Rank correlation (Spearman)",
        "Ranks",
        "Whether customers come in the right order: 1 is perfect, 0 is chance.",
        "high",
    ),
    "normalised_gini": Measure(
        "Ranking by what came (Gini)",
        "Gini",
        "How well the forecast puts the customers first who bring most: 1 is perfect.",
        "high",
    ),
    "top_decile_capture": Measure(
        "Found by the best tenth",
        "Best tenth",
        "Share of everything that came from the tenth with the highest forecasts.",
        "high",
        is_share=True,
    ),
    "decile_mape": Measure(
        "Error by tenths",
        "Tenths",
        "How far the mean forecast of a tenth of customers lies from what came, as a share.",
        "low",
        is_share=True,
    ),
}
"""What tells forecasts apart, the most telling first; docs/methods/backtest.md defines each."""
DEFAULT_MEASURE = "crps"


def written(measure: str, value: float | None, target: str, formats: Formats) -> str:
    """A measure in its own notation."""
    about = MEASURES[measure]
    if value is None:
        return "–"
    if about.is_share:
        return formats.percent(value, 1)
    if about.is_money and target == "value":
        return formats.money(value) if abs(value) < 100 else formats.whole_money(value)
    return formats.number(value, 3)


def headline(measured: Sequence[Mapping[str, Any]], fits: Sequence[Mapping[str, Any]]) -> str:
    """The finding of the page: whether the models are worth having."""
    if not fits or all(fit["model_key"] == "none" for fit in fits):
        return "No model predicts value in this run"
    if not any(fit["is_fitted"] for fit in fits if fit.get("role", "orders") == "orders"):
        return "No model fits when these customers buy; a rule stands in"
    row = next((r for r in measured if r["is_chosen"] and r["measure"] == DEFAULT_MEASURE), None)
    if row is None:
        return "The models are fitted, and could not be tested on the past"
    return {
        "better": "Tested on the past, the models forecast better than every rule without a model",
        "worse": "Tested on the past, a rule without a model forecast better than the models",
    }.get(
        row["verdict"] or "",
        "Tested on the past, the models forecast as well as the best rule without a model",
    )


def beaten(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """By which measures a rule without a model is better by more than chance; empty where by none."""
    lost = [
        f"{MEASURES[row['measure']].name.lower()} of {TARGETS[target].lower()} ({row['best_naive']})"
        for target in TARGETS
        for row in tables.get(target, ())
        if row["is_chosen"] and row["verdict"] == "worse" and row["measure"] in MEASURES
    ]
    return f"A rule without a model is better by {joined(lost)}." if lost else ""


def compared(rows: Sequence[Mapping[str, Any]], measure: str, target: str, formats: Formats) -> str:
    """The finding of the comparison by one measure: the model of the run beside the best rule."""
    about = MEASURES[measure]
    chosen = next((r for r in rows if r["is_chosen"]), None)
    if chosen is None or chosen["value"] is None:
        return f"{about.name}, model by model"
    rule = next((r for r in rows if r["naive"] and r["model"] == chosen["best_naive"]), None)
    reached = written(measure, chosen["value"], target, formats)
    if rule is None or rule["value"] is None:
        return f"{about.name}: {chosen['model_name']} reaches {reached}"
    against = written(measure, rule["value"], target, formats)
    verdict = {"better": "better than", "worse": "worse than"}.get(chosen["verdict"] or "", "level with")
    return (
        f"{about.name}: {chosen['model_name']} with {reached} is {verdict} the best rule, {rule['model_name']}, "
        f"with {against}"
    )


def calibrated(rows: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """The finding of the calibration: how many tenths of the customers brought more than was expected."""
    known = [r for r in rows if r["predicted"] is not None and r["actual"] is not None]
    if not known:
        return "Expected against actual, by tenth of the customers"
    more = sum(r["actual"] > r["predicted"] for r in known)
    less = sum(r["actual"] < r["predicted"] for r in known)
    if more == len(known):
        return "Every tenth of the customers brought more than was expected of it"
    if less == len(known):
        return "Every tenth of the customers brought less than was expected of it"
    some = f"{formats.number(more)} of {formats.number(len(known))}"
    return f"{some} tenths of the customers brought more than was expected"


def covered(row: Mapping[str, Any] | None, formats: Formats) -> str:
    """The finding of coverage: how often what came lay inside, beside what the intervals say they hold."""
    if row is None or row["coverage"] is None:
        return "Whether intervals held cannot be told"
    held = formats.percent(row["coverage"])
    if row["interval_mass"] is None:
        return f"What came lay inside the interval for {held} of customers"
    asked = formats.percent(row["interval_mass"])
    short = row["coverage"] - row["interval_mass"]
    word = "too narrow" if short < -FAR else "wider than needed" if short > FAR else "about right"
    return f"Intervals held {held} of what came where they say {asked}: {word}"
