"""What fitted spend models give: parameters, predictions in any currency and frame, and plain words about data."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import FitFailed, InputError, MissingColumns, NotFitted, SettingsError
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.spend import gamma_gamma, normal_spend
from tests.support import cdnow

Rows = dict[str, Any]
MODELS: list[SpendModel] = [
    ev.GammaGamma(),
    ev.GammaGamma(spend="all", not_positive="leave_out"),
    ev.GammaGamma(within="amounts"),
    ev.NormalSpend(),
    ev.NormalSpend(location="likelihood"),
    ev.NormalSpend(spend="all"),
]
NAMES = [
    "gamma-gamma",
    "gamma-gamma all",
    "gamma-gamma by amounts",
    "normal",
    "normal by likelihood",
    "normal all",
]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """CDNOW's calibration histories with sums over all purchase days, as `columns="all"` gives them."""
    orders = pl.DataFrame(cdnow.orders(), schema=["customer", "order_date", "monetary"], orient="row")
    history = ev.purchase_history(orders, as_of="1997-10-01", unit="W", columns="all")
    columns = ("frequency", "monetary_value", "monetary", "repeat_monetary", "monetary_squared_sum")
    return {name: history[name].cast(pl.Float64).to_numpy() for name in columns}


@pytest.fixture(scope="module", params=MODELS, ids=NAMES)
def fitted(request: pytest.FixtureRequest, rows: Rows) -> SpendModel:
    return again(request.param).fit(rows)


def again(model: SpendModel) -> SpendModel:
    return type(model)(**model.get_params())


def codes(model: SpendModel) -> list[str]:
    return [finding.code for finding in model.findings_]


def in_money(rows: Rows, factor: float) -> Rows:
    powers = {"frequency": 0, "monetary_squared_sum": 2}
    return {name: column * factor ** powers.get(name, 1) for name, column in rows.items()}


# What holds of every model


@pytest.mark.parametrize("factor", [1_000, 1 / 3, 1e-4, 1e7])
def test_the_currency_does_not_matter(fitted: SpendModel, rows: Rows, factor: float) -> None:
    other = again(fitted).fit(in_money(rows, factor))

    found = other.conditional_expected_order_value(in_money(rows, factor))
    assert found == pytest.approx(factor * fitted.conditional_expected_order_value(rows), rel=1e-9)
    for name, value in fitted.params_.items():
        power = fitted.kernel.money_powers.get(name, 0)
        assert other.params_[name] == pytest.approx(value * factor**power, rel=1e-6)
    assert codes(other) == codes(fitted)
    high = other.sum_quantile(in_money(rows, factor), 3, 0.9)
    assert high == pytest.approx(factor * fitted.sum_quantile(rows, 3, 0.9), rel=1e-8)


def test_row_order_does_not_matter(fitted: SpendModel, rows: Rows) -> None:
    order = np.random.default_rng(3).permutation(len(rows["frequency"]))
    shuffled = {name: column[order] for name, column in rows.items()}
    other = again(fitted).fit(shuffled)

    assert other.params_ == fitted.params_
    assert other.predict(shuffled)["expected_order_value"].tolist() == (
        fitted.predict(rows)["expected_order_value"][order].tolist()
    )


def test_weights_are_repetitions(fitted: SpendModel, rows: Rows) -> None:
    times = np.random.default_rng(5).integers(0, 3, len(rows["frequency"]))
    repeated = {name: np.repeat(column, times) for name, column in rows.items()}
    by_weight = again(fitted).fit(rows, sample_weight=times)
    by_rows = again(fitted).fit(repeated)

    assert by_weight.params_ == pytest.approx(by_rows.params_, rel=1e-9)
    assert by_weight.log_likelihood_ == pytest.approx(by_rows.log_likelihood_)
    assert by_weight.standard_errors_ == pytest.approx(by_rows.standard_errors_)
    assert by_weight.n_customers_ == by_rows.n_customers_
    assert vars(by_weight.independence_) == pytest.approx(vars(by_rows.independence_))
    assert by_weight.score(rows, sample_weight=times) == pytest.approx(by_rows.score(repeated))


