"""Value in a run: what its tables hold, what is taken over from the run before, and what happens where nothing fits."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import SettingsError
from evervalue.core.progress import Silent
from evervalue.models.purchase_models import MODELS
from evervalue.models.recalibration import Recalibration
from evervalue.models.registry import read
from evervalue.models.scoring import customer_histories
from evervalue.pipeline.backtest import SPENDS
from evervalue.pipeline.settings import (
    PURCHASE_MODELS,
    SPEND_MODELS,
    ValueSettings,
    read_project,
    settings_from,
)
from evervalue.warehouse.arrays import columns
from evervalue.warehouse.publish import Publisher, Snapshot
from tests.support.projects import LINES, project, published, run_project, saas_project

DAY = dt.timedelta(days=1)
ONE = '\n[value]\nmodel = "bg-nbd"\nspend = "gamma-gamma"\n'
"""Nothing to choose, which is quicker."""
START = dt.date(2022, 1, 1)


def shop(
    folder: Path, toml: str = "", *, seed: int = 1, customers: int = 120, returns: bool = False, k: int = 1
) -> Path:
    """A project whose customers buy at rates of their own, the more regularly the higher k, and some of whom leave."""
    rng = random.Random(seed)
    rows = ["order,date,customer,amount"]
    for n in range(customers):
        rate, first, mean = rng.gammavariate(1.2, 0.02), rng.randrange(500), rng.gammavariate(4, 10)
        leaves, day = rng.expovariate(1 / 400), 0.0
        while day < leaves and first + day < 730:
            date = START + DAY * int(first + day)
            rows.append(f"{len(rows)},{date},c{n:03},{rng.gammavariate(3, mean / 3):.2f}")
            day += rng.expovariate(rate) if k == 1 else rng.gammavariate(k, 1 / rate / k)
    if returns:
        rows.append(f"{len(rows)},2023-12-01,whale,90000.00")
        rows.append(f"{len(rows)},2023-12-01,whale,-90000.00")
        toml = f'{toml}\n[sources.sales.kinds]\nreturn = {{ column = "amount", below = 0 }}\n'
    return project(folder, {"sales.csv": "\n".join(rows) + "\n"}, LINES + toml, value=True)


def snapshot_of(folder: Path) -> Snapshot:
    return Publisher(read_project(folder).data_dir).current()


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shop(tmp_path_factory.mktemp("shop"))
    run_project(folder)
    return folder


def test_every_customer_is_valued_as_ev_clv_values_them(sold: Path) -> None:
    snapshot = snapshot_of(sold)
    con = snapshot.open()
    history = customer_histories(con)
    found = columns(con, "from models.clv order by customer_id")
    con.close()
    value = ev.CLV.of(
        *(ev.load_model(snapshot.beside(f"models/{name}.json")) for name in ("orders", "spend"))
    )
    told = value.predict(history, horizon="365d", discount_rate_annual=0.1, interval=0.9)
    assert len(found["p_alive"]) == len(history) == 120
    for name in ("p_alive", "expected_orders", "orders_low", "orders_high"):
        assert np.abs(found[name] - told[name]).max() < 1e-12, name
    for name in ("expected_order_value", "expected_clv", "clv_low", "clv_high"):
        assert np.abs(found[name] - told[name]).max() <= 0.5001e-4 * np.maximum(1, 0), name
    shock = read(snapshot.beside("models/orders.json")).about["shock"]
    assert 0 < shock < 0.5
    total = value.total(history, horizon="365d", discount_rate_annual=0.1, interval=0.9, shock=shock)
    ((customers, clv, low, high),) = published(
        sold, "select customers, expected_clv::double, clv_low::double, clv_high::double from models.total"
    )
    assert customers == 120
    assert (clv, low, high) == pytest.approx((total.expected_clv, total.clv_low, total.clv_high), abs=1e-4)


def test_fits_say_how_far_the_uncertainty_of_their_parameters_can_be_trusted(sold: Path) -> None:
    rows = published(
        sold, "select role, k_hat, posterior_method, posterior_says from models.fits order by role"
    )
    assert [row[0] for row in rows] == ["orders", "spend"]
    for role, k_hat, method, says in rows:
        found = ev.load_model(snapshot_of(sold).beside(f"models/{role}.json")).posterior()
        assert (method, says) == (found.method, found.says)
        assert k_hat == found.k_hat
        assert method == "laplace+psis"
        assert -2 < k_hat < 0.7


def test_the_tables_agree_with_one_another(sold: Path) -> None:
    ((clv, total, by_tier, headline),) = published(
        sold,
        "select (select sum(expected_clv) from models.clv), (select expected_clv from models.total), "
        "(select sum(expected_clv) from insight.value_by_tier), (select expected_clv from insight.value_headline)",
    )
    assert by_tier == clv
    assert abs(clv - total) < Decimal("0.02")
    assert headline == total
    (row,) = published(
        sold,
        "select count(*), count(distinct (repeat_orders, length_days, age_days)) from customers.purchase_history",
    )
    assert published(sold, "select sum(customers)::bigint, count(*) from models.history_scores") == [row]
    assert published(
        sold,
        "select count(*) from customers.purchase_history as p join models.history_scores as s "
        "using (repeat_orders, length_days, age_days) join models.clv as v using (customer_id) "
        "where s.p_alive <> v.p_alive or abs(s.discounted_orders * v.expected_order_value::double "
        "- v.expected_clv::double) > 0.001 * s.expected_orders + 0.0002",
    ) == [(0,)]
    assert published(
        sold,
        "select count(*) from insight.customer_list as l join models.clv as v using (customer_id) "
        "where l.expected_clv is distinct from v.expected_clv",
    ) == [(0,)]


def test_the_backtest_holds_the_naive_rules_and_says_why(sold: Path) -> None:
    naive = published(sold, "select distinct model from models.backtest where naive order by 1")
    assert naive == [("cohort-mean",), ("past-rate",), ("past-spend",), ("zero",)]
    models = published(
        sold, "select distinct model from models.backtest where not naive and target = 'value'"
    )
    assert {m for (m,) in models} == {"mbg-nbd", "bg-nbd", "pareto-nbd"}
    assert published(sold, "select count(distinct origin), min(n) > 0 from models.backtest") == [(3, True)]
    deciles = published(
        sold, "select count(distinct decile), sum(customers) > 0 from models.backtest_deciles"
    )
    assert deciles == [(10, True)]
    rows = published(sold, "select role, is_fitted, model_says, time_unit from models.fits order by role")
    assert [row[0] for row in rows] == ["orders", "spend"]
    assert all(row[1] and "CRPS" in row[2] for row in rows)
    ((parameters,),) = published(sold, "select count(*) from models.parameters where role = 'orders'")
    assert parameters == 4


def test_the_step_of_a_gem_is_one_purchase_day_on_the_last_day(sold: Path) -> None:
    snapshot = snapshot_of(sold)
    con = snapshot.open()
    steps = con.execute(
        "select s.customer_id, s.orders_added, s.purchase_days_added, s.expected_clv, s.clv_after, s.clv_gain, "
        "p.repeat_orders, p.length_days, p.age_days - 1, v.expected_order_value "
        "from models.step_values as s join customers.purchase_history as p using (customer_id) "
        "join models.clv as v using (customer_id)"
    ).fetchall()
    con.close()
    model = ev.load_model(snapshot.beside("models/orders.json"))
    assert steps
    for _, orders, days, clv, after, gain, x, t_x, age, each in steps:
        assert orders >= 1
        assert days == (0 if t_x == age else 1)
        assert gain == after - clv
        history = {"frequency": [x, x + days], "recency": [t_x, age if days else t_x], "T": [age, age]}
        rate = {"horizon": "365d", "discount_rate_annual": 0.1}
        before, then = model.discounted_expected_orders(history, **rate)
        # The table averages over the posterior, the model's own numbers are at the maximum.
        assert float(gain) == pytest.approx((then - before) * float(each), rel=0.1, abs=0.5)
    gems = published(
        sold,
        "select g.step_worth, g.clv_gain, g.step_value from insight.hidden_gems as g where g.step_worth is not null",
    )
    assert gems
    assert all(value == worth + gain for worth, gain, value in gems)


def test_the_price_of_a_step_says_that_it_hangs_on_the_order(sold: Path) -> None:
    rows = published(
        sold,
        "select g.step_value, g.step_value_says, v.p_alive from insight.hidden_gems as g "
        "join models.clv as v using (customer_id)",
    )
    assert {value is None for value, _, _ in rows} == {says is None for _, says, _ in rows}
    told = [(says, alive) for value, says, alive in rows if value is not None]
    assert told
    for says, alive in told:
        assert says.startswith("That is the value if the customer orders now, which would show")
        chance = "above 99%" if alive >= 0.995 else "below 1%" if alive < 0.005 else f"{alive:.0%}"
        assert says.endswith(f"; the chance of that is {chance} today.")


def test_the_same_data_take_the_models_over_and_other_data_tell_the_drift(tmp_path: Path) -> None:
    folder = shop(tmp_path, ONE, customers=60)
    run_project(folder)
    before = (
        published(folder, "from models.clv order by all"),
        published(folder, "from models.backtest order by all"),
        published(folder, "from models.fits order by role"),
    )
    assert published(folder, "select is_reused, drift, file from run.fits order by role") == [
        (False, None, "models/orders.json"),
        (False, None, "models/spend.json"),
    ]
    run_project(folder)
    assert published(folder, "select distinct is_reused from run.fits") == [(True,)]
    after = (
        published(folder, "from models.clv order by all"),
        published(folder, "from models.backtest order by all"),
        published(folder, "from models.fits order by role"),
    )
    assert after == before

    progress = Silent()
    run_project(folder, as_of=dt.date(2023, 12, 1), progress=progress)
    rows = published(folder, "select is_reused, drift, drift_says from run.fits order by role")
    assert [row[0] for row in rows] == [False, False]
    for _, drift, says in rows:
        assert (
            ("standard errors" in says and 0 <= drift < 5)
            or "model changed" in says
            or "did not move" in says
        )


@pytest.mark.slow
def test_a_damaged_file_of_the_run_before_is_fitted_anew(tmp_path: Path) -> None:
    folder = shop(tmp_path, ONE, customers=60)
    run_project(folder)
    file = snapshot_of(folder).beside("models/orders.json")
    file.write_text(file.read_text()[:-50])
    run_project(folder)
    assert published(folder, "select distinct is_reused from run.fits") == [(False,)]
    snapshot_of(folder).verify()
    assert list(snapshot_of(folder).manifest["files"]) == ["models/orders.json", "models/spend.json"]
    # Nor does a published run that cannot be read at all stop the next one.
    (snapshot_of(folder).path.parent / "manifest.json").write_text("{")
    run_project(folder)
    assert published(folder, "select distinct is_reused from run.fits") == [(False,)]


@pytest.mark.slow
def test_regular_timing_is_chosen_by_what_came(tmp_path: Path) -> None:
    folder = shop(tmp_path, '\n[value]\nhorizon = "60d"\nspend = "gamma-gamma"\n', k=5)
    run_project(folder)
    ((key, says, findings),) = published(
        folder, "select model_key, model_says, findings from models.fits where role = 'orders'"
    )
    assert key == "mbg-cnbd-k"
    assert "MBG/CNBD-k has the lowest mean CRPS of orders of 4 models" in says
    assert "more regular than at random: k = " in findings
    assert ev.load_model(snapshot_of(folder).beside("models/orders.json")).k_ in range(3, 9)
    models = published(folder, "select distinct model from models.backtest where not naive")
    assert {m for (m,) in models} == {"mbg-nbd", "bg-nbd", "mbg-cnbd-k", "pareto-nbd"}


@pytest.mark.slow
def test_what_is_asked_for_is_what_is_fitted(tmp_path: Path) -> None:
    toml = '\n[value]\nmodel = "pareto-nbd"\nspend = "normal-spend"\nhorizon = "12W"\ninterval = 0.5\n'
    folder = shop(tmp_path, toml + "discount_rate_annual = 0.0\n", customers=60)
    run_project(folder)
    assert published(folder, "select model_key, model_says from models.fits order by role") == [
        ("pareto-nbd", "Pareto/NBD was asked for."),
        ("normal-spend", "Hierarchical normal spend was asked for."),
    ]
    assert published(
        folder,
        "select distinct interval, horizon_days, discount_rate_annual, model, currency from models.clv",
    ) == [(0.5, 84, 0.0, "Pareto/NBD and Hierarchical normal spend", "USD")]
    assert published(
        folder, "select max(abs(discounted_orders - expected_orders)) < 1e-12 from models.history_scores"
    ) == [(True,)]


def test_an_unlimited_horizon_has_value_but_no_intervals(tmp_path: Path) -> None:
    folder = shop(tmp_path, ONE + 'horizon = "inf"\n', customers=60)
    run_project(folder)
    assert published(
        folder,
        "select count(*), count(expected_clv), count(expected_orders), count(clv_low), count(horizon_days) "
        "from models.clv",
    ) == [(60, 60, 0, 0, 0)]


@pytest.mark.slow
def test_a_recalibration_is_learnt_from_the_last_origin_told_and_taken_over(tmp_path: Path) -> None:
    folder = shop(tmp_path, ONE + 'horizon = "120d"\nrecalibrate = true\n')
    run_project(folder)
    first = published(folder, "from models.clv order by all")
    ((findings,),) = published(folder, "select findings from models.fits where role = 'orders'")
    assert "Intervals of orders held" in findings
    assert "Intervals of value held" in findings
    snapshot = snapshot_of(folder)
    about = read(snapshot.beside("models/orders.json")).about
    told = Recalibration.from_dict(about["recalibration"])
    con = snapshot.open()
    history = customer_histories(con)
    con.close()
    orders, spend = (ev.load_model(snapshot.beside(f"models/{name}.json")) for name in ("orders", "spend"))
    value = ev.CLV.of(orders, spend, told).predict(history, horizon="120d")
    found = published(
        folder, "select expected_clv::double, clv_high::double from models.clv order by customer_id"
    )
    assert np.abs(np.array(found)[:, 0] - value["expected_clv"]).max() < 1e-4
    assert np.abs(np.array(found)[:, 1] - value["clv_high"]).max() < 1e-4
    run_project(folder)
    assert published(folder, "from models.clv order by all") == first
    assert published(folder, "select findings from models.fits where role = 'orders'") == [(findings,)]


def test_a_horizon_that_cannot_be_tested_is_not_recalibrated_and_the_run_says_so(tmp_path: Path) -> None:
    folder = shop(tmp_path, ONE + 'horizon = "3y"\nrecalibrate = true\n', customers=60)
    progress = Silent()
    run_project(folder, progress=progress)
    assert any("Not recalibrated: only" in says for says in progress.warnings)


def test_returns_take_value_off(tmp_path: Path) -> None:
    folder = shop(tmp_path, '\n[value]\nmodel = "bg-nbd"\n', returns=True, customers=60)
    run_project(folder)
    ((kept, each, clv),) = published(
        folder,
        "select kept_share, expected_order_value, expected_clv from models.clv "
        "join customers.purchase_history using (customer_id) where customer_id = 'whale'",
    )
    assert kept == 0
    assert each < 60
    assert clv < 200


FEW = {
    "nobody came back": (
        "".join(f"{n},2024-01-{n:02},c{n},10\n" for n in range(1, 29)),
        "pooled-rate",
        "mean-spend",
    ),
    "one customer": ("1,2024-01-01,Ann,10\n2,2024-02-01,Ann,30\n", "pooled-rate", "mean-spend"),
    "all on the last day": ("1,2024-01-01,Ann,10\n2,2024-01-01,Bob,30\n", "none", "mean-spend"),
}


@pytest.mark.parametrize("what", FEW)
def test_where_nothing_can_be_fitted_a_rule_stands_in_and_the_run_says_so(what: str, tmp_path: Path) -> None:
    rows, orders, spend = FEW[what]
    folder = project(tmp_path, {"sales.csv": "order,date,customer,amount\n" + rows}, value=True)
    progress = Silent()
    run_project(folder, progress=progress)
    told = published(folder, "select model_key, is_fitted from models.fits order by role")
    assert told[0] == (orders, False)
    assert told[1][0] in (spend, "gamma-gamma", "normal-spend")
    assert any("no model fits" in w or "Nothing can be predicted" in w for w in progress.warnings)
    found = published(
        folder,
        "select expected_orders, orders_low, orders_high, expected_clv, model, model_says from models.clv",
    )
    for expected, low, high, clv, model, says in found:
        assert says
        if orders == "none":
            assert (expected, clv, model) == (None, None, "none")
        else:
            assert expected > 0
            assert low <= high
            assert clv > 0
    assert published(folder, "select count(*) from models.backtest where not naive") == [(0,)]


def test_the_pooled_rate_is_half_an_order_shared_by_all_where_nobody_came_back(tmp_path: Path) -> None:
    rows, _, _ = FEW["nobody came back"]
    folder = project(tmp_path, {"sales.csv": "order,date,customer,amount\n" + rows}, value=True)
    run_project(folder)
    days = sum(28 - n for n in range(1, 29))
    ((expected, each),) = published(
        folder, "select distinct expected_orders, expected_order_value from models.clv"
    )
    assert expected == pytest.approx(0.5 / days * 365)
    assert float(each) == pytest.approx(10, abs=0.001)


def test_customers_without_a_sale_are_listed_unscored(tmp_path: Path) -> None:
    toml = LINES + '[sources.sales.kinds]\nreturn = { column = "amount", below = 0 }\n'
    text = "order,date,customer,amount\n1,2024-01-01,Ann,10\n2,2024-02-01,Ann,30\n3,2024-02-02,Bob,-5\n"
    folder = project(tmp_path, {"sales.csv": text}, toml, value=True)
    run_project(folder)
    assert published(
        folder, "select customer_id, p_alive, expected_clv, model from models.clv where customer_id = 'Bob'"
    ) == [("Bob", None, None, "none")]


def test_value_can_be_switched_off(tmp_path: Path) -> None:
    folder = shop(tmp_path, '\n[value]\nmodel = "none"\n', customers=60)
    run_project(folder)
    assert published(
        folder, "select count(*), count(expected_clv) + count(expected_order_value) from models.clv"
    ) == [(60, 0)]
    assert published(folder, "select customers, expected_clv from models.total") == [(0, None)]
    assert published(folder, "select distinct model_says from models.fits") == [
        ('Value is switched off in the settings: [value] model = "none".',)
    ]
    assert snapshot_of(folder).manifest["files"] == {}


@pytest.mark.slow
def test_the_example_says_that_no_dropout_can_be_told(tmp_path: Path) -> None:
    folder = saas_project(tmp_path, value=True)
    run_project(folder)
    ((findings, spend),) = published(folder, "select findings, spend_model from insight.value_headline")
    assert "No dropout is identifiable in these data" in findings
    assert "In the backtest, over 3 origins, the models expected 24% less money than came" in findings
    assert spend == "Hierarchical normal spend"
    ((clv, low, high, last_year),) = published(
        folder,
        "select t.expected_clv, t.clv_low, t.clv_high, "
        "(select sum(monetary) from curated.orders where order_date >= date '2023-01-01') from models.total as t",
    )
    assert low < clv < high
    assert low < last_year < high * 2


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "horizon": ({"horizon": "3 months"}, "value.horizon: '3 months' counts months"),
    "no time": ({"horizon": "0d"}, "whole days, from one day"),
    "part of a day": ({"horizon": "1.5d"}, "whole days"),
    "model": ({"model": "pareto"}, "value.model: 'pareto' is not known (did you mean 'pareto-nbd'?)"),
    "spend": ({"spend": "gama-gamma"}, "did you mean 'gamma-gamma'"),
    "interval": ({"interval": 1.0}, "value.interval"),
    "rate": ({"discount_rate_annual": -0.1}, "value.discount_rate_annual"),
    "endless": ({"horizon": "inf", "discount_rate_annual": 0.0}, "unlimited horizon has a value only with"),
    "unknown": ({"horison": "1y"}, "did you mean 'horizon'"),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_settings_are_named(what: str) -> None:
    values, says = IMPOSSIBLE[what]
    table = {"path": "s.csv", "columns": {"ordered_at": "d", "customer_id": "c", "amount": "a"}}
    with pytest.raises(SettingsError) as error:
        settings_from({"value": values, "sources": {"sales": table}})
    assert says in str(error.value)


def test_settings_name_the_models_that_there_are() -> None:
    assert set(PURCHASE_MODELS) == set(MODELS)
    assert set(SPEND_MODELS) == set(SPENDS)
    assert ValueSettings(horizon="1y").horizon_days == 365
    assert ValueSettings(horizon="inf").horizon_days is None
