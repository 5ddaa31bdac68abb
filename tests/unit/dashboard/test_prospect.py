"""What a customer is expected to bring: the sentence, and the band on its scale."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from evervalue.dashboard import prospect
from evervalue.dashboard.formats import Formats

FORMATS = Formats("en_US", "USD")


def value(low: str | None, mean: str, high: str | None, **more: Any) -> dict[str, Any]:
    ends = {"clv_low": low and Decimal(low), "clv_high": high and Decimal(high)}
    return {"expected_clv": Decimal(mean), "interval": 0.9, "horizon_days": 365, **ends, **more}


def test_the_finding() -> None:
    assert prospect.title(value("236", "500.53", "825"), "profit", FORMATS) == (
        "Expected to bring $501 profit in the next 365 days"
    )
    endless = value(None, "1200", None, horizon_days=None)
    assert prospect.title(endless, "revenue", FORMATS).endswith("$1,200 revenue in the time to come")


@pytest.mark.parametrize(
    ("interval", "says"),
    [(0.9, "Nine times in ten it is"), (0.8, "Four times in five it is"), (0.95, "95% of the time it is")],
)
def test_the_interval_in_words(interval: float, says: str) -> None:
    told = prospect.likely(value("-20", "500", "825", interval=interval), FORMATS)
    assert told == f"{says} between -$20 and $825."


def test_nothing_at_all() -> None:
    assert prospect.likely(value("0", "3", "0"), FORMATS) == "Nine times in ten or more it is nothing at all."
    assert prospect.likely(value(None, "3", None), FORMATS) == ""


def test_a_band_from_zero() -> None:
    band = prospect.band(value("250", "500", "1000"))
    assert band is not None
    assert band.zero == 0
    assert band.left == pytest.approx(250 / 1080 * 100, abs=0.01)
    assert band.left + band.width == pytest.approx(1000 / 1080 * 100, abs=0.02)
    assert band.mark == pytest.approx(500 / 1080 * 100, abs=0.01)


def test_a_band_with_a_possible_loss() -> None:
    band = prospect.band(value("-100", "50", "300"))
    assert band is not None
    assert band.left == 0
    assert band.zero == pytest.approx(100 / 432 * 100, abs=0.01)


def test_no_band() -> None:
    assert prospect.band(value(None, "3", None)) is None
    assert prospect.band(value("0", "0", "0")) is None
