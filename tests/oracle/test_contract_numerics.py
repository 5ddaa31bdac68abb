"""Contract models against beta functions in many digits, against each other, and against simulation."""

from __future__ import annotations

from itertools import product

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.periods import beta_discrete_weibull as bdw
from evervalue.numerics.periods import shifted_beta_geometric as sbg

PARAMS = (0.26, 1.72, 1.58)


def points(size: int, seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    params = np.exp(rng.uniform(np.log(1e-4), np.log(1e5), (3, size)))
    return params, rng.integers(1, 500, size).astype(float), (rng.random(size) < 0.6).astype(float)


def survival(a: mp.mpf, b: mp.mpf, c: mp.mpf, t: int) -> mp.mpf:
    if t == 0:
        return mp.mpf(1)
    if c * mp.log(t) > 200:  # Gamma(a + s) / Gamma(s) is s^a to seventy digits
        return mp.exp(mp.loggamma(a + b) - mp.loggamma(b) - a * c * mp.log(t))
    s = mp.mpf(t) ** c
    return mp.exp(mp.loggamma(b + s) + mp.loggamma(a + b) - mp.loggamma(a + b + s) - mp.loggamma(b))


def log_likelihood(params: Array, c: float, periods: float, churned: float) -> float:
    # The difference of two shares needs as many digits again as t^c has.
    digits = 60 + min(int(2 * c * np.log(max(periods, 2)) / 2.3), 200)
    with mp.workdps(digits):
        a, b, c = mp.mpf(params[0]), mp.mpf(params[1]), mp.mpf(c)
        t = int(periods)
        share = survival(a, b, c, t - 1) - survival(a, b, c, t) if churned else survival(a, b, c, t)
        return float(mp.log(share))


def check(size: int, seed: int) -> None:
    params, periods, churned = points(size, seed)
    found, gradient = bdw.log_likelihood_gradient(params, periods, churned)
    plain, slope = sbg.log_likelihood_gradient(params[:2], periods, churned)
    assert np.isfinite(gradient).all()
    assert np.isfinite(slope).all()
    for i in range(size):
        p = params[:, i]
        exact = log_likelihood(p, p[2], periods[i], churned[i])
        assert found[i] == pytest.approx(exact, rel=1e-10, abs=1e-13), (p, periods[i], churned[i])
        exact = log_likelihood(p, 1.0, periods[i], churned[i])
        assert plain[i] == pytest.approx(exact, rel=1e-10, abs=1e-13), (p, periods[i], churned[i])


def test_random_points_in_many_digits() -> None:
    check(250, 1)


@pytest.mark.slow
def test_ten_thousand_random_points_in_many_digits() -> None:
    check(10_000, 2)


def test_gradients_against_differences() -> None:
    params, periods, churned = points(300, 3)
    params = np.clip(params, 0.02, 50)
    params[2] = np.clip(params[2], 0.1, 5)
    h = 1e-5
    for module, k in ((bdw, 3), (sbg, 2)):
        _, gradient = module.log_likelihood_gradient(params[:k], periods, churned)
        for i in range(k):
            step = np.exp(h * (np.arange(k) == i))[:, None]
            up, down = (module.log_likelihood(params[:k] * s, periods, churned) for s in (step, 1 / step))
            assert gradient[i] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-6)


def test_who_was_seen_late_is_told_by_what_came_after() -> None:
    params, periods, churned = points(200, 6)
    params = np.clip(params, 0.02, 50)
    params[2] = np.clip(params[2], 0.1, 3)
    periods = np.minimum(periods, 60)
    entered = np.floor((periods - churned) * np.random.default_rng(7).random(200))
    h = 1e-5
    for module, k in ((bdw, 3), (sbg, 2)):
        found, gradient = module.log_likelihood_gradient(params[:k], periods, churned, entered)
        whole = module.log_likelihood(params[:k], periods, churned)
        before = module.log_likelihood(params[:k], entered, 0.0)
        assert found == pytest.approx(whole - before, rel=1e-9, abs=1e-12)
        for i in range(k):
            step = np.exp(h * (np.arange(k) == i))[:, None]
            up, down = (
                module.log_likelihood(params[:k] * s, periods, churned, entered) for s in (step, 1 / step)
            )
            assert gradient[i] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-6)


