"""Whether customers who buy more often spend more, or less, a purchase: spend models take it that they do neither.

Fader, Hardie and Lee (2005), "RFM and CLV: using iso-value curves for customer base analysis", check it by the
correlation of spend and frequency over repeat buyers. Here both are correlated as logarithms and as ranks.

A mean of few amounts scatters more than a mean of many, and lies below its expectation more often than not. So its
logarithm is lower where purchases are few, also where spend and frequency are independent. For amounts that are
Gamma(p, nu) the shift is digamma(p x) - log(p x) exactly. With p given it is taken off: the test of the logarithms
then rejects independence as often as it says (4 % of simulated data at p = 1.5, against 100 % without it). The
ranks keep a part of it, since it changes the shape of the law too; they are there for who wants no logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.stirling import digamma_rest


@dataclass(frozen=True)
class Independence:
    """How mean spend goes with the number of purchases, over customers with at least one."""

    customers: float
    """How many they are (the sum of their weights)."""
    of_logs: bool
    """Whether `pearson` and `slope` are of log spend; of spend itself where some is at or below zero."""
    pearson: float
    """Correlation of (log) spend with the log of the number of purchases."""
    pearson_p: float
    """Probability of one at least as far from 0, were there none: Student's t of customers - 2 degrees of freedom."""
    spearman: float
    """Correlation of the ranks, ties given their mean rank."""
    spearman_p: float
    slope: float
    """Change of (log) spend with the log of the number of purchases, by least squares."""

    @property
    def twice_as_often(self) -> float:
        """Change in mean spend that goes with buying twice as often: a share of it, or money where not of logs."""
        return float(np.expm1(self.slope * np.log(2)) if self.of_logs else self.slope * np.log(2))


def independence(
    x: Array, m: Array, weight: Array | None = None, *, p: float | None = None
) -> Independence | None:
    """Correlations of mean spend and the number of purchases; None where fewer than three customers or no variation.

    Parameters
    ----------
    x
        (n,) purchases with an amount; customers without one are left out.
    m
        (n,) their mean amount.
    weight
        (n,) how many customers each element stands for.
    p
        Shape of a customer's amounts, where it is known (`gamma_gamma`), for what the logs of small means lack.

    Examples
    --------
    >>> found = independence(np.array([1.0, 2.0, 4.0, 8.0]), np.array([8.0, 4.0, 4.0, 2.0]))
    >>> round(found.pearson, 4), round(found.spearman, 4), round(found.twice_as_often, 4)
    (-0.9487, -0.9487, -0.3402)
    """
    weight = np.ones(len(x)) if weight is None else weight
    used = (x > 0) & (weight > 0)
    x, m, weight = x[used], m[used], weight[used]
    customers = float(weight.sum())
    if customers < 3 or np.ptp(x) == 0 or np.ptp(m) == 0:
        return None
    of_logs = bool((m > 0).all())
    often = np.log(x)
    spend = np.log(m) if of_logs else m
    if of_logs and p is not None:
        spend = spend + 0.5 / (p * x) + digamma_rest(p * x)
    pearson, slope = _correlation(often, spend, weight)
    spearman, _ = _correlation(_ranks(x, weight), _ranks(m if p is None else spend, weight), weight)
    return Independence(
        customers=customers,
        of_logs=of_logs,
        pearson=pearson,
        pearson_p=_two_sided(pearson, customers),
        spearman=spearman,
        spearman_p=_two_sided(spearman, customers),
        slope=slope,
    )


def _correlation(a: Array, b: Array, weight: Array) -> tuple[float, float]:
    """Correlation, and slope of b by a."""
    whole = weight.sum()
    da, db = a - (a @ weight) / whole, b - (b @ weight) / whole
    saa, sbb, sab = float((da * da) @ weight), float((db * db) @ weight), float((da * db) @ weight)
    return float(np.clip(sab / np.sqrt(saa) / np.sqrt(sbb), -1.0, 1.0)), sab / saa


def _ranks(values: Array, weight: Array) -> Array:
    """Ranks as if each value stood there `weight` times, ties given their mean rank."""
    _, place = np.unique(values, return_inverse=True)
    sizes = np.bincount(place, weights=weight)
    ranks: Array = (np.cumsum(sizes) - 0.5 * sizes + 0.5)[place]
    return ranks


def _two_sided(r: float, customers: float) -> float:
    """P(|correlation| >= |r|) of independent normal data: an incomplete beta function of 1 - r^2."""
    return float(betainc(0.5 * (customers - 2), 0.5, (1 - r) * (1 + r)))
