"""`ev.backtest`: frames in and out, the report that says naive rules first, plots that say what they show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import evervalue as ev
from evervalue.core.errors import InputError, SettingsError
from evervalue.models.candidate import ModelCandidate
from evervalue.warehouse.duckdb import connect
from tests.support import online_retail

FIRST = dt.date(2023, 1, 2)


def simulated(customers: int = 160, days: int = 420, seed: int = 5, k: int = 1) -> pl.DataFrame:
    """Customers who come over the first 330 days, buy at their own rate, the more regularly the higher k, and leave."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(customers):
        day, left = rng.integers(0, 330), rng.exponential(260)
        rate, worth = rng.gamma(1.2, 1 / 40), rng.gamma(4, 9)
        until = min(days, day + left)
        when = float(day)
        while when < until:
            rows.append(
                (
                    f"c{n:03}",
                    FIRST + dt.timedelta(days=int(when)),
                    round(float(rng.gamma(6, worth / 6)) + 1, 2),
                )
            )
            when += rng.gamma(k, 1 / rate / k)
    rows.append(("c000", FIRST + dt.timedelta(days=days - 1), 20.0))
    return pl.DataFrame(rows, schema=["customer_id", "order_date", "monetary"], orient="row")


ORDERS = simulated()
ASKED: dict[str, Any] = {"horizon": "120d", "origins": 2, "models": ["mbg-nbd", "bg-nbd"]}
QUICK: dict[str, Any] = {"horizon": "120d", "origins": 1, "models": "bg-nbd", "spend": "none"}


@pytest.fixture(scope="module")
def report() -> Any:
    return ev.backtest(ORDERS, **ASKED)


@pytest.fixture(scope="module")
def quick() -> Any:
    return ev.backtest(ORDERS, **QUICK)


def test_the_report_says_what_was_done(report: Any) -> None:
    assert [o.isoformat() for o in report.origins] == ["2023-07-01", "2023-10-29"]
    assert report.best in ("mbg-nbd", "bg-nbd")
    assert report.why.count("CRPS") >= 1
    text = repr(report)
    assert "best model" in text
    assert "late (first order after 2023-07-01), reported apart" in text
    assert "whom nobody could forecast" in text
    assert "past spend (no model)" in text
    assert "<table>" in report._repr_html_()


def test_naive_rules_that_win_come_before_all_else(report: Any) -> None:
    lines = repr(report).splitlines()
    said = [line for line in lines if "a rule without a model wins" in line]
    assert len(said) == len(report.naive_wins)
    assert lines[1 : 1 + len(said)] == said


def test_the_table_has_every_rule_and_model_at_every_origin(report: Any) -> None:
    table = report.table
    assert isinstance(table, pl.DataFrame)
    models = {"zero", "cohort-mean", "past-rate", "past-spend", "mbg-nbd", "bg-nbd"}
    for key, rows in table.group_by("target", "origin", "customers"):
        assert set(rows["model"]) == models, key
        assert rows["n"].n_unique() == 1
    assert set(table["origin"].drop_nulls()) == set(report.origins)
    assert set(table["customers"]) == {"known", "late"}
    pooled = table.filter(pl.col("origin").is_null(), pl.col("customers") == "known")
    assert pooled.row(0, named=True)["target"] == "value"
    for _, rows in pooled.group_by("target", maintain_order=True):
        assert rows["crps"].is_sorted()


def test_measures_and_deciles_are_rows(report: Any) -> None:
    measures = report.measures
    held = measures.filter(pl.col("best_naive").is_not_null())
    assert set(held["model"]) == {"mbg-nbd", "bg-nbd"}
    assert held.filter(pl.col("origin").is_not_null()).is_empty()
    told = held.filter(pl.col("difference_low").is_not_null())
    assert (told["difference_low"] <= told["difference_high"]).all()
    for row in told.to_dicts():
        if row["verdict"] == "level":
            assert row["difference_low"] <= 0 <= row["difference_high"] or row["measure"] == "bias"
    deciles = report.deciles
    assert deciles.group_by("target", "model").agg(pl.col("customers").sum())["customers"].n_unique() == 1
    assert deciles["decile"].is_between(1, 10).all()


