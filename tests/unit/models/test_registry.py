"""Fitted models as files: the same predictions to the bit, small, readable, refused where they cannot be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import InputError, NotFitted, StorageError
from evervalue.models.purchase import PurchaseModel
from evervalue.models.registry import FORMAT, LARGEST, document, read, save
from tests.support import cdnow

MODELS = [ev.ParetoNBD(), ev.BetaGeo(random_state=7), ev.ModifiedBetaGeo(penalty=0.01), ev.RegularBetaGeo(3)]


@pytest.fixture(scope="module")
def history() -> Mapping[str, Any]:
    whole = cdnow.calibration()
    return {name: column[::4] for name, column in whole.items()}


@pytest.fixture(scope="module", params=MODELS, ids=lambda m: m.key)
def fitted(request: pytest.FixtureRequest, history: Mapping[str, Any]) -> PurchaseModel:
    model: PurchaseModel = request.param.fit(history, unit="W")
    return model


def changed(path: Path, **values: Any) -> Path:
    found = json.loads(path.read_text())
    found.update(values)
    path.write_text(json.dumps(found))
    return path


def test_a_loaded_model_predicts_the_same_bits(fitted: PurchaseModel, history: Any, tmp_path: Path) -> None:
    loaded = ev.load_model(save(fitted, tmp_path / "model.json"))
    assert type(loaded) is type(fitted)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.params_ == fitted.params_
    assert loaded.findings_ == fitted.findings_
    assert repr(loaded.summary_) == repr(fitted.summary_)
    assert (loaded.p_alive(history) == fitted.p_alive(history)).all()
    for horizon in ("1W", "39W"):
        ahead = loaded.conditional_expected_orders(history, horizon)
        assert (ahead == fitted.conditional_expected_orders(history, horizon)).all()
    assert (loaded.posterior().draws == fitted.posterior().draws).all()
    assert (loaded.posterior(100).draws == fitted.posterior().draws[:100]).all()
    for name, column in fitted.predict(history, "39W").items():
        assert (loaded.predict(history, "39W")[name] == column).all()
    assert loaded.score(history) == fitted.score(history)


@pytest.mark.parametrize("model", [ev.GammaGamma(), ev.NormalSpend()], ids=lambda m: m.key)
def test_a_loaded_spend_model_predicts_the_same_bits(model: Any, history: Any, tmp_path: Path) -> None:
    amounts = {
        **history,
        "monetary_squared_sum": history["frequency"] * (history["monetary_value"] ** 2 + 50),
    }
    amounts |= {
        "monetary": history["frequency"] * history["monetary_value"] + 10,
        "repeat_monetary": np.zeros(590),
    }
    amounts["monetary_squared_sum"] += 100
    amounts["repeat_monetary"] = history["frequency"] * history["monetary_value"]
    fitted = model.fit(amounts)
    path = save(fitted, tmp_path / "spend.json")
    loaded = ev.load_model(path)
    assert path.stat().st_size < LARGEST
    mean = fitted.conditional_expected_order_value(amounts)
    assert (loaded.conditional_expected_order_value(amounts) == mean).all()
    assert (loaded.posterior(1_000).draws == fitted.posterior(1_000).draws).all()
    assert loaded.independence_ == fitted.independence_
    assert loaded.findings_ == fitted.findings_
    assert save(loaded, tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_lifetime_value_is_one_file(history: Any, tmp_path: Path) -> None:
    value = ev.CLV(ev.BetaGeo(), ev.GammaGamma()).fit(history, unit="W")
    told = value.recalibrate(history, history["holdout_orders"], history["holdout_value"], "39W")
    corrected = ev.CLV(ev.BetaGeo(), ev.GammaGamma(), told).fit(history, unit="W")
    for model in (value, corrected):
        wanted = model.predict(horizon="39W", details=True)
        path = model.save(tmp_path / "value.json")
        assert path.stat().st_size < LARGEST
        loaded = ev.load_model(path)
        found = loaded.predict(history, horizon="39W", details=True)
        assert all((found[name] == wanted[name]).all() for name in wanted)
        with pytest.raises(NotFitted, match="without a history"):
            loaded.predict()


def test_a_file_is_small_readable_and_standard_json(fitted: PurchaseModel, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "model.json", {"as_of": "1997-10-01", "loss": float("inf"), "n": (1, 2)})
    assert path.stat().st_size < LARGEST
    found = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["model"] == fitted.name
    assert found["unit"] == "W"
    assert found["parameters"] == fitted.params_
    assert found["customers"] == 590
    assert np.shape(found["log_covariance"]) == (4, 4)
    assert found["versions"]["numpy"] == np.__version__
    assert read(path).about == {"as_of": "1997-10-01", "loss": float("inf"), "n": (1, 2)}


def test_saving_twice_writes_the_same_bytes(fitted: PurchaseModel, tmp_path: Path) -> None:
    first = save(fitted, tmp_path / "a.json").read_bytes()
    assert save(ev.load_model(tmp_path / "a.json"), tmp_path / "b.json").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_more_draws_than_a_file_keeps_need_a_new_fit(fitted: PurchaseModel, tmp_path: Path) -> None:
    loaded = ev.load_model(save(fitted, tmp_path / "model.json"))
    with pytest.raises(NotFitted, match="keeps 1,000 draws; 1,001 need a new fit"):
        loaded.posterior(1_001)


def test_a_model_that_was_saved_before_any_prediction_predicts_the_same(history: Any, tmp_path: Path) -> None:
    model = ev.BetaGeo().fit(history, unit="W")
    loaded = ev.load_model(save(model, tmp_path / "model.json"))
    wanted = ev.BetaGeo().fit(history, unit="W").predict(history, "39W")
    assert all((column == wanted[name]).all() for name, column in loaded.predict(history, "39W").items())


@pytest.mark.slow
def test_many_parameters_fit_into_a_file(history: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    names = ["a", "b", "c", "d"]
    rows = {**history, **{name: rng.normal(size=len(history["T"])) for name in names}}
    purchase = ev.BetaGeo(transaction_covariates=names, dropout_covariates=names[:2])
    path = save(ev.CLV(purchase, ev.GammaGamma()).fit(rows, unit="W"), tmp_path / "clv.json")
    assert path.stat().st_size < LARGEST
    wanted = ev.CLV(purchase, ev.GammaGamma()).fit(rows, unit="W").predict(rows, "39W")
    found = ev.load_model(path).predict(rows, "39W")
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_infinite_uncertainty_survives(tmp_path: Path) -> None:
    x = np.array([9.0, 11, 10, 12, 8, 10] * 9)
    everyone = {"frequency": x, "recency": 50 + x / 10, "T": np.full(54, 52.0)}
    model = ev.BetaGeo().fit(everyone, unit="W")
    assert not np.isfinite(model.covariance_).all()
    loaded = ev.load_model(save(model, tmp_path / "model.json"))
    assert (loaded.covariance_ == model.covariance_).all()
    assert loaded.findings_ == model.findings_


def test_files_that_cannot_be_trusted_are_refused(history: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    whole = save(ev.BetaGeo().fit(history, unit="W"), path).read_text()

    with pytest.raises(StorageError, match="no fitted model at"):
        ev.load_model(tmp_path / "nothing.json")
    path.write_text(whole[:-100])
    with pytest.raises(StorageError, match="is damaged: it is not JSON"):
        ev.load_model(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(StorageError, match="is damaged"):
        ev.load_model(path)
    path.write_text(whole.replace('"unit": "W"', '"unit": "D"'))
    with pytest.raises(StorageError, match="checksum is not that of its content"):
        ev.load_model(path)
    path.write_text(whole)
    with pytest.raises(
        StorageError, match=rf"format {FORMAT + 1}; this Evervalue .* reads formats up to {FORMAT}"
    ):
        ev.load_model(changed(path, format=FORMAT + 1))
    path.write_text('{"parameters": {"r": 1}}')
    with pytest.raises(InputError, match="not a fitted model of Evervalue"):
        ev.load_model(path)


def test_an_unknown_class_is_told_and_nothing_of_a_file_is_run(
    history: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = document(ev.BetaGeo().fit(history, unit="W"))
    path = tmp_path / "model.json"
    from evervalue.models import registry

    found["class"] = "BetaGeoo"
    found["sha256"] = registry._checksum(found)
    path.write_text(json.dumps(found))
    with pytest.raises(StorageError, match=r"BetaGeoo.*did you mean 'BetaGeo'.*Upgrade"):
        ev.load_model(path)
    found["class"] = "BetaGeo"
    del found["state"]["_theta"]["is"]
    found["sha256"] = registry._checksum(found)
    path.write_text(json.dumps(found))
    with pytest.raises(StorageError, match="is damaged"):
        ev.load_model(path)


def test_an_unfitted_model_and_an_unwritable_file_are_refused(history: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFitted, match="nothing to save"):
        save(ev.BetaGeo(), tmp_path / "model.json")
    with pytest.raises(StorageError, match="cannot be written"):
        save(ev.BetaGeo().fit(history, unit="W"), tmp_path / "no" / "model.json")
    big = {"table": ["x" * 100] * 2_000}
    with pytest.raises(StorageError, match="at most 100,000"):
        save(ev.BetaGeo().fit(history, unit="W"), tmp_path / "model.json", big)
    assert list(tmp_path.iterdir()) == []
