"""Profile likelihood intervals of a fitted model's parameters, in the unit of its history and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.core import show
from evervalue.core.arguments import number
from evervalue.models.likelihood import Likelihood
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.profile import profile_interval


@dataclass(frozen=True)
class ParameterInterval:
    """What a parameter, or the coefficient of a covariate, can be."""

    name: str
    estimate: float
    low: float
    """0, or -inf of a coefficient, where the data exclude no smaller value."""
    high: float
    """inf where the data exclude no larger value."""
    says: str


@dataclass(frozen=True)
class Profiles:
    """Intervals of all of them; shows itself as a table."""

    level: float
    intervals: tuple[ParameterInterval, ...]

    def __getitem__(self, name: str) -> ParameterInterval:
        return next(one for one in self.intervals if one.name == name)

    def to_dict(self) -> dict[str, tuple[float, float]]:
        """Low and high by name."""
        return {one.name: (one.low, one.high) for one in self.intervals}

    def __repr__(self) -> str:
        columns = ["parameter", "estimate", "low", "high"]
        rows = [[p.name, *(f"{v:.6g}" for v in (p.estimate, p.low, p.high))] for p in self.intervals]
        notes = [("note", p.says) for p in self.intervals if p.low in (0, -np.inf) or p.high == np.inf]
        title = f"Profile likelihood intervals, {100 * self.level:g} %"
        return show.text(title, notes, show.Sample(columns, rows, len(rows)))


def profiles(
    likelihood: Likelihood,
    theta: Array,
    hessian: Array,
    *,
    level: float = 0.95,
    box: Array,
) -> Profiles:
    """Intervals of the parameters of a fit, then of its coefficients.

    Parameters
    ----------
    likelihood
        What was maximised.
    theta
        Where it is highest, (k,), in the coordinates of the search.
    hessian
        Its second derivatives there.
    level
        Of confidence.
    box
        How far each entry was searched for either way, (k,).

    Raises
    ------
    SettingsError
        The level is not between 0 and 1.
    """
    level = number(level, "level", "must be between 0 and 1, such as 0.95.", lambda share: 0 < share < 1)
    names, found = likelihood.kernel.names, []
    # Intervals are of parameters where covariates are 0, as they are reported, not of the average customer's.
    turn = likelihood.covariates.natural(likelihood.kernel)
    back = np.linalg.inv(turn)

    def objective(logs: Array) -> tuple[float, Array]:
        value, gradient = likelihood.objective(logs @ back)
        return value, back @ gradient

    at, curved, box = theta @ turn, back @ hessian @ back.T, box @ np.abs(turn)
    for i, name in enumerate((*names, *likelihood.covariates.labels())):
        one = profile_interval(objective, at, curved, i, level=level, lower=-box, upper=box)
        if i >= len(names):
            ends = f"between {one.low:.4g} and {one.high:.4g} ({100 * level:g} %)."
            found.append(ParameterInterval(name, one.estimate, one.low, one.high, f"{name} is {ends}"))
            continue
        scale = likelihood.time_scale if name in likelihood.kernel.time_names else 1.0
        estimate, low, high = (float(np.exp(v)) * scale for v in (one.estimate, one.low, one.high))
        found.append(ParameterInterval(name, estimate, low, high, one.says(name, scale)))
    return Profiles(level, tuple(found))
