"""Covariates of customers: how they shift parameters, and the centred and scaled form in which a search sees them.

Proportional effects on both processes, constant in time, as in Bachmann, Meierer and Näf (2021):
log(parameter_i) = log(parameter) + sign * coefficients' z_i. A year of birth or an income in cents would make the
parameters of a customer whose covariates are all 0 absurd and the search blind; so that a fit does not hang on the unit
or the origin of a covariate, theta is of the average customer, and coefficients are of one standard deviation.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.models.histories import Distinct
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.purchases.kernel import Kernel

PROCESSES = ("transaction", "dropout")
STILL = 1e-9
"""Standard deviation of a covariate, relative to its size, up to which it is the same for all customers."""


@dataclass(frozen=True)
class Covariates:
    """What a fit has learnt of its covariates."""

    names: Mapping[str, tuple[str, ...]]
    """Process to the covariates that shift it and differ between customers."""
    mean: Mapping[str, float]
    """Covariate to its mean over the customers fitted."""
    sd: Mapping[str, float]
    """Covariate to its standard deviation."""
    low: Mapping[str, float]
    """Covariate to its least value."""
    high: Mapping[str, float]
    """Covariate to its largest value."""
    constant: tuple[str, ...] = ()
    """Covariates that were asked for and are the same for all customers: they have no effect that could be told."""

    def scaled(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """Covariates with mean 0 and standard deviation 1 over the customers fitted."""
        return {name: (columns[name] - self.mean[name]) / self.sd[name] for name in self.mean}

    def labels(self) -> tuple[str, ...]:
        """One for each coefficient, in the order of theta: "transaction: age"."""
        return tuple(f"{process}: {name}" for process in PROCESSES for name in self.names.get(process, ()))

    def natural(self, kernel: Kernel) -> Array:
        """(k, k): theta times it is the logs of the parameters where covariates are 0, then coefficients a unit."""
        k = len(kernel.names)
        found = np.eye(k + len(self.labels()))
        place = k
        for process in PROCESSES:
            for name in self.names.get(process, ()):
                found[place, place] = 1 / self.sd[name]
                for parameter, sign in kernel.covariates.get(process, {}).items():
                    found[place, kernel.names.index(parameter)] = -sign * self.mean[name] / self.sd[name]
                place += 1
        return found

    def corners(self, most: int = 8) -> list[dict[str, Array]]:
        """The average customer, then those who lie as far out as any and half as far, in up to `most` directions."""
        found = [dict(self.mean)]
        if self.mean:
            m = len(self.mean)
            sides = np.array(list(itertools.product((0, 1), repeat=m))) if 2**m <= most else _sides(most, m)
            found += [
                {
                    name: self.mean[name] + part * ((self.high if up else self.low)[name] - self.mean[name])
                    for name, up in zip(self.mean, side, strict=True)
                }
                for side in sides
                for part in (1.0, 0.5)
            ]
        return [{name: np.full(1, value) for name, value in values.items()} for values in found]


def _sides(size: int, m: int) -> NDArray[np.int64]:
    """Corners of a box of m dimensions: some at random, each beside the one across."""
    half = np.random.default_rng(0).integers(0, 2, (size // 2, m))
    return np.concatenate([half, 1 - half])


NONE = Covariates({}, {}, {}, {}, {})


def seen_in(data: Distinct, asked: Mapping[str, Sequence[str]]) -> Covariates:
    """The covariates of the customers in `data`."""
    mean: dict[str, float] = {}
    sd, low, high, constant = dict(mean), dict(mean), dict(mean), []
    for name in dict.fromkeys(name for process in PROCESSES for name in asked.get(process, ())):
        column = data.extra[name]
        centre = float(np.average(column, weights=data.weight))
        spread = float(np.sqrt(np.average((column - centre) ** 2, weights=data.weight)))
        if spread <= STILL * float(np.abs(column).max()):
            constant.append(name)
        else:
            mean[name], sd[name] = centre, spread
            low[name], high[name] = float(column.min()), float(column.max())
    names = {process: tuple(name for name in asked.get(process, ()) if name in mean) for process in PROCESSES}
    return Covariates(names, mean, sd, low, high, tuple(constant))


def shifted(
    kernel: Kernel, theta: Array, names: Mapping[str, tuple[str, ...]], columns: Mapping[str, Array]
) -> list[Number]:
    """Parameters from theta (k,) or (D, 1, k), with the covariates of each customer applied on the log scale."""
    logs: dict[str, Number] = {name: theta[..., i] for i, name in enumerate(kernel.names)}
    place = len(kernel.names)
    for process in PROCESSES:
        of_process = names.get(process, ())
        if not of_process:
            continue
        effect = sum(
            (theta[..., place + i] * columns[name] for i, name in enumerate(of_process)), start=np.float64(0)
        )
        place += len(of_process)
        for name, sign in kernel.covariates.get(process, {}).items():
            logs[name] = logs[name] + sign * effect
    return [np.exp(logs[name]) for name in kernel.names]
