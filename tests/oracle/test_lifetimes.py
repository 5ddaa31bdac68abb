"""`evervalue.compat.lifetimes` beside lifetimes 0.11.3 on its own data sets: the same calls give the same numbers.

Where they do not, the test says by how much and why; `docs/methods/lifetimes.md` has the list.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evervalue.compat import lifetimes as ours
from evervalue.compat.lifetimes import utils as our_utils

Fits = tuple[Any, Any]
NAMES = ["BetaGeoFitter", "ModifiedBetaGeoFitter", "ParetoNBDFitter"]


@contextmanager
def quietly() -> Iterator[None]:
    """lifetimes warns of its own code, on import and in numpy, and changes an option of pandas."""
    chained = pd.options.mode.chained_assignment
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
    pd.options.mode.chained_assignment = chained


@pytest.fixture(scope="module")
def lifetimes() -> ModuleType:
    with quietly():
        import lifetimes
        import lifetimes.utils

        package: ModuleType = lifetimes
        return package


def dataset(name: str) -> Any:
    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return pd.read_csv(Path(spec.origin).parent / "datasets" / name)


@pytest.fixture(scope="module")
def summary() -> Any:
    """2,357 customers of CDNOW in weeks."""
    return dataset("cdnow_customers_summary.csv").set_index("ID")


@pytest.fixture(scope="module")
def spending() -> Any:
    """The same with their mean spend."""
    found = dataset("cdnow_customers_summary_with_transactions.csv")
    found.columns = ["customer_id", "frequency", "recency", "T", "monetary_value"]
    return found.set_index("customer_id")


@pytest.fixture(scope="module")
def transactions() -> Any:
    return dataset("example_transactions.csv")


@pytest.fixture(scope="module", params=NAMES)
def both(request: pytest.FixtureRequest, lifetimes: ModuleType, summary: Any) -> Fits:
    columns = (summary["frequency"], summary["recency"], summary["T"])
    mine = getattr(ours, request.param)().fit(*columns, index=summary.index)
    with quietly():
        theirs = getattr(lifetimes, request.param)().fit(*columns, index=summary.index)
    return mine, theirs


def same_law(mine: Any, theirs: Any) -> Any:
    """Our fitter at their parameters, so that formulas are compared and not optimisers."""
    copy = type(mine)()
    copy.params_, copy.data = theirs.params_, theirs.data
    return copy


def test_parameters(both: Fits, summary: Any) -> None:
    """To 1e-3; and the likelihood of lifetimes' is nowhere higher than that of ours."""
    mine, theirs = both

    assert list(mine.params_.index) == list(theirs.params_.index)
    assert mine.params_.to_numpy() == pytest.approx(theirs.params_.to_numpy(), rel=1e-3)
    x, t_x, T = (summary[name].to_numpy() for name in ("frequency", "recency", "T"))
    reached = mine._kernel.log_likelihood(theirs.params_.to_numpy(), x, t_x, T).sum()
    assert mine.log_likelihood_ >= reached - 1e-6
    assert mine.log_likelihood_ == pytest.approx(reached, abs=1e-3)


@pytest.mark.parametrize("t", [1, 39, 500])
def test_conditional_expectation_is_equal_and_keeps_the_index(both: Fits, summary: Any, t: int) -> None:
    mine, theirs = both
    mine = same_law(mine, theirs)
    columns = (summary["frequency"], summary["recency"], summary["T"])

    found = mine.conditional_expected_number_of_purchases_up_to_time(t, *columns)

    with quietly():
        wanted = theirs.conditional_expected_number_of_purchases_up_to_time(t, *columns)
    pd.testing.assert_series_equal(found, wanted, check_names=False, rtol=1e-6)
    pd.testing.assert_series_equal(mine.predict(t, *columns), found)


