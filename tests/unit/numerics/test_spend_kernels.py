"""Spend kernels take parameters of any shape, and the parts they are made of keep their digits."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.estimation.log_gamma_draw import exp_within_floats, log_gamma_draw
from evervalue.numerics.functions.counts import by_count
from evervalue.numerics.functions.stirling import digamma_rest, log_gamma_rest
from evervalue.numerics.spend import gamma_gamma, normal_spend
from evervalue.numerics.spend.spend_kernel import SpendKernel

GAMMA_GAMMA = np.array([[6.25, 3.74, 15.44], [2.0, 2.5, 40.0], [0.3, 0.8, 5.0]])
NORMAL = np.array([[10.0, 0.5, 3.0, 80.0], [-3.0, 2.0, 0.7, 5.0], [0.0, 30.0, 9.0, 700.0]])


@pytest.fixture
def counts() -> np.ndarray:
    return np.array([0.0, 1, 1, 2, 5, 5, 9, 3, 0, 14])


def test_draws_and_covariates_broadcast(counts: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    for module, draws in ((gamma_gamma, GAMMA_GAMMA), (normal_spend, NORMAL)):
        m = np.where(counts > 0, rng.gamma(3.0, 10.0, len(counts)), 0.0)
        told = (counts, m) if module is gamma_gamma else (counts, m, np.where(counts > 1, 30.0 * counts, 0.0))
        kernel = SpendKernel.of(module)
        columns = [draws[:, i : i + 1] for i in range(draws.shape[1])]
        value, gradient = kernel.log_likelihood_gradient(columns, *told)
        assert value.shape == (3, 10)
        assert gradient.shape == (len(kernel.names), 3, 10)
        each = np.array([draws[i % 3] for i in range(10)]).T
        by_customer = kernel.log_likelihood(list(each), *told)
        for d, params in enumerate(draws):
            alone, by_log = kernel.log_likelihood_gradient(params, *told)
            assert value[d] == pytest.approx(alone, abs=1e-12)
            assert gradient[:, d] == pytest.approx(by_log, abs=1e-11)
            assert by_customer[d::3] == pytest.approx(alone[d::3], abs=1e-12)
            expected = kernel.conditional_expected_order_value(columns, *told[:2])[d]
            assert expected.tolist() == kernel.conditional_expected_order_value(params, *told[:2]).tolist()
        assert not value[:, counts == 0].any()
        assert not gradient[:, :, counts == 0].any()


def test_scalars_give_scalars() -> None:
    assert gamma_gamma.log_likelihood((6.25, 3.74, 15.44), 2, 22.35).shape == ()
    assert normal_spend.log_likelihood((10.0, 0.5, 3.0, 80.0), 2, 22.35).shape == ()


def test_no_purchases_ahead_bring_nothing() -> None:
    rng = np.random.default_rng(2)
    for module, params in ((gamma_gamma, GAMMA_GAMMA[0]), (normal_spend, NORMAL[0])):
        assert module.sum_cdf(params, 0, 3, 20.0, np.array([-1.0, 0.0, 1.0])).tolist() == [0, 1, 1]
        assert module.sum_quantile(params, 0, 3, 20.0, 0.9) == 0
        assert module.sum_mean(params, 0, 3, 20.0) == 0
        assert module.sum_variance(params, 0, 3, 20.0) == 0
        assert module.sample_sum(params, 0, 3, 20.0, rng) == 0


def test_infinite_moments_are_infinite() -> None:
    assert gamma_gamma.expected_order_value((2.0, 1.0, 5.0)) == np.inf
    assert gamma_gamma.sum_mean((0.1, 0.5, 5.0), 2, 1, 20.0) == np.inf
    assert gamma_gamma.sum_variance((0.1, 1.5, 5.0), 2, 1, 20.0) == np.inf
    assert normal_spend.sum_variance((0.0, 1.0, 0.4, 5.0), 2, 1, 20.0) == np.inf
    assert np.isfinite(normal_spend.sum_variance((0.0, 1.0, 0.4, 5.0), 2, 3, 20.0, 0.0))


def test_counts_are_computed_once_and_only_where_they_may() -> None:
    asked = []

    def noted(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        return np.stack([x + 1, x * x])

    x = np.tile([3.0, 5.0, 4.0], 10)
    assert by_count(noted, x, (1.0, np.ones((4, 1)))).tolist() == noted(x).tolist()
    assert asked[0] == 3
    for other, params in ((x + 0.5, (1.0,)), (x * 1e6, (1.0,)), (x, (np.ones(30),)), (x[:4], (1.0,))):
        asked.clear()
        by_count(noted, other, params)
        assert asked == [len(other)]


def test_rests_of_stirlings_formula() -> None:
    a = 10 ** np.linspace(-5, 12, 200)
    with mp.workdps(60):
        for value, found, slope in zip(a, log_gamma_rest(a), digamma_rest(a), strict=True):
            z = mp.mpf(float(value))
            rest = mp.loggamma(z) - (z - 0.5) * mp.log(z) + z - mp.log(2 * mp.pi) / 2
            assert found == pytest.approx(float(rest), rel=1e-13, abs=3e-15)
            assert slope == pytest.approx(
                float(mp.log(z) - 1 / (2 * z) - mp.digamma(z)), rel=1e-12, abs=1e-15
            )


def test_draws_of_small_shapes_follow_their_law() -> None:
    rng = np.random.default_rng(3)
    shape = 0.01
    logs = log_gamma_draw(shape, rng, (200_000,))
    assert np.isfinite(logs).all()
    # Far below 0 the log of a gamma variable is exponential with mean 1 / shape, up to its scale.
    assert logs.mean() == pytest.approx(float(mp.digamma(shape)), rel=0.01)
    assert logs.std() == pytest.approx(float(mp.sqrt(mp.polygamma(1, shape))), rel=0.01)
    assert np.isfinite(exp_within_floats(np.array([-1e9, 1e9]))).all()
