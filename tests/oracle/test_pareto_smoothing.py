"""Pareto smoothing: fits give known tails back, k-hat is the exponent that theory gives, smoothing lowers the error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy import stats

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.pareto_smoothing import (
    ParetoTail,
    fit_pareto_tail,
    pareto_smoothed,
    tail_length,
    trusted_shape,
)


@pytest.mark.parametrize("shape", [-0.4, 0.0, 1e-13, 0.3, 0.7, 1.5])
def test_quantiles_are_those_of_scipy(shape: float) -> None:
    p = np.linspace(0, 0.999, 50)

    assert ParetoTail(shape, 2.5).quantile(p) == pytest.approx(
        stats.genpareto.ppf(p, c=shape, scale=2.5), abs=1e-12
    )


@pytest.mark.parametrize("n", [60, 1_000, 10_000])
@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5, 0.7, 1.0, 1.5])
def test_fit_gives_a_known_tail_back(shape: float, n: int) -> None:
    """Within four standard errors of maximum likelihood, (1 + k) / sqrt(n), which the method attains for large n."""
    rng = np.random.default_rng(7)
    repeats = 25

    fits = [
        fit_pareto_tail(ParetoTail(shape, 3.0).quantile(rng.random(n)), towards_half=False)
        for _ in range(repeats)
    ]

    error = (1 + shape) / np.sqrt(n)
    shapes = np.array([fit.shape for fit in fits])
    scales = np.array([fit.scale for fit in fits])
    # Zhang and Stephens (2009) report a bias below 0.05 at n = 50 for such shapes.
    assert abs(shapes.mean() - shape) < 4 * error / np.sqrt(repeats) + 3 / n
    assert shapes.std(ddof=1) < 1.8 * error
    assert abs(np.log(scales.mean() / 3)) < 4 * np.sqrt(2 * (1 + abs(shape)) / n / repeats) + 8 / n


def test_fit_does_not_depend_on_the_unit_or_the_order() -> None:
    x = ParetoTail(0.4, 1.0).quantile(np.random.default_rng(1).random(300))

    one, other = fit_pareto_tail(x), fit_pareto_tail(x[::-1] * 1e6)

    assert other.shape == pytest.approx(one.shape, rel=1e-9)
    assert other.scale == pytest.approx(one.scale * 1e6, rel=1e-9)


@pytest.mark.parametrize("rate", [1.2, 1.5, 2.0, 3.0, 5.0])
def test_k_hat_is_the_exponent_of_an_exponential_target_and_a_narrower_proposal(rate: float) -> None:
    """Target Exp(1), proposal Exp(rate): weights are exactly Pareto with shape 1 - 1/rate (as in Vehtari et al.)."""
    n, repeats = 10_000, 30
    rng = np.random.default_rng(3)

    found = [pareto_smoothed((rate - 1) * rng.exponential(1 / rate, n)).k_hat for _ in range(repeats)]

    truth, tail = 1 - 1 / rate, tail_length(n)
    drawn_to_half = (tail * truth + 5) / (tail + 10)
    assert np.mean(found) == pytest.approx(
        drawn_to_half, abs=4 * (1 + truth) / np.sqrt(tail * repeats) + 0.01
    )


def test_a_wider_proposal_has_no_heavy_tail() -> None:
    x = np.random.default_rng(4).exponential(2.0, 4_000)

    assert pareto_smoothed(-x + x / 2).k_hat < 0


@pytest.mark.parametrize(("rate", "gain"), [(1.5, 0.9), (1.7, 0.8), (2.5, 0.75), (8.0, 1.2)])
def test_smoothing_lowers_the_error_of_heavy_weights_up_to_the_bar(rate: float, gain: float) -> None:
    """The mean of Exp(1) from draws of Exp(rate): k is 0.33, 0.41 and 0.6; at 0.875 nothing helps any more."""
    rng = np.random.default_rng(5)
    smooth, raw, k_hats = [], [], []
    for _ in range(500):
        x = rng.exponential(1 / rate, 1_000)
        weight = np.exp((rate - 1) * x)
        raw.append(float(weight @ x / weight.sum()))
        found = pareto_smoothed((rate - 1) * x)
        smooth.append(float(found.weights @ x))
        k_hats.append(found.k_hat)

    def rmse(means: list[float]) -> float:
        return float(np.sqrt(np.mean((np.array(means) - 1.0) ** 2)))

    assert rmse(smooth) < gain * rmse(raw)
    if rate == 8.0:
        assert rmse(smooth) > 0.5
        assert np.mean(np.array(k_hats) > trusted_shape(1_000)) > 0.75, "and k-hat says so"


@given(
    nps.arrays(np.float64, st.sampled_from([30, 60, 200]), elements=st.floats(-800, 800)),
    st.floats(-500, 500),
)
def test_weights_are_normalised_ordered_and_know_no_constant(ratios: Array, constant: float) -> None:
    one, other = pareto_smoothed(ratios), pareto_smoothed(ratios + constant)

    assert one.weights.sum() == pytest.approx(1)
    order = np.argsort(ratios, kind="stable")
    larger = np.diff(ratios[order]) > 1e-9
    assert np.all(np.diff(one.log_weights[order])[larger] >= -1e-9), "a larger ratio has no smaller weight"
    assert 1 - 1e-9 <= one.ess <= len(ratios) + 1e-6
    assert not np.isnan(one.k_hat)
    # Ratios far apart lose digits to the constant; weights that matter do not.
    assert np.allclose(one.weights, other.weights, atol=1e-6)


def test_draws_outside_the_support_weigh_nothing() -> None:
    ratios = np.zeros(200)
    ratios[::2] = -np.inf

    found = pareto_smoothed(ratios)

    assert np.array_equal(found.weights > 0, np.isfinite(ratios))
    assert found.ess == pytest.approx(100)


@pytest.mark.parametrize("bad", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf], []])
def test_ratios_that_are_none_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="log-ratios"):
        pareto_smoothed(np.array(bad))


@pytest.mark.parametrize("bad", [[1.0], [0.0, 0.0], [np.inf, 1.0], [-1.0, 2.0]])
def test_a_tail_needs_positive_numbers(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="Pareto tail"):
        fit_pareto_tail(np.array(bad))


def test_few_draws_trust_only_light_tails() -> None:
    """Vehtari et al. (2024), equation 13: at k = 0.7 some 2,200 draws are needed, at 0.5 some 100."""
    assert trusted_shape(100) == pytest.approx(0.5)
    assert trusted_shape(2_000) < 0.7
    assert trusted_shape(2_200) == 0.7
    assert trusted_shape(5) < 0.1
