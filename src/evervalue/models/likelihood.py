"""The log-likelihood of distinct histories as a function of log parameters: time scaled, covariates, penalty.

Inside a search time is divided by the mean age, so that the result does not depend on the unit in which it came. The
free vector theta holds the log of each parameter in that scaled time, then the coefficients of the transaction
covariates, then those of the dropout covariates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.models.covariates import PROCESSES, Covariates, shifted
from evervalue.models.histories import Distinct
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.purchases.kernel import Kernel

CELLS = 32_768
"""Histories times points at a time: what a likelihood keeps of them then fits the processor's cache."""


@dataclass(frozen=True)
class Prior:
    """A Normal prior on linear functions of theta, such as its entries; it doubles as a penalty. Infinite sd: none."""

    mean: Array
    sd: Array
    of: Array | None = None
    """(k, j): theta times it is what the prior is on. None: theta itself."""

    def value(self, theta: Array) -> Array:
        """Log density up to a constant at (..., k)."""
        return np.asarray(-0.5 * np.sum(((self._judged(theta) - self.mean) / self.sd) ** 2, axis=-1))

    def gradient(self, theta: Array) -> Array:
        """Its gradient."""
        slope = -(self._judged(theta) - self.mean) / self.sd**2
        return np.asarray(slope if self.of is None else self.of @ slope)

    def _judged(self, theta: Array) -> Array:
        return np.asarray(theta if self.of is None else theta @ self.of)


@dataclass(frozen=True)
class Likelihood:
    """Value and gradient of a model's log-likelihood over distinct histories."""

    kernel: Kernel
    data: Distinct
    """Times in the unit in which the history came; covariates centred and scaled."""
    time_scale: float
    """What its times are divided by."""
    covariates: Covariates
    """Those in `data.extra`."""
    prior: Prior | None = None

    @property
    def size(self) -> int:
        """Length of theta."""
        return len(self.kernel.names) + len(self.covariates.labels())

    def params(self, theta: Array) -> list[Number]:
        """Parameters in scaled time; arrays (n,) where covariates shift them. `theta` is (k,) or (D, k)."""
        return shifted(self.kernel, np.asarray(theta), self.covariates.names, self.data.extra)

    def objective(self, theta: Array) -> tuple[float, Array]:
        """Weighted log-likelihood plus log prior, and its gradient."""
        d, s = self.data, self.time_scale
        ll, by_log = self.kernel.log_likelihood_gradient(self.params(theta), d.x, d.t_x / s, d.T / s)
        by_log = np.broadcast_to(by_log, (len(self.kernel.names), len(d.x)))
        gradient = np.empty(self.size)
        place = len(self.kernel.names)
        gradient[:place] = by_log @ d.weight
        for process in PROCESSES:
            signs = self.kernel.covariates.get(process, {})
            slope = sum(
                (sign * by_log[self.kernel.names.index(name)] for name, sign in signs.items()),
                start=np.zeros(len(d.x)),
            )
            for name in self.covariates.names.get(process, ()):
                gradient[place] = float((slope * d.extra[name]) @ d.weight)
                place += 1
        value = float(ll @ d.weight)
        if self.prior is not None:
            value += float(self.prior.value(theta))
            gradient += self.prior.gradient(theta)
        return value, gradient

    def log_density(self, thetas: Array) -> Array:
        """Log-likelihood plus log prior at many points, (D, k) to (D,)."""
        d, s = self.data, self.time_scale
        t_x, T = d.t_x / s, d.T / s
        points = np.asarray(thetas)[:, None, :]
        block = max(1, CELLS // len(d.x))
        found = np.concatenate(
            [
                self.kernel.log_likelihood(self.params(points[i : i + block]), d.x, t_x, T) @ d.weight
                for i in range(0, len(points), block)
            ]
        )
        return found if self.prior is None else found + self.prior.value(thetas)

    def subset(self, size: int) -> Likelihood:
        """The same over a systematic sample of `size` distinct histories, weighted to the same total."""
        n = len(self.data.x)
        total = np.cumsum(self.data.weight)
        marks = (np.arange(size) + 0.5) / size * total[-1]
        rows, times = np.unique(np.minimum(np.searchsorted(total, marks), n - 1), return_counts=True)
        d = self.data
        data = Distinct(
            d.x[rows], d.t_x[rows], d.T[rows], times * (total[-1] / size), d.inverse[:0],
            {name: column[rows] for name, column in d.extra.items()},
        )  # fmt: skip
        return Likelihood(self.kernel, data, self.time_scale, self.covariates, self.prior)


def starts(kernel: Kernel, data: Distinct, time_scale: float, size: int) -> list[Array]:
    """Points to begin a search at, from the mean purchase rate."""
    rate = (float(data.x @ data.weight) + 0.5) / (float(data.T @ data.weight) / time_scale + 1e-12)
    guesses = [
        {"r": 0.5, "a": 0.8, "b": 2.5, "s": 0.5, "beta": 1.0},
        {"r": 2.0, "a": 0.1, "b": 2.0, "s": 0.05, "beta": 0.5},
        {"r": 1.0, "a": 5.0, "b": 20.0, "s": 3.0, "beta": 6.0},
    ]
    found = []
    for guess in guesses:
        point = np.zeros(size)
        values = {**guess, "alpha": guess["r"] / rate * kernel.options.get("k", 1)}
        point[: len(kernel.names)] = [np.log(values[name]) for name in kernel.names]
        found.append(point)
    return found
