"""Data sets printed whole in the papers, read from `tests/data/published`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evervalue.numerics.arrays import Array

FOLDER = Path(__file__).resolve().parent.parent / "data" / "published"


def donations() -> dict[str, Array]:
    """frequency, recency, n_periods and customers of the 22 histories of the donors of 1995."""
    return _columns("donations_1995.csv")


def gifts_by_year() -> dict[str, Array]:
    """year (1996 to 2006) and repeat gifts of those donors in it."""
    return _columns("donations_by_year.csv")


def retention() -> dict[str, Array]:
    """period (0 to 12), and how many of 1,000 `regular` and 1,000 `high_end` customers are still there."""
    return _columns("retention_two_segments.csv")


def apparel() -> dict[str, Array]:
    """Histories of 600 customers over their first 104 weeks, in weeks, with `gender` and `channel` (0 or 1)."""
    columns = _columns("apparel_2005.csv")
    weeks = columns.pop("recency_days") / 7
    return {**columns, "recency": weeks, "T": np.full(weeks.shape, 104.0)}


def contracts(alive: Array, periods: int) -> tuple[Array, Array, Array]:
    """(periods, churned, customers) of a cohort watched for some periods, from how many are still there."""
    lost = -np.diff(alive[: periods + 1])
    t = np.arange(1.0, periods + 1)
    return np.append(t, periods), np.append(np.ones(periods), 0.0), np.append(lost, alive[periods])


def _columns(name: str) -> dict[str, Array]:
    path = FOLDER / name
    names = path.read_text().splitlines()[0].split(",")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return {column: table[:, i] for i, column in enumerate(names)}