def test_single_customers_give_numbers(both: Fits) -> None:
    mine, theirs = both
    mine = same_law(mine, theirs)

    with quietly():
        wanted = float(theirs.predict(39, 2, 30.43, 38.86))
    assert mine.predict(39, 2, 30.43, 38.86) == pytest.approx(wanted, rel=1e-8)
    assert isinstance(mine.predict(39, 2, 30.43, 38.86), float)
    assert mine.predict(np.array([1.0, 39.0]), 2, 30.43, 38.86)[1] == pytest.approx(wanted, rel=1e-8)


def test_probability_alive(both: Fits, summary: Any) -> None:
    mine, theirs = both
    mine = same_law(mine, theirs)
    columns = (summary["frequency"], summary["recency"], summary["T"])

    found = mine.conditional_probability_alive(*columns)

    with quietly():
        wanted = theirs.conditional_probability_alive(*columns)
        matrix = theirs.conditional_probability_alive_matrix(12, 40)
        one = theirs.conditional_probability_alive(2, 30.43, 38.86)
    assert type(found) is type(wanted), "an array or a Series, as there"
    assert np.asarray(found) == pytest.approx(np.asarray(wanted), rel=1e-7)
    assert mine.conditional_probability_alive_matrix(12, 40) == pytest.approx(matrix, rel=1e-7)
    assert mine.conditional_probability_alive_matrix().shape == (
        int(summary["T"].max()) + 1,
        int(summary["frequency"].max()) + 1,
    )
    assert np.shape(mine.conditional_probability_alive(2, 30.43, 38.86)) == np.shape(one)
    assert mine.conditional_probability_alive(2, 30.43, 38.86) == pytest.approx(one)


def test_new_customers(both: Fits) -> None:
    mine, theirs = both
    mine = same_law(mine, theirs)
    times = np.array([0.5, 1.0, 10.0, 100.0])

    assert mine.expected_number_of_purchases_up_to_time(times) == pytest.approx(
        theirs.expected_number_of_purchases_up_to_time(times), rel=1e-8
    )
    assert isinstance(mine.expected_number_of_purchases_up_to_time(10), float)
    if hasattr(theirs, "probability_of_n_purchases_up_to_time"):
        for n in (0, 1, 7):
            assert mine.probability_of_n_purchases_up_to_time(39, n) == pytest.approx(
                theirs.probability_of_n_purchases_up_to_time(39, n), rel=1e-8
            )


def test_conditional_probability_of_n_purchases(lifetimes: ModuleType) -> None:
    mine = ours.ParetoNBDFitter()
    theirs = lifetimes.ParetoNBDFitter()
    mine.params_ = theirs.params_ = pd.Series({"r": 0.553, "alpha": 10.58, "s": 0.606, "beta": 11.66})

    for n in (0, 1, 5):
        with quietly():
            wanted = theirs.conditional_probability_of_n_purchases_up_to_time(n, 39, 2, 30.43, 38.86)
        found = mine.conditional_probability_of_n_purchases_up_to_time(n, 39, 2, 30.43, 38.86)
        assert found == pytest.approx(float(wanted), rel=1e-6)
    # lifetimes gives 0 for every n at t = 0; nothing is bought in no time for certain.
    assert theirs.conditional_probability_of_n_purchases_up_to_time(0, 0, 2, 30.43, 38.86) == 0
    assert mine.conditional_probability_of_n_purchases_up_to_time(0, 0, 2, 30.43, 38.86) == 1


def test_many_purchases_overflow_there_and_not_here(lifetimes: ModuleType) -> None:
    mine, theirs = ours.BetaGeoFitter(), lifetimes.BetaGeoFitter()
    mine.params_ = theirs.params_ = pd.Series({"r": 0.24, "alpha": 0.4, "a": 0.8, "b": 2.4})

    with quietly():
        assert np.isnan(theirs.probability_of_n_purchases_up_to_time(200, 180))
    assert 0 < mine.probability_of_n_purchases_up_to_time(200, 180) < 0.01


