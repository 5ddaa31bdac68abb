"""Scores computed inside the engine equal those of Python to 1e-9, and the SQL is written for every dialect."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot

import evervalue as ev
from evervalue.core.errors import NotFitted, SettingsError
from evervalue.core.progress import Silent
from evervalue.models.clv import COLUMNS as CLV_COLUMNS
from evervalue.models.prediction import Predictor, places
from evervalue.models.recalibration import Recalibration
from evervalue.models.scoring import (
    customer_histories,
    distinct_histories,
    land_clv,
    land_history_scores,
)
from evervalue.models.to_sql import to_sql
from evervalue.models.value_scores import Asked, ValueScores
from evervalue.numerics.predictive.recalibration import no_correction
from evervalue.numerics.predictive.score import Corrections
from evervalue.pipeline.from_file import scored_files, settings_for_file
from evervalue.pipeline.tables import create_empty
from evervalue.warehouse.arrays import columns
from evervalue.warehouse.dialects import DIALECTS
from evervalue.warehouse.duckdb import Connection

COLUMNS = CLV_COLUMNS[:6]
"""All but the interval of money, which has no closed form."""


@pytest.fixture(scope="module")
def con(cdnow_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("cdnow") / "cdnow.csv"
    lines = [line.split() for line in cdnow_sample.read_text().splitlines() if line.strip()]
    rows = "".join(f"{r[1]},{r[2][:4]}-{r[2][4:6]}-{r[2][6:]},{r[4]}\n" for r in lines if r[2] < "19971001")
    file.write_text("customer,date,amount\n" + rows)
    settings, _ = settings_for_file(file, customer="customer", date="date", monetary="amount", currency="USD")
    with scored_files(
        settings,
        "customers.purchase_history",
        "customers.history",
        base=tmp_path_factory.getbasetemp(),
        progress=Silent(),
    ) as s:
        create_empty(s.con, "models.history_scores")
        yield s.con


def scored(con: Connection, sql: str) -> dict[str, Any]:
    return columns(con, sql)


def off(found: Any, wanted: Any) -> float:
    """Largest difference, as a share where numbers are above one."""
    return float(np.abs((found - wanted) / np.maximum(np.abs(wanted), 1.0)).max())


CLOSED = [ev.BetaGeo(), ev.ModifiedBetaGeo(), ev.RegularBetaGeo(2), ev.RegularBetaGeo(4)]
PURCHASE = [*CLOSED, ev.ParetoNBD()]
SPEND = [ev.GammaGamma(spend="all", not_positive="leave_out"), ev.NormalSpend(spend="all")]


@pytest.mark.parametrize("model", CLOSED, ids=lambda m: f"{m.key}-{getattr(m, 'k', 1)}")
@pytest.mark.parametrize(("unit", "horizon"), [("D", "365d"), ("W", "26W")])
def test_p_alive_in_closed_form_is_that_of_predict(
    con: Connection, model: Any, unit: str, horizon: str
) -> None:
    h = customer_histories(con)
    per = {"D": 1, "W": 7}[unit]
    history = {"frequency": h.frequency, "recency": h.recency / per, "T": h.T / per}
    model.fit(history, unit=unit)
    found = scored(con, to_sql(model, horizon=horizon, checked=False))["p_alive"]
    wanted = model.predict(history, horizon)["p_alive"]
    assert len(found) == 2357
    assert np.abs(found - wanted).max() < 1e-12
    assert np.abs(found / wanted - 1).max() < 1e-9
    assert np.abs(found - model.p_alive(history)).max() > 1e-5  # which is at the estimate, and is not this


def landed(con: Connection, purchase: Any, spend: Any) -> ValueScores:
    """What a run says of every customer with these models, in its tables too."""
    h, d = customer_histories(con), distinct_histories(con)
    predictor = Predictor(Asked(365.0, math.log1p(0.1) / 365, 0.9), purchase=purchase, spend=spend)
    scores = predictor.scores(h)
    _, first = np.unique(places(d, h), return_index=True)
    create_empty(con, "models.history_scores")
    land_history_scores(con, d, scores, first, predictor.discounted_orders(d.x, d.t_x, d.T))
    create_empty(con, "models.clv")
    said = ("interval", "horizon_days", "discount_rate_annual", "model", "model_says", "currency")
    land_clv(con, scores, dict(zip(said, ("0.9", "365", "0.1", "'m'", "'why'", "'USD'"), strict=True)))
    return scores


@pytest.mark.parametrize("spend", SPEND, ids=lambda m: m.key)
@pytest.mark.parametrize("purchase", PURCHASE, ids=lambda m: f"{m.key}-{getattr(m, 'k', 1)}")
def test_the_select_equals_what_a_run_says_of_each_customer(
    con: Connection, purchase: Any, spend: Any
) -> None:
    h = customer_histories(con)
    wanted = landed(con, purchase.fit(h), spend.fit(h))
    found = scored(con, to_sql(purchase, spend, horizon="365d", checked=False))
    assert list(found) == ["customer_id", *COLUMNS]
    for name in COLUMNS:
        assert off(found[name], getattr(wanted, name)) < 1e-9, name
    table = scored(con, "select * from models.clv order by customer_id")
    assert (found["customer_id"] == table["customer_id"]).all()
    for name in COLUMNS[:4]:
        assert off(found[name], table[name]) < 1e-9, name
    for name in COLUMNS[4:]:  # landed as money of four places
        assert np.abs(found[name] - table[name].astype(float)).max() < 0.5001e-4, name


def test_a_history_that_no_run_has_scored_has_what_closed_forms_say(con: Connection) -> None:
    h = customer_histories(con)
    purchase, spend = ev.ModifiedBetaGeo().fit(h), ev.NormalSpend(spend="all").fit(h)
    wanted = landed(con, purchase, spend)
    con.execute("delete from models.history_scores where repeat_orders = 3")
    found = scored(con, to_sql(purchase, spend, checked=False))
    gone = h.frequency == 3
    assert off(found["p_alive"], wanted.p_alive) < 1e-9
    assert off(found["expected_order_value"], wanted.expected_order_value) < 1e-9
    assert np.isnan(found["expected_clv"][gone]).all()
    assert off(found["expected_clv"][~gone], wanted.expected_clv[~gone]) < 1e-9


def fitted_by_a_run(con: Connection, model: Any) -> None:
    create_empty(con, "models.fits")
    con.execute(
        "insert into models.fits by name select 'orders' as role, ? as model, ? as model_key, true as is_fitted, "
        "'' as model_says, 'D' as time_unit, ?::double as log_likelihood, ?::bigint as customers, "
        "1 as distinct_histories, '' as data_sha256",
        [model.name, model.key, model.log_likelihood_, int(model.n_customers_)],
    )


def test_scores_of_another_model_or_horizon_are_not_taken(con: Connection) -> None:
    h = customer_histories(con)
    run, other, spend = ev.ModifiedBetaGeo().fit(h), ev.BetaGeo().fit(h), ev.NormalSpend(spend="all").fit(h)
    wanted = landed(con, run, spend)
    fitted_by_a_run(con, run)
    mine = scored(con, to_sql(ev.ModifiedBetaGeo().fit(h), spend, horizon="1y"))
    for name in COLUMNS:
        assert off(mine[name], getattr(wanted, name)) < 1e-9, name
    weeks = ev.ModifiedBetaGeo().fit(
        {"frequency": h.frequency, "recency": h.recency / 7, "T": h.T / 7}, unit="W"
    )
    part = ev.ModifiedBetaGeo().fit(
        {name: getattr(h, name)[:-1] for name in ("frequency", "recency", "T")}, unit="D"
    )
    for model, horizon in (
        (other, "365d"),
        (run, "91d"),
        (run, "inf"),
        (weeks, "365d"),
        (part, "365d"),
    ):
        found = scored(con, to_sql(model, spend, horizon=horizon))
        for name in ("expected_orders", "orders_low", "orders_high", "expected_clv"):
            assert np.isnan(found[name]).all(), (model, horizon, name)
        assert np.isfinite(found["p_alive"]).all(), "in closed form"


def test_lifetime_value_is_its_two_models(con: Connection) -> None:
    h = customer_histories(con)
    value = ev.CLV(ev.ModifiedBetaGeo(), ev.NormalSpend(spend="all")).fit(h)
    landed(con, value.purchase_, value.spend_)
    fitted_by_a_run(con, value.purchase_)
    assert value.to_sql() == to_sql(value.purchase_, value.spend_)
    wanted = value.predict(horizon="365d")["expected_clv"]
    assert np.abs(scored(con, value.to_sql())["expected_clv"] - np.asarray(wanted, dtype=float)).max() < 1e-4


def test_models_without_sql_say_which_have_it() -> None:
    model = ev.BetaGeoBetaBinomial().fit(
        {"frequency": [0, 1, 1, 2, 2, 3], "recency": [0, 1, 3, 2, 3, 3], "n_periods": [3] * 6},
        sample_weight=[400, 150, 60, 90, 110, 190],
    )
    with pytest.raises(SettingsError, match=r"BG/BB has no SQL\. Purchase models .* and ev\.CLV have"):
        model.to_sql()


def test_customers_whose_sales_lost_money_on_the_whole(con: Connection) -> None:
    con.execute("begin")
    try:
        con.execute("update customers.purchase_history set monetary = -40 where repeat_orders = 8")
        h = customer_histories(con)
        assert (h.extra["monetary"] < 0).sum() > 5
        for model in SPEND:
            found = scored(con, model.fit(h).to_sql())["expected_order_value"]
            assert off(found, model.conditional_expected_order_value(h)) < 1e-9
    finally:
        con.execute("rollback")


@pytest.mark.parametrize("spend", ["repeat", "all"])
@pytest.mark.parametrize("kind", [ev.GammaGamma, ev.NormalSpend], ids=lambda m: m.key)
def test_expected_money_of_a_purchase_day(con: Connection, kind: Any, spend: str) -> None:
    h = customer_histories(con)
    positive = h.extra["least_monetary"] > 0 if kind is ev.GammaGamma else np.ones(len(h), dtype=bool)
    assert h.monetary_value is not None
    history = {name: column[positive] for name, column in
               {"frequency": h.frequency, "monetary_value": h.monetary_value, **h.extra}.items()}  # fmt: skip
    model = kind(spend=spend).fit(history)
    found = scored(con, model.to_sql())["expected_order_value"][positive]
    wanted = model.conditional_expected_order_value(history)
    assert np.abs(found / wanted - 1).max() < 1e-9


def test_extreme_parameters_overflow_nowhere(con: Connection) -> None:
    h = customer_histories(con)
    model = ev.BetaGeo().fit(h)
    model._theta = np.log([5_000.0, 1e-4 / model._scale, 1e5, 1e-4])
    model._likelihood = model._drawn = None
    found = scored(con, to_sql(model, checked=False))["p_alive"]
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect(con: Connection, dialect: str) -> None:
    h = customer_histories(con)
    for model in (ev.BetaGeo(), ev.ModifiedBetaGeo(), ev.ParetoNBD(), ev.NormalSpend()):
        sql = model.fit(h).to_sql(dialect)
        tree = sqlglot.parse_one(sql, read=dialect)
        assert "customer_id" in {c.alias_or_name.lower() for c in tree.selects}  # type: ignore[attr-defined]


def test_both_models_in_one_select(con: Connection) -> None:
    h = customer_histories(con)
    sql = to_sql(ev.BetaGeo().fit(h), ev.NormalSpend().fit(h), dialect="spark")
    selects = sqlglot.parse_one(sql, read="spark").selects  # type: ignore[attr-defined]
    assert [c.alias_or_name for c in selects] == ["customer_id", *COLUMNS]


def test_a_correction_of_money_leaves_expected_value_to_the_table(con: Connection) -> None:
    h = customer_histories(con)
    models = ev.BetaGeo().fit(h), ev.NormalSpend().fit(h)
    flat = replace(no_correction(), customers=50)
    of_money = Recalibration(Corrections(1.1, no_correction(), flat), 365.0, 0.9, 100)
    sql = to_sql(*models, recalibration=of_money)
    assert "expected_clv" not in {c.alias_or_name for c in sqlglot.parse_one(sql).selects}  # type: ignore[attr-defined]
    assert "expected_clv is not here" in sql
    of_pace = Recalibration(Corrections(1.1), 365.0, 0.9, 100)
    assert "as expected_clv" in to_sql(*models, recalibration=of_pace).lower()
    assert "expected_clv is not here" not in to_sql(*models, recalibration=of_pace)


def test_refusals(con: Connection) -> None:
    h = customer_histories(con)
    with pytest.raises(SettingsError, match="did you mean 'spark'"):
        ev.BetaGeo().fit(h).to_sql("sparc")
    with pytest.raises(NotFitted):
        ev.BetaGeo().to_sql()
    bare = {"frequency": h.frequency, "recency": h.recency, "T": h.T}
    with pytest.raises(SettingsError, match="does not know its unit"):
        ev.BetaGeo().fit(bare).to_sql()
    told = {**bare, "north": np.arange(len(h)) % 2}
    with pytest.raises(SettingsError, match="hangs on north"):
        ev.BetaGeo(transaction_covariates=["north"]).fit(told, unit="D").to_sql()
