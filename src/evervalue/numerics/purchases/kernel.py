"""One purchase model as an object: the functions that every model's module has, with its fixed options filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

FUNCTIONS = (
    "log_likelihood",
    "log_likelihood_gradient",
    "p_alive",
    "expected_orders",
    "conditional_expected_orders",
    "discounted_expected_orders",
    "new_discounted_expected_orders",
    "pmf",
    "conditional_pmf",
    "simulate",
    "sample_orders",
)


@dataclass(frozen=True)
class Kernel:
    """Functions of a purchase model, all with the signatures that `numerics.purchases.bg_nbd` documents."""

    names: tuple[str, ...]
    """Parameters, in order."""
    time_names: tuple[str, ...]
    """Those measured in the unit of time."""
    covariates: Mapping[str, Mapping[str, int]]
    """Process ("transaction", "dropout") to the parameters that its covariates shift on the log scale, with sign."""
    options: Mapping[str, Any] = field(default_factory=dict)
    log_likelihood: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    log_likelihood_gradient: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    p_alive: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    expected_orders: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    conditional_expected_orders: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    discounted_expected_orders: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    new_discounted_expected_orders: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    pmf: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    conditional_pmf: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    simulate: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]
    sample_orders: Callable[..., Any] = field(repr=False, default=None)  # type: ignore[assignment]

    @classmethod
    def of(cls, module: ModuleType, **options: Any) -> Kernel:
        """The model of a numerics module, with options such as `k` fixed."""
        bound = {
            name: partial(getattr(module, name), **options) if options else getattr(module, name)
            for name in FUNCTIONS
        }
        return cls(module.NAMES, module.TIME_NAMES, module.COVARIATES, options, **bound)
