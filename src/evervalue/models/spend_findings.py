"""What data can and cannot tell a spend model, in plain words: before the fit as refusals, after it as findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from evervalue.core.errors import FitFailed, InputError
from evervalue.core.text import count
from evervalue.models.amounts import REPEAT, Amounts
from evervalue.models.base import Finding
from evervalue.models.findings import FEW, HOMOGENEOUS, WIDE, not_identified
from evervalue.numerics.spend.gamma_gamma import shape_within
from evervalue.numerics.spend.independence import Independence

NEVER_VARIES = 1e3
"""Shape of a customer's amounts from which they vary by no more than 3 %."""
DEPENDENT = 0.05
"""Probability below which spend and frequency are called related."""
ALTERNATIVE = "ev.NormalSpend() takes amounts of any sign"
OTHERWISE = 0.4
"""Distance of two logs of p from which amounts are said to vary by another share than the model has it."""
SKEWED = 5.0
"""Standard errors by which m0 may miss the mean of customers before it is said."""


def refuse_too_little(name: str, data: Amounts, spend: str) -> None:
    """Raises where there is nothing to learn a spend from.

    Raises
    ------
    FitFailed
        Nobody has a purchase that counts, or one customer alone has.
    """
    counts = data.x > 0
    customers, buyers = float(data.weight.sum()), float(data.weight[counts].sum())
    if not buyers:
        how = " spend='all' counts the first purchase too." if spend == REPEAT else ""
        raise FitFailed(
            f"Nobody bought a second time: {count(int(customers), 'customer')}, no repeat purchase with an amount. "
            f"{name} has nothing to learn from.{how}"
        )
    if buyers < 2:
        raise FitFailed(
            f"{name} learns from how customers differ, of which one sample shows nothing: "
            f"{count(int(buyers), 'customer')} of {customers:,.0f} has a purchase that counts. Fit it to at least two; "
            "a few hundred give usable numbers."
        )


def refuse_not_positive(
    name: str, data: Amounts, error: type[FitFailed] | type[InputError] = FitFailed
) -> None:
    """Raises where a mean spend is at or below zero, for models that know no such thing.

    Raises
    ------
    FitFailed, InputError
        With how many there are and the model that takes them.
    """
    bad = (data.x > 0) & (data.m <= 0) & (data.weight > 0)
    if bad.any():
        first = int(np.argmax(bad))
        customers = float(data.weight[data.x > 0].sum())
        raise error(
            f"{count(int(data.weight[bad].sum()), 'customer')} of {customers:,.0f} with a purchase that counts "
            f"{'has' if data.weight[bad].sum() == 1 else 'have'} a mean spend at or below zero (first: row {first}, "
            f"{data.m[first]:,.2f}). {name} needs amounts above zero. {ALTERNATIVE}; where they are few, "
            "not_positive='leave_out' fits to the others."
        )


def left_out(data: Amounts) -> list[Finding]:
    """Customers that a model of amounts above zero was fitted without."""
    bad = float(data.weight[(data.x > 0) & (data.m <= 0)].sum())
    if not bad:
        return []
    return [
        Finding(
            "left_out",
            f"{count(int(bad), 'customer')} of {data.weight[data.x > 0].sum():,.0f} with a mean spend at or below zero "
            f"had no part in the fit, and are predicted as if it were 0. {ALTERNATIVE}.",
        )
    ]


def days_at_or_below_zero(data: Amounts) -> list[Finding]:
    """Customers whose mean is above zero though a purchase day of theirs is not."""
    if data.least is None:
        return []
    bad = float(data.weight[(data.x > 0) & (data.m > 0) & (data.least <= 0)].sum())
    if not bad:
        return []
    return [
        Finding(
            "amounts_at_or_below_zero",
            f"{count(int(bad), 'customer')} of {data.weight[data.x > 0].sum():,.0f} have a purchase day at or below "
            "zero. Their means are above it, so the fit goes through, but the model calls such days impossible. "
            f"{ALTERNATIVE}.",
        )
    ]


