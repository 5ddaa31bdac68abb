"""Durations as people write them."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from evervalue.core.duration import duration
from evervalue.core.errors import SettingsError


@pytest.mark.parametrize(
    ("written", "days"),
    [("39W", 273), ("365d", 365), ("1y", 365), (" 2 weeks ", 14), ("1.5D", 1.5), (dt.timedelta(hours=36), 1.5)],
)  # fmt: skip
def test_days(written: object, days: float) -> None:
    assert duration(written).days == days


def test_unlimited() -> None:
    assert math.isinf(duration("inf").days)
    assert str(duration("inf")) == "unlimited time"


@pytest.mark.parametrize("written", ["3 months", "1m", "12mo"])
def test_months_have_no_fixed_length(written: str) -> None:
    with pytest.raises(SettingsError, match="no fixed length"):
        duration(written)


@pytest.mark.parametrize("written", ["", "39", "-3d", "d", "1e3d", 40, None, dt.timedelta(days=-1)])
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(SettingsError, match="not a duration"):
        duration(written)
