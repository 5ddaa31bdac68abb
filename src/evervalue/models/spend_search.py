"""The maximum of a spend model's likelihood, searched for along its ridges and polished to the last digits.

Parameters go together: the mean of Gamma-Gamma is p v / (q - 1), so that p, q and v trade off along
a narrow ridge that runs out of every box. In the coordinates phi, with theta = turn @ phi, one axis is the typical
amount itself, and the ridge lies along the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evervalue.core.errors import FitFailed
from evervalue.core.text import count
from evervalue.models.spend_likelihood import SpendLikelihood
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, Objective, maximise, refine

SAMPLE = 2_000
"""Customers on whom all starts are tried; the best goes on over all of them."""
NEAR = 0.05
"""Longest step that is a polish."""


@dataclass(frozen=True)
class Search:
    """Where to look for a maximum."""

    turn: Array
    """(k, k): theta = turn @ phi."""
    lower: Array
    upper: Array
    """The box, in phi."""
    starts: Sequence[Array]
    """In phi."""


def best_fit(name: str, likelihood: SpendLikelihood, search: Search) -> Maximum:
    """The maximum, in theta; `at_bound` counts axes of phi.

    Raises
    ------
    FitFailed
        No start came to rest.
    """

    def turned(one: SpendLikelihood) -> Objective:
        def objective(phi: Array) -> tuple[float, Array]:
            value, gradient = one.objective(search.turn @ phi)
            return value, gradient @ search.turn

        return objective

    lower, upper, starts = search.lower, search.upper, search.starts
    objective = turned(likelihood)
    best = None
    if len(likelihood.data.x) > 2 * SAMPLE:
        of_some = maximise(turned(likelihood.subset(SAMPLE)), starts, lower=lower, upper=upper)
        starts = [of_some.log_params]
        if of_some.converged and not of_some.at_bound:
            best = refine(objective, of_some.log_params, of_some.hessian, lower=lower, upper=upper)
    best = best or maximise(objective, starts, lower=lower, upper=upper)
    if not np.isfinite(best.value) or not best.converged:
        raise FitFailed(
            f"{name} did not converge on {count(int(likelihood.data.weight.sum()), 'customer')}: after "
            f"{count(best.n_iter, 'step')} from {count(len(starts), 'start')} the log-likelihood was still "
            "rising. Try a prior, or more data; nothing is predicted from a fit like this."
        )
    best = _polished(objective, best)
    back = np.linalg.inv(search.turn)
    return replace(
        best,
        log_params=search.turn @ best.log_params,
        gradient=best.gradient @ back,
        hessian=back.T @ best.hessian @ back,
    )


def _polished(objective: Objective, best: Maximum) -> Maximum:
    """Newton's last steps, which gain no likelihood that a search would see but half the digits of the parameters."""
    free = np.ones(len(best.log_params), dtype=bool)
    free[list(best.at_bound)] = False
    at, value, gradient = best.log_params, best.value, best.gradient
    curvature = -best.hessian[np.ix_(free, free)]
    if not free.any() or np.linalg.eigvalsh(curvature)[0] <= 0:
        return best
    for _ in range(3):
        step = np.zeros(len(at))
        step[free] = np.linalg.solve(curvature, gradient[free])
        if np.abs(step).max() > NEAR:
            break
        new_value, new_gradient = objective(at + step)
        if not new_value >= value - 1e-9 * (1 + abs(value)):
            break
        at, value, gradient = at + step, new_value, new_gradient
        if np.abs(step).max() < 1e-11:
            break
    return replace(best, log_params=at, value=value, gradient=gradient)
