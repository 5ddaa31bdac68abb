"""Plots of the models that count in whole periods, for tools/method_plots.py: one function a model."""

from __future__ import annotations

from typing import Any

import numpy as np

import evervalue as ev
from evervalue.numerics.arrays import Array
from tests.support import published

BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"


def bg_bb(left: Any, right: Any) -> None:
    """Donors of 1995: gifts a year, fitted to 2001 and foretold to 2006; and P(alive) by year of the last gift."""
    model = ev.BetaGeoBetaBinomial().fit(published.donations())
    by_year = published.gifts_by_year()
    expected = np.diff(model.expected_orders(np.arange(12.0))) * 11_104
    left.plot(by_year["year"], by_year["gifts"], color=GREY, marker="o", label="actual")
    left.plot(by_year["year"], expected, color=BLUE, marker="s", label="BG/BB, fitted to 2001")
    left.axvline(2001.5, color="black", linestyle=":")
    left.set(xlabel="year", ylabel="repeat gifts", ylim=(0, None))
    left.legend(frameon=False, loc="lower left")
    for x, colour in ((1, ORANGE), (3, BLUE), (5, GREY)):
        last = np.arange(x, 7)
        history = {"frequency": np.full(len(last), x), "recency": last, "n_periods": np.full(len(last), 6)}
        label = f"{x} repeat gift{'s' * (x > 1)}"
        right.plot(1995 + last, model.p_alive(history), color=colour, marker="o", label=label)
    right.set(xlabel="year of the last gift", ylabel="P(alive in 2002)", ylim=(0, 1))
    right.legend(frameon=False)


def sbg(left: Any, right: Any) -> None:
    """Two segments: survival and retention, fitted to seven years and foretold to twelve."""
    data = published.retention()
    for segment, colour, name in (("high_end", BLUE, "High End"), ("regular", ORANGE, "Regular")):
        model = ev.ShiftedBetaGeo().fit(_cohort(data, segment, 7))
        _survival(left, right, data[segment] / 1000, model, colour, name)
    _finish(left, right, 7)


def bdw(left: Any, right: Any) -> None:
    """High End fitted to four years: with and without duration dependence."""
    data = published.retention()
    actual = data["high_end"] / 1000
    for model, colour in ((ev.ShiftedBetaGeo(), ORANGE), (ev.BetaDiscreteWeibull(), BLUE)):
        model.fit(_cohort(data, "high_end", 4))
        name = "sBG" if colour == ORANGE else "BdW"
        _survival(left, right, actual, model, colour, name, dots=GREY)
    _finish(left, right, 4)
    right.set(ylim=(0.8, 1))


def _cohort(data: dict[str, Array], segment: str, years: int) -> dict[str, Array]:
    return {"period": data["period"][: years + 1], "alive": data[segment][: years + 1]}


def _survival(
    left: Any, right: Any, actual: Array, model: Any, colour: str, name: str, dots: str | None = None
) -> None:
    years = np.arange(13)
    left.plot(years, actual, "o", color=dots or colour, markersize=4)
    left.plot(years, model.survival(years), color=colour, label=name)
    right.plot(years[1:], actual[1:] / actual[:-1], "o", color=dots or colour, markersize=4)
    right.plot(years[1:], model.retention_rate(years[1:]), color=colour, label=name)


def _finish(left: Any, right: Any, fitted: int) -> None:
    for axis in (left, right):
        axis.axvline(fitted + 0.5, color="black", linestyle=":")
        axis.legend(frameon=False)
    left.set(xlabel="year", ylabel="share still there (dots: actual)", ylim=(0, 1.02))
    right.set(xlabel="year", ylabel="share that renews", ylim=(0.6, 1))


PLOTS = {"bg_bb": bg_bb, "sbg": sbg, "bdw": bdw}