def test_standard_errors_and_summary(both: Fits) -> None:
    mine, theirs = both
    if isinstance(mine, ours.ParetoNBDFitter):
        assert mine.standard_errors_.to_numpy() == pytest.approx([0.0476, 0.843, 0.187, 6.211], rel=0.01)
        with pytest.raises(AttributeError):
            _ = theirs.summary  # lifetimes has none for this model
        return

    with quietly():
        wanted = theirs.summary
    assert list(mine.summary.columns) == list(wanted.columns)
    assert list(mine.summary.index) == list(wanted.index)
    assert mine.summary.to_numpy() == pytest.approx(wanted.to_numpy(), rel=5e-3)
    # Off the diagonal lifetimes multiplies by the square of one parameter instead of the product of both.
    ratio = theirs.variance_matrix_.to_numpy() / mine.variance_matrix_.to_numpy()
    values = theirs.params_.to_numpy()
    assert ratio == pytest.approx(values[None, :] / values[:, None], rel=5e-3)
    assert mine.variance_matrix_.to_numpy() == pytest.approx(mine.variance_matrix_.to_numpy().T)


def test_weights_repeat_customers(lifetimes: ModuleType, summary: Any) -> None:
    counted = summary.groupby(["frequency", "recency", "T"]).size().reset_index(name="n")

    mine = ours.BetaGeoFitter().fit(counted["frequency"], counted["recency"], counted["T"], counted["n"])

    with quietly():
        theirs = lifetimes.BetaGeoFitter().fit(
            counted["frequency"], counted["recency"], counted["T"], counted["n"]
        )
    each = ours.BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
    assert mine.params_.to_numpy() == pytest.approx(theirs.params_.to_numpy(), rel=1e-3)
    assert mine.params_.to_numpy() == pytest.approx(each.params_.to_numpy(), rel=1e-9)
    assert mine.standard_errors_.to_numpy() == pytest.approx(theirs.standard_errors_.to_numpy(), rel=5e-3)


def test_the_penalty_is_on_logarithms(lifetimes: ModuleType, summary: Any) -> None:
    """Ours draws parameters in scaled time towards 1 from both sides, theirs all of them towards 0."""
    columns = (summary["frequency"], summary["recency"], summary["T"])
    plain = ours.BetaGeoFitter().fit(*columns)
    with quietly():
        held = ours.BetaGeoFitter(0.1).fit(*columns)
        in_days = ours.BetaGeoFitter(0.1).fit(columns[0], columns[1] * 7, columns[2] * 7)
        theirs = lifetimes.BetaGeoFitter(0.1).fit(*columns)

    assert held.log_likelihood_ < plain.log_likelihood_
    assert held.params_["r"] > plain.params_["r"] > theirs.params_["r"], (
        "r of 0.24 is drawn up here, down there"
    )
    assert in_days.params_.to_numpy() == pytest.approx(held.params_.to_numpy() * [1, 7, 1, 1], rel=1e-6)


@pytest.mark.parametrize(
    ("frequency", "recency", "T", "says"),
    [
        ([2, 1], [5.0, 9.0], [8.0, 8.0], "recency beyond T"),
        ([0, 1], [5.0, 3.0], [8.0, 8.0], "frequency 0"),
        ([1, 1], [-1.0, 3.0], [8.0, 8.0], "negative"),
        ([], [], [], "no row"),
    ],
)
def test_what_lifetimes_refuses_is_a_value_error_too(
    lifetimes: ModuleType, frequency: list[float], recency: list[float], T: list[float], says: str
) -> None:
    x, t_x, age = (np.array(column) for column in (frequency, recency, T))
    for fitter in (ours.BetaGeoFitter(), ours.ParetoNBDFitter()):
        with pytest.raises(ValueError, match=says):
            fitter.fit(x, t_x, age)
    with quietly(), pytest.raises(ValueError, match=r".*"):
        lifetimes.BetaGeoFitter().fit(x, t_x, age)


def test_without_a_maximum_a_convergence_error(lifetimes: ModuleType) -> None:
    with pytest.raises(our_utils.ConvergenceError, match="second time"):
        ours.BetaGeoFitter().fit([0, 0, 0], [0, 0, 0], [8, 9, 10])
    assert issubclass(our_utils.ConvergenceError, ValueError)
    assert issubclass(lifetimes.utils.ConvergenceError, ValueError)


