"""Kept runs as a list, newest first, and the parts of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evervalue.api.answers import Format
from evervalue.api.cursor import LONGEST, Cursor, decode
from evervalue.api.errors import BadRequest
from evervalue.api.snapshots import Row

SORT = "-run_id"
Part = Literal["run", "inputs", "tables"]
ListPart = Literal["kept", "failed"]


class RunsRequest(BaseModel):
    """Which runs are asked for, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: ListPart = "kept"
    """kept gives what can be published again, failed what is remembered of runs that failed."""

    after: str = Field("", max_length=LONGEST)
    """`next_cursor` of the page before."""

    before: str = Field("", max_length=LONGEST)
    """`previous_cursor` of the page after."""

    limit: int = Field(50, ge=1, le=1000)
    format: Format | Literal[""] = "json"


@dataclass(frozen=True)
class Runs:
    """One page of a list of runs."""

    rows: list[Row]
    total: int
    next: str | None
    previous: str | None


def page(rows: Sequence[Row], asked: RunsRequest) -> Runs:
    """The part of the rows (newest first) that is asked for.

    Raises
    ------
    BadRequest
        The cursor is not one of ours.
    """
    if asked.after and asked.before:
        raise BadRequest("Give 'after' or 'before', not both.")
    names = [str(row["run_id"]) for row in rows]
    if asked.before:
        first = decode(asked.before, SORT).key
        end = sum(name > first for name in names)
        begin = max(end - asked.limit, 0)
    else:
        begin = 0
        if asked.after:
            last = decode(asked.after, SORT).key
            begin = sum(name >= last for name in names)
        end = min(begin + asked.limit, len(names))
    shown = list(rows[begin:end])
    return Runs(
        shown,
        len(names),
        _cursor(shown[-1], end) if shown and end < len(names) else None,
        _cursor(shown[0], begin + 1) if shown and begin else None,
    )


def _cursor(row: Row, position: int) -> str:
    return Cursor(SORT, None, str(row["run_id"]), position).encode()
