"""Pareto/NBD with time-varying covariates: what the R package CLVTools 0.12.1 computes on its apparel customers.

The case study of Meierer, Bachmann, Näf, Schilter and Algesheimer, "Estimating individual customer lifetime values with
R: the CLVTools package", section 6.4.2: high season (a week from the end of May, ten weeks from October), gender and
channel on both processes. Estimates, log-likelihoods and P(alive) as recorded from runs of the package in the GitHub
repository `neilmurrayee/clvtools` (`tests/fixtures/dyncov_*`).
"""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases import pareto_nbd_time_varying as varying
from tests.support import published

# Weeks of the 104 in which a high season begins or ends: 2005-05-29 to 06-18, 2005-10-02 to 12-10, the same in 2006.
EDGES = np.array([0.0, 21.0, 24.0, 39.0, 49.0, 73.0, 76.0, 91.0, 101.0, 104.0])
SEASON = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0], dtype=float)
IN_SEASON = 469
"""Repeat orders in high season, of 1,266: both log-likelihoods below come out with this whole number."""

# log r, log alpha, log s, log beta; season, gender, channel on dropout; the same on orders.
FITTED = np.array([0.68195527892834717, 4.74647801591214247, 0.69949342881098708, 5.06374497141606827,
                   -2.48267223067611287, -0.51247217778185417, 0.50573162034806274,
                   0.71827126117276596, 0.26490193764331033, 0.61373951022984541])  # fmt: skip
ELSEWHERE = np.array([0.0, 3.91202300542814596, 0.0, 4.09434456222210041,
                      0.2, -0.3, 0.4, 0.1, 0.25, -0.15])  # fmt: skip


def factors(theta: Array) -> tuple[Array, Array, Array]:
    """Of orders and of dropout, (600, 9), and the log of what orders outside the season are multiplied with."""
    data = published.apparel()
    z = np.stack([data["gender"], data["channel"]])
    still = theta[8:] @ z
    order = np.exp(still[:, None] + theta[7] * SEASON)
    dropout = np.exp((theta[5:7] @ z)[:, None] + theta[4] * SEASON)
    return order, dropout, still


def log_likelihood(theta: Array, in_season: Array | float = 0.0) -> Array:
    data = published.apparel()
    order, dropout, still = factors(theta)
    marks = data["frequency"] * still + theta[7] * in_season
    return varying.log_likelihood(
        np.exp(theta[:4]), data["frequency"], data["recency"], data["T"], EDGES, order, dropout, marks
    )


@pytest.mark.parametrize(
    ("theta", "reported"), [(FITTED, -5752.9367202226877), (ELSEWHERE, -5879.4372179134398)]
)
def test_log_likelihood_of_all(theta: Array, reported: float) -> None:
    value = log_likelihood(theta).sum() + IN_SEASON * theta[7]
    assert value == pytest.approx(reported, abs=1e-8)


def test_log_likelihood_of_customers() -> None:
    """Customers 1 (two of six repeat orders in season), 10 (one of two), 11, 100, 108 and 123."""
    who = np.array([1, 10, 11, 100, 108, 123]) - 1
    in_season = np.zeros(600)
    in_season[[0, 9]] = 2, 1
    reported = np.array([-25.4133742504562, -10.6089450436236, -0.933507413294331,
                         -1.17675294385468, -0.833666936967212, -1.34063116905144])  # fmt: skip
    np.testing.assert_allclose(log_likelihood(FITTED, in_season)[who], reported, rtol=1e-11)


def test_p_alive_of_customers() -> None:
    data = published.apparel()
    order, dropout, _ = factors(FITTED)
    got = varying.p_alive(
        np.exp(FITTED[:4]), data["frequency"], data["recency"], data["T"], EDGES, order, dropout
    )
    reported = {1: 0.96582113645111, 10: 0.981308693365614, 100: 0.314128068142081, 201: 0.943935561101348,
                220: 0.000650842546402247, 66: 0.00402248204454933, 350: 0.0791923846969421,
                262: 1.0, 600: 0.395470333460736}  # fmt: skip
    for customer, wanted in reported.items():
        assert got[customer - 1] == pytest.approx(wanted, rel=1e-10), customer
    assert got[261] == 1  # CLVTools gives 1.00000000000001


def test_expected_orders_of_customers() -> None:
    """In the 207 1/7 weeks to 2010-12-20, with the seasons of those years known."""
    season = [(125, 128), (143, 153), (178, 181), (196, 206), (230, 233), (248, 258), (282, 285), (300, 310)]
    edges = np.concatenate([EDGES[:-1], np.array(season, dtype=float).ravel(), [330.0]])
    data = published.apparel()
    z = np.stack([data["gender"], data["channel"]])
    flag = np.arange(len(edges) - 1) % 2
    order = np.exp((FITTED[8:] @ z)[:, None] + FITTED[7] * flag)
    dropout = np.exp((FITTED[5:7] @ z)[:, None] + FITTED[4] * flag)
    got = varying.conditional_expected_orders(
        np.exp(FITTED[:4]), data["frequency"], data["recency"], data["T"], 1450 / 7, edges, order, dropout
    )
    reported = {1: 4.71523823326992, 10: 3.08837298480247, 100: 0.491545535528813, 101: 0.74420037715418,
                104: 0.0774834026518134, 138: 10.5975807533687, 11: 0.105564138393979}  # fmt: skip
    for customer, wanted in reported.items():
        assert got[customer - 1] == pytest.approx(wanted, rel=1e-10), customer