def test_before_a_fit_the_same_error(lifetimes: ModuleType) -> None:
    for fitter in (ours.BetaGeoFitter(), lifetimes.BetaGeoFitter()):
        with pytest.raises(ValueError, match="Model has not been fit yet"):
            fitter.conditional_probability_alive(1, 1, 2)
    for fitter in (ours.BetaGeoFitter(), lifetimes.BetaGeoFitter()):
        with pytest.raises(AttributeError):
            fitter.predict(1, 1, 1, 2)
    assert repr(ours.BetaGeoFitter()) == "<evervalue.compat.lifetimes.BetaGeoFitter>"


def test_representation(both: Fits) -> None:
    mine, theirs = both

    assert repr(mine).startswith(
        f"<evervalue.compat.lifetimes.{type(mine).__name__}: fitted with 2357 subjects, "
    )
    assert repr(same_law(mine, theirs)).split(":", 1)[1] == repr(theirs).split(":", 1)[1]
    assert mine.data.index.name == theirs.data.index.name
    assert list(mine.data.columns) == list(theirs.data.columns)


def test_gamma_gamma_and_lifetime_value(lifetimes: ModuleType, summary: Any, spending: Any) -> None:
    returning = spending[spending["frequency"] > 0]
    columns = (spending["frequency"], spending["recency"], spending["T"])

    ggf = ours.GammaGammaFitter().fit(returning["frequency"], returning["monetary_value"])
    bgf = ours.BetaGeoFitter().fit(*columns)

    with quietly():
        their_ggf = lifetimes.GammaGammaFitter().fit(returning["frequency"], returning["monetary_value"])
        their_bgf = lifetimes.BetaGeoFitter().fit(*columns)
        wanted = their_ggf.summary
    assert ggf.summary.to_numpy() == pytest.approx(wanted.to_numpy(), rel=5e-3)
    pd.testing.assert_series_equal(
        ggf.conditional_expected_average_profit(spending["frequency"], spending["monetary_value"]),
        their_ggf.conditional_expected_average_profit(spending["frequency"], spending["monetary_value"]),
        check_names=False,
        rtol=1e-3,
    )
    assert ggf.conditional_expected_average_profit().to_numpy() == pytest.approx(
        their_ggf.conditional_expected_average_profit().to_numpy(), rel=1e-3
    )
    money = spending["monetary_value"]
    for freq, time, rate in (("W", 12, 0.01), ("D", 3, 0.0), ("M", 5, 0.02), ("H", 2, 0.01)):
        found = ggf.customer_lifetime_value(bgf, *columns, money, time=time, discount_rate=rate, freq=freq)
        with quietly():
            clv = their_ggf.customer_lifetime_value(
                their_bgf, *columns, money, time=time, discount_rate=rate, freq=freq
            )
        pd.testing.assert_series_equal(found, clv, rtol=1e-3)
    with pytest.raises(ValueError, match="non-positive"):
        ggf.fit(spending["frequency"], spending["monetary_value"])
    with pytest.raises(ValueError, match="freq='Q'"):
        ggf.customer_lifetime_value(bgf, *columns, money, freq="Q")


def test_a_mean_that_is_infinite_is_refused_where_asked() -> None:
    rng = np.random.default_rng(0)
    spend = 20 / rng.gamma(0.7, size=400)
    frequency = np.full(400, 30)
    drawn = rng.gamma(6.0 * frequency) / (6.0 * frequency) * spend

    loose = ours.GammaGammaFitter().fit(frequency, drawn)

    assert loose.params_["q"] < 1
    with pytest.raises(ValueError, match="infinite"):
        ours.GammaGammaFitter().fit(frequency, drawn, q_constraint=True)


