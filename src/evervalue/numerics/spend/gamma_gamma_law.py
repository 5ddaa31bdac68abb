"""Gamma-Gamma spend as tables: what the next n purchases of a customer bring, for every n, on a grid of money.

Given k purchases of mean m, the next n bring Y = (v + k m) Z, where Z is beta prime with shapes p n and p k + q
(`gamma_gamma.sum_cdf`). A customer's own mean is in the scale alone, so one table of Z serves everyone with k
purchases. Averaging over posterior points keeps that: with w = v0 / (v0 + k m) at the central point 0, the scale of
point j is (v0 + k m) (1 + w (v_j / v0 - 1)), so that a table depends on k and w, and w lies between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, polygamma

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.row_product import row_product
from evervalue.numerics.predictive.posterior_points import Points
from evervalue.numerics.spend.gamma_gamma import NAMES, conditional_expected_order_value

_FINEST, _COARSEST = 0.004, 0.15
_MOST = 1_536
_LEAST_SHARE, _MOST_SHARE = 1e-4, 1 - 1e-5
_DEEPEST, _HIGHEST = 10.0, 60.0


@dataclass(frozen=True)
class GammaGammaLaw:
    """The spend model averaged over points (log p, log q, log v)."""

    points: Points

    names = NAMES

    @cached_property
    def _values(self) -> tuple[Array, Array, Array]:
        p, q, v = np.exp(self.points.values).T
        return p, q, v

    @cached_property
    def centre(self) -> tuple[float, float, float]:
        """p, q and v at the weighted mean of the logs."""
        p, q, v = np.exp(self.points.weights @ self.points.values)
        return float(p), float(q), float(v)

    @property
    def certain(self) -> bool:
        """Whether the parameters are one point."""
        return len(self.points) == 1

    def scale(self, k: Array, m: Array) -> Array:
        """Money that Z = 1 stands for."""
        scale: Array = self.centre[2] + k * m
        return scale

    def prior_share(self, k: Array, m: Array) -> Array:
        """w: 1 without purchases, towards 0 where the own purchases weigh more than the population."""
        share: Array = self.centre[2] / self.scale(k, m)
        return share

    def expected_order_value(self, k: Array, m: Array) -> Array:
        """Expected money a purchase; of the central point where a point has no mean; infinite where that has none."""
        total: Array = np.zeros(np.broadcast_shapes(np.shape(k), np.shape(m)))
        for p, q, v, weight in zip(*self._values, self.points.weights, strict=True):
            total = total + weight * conditional_expected_order_value((p, q, v), k, m)
        return np.where(np.isfinite(total), total, conditional_expected_order_value(self.centre, k, m))

    def grid(self, k: float, end: int) -> Array:
        """Evenly spaced logs of Z on a lattice that k alone decides; how far it reaches depends on n <= end."""
        p, q, _ = self.centre
        b = p * k + q
        step = float(np.clip(0.4 * _width(8 * p, b), _FINEST, _COARSEST))
        low = max(_log_quantile(p, b, _LEAST_SHARE), np.log(p / b) - _DEEPEST)
        high = min(_log_quantile(p * end, b, _MOST_SHARE), np.log(p * end / b) + _HIGHEST)
        count = int(np.clip(32 * np.ceil((high - low) / step / 32), 64, _MOST))
        if count == _MOST:
            step = (high - low) / (_MOST - 1)
        grid: Array = low + step * np.arange(count)
        return grid

    def table(self, k: float, counts: Array, grid: Array, prior_share: float) -> Array:
        """P(Z <= exp(grid) | n) for each n of `counts`, (counts, G), averaged over the points."""
        total = np.zeros((len(counts), len(grid)))
        v0 = self.centre[2]
        for p, q, v, weight in zip(*self._values, self.points.weights, strict=True):
            ratio = 1 + prior_share * (v / v0 - 1)
            share = 1 / (1 + np.exp(np.log(ratio) - grid))
            total += weight * betainc(p * counts[:, None], p * k + q, share)
        return total


def counts_to(end: int) -> Array:
    """Numbers of purchases to tabulate up to `end`: all of them up to 64, then a quarter of sqrt(n) apart.

    Between them a law is the mean of its neighbours', which widens the spread of a Poisson count by half a percent, and
    that of counts that vary more by less.
    """
    found = [1]
    while found[-1] < end:
        found.append(min(end, found[-1] + max(1, int(0.25 * np.sqrt(found[-1])))))
    return np.array(found, dtype=float)


def onto(pmf: Array, counts: Array) -> Array:
    """Probabilities of 1..n_max put onto `counts`, split between neighbours so that means are kept."""
    n = np.arange(1.0, pmf.shape[1])
    if len(n) <= len(counts) and counts[len(n) - 1] == len(n):
        found = np.zeros((len(pmf), len(counts)))
        found[:, : len(n)] = pmf[:, 1:]
        return found
    place = np.clip(np.searchsorted(counts, n, side="right") - 1, 0, len(counts) - 2)
    share = (n - counts[place]) / (counts[place + 1] - counts[place])
    spread = np.zeros((len(n), len(counts)))
    row: NDArray[np.intp] = np.arange(len(n))
    spread[row, place] = 1 - share
    spread[row, place + 1] += share
    return row_product(pmf[:, 1:], spread)


def _width(a: float, b: float) -> float:
    """Standard deviation of the log of a beta prime variable."""
    return float(np.sqrt(polygamma(1, a) + polygamma(1, b)))


def _log_quantile(a: float, b: float, share: float) -> float:
    w = float(betaincinv(a, b, share))
    rest = float(betaincinv(b, a, 1 - share)) if w > 0.5 else 1 - w
    with np.errstate(divide="ignore"):
        return float(np.log(w) - np.log(rest))