def of_fit(
    spread: Mapping[str, float], at_bound: Sequence[str], data: Amounts, explained: bool
) -> list[Finding]:
    """What holds of any spend model's fit: few customers, and parameters that the data do not tell."""
    found = []
    customers = float(data.weight.sum())
    if customers < FEW:
        found.append(
            Finding(
                "few_customers",
                f"Only {customers:,.0f} customers with a purchase that counts: the estimates are little more than a "
                "guess.",
            )
        )
    wide = [name for name, value in spread.items() if not value < WIDE]
    if wide and not explained:
        found.append(not_identified(wide))
    if at_bound and not explained:
        found.append(
            Finding(
                "at_bound", f"The search ended at the edge of what is tried for {' and '.join(at_bound)}."
            )
        )
    return found


def of_gamma_gamma(params: dict[str, float], data: Amounts) -> list[Finding]:
    """What the parameters of a Gamma-Gamma fit mean where they are far out."""
    p, q = params["p"], params["q"]
    buyers = data.weight.sum()
    mean = float(data.m @ data.weight / buyers)
    found = []
    if p > NEVER_VARIES:
        found.append(
            Finding(
                "constant_spend",
                "Spend does not vary within customers: each of them spends the same at every purchase, as far as these "
                f"means show, so that p has no maximum (stopped at {p:,.0f}). A customer's own mean is taken as it is; "
                "intervals of spend are as good as points.",
            )
        )
    if q > HOMOGENEOUS:
        found.append(
            Finding(
                "same_spend",
                f"Customers hardly differ in what they spend (q = {q:,.0f}): one mean, {mean:,.2f}, fits all of them.",
            )
        )
    if q <= 1:
        found.append(
            Finding(
                "infinite_mean",
                f"q = {q:.2f} is not above 1: so few customers spend so much that the model has no finite mean spend. "
                f"Customers without a purchase to go by are given the mean of those seen, {mean:,.2f}, instead; a few "
                "large spenders decide it. Look at the largest amounts before using it.",
            )
        )
    elif q <= 2:
        found.append(
            Finding(
                "infinite_variance",
                f"q = {q:.2f} is not above 2: mean spend differs so much between customers that its variance is "
                "infinite. Means of new customers are uncertain, and a few large spenders decide totals.",
            )
        )
    return found


def varies_otherwise(p: float, spread: float, data: Amounts) -> list[Finding]:
    """Whether amounts vary within customers by another share of the mean than p has it, which means alone tell."""
    several = float(data.weight[(data.x > 1) & (data.m > 0)].sum())
    if data.squares is None or not several:
        return []
    within, _ = shape_within(data.x, data.m, data.squares, data.weight)
    if math.isinf(within):
        return [
            Finding(
                "constant_spend",
                f"Spend does not vary within customers: none of the {count(int(several), 'customer')} with two "
                "purchases or more ever spent another amount. Gamma-Gamma sees means alone and has it that amounts "
                f"vary by {100 / math.sqrt(p):.0f} % of them. within='amounts' looks at the amounts themselves.",
            )
        ]
    if not abs(math.log(within / p)) > max(OTHERWISE, 2 * spread):
        return []
    much = "more" if within < p else "less"
    return [
        Finding(
            "varies_otherwise",
            f"Within customers amounts vary by {100 / math.sqrt(within):.0f} % of their mean, {much} than the "
            f"{100 / math.sqrt(p):.0f} % that the means of customers tell (p = {within:.2f} against {p:.2f}): "
            f"intervals of single customers are too {'narrow' if within < p else 'wide'}. within='amounts' takes p "
            "from the amounts.",
        )
    ]


