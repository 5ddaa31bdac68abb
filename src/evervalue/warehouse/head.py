"""The head of a table: everything that is known about it before it is built, read from the top of its SQL file."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evervalue.core.errors import TableError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OPEN, CLOSE = "/* ---", "--- */"


class Column(BaseModel):
    """What a head says of one column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    """Type in the house dialect, as `describe` prints it in lower case."""
    says: str
    """What the column means, in one line."""
    unit: str | None = None
    """`day`, `currency`, `count` ...; the name of the column ends in it where it is a unit of time."""
    check: str | None = None
    """What must hold of every value that is not null: the part behind the column (`>= 0`, `in ('a', 'b')`)."""
    nullable: bool = False
    """Whether the column may be null; without it a null is an error."""
    references: str | None = None
    """`schema.table.column` in which every value that is not null must be found."""
    sensitivity: str | None = None
    """`personal` where masking must know."""


class Head(BaseModel):
    """What a head says of its table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    grain: tuple[str, ...]
    """The columns that name a row: together unique. Empty for a table of one row."""
    says: str
    columns: dict[str, Column]
    constants: dict[str, str] = Field(default_factory=dict)
    """Scalar SELECTs, bound to `$name` before the body runs."""
    checks: dict[str, str] = Field(default_factory=dict)
    """Sentence: predicate that must hold of every row."""
    order_by: tuple[str, ...] = ()
    """How the rows are laid out on disk, for those who read a few of them; the grain settles what it leaves open."""
    index: tuple[str, ...] = ()
    """Columns by which single rows are looked up while people wait; the engine then finds them without scanning."""
    filled_by: str | None = None
    """The part of the code that fills a table which has no SELECT."""
    reads: tuple[str, ...] = ()
    """The tables that this code reads; it then fills the table in the middle of a run, behind them."""

    delta: dict[str, str] = Field(default_factory=dict)
    """Where rows of a customer hang on rows of that customer alone: the tables that hold those, each with the predicate
    that picks the rows of customers who changed (`delta_customers`, `delta_keys`). A run then builds their rows anew
    and takes the others over from the run before. A table without customers is made anew whole from the rows that are
    picked (`delta_suspects`): the others must not be able to bring it any."""

    changed: str | None = None
    """With `delta`: the predicate of the rows of this table that are made anew. Default: those of customers who
    changed, or all where it has no customers."""

    @field_validator("grain", "order_by", "index", "reads", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @model_validator(mode="after")
    def _known_columns(self) -> Head:
        if self.table.count(".") != 1:
            raise ValueError(f"table '{self.table}' must be named schema.table")
        unknown = [c for c in (*self.grain, *self.order_by, *self.index) if c not in self.columns]
        if unknown:
            raise ValueError(f"grain, order_by or index names {unknown}, which no column is called")
        if self.reads and not self.filled_by:
            raise ValueError(
                "'reads' is for a table that is filled by code; a SELECT says itself what it reads"
            )
        return self

    @property
    def layout(self) -> tuple[str, ...]:
        """The order of the rows, which never varies: `order_by`, then the rest of the grain."""
        return self.order_by + tuple(c for c in self.grain if c not in self.order_by)

    @property
    def schema_name(self) -> str:
        """The schema of the table."""
        return self.table.split(".")[0]


def split(text: str, where: str) -> tuple[Head, str]:
    """The head and the body of a SQL file's text; `where` names the file in errors.

    Raises
    ------
    TableError
        The text has no head, or one that says something unknown.
    """
    start, end = text.find(OPEN), text.find(CLOSE)
    if start != 0 or end < 0:
        raise TableError(f"{where} does not begin with a head ('{OPEN}' ... '{CLOSE}').")
    try:
        head = Head.model_validate(yaml.load(text[len(OPEN) : end], LOADER))
    except (yaml.YAMLError, ValidationError) as error:
        raise TableError(f"The head of {where} cannot be read: {error}") from None
    body = text[end + len(CLOSE) :].strip().rstrip(";").strip()
    if bool(body) == bool(head.filled_by):
        raise TableError(f"{where} must have either one SELECT or 'filled_by' in its head.")
    return head, body
