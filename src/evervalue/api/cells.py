"""How values leave the server: money as text in JSON, and CSV cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_json(value: object) -> bytes:
    """Compact JSON; decimals are strings to the last digit, dates are ISO."""
    return json.dumps(
        value, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def plain(value: object) -> Any:
    """A value of the engine as JSON knows it.

    >>> plain(Decimal("10308.6297"))
    '10308.6297'
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def types_of(data: object) -> dict[str, Any]:
    """What JSON cannot say of the values of an answer: field -> decimal, date or datetime; nested as the data is.

    >>> types_of([{"a": None, "b": "x"}, {"a": Decimal(1), "orders": [{"day": date(2024, 1, 2)}]}])
    {'a': 'decimal', 'orders': {'day': 'date'}}
    """
    found: dict[str, Any] = {}
    rows = data if isinstance(data, list | tuple) else [data]
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    for name in names:
        kind = next((k for row in rows if isinstance(row, dict) and (k := _kind(row.get(name)))), None)
        if kind:
            found[name] = kind
    return found


def _kind(value: object) -> str | dict[str, Any] | None:
    if value is None or isinstance(value, str | int | float):
        return None
    if isinstance(value, Decimal):
        return "decimal"
    if isinstance(value, datetime):
        return "datetime"
    if isinstance(value, date):
        return "date"
    if isinstance(value, list | tuple) and value and not isinstance(value[0], dict):
        return next((kind for each in value if (kind := _kind(each))), None)
    return types_of(value) if isinstance(value, dict | list | tuple) else None


def safe_cell(value: object) -> str:
    """One CSV cell. Text that a spreadsheet would run gets an apostrophe before it; numbers stay numbers.

    >>> safe_cell("=1+1"), safe_cell(Decimal("-1.50")), safe_cell(True), safe_cell(None)
    ("'=1+1", '-1.50', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) else value
    if isinstance(value, Decimal | date | datetime):
        return str(plain(value))
    return str(value)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([safe_cell(v) for v in row] for row in rows)
    return out.getvalue()