def test_what_is_expected_lies_between_the_own_mean_and_that_of_all(fitted: SpendModel, rows: Rows) -> None:
    data = fitted.amounts(rows)
    found = fitted.conditional_expected_order_value(rows)
    of_all = fitted.expected_order_value_

    assert np.isfinite(found).all()
    assert set(found[data.x == 0]) <= {of_all}
    some = data.x > 0
    low, high = np.minimum(data.m, of_all), np.maximum(data.m, of_all)
    assert ((found >= low * (1 - 1e-12)) & (found <= high * (1 + 1e-12)))[some].all()


def test_the_likelihood_is_at_its_maximum(fitted: SpendModel, rows: Rows) -> None:
    at = dict(fitted.params_)
    best = fitted.score(rows)
    chosen = fitted.get_params()
    known = (
        {"m0"} if chosen.get("location") == "mean" else {"p"} if chosen.get("within") == "amounts" else set()
    )
    for name in at.keys() - known:
        for factor in (0.98, 1.02):
            fitted.params_ = {**at, name: at[name] * factor}
            assert fitted.score(rows) < best
    fitted.params_ = at
    assert best * fitted.n_customers_ == pytest.approx(fitted.log_likelihood_, rel=1e-4)


def test_laws_of_sums_go_through_to_the_numbers(fitted: SpendModel, rows: Rows) -> None:
    y = fitted.sum_quantile(rows, 2, 0.8)
    assert fitted.sum_cdf(rows, 2, y) == pytest.approx(0.8, abs=1e-9)
    drawn = fitted.sample_sum(rows, 2)
    assert drawn.tolist() == fitted.sample_sum(rows, 2, random_state=0).tolist()
    assert (drawn < y).mean() == pytest.approx(0.8, abs=0.03)


def test_the_posterior(fitted: SpendModel) -> None:
    found = fitted.posterior(500)
    assert found.draws.shape == (500, len(fitted.kernel.names))
    for name, value in fitted.params_.items():
        spread = max(fitted.standard_errors_[name], 1e-9)
        assert abs(found.mean[name] - value) < 0.7 * spread
        assert 0.5 < found.sd[name] / spread < 2.0
    assert fitted.posterior(500).draws is not None
    assert fitted.posterior(500).draws.tolist() == found.draws.tolist()


def test_the_summary(fitted: SpendModel) -> None:
    told = fitted.summary_
    assert [row["parameter"] for row in told.rows] == list(fitted.kernel.names)
    for row in told.rows:
        assert row["low"] < row["estimate"] < row["high"]
    assert fitted.name in repr(told)
    assert "with a purchase that counts" in repr(told)
    assert "<table" in told._repr_html_()


def test_habits_of_scikit_learn(fitted: SpendModel, rows: Rows) -> None:
    from sklearn.base import clone

    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFitted, match="Call fit"):
        copy.predict(rows)
    assert fitted.set_params(random_state=0) is fitted
    with pytest.raises(SettingsError, match="did you mean 'spend'"):
        copy.set_params(spent="all")


# Histories and frames


def test_frames_come_back_as_they_came_with_exact_money() -> None:
    orders = pl.DataFrame(
        {
            "customer": ["Ann", "Ann", "Ann", "Bob", "Bob", "Cem", "Dee", "Dee", "Dee"],
            "order_date": [dt.date(2024, 1, d) for d in (1, 5, 9, 2, 20, 3, 4, 6, 30)],
            "monetary": [10, 20, 30, 5, 7, 9, 100, 110, 140],
        }
    )
    history = ev.purchase_history(orders, as_of="2024-02-01", columns="all")
    for model in (ev.GammaGamma(), ev.GammaGamma(spend="all"), ev.NormalSpend(), ev.NormalSpend(spend="all")):
        found = model.fit(history).predict(history)
        assert found.columns == ["customer", "expected_order_value"]
        assert found["customer"].to_list() == ["Ann", "Bob", "Cem", "Dee"]
        assert found.schema["expected_order_value"] == pl.Decimal(18, 4)
        assert found["expected_order_value"][3] > Decimal(40)
        pandas = model.predict(history.to_pandas())
        assert list(pandas["expected_order_value"]) == found["expected_order_value"].to_list()


