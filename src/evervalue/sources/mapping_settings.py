"""How rows of a source become rows of a mapped table: the part of the settings that mapping reads."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from evervalue.core.text import did_you_mean, listing
from evervalue.sources.fields import LINE_KINDS, ONE_OF, Provides, fields_of

DATE_PARTS = frozenset([f"%{p}" for p in "aAbBcdfgGhHIjmMnpSTuUVwWxXyYzZ%"] + [f"%-{p}" for p in "dHIjmMSy"])
"""Parts of a date that the engine can read."""


class Rule(BaseModel):
    """One test of one column. Exactly one test is given; texts are compared without regard to case."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    column: str
    """Column as found in the table."""
    equals: str | None = None
    """The cell is this text."""
    any_of: tuple[str, ...] | None = Field(default=None, alias="in")
    """The cell is one of these texts (written `in` in the file)."""
    not_in: tuple[str, ...] | None = None
    """The cell is none of these texts; an empty cell is none of them."""
    starts_with: str | None = None
    """The cell begins with this text."""
    filled: bool | None = None
    """The cell is not empty; with false: it is."""
    below: int | float | None = None
    """The cell is a number below this one."""
    above: int | float | None = None
    """The cell is a number above this one."""

    @field_validator("below", "above")
    @classmethod
    def _finite(cls, value: int | float | None) -> int | float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return value

    @model_validator(mode="after")
    def _one_test(self) -> Rule:
        given = [
            t
            for t in (
                self.equals,
                self.any_of,
                self.not_in,
                self.starts_with,
                self.filled,
                self.below,
                self.above,
            )
            if t is not None
        ]
        if len(given) != 1:
            raise ValueError("give exactly one of equals, in, not_in, starts_with, filled, above or below")
        return self


class KindRule(Rule):
    """One test of one column, which makes a row something else than a sale; texts are compared as they are."""


