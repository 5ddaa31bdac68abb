"""Numbers that callers give: taken as they are, or refused with the argument's name and what would be possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from evervalue.core.errors import SettingsError


def number(value: Any, name: str, wanted: str, possible: Callable[[float], bool] = math.isfinite) -> float:
    """The number that was given as the argument `name`.

    Parameters
    ----------
    value
        What was given. True and False are no numbers, nor is text.
    name, wanted
        The argument, and what it must be: "must be a number above 0, such as 0.9.".
    possible
        Whether a number is.

    Raises
    ------
    SettingsError
        It is none, or none that is possible.

    Examples
    --------
    >>> number(0.5, "level", "must be between 0 and 1.", lambda v: 0 < v < 1)
    0.5
    """
    if isinstance(value, Real) and not _is_bool(value):
        found = float(value)
        if possible(found):
            return found
    raise SettingsError(f"{name}={value!r} {wanted}")


def whole(value: Any, name: str, wanted: str, least: int = 0) -> int:
    """The whole number that was given as the argument `name`, `least` or more.

    Raises
    ------
    SettingsError
        It is none.
    """
    if isinstance(value, Integral) and not _is_bool(value) and int(value) >= least:
        return int(value)
    raise SettingsError(f"{name}={value!r} {wanted}")


def seed_of(value: Any) -> int:
    """The seed that was given as `random_state`; None is refused, for the same call is to give the same numbers.

    Raises
    ------
    SettingsError
        It is no whole number from 0 up.
    """
    return whole(
        value, "random_state", "must be a whole number from 0 up; the same one gives the same draws."
    )


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)
