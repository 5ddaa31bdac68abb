"""Fits of the models in whole periods reach the maxima that papers and packages print."""

from __future__ import annotations

import numpy as np
import pytest

import evervalue as ev
from evervalue.numerics.arrays import Array
from tests.support import published


def cohort(segment: str, years: int) -> dict[str, Array]:
    data = published.retention()
    return {"period": data["period"][: years + 1], "alive": data[segment][: years + 1]}


def test_donors_of_1995() -> None:
    """Fader, Hardie and Shang (2010): 1.204, 0.750, 0.657, 2.783 and -33,225.6; more digits in their spreadsheet."""
    model = ev.BetaGeoBetaBinomial().fit(published.donations())
    printed = {"alpha": 1.2035208, "beta": 0.7497142, "gamma": 0.6567122, "delta": 2.7834080}
    assert model.params_ == pytest.approx(printed, rel=2e-5)
    assert model.log_likelihood_ == pytest.approx(-33_225.5813, abs=1e-4)


def test_dert_of_a_donor_against_the_closed_form() -> None:
    """Fader, Hardie and Shang (2010), equation 14, with its 2F1, at d = 10 % and the estimates."""
    from scipy.special import beta, hyp2f1

    model = ev.BetaGeoBetaBinomial().fit(published.donations())
    a, b, g, d = model.params_.values()
    history = published.donations()
    x, t_x, n = history["frequency"], history["recency"], history["n_periods"]
    likelihood = np.array(
        [
            beta(a + xi, b + ni - xi) * beta(g, d + ni)
            + sum(beta(a + xi, b + ti - xi + i) * beta(g + 1, d + ti + i) for i in range(int(ni - ti)))
            for xi, ti, ni in zip(x, t_x, n, strict=True)
        ]
    )
    closed = beta(a + x + 1, b + n - x) * beta(g, d + n + 1) * hyp2f1(1, d + n + 1, g + d + n + 1, 1 / 1.1)
    found = model.discounted_expected_orders(history, discount_rate_per_period=0.1)
    assert found == pytest.approx(closed / likelihood / 1.1, rel=1e-10)


@pytest.mark.parametrize(
    ("segment", "alpha", "beta", "log_likelihood"),
    [("high_end", 0.668, 3.806, -1611.1582), ("regular", 0.704, 1.182, -1680.2652)],
)
def test_seven_years_of_two_segments(segment: str, alpha: float, beta: float, log_likelihood: float) -> None:
    """Fader and Hardie (2007); the log-likelihoods with four digits as the notebooks of A. Mahmood print them."""
    model = ev.ShiftedBetaGeo().fit(cohort(segment, 7))
    assert model.params_["alpha"] == pytest.approx(alpha, abs=5e-4)
    assert model.params_["beta"] == pytest.approx(beta, abs=5e-4)
    assert model.log_likelihood_ == pytest.approx(log_likelihood, abs=1e-4)


def test_four_years_with_and_without_duration_dependence() -> None:
    """R package foretell: 1.281009, 7.790563 and 0.2593549, 1.7226948, 1.5842688 (it stops a little early).

    Fader et al. (2018): polarisation 1 / (alpha + beta + 1) of 0.099 and 0.335.
    """
    plain = ev.ShiftedBetaGeo().fit(cohort("high_end", 4)).params_
    aging = ev.BetaDiscreteWeibull().fit(cohort("high_end", 4)).params_
    assert list(plain.values()) == pytest.approx([1.281009, 7.790563], rel=1e-4)
    assert list(aging.values()) == pytest.approx([0.2593549, 1.7226948, 1.5842688], rel=2e-4)
    assert round(1 / (plain["alpha"] + plain["beta"] + 1), 3) == 0.099
    assert round(1 / (aging["alpha"] + aging["beta"] + 1), 3) == 0.335
