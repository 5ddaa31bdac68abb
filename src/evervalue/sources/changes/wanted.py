"""A table that is to be followed, as the settings name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """A table to be followed."""

    table: str
    """With its schema or database where it is not the default one."""
    key: tuple[str, ...] = ()
    """Columns that name a row; empty for the primary key."""