class Made(BaseModel):
    """A column that the mapping makes of others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    joined: tuple[str, ...] = ()
    """Columns whose cells are written behind one another, with a space between those that are not empty."""
    any_of: tuple[str, ...] = ()
    """Names of which the first that the table has is taken."""
    first_of: tuple[str, ...] = ()
    """Columns of which the first filled cell is taken; those that the table lacks are passed over."""
    text: str | None = None
    """What stands in every row."""


def _named(column: Any, made: dict[str, Made]) -> Any:
    """The name of a column, where `column` says how one is made: kept in `made`."""
    if isinstance(column, list | tuple) and column and all(isinstance(part, str) for part in column):
        name = " + ".join(column)
        made[name] = Made(joined=tuple(column))
        return name
    if isinstance(column, Mapping) and set(column) == {"any_of"}:
        name = " or ".join(column["any_of"])
        made[name] = Made(any_of=tuple(column["any_of"]))
        return name
    if isinstance(column, Mapping) and set(column) == {"first_of"}:
        name = " else ".join(column["first_of"])
        made[name] = Made(first_of=tuple(column["first_of"]))
        return name
    if isinstance(column, Mapping) and set(column) == {"text"}:
        name = f"'{column['text']}'"
        made[name] = Made(text=column["text"])
        return name
    return column


class MappingSettings(BaseModel):
    """How rows become rows of a mapped table. Only the columns are needed; the rest is found out or has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provides: Provides = "order_lines"
    """What one row is: order_lines, customers, costs (of products), rates (of currencies), cost_entries (costs of a
    line, an order, a customer or a period), subscriptions, balances (of accounts), income (interest and fees) or
    identifiers (of customers)."""
    columns: dict[str, str]
    """Canonical field = column as found. Order lines need `ordered_at`, `customer_id` or `customer_name`, and
    `amount` or both `quantity` and `unit_price`. An amount that is missing in a row whose quantity and unit price
    are there is computed from them. A price of zero is an ordinary row; a price below zero gives a negative amount."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """Name = column: what else is known of the customer; latest and history are kept."""
    kinds: dict[str, KindRule] = Field(default_factory=dict)
    """Kind = rule, first match wins. What no rule names is a sale where amount and quantity are not negative; a
    negative amount is a `return`, or an `adjustment` where its quantity is positive; a negative quantity without
    a negative amount is an `adjustment`. A positive amount with a negative margin is a sale."""
    currency: str | None = None
    """Three-letter code of amounts in a source without a currency column; default: the project's."""
    time_zone: str | None = None
    """Zone of times without an offset; default: the project's. A date without a time is a business day as it is."""
    date_format: str | None = None
    """How dates are written, for example "%d/%m/%Y"; decides what the column does not settle."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark; decides what the column does not settle."""
    discount_off: Literal["fraction", "percent", "amount"] | None = None
    """Where the amount is computed from quantity and unit price: how `discount` is taken off it. Default: not."""
    missing: tuple[str, ...] = ("NULL", "\\N", "#N/A", "N/A")
    """Cells that stand for nothing, besides the empty one."""
    duplicates: Literal["keep", "drop"] = "keep"
    """Identical lines where no `line_id` tells them apart: kept, with a warning, or counted once."""
    only: tuple[Rule, ...] = ()
    """Rules that a row must all fit to count. Others are set aside: counted, and mapped to nothing."""
    faults: str | None = Field(default=None, exclude_if=lambda column: column is None)
    """Column in which whoever wrote the rows says what is wrong with one: a short code, a colon, and words. Such rows
    go to quarantine with them."""
    negative: Rule | bool = False
    """Rows whose money and quantity are written without the minus sign they mean (credit memos): all, or by a rule."""
    minor_units: tuple[str, ...] = ()
    """Fields that count the smallest unit of the row's currency: 1999 is 19.99 dollars, and 1999 yen."""
    external_ids: str | None = Field(default=None, pattern="^[a-z][a-z0-9_]*$")
    """Namespace whose customer keys the field `external_id` holds; default: numbers of the system's own."""
    optional: tuple[str, ...] = ()
    """Fields and attributes that are left out, with a note, where their column is not there."""
    made: dict[str, Made] = Field(default_factory=dict, exclude_if=lambda made: not made)
    """Columns made of others, by the names that `columns` gives them; filled from lists and tables there."""

    @model_validator(mode="before")
    @classmethod
    def _make_columns(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "made" in values:
            return values
        made: dict[str, Made] = {}
        taken: dict[str, Any] = {
            key: {name: _named(column, made) for name, column in values[key].items()}
            for key in ("columns", "attributes")
            if isinstance(values.get(key), Mapping)
        }
        if isinstance(values.get("only"), Mapping):
            taken["only"] = [values["only"]]
        return {**values, **taken, **({"made": made} if made else {})}

    @field_validator("columns")
    @classmethod
    def _some_columns(cls, value: dict[str, str]) -> dict[str, str]:
        if not value:
            raise ValueError("no column is mapped")
        return value

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: dict[str, KindRule]) -> dict[str, KindRule]:
        for kind in value:
            if kind not in LINE_KINDS:
                raise ValueError(
                    f"'{kind}' is no kind of line{did_you_mean(kind, LINE_KINDS)}; use {listing(LINE_KINDS, 9)}"
                )
        return value

    @field_validator("currency")
    @classmethod
    def _code(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[A-Z]{3}", value):
            raise ValueError(f"'{value}' is not a three-letter currency code such as EUR")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value is not None and value not in zoneinfo.available_timezones():
            raise ValueError(
                f"'{value}' is not a time zone{did_you_mean(value, zoneinfo.available_timezones())}"
            )
        return value

    @field_validator("date_format")
    @classmethod
    def _format(cls, value: str | None) -> str | None:
        if value is not None and "%" not in value:
            raise ValueError(f"'{value}' has no % parts; write it as in %d/%m/%Y, %m/%d/%Y or %Y-%m-%d %H:%M")
        for part in re.findall("%-?.?", value or "", re.DOTALL):
            if part not in DATE_PARTS:
                raise ValueError(
                    f"'{part}' in '{value}' is no part of a date; write it as in %d/%m/%Y, %m/%d/%Y or %Y-%m-%d %H:%M"
                )
        return value

    @model_validator(mode="after")
    def _columns_make_sense(self) -> MappingSettings:
        known = fields_of(self.provides)
        for name in self.columns:
            if name not in known:
                raise ValueError(
                    f"columns.{name} is not a field of {self.provides}{did_you_mean(name, known)}; "
                    f"the fields are {listing(known, 30)}; what else is known of a customer goes under attributes"
                )
        have = set(self.columns)
        lacks: list[str] = []
        for field in known.values():
            if not field.needed or field.name in have:
                continue
            if field.name == "customer_id" and "customer_name" in have & set(known):
                continue
            if field.name == "amount" and {"quantity", "unit_price"} <= have:
                continue
            lacks.append(
                {
                    "customer_id": "customer_id or customer_name",
                    "amount": "amount, or quantity and unit_price",
                }.get(field.name, field.name)
                if self.provides == "order_lines"
                else field.name
            )
        lacks += [
            f"one of {', '.join(names)}" for names in ONE_OF.get(self.provides, ()) if not have & set(names)
        ]
        if lacks:
            raise ValueError(f"columns lacks {' and '.join(lacks)}, which {self.provides} need")
        if self.discount_off and "discount" not in have:
            raise ValueError("discount_off needs columns.discount")
        if self.attributes and self.provides not in ("order_lines", "customers"):
            raise ValueError(f"attributes belong to customers, which {self.provides} do not have")
        if self.kinds and self.provides != "order_lines":
            raise ValueError(f"kinds belong to order lines, not to {self.provides}")
        return self
