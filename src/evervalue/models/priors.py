"""Priors and penalties as users give them, checked before a fit takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from evervalue.core.arguments import number
from evervalue.core.errors import SettingsError


def penalty_of(value: object) -> float:
    """The weight of a penalty.

    Raises
    ------
    SettingsError
        It is no number, or below 0.
    """
    return number(
        value,
        "penalty",
        "must not be negative, and a number; 0 is no penalty.",
        lambda v: 0 <= v < float("inf"),
    )


def priors_of(
    prior: object, names: Collection[str], positive: Collection[str]
) -> dict[str, tuple[float, float]]:
    """The priors by parameter, as (middle, spread).

    Parameters
    ----------
    prior
        A mapping of parameter to such a pair, or None.
    names
        Parameters that may have one.
    positive
        Those of them whose logarithm has the normal law, so that the middle must be above 0.

    Raises
    ------
    SettingsError
        It is none, with the parameter and what a prior is.
    """
    if prior is None:
        return {}
    if not isinstance(prior, Mapping):
        raise SettingsError(
            f"prior={prior!r} must be a mapping of parameters to (median, sd of the logarithm), such as "
            f"{{'{next(iter(names))}': (1.0, 0.5)}}."
        )
    found = {}
    for name, given in prior.items():
        if name not in names:
            raise SettingsError(f"prior names {name!r}, which is not one of {', '.join(names)}.")
        pair = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        says = (
            "(median, sd of the logarithm), both above 0"
            if name in positive
            else "(mean, standard deviation), the latter above 0"
        )
        try:
            middle, spread = (number(value, name, "") for value in pair)
        except (SettingsError, ValueError):
            middle, spread = 0.0, 0.0
        if not spread > 0 or (name in positive and not middle > 0):
            raise SettingsError(f"prior of '{name}' must be {says}, such as (1.0, 0.5); it is {given!r}.")
        found[name] = (middle, spread)
    return found
