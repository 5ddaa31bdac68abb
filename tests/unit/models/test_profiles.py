"""Profile intervals and posteriors of fitted models: in the history's unit, of coefficients, open where need be."""

from __future__ import annotations

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import NotFitted, SettingsError
from evervalue.models.purchase import PurchaseModel
from tests.support import cdnow


@pytest.fixture(scope="module")
def model() -> PurchaseModel:
    return ev.BetaGeo().fit(cdnow.calibration(), unit="W")


def test_intervals_of_cdnow(model: PurchaseModel) -> None:
    """Around the estimates, near the normal ones for r, further up than down for a and b."""
    found = model.profile()

    assert [one.name for one in found.intervals] == ["r", "alpha", "a", "b"]
    for one in found.intervals:
        assert one.estimate == pytest.approx(model.params_[one.name])
        assert one.low < one.estimate < one.high
    assert found.to_dict()["r"] == pytest.approx((0.2193, 0.2686), abs=1e-4)
    assert found["b"].high / found["b"].estimate > 1.1 * found["b"].estimate / found["b"].low
    assert found["alpha"].says == "alpha is between 3.724 and 5.212 (95 %)."
    assert "3.72" in repr(found)


def test_they_agree_with_the_posterior(model: PurchaseModel) -> None:
    """Under a prior that is flat on logs, 90 % of the draws lie in the 90 % interval or nearly so."""
    ends, draws = model.profile(0.9), model.posterior(4_000)

    for i, one in enumerate(ends.intervals):
        assert np.mean((draws.draws[:, i] > one.low) & (draws.draws[:, i] < one.high)) == pytest.approx(
            0.9, abs=0.03
        )
    assert draws.median["b"] == pytest.approx(2.51, rel=0.03)
    assert "median" in repr(draws)


def test_days_and_weeks_have_the_same_intervals(model: PurchaseModel) -> None:
    data = cdnow.calibration()
    days = ev.BetaGeo().fit(
        {"frequency": data["frequency"], "recency": data["recency"] * 7, "T": data["T"] * 7}, unit="D"
    )

    for one, other in zip(model.profile().intervals, days.profile().intervals, strict=True):
        factor = 7 if one.name == "alpha" else 1
        assert (other.low, other.high) == pytest.approx((one.low * factor, one.high * factor), rel=1e-4)


def test_coefficients_have_intervals_and_a_proper_posterior() -> None:
    """Of 236 customers nothing tells how a covariate acts on dropout: its posterior must be wide and end somewhere."""
    data = cdnow.calibration()
    rows = {name: data[name][::10] for name in ("frequency", "recency", "T")}
    rows["z"] = (np.arange(len(rows["T"])) % 2).astype(float)
    fitted = ev.BetaGeo(transaction_covariates=["z"], dropout_covariates=["z"]).fit(rows)

    found, drawn = fitted.profile(), fitted.posterior()

    name = "transaction: z"
    assert found[name].low < fitted.coefficients_["transaction"]["z"] < found[name].high
    assert np.mean((drawn.draws[:, 4] > found[name].low) & (drawn.draws[:, 4] < found[name].high)) > 0.9
    assert drawn.method == "laplace+psis"
    assert np.abs(drawn.draws[:, 5]).max() < 60


def test_what_cannot_be_profiled_is_said(model: PurchaseModel) -> None:
    with pytest.raises(SettingsError, match="level=95"):
        model.profile(95)
    with pytest.raises(NotFitted):
        ev.ParetoNBD().profile()
