"""What each model is: its idea in a sentence, its paper, its first equation, what it assumes, and what it cannot do.

For readers of a run: a page and a card name what predicted. The whole of it, with sources, is in `docs/methods/`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A model as a reader of its predictions should know it."""

    idea: str
    reference: str
    equation: str
    assumes: tuple[str, ...]
    limits: tuple[str, ...]
    page: str
    """Its page in `docs/methods/`."""


_NO_SEASON = "It knows no season, no trend, no campaign and no price."
_RANDOM = "While active, a customer orders at random, each at a rate of their own."
_LEAVES = "After each order, the first too, the customer may leave, with a chance of their own, and does not come back."
_SPREAD = "Rates of customers are spread as a gamma law, chances of leaving as a beta law, and the two are independent."

PAPERS: dict[str, Paper] = {
    "mbg-nbd": Paper(
        idea="Customers order at random and may leave for good after any order, the first one too.",
        reference="Batislam, Denizel and Filiztekin (2007), Empirical validation and comparison of models for customer "
        "base analysis",
        equation="P(alive) = 1 / (1 + a/(b+x) · ((α+T)/(α+t_x))^(r+x))",
        assumes=(
            _RANDOM, _LEAVES, _SPREAD,
        ),
        limits=("It cannot tell who left from who is slow among customers with one order.", _NO_SEASON),
        page="mbg_nbd.md",
    ),
    "bg-nbd": Paper(
        idea="Customers order at random and may leave for good after any repeat order.",
        reference="Fader, Hardie and Lee (2005), Counting your customers the easy way: an alternative to the "
        "Pareto/NBD model",
        equation="P(alive) = 1 / (1 + {x>0} a/(b+x−1) · ((α+T)/(α+t_x))^(r+x))",
        assumes=(_RANDOM, "After each repeat order the customer leaves with a chance of their own.", _SPREAD),
        limits=("Whoever ordered once counts as active for ever.", _NO_SEASON),
        page="bg_nbd.md",
    ),
    "pareto-nbd": Paper(
        idea="Customers order at random until they leave for good at a moment that nobody sees.",
        reference="Schmittlein, Morrison and Colombo (1987), Counting your customers: who are they and what will they "
        "do next?",
        equation="E[orders in (T, T+t]] = P(alive) · (r+x)/(α+T) · (β+T)/(s−1) · [1 − ((β+T)/(β+T+t))^(s−1)]",
        assumes=(
            _RANDOM, "An active customer leaves at a rate of their own and does not come back.",
            "Both rates are spread as gamma laws over customers, and are independent.",
        ),
        limits=("It knows no rhythm and no return.", _NO_SEASON),
        page="pareto_nbd.md",
    ),
    "mbg-cnbd-k": Paper(
        idea="Customers order at a rhythm, so that a long silence says more, and may leave after any order.",
        reference="Reutterer, Platzer and Schröder (2021), Leveraging purchase regularity for predicting customer "
        "behavior the easy way",
        equation="P(alive) = 1 / (1 + a / ((b+x) P)), P the chance of so long a silence",
        assumes=(
            "Intervals between the orders of an active customer are sums of k random times; k is one for all.",
            _LEAVES, _SPREAD,
        ),
        limits=("All customers share one rhythm.", _NO_SEASON),
        page="mbg_cnbd_k.md",
    ),
    "gamma-gamma": Paper(
        idea="A customer's own mean spend counts the more, the more purchases it rests on; the rest is everybody's.",
        reference="Colombo and Jiang (1999), A stochastic RFM model; Fader and Hardie (2013), The Gamma-Gamma model of "
        "monetary value",
        equation="E[M | x, m] = p(v + x·m) / (px + q − 1)",
        assumes=(
            "Amounts of a customer vary around the customer's own mean by the same share of it for everyone.",
            "What a customer spends says nothing about how often, and does not change.", "Amounts are above zero.",
        ),
        limits=("It takes no refunds and no losses.", "It does not follow spend that changes."),
        page="gamma_gamma.md",
    ),
    "normal-spend": Paper(
        idea="A customer's own mean counts the more, the more purchases it rests on, and amounts may be losses.",
        reference="DeGroot (1970), Optimal statistical decisions, section 9.6: the normal-inverse-gamma model",
        equation="E[θ | y] = (κ·m₀ + x·m) / (κ + x)",
        assumes=(
            "Amounts of a customer are normal around the customer's own mean, with a spread of the customer's own.",
            "What a customer spends says nothing about how often, and does not change.",
        ),
        limits=(
            "Its law is symmetrical: a few very large amounts come more often than it says.",
            "It does not follow profit that changes.",
        ),
        page="normal_spend.md",
    ),
    "pooled-rate": Paper(
        idea="No model fits these customers, so everyone is taken to buy at the rate that all of them share.",
        reference="A rule without a model; Jeffreys' posterior of a Poisson rate",
        equation="E[orders in h days] = (repeat purchase days + ½) · h / customer-days",
        assumes=("Everyone buys alike, and nobody leaves.",),
        limits=("Nobody's own purchases change what is expected of them.",),
        page="estimation.md",
    ),
    "mean-spend": Paper(
        idea="No spend model fits, so every purchase day is taken to bring the mean of all.",
        reference="A rule without a model",
        equation="E[amount] = sum of all amounts / number of purchase days",
        assumes=("Everyone spends alike.",),
        limits=("Nothing is said of how much amounts vary.",),
        page="clv.md",
    ),
}  # fmt: skip
"""By `models.fits.model_key`."""
