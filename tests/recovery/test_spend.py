"""Spend drawn from a model and fitted: the truth comes back within sampling error, and so do laws of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.spend import gamma_gamma, normal_spend

CUSTOMERS = 6_000
GAMMA_GAMMA = {"p": 4.0, "q": 3.5, "v": 20.0}
NORMAL = {"m0": 12.0, "kappa": 0.6, "shape": 3.0, "scale": 90.0}


def counts(rng: np.random.Generator) -> Any:
    return rng.geometric(0.35, CUSTOMERS).astype(float) - (rng.random(CUSTOMERS) < 0.3)


def off(model: SpendModel, truth: dict[str, float]) -> dict[str, float]:
    """Distance of each estimate from the truth, in standard errors (of logs where there is one)."""
    spread = np.sqrt(np.diag(model.covariance_))
    found = {}
    for name, error in zip(truth, spread, strict=True):
        value = model.params_[name]
        distance = np.log(value / truth[name]) if name in model.kernel.log_names else value - truth[name]
        found[name] = float(distance / error)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gamma_gamma(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = counts(rng)
    drawn = gamma_gamma.simulate(list(GAMMA_GAMMA.values()), x, rng, n=3.0)
    rows = {"frequency": x, "monetary_value": drawn.mean}
    model = ev.GammaGamma().fit(rows)

    assert all(abs(z) < 3.5 for z in off(model, GAMMA_GAMMA).values()), off(model, GAMMA_GAMMA)
    expected = model.conditional_expected_order_value(rows)
    error = drawn.future / 3 - expected
    assert abs(error.mean()) < 3.5 * error.std() / np.sqrt(CUSTOMERS)
    inside = (drawn.future > model.sum_quantile(rows, 3, 0.05)) & (
        drawn.future < model.sum_quantile(rows, 3, 0.95)
    )
    assert inside.mean() == pytest.approx(0.9, abs=0.014)


def one_by_one(rng: np.random.Generator, x: Any, ahead: int) -> tuple[dict[str, Any], Any]:
    """Gamma-Gamma customers with every amount drawn by itself, and what the next purchases bring."""
    p, q, v = GAMMA_GAMMA.values()
    nu = rng.gamma(q, 1 / v, len(x))
    drawn = rng.gamma(p, 1 / nu[:, None], (len(x), int(x.max()) + ahead))
    amounts = np.where(np.arange(drawn.shape[1] - ahead) < x[:, None], drawn[:, ahead:], 0.0)
    total, squared = amounts.sum(axis=1), (amounts**2).sum(axis=1)
    rows = {"frequency": x - 1, "monetary": total, "monetary_squared_sum": squared}
    return rows, drawn[:, :ahead].sum(axis=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gamma_gamma_by_amounts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, future = one_by_one(rng, rng.geometric(0.35, CUSTOMERS).astype(float), 3)
    model = ev.GammaGamma(spend="all", within="amounts").fit(rows)
    by_means = ev.GammaGamma(spend="all").fit(rows)

    assert all(abs(z) < 3.5 for z in off(model, GAMMA_GAMMA).values()), off(model, GAMMA_GAMMA)
    assert model.standard_errors_["p"] < by_means.standard_errors_["p"] / 3
    inside = (future > model.sum_quantile(rows, 3, 0.05)) & (future < model.sum_quantile(rows, 3, 0.95))
    assert inside.mean() == pytest.approx(0.9, abs=0.014)


@pytest.mark.slow
def test_standard_errors_of_two_steps_are_those_of_repeated_samples() -> None:
    estimates, errors, sd = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(200 + seed)
        rows, _ = one_by_one(rng, rng.geometric(0.35, 1_500).astype(float), 1)
        model = ev.GammaGamma(spend="all", within="amounts").fit(rows)
        estimates.append(np.log(list(model.params_.values())))
        errors.append(np.sqrt(np.diag(model.covariance_)))
        if seed % 10 == 0:
            sd.append(np.log(model.posterior(500).draws).std(axis=0))
    assert np.std(estimates, axis=0) == pytest.approx(np.mean(errors, axis=0), rel=0.3)
    assert np.mean(sd, axis=0) == pytest.approx(np.mean(errors, axis=0), rel=0.15)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("location", ["likelihood", "mean"])
@pytest.mark.parametrize("told", ["amounts", "means"])
def test_normal(seed: int, location: str, told: str) -> None:
    rng = np.random.default_rng(seed)
    x = counts(rng) + 1
    drawn = normal_spend.simulate(list(NORMAL.values()), x, rng, n=3.0)
    assert drawn.squares is not None
    if told == "amounts":
        total, squares = x * drawn.mean, drawn.squares + x * drawn.mean**2
        rows = {"frequency": x - 1, "monetary": total, "monetary_squared_sum": squares}
        model = ev.NormalSpend(spend="all", location=location).fit(rows)
    else:
        rows = {"frequency": x, "monetary_value": drawn.mean}
        model = ev.NormalSpend(location=location).fit(rows)

    assert all(abs(z) < 3.5 for z in off(model, NORMAL).values()), off(model, NORMAL)
    error = drawn.future / 3 - model.conditional_expected_order_value(rows)
    assert abs(error.mean()) < 3.5 * error.std() / np.sqrt(CUSTOMERS)
    inside = (drawn.future > model.sum_quantile(rows, 3, 0.05)) & (
        drawn.future < model.sum_quantile(rows, 3, 0.95)
    )
    # Means alone tell the spread within customers weakly: kappa is then known to a third of itself.
    assert inside.mean() == pytest.approx(0.9, abs=0.014 if told == "amounts" else 0.1)


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_samples() -> None:
    estimates, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        x = rng.geometric(0.35, 1_500).astype(float)
        m = gamma_gamma.simulate(list(GAMMA_GAMMA.values()), x, rng).mean
        model = ev.GammaGamma().fit({"frequency": x, "monetary_value": m})
        estimates.append(np.log(list(model.params_.values())))
        errors.append(np.sqrt(np.diag(model.covariance_)))
    assert np.std(estimates, axis=0) == pytest.approx(np.mean(errors, axis=0), rel=0.3)


def test_weights_count_customers_and_do_not_scale_amounts() -> None:
    """Half of the customers told with weight 2 are worth what all of them are, with the same estimate."""
    rng = np.random.default_rng(9)
    x = counts(rng)
    m = gamma_gamma.simulate(list(GAMMA_GAMMA.values()), x, rng).mean
    rows = {"frequency": x, "monetary_value": m}
    one, two = ev.GammaGamma().fit(rows), ev.GammaGamma().fit(rows, sample_weight=np.full(CUSTOMERS, 2.0))
    assert two.params_ == pytest.approx(one.params_, rel=1e-8)
    assert two.log_likelihood_ == pytest.approx(2 * one.log_likelihood_)
    assert two.standard_errors_["p"] == pytest.approx(one.standard_errors_["p"] / np.sqrt(2), rel=1e-4)
