"""The spend models, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from evervalue.core.errors import FitFailed, InputError, MissingColumns, SettingsError
from evervalue.models import spend_findings
from evervalue.models.amounts import ALL, REPEAT, Amounts, amounts
from evervalue.models.base import Finding
from evervalue.models.spend_model import SpendModel
from evervalue.models.spend_search import Search
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum
from evervalue.numerics.spend import gamma_gamma
from evervalue.numerics.spend.spend_kernel import SpendKernel

MOST = 1e5
"""Largest p and q of Gamma-Gamma that are tried."""
LEAST = 0.05
"""Least p that is taken from amounts."""
FLOOR = 1e-3
"""Share of the money scale to which an amount is known, where some customers' amounts do not vary at all."""
NO_MONEY = 1e-6
"""The money scale where every amount is 0."""


@cache
def _kernel(module: str) -> SpendKernel:
    return SpendKernel.of(import_module(f"evervalue.numerics.spend.{module}"))


class GammaGamma(SpendModel):
    """Gamma-Gamma: amounts above zero, varying by the same share of the mean for everyone; means vary over customers.

    Parameters p (how little amounts vary), q and v (how mean spend varies over customers; v in money). Source: Fader
    and Hardie (2013), "The Gamma-Gamma model of monetary value". `docs/methods/gamma_gamma.md` has the equations.

    Parameters
    ----------
    spend, prior, penalty, random_state
        As for `SpendModel`.
    within
        What p, which says how little amounts vary within customers, is told from: "means", with q and v by maximum
        likelihood, as published; or "amounts", how they do vary (`numerics.spend.gamma_gamma.shape_within`), with q
        and v by maximum likelihood given p. Means tell it poorly, and amounts of real customers vary more than they
        say: on CDNOW 90 % intervals of what the next purchases brought held 82 % with "means" and 90 % with "amounts".
        It needs `ev.purchase_history(orders, columns="all")`.
    not_positive
        What to do with customers whose mean spend is at or below zero: "refuse" to fit or predict, or "leave_out",
        which fits to the others, says how many were left out, and predicts with 0 for their mean.

    Examples
    --------
    >>> history = {"frequency": [0, 1, 2, 5, 3], "monetary_value": [0.0, 18.0, 25.0, 31.0, 60.0]}
    >>> model = GammaGamma().fit(history)
    >>> bool(25.0 < model.conditional_expected_order_value(history)[2] < model.expected_order_value_)
    True
    """

    name: ClassVar[str] = "Gamma-Gamma"
    key: ClassVar[str] = "gamma-gamma"

    def __init__(
        self,
        *,
        spend: str = REPEAT,
        within: str = "means",
        not_positive: str = "refuse",
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        super().__init__(spend=spend, prior=prior, penalty=penalty, random_state=random_state)
        self.within = within
        self.not_positive = not_positive

    @property
    def kernel(self) -> SpendKernel:
        """The model's functions on arrays."""
        return _kernel("gamma_gamma")

    def _amounts(self, history: Any, weight: Array | None) -> Amounts:
        found = amounts(history, self.spend, weight)
        m = found.m
        if self.not_positive == "leave_out":
            m = np.maximum(m, 0.0)
        elif self.not_positive != "refuse":
            raise SettingsError(
                f"not_positive={self.not_positive!r} is not known. There are: 'refuse' and 'leave_out'."
            )
        elif weight is None:
            spend_findings.refuse_not_positive(self.name, found, InputError)
        return Amounts(found.x, m, found.squares, found.weight, found.least)

    def _usable(self, data: Amounts) -> Amounts:
        if self.within not in ("means", "amounts"):
            raise SettingsError(f"within={self.within!r} is not known. There are: 'means' and 'amounts'.")
        if self.not_positive == "refuse":
            spend_findings.refuse_not_positive(self.name, data)
        return Amounts(np.where(data.m > 0, data.x, 0.0), data.m, None, data.weight, data.least)

    def _fixed(self, scaled: Amounts, data: Amounts) -> list[tuple[float, float]]:
        if self.within == "means":
            return []
        if data.squares is None:
            raise MissingColumns(
                "within='amounts' needs to know how amounts vary within customers: columns monetary, repeat_monetary "
                "and monetary_squared_sum. ev.purchase_history(orders, columns='all') makes them."
            )
        if not (data.weight[data.x > 1] > 0).any():
            raise FitFailed(
                "within='amounts' looks at how the amounts of a customer vary, and nobody has two purchases that count."
            )
        p, spread = gamma_gamma.shape_within(data.x, data.m, data.squares, data.weight)
        if p < LEAST:
            raise FitFailed(
                f"Amounts of a customer vary by more than {1 / math.sqrt(LEAST):.1f} times their mean, as amounts "
                f"below zero make them do: {self.name} cannot tell them. {spend_findings.ALTERNATIVE}."
            )
        return [(math.log(p), spread) if p < MOST else (math.log(MOST), 0.0)]

    def _units(self, data: Amounts) -> tuple[float, float]:
        return 0.0, float(data.m @ data.weight / data.weight.sum())

    def _search(self, data: Amounts, fixed: tuple[float, ...]) -> Search:
        # phi is log p, log q and the log of v p / q, an amount: theta's log v is their sum with signs. With p known the
        # last one is the log of v / q.
        first = len(fixed)
        turn = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 1, 1]])[first:, first:]
        upper = np.log([MOST, MOST, 1e12])[first:]
        pairs = ((5.0, 4.0), (1.0, 2.5), (0.3, 1.2), (60.0, 15.0))
        starts = [np.log([p, q, max(q - 1, 0.5) / q])[first:] for p, q in pairs]
        for start in starts:
            start[-1] -= sum(fixed)
        return Search(turn, -upper, upper, starts)

    def _known(self, data: Amounts) -> tuple[Array, ...]:
        return ()  # only means enter the law

    def _expected(self, x: Array, m: Array) -> Array:
        found = super()._expected(x, m)
        return np.where(np.isfinite(found), found, np.where(x > 0, m, self._mean_seen))

    def _findings(self, data: Amounts, counted: Amounts, best: Maximum) -> list[Finding]:
        far_out = spend_findings.of_gamma_gamma(self.params_, counted)
        if self.within == "means" and not any(f.code == "constant_spend" for f in far_out):
            far_out += spend_findings.varies_otherwise(self.params_["p"], self._log_spread()["p"], data)
        explained = any(f.code in ("constant_spend", "same_spend") for f in far_out)
        searched = self.kernel.names[len(self._fixed_spread) :]
        at_bound = [searched[i] for i in best.at_bound]
        return [
            *spend_findings.of_fit(self._log_spread(), at_bound, counted, explained),
            *far_out,
            self._of_independence(counted),
            *spend_findings.left_out(data),
        ]


