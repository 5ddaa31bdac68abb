"""Numbers that are none, or none that is possible: the argument is named, and what it may be; nothing raw is raised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import EvervalueError

RNG = np.random.default_rng(1)
SEEN = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), RNG.uniform(50, 365, 80), RNG)
LENGTH = np.ceil(SEEN.t_x)
HISTORY = {
    "frequency": np.minimum(SEEN.x, LENGTH),
    "recency": LENGTH,
    "T": np.ceil(SEEN.T),
    "monetary_value": np.where(SEEN.x > 0, RNG.gamma(4.0, 10.0, 80), 0.0),
}
MODEL = ev.BetaGeo().fit(HISTORY, unit="D")
SPEND = ev.GammaGamma().fit(HISTORY)
CLV = ev.CLV.of(MODEL, SPEND)
ORDERS = pl.DataFrame(
    {
        "customer": [f"c{n % 20}" for n in range(200)],
        "order_date": [dt.date(2024, 1, 1) + dt.timedelta(days=(n * n * 7 + n) % 300) for n in range(200)],
        "monetary": [10 + n % 9 for n in range(200)],
    }
)
ASKED: dict[str, Any] = {"horizon": "60d", "origins": 1, "models": "bg-nbd", "spend": "none"}


def backtest(**given: Any) -> Any:
    return ev.backtest(ORDERS, **(ASKED | given))


NO_NUMBER: tuple[Any, ...] = ("a", None, True, [1], float("nan"))
TAKES: dict[str, tuple[Callable[[Any], Any], str, tuple[Any, ...]]] = {
    "interval": (lambda v: MODEL.predict(HISTORY, "30d", interval=v), "interval", (0, 1, -0.5)),
    "interval of value": (lambda v: CLV.predict(HISTORY, "30d", interval=v), "interval", (0, 1)),
    "interval learnt": (lambda v: CLV.recalibrate(HISTORY, LENGTH, LENGTH, "30d", v), "interval", (2,)),
    "rate": (lambda v: CLV.predict(HISTORY, "30d", v), "discount_rate_annual", (-1, -7, float("inf"))),
    "rate of orders": (
        lambda v: MODEL.discounted_expected_orders(HISTORY, "30d", discount_rate_annual=v),
        "discount_rate_annual",
        (-1,),
    ),
    "rate in words": (lambda v: CLV.says("30d", v), "discount_rate_annual", (-1,)),
    "margin": (lambda v: CLV.predict(HISTORY, "30d", margin=v), "margin", (0, -0.3, float("inf"))),
    "margin of a new customer": (lambda v: CLV.new_customer("30d", margin=v), "margin", (-1,)),
    "horizon": (lambda v: CLV.predict(HISTORY, v), "horizon", (-1, "6 months", {"days": 3}, dt.timedelta(-1))),
    "horizon of orders": (lambda v: MODEL.predict(HISTORY, v), "horizon", (-1,)),
    "time": (lambda v: MODEL.expected_orders(v), "time", (-1, object())),
    "draws": (lambda v: MODEL.posterior(v), "draws", (0, -1, 2.5)),
    "draws of spend": (lambda v: SPEND.posterior(v), "draws", (0,)),
    "posterior mass": (lambda v: MODEL.posterior(100).interval(v), "mass", (0, 1, 2)),
    "level": (lambda v: MODEL.profile(v), "level", (0, 1, 2)),
    "counts": (lambda v: MODEL.pmf("30d", v), "n_max", (-1, 0.5)),
    "counts of customers": (lambda v: MODEL.conditional_pmf(HISTORY, "30d", v), "n_max", (-1, 0.5)),
    "penalty": (lambda v: ev.BetaGeo(penalty=v).fit(HISTORY, unit="D"), "penalty", (-1,)),
    "penalty of spend": (lambda v: ev.GammaGamma(penalty=v).fit(HISTORY), "penalty", (-1,)),
    "prior of a parameter": (
        lambda v: ev.BetaGeo(prior={"r": v}).fit(HISTORY, unit="D"),
        "prior of 'r'",
        ((1,), (1, "x"), (0, 1), (1, 0), (1, 2, 3)),
    ),
    "interval of a backtest": (lambda v: backtest(interval=v), "interval", (0, 2)),
    "horizon of a backtest": (lambda v: backtest(horizon=v), "horizon", (0, "6 months", "inf")),
    "sample": (lambda v: backtest(sample=v or "a"), "sample", (-1, 2.5)),
}  # fmt: skip


@pytest.mark.parametrize("what", TAKES)
def test_what_is_no_possible_number_is_refused_by_name(what: str) -> None:
    call, name, others = TAKES[what]
    for value in (*NO_NUMBER, *others):
        with pytest.raises(EvervalueError) as error:
            call(value)
        assert name in str(error.value), value


MAY_BE_NONE: dict[str, tuple[Callable[[Any], Any], str, tuple[Any, ...]]] = {
    "shock": (lambda v: CLV.total(HISTORY, "30d", shock=v), "shock", ("a", True, [1], float("nan"), -1, 2)),
    "seed of draws": (lambda v: MODEL.posterior(10, random_state=v), "random_state", ("a", True, -1, 0.5)),
    "seed of a model": (
        lambda v: ev.BetaGeo(random_state=v).fit(HISTORY, unit="D").posterior(10), "random_state", ("a", -1)
    ),
    "prior": (lambda v: ev.BetaGeo(prior=v).fit(HISTORY, unit="D"), "prior", ("a", 1, [1], {"x": (1, 1)})),
    "seed of a backtest": (lambda v: backtest(random_state=v), "random_state", ("a", -1, 0.5)),
    "step": (lambda v: backtest(step=v), "step", ("a", True, 3, "0d")),
    "origins": (lambda v: backtest(origins=v), "origin", ("a", True, 0, -1, None, 2.5, [1])),
    "models": (lambda v: backtest(models=v), "models", (None, True, 2, [])),
    "covariates": (
        lambda v: ev.BetaGeo(transaction_covariates=v).fit(HISTORY, unit="D"),
        "transaction_covariates",
        (None, 2, [1], "a"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MAY_BE_NONE)
def test_what_may_be_left_out_is_refused_by_name_too(what: str) -> None:
    call, name, values = MAY_BE_NONE[what]
    for value in values:
        with pytest.raises(EvervalueError) as error:
            call(value)
        assert name in str(error.value), value
