"""Models in whole periods, for any parameters: chances add up, and more of a good sign is never worse."""

from __future__ import annotations

from math import comb

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evervalue.numerics.periods import beta_discrete_weibull as bdw
from evervalue.numerics.periods import bg_bb
from evervalue.numerics.periods import shifted_beta_geometric as sbg

positive = st.floats(-9, 11).map(lambda e: float(np.exp(e)))
counts = st.integers(0, 12)
CLOSE = 1e-10


@given(positive, positive, positive, positive, st.integers(0, 12))
def test_chances_of_all_histories_add_up(a: float, b: float, g: float, d: float, n: int) -> None:
    """A history (x, t_x) stands for all ways to place x - 1 purchases before the last."""
    cells = [(0, 0, 1)] + [(x, t, comb(t - 1, x - 1)) for t in range(1, n + 1) for x in range(1, t + 1)]
    x, t_x, ways = np.array(cells, dtype=float).T
    assert abs(np.exp(bg_bb.log_likelihood((a, b, g, d), x, t_x, n)) @ ways - 1) < CLOSE


@given(positive, positive, positive, positive, counts, st.data())
def test_the_law_of_future_purchases(
    a: float, b: float, g: float, d: float, n: int, data: st.DataObject
) -> None:
    t_x = data.draw(st.integers(0, n))
    x = data.draw(st.integers(1, t_x)) if t_x else 0
    t = data.draw(counts)
    params = (a, b, g, d)
    law = bg_bb.conditional_pmf(params, x, t_x, n, t, t + 2)
    assert (law >= 0).all()
    assert abs(law.sum() - 1) < CLOSE
    mean = float(bg_bb.conditional_expected_orders(params, x, t_x, n, t))
    assert abs(law @ np.arange(t + 3) - mean) < CLOSE * max(mean, 1)
    assert float(bg_bb.discounted_expected_orders(params, x, t_x, n, t, 0.1)) <= mean
    alive = bg_bb.p_alive(params, x, t_x, n, np.array([0.0, 1, 2, 10]))
    assert (np.diff(alive) <= 0).all()
    assert (alive >= 0).all()
    assert alive[0] <= 1


@given(positive, positive, positive, positive, st.integers(2, 20), st.data())
def test_a_later_purchase_is_a_better_sign(
    a: float, b: float, g: float, d: float, n: int, data: st.DataObject
) -> None:
    x = data.draw(st.integers(1, n))
    t_x = np.arange(x, n + 1.0)
    alive = bg_bb.p_alive((a, b, g, d), float(x), t_x, n)
    assert (np.diff(alive) >= -CLOSE).all()


@given(positive, positive, st.floats(0.05, 5), counts, counts)
def test_survival_falls_from_one(a: float, b: float, c: float, renewed: int, t: int) -> None:
    periods = np.arange(0.0, t + 2)
    for module, params in ((sbg, (a, b)), (bdw, (a, b, c))):
        stays = module.survival(params, periods, renewed)
        assert stays[0] == 1
        assert (np.diff(stays) <= 0).all()
        assert (stays >= 0).all()
        longer = module.residual_lifetime(params, float(renewed), t + 1.0, 0.05)
        assert longer >= module.residual_lifetime(params, float(renewed), float(t), 0.05)


@given(positive, positive, st.integers(1, 40))
def test_retention_rises_with_tenure_and_everybody_is_counted_once(a: float, b: float, t: int) -> None:
    periods = np.arange(1.0, t + 1)
    assert (np.diff(sbg.retention_rate((a, b), periods)) >= 0).all()
    left = sbg.churn_probability((a, b), periods).sum()
    assert abs(left + float(sbg.survival((a, b), t)) - 1) < CLOSE
