"""BG/BB under the names and arguments that lifetimes gives it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from evervalue.compat.lifetimes.errors import as_lifetimes_errors
from evervalue.compat.lifetimes.fitter import Fitter, like, number, pandas, weights_of
from evervalue.models.discrete import BetaGeoBetaBinomial
from evervalue.numerics.periods import bg_bb


class BetaGeoBetaBinomFitter(Fitter):
    """BG/BB (Fader, Hardie and Shang 2010). Parameters alpha, beta, gamma, delta.

    Examples
    --------
    >>> bgbb = BetaGeoBetaBinomFitter()
    >>> bgbb = bgbb.fit([0, 1, 1, 2, 2, 3], [0, 1, 3, 2, 3, 3], [3] * 6, weights=[400, 150, 60, 90, 110, 190])
    >>> round(float(bgbb.conditional_expected_number_of_purchases_up_to_time(2, 3, 3, 3)), 2)
    1.4
    """

    names = ("alpha", "beta", "gamma", "delta")

    def fit(
        self,
        frequency: Any,
        recency: Any,
        n_periods: Any,
        weights: Any = None,
        initial_params: Any = None,
        verbose: bool = False,
        tol: float = 1e-7,
        index: Any = None,
        **kwargs: Any,
    ) -> Self:
        """The fitter itself, fitted.

        Parameters
        ----------
        frequency, recency, n_periods
            Purchases, number of the opportunity of the last, opportunities; (n,) each.
        weights
            How many customers each row stands for.
        initial_params, verbose, tol, kwargs
            Not used.
        index
            Of the frame `data`.

        Raises
        ------
        RefusedInput, ConvergenceError
            Both are ValueErrors.
        """
        x, t_x, n = (np.trunc(number(column)) for column in (frequency, recency, n_periods))
        weight = weights_of(weights, len(x))
        with as_lifetimes_errors():
            fitted = BetaGeoBetaBinomial(penalty=self._penalty(weight)).fit(
                {"frequency": x, "recency": t_x, "n_periods": n}, sample_weight=weight
            )
        whole = {"frequency": x.astype(int), "recency": t_x.astype(int), "n_periods": n.astype(int)}
        self._take(fitted, {**whole, "weights": weight}, index)
        return self

    def conditional_expected_number_of_purchases_up_to_time(
        self, m_periods_in_future: Any, frequency: Any, recency: Any, n_periods: Any
    ) -> Any:
        """Expected purchases at the next `m_periods_in_future` opportunities, given the history."""
        x, t_x, n, ahead = (number(c) for c in (frequency, recency, n_periods, m_periods_in_future))
        found = bg_bb.conditional_expected_orders(self._params(), x, t_x, n, ahead)
        return like(found, frequency, recency, n_periods, m_periods_in_future)

    def conditional_probability_alive(
        self, m_periods_in_future: Any, frequency: Any, recency: Any, n_periods: Any
    ) -> Any:
        """Probability to be active after `m_periods_in_future` more opportunities, given the history."""
        x, t_x, n, ahead = (number(c) for c in (frequency, recency, n_periods, m_periods_in_future))
        found = bg_bb.p_alive(self._params(), x, t_x, n, ahead)
        return like(found, frequency, recency, n_periods, m_periods_in_future)

    def expected_number_of_transactions_in_first_n_periods(self, n: int) -> Any:
        """Frame with the column `model`: customers of the data expected to buy x times at the first n opportunities."""
        counts = self.data.groupby("frequency")["weights"].sum()
        law = bg_bb.pmf(self._params(), int(n), int(counts.index.max()))
        index = pandas().Index(counts.index, name="frequency")
        return pandas().DataFrame({"model": law[np.asarray(counts.index)] * counts.sum()}, index=index)

    def generate_new_data(self, size: int = 1, random_state: int = 0) -> Any:
        """Simulated customers with the numbers of opportunities of the data, in turn."""
        n = np.resize(number(self.data["n_periods"]), size)
        drawn = bg_bb.simulate(self._params(), n, np.random.default_rng(random_state))
        return pandas().DataFrame(
            {
                "frequency": drawn.x,
                "recency": drawn.t_x,
                "n_periods": drawn.T,
                "alive": drawn.alive.astype(float),
            },
            index=pandas().RangeIndex(size, name="customer_id"),
        )
