"""Contracts of a telephone company: model survival against the product-limit estimate, month by month."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import evervalue as ev
from evervalue.numerics.arrays import Array


@pytest.fixture(scope="module")
def read() -> Callable[[Path, str], dict[str, Array]]:
    def contracts(folder: Path, kind: str) -> dict[str, Array]:
        whole: Any = pd.read_csv(folder / "telco_customer_churn.csv.gz")
        mine = whole[whole["Contract"] == kind]
        return {"periods": mine["tenure"].to_numpy(), "churned": (mine["Churn"] == "Yes").to_numpy()}

    return contracts


def product_limit(data: dict[str, Array], months: int) -> Array:
    t = np.arange(1, months + 1)
    at_risk = (data["periods"] >= t[:, None]).sum(axis=1)
    lost = ((data["periods"] == t[:, None]) & data["churned"]).sum(axis=1)
    return np.asarray(np.cumprod(1 - lost / at_risk))


def test_month_to_month(shared_data: Callable[[str], Path], read: Callable[..., dict[str, Array]]) -> None:
    """3,875 contracts, 1,655 ended. Retention rises with tenure; churn that falls alike for all tells it better."""
    data = read(shared_data("telco_churn"), "Month-to-month")
    months = np.arange(1, 49)
    actual = product_limit(data, 48)
    plain, aging = ev.ShiftedBetaGeo().fit(data), ev.BetaDiscreteWeibull().fit(data)

    assert plain.n_customers_ == 3_875
    assert np.abs(plain.survival(months) - actual).max() < 0.06
    assert np.abs(aging.survival(months) - actual).max() < 0.04
    assert aging.log_likelihood_ > plain.log_likelihood_ + 100
    assert {f.code for f in aging.findings_} == {"duration_dependence", "same_churn"}
    assert aging.params_["c"] == pytest.approx(0.604, abs=0.005)


def test_one_year(shared_data: Callable[[str], Path], read: Callable[..., dict[str, Array]]) -> None:
    """Churn that comes late: one rate for all misses it, and the fit says what it sees."""
    data = read(shared_data("telco_churn"), "One year")
    plain = ev.ShiftedBetaGeo().fit(data)
    assert [f.code for f in plain.findings_] == ["same_churn"]
    assert "0.3% a period" in plain.findings_[0].says
    aging = ev.BetaDiscreteWeibull().fit(data)
    assert aging.findings_[0].says.startswith("Customers become more likely to leave with tenure")