class NormalSpend(SpendModel):
    """Hierarchical normal spend: amounts of any sign, a mean and a spread of each customer's own.

    For margins, which are at or below zero for some. Parameters m0 (mean over customers, in money), kappa (how many
    purchases the word of all others is worth), shape and scale (how spreads vary over customers; scale in money
    squared). Source: DeGroot (1970), "Optimal statistical decisions", section 9.6; `docs/methods/normal_spend.md` has
    the equations.

    Parameters
    ----------
    spend, prior, penalty, random_state
        As for `SpendModel`.
    location
        How m0 is found: "mean", the mean over customers of their mean spend, or "likelihood", with the others by
        maximum likelihood. Amounts of real customers lean to one side; a symmetrical law then puts m0 where most of
        them are, and totals come out too low, by 15 to 22 % on three data sets where the mean was within 11 %.

    Examples
    --------
    >>> history = {"frequency": [0, 1, 2, 5, 3], "monetary_value": [0.0, 18.0, -25.0, 31.0, 60.0]}
    >>> model = NormalSpend().fit(history)
    >>> bool(-25.0 < model.conditional_expected_order_value(history)[2] < model.expected_order_value_)
    True
    """

    name: ClassVar[str] = "Hierarchical normal spend"
    key: ClassVar[str] = "normal-spend"

    def __init__(
        self,
        *,
        spend: str = REPEAT,
        location: str = "mean",
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        super().__init__(spend=spend, prior=prior, penalty=penalty, random_state=random_state)
        self.location = location

    @property
    def kernel(self) -> SpendKernel:
        """The model's functions on arrays."""
        return _kernel("normal_spend")

    def _usable(self, data: Amounts) -> Amounts:
        if self.location not in ("mean", "likelihood"):
            raise SettingsError(
                f"location={self.location!r} is not known. There are: 'mean' and 'likelihood'."
            )
        if not (data.x[data.weight > 0] > 1).any():
            more = " or spend='all'" if self.spend != ALL else ""
            raise FitFailed(
                f"Nobody has two purchases that count: how much one customer varies cannot be told from how much "
                f"customers differ. Take a longer window{more}."
            )
        return data

    def _fixed(self, scaled: Amounts, data: Amounts) -> list[tuple[float, float]]:
        if self.location != "mean":
            return []
        customers = scaled.weight.sum()
        mean = float(scaled.m @ scaled.weight / customers)
        return [(mean, math.sqrt(float((scaled.m - mean) ** 2 @ scaled.weight)) / customers)]

    def _units(self, data: Amounts) -> tuple[float, float]:
        whole = data.weight.sum()
        centre = float(data.m @ data.weight / whole)
        between = float((data.m - centre) ** 2 @ data.weight / whole)
        within = 0.0
        if data.squares is not None:
            within = float(data.squares @ data.weight / (np.maximum(data.x - 1, 0) @ data.weight))
        scale = math.sqrt(between or within)
        # Where nothing varies at all it is a scale that nobody sees: a spread of its thousandth is made up.
        return centre, scale if scale > 1e-9 * abs(centre) else abs(centre) or NO_MONEY

    def _constant(self, data: Amounts) -> float:
        if data.squares is None:
            return 0.0
        return float(data.weight[(data.x > 1) & (data.squares == 0)].sum())

    def _floored(self, data: Amounts, scale: float) -> Amounts:
        if not self._constant(data) or data.squares is None:
            return data
        grain = (FLOOR * scale) ** 2
        return Amounts(data.x, data.m, data.squares + np.maximum(data.x - 1, 0) * grain, data.weight)

    def _search(self, data: Amounts, fixed: tuple[float, ...]) -> Search:
        first = len(fixed)
        # phi has the log of scale / shape, a variance, for theta's log scale.
        turn = np.eye(4)
        turn[3, 2] = 1.0
        within = 1.0
        if data.squares is not None:
            within = float(data.squares @ data.weight / (np.maximum(data.x - 1, 0) @ data.weight))
        within = max(within, 1e-6)
        upper = np.array([1e3, *np.log([1e6, 1e5, 1e8])])[first:]
        guesses = ((3.0, 1.0), (1.2, 0.3), (20.0, 3.0))
        starts = [
            np.array([0.0, *np.log([kappa * within, shape, within])])[first:] for shape, kappa in guesses
        ]
        return Search(turn[first:, first:], -upper, upper, starts)

    def _findings(self, data: Amounts, counted: Amounts, best: Maximum) -> list[Finding]:
        searched = self.kernel.names[len(self._fixed_spread) :]
        at_most = tuple(searched[i] for i in best.at_bound if best.log_params[i] > 0)
        far_out = spend_findings.of_normal(self.params_, counted, self._constant(counted), at_most)
        explained = any(f.code in ("constant_spend", "same_spend") for f in far_out)
        at_bound = [searched[i] for i in best.at_bound]
        return [
            *spend_findings.of_fit(self._log_spread(), at_bound, counted, explained),
            *far_out,
            *spend_findings.skewed(self.params_["m0"], self.standard_errors_["m0"], counted),
            self._of_independence(counted),
        ]
