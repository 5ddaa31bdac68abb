"""A backtest over the tables of a run: the candidates that were asked for, tested on folds, and the rows that it lands.

Used by `ev.backtest`, by `evervalue backtest` and by a run that chooses its own model.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from evervalue.core.arguments import seed_of
from evervalue.core.duration import duration
from evervalue.core.errors import FitFailed, InputError, SettingsError
from evervalue.core.text import did_you_mean
from evervalue.models.backtest import DRAWS, Backtest
from evervalue.models.backtest_measures import run_backtest
from evervalue.models.candidate import ModelCandidate, SpendCandidate
from evervalue.models.choice import Choice, choice_of, choose
from evervalue.models.clv import CLV
from evervalue.models.fold import Fold, Folds
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import MODELS, RegularBetaGeo
from evervalue.models.regularity import with_regular_timing
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.predictive.intervals import asked_mass
from evervalue.pipeline.folds import SAMPLE, make_folds
from evervalue.warehouse.duckdb import Connection, insert

USUAL = ("mbg-nbd", "bg-nbd", "pareto-nbd")
"""Candidates of "auto", from the simpler to the less simple; `with_regular_timing` may add one. MBG/NBD stands before
BG/NBD, which takes every customer without a repeat for active for certain."""
SPENDS: dict[str, type[SpendModel]] = {model.key: model for model in (GammaGamma, NormalSpend)}
FEW = 0.01
"""Share of customers without positive spend up to which Gamma-Gamma is tested."""
NO_MODEL = (
    "No model could be fitted, so rules without a model are alone; they say nothing of who is still active."
)
ROWS = (
    "target text, origin date, customers text, model text, model_name text, naive boolean, measure text, value double, "
    "n bigint, best_naive text, difference double, difference_low double, difference_high double, verdict text"
)


@dataclass(frozen=True)
class Tested:
    """A backtest and what it speaks for."""

    __test__: ClassVar[bool] = False  # no test case, whatever it is called
    found: Backtest
    choice: Choice | None
    """None where no model stands in the table."""

    @property
    def says(self) -> list[str]:
        """Why that model, and that spend model, with numbers; or that there is none."""
        if self.choice is None:
            return [NO_MODEL]
        return [says for says in (self.choice.says, self.choice.spend_says) if says]


def backtested(
    con: Connection,
    *,
    horizon: Any,
    origins: int | Sequence[dt.date] = 3,
    models: Any = "auto",
    spend: Any = "auto",
    interval: float = 0.9,
    step: Any = None,
    as_of: dt.date | None = None,
    sample: int | None = SAMPLE,
    draws: int = DRAWS,
    random_state: int = 0,
    currency: str | None = None,
) -> Tested:
    """The backtest of the models on the orders of a run.

    Parameters
    ----------
    con
        A connection whose current database has the tables that `folds.READS` names.
    horizon
        Length of the window after each origin: "39W", "365d".
    origins, sample, as_of
        As for `make_folds`.
    models
        "auto" (those of `USUAL`, and MBG/CNBD-k where intervals are regular), a key, a model, or several of them from
        the simpler to the less simple.
    spend
        "auto" (tests `usual_spends` with the chosen purchase model), a key, a model, or "none" for orders alone.
    interval
        Mass that the forecasts' intervals shall hold.
    step
        Time between origins; by default so that they spread evenly over the history.
    draws, random_state
        Of the bootstrap; the seed draws the sample too.
    currency
        Of the money.

    Raises
    ------
    InputError, SettingsError
        There is too little to test on, or an argument is impossible.
    """
    purchases, interval, random_state = _purchases(models), asked_mass(interval), seed_of(random_state)
    folds = make_folds(
        con,
        horizon_days=duration(horizon, "horizon", endless=False).days,
        origins=origins,
        step_days=None if step is None else _days_apart(step),
        as_of=as_of,
        sample=sample,
        random_state=random_state,
        currency=currency,
    )
    alone = [ModelCandidate(model) for model in purchases]
    if isinstance(models, str) and models == "auto":
        alone, says = with_regular_timing(alone, folds)
        folds = replace(folds, notes=[*folds.notes, *([says] if says else [])])
    standing = [fold for fold in folds if any(_why_not(c.fitted, fold) is None for c in alone)]
    spends, notes = _that_fit(_spends(spend, folds), standing)
    folds = replace(folds, notes=[*folds.notes, *notes])
    chosen = (
        _spend_choice(folds, alone, spends, draws, random_state) if standing and len(spends) > 1 else None
    )
    money = next((s for s in spends if chosen is None or s.model.key == chosen.spend), None)
    with_money = [replace(c, spend=money) for c in alone]  # what has been fitted stays fitted
    found = run_backtest(folds, with_money, interval=interval, draws=draws, random_state=random_state)
    if all(c.naive for c in found.candidates):
        return Tested(found, None)
    choice = choice_of(found, draws=draws, random_state=random_state)
    key = money.model.key if money else None
    return Tested(found, replace(choice, spend=key, spend_says=chosen.says if chosen else ""))


def _days_apart(step: Any) -> int:
    days = duration(step, "step", endless=False).days
    if not 1 <= days < math.inf:
        raise SettingsError(
            f"step={step!r} is impossible: origins lie one day apart at least, such as '13W'."
        )
    return int(days)


def usual_spends(folds: Folds) -> list[SpendModel]:
    """Spend models that "auto" tests, the simpler first: Gamma-Gamma and normal spend, each on all purchase days.

    Gamma-Gamma knows no amount at or below zero. Where at some origin more than `FEW` of the customers spent that
    little on the whole it is not tested; fewer are left out of its fit.
    """
    lost = max(float((f.extra["monetary"] <= 0).mean()) for f in folds)
    normal = NormalSpend(spend="all")
    return [GammaGamma(spend="all", not_positive="leave_out"), normal] if lost <= FEW else [normal]


def _why_not(fit: Callable[[Fold], object], fold: Fold) -> str | None:
    """Why something cannot be fitted at an origin; None where it can."""
    try:
        fit(fold)
    except (FitFailed, InputError) as error:
        return str(error)
    return None


def _that_fit(
    spends: Sequence[SpendCandidate], standing: Sequence[Fold]
) -> tuple[list[SpendCandidate], list[str]]:
    """Spend models that can be fitted at every origin, and in sentences why the others cannot."""
    kept, notes = [], []
    for one in spends:
        faults = ((fold.origin, _why_not(one.fitted, fold)) for fold in standing)
        origin, why = next(((origin, why) for origin, why in faults if why is not None), (None, None))
        if why is None:
            kept.append(one)
        else:
            notes.append(f"{one.model.name} cannot be fitted at {origin}: {why}")
    if spends and not kept:
        return kept, [f"Money is not forecast: {notes[0]}", *notes[1:]]
    return kept, notes


def _spend_choice(
    folds: Folds, alone: Sequence[ModelCandidate], spends: Sequence[SpendCandidate], draws: int, seed: int
) -> Choice | None:
    """The spend model that has the better law of money, with the purchase model that has the better law of orders.

    None where no purchase model stands at all origins.
    """
    try:
        key = choose(folds, alone, draws=draws, random_state=seed).model
        (best,) = [c for c in alone if c.key == key]
        both = [replace(best, spend=one, apart=True) for one in spends]
        found = choose(folds, both, target="value", draws=draws, random_state=seed)
    except InputError:
        return None
    return replace(found, spend=found.model.partition("+")[2])


def _purchases(models: Any) -> list[PurchaseModel]:
    if isinstance(models, str) and models == "auto":
        models = USUAL
    if isinstance(models, str | PurchaseModel | CLV):
        models = [models]
    asked = list(models) if isinstance(models, Iterable) else []
    if not asked:
        raise SettingsError(
            f"models={models!r} names no model: give 'auto', a key such as 'bg-nbd', a model, or a list of them."
        )
    found = [_model(one) for one in asked]
    keys = [model.key for model in found]
    if len(set(keys)) < len(keys):
        raise SettingsError(f"models names '{max(keys, key=keys.count)}' twice.")
    return found


def _spends(asked: Any, folds: Folds) -> list[SpendCandidate]:
    if asked is None or (isinstance(asked, str) and asked == "none"):
        return []
    if isinstance(asked, SpendModel):
        return [SpendCandidate(asked)]
    if isinstance(asked, str) and asked == "auto":
        return [SpendCandidate(model) for model in usual_spends(folds)]
    if isinstance(asked, str) and asked in SPENDS:
        return [SpendCandidate(SPENDS[asked](spend="all"))]
    if isinstance(asked, str):
        hint, others = did_you_mean(asked, SPENDS), ""
    else:
        hint, others = "", ", and models such as ev.GammaGamma()"
    raise SettingsError(
        f"{asked!r} is no spend model{hint}. There are: auto, {', '.join(SPENDS)}, none{others}."
    )


def _model(one: Any) -> PurchaseModel:
    if isinstance(one, CLV):
        raise SettingsError(
            "A backtest takes the two halves of ev.CLV apart: models=ev.ParetoNBD(), spend=ev.GammaGamma()."
        )
    if isinstance(one, PurchaseModel):
        return one
    if one == RegularBetaGeo.key:
        return RegularBetaGeo("auto")  # as a run fits it
    if isinstance(one, str) and one in MODELS:
        return MODELS[one]()
    if isinstance(one, str):
        hint, others = did_you_mean(one, MODELS), ""
    else:
        hint, others = "", ", and models such as ev.BetaGeo()"
    raise SettingsError(f"{one!r} is no model{hint}. There are: {', '.join(MODELS)}{others}.")


def land_rows(con: Connection, found: Backtest, table: str) -> None:
    """Adds one row a model and measure to a table that has the columns `ROWS`, in order.

    A measure that cannot be told (a rank correlation of constants) lands as null; a log score is -inf where something
    happened that was held to be impossible.
    """
    insert(
        con,
        table,
        (
            [r.target, r.origin, r.customers, r.model, r.name, r.naive, r.measure, told(r.value), r.n, r.best_naive,
             told(r.difference), told(r.difference_low), told(r.difference_high), r.verdict]
            for r in found.rows
        ),
    )  # fmt: skip


def told(value: float | None) -> float | str | None:
    """A number as a literal of the engine can hold it: null for NaN, text for the infinite."""
    if value is None or np.isnan(value):
        return None
    return value if np.isfinite(value) else ("inf" if value > 0 else "-inf")
