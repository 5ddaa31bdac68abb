"""Profile likelihood intervals: how far one parameter can go, all others doing their best to make up for it.

Venzon and Moolgavkar (1988), "A method for computing profile-likelihood-based confidence intervals". Unlike an
estimate plus and minus two standard errors, an interval by profile does not depend on how the parameter is written,
is lopsided where the likelihood is, and has no end on a side where the data exclude nothing: then it says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Objective

WIDEST = float(np.log(1e5))
"""Without other bounds a parameter is followed from 1/100,000 to 100,000; an end beyond counts as open."""
_CLOSE = 1e-4
"""How close, in standard deviations, an end is found."""
_SMALL_GAIN = 1e-6
_AT_BOUND, _STRAIN = 0.5, 0.02
_MOST_STEPS = 60


@dataclass(frozen=True)
class ProfileInterval:
    """What a parameter can be, on the log scale."""

    estimate: float
    low: float
    """Lower end; -inf where the data exclude no smaller value."""
    high: float
    """Upper end; inf where the data exclude no larger value."""
    level: float
    path: Array
    """(n, 2), values tried, ascending, and the log-likelihood that each loses against the maximum."""
    better: Array | None
    """Log parameters of a higher likelihood than the maximum given, should the search have met any."""
    evaluations: int
    """Calls of the objective."""

    def says(self, name: str, scale: float = 1.0) -> str:
        """The interval in words, of the parameter itself.

        Parameters
        ----------
        name
            Of the parameter.
        scale
            What a value is multiplied with: the unit of scaled time, for parameters measured in time.

        Examples
        --------
        >>> path = np.empty((0, 2))
        >>> ProfileInterval(np.log(0.6), np.log(0.31), np.inf, 0.95, path, None, 20).says("s")
        's is at least 0.31 (95 %); it has no upper limit: the data do not exclude any larger value.'
        """
        low, high = (f"{np.exp(end) * scale:.4g}" for end in (self.low, min(self.high, 700.0)))
        percent = f"{100 * self.level:g} %"
        match bool(np.isfinite(self.low)), bool(np.isfinite(self.high)):
            case True, True:
                return f"{name} is between {low} and {high} ({percent})."
            case True, False:
                return (
                    f"{name} is at least {low} ({percent}); it has no upper limit: the data do not exclude any "
                    "larger value."
                )
            case False, True:
                return (
                    f"{name} is at most {high} ({percent}); it has no lower limit: the data do not exclude any "
                    "smaller value."
                )
            case _:
                return f"{name} can be anything ({percent}): the data exclude no value of it."


def profile_interval(
    objective: Objective,
    maximum: Array,
    hessian: Array,
    index: int,
    *,
    level: float = 0.95,
    lower: Array | float = -WIDEST,
    upper: Array | float = WIDEST,
) -> ProfileInterval:
    """The values of one log parameter that lose no more than half the chi-square quantile of log-likelihood.

    Each end is a root of the signed root of the loss, which is close to linear, so that few points are needed; at
    each point the others are maximised by quasi-Newton steps that begin at the last point's solution and with the
    curvature at the maximum.

    Parameters
    ----------
    objective
        Log-likelihood and gradient at log parameters (k,).
    maximum
        (k,), where it is highest.
    hessian
        (k, k) there; flat directions are no harm.
    index
        Which parameter.
    level
        Of confidence.
    lower, upper
        Bounds of the search, (k,) or one for all. A loss that is too small even there leaves the end open.

    Examples
    --------
    A normal law, whose interval is 1.96 standard deviations either way:

    >>> def objective(x):
    ...     return float(-0.5 * (x @ x)), -x
    >>> found = profile_interval(objective, np.zeros(2), -np.eye(2), 0)
    >>> round(found.low, 3), round(found.high, 3)
    (-1.96, 1.96)
    """
    k = len(maximum)
    bounds = np.broadcast_to(lower, k), np.broadcast_to(upper, k)
    search = _Profile(objective, np.asarray(maximum, dtype=float), hessian, index, *bounds)
    wanted = float(ndtri((1 + level) / 2))
    low, high = (search.end(side, wanted) for side in (-1.0, 1.0))
    return ProfileInterval(
        estimate=float(maximum[index]),
        low=low,
        high=high,
        level=level,
        path=np.array(sorted((value, loss) for value, loss in search.path)),
        better=search.better,
        evaluations=search.evaluations,
    )


class _Profile:
    """The likelihood as a function of one parameter, the others at their best."""

    def __init__(
        self, objective: Objective, maximum: Array, hessian: Array, index: int, lower: Array, upper: Array
    ) -> None:
        self.objective, self.index, self.lower, self.upper = objective, index, lower, upper
        self.maximum = maximum
        self.top = objective(maximum)[0]
        self.evaluations = 1
        self.path: list[tuple[float, float]] = [(float(maximum[index]), 0.0)]
        self.better: Array | None = None
        self.others = np.delete(np.arange(len(maximum)), index)
        self.floor, self.ceiling = lower[self.others], upper[self.others]
        precision = -np.where(np.isfinite(hessian), hessian, 0.0)
        values, vectors = np.linalg.eigh(precision[np.ix_(self.others, self.others)])
        # A flat direction is searched as if it were known to a factor of e.
        self.inverse = (vectors / np.maximum(values, 1.0)) @ vectors.T
        self.drift = -self.inverse @ precision[self.others, index]
        own = float(precision[index, index] + precision[index, self.others] @ self.drift)
        self.sd = 1 / np.sqrt(max(own, 1.0 / 9))

    def end(self, side: float, wanted: float) -> float:
        """Where the signed root of twice the loss reaches `wanted`; infinite where it does not before the bound."""
        bound = float(self.upper[self.index] if side > 0 else self.lower[self.index])
        room = side * (bound - float(self.maximum[self.index]))
        if room <= 0:
            return side * np.inf
        inside, below, others = 0.0, -wanted, self.maximum[self.others]
        outside, above, last = np.nan, np.nan, 0
        step = min(wanted * self.sd, room)
        for _ in range(_MOST_STEPS):
            start = others + self.drift * side * (step - inside) if inside == 0 else others
            loss, solved, pull = self.loss(side * step, start)
            miss = np.sqrt(2 * max(loss, 0.0)) - wanted
            # Where another parameter strains against its bound, that holds this one back, and not the data.
            low, high = solved <= self.floor + _AT_BOUND, solved >= self.ceiling - _AT_BOUND
            held = np.any((low & (pull < -_STRAIN)) | (high & (pull > _STRAIN)))
            if miss < _CLOSE and (held or step >= room):
                return side * np.inf
            if abs(miss) < _CLOSE:
                return float(self.maximum[self.index] + side * step)
            if miss < 0:
                inside, below, others = step, miss, solved
            else:
                outside, above = step, miss
            if np.isnan(outside):
                # Not there yet: as far on as the slope so far says, at most three times as far.
                slope = (below + wanted) / inside
                step = min(room, max(1.2 * inside, min(3 * inside, inside - below / max(slope, 1e-9) * 1.05)))
            elif outside - inside < 1e-7:
                return float(self.maximum[self.index] + side * outside)
            else:
                # Regula falsi, the Illinois way: an end that stays twice counts half, so that both ends close in.
                if last == np.sign(miss):
                    above, below = (above / 2, below) if miss < 0 else (above, below / 2)
                last = int(np.sign(miss))
                guess = inside - below * (outside - inside) / (above - below)
                margin = 0.02 * (outside - inside)
                step = min(max(guess, inside + margin), outside - margin)
        raise ArithmeticError(f"no end of parameter {self.index} found within {_MOST_STEPS} steps")

    def loss(self, away: float, start: Array) -> tuple[float, Array, Array]:
        """Log-likelihood lost with the parameter `away` from its estimate, the others' values, and their gradient."""
        at = self.maximum.copy()
        at[self.index] += away
        inverse = self.inverse
        others = np.clip(start, self.floor, self.ceiling)
        value, gradient = self._ask(at, others)
        for _ in range(_MOST_STEPS):
            at_floor, at_ceiling = others <= self.floor + 1e-9, others >= self.ceiling - 1e-9
            stuck = (at_floor & (gradient < 0)) | (at_ceiling & (gradient > 0))
            step = np.where(stuck, 0.0, inverse @ np.where(stuck, 0.0, gradient))
            step *= min(1.0, 3.0 / max(float(np.linalg.norm(step)), 1e-300))
            step = np.clip(others + step, self.floor, self.ceiling) - others
            if float(gradient @ step) < _SMALL_GAIN:
                break
            new_value, new_gradient = self._ask(at, others + step)
            for _ in range(12):
                if new_value > value:
                    break
                step = step / 4
                new_value, new_gradient = self._ask(at, others + step)
            if not new_value > value:
                if inverse is self.inverse:
                    break
                # What was learnt on the way here may be wrong here.
                inverse = self.inverse
                continue
            inverse = _updated(inverse, step, gradient - new_gradient)
            others = np.clip(others + step, self.floor, self.ceiling)
            value, gradient = new_value, new_gradient
        loss = self.top - value
        self.path.append((float(at[self.index]), loss))
        if loss < -1e-6 and (self.better is None or value > self._value(self.better)):
            self.better = at.copy()
            self.better[self.others] = others
        return loss, others, gradient

    def _value(self, at: Array) -> float:
        self.evaluations += 1
        return self.objective(at)[0]

    def _ask(self, at: Array, others: Array) -> tuple[float, Array]:
        at = at.copy()
        at[self.others] = others
        self.evaluations += 1
        value, gradient = self.objective(at)
        return (value, gradient[self.others]) if np.isfinite(value) else (-np.inf, np.zeros(len(others)))


def _updated(inverse: Array, step: Array, change: Array) -> Array:
    """The inverse curvature after a step along which the gradient fell by `change` (the BFGS formula)."""
    curvature = float(step @ change)
    if curvature <= 1e-12:
        return inverse
    out = np.eye(len(step)) - np.outer(step, change) / curvature
    updated: Array = out @ inverse @ out.T + np.outer(step, step) / curvature
    return updated
