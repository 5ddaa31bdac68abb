"""A backtest over the tables of a run: the candidates that were asked for, tested on folds, and the rows that it lands.

Used by `ev.backtest`, by `evervalue backtest` and by a run that chooses its own model.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evervalue.core.duration import duration
from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean
from evervalue.models.backtest import DRAWS, Backtest, run_backtest
from evervalue.models.candidate import ModelCandidate, SpendCandidate
from evervalue.models.choice import Choice, choice_of
from evervalue.models.fold import Folds
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import MODELS
from evervalue.models.spend import GammaGamma, NormalSpend, SpendModel
from evervalue.pipeline.folds import SAMPLE, make_folds
from evervalue.warehouse.duckdb import Connection, insert

USUAL = ("mbg-nbd", "bg-nbd", "pareto-nbd")
"""Candidates of "auto", from the simpler to the less simple. MBG/NBD stands before BG/NBD, which takes every customer
without a repeat for active for certain."""
SPENDS: dict[str, type[SpendModel]] = {"gamma-gamma": GammaGamma, "normal": NormalSpend}
ROWS = (
    "target text, origin date, customers text, model text, model_name text, naive boolean, measure text, value double, "
    "n bigint, best_naive text, difference double, difference_low double, difference_high double, verdict text"
)


@dataclass(frozen=True)
class Tested:
    """A backtest and what it speaks for."""

    found: Backtest
    choice: Choice


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
        "auto", a key, a model, or several of them from the simpler to the less simple.
    spend
        "auto", a key, "none".
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
    folds = make_folds(
        con,
        horizon_days=duration(horizon).days,
        origins=origins,
        step_days=None if step is None else int(duration(step).days),
        as_of=as_of,
        sample=sample,
        random_state=random_state,
        currency=currency,
    )
    chosen = candidates(models, spend, folds)
    found = run_backtest(folds, chosen, interval=interval, draws=draws, random_state=random_state)
    return Tested(found, choice_of(found, draws=draws, random_state=random_state))


def candidates(models: Any, spend: Any, folds: Folds) -> list[ModelCandidate]:
    """The candidates that were asked for.

    Parameters
    ----------
    models, spend
        As for `backtested`.
    folds
        What "auto" looks at: Gamma-Gamma needs every customer's mean repeat purchase to be above zero.

    Raises
    ------
    SettingsError
        There is no such model.
    """
    if isinstance(models, str) and models == "auto":
        models = USUAL
    asked = [models] if isinstance(models, str | PurchaseModel) else list(models)
    if not asked:
        raise SettingsError("models is empty: name one at least, or 'auto'.")
    money = _spend(spend, folds)
    found = [ModelCandidate(_model(one), money) for one in asked]
    keys = [c.key for c in found]
    if len(set(keys)) < len(keys):
        raise SettingsError(f"models names '{max(keys, key=keys.count)}' twice.")
    return found


def usual_spend(folds: Folds) -> SpendModel:
    """Gamma-Gamma where every customer's mean repeat purchase is above zero at every origin, else normal spend."""
    positive = all((f.monetary_value[f.frequency > 0] > 0).all() for f in folds)
    return GammaGamma() if positive else NormalSpend()


def _spend(asked: Any, folds: Folds) -> SpendCandidate | None:
    if asked is None or (isinstance(asked, str) and asked == "none"):
        return None
    if isinstance(asked, SpendModel):
        return SpendCandidate(asked)
    if isinstance(asked, str) and asked == "auto":
        return SpendCandidate(usual_spend(folds))
    if isinstance(asked, str) and asked in SPENDS:
        return SpendCandidate(SPENDS[asked]())
    hint = did_you_mean(asked, SPENDS) if isinstance(asked, str) else ""
    raise SettingsError(
        f"{asked!r} is no spend model{hint}. There are: auto, {', '.join(SPENDS)}, none, and models such as "
        "ev.GammaGamma()."
    )


def _model(one: Any) -> PurchaseModel:
    if isinstance(one, PurchaseModel):
        return one
    if isinstance(one, str) and one in MODELS:
        return MODELS[one]()
    hint = did_you_mean(one, MODELS) if isinstance(one, str) else ""
    raise SettingsError(
        f"{one!r} is no model{hint}. There are: {', '.join(MODELS)}, and models such as ev.BetaGeo()."
    )


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