def test_histories_that_were_read_before_are_taken_too(rows: Rows) -> None:
    from evervalue.models.histories import histories

    times = cdnow.calibration()
    columns = ("monetary", "repeat_monetary", "monetary_squared_sum")
    h = histories({**rows, "recency": times["recency"], "T": times["T"]}, unit="W", spend=True, extra=columns)
    for model in (ev.GammaGamma(), ev.GammaGamma(within="amounts"), ev.NormalSpend(spend="all")):
        assert again(model).fit(h).params_ == again(model).fit(rows).params_
        found = again(model).fit(h).predict(h)["expected_order_value"]
        assert found.tolist() == again(model).fit(rows).conditional_expected_order_value(rows).tolist()


def test_all_purchases_and_repeats_are_told_apart(rows: Rows) -> None:
    repeat, whole = ev.NormalSpend().amounts(rows), ev.NormalSpend(spend="all").amounts(rows)
    days: dict[str, dict[dt.date, float]] = {}
    for customer, day, amount in cdnow.orders():
        if day < cdnow.FIRST_DAY_AFTER:
            days.setdefault(customer, {}).setdefault(day, 0.0)
            days[customer][day] += amount
    assert repeat.squares is not None
    assert whole.squares is not None
    for i, customer in enumerate(sorted(days)):
        amounts = np.array([amount for _, amount in sorted(days[customer].items())])
        for found, own in ((whole, amounts), (repeat, amounts[1:])):
            assert found.x[i] == len(own)
            if len(own):
                assert found.m[i] == pytest.approx(own.mean(), abs=1e-4)
                assert found.squares is not None
                assert found.squares[i] == pytest.approx(((own - own.mean()) ** 2).sum(), abs=1e-6)


def test_amounts_alike_leave_no_rounding_behind() -> None:
    model = ev.NormalSpend(spend="all")
    amount = 1234567.8901
    count = np.arange(2.0, 200.0)
    found = model.amounts(
        {
            "frequency": count - 1,
            "monetary": count * amount,
            "monetary_squared_sum": count * amount**2,
        }
    )
    assert found.squares is not None
    assert not found.squares.any()


def test_columns_that_are_missing() -> None:
    with pytest.raises(MissingColumns, match=r"within='amounts' needs .*columns='all'"):
        ev.GammaGamma(within="amounts").fit({"frequency": [1, 2], "monetary_value": [3.0, 4.0]})
    with pytest.raises(MissingColumns, match=r"lacks 'monetary'.*columns='all'"):
        ev.GammaGamma(spend="all").fit({"frequency": [1, 2], "monetary_value": [3.0, 4.0]})
    with pytest.raises(MissingColumns, match="did you mean 'monetary_val'"):
        ev.GammaGamma().fit({"frequency": [1, 2], "monetary_val": [3.0, 4.0]})


def test_means_alone_are_enough_for_normal_spend_and_it_says_so(rows: Rows) -> None:
    alone = {name: rows[name] for name in ("frequency", "monetary_value")}
    model = ev.NormalSpend().fit(alone)
    assert "means_only" in codes(model)
    assert "means_only" not in codes(ev.NormalSpend().fit(rows))
    assert model.conditional_expected_order_value(alone) == pytest.approx(
        ev.NormalSpend().fit(rows).conditional_expected_order_value(rows), rel=0.25
    )


