"""A penalty that is not lifetimes' own is not taken for it in silence: a fit says so, once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from evervalue.compat.lifetimes import BetaGeoBetaBinomFitter, BetaGeoFitter, GammaGammaFitter
from evervalue.compat.lifetimes.fitter import Fitter

RNG = np.random.default_rng(2)
T = RNG.uniform(10, 40, 100)
X = RNG.poisson(T * RNG.gamma(1.0, 0.1, 100)).astype(float)
LAST = np.where(X > 0, T * RNG.random(100), 0.0)
FITS: dict[str, Any] = {
    "orders": lambda coef: BetaGeoFitter(penalizer_coef=coef).fit(X, LAST, T),
    "spend": lambda coef: GammaGammaFitter(penalizer_coef=coef).fit(
        X[X > 0], 10 + 5 * RNG.random((X > 0).sum())
    ),
    "opportunities": lambda coef: BetaGeoBetaBinomFitter(penalizer_coef=coef).fit(
        [0, 1, 1, 2, 2, 3], [0, 1, 3, 2, 3, 3], [3] * 6, weights=[400, 150, 60, 90, 110, 190]
    ),
}


@pytest.mark.parametrize("what", FITS)
def test_a_penalty_is_told_once(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fitter, "_told", False)
    with pytest.warns(UserWarning, match="penalizer_coef=0.01 weighs the squared logarithms") as told:
        FITS[what](0.01)
    assert "lifetimes" in str(told[0].message)
    assert "penalizer_coef=0" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FITS[what](0.01)


@pytest.mark.parametrize("what", FITS)
def test_without_a_penalty_nothing_is_said(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fitter, "_told", False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FITS[what](0.0)
