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
