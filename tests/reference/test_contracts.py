"""Contract models: figures printed in the papers of Fader and Hardie, and by two packages that follow them."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.periods import beta_discrete_weibull as bdw
from evervalue.numerics.periods import shifted_beta_geometric as sbg
from tests.support import published

HIGH_END = (0.668, 3.806)
REGULAR = (0.704, 1.182)


def sum_over(log_likelihood: Array, customers: Array) -> float:
    return float(log_likelihood @ customers)


@pytest.mark.parametrize(
    ("segment", "params", "printed"),
    [("high_end", HIGH_END, -1611.2), ("regular", REGULAR, -1680.3)],
)
def test_log_likelihood_of_seven_renewals(segment: str, params: tuple[float, float], printed: float) -> None:
    """Fader and Hardie (2007): estimates of both segments in the text, the log-likelihood of High End in appendix B.

    (That of Regular at its maximum is -1680.2652.)
    """
    periods, churned, customers = published.contracts(published.retention()[segment], 7)
    assert sum_over(sbg.log_likelihood(params, periods, churned), customers) == pytest.approx(
        printed, abs=0.05
    )


@pytest.mark.parametrize(("start", "printed"), [(1.0, -2115.5), (0.01, -2741.7)])
def test_log_likelihood_at_the_starts_of_the_spreadsheet(start: float, printed: float) -> None:
    """Fader and Hardie (2007), appendix B: High End, alpha = beta = 1 and 0.01."""
    periods, churned, customers = published.contracts(published.retention()["high_end"], 7)
    found = sum_over(sbg.log_likelihood((start, start), periods, churned), customers)
    assert found == pytest.approx(printed, abs=0.05)


@pytest.mark.parametrize(
    ("segment", "params", "error"), [("high_end", HIGH_END, -0.04), ("regular", REGULAR, -0.02)]
)
def test_survival_in_year_twelve_is_foretold(segment: str, params: tuple[float, float], error: float) -> None:
    """Fader and Hardie (2007): after fits to seven years, 4 % and 2 % off in year 12."""
    actual = published.retention()[segment][12] / 1000
    assert float(sbg.survival(params, 12)) / actual - 1 == pytest.approx(error, abs=0.005)


@pytest.mark.parametrize(
    ("params", "printed"),
    [((3.80, 15.20), [3.31, 3.45, 3.59, 3.72, 3.84]), ((1 / 15, 4 / 15), [7.68, 9.46, 9.86, 10.06, 10.19])],
)
def test_discounted_expected_residual_lifetime(params: tuple[float, float], printed: list[float]) -> None:
    """Fader and Hardie (2010), table 3: after 0 to 4 renewals at 10 %; its second case is printed as (.067, .267)."""
    found = sbg.residual_lifetime(params, np.arange(5.0), delta=np.log(1.1))
    assert found.round(2).tolist() == printed


def test_residual_lifetime_of_high_end_survivors() -> None:
    """7.530 after seven renewals at 10 %, and survival in years 8 to 12: README of shifted_beta_geometric_py."""
    assert float(sbg.residual_lifetime(HIGH_END, 7, delta=np.log(1.1))) == pytest.approx(7.530, abs=5e-4)
    found = sbg.survival(HIGH_END, np.arange(8.0, 13))
    assert found == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=5e-4)


def test_projection_with_duration_dependence() -> None:
    """R package foretell on four years of High End: estimates and the survival, in percent, of years 5 to 10."""
    found = bdw.survival((0.2593549, 1.7226948, 1.5842688), np.arange(5.0, 11)) * 100
    assert found == pytest.approx([54.66194, 51.03776, 48.10526, 45.66963, 43.60444, 41.82391], abs=2e-3)
    plain = sbg.survival((1.281009, 7.790563), np.arange(5.0, 11)) * 100
    assert plain == pytest.approx([53.44303, 48.57783, 44.44895, 40.90608, 37.83658, 35.15453], abs=2e-5)


def test_log_likelihood_with_duration_dependence() -> None:
    """122.274932 for a cohort of 100 High End customers over four years, in minus: README of retenmod."""
    alive = published.retention()["high_end"] / 10
    periods, churned, customers = published.contracts(alive, 4)
    found = sum_over(bdw.log_likelihood((0.25936277, 1.7227105, 1.5842661), periods, churned), customers)
    assert found == pytest.approx(-122.274932, abs=1e-6)