def test_donations(lifetimes: ModuleType) -> None:
    """BG/BB on the donations of Fader, Hardie and Shang (2010), 22 kinds of 11,104 donors."""
    donors = dataset("donations.csv")
    columns = (donors["frequency"], donors["recency"], donors["periods"], donors["weights"])

    mine = ours.BetaGeoBetaBinomFitter().fit(*columns)

    with quietly():
        theirs = lifetimes.BetaGeoBetaBinomFitter().fit(*columns)
    assert mine.params_.to_numpy() == pytest.approx(theirs.params_.to_numpy(), rel=1e-3)
    assert mine.params_.to_numpy() == pytest.approx([1.204, 0.750, 0.657, 2.783], abs=1e-3)
    with quietly():
        pd.testing.assert_frame_equal(
            mine.expected_number_of_transactions_in_first_n_periods(6),
            theirs.expected_number_of_transactions_in_first_n_periods(6),
            rtol=1e-3,
        )
    for m in (0, 1, 5):
        pd.testing.assert_series_equal(
            mine.conditional_expected_number_of_purchases_up_to_time(m, *columns[:3]),
            theirs.conditional_expected_number_of_purchases_up_to_time(m, *columns[:3]),
            check_names=False,
            rtol=1e-3,
        )
        pd.testing.assert_series_equal(
            mine.conditional_probability_alive(m, *columns[:3]),
            theirs.conditional_probability_alive(m, *columns[:3]),
            check_names=False,
            rtol=1e-3,
        )
    assert mine.summary.to_numpy() == pytest.approx(theirs.summary.to_numpy(), rel=1e-2)


@pytest.mark.parametrize("freq", ["D", "W"])
@pytest.mark.parametrize("end", [None, "2014-09-30", "2015-02-01"])
@pytest.mark.parametrize("first", [False, True])
def test_summary_of_transactions(
    lifetimes: ModuleType, transactions: Any, freq: str, end: str | None, first: bool
) -> None:
    money = transactions.assign(spent=np.arange(len(transactions)) % 7 + 0.5)
    for column in (None, "spent"):
        arguments = ("id", "date", column, None, end, freq, 1, first)

        found = ours.summary_data_from_transaction_data(money, *arguments)

        with quietly():
            wanted = lifetimes.utils.summary_data_from_transaction_data(money, *arguments)
        pd.testing.assert_frame_equal(found, wanted)


def test_summary_by_the_hour_in_days(lifetimes: ModuleType, transactions: Any) -> None:
    rng = np.random.default_rng(0)
    hours = pd.to_timedelta(rng.integers(0, 24, len(transactions)), unit="h")
    timed = transactions.assign(date=pd.to_datetime(transactions["date"]) + hours)

    found = ours.summary_data_from_transaction_data(timed, "id", "date", freq="h", freq_multiplier=24)

    with quietly():
        wanted = lifetimes.utils.summary_data_from_transaction_data(
            timed, "id", "date", freq="h", freq_multiplier=24
        )
    pd.testing.assert_frame_equal(found, wanted)


@pytest.mark.parametrize("freq", ["D", "W"])
@pytest.mark.parametrize("end", [None, "2014-12-15"])
def test_calibration_and_holdout(
    lifetimes: ModuleType, transactions: Any, freq: str, end: str | None
) -> None:
    money = transactions.assign(spent=np.arange(len(transactions)) % 7 + 0.5)
    for column in (None, "spent"):
        arguments: dict[str, Any] = {
            "observation_period_end": end,
            "freq": freq,
            "monetary_value_col": column,
        }

        found = ours.calibration_and_holdout_data(money, "id", "date", "2014-09-01", **arguments)

        with quietly():
            wanted = lifetimes.utils.calibration_and_holdout_data(
                money, "id", "date", "2014-09-01", **arguments
            )
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    with pytest.raises(ValueError, match="no data available"):
        ours.calibration_and_holdout_data(money, "id", "date", "2016-01-01")


