"""A fit does not hang on the unit or the origin of its covariates, and says which of them tell nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import SettingsError
from evervalue.models.purchase import PurchaseModel
from evervalue.models.registry import load_model, save
from tests.support import cdnow

KINDS = (ev.BetaGeo, pytest.param(ev.ParetoNBD, marks=pytest.mark.slow))
Rows = dict[str, Any]


@pytest.fixture(scope="module")
def rows(cdnow_sample: Any) -> Rows:
    """CDNOW with a covariate that has nothing to do with it."""
    found: Rows = {name: column[:600] for name, column in cdnow.calibration().items()}
    found["z"] = np.random.default_rng(3).integers(1940, 2005, 600).astype(float)
    return found


def fitted(kind: type[PurchaseModel], rows: Rows, covariate: Any) -> PurchaseModel:
    model = kind(transaction_covariates=["z"], dropout_covariates=["z"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit({**rows, "z": covariate}, unit="W")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shift", "scale"),
    [
        (-1970.0, 0.05),
        *(pytest.param(*to, marks=pytest.mark.slow) for to in ((0.0, 1.0), (0.0, 3e5), (0.0, 1e-6))),
    ],
)
def test_unit_and_origin_change_nothing(
    kind: type[PurchaseModel], rows: Rows, shift: float, scale: float
) -> None:
    centred = fitted(kind, rows, (rows["z"] - 1972.0) / 19.0)
    z = (rows["z"] + shift) * scale
    other = fitted(kind, rows, z)
    assert other.log_likelihood_ == pytest.approx(centred.log_likelihood_, abs=1e-6)
    for process in ("transaction", "dropout"):
        one, same = centred.coefficients_[process]["z"] / 19, other.coefficients_[process]["z"] * scale
        assert same == pytest.approx(one, abs=1e-5)
    told = ({**rows, "z": (rows["z"] - 1972.0) / 19.0}, {**rows, "z": z})
    for a, b in zip(
        *(m.predict(h, horizon="39W").values() for m, h in zip((centred, other), told, strict=True)),
        strict=True,
    ):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)


def test_parameters_are_those_of_a_customer_whose_covariates_are_zero(rows: Rows) -> None:
    """Written out again by hand: the reported numbers give the reported likelihood."""
    model = fitted(ev.ParetoNBD, rows, rows["z"] - 1960)
    z, p = rows["z"] - 1960, model.params_
    effect = {process: model.coefficients_[process]["z"] * z for process in ("transaction", "dropout")}
    params = (
        p["r"],
        p["alpha"] * np.exp(-effect["transaction"]),
        p["s"],
        p["beta"] * np.exp(-effect["dropout"]),
    )
    ll = model.kernel.log_likelihood(params, rows["frequency"], rows["recency"], rows["T"])
    assert float(np.sum(ll)) == pytest.approx(model.log_likelihood_, abs=1e-6)
    drawn = model.posterior().median
    assert drawn["alpha"] == pytest.approx(p["alpha"], rel=0.3)
    ends = model.profile()["alpha"]
    assert ends.low < p["alpha"] < ends.high
    assert model.standard_errors_["alpha"] == pytest.approx((ends.high - ends.low) / 3.92, rel=0.4)


def test_a_prior_is_on_what_is_reported(rows: Rows) -> None:
    """A tight prior on alpha of a customer whose covariate is 0 holds that alpha, wherever the others are."""
    model = ev.BetaGeo(transaction_covariates=["z"], prior={"alpha": (5.0, 0.001)})
    model.fit({**rows, "z": rows["z"] - 1950}, unit="W")
    assert model.params_["alpha"] == pytest.approx(5.0, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_covariate_is_named_and_left_out(kind: type[PurchaseModel], rows: Rows) -> None:
    plain, model = kind().fit(rows, unit="W"), fitted(kind, rows, np.full(600, 7.5))
    assert model.params_ == pytest.approx(plain.params_)
    told = {finding.code: finding.says for finding in model.findings_}
    assert "'z' is the same for every customer" in told["constant_covariate"]
    asked = {**rows, "z": np.full(600, 7.5)}
    for name, column in plain.predict(rows, horizon="39W").items():
        np.testing.assert_allclose(model.predict(asked, horizon="39W")[name], column)


def test_covariates_that_tell_the_same_are_named(rows: Rows) -> None:
    model = ev.BetaGeo(transaction_covariates=["z", "twice"])
    model.fit({**rows, "twice": 2 * rows["z"]}, unit="W")
    told = {finding.code: finding.says for finding in model.findings_}
    assert "transaction: z, transaction: twice" in told["covariates_not_identified"]
    alone = ev.BetaGeo(transaction_covariates=["z"]).fit(rows, unit="W")
    assert model.log_likelihood_ == pytest.approx(alone.log_likelihood_, abs=1e-6)


@pytest.mark.slow
def test_a_file_keeps_what_covariates_were_measured_by(rows: Rows, tmp_path: Any) -> None:
    model = fitted(ev.BetaGeo, rows, rows["z"])
    again = load_model(save(model, tmp_path / "model.json"))
    for name, column in model.predict(rows, horizon="39W").items():
        np.testing.assert_array_equal(again.predict(rows, horizon="39W")[name], column)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ev.BetaGeo, pytest.param(ev.ParetoNBD, marks=pytest.mark.slow)])
def test_predictions_are_means_over_the_posterior_wherever_covariates_lie(
    kind: type[PurchaseModel], cdnow_sample: Any
) -> None:
    """Second method: the closed form at every draw. Customers with extreme covariates hang on other draws than most."""
    found: Rows = {name: column[::4] for name, column in cdnow.calibration().items()}
    n = len(found["T"])
    rng = np.random.default_rng(8)
    found["amount"], found["cds"] = rng.lognormal(3.0, 1.0, n), rng.geometric(0.4, n).astype(float)
    model = kind(transaction_covariates=["amount"], dropout_covariates=["cds"]).fit(found, unit="W")
    told = model.predict(found, "39W")["p_alive"]
    drawn = model.posterior()
    x, t_x, T = (found[name] for name in ("frequency", "recency", "T"))
    by_hand = np.zeros(n)
    for draw in drawn.draws:
        p = dict(zip(drawn.names, draw, strict=True))
        effects = {
            "transaction": p["transaction: amount"] * found["amount"],
            "dropout": p["dropout: cds"] * found["cds"],
        }
        params = [
            p[name]
            * np.exp(
                sum(
                    signs.get(name, 0) * effects[process]
                    for process, signs in model.kernel.covariates.items()
                )
            )
            for name in model.kernel.names
        ]
        by_hand += model.kernel.p_alive(params, x, t_x, T) / len(drawn.draws)
    np.testing.assert_allclose(told, by_hand, atol=2e-3)


def test_a_coefficient_that_the_data_hardly_limit_is_said(cdnow_sample: Any) -> None:
    """Few leave of the few who began with five records: the likelihood levels off towards the largest effects."""
    found: Rows = dict(cdnow.calibration())
    first: dict[str, tuple[Any, float]] = {}
    for customer, day, amount in cdnow.orders():
        if customer not in first or day < first[customer][0]:
            first[customer] = (day, amount)
    amounts = np.array([first[customer][1] for customer in sorted(first)])
    found["big"] = (amounts > 75).astype(float)
    model = ev.BetaGeo(dropout_covariates=["big"]).fit(found, unit="W")
    drawn = model.posterior()
    assert drawn.sd["dropout: big"] < 5
    assert "The data hardly limit dropout: big" in drawn.says


def test_two_covariates_that_mirror_each_other_have_a_posterior(rows: Rows) -> None:
    """Of a customer with both at 0, who cannot be, parameters may be anything: numbers all the same."""
    model = ev.BetaGeo(transaction_covariates=["z", "mirror"]).fit(
        {**rows, "mirror": 2026 - rows["z"]}, unit="W"
    )
    assert np.isfinite(model.posterior().draws).all()
    assert np.isnan(model.posterior(1).sd["r"])


def test_new_customers_have_covariates_of_their_own(rows: Rows) -> None:
    """Against the closed form with parameters shifted by hand, and a simulation of many customers."""
    model = ev.BetaGeo(transaction_covariates=["z"]).fit({**rows, "z": rows["z"] - 1970}, unit="W")
    p, gamma = model.params_, model.coefficients_["transaction"]["z"]
    shifted = (p["r"], p["alpha"] * np.exp(-gamma * 20), p["a"], p["b"])
    wanted = model.kernel.expected_orders(shifted, 52.0)
    assert model.expected_orders("52W", covariates={"z": 20}) == pytest.approx(float(wanted))
    assert model.expected_orders("52W", covariates={"z": [20, -30]})[0] == pytest.approx(float(wanted))
    pmf = model.pmf("52W", 60, covariates={"z": 20})
    assert pmf @ np.arange(61) == pytest.approx(float(wanted), rel=0.02)
    drawn = model.simulate(np.full(40_000, 52.0), covariates={"z": 20}, random_state=1)
    assert drawn.x.mean() == pytest.approx(float(wanted), rel=0.05)

    value = ev.CLV(ev.BetaGeo(transaction_covariates=["z"]), ev.GammaGamma()).fit(rows, unit="W")
    old, young = (value.new_customer("52W", covariates={"z": z}).expected_orders for z in (1940, 2004))
    assert (old > young) == (value.purchase_.coefficients_["transaction"]["z"] < 0)
    with pytest.raises(SettingsError, match="depends on z"):
        model.expected_orders("52W")
    with pytest.raises(SettingsError, match="has no covariates"):
        ev.BetaGeo().fit(rows, unit="W").pmf("52W", 3, covariates={"z": 1})
    with pytest.raises(SettingsError, match="finite"):
        model.simulate(np.ones(3), covariates={"z": np.nan})
