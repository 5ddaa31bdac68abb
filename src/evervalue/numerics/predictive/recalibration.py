"""A correction of predictive laws learnt where the outcome is known: increasing maps of cumulative probabilities.

If F is the law that a model gives to a customer, the corrected law is C(F(.)). C is an increasing map of [0, 1],
piecewise linear between fixed knots, and glides with the expected outcome: each of up to seven anchors, quantiles of
the expected outcome, has a map, and between anchors maps are blended linearly in its logarithm. A count, or a value
with an atom at zero, tells only that its place under C lies between F(y-) and F(y), so the masses between knots are
fitted by maximum likelihood for interval-censored data (Turnbull, 1976, "The empirical distribution function with
arbitrarily grouped, censored and truncated data"); pseudo-observations pull each anchor to the map of all customers,
and that one to the identity. So the log score of the corrected laws is maximised, and no random number breaks atoms
up, as a randomised PIT does.

To pass a law through the distribution of its own PIT is Dawid's idea (1984, "The prequential approach"); for
regression it is that of Kuleshov, Fenner and Ermon (2018, "Accurate uncertainties for deep learning using calibrated
regression"); conformal prediction by PIT ranks is the same with a step function for all customers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from evervalue.core.errors import InputError
from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.row_product import row_product

KNOTS = np.array(
    [0, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999,
     0.9999, 0.99999, 1]
)  # fmt: skip
"""Dense at the upper end: where trade grows, outcomes lie far beyond what a law held possible."""
ANCHORS = {
    300: (0.05, 0.5, 0.95),
    800: (0.05, 0.25, 0.5, 0.75, 0.95),
    1_800: (0.05, 0.2, 0.4, 0.6, 0.8, 0.93, 0.985),
}
"""Quantiles of the expected outcome that have a map of their own, from that many customers on; one map below."""
PULL = 60.0
"""Pseudo-observations that hold a map to what it is pulled to."""
LEAST = 50
"""Customers below which nothing is learnt."""
MOST = 50_000
"""Customers above which an even sample of them is learnt from."""
FOLDS = 5
_WIDTHS = np.diff(KNOTS)
_ROUNDS = 300
_STILL = 1e-6
_FLOOR = 1e-12


@dataclass(frozen=True)
class CorrectionMap:
    """Increasing maps of [0, 1] that glide with the expected outcome."""

    anchors: Array
    """(anchors,): expected outcomes, ascending and above zero."""
    levels: Array
    """(anchors, knots): what each knot of `KNOTS` is mapped to, from 0 to 1."""
    customers: int
    """Customers it was learnt on; 0 for the identity."""
    gain: float
    """What it added to the mean log score of customers it was not learnt on."""

    @property
    def identity(self) -> bool:
        """Whether it changes nothing."""
        return self.customers == 0

    def of(self, expected: Array) -> Callable[[Array], Array]:
        """The map of each row, for arrays (rows, k) of cumulative probabilities."""
        if self.identity:
            return lambda cumulative: cumulative
        levels = row_product(_blend(self.anchors, expected), self.levels)

        def corrected(cumulative: Array) -> Array:
            cell = np.clip(np.searchsorted(KNOTS, cumulative, side="right") - 1, 0, len(_WIDTHS) - 1)
            share = np.clip((cumulative - KNOTS[cell]) / _WIDTHS[cell], 0.0, 1.0)
            left = np.take_along_axis(levels, cell, axis=1)
            right = np.take_along_axis(levels, cell + 1, axis=1)
            found: Array = left + share * (right - left)
            return found

        return corrected

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "knots": KNOTS.tolist(), "anchors": self.anchors.tolist(), "levels": self.levels.tolist(),
            "customers": self.customers, "gain": self.gain,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises
        ------
        InputError
            The maps are of another form.
        """
        anchors = np.asarray(told["anchors"], dtype=float)
        levels = np.asarray(told["levels"], dtype=float)
        if not np.array_equal(told["knots"], KNOTS) or levels.shape != (len(anchors), len(KNOTS)):
            raise InputError(
                "This correction was written by another version: its knots differ. Learn it again."
            )
        return cls(anchors, levels, int(told["customers"]), float(told["gain"]))


def no_correction() -> CorrectionMap:
    """The identity."""
    return CorrectionMap(np.ones(1), KNOTS[None, :].copy(), 0, 0.0)


