"""Contracts from a frame: one row a customer, or counts of cohorts, as periods, churned and entered with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.core.text import count, listing
from evervalue.models.frames import columns_of
from evervalue.models.period_rows import Rows, names_of, refuse, rows_of
from evervalue.numerics.arrays import Array

WHAT = "frame of contracts"
HINT = (
    "periods is the period at whose end a contract ended, or the renewals so far; churned is 1 or 0; entered, if any, "
    "the renewals that had passed when watching began. "
)


def contract_rows(frame: Any, *, started: int | None = None, sample_weight: Any = None) -> Rows:
    """Columns periods, churned and entered with weights, from any of the forms that `ContractModel.fit` takes.

    Raises
    ------
    MissingColumns, InputError, SettingsError
        It is none of them, or a row cannot be.
    """
    names = names_of(frame)
    if "periods" in names:
        if started is not None:
            raise SettingsError("started goes with the columns 'period' and 'lost' of a cohort.")
        rows = rows_of(
            frame, ("periods", "churned"), optional={"entered": 0.0}, sample_weight=sample_weight, what=WHAT
        )
        return _checked(rows)
    if sample_weight is not None:
        raise SettingsError(
            "sample_weight goes with one row a customer; the counts of a cohort are weights already."
        )
    if "period" in names and "alive" in names:
        return _of_survivors(frame, names)
    if "period" in names and "lost" in names:
        return _of_losses(frame, started)
    raise MissingColumns(
        "Contracts need 'periods' and 'churned' (one row a customer), or 'period' and 'alive', or 'period' and 'lost' "
        f"(one row a period of a cohort); the frame has {listing(names, 12)}."
    )


def contracts_of(frame: Any) -> Rows:
    """Rows of single customers: periods, and churned where there is such a column, else all are still there."""
    rows = rows_of(frame, ("periods",), optional={"churned": 0.0}, what=WHAT)
    return _checked(rows)


def _checked(rows: Rows) -> Rows:
    periods, churned = rows["periods"], rows["churned"]
    entered = rows.columns.get("entered", np.zeros(len(rows)))
    faults = [
        (churned > 1, "have a 'churned' that is neither 0 nor 1"),
        ((churned == 1) & (periods < 1), "have churned before the end of a first period"),
        (
            (churned <= 1) & (periods >= churned) & (entered > periods - churned),
            "have an 'entered' beyond the renewals that were made",
        ),
    ]
    refuse(rows, faults, WHAT, HINT)
    return rows


def _of_survivors(frame: Any, names: list[str]) -> Rows:
    rows = rows_of(frame, ("period", "alive"), what=WHAT)
    labels = np.asarray(columns_of(frame)[1]("cohort")) if "cohort" in names else np.zeros(len(rows))
    parts = []
    for label in dict.fromkeys(labels.tolist()):
        mine = labels == label
        order = np.argsort(rows["period"][mine], kind="stable")
        which = f" of cohort {label}" if "cohort" in names else ""
        parts.append(_survivors(rows["period"][mine][order], rows["alive"][mine][order], which))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return _rows(*columns)


def _survivors(period: Array, alive: Array, which: str) -> tuple[Array, Array, Array, Array]:
    """periods, churned, entered and weights of one cohort, whose first row begins the watching."""
    if (np.diff(period) != 1).any():
        raise InputError(
            f"The periods{which} must run on one by one; they are {listing([int(p) for p in period], 12)}. "
            "Give one row a period, from 0 (all customers) on."
        )
    if (np.diff(alive) > 0).any():
        at = int(np.argmax(np.diff(alive) > 0)) + 1
        raise InputError(
            f"'alive'{which} rises from {alive[at - 1]:,.0f} to {alive[at]:,.0f} at period {period[at]:.0f}: "
            "customers of a cohort cannot come back. Is a newer cohort counted with it?"
        )
    end, first = period[-1], period[0]
    return (
        np.append(period[1:], end),
        np.append(np.ones(len(period) - 1), 0.0),
        np.full(len(period), first),
        np.append(-np.diff(alive), alive[-1]),
    )


def _of_losses(frame: Any, started: int | None) -> Rows:
    if started is None:
        raise SettingsError(
            "Losses alone do not say how many stayed: give started=, the customers at the start, or a column 'alive' "
            "with those still there after each period."
        )
    rows = rows_of(frame, ("period", "lost"), what=WHAT)
    order = np.argsort(rows["period"], kind="stable")
    period, lost = rows["period"][order], rows["lost"][order]
    if period[0] != 1:
        raise InputError(
            f"The first period is 1, at whose end the first customers leave; here it is {period[0]:.0f}."
        )
    alive = float(started) - np.concatenate([[0.0], np.cumsum(lost)])
    if alive[-1] < 0:
        raise InputError(
            f"{lost.sum():,.0f} customers were lost of {count(int(started), 'customer')} at the start: "
            "more than there were."
        )
    return _rows(*_survivors(np.concatenate([[0.0], period]), alive, ""))


def _rows(periods: Array, churned: Array, entered: Array, weight: Array) -> Rows:
    keep = weight > 0
    if not keep.any():
        raise InputError("There are no customers: 'alive' is 0 from the start.")
    columns = {"periods": periods[keep], "churned": churned[keep], "entered": entered[keep]}
    return Rows(columns, weight[keep])
