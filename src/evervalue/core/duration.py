"""Durations as people write them: '39W', '365d', '1y', 'inf'. Days are exact, and no month hides a factor."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from evervalue.core.errors import SettingsError

Unit = Literal["D", "W"]
DAYS_IN: dict[str, int] = {"D": 1, "W": 7}
UNIT_NAMES: dict[str, str] = {"D": "day", "W": "week"}
DAYS_IN_YEAR = 365
WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
WORDS = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7,
         "y": DAYS_IN_YEAR, "year": DAYS_IN_YEAR, "years": DAYS_IN_YEAR}  # fmt: skip
UNFIXED = {"M": "months", "Y": "calendar years"}
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


def duration(value: object, name: str = "", *, endless: bool = True) -> Duration:
    """The duration that a text or a timedelta stands for.

    Parameters
    ----------
    value
        '39W', '365d', '1y' (365 days), 'inf', a `datetime.timedelta`, numpy's `timedelta64` or a `Duration`.
    name
        The argument that it was given as, for errors.
    endless
        Whether unlimited time makes sense to the caller; errors offer 'inf' only then.

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
    if type(value).__name__ == "timedelta64":  # numpy's; numpy itself is not imported for this
        value = _of_numpy(value, shown)
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
    or_inf = ", or 'inf'" if endless else ""
    raise SettingsError(
        f"{shown} is not a duration. Write a number with its unit, such as '39W', '365d' or '1y'{or_inf}."
    )


def _of_numpy(value: Any, shown: str) -> object:
    """A `timedelta64` as a `timedelta`; one without a unit or a length (NaT) as something that is no duration."""
    unit = str(value.dtype)[len("timedelta64") :].strip("[]")
    if not unit:
        return None
    if unit in UNFIXED:
        raise SettingsError(
            f"{shown} counts {UNFIXED[unit]}, which have no fixed length. Write days or weeks: '30d', '365d', '52W'."
        )
    found: object = value.astype("timedelta64[us]").item()
    return found
