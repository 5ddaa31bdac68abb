"""The purchase models in continuous time, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import ClassVar

from evervalue.core.errors import SettingsError
from evervalue.models.purchase import PurchaseModel
from evervalue.numerics.kernel import Kernel


@cache
def _kernel(module: str, **options: int) -> Kernel:
    return Kernel.of(import_module(f"evervalue.numerics.{module}"), **options)


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
        Regularity, a whole number from 1 up: the coefficient of variation of waiting times is 1 / sqrt(k).
    transaction_covariates, dropout_covariates, prior, penalty, random_state
        As for `PurchaseModel`.
    """

    name: ClassVar[str] = "MBG/CNBD-k"
    key: ClassVar[str] = "mbg-cnbd-k"

    def __init__(
        self,
        k: int = 2,
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
        if self.k not in range(1, 21) or isinstance(self.k, bool):
            raise SettingsError(f"k={self.k!r} must be a whole number from 1 (Poisson) to 20.")
        return _kernel("mbg_cnbd_k", k=self.k)


MODELS: dict[str, type[PurchaseModel]] = {
    model.key: model for model in (ParetoNBD, BetaGeo, ModifiedBetaGeo, RegularBetaGeo)
}
"""By the name that options give."""
