"""One spend model as an object: the functions that every spend model's module has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

FUNCTIONS = (
    "log_likelihood",
    "log_likelihood_gradient",
    "expected_order_value",
    "conditional_expected_order_value",
    "posterior",
    "sum_cdf",
    "sum_quantile",
    "sum_mean",
    "sum_variance",
    "sample_sum",
    "simulate",
)


@dataclass(frozen=True)
class SpendKernel:
    """Functions of a spend model, as `numerics.spend.gamma_gamma` and `numerics.spend.normal_spend` document."""

    names: tuple[str, ...]
    """Parameters, in order."""
    log_names: tuple[str, ...]
    """Those above zero, estimated by their logs; the others are free."""
    money_powers: Mapping[str, int]
    """Those in the unit of money, and in which power of it."""
    log_likelihood: Callable[..., Any] = field(repr=False)
    log_likelihood_gradient: Callable[..., Any] = field(repr=False)
    expected_order_value: Callable[..., Any] = field(repr=False)
    conditional_expected_order_value: Callable[..., Any] = field(repr=False)
    posterior: Callable[..., Any] = field(repr=False)
    sum_cdf: Callable[..., Any] = field(repr=False)
    sum_quantile: Callable[..., Any] = field(repr=False)
    sum_mean: Callable[..., Any] = field(repr=False)
    sum_variance: Callable[..., Any] = field(repr=False)
    sample_sum: Callable[..., Any] = field(repr=False)
    simulate: Callable[..., Any] = field(repr=False)

    @classmethod
    def of(cls, module: ModuleType) -> SpendKernel:
        """The model of a numerics module."""
        functions = {name: getattr(module, name) for name in FUNCTIONS}
        return cls(module.NAMES, module.LOG_NAMES, module.MONEY_POWERS, **functions)
