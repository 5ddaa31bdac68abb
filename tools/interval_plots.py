"""Plots of docs/methods/intervals.md and docs/methods/clv.md; drawn by tools/method_plots.py."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import numpy as np

from evervalue.models.clv import CLV
from evervalue.models.purchase_models import BetaGeo, ParetoNBD
from evervalue.models.recalibration import Recalibration
from evervalue.models.spend import GammaGamma
from evervalue.numerics.arrays import Array
from tests.support import cdnow, holdouts
from tests.support.holdouts import Holdout

BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"


def intervals(left: Any, right: Any) -> None:
    """Online Retail: coverage of 90 % intervals of money by tenths, before and after; and one law with its interval."""
    _, told = _online_retail()
    (value,) = (each for each in told.checked if each.of == "value")
    tenth = np.arange(1, 11)
    for found, colour, shift, label in (
        (value.before, ORANGE, -0.12, "as the model says"),
        (value.after, BLUE, 0.12, "corrected, other half"),
    ):
        groups = found.deciles
        left.errorbar(
            tenth + shift, [g.covered for g in groups], yerr=[3 * g.standard_error for g in groups],
            fmt="o", markersize=4, linewidth=1, color=colour, label=label,
        )  # fmt: skip
    left.plot(tenth, [g.mass for g in value.before.deciles], color="black", linestyle=":", label="own mass")
    left.set(xlabel="tenth by expected money", ylabel="share inside", ylim=(0.6, 1.0))
    left.set_xticks(tenth)
    left.legend(frameon=False, loc="lower center")
    _one_law(right)


def _one_law(axes: Any) -> None:
    """The law of orders of one CDNOW customer, with the shortest interval and the one of equal tails."""
    model = BetaGeo().fit({k: cdnow.calibration()[k] for k in ("frequency", "recency", "T")}, unit="W")
    pmf = model.conditional_pmf({"frequency": [7.0], "recency": [30.0], "T": [38.0]}, "39W", 16)[0]
    n = np.arange(17)
    upto = np.cumsum(pmf)
    high = int(np.argmax(upto >= 0.9))
    axes.bar(n, pmf, color=np.where(n <= high, BLUE, GREY), width=0.8)
    tail = int(np.argmax(upto >= 0.95))
    axes.annotate(
        "",
        (tail + 0.4, 0.02 + pmf[0]),
        (-0.4, 0.02 + pmf[0]),
        arrowprops={"arrowstyle": "<->", "color": ORANGE},
    )
    axes.text(tail / 2, 0.03 + pmf[0], "5 % above, none below", color=ORANGE, ha="center")
    axes.text(high + 0.9, pmf[1], f"shortest: 0 to {high},\nholds {100 * upto[high]:.1f} %", color=BLUE)
    axes.set_xticks(n[::2])
    axes.set(xlabel="orders in 39 weeks", ylabel="probability", ylim=(0, pmf[0] + 0.07))


def clv(left: Any, right: Any) -> None:
    """CDNOW: money of the 39 weeks after, by tenths of expected value; and of forty of the best."""
    scores, actual = _cdnow()
    order = np.argsort(scores["expected_clv"], kind="stable")
    tenths = np.array_split(order, 10)
    place = np.arange(1, 11)
    left.bar(
        place - 0.2, [scores["expected_clv"][t].mean() for t in tenths], 0.4, color=BLUE, label="expected"
    )
    left.bar(place + 0.2, [actual[t].mean() for t in tenths], 0.4, color=GREY, label="actual")
    left.set_xticks(place)
    left.set(xlabel="tenth by expected value", ylabel="mean dollars in weeks 40-78")
    left.legend(frameon=False)
    some = order[np.linspace(0.8 * len(order), len(order) - 20, 40).astype(int)]
    row = np.arange(len(some))
    low, high = scores["clv_low"][some], scores["clv_high"][some]
    inside = (actual[some] >= low) & (actual[some] <= high)
    right.vlines(row, low, high, color=BLUE, linewidth=2, alpha=0.5)
    for which, colour, label in ((inside, "black", "inside"), (~inside, ORANGE, "outside")):
        right.plot(row[which], actual[some][which], "o", markersize=3, color=colour, label=label)
    right.set(xlabel="forty of the best fifth, by expected value", ylabel="dollars, 90 % interval")
    right.legend(frameon=False, loc="upper left")


@cache
def _online_retail() -> tuple[Holdout, Recalibration]:
    from tools.method_plots import ROOT

    purchases = holdouts.online_retail_purchases(ROOT / "tests" / "data")
    found = holdouts.holdout(purchases, dt.date(2011, 8, 11), 120)
    value = CLV(BetaGeo(), GammaGamma(not_positive="leave_out")).fit(found.history, unit="D")
    return found, value.recalibrate(found.history, found.orders, found.value, horizon=120)


def _cdnow() -> tuple[dict[str, Array], Array]:
    columns = cdnow.calibration()
    history = {name: columns[name] for name in ("frequency", "recency", "T", "monetary_value")}
    value = CLV(ParetoNBD(), GammaGamma()).fit(history, unit="W")
    return value.predict(horizon="39W", discount_rate_annual=0.0), columns["holdout_value"]


PLOTS = {"intervals": intervals, "clv": clv}