def test_regular_timing_is_tested_where_the_intervals_speak_for_it_and_wins_by_what_came() -> None:
    found = ev.backtest(simulated(k=6), horizon="60d", origins=2, spend="none")
    assert found.best == "mbg-cnbd-k"
    assert "MBG/CNBD-k has the lowest mean CRPS of orders of 4 models" in found.why
    assert [c.key for c in found.found.candidates if not c.naive] == [
        "mbg-nbd", "bg-nbd", "mbg-cnbd-k", "pareto-nbd",
    ]  # fmt: skip
    assert any("more regular than at random" in note for note in found.notes)


@pytest.mark.slow
def test_a_gift_wholesaler_buys_regularly() -> None:
    lines = pl.read_parquet(online_retail.FILE)
    sales = lines.filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity") > 0)).select(
        customer_id="CustomerID",
        order_date=pl.col("InvoiceDate").dt.date(),
        monetary=(pl.col("Quantity") * pl.col("UnitPrice")).round(2),
    )
    found = ev.backtest(sales, horizon="100d", spend="none")
    assert found.best == "mbg-cnbd-k"
    choice = found._tested.choice
    assert choice is not None
    scores = {row["model"]: row["crps"] for row in choice.table}
    assert scores["mbg-cnbd-k"] == pytest.approx(0.6448, abs=1e-4)
    for key in ("mbg-nbd", "bg-nbd", "pareto-nbd"):
        assert scores[key] == pytest.approx(0.6512, abs=1e-4)


def test_where_intervals_are_random_nothing_more_is_tested_and_a_note_says_so() -> None:
    found = ev.backtest(ORDERS, horizon="120d", origins=1, spend="none")
    assert [c.key for c in found.found.candidates if not c.naive] == ["mbg-nbd", "bg-nbd", "pareto-nbd"]
    (note,) = (note for note in found.notes if "regular" in note)
    assert "no more regular than at random" in note
    assert "MBG/CNBD-k is not tested" in note


def test_regular_timing_that_is_asked_for_has_the_k_that_the_data_have() -> None:
    found = ev.backtest(simulated(k=6), horizon="60d", origins=1, models="mbg-cnbd-k", spend="none")
    (candidate,) = (c for c in found.found.candidates if not c.naive)
    assert isinstance(candidate, ModelCandidate)
    model = candidate.fitted(found.found.folds[-1])
    assert isinstance(model, ev.RegularBetaGeo)
    assert model.k_ in (4, 5, 6, 7, 8)


@pytest.mark.parametrize("kind", ["pandas", "arrow", "duckdb", "lazy"])
def test_the_same_kind_of_frame_comes_out(kind: str, quick: Any) -> None:
    con = connect()
    given: dict[str, Any] = {
        "pandas": ORDERS.to_pandas, "arrow": ORDERS.to_arrow, "lazy": ORDERS.lazy,
        "duckdb": lambda: con.from_arrow(ORDERS.to_arrow()),
    }  # fmt: skip
    found = ev.backtest(given[kind](), **QUICK)
    table = found.table
    expected = {"pandas": pd.DataFrame, "arrow": pa.Table, "lazy": pl.LazyFrame, "duckdb": object}[kind]
    assert isinstance(table, expected)
    rows = (
        table.collect()
        if kind == "lazy"
        else pl.from_arrow(table.to_arrow_table() if kind == "duckdb" else table)
        if kind != "pandas"
        else pl.from_pandas(table)
    )
    assert isinstance(rows, pl.DataFrame)
    assert rows["mae"].to_list() == quick.table["mae"].to_list()
    con.close()


def test_orders_from_a_file_and_the_order_of_rows_change_nothing(tmp_path: Path, report: Any) -> None:
    path = tmp_path / "orders.csv"
    ORDERS.sample(fraction=1, shuffle=True, seed=1).write_csv(path)
    orders = ev.read_orders(
        path, customer="customer_id", date="order_date", monetary="monetary", currency="EUR"
    )
    found = ev.backtest(orders, **ASKED, frame="polars")
    assert found.table.equals(report.table)
    assert found.why == report.why
    assert found.found.folds[-1].currency == "EUR"


