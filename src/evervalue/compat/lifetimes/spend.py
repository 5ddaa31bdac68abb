"""Gamma-Gamma and lifetime value by months, under the names and arguments that lifetimes gives them."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from evervalue.compat.lifetimes.errors import RefusedInput, as_lifetimes_errors
from evervalue.compat.lifetimes.fitter import Fitter, like, number, pandas, weights_of
from evervalue.models.spend import GammaGamma

UNITS_IN_A_MONTH = {"W": 4.345, "M": 1.0, "D": 30.0, "H": 30.0 * 24, "h": 30.0 * 24}
"""Those of lifetimes: a month of days has 30, one of weeks 30.4."""


class GammaGammaFitter(Fitter):
    """Gamma-Gamma (Fader and Hardie 2013). Parameters p, q, v.

    Examples
    --------
    >>> ggf = GammaGammaFitter().fit([1, 2, 5, 3], [18.0, 25.0, 31.0, 60.0])
    >>> bool(
    ...     25.0
    ...     < ggf.conditional_expected_average_profit(2, 25.0)
    ...     < ggf.conditional_expected_average_profit(3, 60.0)
    ... )
    True
    """

    names = ("p", "q", "v")

    def fit(
        self,
        frequency: Any,
        monetary_value: Any,
        weights: Any = None,
        initial_params: Any = None,
        verbose: bool = False,
        tol: float = 1e-7,
        index: Any = None,
        q_constraint: bool = False,
        **kwargs: Any,
    ) -> Self:
        """The fitter itself, fitted.

        Parameters
        ----------
        frequency, monetary_value
            Repeat purchases and their mean value, of customers with at least one; (n,) each.
        weights
            How many customers each row stands for.
        q_constraint
            Whether to refuse q <= 1, at which the mean over customers is infinite.
        initial_params, verbose, tol, kwargs
            Not used.
        index
            Of the frame `data`.

        Raises
        ------
        RefusedInput, ConvergenceError
            Both are ValueErrors.
        """
        x, m = number(frequency), number(monetary_value)
        if np.any(m <= 0):
            raise RefusedInput("There exist non-positive (<= 0) values in the monetary_value vector.")
        weight = weights_of(weights, len(x))
        with as_lifetimes_errors():
            fitted = GammaGamma(penalty=self._penalty(weight)).fit(
                {"frequency": x, "monetary_value": m}, sample_weight=weight
            )
        if q_constraint and fitted.params_["q"] <= 1:
            raise RefusedInput(
                f"The likelihood is highest at q = {fitted.params_['q']:.3f}, where the mean spend over customers is "
                "infinite. Fit with a penalizer_coef, or without q_constraint."
            )
        self._take(fitted, {"monetary_value": m, "frequency": x, "weights": weight}, index)
        return self

    def conditional_expected_average_profit(self, frequency: Any = None, monetary_value: Any = None) -> Any:
        """Expected mean value of a customer's purchases, given their number and mean so far; by default, of the data.

        The mean over customers where frequency is 0. Below 0 or infinite where q <= 1 and the history is short, as
        in lifetimes.
        """
        p, q, v = self._params()
        x = self.data["frequency"] if frequency is None else frequency
        m = self.data["monetary_value"] if monetary_value is None else monetary_value
        px = p * number(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = p * (v + number(x) * number(m)) / (px + q - 1)
        return like(found, x, m)

    def customer_lifetime_value(
        self,
        transaction_prediction_model: Any,
        frequency: Any,
        recency: Any,
        T: Any,
        monetary_value: Any,
        time: float = 12,
        discount_rate: float = 0.01,
        freq: str = "D",
    ) -> Any:
        """Discounted value of the next `time` months, each month's purchases discounted as if made at its end.

        Parameters
        ----------
        transaction_prediction_model
            A fitted fitter with `predict(t, frequency, recency, T)`.
        frequency, recency, T, monetary_value
            Histories.
        time
            Number of months; a month begun counts whole.
        discount_rate
            Per month.
        freq
            Unit of recency and T: "D", "W", "M" or "H".

        Returns
        -------
        Series
            Named clv, with the index of `frequency`.
        """
        if freq not in UNITS_IN_A_MONTH:
            raise RefusedInput(f"freq={freq!r} is not known. There are: {', '.join(UNITS_IN_A_MONTH)}.")
        month = UNITS_IN_A_MONTH[freq]
        value = number(self.conditional_expected_average_profit(frequency, monetary_value))
        total, before = np.zeros(value.shape), np.zeros(value.shape)
        for k in range(1, math.ceil(time) + 1):
            upto = number(transaction_prediction_model.predict(k * month, frequency, recency, T))
            total += value * (upto - before) / (1 + discount_rate) ** k
            before = upto
        return pandas().Series(total, index=getattr(frequency, "index", None), name="clv")
