"""`[collector]`: where the events that come are kept, and for how long."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, field_validator

LONGEST_DAYS = 36_500


class CollectorSettings(BaseModel):
    """`[collector]`: where the events that come are kept, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connection: str | None = None
    """A PostgreSQL database that several collectors share ("${EVENTS_DSN}"). Default: a file in the data directory."""
    keep: str | None = None
    """How long the log keeps events that lie in files too ("30d"): each run takes older ones out. Default: always."""

    @field_validator("keep")
    @classmethod
    def _days(cls, value: str | None) -> str | None:
        if value is not None:
            days_of(value)
        return value

    @property
    def keep_days(self) -> int | None:
        """How many days events are kept; None where they are always."""
        return None if self.keep is None else days_of(self.keep)


def days_of(text: str) -> int:
    """The days that a text such as "30d" says.

    Raises
    ------
    ValueError
        It says none.
    """
    if not re.fullmatch("[0-9]{1,5}d", text) or int(text[:-1]) > LONGEST_DAYS:
        raise ValueError(f"'{text}' is no number of days such as 30d, 90d or 0d")
    return int(text[:-1])
