"""The purchase models in continuous time, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Self

from evervalue.core.errors import InputError, SettingsError
from evervalue.models.base import Finding
from evervalue.models.histories import Distinct, distinct, histories
from evervalue.models.purchase import PurchaseModel, weights
from evervalue.numerics.purchases.kernel import Kernel


@cache
def _kernel(module: str, **options: int) -> Kernel:
    return Kernel.of(import_module(f"evervalue.numerics.purchases.{module}"), **options)


class ParetoNBD(PurchaseModel):
    """Pareto/NBD: Poisson purchases, exponential lifetime, both rates gamma over customers.

    Parameters r, alpha (purchases), s, beta (dropout); alpha and beta in the unit of the history. Source:
    Schmittlein, Morrison and Colombo (1987), "Counting your customers". `docs/methods/pareto_nbd.md` has the
    equations. Arguments are those of `PurchaseModel`.
    """

    name: ClassVar[str] = "Pareto/NBD"
    key: ClassVar[str] = "pareto-nbd"

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        return _kernel("pareto_nbd")


class BetaGeo(PurchaseModel):
    """BG/NBD: Poisson purchases; after each repeat purchase the customer may leave.

    Parameters r, alpha (purchases, alpha in the unit of the history), a, b (dropout). Source: Fader, Hardie and Lee
    (2005), "Counting your customers the easy way". A customer without a repeat is alive for certain under this
    model; `ModifiedBetaGeo` does not have that flaw. Arguments are those of `PurchaseModel`.
    """

    name: ClassVar[str] = "BG/NBD"
    key: ClassVar[str] = "bg-nbd"

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        return _kernel("bg_nbd")


class ModifiedBetaGeo(PurchaseModel):
    """MBG/NBD: as BG/NBD, but a customer may leave after the first purchase too.

    Source: Batislam, Denizel and Filiztekin (2007), "Empirical validation and comparison of models for customer base
    analysis". Arguments are those of `PurchaseModel`.
    """

    name: ClassVar[str] = "MBG/NBD"
    key: ClassVar[str] = "mbg-nbd"

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        return _kernel("mbg_cnbd_k", k=1)


class RegularBetaGeo(PurchaseModel):
    """MBG/CNBD-k: as MBG/NBD, with times between purchases that are more regular (Erlang-k) than at random.

    Source: Platzer and Reutterer (2016), "Ticking away the moments"; Reutterer, Platzer and Schröder (2021),
    "Leveraging purchase regularity for predicting customer behavior the easy way". With k = 1 it is MBG/NBD.

    Parameters
    ----------
    k
        Regularity, a whole number from 1 up: the coefficient of variation of waiting times is 1 / sqrt(k). "auto" takes
        the one with the highest likelihood; for that the history needs the column `log_interval_sum`
        (`ev.purchase_history(..., columns="all")`).
    transaction_covariates, dropout_covariates, prior, penalty, random_state
        As for `PurchaseModel`.
    """

    name: ClassVar[str] = "MBG/CNBD-k"
    key: ClassVar[str] = "mbg-cnbd-k"

    k_: int
    """Regularity in force."""

    def __init__(
        self,
        k: int | str = 2,
        *,
        transaction_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            transaction_covariates=transaction_covariates,
            dropout_covariates=dropout_covariates,
            prior=prior,
            penalty=penalty,
            random_state=random_state,
        )
        self.k = k

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        k = getattr(self, "k_", self.k) if self.k == "auto" else self.k
        if k not in range(1, MOST_REGULAR + 1) or isinstance(k, bool):
            raise SettingsError(
                f"k={k!r} must be a whole number from 1 (Poisson) to {MOST_REGULAR}, or 'auto' before a fit."
            )
        return _kernel("mbg_cnbd_k", k=int(k))

    def fit(
        self, history: Any, y: object = None, *, unit: str | None = None, sample_weight: Any = None
    ) -> Self:
        """The model itself, fitted; see `PurchaseModel.fit`."""
        if self.k != "auto":
            return super().fit(history, unit=unit, sample_weight=sample_weight)
        h = histories(history, unit=unit, extra=(*self._covariate_names(), INTERVALS))
        weight = weights(sample_weight, len(h))
        columns = {name: h.extra[name] for name in self._covariate_names()}
        data = distinct(h.frequency, h.recency, h.T, weight, columns)
        return self.fit_distinct(data, unit=h.unit, log_interval_sum=float(h.extra[INTERVALS] @ weight))

    def fit_distinct(
        self, data: Distinct, *, unit: str | None, log_interval_sum: float | None = None
    ) -> Self:
        """The model itself, fitted to histories that have been counted already.

        Parameters
        ----------
        data
            Distinct histories.
        unit
            Of their times.
        log_interval_sum
            With k = "auto": the sum over all customers of the logarithms of the times between purchases, in `unit`.
        """
        if self.k != "auto":
            super().fit_distinct(data, unit=unit)
            self.k_ = int(self.k)
            return self
        if log_interval_sum is None:
            raise InputError(f"k='auto' needs {INTERVALS}: ev.purchase_history(..., columns='all') makes it.")
        from evervalue.numerics.purchases.mbg_cnbd_k import interval_log_likelihood

        reached: list[float] = []
        best: dict[str, Any] = {}
        for k in range(1, MOST_REGULAR + 1):
            self.k_ = k
            super().fit_distinct(data, unit=unit)
            repeats = float(data.x @ data.weight)
            # The part of the likelihood that hangs on k and the single intervals alone, equal for all parameters.
            of_k = float(interval_log_likelihood(repeats, log_interval_sum, k))
            if reached and self.log_likelihood_ + of_k <= reached[-1]:
                vars(self).update(best)
                break
            reached.append(self.log_likelihood_ + of_k)
            best = dict(vars(self))
        says = (
            f"Purchases are more regular than at random: k = {self.k_} beats k = 1 by {reached[-1] - reached[0]:,.1f} "
            "in log-likelihood."
            if self.k_ > 1
            else "Purchases are no more regular than at random (k = 1): this is MBG/NBD."
        )
        self.findings_ = [*self.findings_, Finding("regularity", says)]
        return self


MOST_REGULAR = 12
INTERVALS = "log_interval_sum"

MODELS: dict[str, type[PurchaseModel]] = {
    model.key: model for model in (ParetoNBD, BetaGeo, ModifiedBetaGeo, RegularBetaGeo)
}
"""By the name that options give."""