def test_alive_path(lifetimes: ModuleType, transactions: Any) -> None:
    summary = ours.summary_data_from_transaction_data(transactions, "id", "date")
    columns = (summary["frequency"], summary["recency"], summary["T"])
    mine = ours.ModifiedBetaGeoFitter().fit(*columns)
    theirs = lifetimes.ModifiedBetaGeoFitter()
    theirs.params_ = mine.params_
    one = transactions[transactions["id"] == summary["frequency"].idxmax()]

    found = ours.calculate_alive_path(mine, one, "date", 250)

    with quietly():
        wanted = lifetimes.utils.calculate_alive_path(theirs, one, "date", 250)
    assert len(found) == len(wanted)
    # lifetimes gives a column of arrays of one element each.
    assert found.to_numpy() == pytest.approx(np.concatenate(wanted.to_list()), rel=1e-9)


@pytest.mark.parametrize(
    ("freq", "multiplier", "t", "dates"), [("D", 1, 120, False), ("D", 7, 200, True), ("W", 1, 30, True)]
)
def test_cumulative_transactions(
    lifetimes: ModuleType, transactions: Any, freq: str, multiplier: int, t: int, dates: bool
) -> None:
    summary = ours.summary_data_from_transaction_data(
        transactions, "id", "date", freq=freq, freq_multiplier=multiplier
    )
    mine = ours.ParetoNBDFitter()
    theirs = lifetimes.ParetoNBDFitter()
    mine.params_ = theirs.params_ = pd.Series({"r": 0.5, "alpha": 10.0, "s": 0.6, "beta": 12.0})
    assert len(summary) > 1_000
    arguments = ("date", "id", t, None, freq, multiplier, dates)

    found = ours.expected_cumulative_transactions(mine, transactions, *arguments)

    with quietly():
        wanted = lifetimes.utils.expected_cumulative_transactions(theirs, transactions, *arguments)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, check_index_type=False)


def test_models_are_saved_as_json_and_loaded(both: Fits, tmp_path: Path, summary: Any) -> None:
    mine, _ = both
    columns = (summary["frequency"], summary["recency"], summary["T"])
    mine.save_model(tmp_path / "with.json")
    mine.save_model(tmp_path / "without.json", save_data=False)

    loaded = type(mine)().load_model(tmp_path / "with.json")
    bare = type(mine)().load_model(tmp_path / "without.json")

    assert (tmp_path / "without.json").stat().st_size < 2_000
    for one in (loaded, bare):
        pd.testing.assert_series_equal(one.params_, mine.params_)
        pd.testing.assert_frame_equal(one.summary, mine.summary)
        pd.testing.assert_series_equal(one.predict(39, *columns), mine.predict(39, *columns))
    pd.testing.assert_frame_equal(loaded.data, mine.data, check_names=False)
    assert bare.data is None


def test_files_of_lifetimes_and_of_other_models_are_not_loaded(
    lifetimes: ModuleType, tmp_path: Path, summary: Any
) -> None:
    with quietly():
        theirs = lifetimes.BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
        theirs.save_model(tmp_path / "theirs.pkl", save_data=False, save_generate_data_method=False)
    ours.GammaGammaFitter().fit([1, 2, 3], [10.0, 12.0, 9.0]).save_model(tmp_path / "spend.json")

    with pytest.raises(ValueError, match="pickles"):
        ours.BetaGeoFitter().load_model(tmp_path / "theirs.pkl")
    with pytest.raises(ValueError, match="GammaGammaFitter"):
        ours.BetaGeoFitter().load_model(tmp_path / "spend.json")


def test_new_data_look_like_the_data(both: Fits, summary: Any) -> None:
    mine, _ = both

    drawn = mine.generate_new_data(size=20_000)

    assert list(drawn.columns) == ["frequency", "recency", "T", "alive"]
    assert drawn.index.name == "customer_id"
    assert drawn["frequency"].mean() == pytest.approx(summary["frequency"].mean(), rel=0.08)
    assert (drawn["frequency"] == 0).mean() == pytest.approx((summary["frequency"] == 0).mean(), abs=0.03)
    pd.testing.assert_frame_equal(drawn, mine.generate_new_data(size=20_000))


def test_pandas_is_imported_only_when_it_is_needed() -> None:
    code = (
        "import sys, evervalue.compat.lifetimes as l; assert 'pandas' not in sys.modules; l.BetaGeoFitter(0.1); "
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