def test_a_prior_pulls_whatever_the_currency(rows: Rows) -> None:
    free = ev.GammaGamma().fit(rows)
    pulled = ev.GammaGamma(prior={"v": (60.0, 0.01)}).fit(rows)
    in_pence = ev.GammaGamma(prior={"v": (6_000.0, 0.01)}).fit(in_money(rows, 100))
    assert free.params_["v"] == pytest.approx(15.44, abs=0.01)
    assert pulled.params_["v"] > 45
    assert in_pence.params_["v"] == pytest.approx(100 * pulled.params_["v"], rel=1e-6)
    assert pulled.log_likelihood_ < free.log_likelihood_
    penalised = [ev.GammaGamma(penalty=50.0).fit(in_money(rows, f)).params_["p"] for f in (1.0, 1_000.0)]
    assert penalised[0] == pytest.approx(penalised[1], rel=1e-6)
    assert penalised[0] < free.params_["p"] * 0.9
    normal = ev.NormalSpend(location="likelihood", prior={"m0": (60.0, 0.1)}).fit(rows)
    assert normal.params_["m0"] == pytest.approx(60, abs=5)
    with pytest.raises(SettingsError, match="prior names 'm0', which is not one of kappa"):
        ev.NormalSpend(prior={"m0": (60.0, 0.1)}).fit(rows)


# Spend and frequency


def test_a_relation_of_spend_and_frequency_is_told(rows: Rows) -> None:
    model = ev.GammaGamma().fit(rows)
    told = said(model, "spend_depends_on_frequency")
    assert "spend 9.8 % more a purchase" in told
    assert "over 946 customers the correlation of their logarithms is +0.15" in told
    assert "about -0.1 %" in told


def test_no_relation_is_told_too() -> None:
    rng = np.random.default_rng(1)
    x = rng.geometric(0.4, 3_000).astype(float)
    m = gamma_gamma.simulate((2.0, 4.0, 30.0), x, rng).mean
    model = ev.GammaGamma().fit({"frequency": x, "monetary_value": m})
    assert codes(model) == ["independence"]
    assert "No sign" in model.findings_[0].says
    less = ev.GammaGamma().fit({"frequency": x, "monetary_value": m * x**-0.3})
    assert "less a purchase" in less.findings_[-1].says


# What data cannot tell


def test_nobody_repeats() -> None:
    rows = {"frequency": [0, 0, 0], "monetary_value": [0.0, 0, 0], "monetary": [3.0, 4, 5]}
    for model in (ev.GammaGamma(), ev.NormalSpend()):
        with pytest.raises(FitFailed, match="Nobody bought a second time: 3 customers.*spend='all'"):
            model.fit(rows)
    # The first purchases alone tell how customers differ, not how each of them varies.
    with pytest.raises(FitFailed, match="Nobody has two purchases that count"):
        ev.NormalSpend(spend="all").fit(rows)


def test_one_customer() -> None:
    for model in (ev.GammaGamma(), ev.NormalSpend()):
        with pytest.raises(FitFailed, match="1 customer .*of 2 has a purchase"):
            model.fit({"frequency": [5, 0], "monetary_value": [20.0, 0]})


def test_a_few_customers_are_fitted_with_a_word() -> None:
    model = ev.GammaGamma().fit({"frequency": [5, 2, 3], "monetary_value": [20.0, 30.0, 22.0]})
    assert "few_customers" in codes(model)
    assert np.isfinite(list(model.params_.values())).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", [ev.GammaGamma(), ev.NormalSpend()], ids=["gamma-gamma", "normal"])
@pytest.mark.parametrize("price", [35.0, 1e-3, 1e8])
def test_everybody_always_spends_the_same(model: SpendModel, price: float) -> None:
    rows = {"frequency": [1, 2, 3, 4, 0] * 20, "monetary_value": [*[price] * 4, 0.0] * 20}
    model = again(model).fit(rows)
    assert model.predict(rows)["expected_order_value"] == pytest.approx(price, rel=2e-5)
    assert "same_spend" in codes(model)
    assert np.isfinite(model.sample_sum(rows, 5)).all()
    assert model.sum_quantile(rows, 5, 0.5) == pytest.approx(5 * price, rel=0.01)
    if price == 35.0:
        assert np.isfinite(model.posterior(200).draws).all()


def said(model: SpendModel, code: str) -> str:
    (finding,) = [f for f in model.findings_ if f.code == code]
    return finding.says


