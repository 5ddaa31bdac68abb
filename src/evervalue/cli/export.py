"""Writes a query's rows as CSV, JSON or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from evervalue.api.cells import safe_cell
from evervalue.core.errors import SettingsError, StorageError
from evervalue.core.text import did_you_mean
from evervalue.warehouse.duckdb import Connection, EngineError, first_line, literal

FORMATS = ("table", "csv", "json", "parquet")


def chosen_format(asked: str | None, output: Path | None) -> str:
    """The format asked for, else the one that the output's name ends in, else a table.

    Raises
    ------
    SettingsError
        No such format, an output whose name ends in none, or Parquet without a file to write to.
    """
    suffix = output.suffix.lstrip(".").lower() if output else ""
    if not asked and output and suffix not in FORMATS[1:]:
        raise SettingsError(
            f"{output} ends in no format that can be written: name a file that ends in "
            f"{', '.join('.' + f for f in FORMATS[1:-1])} or .{FORMATS[-1]}, or say which with --format."
        )
    chosen = asked or suffix or "table"
    if chosen not in FORMATS:
        raise SettingsError(
            f"No format is called '{chosen}'{did_you_mean(chosen, FORMATS)}. There are: {', '.join(FORMATS)}."
        )
    if chosen == "parquet" and output is None:
        raise SettingsError("Parquet is not text: name a file with -o.")
    return chosen


def write(con: Connection, query: str, fmt: str, output: Path | None) -> None:
    """Writes the rows of `query` in `fmt` to the file, or to standard output.

    Money in JSON is a string; CSV text that a spreadsheet would run as a formula is led by an apostrophe.
    """
    if output is None:
        _text(con, query, fmt, sys.stdout)
        return
    if output.exists() and not output.is_file():
        raise SettingsError(
            f"{output} is not a file; name one with -o, or leave -o out to write to the terminal."
        )
    output = output.resolve()
    partial = output.with_name(output.name + ".partial")
    try:
        if fmt == "parquet":
            con.execute(f"copy ({query}) to {literal(str(partial))} (format parquet)")
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                _text(con, query, fmt, file)
        partial.replace(output)
    except (OSError, EngineError) as error:
        partial.unlink(missing_ok=True)
        said = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise StorageError(f"{output} cannot be written: {said}.") from None


def _text(con: Connection, query: str, fmt: str, target: TextIO) -> None:
    cursor = con.execute(query)
    names = [d[0] for d in cursor.description or []]
    if fmt == "csv":
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(names)
        while rows := cursor.fetchmany(10_000):
            writer.writerows([safe_cell(cell) for cell in row] for row in rows)
        return
    target.write("[")
    lead = "\n"
    while rows := cursor.fetchmany(10_000):
        for row in rows:
            target.write(
                lead + json.dumps(dict(zip(names, map(_plain, row), strict=True)), ensure_ascii=False)
            )
            lead = ",\n"
    target.write("\n]\n")


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    return value