def test_without_duration_dependence_the_models_are_one() -> None:
    a, b = np.array([0.07, 0.7, 3.8]), np.array([0.27, 1.2, 15.2])
    for t in (1.0, 2.0, 7.0, 40.0):
        assert bdw.survival((a, b, 1.0), t, 3) == pytest.approx(sbg.survival((a, b), t, 3), rel=1e-12)
        assert bdw.retention_rate((a, b, 1.0), t) == pytest.approx(sbg.retention_rate((a, b), t), rel=1e-12)
        assert bdw.churn_probability((a, b, 1.0), t) == pytest.approx(
            sbg.churn_probability((a, b), t), rel=1e-12
        )
    for t, delta in ((12.0, 0.0), (12.0, 0.1), (np.inf, 0.02)):
        found = bdw.residual_lifetime((a, b, 1.0), 4, t, delta)
        assert found == pytest.approx(sbg.residual_lifetime((a, b), 4, t, delta), rel=1e-11)
        found = bdw.expected_lifetime((a, b, 1.0), t, delta)
        assert found == pytest.approx(sbg.expected_lifetime((a, b), t, delta), rel=1e-11)


@pytest.mark.parametrize(("module", "params"), [(sbg, PARAMS[:2]), (bdw, PARAMS)])
def test_parts_fit_together(module: object, params: tuple[float, ...]) -> None:
    t = np.arange(1, 31)
    s = module.survival(params, t)  # type: ignore[attr-defined]
    leaves = module.churn_probability(params, t)  # type: ignore[attr-defined]
    assert np.cumsum(leaves) + s == pytest.approx(np.ones(30), rel=1e-13)
    assert np.cumprod(module.retention_rate(params, t)) == pytest.approx(s, rel=1e-12)  # type: ignore[attr-defined]
    assert module.survival(params, 5, 7) == pytest.approx(s[11] / s[6], rel=1e-12)  # type: ignore[attr-defined]
    mean = module.expected_lifetime(params, 31)  # type: ignore[attr-defined]
    assert float(mean) == pytest.approx(1 + s.sum(), rel=1e-12)
    residual = module.residual_lifetime(params, 10, 20, 0.1)  # type: ignore[attr-defined]
    discounted = (s[10:] / s[9]) @ np.exp(-0.1 * np.arange(20))
    assert float(residual) == pytest.approx(discounted, rel=1e-12)


@pytest.mark.parametrize(("module", "params"), [(sbg, PARAMS[:2]), (bdw, PARAMS)])
def test_simulation_agrees(module: object, params: tuple[float, ...]) -> None:
    """200,000 contracts watched for nine periods, within five standard errors."""
    size, watched = 200_000, 9
    rng = np.random.default_rng(4)
    drawn = module.simulate(params, np.full(size, float(watched)), rng)  # type: ignore[attr-defined]
    assert drawn.periods.max() == watched
    leaves = module.churn_probability(params, np.arange(1, watched + 1))  # type: ignore[attr-defined]
    share = np.bincount(drawn.periods[drawn.churned].astype(int), minlength=watched + 1)[1:] / size
    assert (np.abs(share - leaves) < 5 * np.sqrt(leaves / size)).all()
    later = module.sample_periods(params, np.full(size, 4.0), 6, rng)  # type: ignore[attr-defined]
    kept = module.survival(params, np.arange(1, 7), 4)  # type: ignore[attr-defined]
    found = np.array([(later >= i).mean() for i in range(1, 7)])
    assert (np.abs(found - kept) < 5 * np.sqrt(kept * (1 - kept) / size)).all()


def test_small_and_large_parameters_draw_without_a_warning() -> None:
    rng = np.random.default_rng(5)
    for params in product((1e-4, 1e5), repeat=3):
        drawn = bdw.simulate(params, np.full(300, 200.0), rng)
        assert ((drawn.periods >= 1) & (drawn.periods <= 200)).all()
        later = bdw.sample_periods(params, np.full(300, 50.0), 12, rng)
        assert ((later >= 0) & (later <= 12)).all()
        assert (sbg.simulate(params[:2], np.full(300, 200.0), rng).periods <= 200).all()


def test_no_horizon_needs_a_discount() -> None:
    with pytest.raises(ValueError, match="finite horizon"):
        bdw.residual_lifetime(PARAMS, 3, np.inf)
