"""What data can and cannot tell a purchase model, in plain words: before the fit as refusals, after it as findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evervalue.core.errors import FitFailed
from evervalue.core.text import count, joined, listing
from evervalue.models.base import Finding
from evervalue.models.histories import Distinct
from evervalue.models.likelihood import Likelihood
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, maximise
from evervalue.numerics.purchases import nbd
from evervalue.numerics.purchases.kernel import Kernel

FLAT = 1e-6
"""Curvature of the log-likelihood by a log parameter below which the data say nothing about it."""
WIDE = 2.0
"""Standard error of a log parameter from which it is known to no better than a factor of 7 either way."""
NO_DROPOUT_GAIN = 1.35
"""Half of 2.71, the 5 % point of the likelihood ratio of one parameter on its bound (Self and Liang 1987)."""
SAMPLE = 2_000
FAR = 50.0
FEW = 30
HOMOGENEOUS = 100.0


def refuse_what_cannot_be_fitted(name: str, data: Distinct) -> None:
    """Raises where no maximum can exist.

    Raises
    ------
    FitFailed
        Fewer than two customers, nobody was watched for any time, or nobody bought again.
    """
    customers = data.weight.sum()
    if customers < 2:
        raise FitFailed(
            f"{name} learns from how customers differ, of which one sample shows nothing: there is "
            f"{count(int(customers), 'customer')}. Fit it to at least two; a few hundred give usable numbers."
        )
    if not (data.T > 0).any():
        raise FitFailed(
            f"{name} needs time after the first purchase, and T is 0 for every customer: all of them came on the last "
            "day of the window. Move the cutoff (as_of) later."
        )
    if not (data.x > 0).any():
        raise FitFailed(
            f"Nobody bought a second time: {count(int(customers), 'customer')}, no repeat order. {name} has nothing "
            "to learn a purchase rate from. Take a longer window, or a model of first orders."
        )


def covariance(hessian: Array, turn: Array | None = None) -> Array:
    """Covariance of the log parameters from the curvature at the maximum; infinite variance along flat directions.

    With `turn` (k, k) it is that of theta times it.
    """
    values, vectors = np.linalg.eigh(-hessian)
    flat = values < FLAT
    inverse = np.where(flat, 0.0, 1.0 / np.where(flat, 1.0, values))
    if turn is not None:
        vectors = turn.T @ vectors
    found = (vectors * inverse) @ vectors.T
    if flat.any():
        vectors = vectors / np.maximum(np.sqrt(np.sum(vectors**2, axis=1, keepdims=True)), 1e-300)
        touched = np.flatnonzero((np.abs(vectors[:, flat]) > 0.05).any(axis=1))
        found[touched, touched] = np.inf
    return np.asarray(found)


def of_purchase_fit(name: str, kernel: Kernel, likelihood: Likelihood, best: Maximum) -> list[Finding]:
    """What a user of this fit should know."""
    data = likelihood.data
    values = {n: float(np.exp(v)) for n, v in zip(kernel.names, best.log_params, strict=False)}
    found: list[Finding] = []
    customers = float(data.weight.sum())
    if customers < FEW:
        found.append(
            Finding(
                "few_customers",
                f"Only {customers:,.0f} customers: the estimates are little more than a guess.",
            )
        )
    if not (data.x == 0).any():
        found.append(
            Finding(
                "everybody_repeats",
                "Every customer bought again; nothing is known of customers who buy once.",
            )
        )
    no_dropout = _no_dropout(likelihood, best)
    if no_dropout is not None:
        found.append(no_dropout)
    if values.get("r", 0.0) > HOMOGENEOUS:
        found.append(
            Finding(
                "same_rate",
                f"Customers hardly differ in how often they buy (r = {values['r']:,.0f}): one rate fits all of them.",
            )
        )
    shape = values.get("s", values.get("a", 0.0) + values.get("b", 0.0))
    if no_dropout is None and shape > HOMOGENEOUS:
        found.append(
            Finding(
                "same_dropout",
                "Customers hardly differ in how readily they leave: one dropout rate fits all.",
            )
        )
    found += _of_covariates(likelihood, best)
    spread = np.sqrt(np.diag(covariance(best.hessian)))[: len(kernel.names)]
    wide = [n for n, s in zip(kernel.names, spread, strict=False) if s > WIDE]
    if wide and no_dropout is None:
        found.append(not_identified(wide))
    at_bound = [kernel.names[i] for i in best.at_bound if i < len(kernel.names)]
    if at_bound and no_dropout is None:
        found.append(
            Finding("at_bound", f"The search ended at the edge of what is tried for {joined(at_bound)}.")
        )
    return found


def not_identified(wide: Sequence[str]) -> Finding:
    """That the data say little of some parameters."""
    alone, these = ("", "this parameter") if len(wide) == 1 else (" one by one", "these parameters")
    return Finding(
        "not_identified",
        f"The data say little about {joined(wide)}{alone} (known to no better than a factor of "
        f"{math.exp(WIDE):.0f}): read predictions, not {these}.",
    )


def _of_covariates(likelihood: Likelihood, best: Maximum) -> list[Finding]:
    """Covariates that say nothing, alone or beside the others."""
    found = [
        Finding(
            "constant_covariate",
            f"'{name}' is the same for every customer, so its effect cannot be told; it is left out.",
        )
        for name in likelihood.covariates.constant
    ]
    first = len(likelihood.kernel.names)
    spread = np.sqrt(np.diag(covariance(best.hessian)))[first:]
    wide = [label for label, s in zip(likelihood.covariates.labels(), spread, strict=True) if s > WIDE]
    if wide:
        found.append(
            Finding(
                "covariates_not_identified",
                f"The data say little about the effect of {listing(wide)}: it is rare, or the others tell the same. "
                "Read predictions, not these coefficients, or leave some out.",
            )
        )
    return found


def _no_dropout(likelihood: Likelihood, best: Maximum) -> Finding | None:
    """Whether a model in which nobody ever leaves explains the data as well."""
    if likelihood.kernel.options.get("k", 1) != 1 or likelihood.size != len(likelihood.kernel.names):
        return None
    if len(likelihood.data.x) > SAMPLE:
        # Where a sample of the data tells the two apart by far, all of them do.
        sample = likelihood.subset(SAMPLE)
        if sample.objective(best.log_params)[0] - _without_dropout(sample).value > FAR * NO_DROPOUT_GAIN:
            return None
    alone = _without_dropout(likelihood)
    prior = likelihood.prior
    reached = best.value - (float(prior.value(best.log_params)) if prior is not None else 0.0)
    if reached - alone.value > NO_DROPOUT_GAIN:
        return None
    data, scale = likelihood.data, likelihood.time_scale
    alive = likelihood.kernel.p_alive(np.exp(best.log_params), data.x, data.t_x / scale, data.T / scale)
    return no_dropout(alone.value, reached, np.asarray(alive), " in scaled time")


def no_dropout(alone: float, reached: float, p_alive: Array, of: str = "") -> Finding:
    """That a model in which nobody leaves does as well, and what P(alive) is worth then.

    Parameters
    ----------
    alone, reached
        Log-likelihood without dropout, and of the fit.
    p_alive
        P(alive) of the histories at the estimate.
    of
        What else is to be known of the log-likelihoods.
    """
    least = f"{p_alive.min():.2f}"
    between = "1.00 for all" if least == "1.00" else f"between {least} and {p_alive.max():.2f}"
    return Finding(
        "no_dropout",
        "No dropout is identifiable in these data: a model in which every customer keeps buying explains them as well "
        f"(log-likelihood {alone:,.2f} against {reached:,.2f}{of}). Nor is it excluded: at the estimate P(alive) is "
        f"{between}, and predictions average over all that the data leave possible, which can take it lower. What it "
        "lacks of 1 rests on the form of the model more than on these customers: read it with care.",
    )


def _without_dropout(likelihood: Likelihood) -> Maximum:
    data, scale = likelihood.data, likelihood.time_scale

    def objective(theta: Array) -> tuple[float, Array]:
        ll, gradient = nbd.log_likelihood_gradient(np.exp(theta), data.x, data.t_x / scale, data.T / scale)
        return float(ll @ data.weight), gradient @ data.weight

    rate = float(data.x @ data.weight) / (float(data.T @ data.weight) / scale)
    box = np.full(2, math.log(1e6))
    return maximise(objective, [np.array([0.0, -math.log(rate)])], lower=-box, upper=box)