def test_spend_that_does_not_vary_within_customers() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(1, 9, 3_000).astype(float)
    price = np.round(4 * 20 / rng.gamma(4.0, 1.0, 3_000), 4)
    repeats = {"frequency": x, "monetary_value": price}
    # With prices that follow the model's own law p runs away: the spread of means does not fall with their number.
    model = ev.GammaGamma().fit(repeats)
    assert model.params_["p"] > 1e3
    assert said(model, "constant_spend").startswith("Spend does not vary within customers")
    assert model.conditional_expected_order_value(repeats) == pytest.approx(price, rel=1e-3)
    assert np.isfinite(model.sample_sum(repeats, 3)).all()
    assert np.isfinite(model.posterior(200).draws).all()

    whole = {"frequency": x - 1, "monetary": x * price, "monetary_squared_sum": x * price**2}
    normal = ev.NormalSpend(spend="all").fit(whole)
    assert said(normal, "constant_spend").startswith("Spend does not vary within")
    assert normal.conditional_expected_order_value(whole) == pytest.approx(price, rel=0.02)
    width = normal.sum_quantile(whole, 1, 0.95) - normal.sum_quantile(whole, 1, 0.05)
    assert (width[x > 2] < 2).all()


def test_spend_that_does_not_vary_is_seen_in_the_amounts_where_means_do_not_show_it() -> None:
    rng = np.random.default_rng(2)
    price = np.round(rng.gamma(3.0, 20.0, 400), 2) + 5
    x = rng.integers(1, 9, 400).astype(float)
    whole = {"frequency": x - 1, "monetary": x * price, "monetary_squared_sum": x * price**2}
    model = ev.GammaGamma(spend="all").fit(whole)
    assert model.params_["p"] < 100
    assert "ever spent another amount" in said(model, "constant_spend")
    told = ev.GammaGamma(spend="all", within="amounts").fit(whole)
    assert said(told, "constant_spend").startswith("Spend does not vary within customers")
    assert told.conditional_expected_order_value(whole) == pytest.approx(price, rel=1e-3)


def test_amounts_that_vary_otherwise_than_their_means_tell_are_said(rows: Rows) -> None:
    assert "vary by 56 % of their mean, more than the 40 %" in said(
        ev.GammaGamma().fit(rows), "varies_otherwise"
    )

    rng = np.random.default_rng(3)
    x = rng.geometric(0.3, 3_000) + 1
    nu = rng.gamma(3.7, 1 / 15, len(x))
    amounts = np.where(
        np.arange(x.max()) < x[:, None], rng.gamma(6.0, 1 / nu[:, None], (len(x), x.max())), 0.0
    )
    own = {
        "frequency": x - 1,
        "monetary": amounts.sum(axis=1),
        "monetary_squared_sum": (amounts**2).sum(axis=1),
    }
    assert codes(ev.GammaGamma(spend="all").fit(own)) == ["independence"]


def test_half_of_the_customers_on_one_price() -> None:
    """A spike without width in the middle of others: the likelihood has no maximum unless amounts have a grain."""
    rng = np.random.default_rng(3)
    x = rng.integers(2, 9, 500).astype(float)
    fixed = rng.random(500) < 0.6
    own = normal_spend.simulate((12.0, 0.5, 3.0, 40.0), x, rng)
    assert own.squares is not None
    m, squares = np.where(fixed, 9.99, own.mean), np.where(fixed, 0.0, own.squares)
    rows = {"frequency": x - 1, "monetary": x * m, "monetary_squared_sum": squares + x * m * m}
    for location in ("mean", "likelihood"):
        model = ev.NormalSpend(spend="all", location=location).fit(rows)
        found = model.conditional_expected_order_value(rows)
        assert "constant_spend" in codes(model)
        assert found[fixed] == pytest.approx(9.99, rel=0.05)
        assert np.isfinite(model.sample_sum(rows, 4)).all()


def test_customers_who_do_not_differ() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(1, 9, 800).astype(float)
    m = rng.gamma(4.0 * x) / (4.0 * x) * 30
    model = ev.GammaGamma().fit({"frequency": x, "monetary_value": m})
    assert "same_spend" in codes(model)
    assert model.conditional_expected_order_value({"frequency": x, "monetary_value": m}) == pytest.approx(
        30, rel=0.05
    )
    assert model.params_["p"] == pytest.approx(4.0, rel=0.2)