def learn(below: Array, upto: Array, expected: Array) -> CorrectionMap:
    """The maps under which the outcomes of these customers are likeliest; the identity where that gains nothing.

    Whether it gains is decided by five-fold cross-validation: where the log score of the customers who took no part
    does not rise, nothing is corrected.

    Parameters
    ----------
    below, upto
        P(Y < y) and P(Y <= y) that each customer's law gave to what then happened, (n,).
    expected
        The expected outcome, (n,): it decides the blend of maps.

    Examples
    --------
    Outcomes that fall in the upper half of their laws too often:

    >>> u = np.linspace(0, 1, 2000) ** 0.5
    >>> found = learn(u, u, np.ones(2000))
    >>> float(found.of(np.ones(1))(np.array([[0.5]]))[0, 0].round(2))
    0.26
    """
    # Sorted, so that folds and sums do not depend on the order of rows.
    order = np.lexsort([expected, upto, below])
    if len(order) > MOST:
        order = order[np.linspace(0, len(order) - 1, MOST).astype(np.intp)]
    below, upto, expected = below[order], upto[order], expected[order]
    if len(order) < LEAST:
        return no_correction()
    overlap = _overlap(below, upto)
    fold = np.arange(len(below)) % FOLDS
    plain = np.log(np.maximum(overlap @ _WIDTHS, _FLOOR))
    score = np.empty(len(below))
    for held in range(FOLDS):
        kept = fold != held
        anchors, theta = _fit(overlap[kept], expected[kept])
        density = ((_blend(anchors, expected[~kept]) @ theta) * overlap[~kept]).sum(axis=1)
        score[~kept] = np.log(np.maximum(density, _FLOOR))
    gain = float((score - plain).mean())
    if gain <= 0:
        return no_correction()
    anchors, theta = _fit(overlap, expected)
    levels = np.concatenate([np.zeros((len(theta), 1)), np.cumsum(theta, axis=1)], axis=1)
    levels[:, -1] = 1.0
    return CorrectionMap(anchors, levels, len(below), gain)


def _overlap(below: Array, upto: Array) -> Array:
    """Share of each bin that lies between `below` and `upto`, (n, bins); a point lies in one bin, as a density."""
    left = np.maximum(KNOTS[:-1], below[:, None])
    right = np.minimum(KNOTS[1:], upto[:, None])
    share: Array = np.maximum(right - left, 0.0) / _WIDTHS
    point = np.flatnonzero(share.sum(axis=1) <= _FLOOR)
    bins = np.clip(np.searchsorted(KNOTS, upto[point], side="left") - 1, 0, len(_WIDTHS) - 1)
    share[point] = 0.0
    share[point, bins] = 1.0 / _WIDTHS[bins]
    return share


def _blend(anchors: Array, expected: Array) -> Array:
    """Weights of the anchors' maps at each expected outcome, (n, anchors)."""
    weights = np.zeros((len(expected), len(anchors)))
    if len(anchors) == 1:
        weights[:, 0] = 1.0
        return weights
    at = np.log(anchors)
    where = np.log(np.clip(expected, anchors[0], anchors[-1]))
    cell = np.clip(np.searchsorted(at, where, side="right") - 1, 0, len(anchors) - 2)
    share = (where - at[cell]) / (at[cell + 1] - at[cell])
    rows = np.arange(len(expected))
    weights[rows, cell] = 1 - share
    weights[rows, cell + 1] = share
    return weights


def _fit(overlap: Array, expected: Array) -> tuple[Array, Array]:
    """Anchors, and the masses of the bins at each."""
    whole = _masses(overlap, np.ones((len(overlap), 1)), _WIDTHS)
    shares = next((shares for least, shares in reversed(ANCHORS.items()) if len(expected) >= least), ())
    some = expected[expected > 0]
    anchors = np.unique(np.quantile(some, shares)) if shares and some.size else np.ones(1)
    if len(anchors) == 1:
        return np.ones(1), whole
    return anchors, _masses(overlap, _blend(anchors, expected), whole[0])


def _masses(overlap: Array, blend: Array, towards: Array) -> Array:
    """Masses of the bins at each anchor, by expectation-maximisation from what they are pulled to."""
    theta = np.tile(towards, (blend.shape[1], 1))
    for _ in range(_ROUNDS):
        density = ((blend @ theta) * overlap).sum(axis=1, keepdims=True)
        given = theta * (blend.T @ (overlap / np.maximum(density, 1e-300)))
        new = (given + PULL * towards) / (given.sum(axis=1, keepdims=True) + PULL)
        moved = float(np.abs(new - theta).max())
        theta = new
        if moved < _STILL:
            break
    found: Array = theta / theta.sum(axis=1, keepdims=True)
    return found
