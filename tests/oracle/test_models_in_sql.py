"""Scores computed inside the engine equal those of Python to 1e-9, and the SQL is written for every dialect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot

import evervalue as ev
from evervalue.core.errors import NotFitted, SettingsError
from evervalue.core.progress import Silent
from evervalue.models.histories import distinct
from evervalue.models.scoring import customer_histories
from evervalue.models.to_sql import to_sql
from evervalue.pipeline.from_file import scored_files, settings_for_file
from evervalue.pipeline.tables import create_empty
from evervalue.warehouse.arrays import columns, land
from evervalue.warehouse.dialects import DIALECTS
from evervalue.warehouse.duckdb import Connection


@pytest.fixture(scope="module")
def con(cdnow_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("cdnow") / "cdnow.csv"
    lines = [line.split() for line in cdnow_sample.read_text().splitlines() if line.strip()]
    rows = "".join(f"{r[1]},{r[2][:4]}-{r[2][4:6]}-{r[2][6:]},{r[4]}\n" for r in lines if r[2] < "19971001")
    file.write_text("customer,date,amount\n" + rows)
    settings, _ = settings_for_file(file, customer="customer", date="date", monetary="amount", currency="USD")
    with scored_files(
        settings, "customers.purchase_history", base=tmp_path_factory.getbasetemp(), progress=Silent()
    ) as s:
        create_empty(s.con, "models.history_scores")
        yield s.con


def scored(con: Connection, sql: str) -> dict[str, Any]:
    return columns(con, sql)


@pytest.mark.parametrize("model", [ev.BetaGeo(), ev.ModifiedBetaGeo()], ids=lambda m: m.key)
@pytest.mark.parametrize("unit", ["D", "W"])
def test_p_alive_in_closed_form(con: Connection, model: Any, unit: str) -> None:
    h = customer_histories(con)
    per = {"D": 1, "W": 7}[unit]
    history = {"frequency": h.frequency, "recency": h.recency / per, "T": h.T / per}
    model.fit(history, unit=unit)
    found = scored(con, model.to_sql())["p_alive"]
    wanted = model.p_alive(history)
    assert len(found) == 2357
    assert np.abs(found - wanted).max() < 1e-12
    assert np.abs(found / wanted - 1).max() < 1e-9


@pytest.mark.parametrize("model", [ev.ParetoNBD(), ev.RegularBetaGeo(2)], ids=lambda m: m.key)
def test_what_has_no_closed_form_is_joined_from_the_scored_histories(con: Connection, model: Any) -> None:
    h = customer_histories(con)
    model.fit(h)
    d = distinct(h.frequency, h.recency, h.T)
    once = {"frequency": d.x, "recency": d.t_x, "T": d.T}
    create_empty(con, "models.history_scores")
    rows = {
        "x": d.x, "t_x": d.t_x, "T": d.T, "n": d.weight, "alive": model.p_alive(once),
        "orders": model.conditional_expected_orders(once, "365d"),
    }  # fmt: skip
    land(
        con, "models.history_scores", rows,
        "select x, t_x, T + 1, n, alive, orders, null, null, null, null, null from {rows}",
    )  # fmt: skip
    found = scored(con, model.to_sql())
    assert np.abs(found["p_alive"] / model.p_alive(h) - 1).max() < 1e-9
    assert np.abs(found["expected_orders"] / model.conditional_expected_orders(h, "365d") - 1).max() < 1e-9


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
    model.params_ = {"r": 5_000.0, "alpha": 1e-4, "a": 1e5, "b": 1e-4}
    found = scored(con, model.to_sql())["p_alive"]
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
    assert [c.alias_or_name for c in selects] == [
        "customer_id",
        "p_alive",
        "expected_orders",
        "expected_order_value",
    ]


def test_refusals(con: Connection) -> None:
    h = customer_histories(con)
    with pytest.raises(SettingsError, match="did you mean 'spark'"):
        ev.BetaGeo().fit(h).to_sql("sparc")
    with pytest.raises(NotFitted):
        ev.BetaGeo().to_sql()
    bare = {"frequency": h.frequency, "recency": h.recency, "T": h.T}
    with pytest.raises(SettingsError, match="does not know its unit"):
        ev.BetaGeo().fit(bare).to_sql()
