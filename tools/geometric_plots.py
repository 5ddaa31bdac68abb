"""Plots of BG/NBD and its relatives, for tools/method_plots.py: one function a model."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases import bg_nbd as bg
from evervalue.numerics.purchases import mbg_cnbd_k as mbg
from tests.support import cdnow, online_retail

BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"
BG = (0.242595, 4.413602, 0.792922, 2.425907)
MBG = (0.524843, 6.183085, 0.891359, 1.614002)
ONLINE_RETAIL = {1: (0.7227, 9.4237, 1e-4, 59874.0), 2: (0.8529, 4.3175, 0.1559, 2.0036)}
"""Maxima of the log-likelihood, MBG/CNBD-k, calibration to 2011-08-31; k = 1 finds nobody leaving."""


def bg_nbd(left: Any, right: Any) -> None:
    """CDNOW: repeat orders week by week, fitted to week 39 and foretold to 78; and the counts of 39 weeks."""
    start = dt.date(1997, 1, 1).toordinal()
    first: dict[str, int] = {}
    orders: set[tuple[str, int]] = set()
    for customer, day, _ in sorted(cdnow.orders()):
        first.setdefault(customer, day.toordinal())
        orders.add((customer, day.toordinal()))
    repeats = np.array([day - start for customer, day in orders if day > first[customer]]) // 7
    weeks = np.arange(1, 79)
    left.plot(weeks, np.cumsum(np.bincount(repeats, minlength=79)[:78]), color=GREY, label="actual")
    births, customers = np.unique(np.array(list(first.values())) - start, return_counts=True)
    age = np.maximum(7 * weeks[:, None] - 1 - births, 0) / 7
    left.plot(weeks, bg.expected_orders(BG, age) @ customers, color=BLUE, label="BG/NBD")
    left.axvline(39, color="black", linestyle=":")
    left.set(xlabel="week of 1997-98", ylabel="repeat orders so far", ylim=(0, None))
    left.legend(frameon=False)
    columns = cdnow.calibration()
    counts = np.arange(8)
    actual = np.bincount(np.minimum(columns["frequency"], 7).astype(int))
    expected = bg.pmf(BG, columns["T"], 6).sum(axis=0)
    expected = np.append(expected, len(columns["T"]) - expected.sum())
    _bars(right, counts, actual, expected, "BG/NBD")
    right.set(xlabel="repeat orders in weeks 1-39", ylabel="customers")


def mbg_nbd(left: Any, right: Any) -> None:
    """CDNOW: whether somebody with no repeat order is still there; and the orders that came, by repeat orders."""
    weeks = np.linspace(0, 39, 200)
    left.plot(weeks, bg.p_alive(BG, 0, 0.0, weeks), color=ORANGE, label="BG/NBD")
    left.plot(weeks, mbg.p_alive(MBG, 0, 0.0, weeks), color=BLUE, label="MBG/NBD")
    left.set(xlabel="weeks since the only order", ylabel="P(alive)", ylim=(0, 1.05))
    left.legend(frameon=False, loc="center right")
    columns = cdnow.calibration()
    history = columns["frequency"], columns["recency"], columns["T"]
    groups = np.minimum(columns["frequency"], 7)
    counts = np.arange(8)
    for values, colour, marker, label in (
        (columns["holdout_orders"], GREY, "o", "actual"),
        (bg.conditional_expected_orders(BG, *history, 39.0), ORANGE, "^", "BG/NBD"),
        (mbg.conditional_expected_orders(MBG, *history, 39.0), BLUE, "s", "MBG/NBD"),
    ):
        means = [values[groups == n].mean() for n in counts]
        right.plot(counts, means, color=colour, marker=marker, label=label)
    right.set_xticks(counts, [*map(str, counts[:-1]), "7+"])
    right.set(xlabel="repeat orders in weeks 1-39", ylabel="mean orders in weeks 40-78", ylim=(0, None))
    right.legend(frameon=False)


def mbg_cnbd_k(left: Any, right: Any) -> None:
    """Online Retail: how alike two intervals of a customer are; and P(alive) as a silence goes on."""
    share = online_retail.last_two_intervals()
    left.hist(share, bins=20, range=(0, 1), density=True, color=GREY, alpha=0.6, label="actual")
    at = np.linspace(0, 1, 201)
    left.plot(at, np.ones(201), color=ORANGE, label="k = 1, at random")
    left.plot(at, 6 * at * (1 - at), color=BLUE, label="k = 2")
    left.set(xlabel="last interval / last two intervals", ylabel="density", ylim=(0, 2))
    left.legend(frameon=False, loc="upper left", ncols=2)
    silence = np.linspace(0, 25, 200)
    for k, x, line, colour, label in (
        (1, 10, "-", ORANGE, "k = 1, anybody"),
        (2, 3, "--", BLUE, "k = 2, 3 orders"),
        (2, 10, "-", BLUE, "k = 2, 10 orders"),
    ):
        alive = mbg.p_alive(ONLINE_RETAIL[k], x, 12.0, 12.0 + silence, k)
        right.plot(silence, alive, line, color=colour, label=label)
    right.set(xlabel="weeks of silence after 12 weeks", ylabel="P(alive)", ylim=(0, 1.05))
    right.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.42, 0.0))


def _bars(axis: Any, counts: NDArray[np.intp], actual: NDArray[np.intp], expected: Array, name: str) -> None:
    axis.bar(counts - 0.2, actual, 0.4, color=GREY, label="actual")
    axis.bar(counts + 0.2, expected, 0.4, color=BLUE, label=name)
    axis.set_xticks(counts, [*map(str, counts[:-1]), f"{counts[-1]}+"])
    axis.legend(frameon=False)


PLOTS = {"bg_nbd": bg_nbd, "mbg_nbd": mbg_nbd, "mbg_cnbd_k": mbg_cnbd_k}
