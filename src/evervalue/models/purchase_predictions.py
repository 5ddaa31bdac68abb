"""What a fitted purchase model predicts, customer by customer and of a new one.

`predict` tells the predictive law, which averages over the posterior of the parameters, as `ev.CLV` does; the methods
named for one quantity give it at the estimate, as the literature prints it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from evervalue.core.arguments import number, seed_of, whole
from evervalue.core.duration import UNIT_NAMES, duration
from evervalue.core.errors import InputError, SettingsError
from evervalue.core.text import listing
from evervalue.models.base import Estimator
from evervalue.models.covariates import Covariates, shifted
from evervalue.models.histories import (
    Histories,
    distinct,
    histories,
    suspect_other_unit,
    tell_that_nobody_repeats,
)
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.purchases.kernel import Kernel
from evervalue.numerics.purchases.simulated import Simulated

if TYPE_CHECKING:
    from evervalue.models.purchase import PurchaseModel


class PurchasePredictions(Estimator):
    """The predictions of `PurchaseModel`."""

    name: ClassVar[str]
    transaction_covariates: Any
    dropout_covariates: Any
    random_state: int
    unit_: str | None
    n_customers_: float
    _theta: Array
    _scale: float
    _seen: Covariates

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        raise NotImplementedError

    def predict(self, history: Any, horizon: Any, *, interval: float = 0.9) -> Any:
        """Prediction of each customer: the kind of frame that came in, rows in the same order, ids kept.

        Columns: `p_alive`, `expected_orders` (purchase days within the horizon), both averaged over the posterior,
        `orders_low` and `orders_high` (the shortest interval that holds at least the asked mass of what may really
        come: parameters and process). Who has not come back yet is told apart from others by age alone: that
        prediction is the word of the customers of the fit.

        Parameters
        ----------
        history
            As for `fit`.
        horizon
            "39W", "365d", or a number in the unit of the history.
        interval
            Mass of the interval, above 0 and up to 0.999.

        Raises
        ------
        SettingsError
            The horizon or the interval is impossible; an unlimited horizon has no interval of counts.
        """
        from evervalue.models.laws import customers_of, orders_law
        from evervalue.numerics.predictive.intervals import asked_mass
        from evervalue.numerics.predictive.score import expectations, score

        h, t, mass = self._histories(history), self._limited(horizon), asked_mass(interval)
        law, customers = orders_law(cast("PurchaseModel", self), t), customers_of(h)
        found, place = expectations(law, customers.histories, 0.0), customers.place
        low = high = np.zeros(len(h))
        if t > 0:
            ends = score(law, customers, found, mass)[0].interval
            low, high = ends.low[place], ends.high[place]
        return h.frame(
            {
                "p_alive": found.p_alive[place],
                "expected_orders": found.orders[place],
                "orders_low": low,
                "orders_high": high,
            }
        )

    def p_alive(self, history: Any) -> Array:
        """Probability that each customer is still active at the end of the window, (n,)."""
        h = self._histories(history)
        return self._each(h, lambda p, x, t_x, T: self.kernel.p_alive(p, x, t_x, T))

    def conditional_expected_orders(self, history: Any, horizon: Any) -> Array:
        """Expected purchase days of each customer within a horizon after the window, (n,)."""
        h, t = self._histories(history), self._time(horizon)
        return self._each(h, lambda p, x, t_x, T: self.kernel.conditional_expected_orders(p, x, t_x, T, t))

    def discounted_expected_orders(
        self, history: Any, horizon: Any = "inf", *, discount_rate_annual: float
    ) -> Array:
        """Expected purchase days, each weighted by (1 + rate) to the minus years from now, (n,).

        With an unlimited horizon these are the discounted expected residual transactions of Fader, Hardie and Lee
        (2005); delta = ln(1 + rate) / 365 a day.

        Raises
        ------
        SettingsError
            The horizon is unlimited and nothing is discounted, or the unit of the history is not known.
        """
        h, t = self._histories(history), self._time(horizon)
        delta = self.discount(discount_rate_annual)
        if math.isinf(t) and delta <= 0:
            raise SettingsError(
                "An unlimited horizon has a value only where it is discounted: give a discount_rate_annual above 0, "
                "or a horizon such as '365d'."
            )
        return self._each(
            h, lambda p, x, t_x, T: self.kernel.discounted_expected_orders(p, x, t_x, T, t, delta)
        )

    def conditional_pmf(self, history: Any, horizon: Any, n_max: int) -> Array:
        """P(n purchase days within the horizon) for n = 0..n_max, (n, n_max + 1)."""
        h, t = self._histories(history), self._time(horizon)
        last = whole(n_max, "n_max", "must be a whole number from 0 up, the largest count to tell.")
        return self._each(
            h, lambda p, x, t_x, T: self.kernel.conditional_pmf(p, x, t_x, T, t, last), covered=True
        )

    def p_any_order(self, history: Any, horizon: Any) -> Array:
        """Probability of at least one purchase day within the horizon, (n,)."""
        return np.asarray(1.0 - self.conditional_pmf(history, horizon, 0)[:, 0])

    def expected_orders(self, time: Any, *, covariates: Mapping[str, Any] | None = None) -> Array:
        """Expected repeat purchase days of a new customer up to a time after the first purchase.

        `covariates` are those of the new customer, a number each, or (m,) of m new customers; needed where the model
        depends on any.
        """
        self._check_fitted()
        params = self._params(self._of_new(covariates))
        return np.asarray(self.kernel.expected_orders(params, self._time(time, "time")))

    def pmf(self, time: Any, n_max: int, *, covariates: Mapping[str, Any] | None = None) -> Array:
        """P(n repeat purchase days of a new customer up to a time) for n = 0..n_max, on the last axis."""
        self._check_fitted()
        params = self._params(self._of_new(covariates))
        last = whole(n_max, "n_max", "must be a whole number from 0 up, the largest count to tell.")
        return np.asarray(self.kernel.pmf(params, self._time(time, "time"), last))

    def simulate(
        self,
        T: Any,
        *,
        horizon: Any = 0.0,
        covariates: Mapping[str, Any] | None = None,
        random_state: int | None = None,
    ) -> Simulated:
        """Histories drawn from the fitted model, one for each age in `T` (n,); `covariates` a number or (n,) each."""
        self._check_fitted()
        params = self._params(self._of_new(covariates))
        rng = np.random.default_rng(seed_of(self.random_state if random_state is None else random_state))
        ages = np.atleast_1d(np.asarray(T, dtype=np.float64))
        drawn: Simulated = self.kernel.simulate(params, ages, rng, horizon=self._time(horizon))
        return drawn

    def sample_orders(
        self, history: Any, horizon: Any, draws: int = 1, *, random_state: int | None = None
    ) -> Array:
        """Purchase days that customers may really have within a horizon, drawn from the predictive law, (draws, n).

        Each draw has parameters of its own from the posterior, shared by all customers: sums over customers vary as
        the totals of `ev.CLV(...).total` do. The same seed and the same rows in the same order give the same draws.

        Parameters
        ----------
        history
            As for `fit`.
        horizon
            "39W", "365d", or a number in the unit of the history.
        draws
            How many, 1 or more.
        random_state
            Seed; by default the model's own.

        Raises
        ------
        SettingsError
            The horizon has no end, or an argument is impossible.
        """
        from evervalue.models.laws import drawn_thetas

        h, t = self._histories(history), self._limited(horizon)
        size = whole(draws, "draws", "must be a whole number from 1, such as 1,000.", 1)
        rng = np.random.default_rng(seed_of(self.random_state if random_state is None else random_state))
        thetas = drawn_thetas(cast("PurchaseModel", self))
        found = np.empty((size, len(h)))
        for i, place in enumerate(rng.integers(len(thetas), size=size)):
            params = self._params(h.extra, thetas[place])
            found[i] = self.kernel.sample_orders(params, h.frequency, h.recency, h.T, t, rng)
        return found

    def discount(self, rate_annual: float) -> float:
        """Continuous discount rate in the unit of the history: ln(1 + rate) / 365 a day.

        Raises
        ------
        SettingsError
            The rate is not above -1, or is not 0 where the unit of the history is not known.
        """
        rate = number(
            rate_annual,
            "discount_rate_annual",
            "must be a number above -1, such as 0.10.",
            lambda r: -1 < r < math.inf,
        )
        if rate == 0:
            return 0.0
        return math.log1p(rate) / duration("365d").in_unit(self._known_unit())

    # Inside

    def _covariate_names(self) -> tuple[str, ...]:
        for process, given in (
            ("transaction", self.transaction_covariates),
            ("dropout", self.dropout_covariates),
        ):
            if isinstance(given, str) or not (
                isinstance(given, Iterable) and all(isinstance(name, str) for name in given)
            ):
                raise SettingsError(
                    f"{process}_covariates={given!r} must be a list of columns, such as ['channel']."
                )
        return tuple(dict.fromkeys((*self.transaction_covariates, *self.dropout_covariates)))

    def _covariates(self) -> dict[str, tuple[str, ...]]:
        """Those asked for, by process."""
        return {"transaction": tuple(self.transaction_covariates), "dropout": tuple(self.dropout_covariates)}

    def _of_new(self, given: Mapping[str, Any] | None) -> dict[str, Array]:
        """Covariates of new customers, checked."""
        names, given = self._covariate_names(), dict(given or {})
        if set(given) != set(names):
            if not names:
                raise SettingsError("This model has no covariates, and some were given.")
            example = ", ".join(f"'{name}': ..." for name in names)
            raise SettingsError(
                f"This model depends on {listing(names)}: say what they are for a new customer, "
                f"as in covariates={{{example}}}."
            )
        found = {name: np.asarray(value, dtype=np.float64) for name, value in given.items()}
        bad = [name for name, values in found.items() if not np.isfinite(values).all()]
        if bad:
            raise SettingsError(f"covariates: {listing(bad)} must be finite.")
        return found

    def _params(self, extra: Mapping[str, Array], theta: Array | None = None) -> list[Number]:
        """Parameters in the unit of the history; arrays where covariates shift them."""
        at = self._theta if theta is None else theta
        found = shifted(self.kernel, at, self._seen.names, self._seen.scaled(extra))
        return [
            value * self._scale if name in self.kernel.time_names else value
            for name, value in zip(self.kernel.names, found, strict=True)
        ]

    def _histories(self, history: Any) -> Histories:
        self._check_fitted()
        h = histories(history, extra=self._covariate_names())
        if h.unit and self.unit_ and h.unit != self.unit_:
            raise InputError(
                f"This history is in {UNIT_NAMES[h.unit]}s, and the model was fitted in {UNIT_NAMES[self.unit_]}s. "
                f"Make it with ev.purchase_history(..., unit='{self.unit_}')."
            )
        if self.unit_ and not h.unit:
            suspect_other_unit(h, self.unit_, self._scale)
        tell_that_nobody_repeats(h, self.name, self.n_customers_)
        return h

    def _each(self, h: Histories, value: Any, covered: bool = False) -> Array:
        """A function of the distinct histories, handed back to each customer."""
        d = distinct(h.frequency, h.recency, h.T, None, h.extra)
        found = np.asarray(value(self._params(d.extra), d.x, d.t_x, d.T), dtype=np.float64)
        shape = (len(d.x), found.shape[-1]) if covered else (len(d.x),)
        return np.asarray(np.broadcast_to(found, shape)[d.inverse])

    def _limited(self, horizon: Any) -> float:
        """A horizon within which orders can be counted, in the unit of the history."""
        t = self._time(horizon)
        if math.isinf(t):
            raise SettingsError(
                "The number of orders has no end in unlimited time: give a horizon such as '365d'."
            )
        return t

    def _time(self, horizon: Any, name: str = "horizon") -> float:
        """A horizon in the unit of the history; numbers are in that unit already."""
        if isinstance(horizon, int | float | np.number) and not isinstance(horizon, bool | np.timedelta64):
            if not float(horizon) >= 0:
                raise SettingsError(f"{name}={horizon!r} is not possible: it must be 0 or more.")
            return float(horizon)
        told = duration(horizon, name)
        return told.days if math.isinf(told.days) else told.in_unit(self._known_unit())

    def _known_unit(self) -> str:
        if self.unit_ is None:
            raise SettingsError(
                "The unit of the history is not known, so days and weeks cannot be told apart. Fit with unit='D' or "
                "unit='W', or give the horizon as a number in the history's own unit. (A Polars or DuckDB history says "
                "its unit only as ev.purchase_history returned it: filtered, joined or collected it says none.)"
            )
        return self.unit_
