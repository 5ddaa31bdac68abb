"""The rules that stand in where no model can be fitted, so that a run always says something and says what it is.

*Pooled rate*: every customer is taken to buy at one rate that all of them share, and nobody to leave. With S repeat
purchase days in D customer-days the rate is Gamma(S + 1/2, D), Jeffreys' posterior of a Poisson rate, so that the
orders within h days are negative binomial with mean (S + 1/2) h / D. Where nobody has bought twice this is
half an order shared by all, not zero: the word of the prior, which the run says.

*Mean spend*: every purchase day is taken to be worth the mean of all purchase days. Nothing is said of how much days
vary, so an interval of value is the interval of orders at that mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from evervalue.core.text import count
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.intervals import shortest_counts

TAIL = 1e-9
LARGEST = 1 << 20


@dataclass(frozen=True)
class PooledRate:
    """Orders of any customer within a horizon, from all customers' repeats and days."""

    repeats: float
    days: float

    name = "pooled rate"
    key = "pooled-rate"

    @property
    def says(self) -> str:
        """Whose word the rate is."""
        watched = f"in {self.days:,.0f} customer-days"
        if self.repeats == 0:
            return (
                f"That rate, half an order {watched}, is the prior's: nothing is in it of these customers but how long "
                "they were watched."
            )
        return (
            f"That rate, {count(int(self.repeats), 'repeat purchase day')} {watched}, is that of all customers "
            "together; nobody's own purchases change it."
        )

    @property
    def shape(self) -> float:
        """Shape of the rate's gamma law."""
        return self.repeats + 0.5

    def expected(self, horizon_days: float) -> float:
        """Expected orders within the horizon."""
        return self.shape / self.days * horizon_days

    def discounted(self, horizon_days: float, delta: float) -> float:
        """Expected orders, each discounted at `delta` a day; the horizon may be infinite where delta > 0."""
        worth = horizon_days if delta == 0 else -math.expm1(-delta * horizon_days) / delta
        return self.shape / self.days * worth

    def pmf(self, horizon_days: float) -> Array:
        """P(N = n) for n from 0 to where less than `TAIL` is left."""
        last = 16
        while True:
            n = np.arange(last + 1, dtype=np.float64)
            log_p = (
                gammaln(self.shape + n) - gammaln(self.shape) - gammaln(n + 1)
                + self.shape * math.log(self.days / (self.days + horizon_days))
                + n * math.log(horizon_days / (self.days + horizon_days))
            )  # fmt: skip
            found = np.exp(log_p)
            if 1 - found.sum() < TAIL or last >= LARGEST:
                return np.asarray(found)
            last *= 2

    def interval(self, horizon_days: float, mass: float) -> tuple[float, float, float]:
        """Shortest interval of orders within the horizon that holds `mass`, and what it really holds."""
        found = shortest_counts(self.pmf(horizon_days)[None, :], mass)
        return float(found.low[0]), float(found.high[0]), float(found.mass[0])


def pooled_rate(x: Array, T: Array, weight: Array) -> PooledRate | None:
    """The rule from histories in days with how many customers have each; None where nobody was watched for a day."""
    days = float(T @ weight)
    return PooledRate(float(x @ weight), days) if days > 0 else None