def test_a_mean_that_does_not_exist_is_said_and_stood_in_for() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(1, 9, 4_000).astype(float)
    m = gamma_gamma.simulate((3.0, 0.6, 10.0), x, rng).mean
    rows = {"frequency": np.append(x, 0.0), "monetary_value": np.append(m, 0.0)}
    model = ev.GammaGamma().fit(rows)

    assert model.params_["q"] < 1
    assert f"{m.mean():,.2f}" in said(model, "infinite_mean")
    assert model.predict(rows)["expected_order_value"][-1] == pytest.approx(m.mean())
    assert np.isfinite(model.predict(rows)["expected_order_value"]).all()
    assert gamma_gamma.expected_order_value(list(model.params_.values())) == np.inf

    normal = ev.NormalSpend(location="likelihood").fit(
        {"frequency": x, "monetary_value": normal_spend.simulate((10.0, 1.0, 0.3, 5.0), x, rng).mean}
    )
    assert "infinite_mean" in codes(normal)


def test_long_tails_and_lopsided_amounts_are_said(rows: Rows) -> None:
    rng = np.random.default_rng(6)
    x = rng.integers(1, 9, 4_000).astype(float)
    m = gamma_gamma.simulate((3.0, 1.5, 10.0), x, rng).mean
    assert "infinite_variance" in codes(ev.GammaGamma().fit({"frequency": x, "monetary_value": m}))

    by_likelihood = ev.NormalSpend(location="likelihood").fit(rows)
    assert "customers spend 35.08 on average" in said(by_likelihood, "skewed")
    assert "-29 %" in said(by_likelihood, "skewed")
    assert "skewed" not in codes(ev.NormalSpend().fit(rows))
    drawn = normal_spend.simulate((12.0, 0.5, 3.0, 40.0), x, rng)
    plain = ev.NormalSpend(location="likelihood").fit({"frequency": x, "monetary_value": drawn.mean})
    assert "skewed" not in codes(plain)


# Amounts at or below zero


def test_gamma_gamma_refuses_them_and_names_who_takes_them() -> None:
    rows = {"frequency": [2, 3, 1, 0], "monetary_value": [10.0, -4.0, 0.0, 0.0]}
    with pytest.raises(
        FitFailed,
        match=r"2 customers of 3 .* have a mean spend at or below zero .*row 1, -4\.00.*NormalSpend",
    ):
        ev.GammaGamma().fit(rows)
    model = ev.GammaGamma().fit({"frequency": [2, 3, 1], "monetary_value": [10.0, 14.0, 19.0]})
    with pytest.raises(InputError, match="2 customers of 3"):
        model.predict(rows)
    with pytest.raises(FitFailed, match="1 customer of 3.* has a mean"):
        ev.GammaGamma().fit({"frequency": [2, 3, 1], "monetary_value": [10.0, -4.0, 3.0]})


def test_or_leaves_them_out_when_told_to() -> None:
    rows = {"frequency": [2, 3, 1, 4, 0], "monetary_value": [10.0, -4.0, 12.0, 19.0, 0.0]}
    model = ev.GammaGamma(not_positive="leave_out").fit(rows)
    kept = ev.GammaGamma().fit({"frequency": [2, 1, 4], "monetary_value": [10.0, 12.0, 19.0]})
    assert model.params_ == kept.params_
    assert model.n_customers_ == 3
    assert said(model, "left_out").startswith("1 customer of 4 with a mean spend at or below zero")
    found = model.predict(rows)["expected_order_value"]
    p, q, v = model.params_.values()
    assert found[1] == pytest.approx(p * v / (3 * p + q - 1))
    with pytest.raises(SettingsError, match="'refuse' and 'leave_out'"):
        ev.GammaGamma(not_positive="drop").fit(rows)


def test_days_at_or_below_zero_behind_a_mean_above_it_are_counted() -> None:
    rows = {
        "frequency": [2, 3, 1, 4],
        "monetary_value": [10.0, 9.0, 12.0, 19.0],
        "least_monetary": [1.0, -3.0, 0.0, 2.0],
    }
    (finding,) = [f for f in ev.GammaGamma().fit(rows).findings_ if f.code == "amounts_at_or_below_zero"]
    assert finding.says.startswith("2 customers of 4 have a purchase day at or below zero")


