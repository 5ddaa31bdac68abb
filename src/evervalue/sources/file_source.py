"""The source that a single file means, from what the caller says of its columns and guesses for the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evervalue.core.errors import MissingColumns
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.guess import Proposal, guess
from evervalue.sources.names import fit
from evervalue.sources.settings import FilesSource, files_source
from evervalue.warehouse.duckdb import Connection


@dataclass(frozen=True)
class FileSource:
    """A source made from a file, and what the caller should know of it."""

    source: FilesSource
    monetary: Literal["margin", "revenue"]
    """The basis of monetary value that the chosen column is."""
    says: list[str] = field(default_factory=list)
    """What was guessed, in sentences."""
    currency: str | None = None
    """The currency asked for, or the one whose sign stands beside the amounts."""


def source_for_file(
    scratch: Callable[[], AbstractContextManager[Connection]],
    path: str,
    *,
    base: Path,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    currency: str | None = None,
    options: Mapping[str, str] | None = None,
    **reader: str | None,
) -> FileSource:
    """The source that the file at `path` means.

    Columns that are not given are guessed. A monetary column that is called profit or margin is the margin; another
    is the amount. Without an order column that can be found, every row is an order.

    Parameters
    ----------
    scratch
        Opens a connection that may be written to, for the file is looked at there.
    path
        File, folder or glob, relative to `base`.
    options
        What settings are known as to the caller, by their keys, for errors.
    reader
        `encoding`, `delimiter`, `quote`, `sheet`, `time_zone`, as in the settings of a source.

    Raises
    ------
    MissingColumns
        A given column is not in the file, or a needed one is not given and cannot be guessed.
    """
    look = {k: v for k, v in reader.items() if k in ("encoding", "delimiter", "quote", "sheet")}
    with scratch() as con:
        proposal = guess(con, path, base, **look)
    given = {"customer_id": customer, "order_id": order, "ordered_at": date, "monetary": monetary}
    chosen = {name: column for name, column in given.items() if column is not None}
    _check(proposal, chosen)
    guessed = proposal.columns
    columns = {name: column for name, column in guessed.items() if column not in chosen.values()}
    columns |= {name: column for name, column in chosen.items() if name != "monetary"}
    if customer is not None:
        columns.pop("customer_name", None)
    kinds: dict[str, Any] = {}
    basis: Literal["margin", "revenue"] = "margin" if {"margin", "cost"} & set(columns) else "revenue"
    if monetary is not None:
        basis = _set_monetary(columns, kinds, monetary)
    _complete(proposal, columns)
    _leave_out_what_is_not_needed(proposal, columns)
    if "cancellation" in proposal.kinds and columns.get("order_id") == guessed.get("order_id"):
        kinds = {"cancellation": {"column": columns["order_id"], "starts_with": "C"}, **kinds}
    same_customer = customer is None or customer in (guessed.get("customer_id"), guessed.get("customer_name"))
    values = {
        "path": path,
        "columns": columns,
        "attributes": {k: g.column for k, g in proposal.attributes.items()} if same_customer else {},
        "kinds": kinds,
        "date_format": date_format,
        "decimal": decimal,
        "currency": currency or proposal.currency,
        **reader,
    }
    says = [
        f"{g.field} = '{g.column}' (guessed: {g.says})"
        for g in proposal.guesses.values()
        if columns.get(g.field) == g.column and g.column not in chosen.values()
    ]
    source = files_source("file", {k: v for k, v in values.items() if v}, options)
    return FileSource(source, basis, says, currency or proposal.currency)


def _set_monetary(
    columns: dict[str, str], kinds: dict[str, Any], column: str
) -> Literal["margin", "revenue"]:
    columns.pop("cost", None)
    columns.pop("margin", None)
    if fit(column, "margin") < 0.5:
        columns["amount"] = column
        return "revenue"
    columns["margin"] = column
    if "amount" not in columns and not {"quantity", "unit_price"} <= set(columns):
        # Profit is all there is: it stands for the amount, and a loss is a sale at a loss, not a return.
        columns["amount"] = column
        kinds["sale"] = {"column": column, "starts_with": ""}
    return "margin"


def _leave_out_what_is_not_needed(proposal: Proposal, columns: dict[str, str]) -> None:
    """A guess that scores do not need must not be what stops them."""
    columns.pop("discount", None)
    if "margin" in columns:
        columns.pop("cost", None)
    if "amount" in columns:
        columns.pop("unit_price", None)
        if "quantity" in proposal.doubtful:
            columns.pop("quantity", None)


def _check(proposal: Proposal, chosen: dict[str, str]) -> None:
    names = {name.lower() for name in proposal.found}
    options = {
        "customer_id": "--customer",
        "order_id": "--order",
        "ordered_at": "--date",
        "monetary": "--monetary",
    }
    lacking = [
        f"'{column}' ({options[name]}){did_you_mean(column, proposal.found)}"
        for name, column in chosen.items()
        if column.lower() not in names
    ]
    if lacking:
        raise MissingColumns(
            f"{proposal.shown} lacks the column {' and '.join(lacking)}; it has {listing(proposal.found, 30)}."
        )


def _complete(proposal: Proposal, columns: dict[str, str]) -> None:
    lacks = []
    if "ordered_at" not in columns:
        lacks.append("the date of the order (name it with --date)")
    if "customer_id" not in columns and "customer_name" not in columns:
        lacks.append("the customer (name it with --customer)")
    if "amount" not in columns and not {"quantity", "unit_price"} <= set(columns):
        lacks.append("money (name it with --monetary)")
    if lacks:
        raise MissingColumns(
            f"No column of {proposal.shown} looks like {' or '.join(lacks)}; it has {listing(proposal.found, 30)}."
        )
