"""Which models a run predicts value with: tested on the company's own past, fitted, or a rule where nothing fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evervalue.core.errors import FitFailed, InputError
from evervalue.core.text import count
from evervalue.models.candidate import ModelCandidate
from evervalue.models.choice import Choice
from evervalue.models.histories import Distinct, Histories
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import MODELS, RegularBetaGeo
from evervalue.models.recalibration import Recalibration, learnt
from evervalue.pipeline.backtest import FEW, SPENDS, USUAL, Tested, backtested
from evervalue.pipeline.settings import Settings, ValueSettings
from evervalue.warehouse.duckdb import Connection

SHORTEST = 28
"""Days of a window below which a backtest says nothing."""
ORIGINS = 3
SAMPLE = 10_000
"""Most customers that a run tests on: a backtest of its own (`evervalue backtest`) takes more."""


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

    The window is the horizon asked for, or half of what has been seen where that is shorter; `ORIGINS` origins, at most
    `SAMPLE` customers.
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
        tested = backtested(
            con,
            horizon=f"{window}d",
            origins=ORIGINS,
            models=asked.model,
            spend=asked.spend,
            interval=asked.interval,
            sample=SAMPLE,
            currency=settings.project.currency,
        )
    except (InputError, FitFailed) as error:
        return None, f"no backtest was possible ({error})".rstrip(".")
    return (
        tested,
        "" if tested.choice else "none could be fitted to what was known at the origins of a backtest",
    )


def recalibration(tested: Tested, asked: ValueSettings) -> tuple[Recalibration | None, str]:
    """What the last origin says of the chosen models' laws, and where it says nothing, why not."""
    fold = tested.found.folds[-1]
    if fold.horizon_days != asked.ahead.days:
        return None, (
            f"Not recalibrated: only {count(fold.horizon_days, 'day')} after an origin could be seen, and the horizon "
            f"is {asked.ahead}."
        )
    key = tested.choice.model if tested.choice else None
    chosen = next((c for c in tested.found.candidates if c.key == key), None)
    if not isinstance(chosen, ModelCandidate) or chosen.spend is None:
        return None, "Not recalibrated: there is no spend model to correct with."
    return learnt(
        chosen.fitted(fold),
        chosen.spend.fitted(fold),
        fold.history_with(*fold.extra),
        float(fold.horizon_days),
        fold.actual_orders,
        fold.actual_value,
        interval=asked.interval,
        horizon_days=float(fold.horizon_days),
        ids=fold.ids,
    ), ""


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
        return f"{model.name} was asked for."
    if failed:
        return f"{model.name} stands in for the model that was chosen: {failed[0]}"
    if choice is not None:
        return choice.says
    return f"{model.name}, the simplest model, is taken untested: {untested}."


def spend(history: Histories, asked: ValueSettings, choice: Choice | None) -> Part:
    """The fitted spend model, or a part without one that says why.

    Every purchase day counts, the first one too: ranks of customers by value are better for it, and who has not come
    back yet is told apart by the first day. Margins are taken as they are, also where a day's sales lost money; returns
    are no purchase days and have no part in it.

    Parameters
    ----------
    history
        Every customer.
    asked
        Settings.
    choice
        What the backtest speaks for. Without one Gamma-Gamma is taken where few customers spent nothing or less on the
        whole, else normal spend.
    """
    failed: list[str] = []
    for key in _spend_order(history, asked, choice):
        try:
            model = SPENDS[key](**_arguments(key)).fit(history)
        except (FitFailed, InputError) as error:
            failed.append(str(error))
            continue
        return Part(
            "spend", model, model.name, model.key, _why_spend(model.name, asked, choice, failed),
            [f.says for f in model.findings_],
        )  # fmt: skip
    return Part("spend", says=failed[0] if failed else "")


def _arguments(key: str) -> dict[str, Any]:
    """As the backtest fits it."""
    found: dict[str, Any] = {"spend": "all"}
    return found | {"not_positive": "leave_out"} if key == "gamma-gamma" else found


def _spend_order(history: Histories, asked: ValueSettings, choice: Choice | None) -> Sequence[str]:
    if asked.spend != "auto":
        return (asked.spend,)
    lost = float((history.extra["monetary"] <= 0).mean()) if len(history) else 0.0
    usual = ("gamma-gamma", "normal-spend") if lost <= FEW else ("normal-spend",)
    first = [choice.spend] if choice and choice.spend else []
    return (*first, *(key for key in usual if key not in first))


def _why_spend(name: str, asked: ValueSettings, choice: Choice | None, failed: Sequence[str]) -> str:
    if asked.spend != "auto":
        return f"{name} was asked for."
    if failed:
        return f"{name} stands in for the spend model that was chosen: {failed[0]}"
    if choice is not None and choice.spend_says:
        return choice.spend_says
    if choice is not None and choice.spend:
        return f"{name} is the one spend model that takes these amounts."
    return f"{name} is taken untested."
