"""What a contact emits, by its channel: read from `factors.toml`, where every figure has its source and its year."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from evervalue.core.errors import InputError

LEVELS = ("low", "central", "high")


@dataclass(frozen=True)
class Figure:
    """One figure of one channel."""

    grams: Decimal
    """CO2 equivalent of one contact."""
    year: int
    """Of the figure, or of the page that quotes it."""
    source: str
    url: str
    assumption: bool
    """True where a part of it was assumed rather than found."""


@dataclass(frozen=True)
class Factor:
    """What one contact of a channel emits."""

    channel: str
    name: str
    low: Figure
    central: Figure
    high: Figure

    def figures(self) -> tuple[tuple[str, Figure], ...]:
        """Low, central and high with their names."""
        return (("low", self.low), ("central", self.central), ("high", self.high))

    def kilograms(self, contacts: int) -> dict[str, Decimal]:
        """What so many contacts emit, in kg CO2e, low, central and high."""
        return {level: contacts * figure.grams / 1000 for level, figure in self.figures()}


@dataclass(frozen=True)
class Factors:
    """The whole file."""

    version: str
    unit: str
    factors: tuple[Factor, ...]

    def of(self, channel: str) -> Factor:
        """The factor of a channel.

        Raises
        ------
        InputError
            There is no such channel.
        """
        for factor in self.factors:
            if factor.channel == channel:
                return factor
        known = ", ".join(f.channel for f in self.factors)
        raise InputError(f"There is no channel '{channel}'. Known are {known}.")


@cache
def factors() -> Factors:
    """The factors that Evervalue ships."""
    return read_factors(files("evervalue.actions").joinpath("factors.toml").read_text("utf-8"))


def read_factors(text: str) -> Factors:
    """The factors that a text in TOML declares.

    Raises
    ------
    InputError
        A figure lacks its source or its year, or a range does not rise.
    """
    found = tomllib.loads(text)
    read = tuple(
        Factor(entry["channel"], entry["name"], **{level: _figure(entry, level) for level in LEVELS})
        for entry in found["factor"]
    )
    for factor in read:
        if not 0 <= factor.low.grams <= factor.central.grams <= factor.high.grams:
            raise InputError(f"factors.toml: low, central and high of '{factor.channel}' do not rise.")
    return Factors(str(found["version"]), str(found["unit"]), read)


def _figure(entry: dict[str, Any], level: str) -> Figure:
    given = entry.get(level, {})
    missing = [name for name in ("grams", "year", "source") if not given.get(name)]
    assumption = bool(given.get("assumption", False))
    if not assumption and not given.get("url"):
        missing.append("url")
    if missing:
        raise InputError(f"factors.toml: '{level}' of '{entry.get('channel')}' lacks {', '.join(missing)}.")
    return Figure(
        Decimal(given["grams"]), int(given["year"]), given["source"], given.get("url", ""), assumption
    )
