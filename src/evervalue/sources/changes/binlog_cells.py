"""Values of a binary log as the text that a copy of the table writes, so that both give the same rows."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from evervalue.sources.databases.mysql_facts import BINARY

ZERO_DATE = "0000-00-00"
ZERO_TIME = "0000-00-00 00:00:00"
RANGES = ("out of date range", "out of datetime range", "out of datetime2 range")


def text(
    value: Any,
    base: str,
    *,
    missing: str = "",
    digits: int = 0,
    members: list[str] | None = None,
    size: int = 0,
) -> str | None:
    r"""A value as text, None for null.

    Parameters
    ----------
    base
        The type as information_schema calls it: int, timestamp, set ...
    missing
        Why the log's reader gives no value: `null`, or a value that Python has none for.
    digits
        Places behind the second that the column keeps.
    members
        Names of a set, in its own order.
    size
        Bytes of a `binary`, whose zeros at the end the log leaves out.

    Examples
    --------
    >>> text(None, "date", missing="out of date range"), text("101", "bit"), text(b"a", "binary", size=2)
    ('0000-00-00', '5', '\\x6100')
    """
    if value is None:
        return _missing(base, missing, digits)
    if isinstance(value, bool):
        return str(int(value))
    if base == "bit":
        return str(int(value, 2)) if isinstance(value, str) else str(value)
    if base == "year":
        return "0" if value == 1900 else str(value)  # 1900 is no year of the type: it stands for 0000
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime):
        return _moment(value, base, digits)
    if isinstance(value, dt.timedelta):
        return _time(value, digits)
    if isinstance(value, set | frozenset):
        return ",".join(m for m in members or sorted(value) if m in value)
    if base in BINARY and isinstance(value, str):
        value = value.encode()  # the log's reader takes bytes that are text for text
    if isinstance(value, bytes | bytearray):
        return "\\x" + bytes(value).ljust(size, b"\0").hex()
    if isinstance(value, dict | list):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _missing(base: str, why: str, digits: int) -> str | None:
    if why in RANGES:
        return ZERO_DATE if base == "date" else ZERO_TIME + (f".{'0' * digits}" if digits else "")
    return "" if why == "empty set" else None


def _moment(value: dt.datetime, base: str, digits: int) -> str:
    if base == "timestamp" and value == dt.datetime(1970, 1, 1):
        return ZERO_TIME + _fraction(0, digits) + "+00"  # the smallest timestamp is a second later
    shown = value.isoformat(sep=" ", timespec="seconds") + _fraction(value.microsecond, digits)
    return shown + "+00" if base == "timestamp" else shown


def _time(value: dt.timedelta, digits: int) -> str:
    micros = round(value.total_seconds() * 1_000_000)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, micros = divmod(micros, 1_000_000)
    if sign and micros:
        # mysql-replication 1.0 takes the complement of the seconds and forgets that of their fraction.
        micros = 1_000_000 - micros
    shown = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return shown + _fraction(micros, digits)


def _fraction(micros: int, digits: int) -> str:
    return f".{micros:06}"[: digits + 1] if digits else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.decode() if isinstance(value, bytes) else value
