"""Gamma-Gamma on the CDNOW sample against what was published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.numerics.spend import gamma_gamma
from tests.support import cdnow

# Fader and Hardie (2013), printed to two places with their spreadsheet; the first ten customers by id.
HARDIE = (24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17)
# The same as the documentation of lifetimes prints it, at an optimum of its own (p 6.25, q 3.74, v 15.45).
LIFETIMES = (
    24.658616,
    18.911480,
    35.171003,
    35.171003,
    35.171003,
    71.462851,
    18.911480,
    35.171003,
    27.282408,
)


@pytest.fixture(scope="module")
def history() -> dict[str, Any]:
    found = cdnow.calibration()
    return {name: found[name] for name in ("frequency", "monetary_value")}


@pytest.fixture(scope="module")
def model(history: dict[str, Any]) -> ev.GammaGamma:
    return ev.GammaGamma().fit(history)


def test_estimates_and_likelihood(model: ev.GammaGamma) -> None:
    assert model.n_customers_ == 946
    assert model.params_ == pytest.approx({"p": 6.24957, "q": 3.74422, "v": 15.44353}, abs=1e-4)
    assert model.log_likelihood_ == pytest.approx(-4055.9177, abs=1e-3)
    assert model.expected_order_value_ == pytest.approx(35.171, abs=1e-3)


def test_likelihood_at_the_estimates_as_printed(history: dict[str, Any]) -> None:
    ll = gamma_gamma.log_likelihood((6.25, 3.74, 15.44), history["frequency"], history["monetary_value"])
    assert float(ll.sum()) == pytest.approx(-4055.92, abs=0.005)


def test_expected_spend_of_single_customers(model: ev.GammaGamma, history: dict[str, Any]) -> None:
    found = model.predict(history)["expected_order_value"]
    assert found[:10] == pytest.approx(HARDIE, abs=0.006)
    assert found[:9] == pytest.approx(LIFETIMES, abs=0.006)
    # Means over the sample, as lifetimes prints them: of all expectations, and of repeat buyers' own means.
    assert found.mean() == pytest.approx(35.2529588, abs=0.001)
    own = history["monetary_value"][history["frequency"] > 0].mean()
    assert own == pytest.approx(35.078551797, abs=0.001)


def test_correlation_as_printed(history: dict[str, Any]) -> None:
    """The documentation of lifetimes prints 0.113884 for the correlation of the plain numbers."""
    repeats = history["frequency"] > 0
    found = np.corrcoef(history["frequency"][repeats], history["monetary_value"][repeats])[0, 1]
    assert found == pytest.approx(0.113884, abs=1e-5)
