"""Same customers, same bits: whatever their order, whoever is scored beside them, and however many threads work."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from evervalue.models.clv import CLV
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import BetaGeo, ParetoNBD, RegularBetaGeo
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.models.spend_model import SpendModel
from evervalue.models.value_scores import Asked, value_scores
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.recalibration import learn
from evervalue.numerics.predictive.score import Corrections
from tests.support import cdnow

NAMES = ("frequency", "recency", "T", "monetary_value")
COLUMNS = ("p_alive", "expected_orders", "orders_low", "orders_high", "expected_clv", "clv_low", "clv_high")


def frame() -> dict[str, Array]:
    c = cdnow.calibration()
    return {name: c[name] for name in NAMES}


def rows_of(history: dict[str, Array], rows: NDArray[np.intp]) -> dict[str, Array]:
    return {name: column[rows] for name, column in history.items()}


PAIRS = [
    (BetaGeo(), GammaGamma()),
    pytest.param(ParetoNBD(), GammaGamma(), marks=pytest.mark.slow),
    pytest.param(RegularBetaGeo(k=2), NormalSpend(), marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("purchase", "spend"), PAIRS, ids=lambda m: getattr(m, "key", ""))
def test_rows_in_another_order_and_rows_left_out_change_no_bit(
    purchase: PurchaseModel, spend: SpendModel
) -> None:
    history = rows_of(frame(), np.arange(0, 2_357, 6))  # 393 customers
    value = CLV(purchase, spend).fit(history, unit="W")
    whole = value.predict(history, horizon="52W")
    rng = np.random.default_rng(1)
    for rows in (rng.permutation(393), np.arange(393)[::7], np.array([5])):
        some = value.predict(rows_of(history, rows), horizon="52W")
        for name in COLUMNS:
            # Discounting is integrated on panels that the longest span of all histories decides: the last bit may move
            # where some are left out, which is far below the 1/10,000 that money is rounded to.
            least = 1e-13 if "clv" in name and len(rows) < 393 else 0.0
            np.testing.assert_allclose(some[name], whole[name][rows], rtol=least, atol=0, err_msg=name)


@pytest.mark.slow
def test_shuffled_data_fit_and_predict_the_same() -> None:
    history = frame()
    rows = np.random.default_rng(2).permutation(2_357)
    one = CLV(BetaGeo(), GammaGamma()).fit(history, unit="W")
    two = CLV(BetaGeo(), GammaGamma()).fit(rows_of(history, rows), unit="W")
    first, second = one.predict(horizon="39W"), two.predict(horizon="39W")
    for name in COLUMNS:
        np.testing.assert_array_equal(second[name], first[name][rows], err_msg=name)
    assert one.total(horizon="39W").clv_low == pytest.approx(two.total(horizon="39W").clv_low, rel=1e-9)


@pytest.mark.parametrize("corrected", [False, True])
def test_threads_change_no_bit(corrected: bool) -> None:
    value = CLV(BetaGeo(), GammaGamma()).fit(frame(), unit="W")
    h = value._of(None)
    corrections = None
    if corrected:
        u = np.linspace(0, 1, 2_000)
        corrections = Corrections(1.25, learn(u**2, u**2, 1 + u), learn(u**0.5, u**0.5, 1 + u))
        assert not corrections.orders.identity
    one, four = (
        value_scores(value.purchase_, value.spend_, h, Asked(39.0), corrections, threads=threads)
        for threads in (1, 4)
    )
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(four, name), getattr(one, name), err_msg=name)
