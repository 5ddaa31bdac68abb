"""The four plots of a backtest: tracking over calendar time, frequencies, deciles, coverage. Each title is a finding.

What happened is drawn solid and dark, what was forecast dashed and blue; where marks meet they differ in shape too.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean
from evervalue.models.backtest import Backtest, DecileRow, Target
from evervalue.models.candidate import ModelCandidate
from evervalue.numerics.arrays import Array
from evervalue.warehouse.frames import needed

ACTUAL, MODEL, NAIVE, LINE = "#17202e", "#0b5cab", "#8a94a3", "#dfe3ea"
MOST_REPEATS = 7


def plot_backtest(found: Backtest, model: str) -> Any:
    """A figure with all four plots.

    Parameters
    ----------
    found
        The backtest.
    model
        Key of the model to show.

    Raises
    ------
    SettingsError
        matplotlib is not installed (`pip install 'evervalue[plot]'`), or no such model was tested.
    """
    candidate = _candidate(found, model)
    pyplot = needed("matplotlib.pyplot", "plot")
    figure = pyplot.figure(figsize=(12, 8.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, hspace=0.06)
    left, right = top.subfigures(1, 2, wspace=0.04)
    plot_tracking(found, model, left.subplots(2, 1, sharex=True, height_ratios=(2, 1)))
    plot_frequency(found, model, right.subplots())
    deciles, coverage = bottom.subplots(1, 2)
    target: Target = "value" if "value" in found.targets else "orders"
    plot_deciles(found, model, deciles, target=target)
    plot_coverage(found, model, coverage, target=target)
    figure.suptitle(f"Backtest of {candidate.name}", x=0.01, ha="left", fontweight="bold", fontsize=13)
    return figure


def plot_tracking(found: Backtest, model: str, axes: Any = None) -> Any:
    """Cumulative and weekly repeat orders over calendar time: what came, and what the fit at the last origin expects.

    The expectation is that of new customers, unconditional: it knows when each came and nothing else, as in Fader,
    Hardie and Lee (2005), figure 5. A vertical line marks the origin.

    Parameters
    ----------
    found, model
        As for `plot_backtest`.
    axes
        Two axes, cumulative and weekly. Default: new ones.

    Raises
    ------
    SettingsError
        As `plot_backtest`.
    """
    candidate = _candidate(found, model)
    pyplot = needed("matplotlib.pyplot", "plot")
    if axes is None:
        _, axes = pyplot.subplots(
            2, 1, figsize=(7, 5), sharex=True, height_ratios=(2, 1), layout="constrained"
        )
    days, expected, actual = tracking(found, candidate)
    timeline = found.folds.timeline
    assert timeline is not None
    origin = np.datetime64(timeline.first_day + dt.timedelta(days=timeline.origin_day))
    when = np.datetime64(timeline.first_day) + days.astype("timedelta64[D]")
    for ax, came, forecast, what in (
        (axes[0], actual, expected, "so far"),
        (axes[1], np.diff(actual, prepend=0.0), np.diff(expected, prepend=0.0), "a week"),
    ):
        ax.plot(when, came, color=ACTUAL, linewidth=1.6, label="came")
        ax.plot(when, forecast, color=MODEL, linewidth=1.6, linestyle="--", label=f"{candidate.name} expects")
        ax.axvline(origin, color=NAIVE, linewidth=1)
        ax.set_ylabel(f"repeat orders\n{what}", fontsize=9)
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        _quiet(ax)
    axes[0].annotate("origin", (origin, 1), xycoords=("data", "axes fraction"), xytext=(4, -10),
                     textcoords="offset points", fontsize=8, color="#4d596a")  # fmt: skip
    axes[0].legend(loc="lower right", frameon=False, fontsize=9)
    axes[1].tick_params(axis="x", labelsize=8)
    locator = needed("matplotlib.dates", "plot").AutoDateLocator(maxticks=7)
    axes[1].xaxis.set_major_locator(locator)
    axes[1].xaxis.set_major_formatter(needed("matplotlib.dates", "plot").ConciseDateFormatter(locator))
    came = actual[-1] - np.interp(timeline.origin_day - 1, days, actual)
    told = expected[-1] - np.interp(timeline.origin_day - 1, days, expected)
    _title(
        axes[0],
        f"After the origin {told:,.0f} repeat orders were expected, {came:,.0f} came{_off(told, came)}",
    )
    return axes


def plot_frequency(found: Backtest, model: str, ax: Any = None) -> Any:
    """Customers by number of repeat orders before the last origin: as they are, and as the fitted model expects them.

    Parameters
    ----------
    found, model
        As for `plot_backtest`.
    ax
        Axes to draw on. Default: new ones.

    Raises
    ------
    SettingsError
        As `plot_backtest`.
    """
    candidate = _candidate(found, model)
    ax = ax or _axes()
    expected, actual = frequencies(found, candidate)
    places = np.arange(len(actual))
    ax.bar(places - 0.2, actual, 0.38, color=ACTUAL, label="are")
    ax.bar(places + 0.2, expected, 0.38, color="white", edgecolor=MODEL, hatch="////", linewidth=1.2,
           label=f"{candidate.name} expects")  # fmt: skip
    ax.set_xticks(places, [*map(str, places[:-1]), f"{MOST_REPEATS}+"])
    ax.set_xlabel("repeat orders before the origin", fontsize=9)
    ax.set_ylabel("customers", fontsize=9)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.legend(loc="upper right", frameon=False, fontsize=9)
    _quiet(ax)
    _title(ax, f"{actual[0]:,.0f} customers have no repeat order, {expected[0]:,.0f} are expected to")
    return ax


def plot_deciles(found: Backtest, model: str, ax: Any = None, *, target: Target = "orders") -> Any:
    """Mean forecast and mean outcome by tenth of the customers, all origins together.

    Parameters
    ----------
    found, model
        As for `plot_backtest`.
    ax
        Axes to draw on. Default: new ones.
    target
        "orders" or "value".

    Raises
    ------
    SettingsError
        As `plot_backtest`.
    """
    candidate = _candidate(found, model)
    ax = ax or _axes()
    rows = _deciles(found, model, target)
    places = [r.decile for r in rows]
    ax.plot(places, [r.actual for r in rows], "o-", color=ACTUAL, linewidth=1.4, markersize=5, label="came")
    ax.plot(places, [r.predicted for r in rows], "D--", color=MODEL, linewidth=1.4, markersize=5,
            markerfacecolor="white", label=f"{candidate.name} expects")  # fmt: skip
    ax.set_xticks(places)
    ax.set_ylim(bottom=min(0.0, *(r.actual for r in rows), *(r.predicted for r in rows)))
    ax.set_xlabel("tenth of the customers, by forecast", fontsize=9)
    currency = found.folds[-1].currency or "money"
    ax.set_ylabel("orders a customer" if target == "orders" else f"{currency} a customer", fontsize=9)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    _quiet(ax)
    mape = found.pooled(target, "decile_mape")[model].value
    what = "orders" if target == "orders" else "money"
    _title(ax, f"Means of {what} by tenth are off by {mape:.0%} on average")
    return ax


def plot_coverage(found: Backtest, model: str, ax: Any = None, *, target: Target = "orders") -> Any:
    """Share of outcomes inside the intervals by tenth of the customers, and the mass that the intervals hold.

    Bars of three binomial standard errors show what chance allows. Counts and the atom at zero make an interval hold
    more than was asked, so the share is to be read against the mass it holds, not against what was asked.

    Parameters
    ----------
    found, model, ax, target
        As for `plot_deciles`.

    Raises
    ------
    SettingsError
        As `plot_backtest`.
    """
    _candidate(found, model)
    ax = ax or _axes()
    rows = _deciles(found, model, target)
    places = np.array([r.decile for r in rows])
    mass = np.array([r.interval_mass for r in rows])
    # Rows of one customer at several origins are not independent: chance is judged by customers, not by rows.
    each = np.array([r.customers for r in rows]) / len(found.folds)
    chance = 3 * np.sqrt(mass * (1 - mass) / np.maximum(each, 1))
    ax.errorbar(places, mass, chance, fmt="D", color=MODEL, markerfacecolor="white", markersize=5, capsize=3,
                linewidth=1.2, label="should be inside ± 3 standard errors")  # fmt: skip
    ax.plot(places, [r.coverage for r in rows], "o", color=ACTUAL, markersize=5, label="were inside")
    ax.axhline(found.interval or 0.0, color=NAIVE, linewidth=1, linestyle=":")
    ax.set_xticks(places)
    ax.set_ylim(min(0.7, *(r.coverage - 0.05 for r in rows)), 1.02)
    ax.set_xlabel("tenth of the customers, by forecast", fontsize=9)
    ax.set_ylabel("share of customers", fontsize=9)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(loc="lower left", frameon=False, fontsize=9)
    _quiet(ax)
    inside, held = (found.pooled(target, key)[model].value for key in ("coverage", "interval_mass"))
    what = "orders" if target == "orders" else "money"
    _title(ax, f"Intervals of {what} held {inside:.1%} of outcomes and claim {held:.1%}")
    return ax


def tracking(found: Backtest, candidate: ModelCandidate) -> tuple[Array, Array, Array]:
    """Last day of each week since the first order, repeat orders expected up to it, and those that came up to it.

    Parameters
    ----------
    found
        The backtest.
    candidate
        The model; as fitted at the last origin.
    """
    timeline = found.folds.timeline
    assert timeline is not None
    days = np.arange(6, len(timeline.repeats), 7)
    model = candidate.fitted(found.folds[-1])
    of_age = np.asarray(model.kernel.expected_orders(model._params({}), np.arange(days[-1] + 1.0)))
    age = days[:, None] - timeline.start_day[None, :].astype(np.intp)
    expected = np.where(age >= 0, of_age[np.maximum(age, 0)], 0.0) @ timeline.starts
    actual: Array = np.cumsum(timeline.repeats)[days]
    return days.astype(np.float64), np.asarray(expected), actual


def frequencies(found: Backtest, candidate: ModelCandidate) -> tuple[Array, Array]:
    """Customers with 0, 1, ... and `MOST_REPEATS` or more repeat orders at the last origin: expected, and as they are.

    Parameters
    ----------
    found, candidate
        As for `tracking`.
    """
    fold = found.folds[-1]
    ages, n = np.unique(fold.T, return_counts=True)
    model = candidate.fitted(fold)
    expected = n @ np.asarray(model.kernel.pmf(model._params({}), ages, MOST_REPEATS - 1))
    x = np.minimum(fold.frequency, MOST_REPEATS).astype(np.intp)
    actual = np.bincount(x, minlength=MOST_REPEATS + 1).astype(np.float64)
    return np.append(expected, len(fold) - expected.sum()), actual


def _candidate(found: Backtest, model: str) -> ModelCandidate:
    tested = {c.key: c for c in found.candidates if isinstance(c, ModelCandidate)}
    if model not in tested:
        raise SettingsError(
            f"'{model}' is no model of this backtest{did_you_mean(model, tested)}. There are: {', '.join(tested)}."
        )
    return tested[model]


def _deciles(found: Backtest, model: str, target: Target) -> list[DecileRow]:
    if target not in found.targets:
        raise SettingsError(f"This backtest has no {target!r}: no spend model took part.")
    return [r for r in found.deciles if r.model == model and r.target == target]


def _axes() -> Any:
    pyplot = needed("matplotlib.pyplot", "plot")
    return pyplot.subplots(figsize=(6, 4), layout="constrained")[1]


def _quiet(ax: Any) -> None:
    ax.grid(axis="y", color=LINE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(LINE)
    ax.tick_params(length=0, labelsize=9)


def _title(ax: Any, says: str) -> None:
    ax.set_title(says, loc="left", fontsize=10, fontweight="bold")


def _off(told: float, came: float) -> str:
    return f" ({told / came - 1:+.0%})" if came > 0 else ""