def of_normal(
    params: dict[str, float], data: Amounts, constant: float, at_most: tuple[str, ...]
) -> list[Finding]:
    """What the parameters of a hierarchical normal fit mean where they are far out."""
    found = []
    several = float(data.weight[data.x > 1].sum())
    if data.squares is None:
        found.append(
            Finding(
                "means_only",
                "How amounts vary within a customer is not in the history (columns monetary, repeat_monetary and "
                "monetary_squared_sum; ev.purchase_history(orders, columns='all') has them). It is told from how far "
                "means lie apart alone, which is weak: trust means more than intervals.",
            )
        )
    same = data.m[data.weight > 0]
    if constant and same.max() == same.min():
        says = (
            f"Every purchase brought {same[0]:,.2f}: how much amounts vary cannot be told, and next to nothing is "
            "taken; intervals of money are those of orders at that amount."
        )
        return [*found, Finding("constant_spend", says)]
    if constant:
        found.append(
            Finding(
                "constant_spend",
                f"Spend does not vary within {count(int(constant), 'customer')} of {several:,.0f} with two purchases "
                "or more. Amounts are therefore taken to be known to a thousandth of how far customers lie apart: a "
                "normal law with no spread at all has no maximum.",
            )
        )
    if "kappa" in at_most:
        found.append(
            Finding(
                "same_spend",
                f"Customers do not differ in their mean spend beyond chance: one mean, {params['m0']:,.2f}, fits all "
                "of them.",
            )
        )
    if params["shape"] <= 0.5:
        found.append(
            Finding(
                "infinite_mean",
                f"shape = {params['shape']:.2f} is not above 1/2: amounts have such long tails that a new customer has "
                f"no mean spend. {params['m0']:,.2f}, given instead, is the median.",
            )
        )
    elif params["shape"] <= 1:
        found.append(
            Finding(
                "infinite_variance",
                f"shape = {params['shape']:.2f} is not above 1: amounts have such long tails that what a new customer "
                "spends has no finite variance; a few large amounts decide totals.",
            )
        )
    return found


def skewed(m0: float, spread: float, data: Amounts) -> list[Finding]:
    """Whether the middle of a symmetrical law is not where the mean of the customers is."""
    mean = float(data.m @ data.weight / data.weight.sum())
    if abs(m0 - mean) <= SKEWED * spread or not mean:
        return []
    return [
        Finding(
            "skewed",
            f"Amounts lean to one side: m0 = {m0:,.2f}, while customers spend {mean:,.2f} on average. What is expected "
            f"of new customers is off by {100 * (m0 / mean - 1):+.0f} %; location='mean' is not.",
        )
    ]


def of_independence(name: str, found: Independence | None, effect: float) -> Finding:
    """Whether spend goes with frequency, what that means, and what it does to value.

    Parameters
    ----------
    name
        The model, as people call it.
    found
        None where it cannot be tested.
    effect
        What the model's expectations make of all purchases seen, as a share above what they brought.
    """
    if found is None:
        return Finding(
            "independence_not_tested",
            "Whether people who buy more often spend more or less a purchase cannot be told: too few customers, or all "
            "of them bought equally often or spent the same.",
        )
    of = "logarithms" if found.of_logs else "mean spend and log frequency"
    numbers = (
        f"over {found.customers:,.0f} customers the correlation of their {of} is {found.pearson:+.2f} "
        f"({_chance(found.pearson_p)}), of ranks {found.spearman:+.2f}"
    )
    if found.pearson_p >= DEPENDENT:
        return Finding(
            "independence",
            f"No sign that people who buy more often spend more or less a purchase: {numbers}.",
        )
    more = "more" if found.twice_as_often > 0 else "less"
    size = (
        f"{abs(100 * found.twice_as_often):.1f} %" if found.of_logs else f"{abs(found.twice_as_often):,.2f}"
    )
    return Finding(
        "spend_depends_on_frequency",
        f"People who buy twice as often spend {size} {more} a purchase: {numbers}. {name} assumes no relation. The "
        f"effect on the value of customers seen is {_about(effect)}, since each is priced by their own purchases "
        "for the most part; customers without one are all priced alike.",
    )


def _about(effect: float) -> str:
    return f"about {100 * effect:+.1f} %" if abs(effect) >= 5e-4 else "less than 0.1 %"


def _chance(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"