def test_orders_alone_and_one_model(report: Any) -> None:
    found = ev.backtest(ORDERS, horizon="120d", origins=1, models=ev.BetaGeo(), spend="none")
    assert set(found.table["target"]) == {"orders"}
    assert found.best == "bg-nbd"
    alone = report.table.filter(target="orders", model="bg-nbd", origin=report.origins[-1], customers="known")
    assert alone["crps"].is_not_null().all()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"models": "bg-nbt"}, r"no model \(did you mean 'bg-nbd'\?\)"),
        ({"models": "foo"}, r"'foo' is no model\. There are: [a-z, -]+\.$"),
        ({"models": [5]}, "and models such as ev.BetaGeo"),
        ({"spend": 5}, "and models such as ev.GammaGamma"),
        ({"step": "5"}, r"step='5' is not a duration\. .* or '1y'\.$"),
        ({"models": []}, "names no model"),
        ({"models": ev.CLV()}, "takes the two halves of ev.CLV apart"),
        ({"models": ["bg-nbd", "bg-nbd"]}, "'bg-nbd' twice"),
        ({"spend": "gama-gamma"}, r"no spend model \(did you mean 'gamma-gamma'\?\)"),
        ({"horizon": "3 months"}, "months, which have no fixed length"),
        ({"origins": ["2023-99-01"]}, "is not a date"),
        ({"frame": "spark"}, None),
    ],
)
def test_what_cannot_be_is_refused_by_name(asked: dict[str, Any], says: str | None) -> None:
    if says is None:
        assert ev.backtest(ORDERS, **{**QUICK, **asked}).best, "frame is for ev.read_orders alone"
        return
    with pytest.raises(SettingsError, match=says):
        ev.backtest(ORDERS, **{**ASKED, **asked})


def test_a_horizon_beyond_the_data_says_how_long_one_may_be() -> None:
    with pytest.raises(InputError, match="Use a shorter horizon; 208 days would leave as much before it"):
        ev.backtest(ORDERS, horizon="2y")


@pytest.fixture
def pyplot() -> Iterator[Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_four_plots_with_findings_for_titles(report: Any, pyplot: Any) -> None:
    figure = report.plot("bg-nbd")
    axes = figure.get_axes()
    titles = [ax.get_title(loc="left") for ax in axes if ax.get_title(loc="left")]
    assert len(axes) == 5
    assert titles[0].startswith("After the origin ")
    assert "customers have no repeat order" in titles[1]
    assert "Means of money by tenth are off by" in titles[2]
    assert titles[3].startswith("Intervals of money held ")
    with pytest.raises(SettingsError, match="'pareto-nbd' is no model of this backtest"):
        report.plot("pareto-nbd")


def test_plots_draw_what_the_data_say(report: Any, pyplot: Any) -> None:
    from evervalue.library import backtest_plots as plots

    fold = report.found.folds[-1]
    (candidate,) = [c for c in report.found.candidates if c.key == "bg-nbd"]
    expected, actual = plots.frequencies(report.found, candidate)
    assert actual.sum() == expected.sum() == pytest.approx(len(fold))
    assert actual[0] == (fold.frequency == 0).sum()
    days, told, came = plots.tracking(report.found, candidate)
    origin = (fold.origin - FIRST).days
    assert np.interp(origin - 1, days, came) == pytest.approx(fold.frequency.sum(), rel=0.05)
    model = candidate.fitted(fold)
    ages = origin - 1 - report.found.folds.timeline.start_day
    sums = (
        np.array([float(model.expected_orders(float(age))) for age in ages])
        @ report.found.folds.timeline.starts
    )
    assert np.interp(origin - 1, days, told) == pytest.approx(sums, rel=0.02)
    for draw in (plots.plot_deciles, plots.plot_coverage):
        assert draw(report.found, "bg-nbd", target="value").get_title(loc="left")
    assert plots.plot_frequency(report.found, "bg-nbd").patches
    assert len(plots.plot_tracking(report.found, "bg-nbd")) == 2
