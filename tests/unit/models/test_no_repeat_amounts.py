"""Who has no repeat purchase has no amount: 0 as lifetimes writes it, or nothing at all, and it is the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import InputError

RNG = np.random.default_rng(1)
SEEN = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), RNG.uniform(50, 365, 120), RNG)
LENGTH = np.ceil(SEEN.t_x)
X = np.minimum(SEEN.x, LENGTH)
ZERO = pd.DataFrame(
    {
        "frequency": X,
        "recency": LENGTH,
        "T": np.ceil(SEEN.T),
        "monetary_value": np.where(X > 0, RNG.gamma(4.0, 10.0, 120), 0.0),
    }
)
NOTHING = ZERO.assign(monetary_value=ZERO["monetary_value"].where(X > 0))


def test_spend_and_value_take_both_alike() -> None:
    assert NOTHING["monetary_value"].isna().sum() == (X == 0).sum() > 0
    spend, same_spend = (ev.GammaGamma().fit(frame) for frame in (ZERO, NOTHING))
    assert spend.params_ == same_spend.params_
    value = ev.CLV(ev.BetaGeo(), ev.GammaGamma()).fit(NOTHING, unit="D")
    assert value.spend_.params_ == spend.params_
    of_zero = value.predict(ZERO, "60d")
    pd.testing.assert_frame_equal(value.predict(NOTHING, "60d"), of_zero)
    nulls = pl.from_pandas(NOTHING, nan_to_null=True)
    assert nulls["monetary_value"].null_count() > 0
    assert value.predict(nulls, "60d")["expected_clv"].to_list() == of_zero["expected_clv"].to_list()


def test_repeats_without_an_amount_are_refused_by_both() -> None:
    frame = NOTHING.assign(monetary_value=np.nan)
    with pytest.raises(InputError, match="have no finite 'monetary_value'"):
        ev.GammaGamma().fit(frame)
    with pytest.raises(InputError, match="without a finite 'monetary_value'"):
        ev.CLV(ev.BetaGeo(), ev.GammaGamma()).fit(frame, unit="D")


def test_sums_of_repeats_may_be_missing_too() -> None:
    whole = ZERO.assign(
        monetary=ZERO["monetary_value"] * (X + 1) + 1,
        repeat_monetary=ZERO["monetary_value"] * X,
        monetary_squared_sum=(ZERO["monetary_value"] ** 2 * (X + 1)) * 1.2 + 1,
    )
    missing = whole.assign(repeat_monetary=whole["repeat_monetary"].where(X > 0))
    one, other = (ev.NormalSpend().fit(frame).params_ for frame in (whole, missing))
    assert one == other
    one, other = (
        ev.CLV(ev.BetaGeo(), ev.NormalSpend()).fit(f, unit="D").spend_.params_ for f in (whole, missing)
    )
    assert one == other
