"""Settings of a source of files: the tables `[sources.NAME]` of evervalue.toml, checked and explained."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from evervalue.core.errors import SettingsError
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.fields import LINE_KINDS, Provides, fields_of

RESERVED_NAMES = frozenset({"files", "quarantine", "columns", "mappings", "mended", "conflicts"})
"""Tables of the raw zone that no source may be called."""


DATE_PARTS = frozenset([f"%{p}" for p in "aAbBcdfgGhHIjmMnpSTuUVwWxXyYzZ%"] + [f"%-{p}" for p in "dHIjmMSy"])
"""Parts of a date that the engine can read."""


class KindRule(BaseModel):
    """One test of one column, which makes a row something else than a sale. Exactly one test is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    column: str
    """Column as found in the file."""
    equals: str | None = None
    """The cell is this text."""
    any_of: tuple[str, ...] | None = Field(default=None, alias="in")
    """The cell is one of these texts (written `in` in the file)."""
    starts_with: str | None = None
    """The cell begins with this text."""
    below: int | float | None = None
    """The cell is a number below this one."""

    @field_validator("below")
    @classmethod
    def _finite(cls, value: int | float | None) -> int | float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return value

    @model_validator(mode="after")
    def _one_test(self) -> KindRule:
        given = [t for t in (self.equals, self.any_of, self.starts_with, self.below) if t is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of equals, in, starts_with or below")
        return self


class FilesSource(BaseModel):
    """A source of files. Only `path` and the columns are needed; the rest is found out or has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["files"] = "files"
    """What sort of source it is."""
    path: str
    """File, folder or glob, relative to the folder of evervalue.toml. A folder means every data file in it."""
    provides: Provides = "order_lines"
    """What one row is: order_lines, customers, costs (of products) or rates (of currencies)."""
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
    encoding: str | None = None
    """Encoding of text files; default: found out (UTF-8, UTF-16 by its mark, else Windows-1252 or Latin-1)."""
    delimiter: str | None = None
    """Character between fields, or "whitespace"; default: found out."""
    quote: str | None = None
    """Character around fields that contain a delimiter; default: the double quote."""
    sheet: str | None = None
    """Sheet of a workbook; default: the only one, or the first that holds the mapped columns."""

    @field_validator("path")
    @classmethod
    def _a_path(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("the path holds a NUL character")
        try:
            Path(value).expanduser()
        except RuntimeError:
            raise ValueError(
                f"'{value}' names a home folder that is not known here; write the folder itself"
            ) from None
        return value

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

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "1".encode(value).decode(
                    value
                )  # refuses codecs that are no encodings of text, such as base64
            except (LookupError, UnicodeError, ValueError):
                raise ValueError(
                    f"'{value}' is not an encoding of text; examples are utf-8, cp1252, latin-1, utf-16"
                ) from None
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}
        value = named.get(value, value) if value is not None else None
        if value is not None and value != "whitespace" and (len(value) != 1 or value in '\r\n"'):
            raise ValueError('the delimiter is one character, or "whitespace"')
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or value in "\r\n"):
            raise ValueError("the quote is one character")
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
    def _columns_make_sense(self) -> FilesSource:
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
            if field.name == "customer_id" and "customer_name" in have:
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
        if lacks:
            raise ValueError(f"columns lacks {' and '.join(lacks)}, which {self.provides} need")
        if self.discount_off and "discount" not in have:
            raise ValueError("discount_off needs columns.discount")
        if self.attributes and self.provides not in ("order_lines", "customers"):
            raise ValueError(f"attributes belong to customers, which {self.provides} do not have")
        if self.kinds and self.provides != "order_lines":
            raise ValueError(f"kinds belong to order lines, not to {self.provides}")
        return self


def files_source(
    name: str, values: Mapping[str, Any], options: Mapping[str, str] | None = None
) -> FilesSource:
    """The settings of one source, from the table `[sources.NAME]`, or from options (see `told`).

    Raises
    ------
    SettingsError
        Everything that is wrong with it, gathered, each with its key and what to do.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in RESERVED_NAMES:
        raise SettingsError(
            f"A source cannot be called '{name}': use small letters, digits and _, beginning with a letter, "
            f"and none of {listing(sorted(RESERVED_NAMES))}."
        )
    try:
        return FilesSource.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError(told(error, f"sources.{name}", FilesSource, options)) from None


def told(
    error: ValidationError, where: str, model: type[BaseModel], options: Mapping[str, str] | None = None
) -> str:
    """Every fault of a settings table as one paragraph; `where` is the table's key.

    `options` holds, by key, what the caller knows a setting as where no file was read: "value.horizon" is "--horizon".
    """
    faults = []
    for fault in error.errors():
        loc = [str(part) for part in fault["loc"]]
        key = ".".join([where, *loc])
        key = (options or {}).get(key, key)
        if fault["type"] == "extra_forbidden":
            names = KindRule.model_fields if len(loc) > 1 and loc[0] == "kinds" else model.model_fields
            near = did_you_mean(loc[-1], names)
            faults.append(f"{key} is not a setting{near}; the settings here are {listing(names, 30)}")
        elif fault["type"] == "missing":
            faults.append(f"{key} is missing; add it")
        elif fault["type"] == "value_error":
            faults.append(f"{key}: {str(fault['msg']).removeprefix('Value error, ')}")
        else:
            faults.append(f"{key}: {fault['msg'][0].lower()}{fault['msg'][1:]} (found {fault['input']!r})")
    return "; ".join(faults) + (". Mend it in evervalue.toml." if options is None else ".")
