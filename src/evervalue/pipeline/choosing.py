"""Which models a run predicts value with: tested on the company's own past, fitted, or a rule where nothing fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evervalue.core.errors import FitFailed, InputError
from evervalue.core.text import count
from evervalue.models.choice import Choice
from evervalue.models.histories import Distinct, Histories
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import MODELS, RegularBetaGeo
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.pipeline.backtest import USUAL, Tested, backtested
from evervalue.pipeline.settings import Settings, ValueSettings
from evervalue.warehouse.duckdb import Connection

SPEND = {model.key: model for model in (GammaGamma, NormalSpend)}
SHORTEST = 28
"""Days of a window below which a backtest says nothing."""
ORIGINS = 3


@dataclass
class Part:
    """One half of the prediction: when customers buy ("orders"), or what they spend ("spend")."""

    role: str
    model: Any = None
    """The fitted estimator; None where a rule stands in."""
    name: str = "none"
    key: str = "none"
    says: str = ""
    """Why this one."""
    findings: list[str] = field(default_factory=list)
    reused: bool = False


def test(con: Connection, settings: Settings) -> tuple[Tested | None, str]:
    """The backtest that a run can afford, and where there is none, why not.

    The window is the horizon asked for, or half of what has been seen where that is shorter; three origins, at most
    20,000 customers.
    """
    asked = settings.value
    seen, _ = con.execute(
        "select (select as_of from customers.cutoff) - min(first_order_date), count(*) from customers.purchase_history"
    ).fetchone() or (None, 0)
    window = int(min(asked.ahead.days, (seen or 0) // 2))
    if window < SHORTEST:
        return None, (
            f"{count(seen or 0, 'day')} of orders are too few to test a forecast on (it takes {2 * SHORTEST})"
        )
    try:
        return backtested(
            con,
            horizon=f"{window}d",
            origins=ORIGINS,
            models=list(USUAL) if asked.model == "auto" else asked.model,
            spend="none",
            interval=asked.interval,
            currency=settings.project.currency,
        ), ""
    except (InputError, FitFailed) as error:
        return None, f"no backtest was possible ({error})".rstrip(".")


def purchase(
    data: Distinct, asked: ValueSettings, choice: Choice | None, untested: str, intervals: float
) -> Part:
    """The fitted purchase model, or a part without one that says why.

    Parameters
    ----------
    data
        Distinct histories, in days.
    asked
        Settings.
    choice
        What the backtest speaks for.
    untested
        Why there was none, where there was none.
    intervals
        Sum of the logarithms of all intervals between purchase days.
    """
    order = _order(asked, choice)
    failed: list[str] = []
    for key in order:
        try:
            model = _fitted(key, data, intervals)
        except (FitFailed, InputError) as error:
            failed.append(str(error))
            continue
        says = _why(model, asked, choice, untested, failed)
        return Part("orders", model, model.name, model.key, says, [f.says for f in model.findings_])
    return Part("orders", says=failed[0] if failed else "")


def _order(asked: ValueSettings, choice: Choice | None) -> Sequence[str]:
    if asked.model != "auto":
        return (asked.model,)
    first = [choice.model] if choice else []
    return (*first, *(key for key in USUAL if key not in first))


def _fitted(key: str, data: Distinct, intervals: float) -> PurchaseModel:
    if key == RegularBetaGeo.key:
        return RegularBetaGeo("auto").fit_distinct(data, unit="D", log_interval_sum=intervals)
    return MODELS[key]().fit_distinct(data, unit="D")


def _why(
    model: PurchaseModel, asked: ValueSettings, choice: Choice | None, untested: str, failed: Sequence[str]
) -> str:
    if asked.model != "auto":
        return f"{model.name} was asked for in the settings."
    if failed:
        return f"{model.name} stands in for the model that was chosen: {failed[0]}"
    if choice is not None:
        return choice.says
    return f"{model.name}, the simplest model, is taken unseen: {untested}."


def spend(history: Histories, asked: ValueSettings) -> Part:
    """The fitted spend model, or a part without one that says why.

    Every purchase day counts, the first one too: ranks of customers by value are better for it, and who has not come
    back yet is told apart by the first day. Gamma-Gamma takes amounts above zero alone, so that where any day brought
    nothing or lost money the normal model takes its place.
    """
    lost = int((history.extra["least_monetary"] <= 0).sum())
    usual = ("normal-spend",) if lost else ("gamma-gamma", "normal-spend")
    failed: list[str] = []
    for key in usual if asked.spend == "auto" else (asked.spend,):
        try:
            model = SPEND[key](spend="all").fit(history)
        except (FitFailed, InputError) as error:
            failed.append(str(error))
            continue
        says = (
            f"{model.name} was asked for in the settings."
            if asked.spend != "auto"
            else f"{model.name} stands in for Gamma-Gamma: {failed[0]}"
            if failed
            else f"{model.name} tells what they spend: {count(lost, 'customer')} had a day at or below zero."
            if lost
            else f"{model.name} tells what they spend."
        )
        return Part("spend", model, model.name, model.key, says, [f.says for f in model.findings_])
    return Part("spend", says=failed[0] if failed else "")
