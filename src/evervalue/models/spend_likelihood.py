"""The log-likelihood of amounts as a function of a free vector: money scaled, customers alike counted once.

Inside a search money is divided by the scale of the data and, for models of any sign, taken from its centre, so that
the result does not depend on the currency. The free vector theta holds logs of parameters, and m0 as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.models.amounts import Amounts
from evervalue.models.likelihood import Prior
from evervalue.numerics.arrays import Array
from evervalue.numerics.spend.spend_kernel import SpendKernel

ROWS = 32_768
"""Customers at a time: what a likelihood keeps of them then fits the processor's cache."""


@dataclass(frozen=True)
class SpendLikelihood:
    """Value and gradient of a spend model's log-likelihood, in scaled money."""

    kernel: SpendKernel
    data: Amounts
    """In scaled money."""
    prior: Prior | None = None
    fixed: tuple[float, ...] = ()
    """Entries of theta for the first parameters, where these are not searched for; theta then holds the others."""

    def params(self, theta: Array) -> list[Array]:
        """Parameters in scaled money at theta, (k,) or (D, 1, k)."""
        whole = (*self.fixed, *np.moveaxis(theta, -1, 0))
        return [
            np.asarray(np.exp(v) if name in self.kernel.log_names else v)
            for name, v in zip(self.kernel.names, whole, strict=True)
        ]

    def objective(self, theta: Array) -> tuple[float, Array]:
        """Weighted log-likelihood plus log prior, and its gradient."""
        params = self.params(theta)
        value, gradient = 0.0, np.zeros(len(theta))
        for part in self._parts():
            ll, by_theta = self.kernel.log_likelihood_gradient(params, *_told(part))
            value += float(ll @ part.weight)
            gradient += by_theta[len(self.fixed) :] @ part.weight
        if self.prior is not None:
            value += float(self.prior.value(theta))
            gradient += self.prior.gradient(theta)
        return value, gradient

    def log_density(self, thetas: Array) -> Array:
        """Log-likelihood plus log prior at many points, (D, k) to (D,)."""
        found = np.zeros(len(thetas))
        for part in self._parts():
            told, block = _told(part), max(1, ROWS // len(part.x))
            for i in range(0, len(thetas), block):
                params = self.params(np.asarray(thetas)[i : i + block, None, :])
                found[i : i + block] += self.kernel.log_likelihood(params, *told) @ part.weight
        return found if self.prior is None else found + self.prior.value(thetas)

    def subset(self, size: int) -> SpendLikelihood:
        """The same over a systematic sample of `size` elements, weighted to the same total."""
        d = self.data
        total = np.cumsum(d.weight)
        marks = (np.arange(size) + 0.5) / size * total[-1]
        rows, times = np.unique(np.minimum(np.searchsorted(total, marks), len(total) - 1), return_counts=True)
        data = Amounts(
            d.x[rows], d.m[rows], None if d.squares is None else d.squares[rows], times * (total[-1] / size)
        )
        return SpendLikelihood(self.kernel, data, self.prior, self.fixed)

    def _parts(self) -> list[Amounts]:
        d = self.data
        cuts = [slice(start, start + ROWS) for start in range(0, len(d.x), ROWS)]
        return [
            Amounts(d.x[cut], d.m[cut], None if d.squares is None else d.squares[cut], d.weight[cut])
            for cut in cuts
        ]


def _told(part: Amounts) -> tuple[Array, ...]:
    return (part.x, part.m) if part.squares is None else (part.x, part.m, part.squares)
