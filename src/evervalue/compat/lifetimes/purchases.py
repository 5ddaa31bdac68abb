"""BG/NBD, MBG/NBD and Pareto/NBD under the names and arguments that lifetimes gives them."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from evervalue.compat.lifetimes.errors import as_lifetimes_errors
from evervalue.compat.lifetimes.fitter import Fitter, like, number, pandas, weights_of
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import BetaGeo, ModifiedBetaGeo, ParetoNBD
from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases.kernel import Kernel


class PurchaseFitter(Fitter):
    """Fitter of a purchase model: histories in, expectations out, all times in one unit of the caller's choice."""

    model: ClassVar[type[PurchaseModel]]

    @property
    def _kernel(self) -> Kernel:
        return self.model().kernel

    def _fit(self, frequency: Any, recency: Any, T: Any, weights: Any, index: Any) -> Self:
        x, t_x, age = np.trunc(number(frequency)), number(recency), number(T)
        weight = weights_of(weights, len(x))
        with as_lifetimes_errors():
            fitted = self.model(penalty=self._penalty(weight)).fit(
                {"frequency": x, "recency": t_x, "T": age}, sample_weight=weight
            )
        columns = {"frequency": x.astype(int), "recency": t_x, "T": age, "weights": weight}
        self._take(fitted, columns, index)
        return self

    def predict(self, t: Any, frequency: Any, recency: Any, T: Any) -> Any:
        """The same as `conditional_expected_number_of_purchases_up_to_time`."""
        return self.conditional_expected_number_of_purchases_up_to_time(t, frequency, recency, T)

    def conditional_expected_number_of_purchases_up_to_time(
        self, t: Any, frequency: Any, recency: Any, T: Any
    ) -> Any:
        """Expected purchases within t after T, given the history."""
        x, t_x, age = number(frequency), number(recency), number(T)
        found = self._kernel.conditional_expected_orders(self._params(), x, t_x, age, number(t))
        return like(found, frequency, recency, T, t)

    def conditional_probability_alive(self, frequency: Any, recency: Any, T: Any) -> Any:
        """Probability that the customer is still active at T: an array, as lifetimes returns it for this model."""
        return np.atleast_1d(self._p_alive(frequency, recency, T))

    def conditional_probability_alive_matrix(
        self, max_frequency: int | None = None, max_recency: int | None = None
    ) -> Array:
        """P(alive) of customers aged `max_recency`: one row a recency from 0, one column a frequency from 0.

        Parameters
        ----------
        max_frequency, max_recency
            Default: the largest frequency and the largest age that the model was fitted to.
        """
        most = int(self.data["frequency"].max()) if max_frequency is None else int(max_frequency)
        oldest = int(self.data["T"].max()) if max_recency is None else int(max_recency)
        recency, frequency = np.meshgrid(np.arange(oldest + 1.0), np.arange(most + 1.0), indexing="ij")
        return self._p_alive(frequency, recency, float(oldest))

    def expected_number_of_purchases_up_to_time(self, t: Any) -> Any:
        """Expected repeat purchases of a new customer within t of the first purchase."""
        return like(self._kernel.expected_orders(self._params(), number(t)), t)

    def probability_of_n_purchases_up_to_time(self, t: Any, n: int) -> Any:
        """Probability of n repeat purchases of a new customer within t; lifetimes has it for BG/NBD and MBG/NBD."""
        return like(np.asarray(self._kernel.pmf(self._params(), number(t), int(n)))[..., int(n)], t)

    def generate_new_data(self, size: int = 1, random_state: int = 0) -> Any:
        """Simulated customers with the ages of the data, in turn: frame of frequency, recency, T, alive by customer_id.

        Parameters
        ----------
        size
            How many.
        random_state
            Seed.
        """
        ages = np.resize(number(self.data["T"]), size)
        drawn = self._kernel.simulate(self._params(), ages, np.random.default_rng(random_state))
        return pandas().DataFrame(
            {"frequency": drawn.x, "recency": drawn.t_x, "T": drawn.T, "alive": drawn.alive.astype(float)},
            index=pandas().RangeIndex(size, name="customer_id"),
        )

    def _p_alive(self, frequency: Any, recency: Any, T: Any) -> Array:
        found = self._kernel.p_alive(self._params(), number(frequency), number(recency), number(T))
        return np.asarray(found, dtype=np.float64)


class BetaGeoFitter(PurchaseFitter):
    """BG/NBD (Fader, Hardie and Lee 2005). Parameters r, alpha, a, b.

    Examples
    --------
    >>> bgf = BetaGeoFitter().fit(
    ...     [2, 1, 0, 0, 5], [30.4, 1.7, 0.0, 0.0, 24.0], [38.9, 38.9, 38.9, 20.0, 39.0]
    ... )
    >>> bgf.predict(39, 2, 30.4, 38.9) > bgf.predict(39, 1, 1.7, 38.9)
    True
    """

    names = ("r", "alpha", "a", "b")
    model: ClassVar[type[PurchaseModel]] = BetaGeo

    def fit(
        self,
        frequency: Any,
        recency: Any,
        T: Any,
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
        frequency, recency, T
            Repeat purchases, time from the first to the last, age; (n,) each.
        weights
            How many customers each row stands for.
        initial_params, verbose, tol, kwargs
            Not used: the maximum is sought from several starts to 1e-9 of log-likelihood.
        index
            Of the frame `data`.

        Raises
        ------
        RefusedInput, ConvergenceError
            Both are ValueErrors.
        """
        return self._fit(frequency, recency, T, weights, index)


class ModifiedBetaGeoFitter(BetaGeoFitter):
    """MBG/NBD (Batislam, Denizel and Filiztekin 2007). Parameters r, alpha, a, b."""

    model = ModifiedBetaGeo


class ParetoNBDFitter(PurchaseFitter):
    """Pareto/NBD (Schmittlein, Morrison and Colombo 1987). Parameters r, alpha, s, beta."""

    names = ("r", "alpha", "s", "beta")
    model = ParetoNBD

    def fit(
        self,
        frequency: Any,
        recency: Any,
        T: Any,
        weights: Any = None,
        iterative_fitting: int = 1,
        initial_params: Any = None,
        verbose: bool = False,
        tol: float = 1e-4,
        index: Any = None,
        fit_method: str = "Nelder-Mead",
        maxiter: int = 2000,
        **kwargs: Any,
    ) -> Self:
        """The fitter itself, fitted, as `BetaGeoFitter.fit` says; the further arguments have no use."""
        return self._fit(frequency, recency, T, weights, index)

    def conditional_probability_alive(self, frequency: Any, recency: Any, T: Any) -> Any:
        """Probability that the customer is still active at T."""
        return like(self._p_alive(frequency, recency, T), frequency, recency, T)

    def conditional_probability_of_n_purchases_up_to_time(
        self, n: int, t: Any, frequency: Any, recency: Any, T: Any
    ) -> Any:
        """Probability of n purchases within t after T, given the history."""
        x, t_x, age = number(frequency), number(recency), number(T)
        found = self._kernel.conditional_pmf(self._params(), x, t_x, age, number(t), int(n))
        return like(np.asarray(found)[..., int(n)], frequency, recency, T, t)