def test_amounts_of_both_signs_are_too_much_for_a_share_of_the_mean() -> None:
    """Means just above zero out of days far from it: no share of the mean tells how such amounts vary."""
    rng = np.random.default_rng(7)
    amounts = rng.normal(0.0, 1_000.0, (300, 6))
    amounts += (rng.gamma(5.0, 2.0, 300) - amounts.mean(axis=1))[:, None]
    total, squared = amounts.sum(axis=1), (amounts**2).sum(axis=1)
    rows = {"frequency": np.full(300, 5), "monetary": total, "monetary_squared_sum": squared}
    with pytest.raises(FitFailed, match="more than 4.5 times their mean.*NormalSpend"):
        ev.GammaGamma(spend="all", within="amounts").fit(rows)
    assert ev.NormalSpend(spend="all").fit(rows).params_["m0"] == pytest.approx(total.mean() / 6)


def test_normal_spend_takes_amounts_that_are_all_negative(rows: Rows) -> None:
    lost = {
        name: -column if name.endswith(("monetary", "value")) else column for name, column in rows.items()
    }
    model, mirrored = ev.NormalSpend().fit(lost), ev.NormalSpend().fit(rows)
    assert model.params_["m0"] == pytest.approx(-mirrored.params_["m0"])
    assert model.conditional_expected_order_value(lost) == pytest.approx(
        -mirrored.conditional_expected_order_value(rows), rel=1e-9
    )
    low = model.sum_quantile(lost, 2, 0.05)
    assert low == pytest.approx(-mirrored.sum_quantile(rows, 2, 0.95), rel=1e-8)
    assert model.independence_ is not None
    assert not model.independence_.of_logs


# Broken numbers


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"frequency": [1, 2], "monetary_value": [3.0, np.nan]}, "1 row have no finite 'monetary_value'"),
        ({"frequency": [1, np.nan], "monetary_value": [3.0, 4.0]}, "frequency that is no whole number"),
        ({"frequency": [1, -2], "monetary_value": [3.0, 4.0]}, "no whole number of 0 or more"),
        ({"frequency": [1, 2.5], "monetary_value": [3.0, 4.0]}, "first: row 1"),
        (
            {"frequency": [1, 2], "monetary_value": ["a", "b"]},
            "'monetary_value' holds cells that are no numbers",
        ),
        ({"frequency": [], "monetary_value": []}, "no row"),
    ],
)
def test_broken_numbers(rows: Rows, says: str) -> None:
    for model in (ev.GammaGamma(), ev.NormalSpend()):
        with pytest.raises(InputError, match=says):
            model.fit(rows)


def test_broken_weights_and_settings(rows: Rows) -> None:
    with pytest.raises(InputError, match="sample_weight"):
        ev.GammaGamma().fit(rows, sample_weight=[1, 2])
    with pytest.raises(SettingsError, match="'repeat'.*'all'"):
        ev.GammaGamma(spend="first").fit(rows)
    with pytest.raises(SettingsError, match="penalty"):
        ev.GammaGamma(penalty=-1).fit(rows)
    with pytest.raises(SettingsError, match="'means' and 'amounts'"):
        ev.GammaGamma(within="both").fit(rows)
    with pytest.raises(SettingsError, match="'mean' and 'likelihood'"):
        ev.NormalSpend(location="median").fit(rows)
    with pytest.raises(SettingsError, match="above 0"):
        ev.GammaGamma(prior={"p": (-1.0, 1.0)}).fit(rows)


def test_a_mean_of_nobody_is_not_looked_at(rows: Rows) -> None:
    """Customers without a repeat may have anything in `monetary_value`; it counts for nothing."""
    odd = {**rows, "monetary_value": np.where(rows["frequency"] > 0, rows["monetary_value"], np.nan)}
    assert ev.GammaGamma().fit(odd).params_ == ev.GammaGamma().fit(rows).params_
