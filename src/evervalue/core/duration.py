"""Durations as people write them: '39W', '365d', '1y', 'inf'. Days are exact, and no month hides a factor."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Literal

from evervalue.core.errors import SettingsError

Unit = Literal["D", "W"]
DAYS_IN: dict[str, int] = {"D": 1, "W": 7}
UNIT_NAMES: dict[str, str] = {"D": "day", "W": "week"}
DAYS_IN_YEAR = 365
WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
WORDS = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7,
         "y": DAYS_IN_YEAR, "year": DAYS_IN_YEAR, "years": DAYS_IN_YEAR}  # fmt: skip
MONTHS = {"m", "mo", "month", "months"}


@dataclass(frozen=True)
class Duration:
    """A length of time, not below zero; it may be infinite."""

    days: float

    def in_unit(self, unit: str) -> float:
        """The same in "D" days or "W" weeks of seven days."""
        return self.days / DAYS_IN[unit]

    def __str__(self) -> str:
        if math.isinf(self.days):
            return "unlimited time"
        return f"{self.days:g} {'day' if self.days == 1 else 'days'}"


def duration(value: object, name: str = "") -> Duration:
    """The duration that a text or a timedelta stands for.

    Parameters
    ----------
    value
        '39W', '365d', '1y' (365 days), 'inf', a `datetime.timedelta` or a `Duration`.
    name
        The argument that it was given as, for errors.

    Raises
    ------
    SettingsError
        It is none of these. Months have no fixed length and are refused.

    Examples
    --------
    >>> duration("39W").days, duration("1y").in_unit("W") == 365 / 7
    (273.0, True)
    """
    shown = f"{name}={value!r}" if name else f"{value!r}"
    if isinstance(value, Duration):
        return value
    if isinstance(value, dt.timedelta):
        days = value / dt.timedelta(days=1)
        if days >= 0:
            return Duration(days)
    if isinstance(value, str):
        if value.strip().lower() in ("inf", "infinite", "forever"):
            return Duration(math.inf)
        found = WRITTEN.fullmatch(value)
        if found and found[2].lower() in WORDS:
            return Duration(float(found[1]) * WORDS[found[2].lower()])
        if found and found[2].lower() in MONTHS:
            raise SettingsError(
                f"{shown} counts months, which have no fixed length. Write days or weeks: '30d', '365d', '52W'."
            )
    raise SettingsError(
        f"{shown} is not a duration. Write a number with its unit, such as '39W', '365d' or '1y', or 'inf'."
    )
