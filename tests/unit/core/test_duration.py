"""Durations as people write them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Literal

import numpy as np
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


@pytest.mark.parametrize(
    ("given", "days"),
    [(np.timedelta64(7, "D"), 7), (np.timedelta64(2, "W"), 14), (np.timedelta64(36, "h"), 1.5)],
)
def test_timedeltas_of_numpy(given: object, days: float) -> None:
    assert duration(given).days == days


@pytest.mark.parametrize("unit", ["M", "Y"])
def test_months_of_numpy_have_no_fixed_length_either(unit: Literal["M", "Y"]) -> None:
    with pytest.raises(SettingsError, match="no fixed length"):
        duration(np.timedelta64(1, unit))


@pytest.mark.parametrize("given", [np.timedelta64(3), np.timedelta64("NaT", "D"), np.timedelta64(-1, "D")])
def test_timedeltas_of_numpy_that_are_no_duration(given: object) -> None:
    with pytest.raises(SettingsError, match="not a duration"):
        duration(given)


def test_unlimited_time_is_offered_where_it_makes_sense_alone() -> None:
    with pytest.raises(SettingsError, match="or 'inf'"):
        duration("5", "horizon")
    with pytest.raises(SettingsError, match="or '1y'\\.$"):
        duration("5", "step", endless=False)
