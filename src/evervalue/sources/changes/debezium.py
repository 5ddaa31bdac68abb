"""Debezium's change events as JSON lines: the envelope, its types and its positions.

Source: the Debezium documentation of its connectors, "Data change events", "Data type mappings" and "Temporal types".
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evervalue.core.errors import InputError
from evervalue.sources.databases.tables import decimal

UNAVAILABLE = "__debezium_unavailable_value"
UNAVAILABLE_BYTES = base64.b64encode(UNAVAILABLE.encode()).decode()
OPS = {"c": "i", "r": "i", "u": "u", "d": "d", "t": "t"}
EPOCH = dt.datetime(1970, 1, 1)
PARTS = {
    "io.debezium.time.Timestamp": 1_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1_000_000,
    "io.debezium.time.NanoTimestamp": 1_000_000_000,
}
"""Instants or local times as a number of parts of a second since 1970."""
OF_DAY = {
    "io.debezium.time.Time": 1_000,
    "org.apache.kafka.connect.data.Time": 1_000,
    "io.debezium.time.MicroTime": 1_000_000,
    "io.debezium.time.NanoTime": 1_000_000_000,
}
DAYS = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")
PLAIN = {
    "int8": "SMALLINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "float": "DOUBLE", "float32": "DOUBLE", "double": "DOUBLE", "float64": "DOUBLE", "boolean": "BOOLEAN",
}  # fmt: skip


class Number(str):
    """A number as the file writes it, to the last digit."""


@dataclass(frozen=True)
class Event:
    """A change."""

    op: str
    lsn: int
    ordinal: int
    row: dict[str, Any]
    """Column: value; of a delete as far as it is told."""
    old: dict[str, Any] | None = None
    unchanged: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    """Column: engine type, or 'number' or 'text'."""
    key: tuple[str, ...] = ()
    """Columns of the key, where the line tells them."""
    committed_at: dt.datetime | None = None
    """When the source committed it, UTC, where the line tells it."""


def event(line: str, where: str, place: int) -> Event | None:
    """The change of a line; None for a tombstone, which only tells a broker to forget a key.

    Raises
    ------
    InputError
        The line is no change event, or has no position.
    json.JSONDecodeError
        It is no JSON, or cut off.
    """
    found = json.loads(line, parse_float=Number, parse_int=_whole)
    if found is None:
        return None
    schema: Any = None
    key: Any = None
    if isinstance(found, Mapping) and "value" in found and "key" in found and "op" not in found:
        key = found["key"]
        found = found["value"]
        if found is None:
            return None
    if isinstance(found, Mapping) and "payload" in found and "op" not in found:
        schema, found = found.get("schema"), found["payload"]
        if found is None:
            return None
    if not isinstance(found, Mapping) or "op" not in found or "source" not in found:
        raise InputError(
            f"{where}: line {place:,} is no change event of Debezium: it has no `op` and `source`. Write the whole "
            "envelope, without the transformation ExtractNewRecordState."
        )
    op = OPS.get(str(found["op"]))
    if op is None:
        raise InputError(f"{where}: line {place:,} has the operation '{found['op']}', which changes no row.")
    fields = _fields(schema)
    lsn, ordinal = position(found["source"], str(found["op"]), where, place)
    at = committed_at(found["source"])
    if op == "t":
        return Event(op, lsn, ordinal, {}, committed_at=at)
    after, before = found.get("after"), found.get("before")
    told = before if op == "d" else after
    row, types, unchanged = _row(told or {}, fields)
    names: tuple[str, ...] = ()
    if isinstance(key, Mapping):
        inner = key.get("payload") if "payload" in key and "schema" in key else key
        if isinstance(inner, Mapping):
            names = tuple(inner)
            key_fields = {f.get("field"): f for f in (key.get("schema") or {}).get("fields", [])}
            if op == "d" and not told:
                row, types, _ = _row(inner, key_fields)
    old = _row(before, fields)[0] if op == "u" and before else None
    if old is not None:
        row |= {name: old[name] for name in unchanged if old.get(name) is not None}
        unchanged = tuple(name for name in unchanged if old.get(name) is None)
    if not row:
        raise InputError(
            f"{where}: line {place:,} is a delete that does not say which row it means: it has neither `before` nor a "
            "key. Set the table's REPLICA IDENTITY, or write the keys too."
        )
    return Event(op, lsn, ordinal, row, old, unchanged, types, names, at)


def committed_at(source: Mapping[str, Any]) -> dt.datetime | None:
    """When the source committed a change, UTC. Rows of a snapshot tell 0 in some connectors, which is no time."""
    try:
        parts = int(source.get("ts_ms") or 0)
        return EPOCH + dt.timedelta(milliseconds=parts) if parts > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def position(source: Mapping[str, Any], op: str, where: str, place: int) -> tuple[int, int]:
    """Where a change stands in its source's own order: PostgreSQL's LSN, MySQL's file and position, SQL Server's LSN.

    Where there is none of these, the time of the commit, and behind it the place of the line. A row of the snapshot
    stands before a change at the same position.

    Raises
    ------
    InputError
        The event has none of them.
    """
    after = 0 if op == "r" or str(source.get("snapshot", "false")) in ("true", "last", "first") else 1
    if source.get("change_lsn"):
        parts = [int(p, 16) for p in str(source["change_lsn"]).split(":")]
        serial = int(source.get("event_serial_no") or 0)
        return parts[0] << 32 | parts[1], parts[2] << 24 | serial << 1 | after
    if source.get("file") and source.get("pos") is not None:
        number = str(source["file"]).rpartition(".")[2]
        if number.isdigit():
            return int(number) << 32 | int(source["pos"]), int(source.get("row") or 0) * 2 + after
    if source.get("lsn") is not None:
        return int(source["lsn"]), after
    for name, to_micros in (("ts_us", 1), ("ts_ms", 1000)):
        if source.get(name) is not None:
            return int(source[name]) * to_micros, place * 2 + after
    raise InputError(
        f"{where}: line {place:,} has no position: its `source` has neither lsn, nor file and pos, nor ts_ms."
    )


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) < 19 else Number(digits)


def _fields(schema: Any) -> dict[str, Any]:
    """What a schema says of the columns."""
    for part in (schema or {}).get("fields", []):
        if part.get("field") in ("after", "before") and part.get("fields"):
            return {f["field"]: f for f in part["fields"]}
    return {}


def _row(
    cells: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    row: dict[str, Any] = {}
    types: dict[str, str] = {}
    unchanged = []
    for name, cell in cells.items():
        if cell in (UNAVAILABLE, UNAVAILABLE_BYTES) or (
            isinstance(cell, list) and len(cell) == 1 and cell[0] == UNAVAILABLE
        ):
            row[name] = None
            unchanged.append(name)
        else:
            row[name], told = typed(cell, fields.get(name))
            if told:
                types[name] = told
    return row, types, tuple(unchanged)


def typed(cell: Any, field: Mapping[str, Any] | None) -> tuple[str | None, str]:
    """A cell as text, and its type; the type is empty where neither the schema nor the cell tells it."""
    if field is None:
        return _untyped(cell)
    name, type = field.get("name") or "", str(field.get("type") or "")
    parameters = field.get("parameters") or {}
    if name == "org.apache.kafka.connect.data.Decimal":
        scale = int(parameters.get("scale", 0))
        digits = parameters.get("connect.decimal.precision")
        shape = decimal(int(digits), scale) if digits else "number"
        return (None if cell is None else _decimal(cell, scale)), "number" if shape == "VARCHAR" else shape
    if name == "io.debezium.data.VariableScaleDecimal":
        return (None if cell is None else _decimal(cell["value"], int(cell["scale"]))), "number"
    if name in DAYS:
        return (None if cell is None else _shown(EPOCH, days=int(cell)).partition(" ")[0]), "DATE"
    if name in PARTS:
        per = PARTS[name]
        shown = None if cell is None else _shown(EPOCH, microseconds=int(cell) * 1_000_000 // per)
        return shown, "TIMESTAMP"
    if name in OF_DAY:
        per = OF_DAY[name]
        shown = (
            None
            if cell is None
            else _shown(EPOCH, microseconds=int(cell) * 1_000_000 // per).partition(" ")[2]
        )
        return shown, "text"
    if name == "io.debezium.time.ZonedTimestamp":
        return cell, "TIMESTAMP WITH TIME ZONE"
    if cell is None:
        return None, PLAIN.get(type, "text")
    if type == "bytes":
        return "\\x" + base64.b64decode(cell).hex(), "text"
    if type in PLAIN:
        return _untyped(cell)[0], PLAIN[type]
    shown, _ = _untyped(cell)
    return shown, "text"


def _untyped(cell: Any) -> tuple[str | None, str]:
    if cell is None:
        return None, ""
    if isinstance(cell, bool):
        return str(cell).lower(), "BOOLEAN"
    if isinstance(cell, int):
        return str(cell), "BIGINT"
    if isinstance(cell, Number):
        return str(cell), "number"
    if isinstance(cell, str):
        return cell, "text"
    return json.dumps(_plain(cell), ensure_ascii=False), "text"


def _plain(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return {k: _plain(v) for k, v in cell.items()}
    if isinstance(cell, list):
        return [_plain(v) for v in cell]
    return float(cell) if isinstance(cell, Number) else cell


def _decimal(cell: Any, scale: int) -> str:
    """Base64 of the unscaled number, two's complement and big end first; or the number itself."""
    if isinstance(cell, Number | int):
        return str(cell)
    whole = int.from_bytes(base64.b64decode(cell), "big", signed=True)
    return f"{Decimal(whole).scaleb(-scale):f}" if abs(whole) < 10**27 else _long(whole, scale)


def _long(whole: int, scale: int) -> str:
    digits = str(abs(whole)).rjust(scale + 1, "0")
    cut = len(digits) - scale
    return ("-" if whole < 0 else "") + (f"{digits[:cut]}.{digits[cut:]}" if scale else digits)


def _shown(start: dt.datetime, **step: int) -> str:
    try:
        return (start + dt.timedelta(**step)).isoformat(sep=" ")
    except OverflowError:
        return "infinity" if min(step.values()) > 0 else "-infinity"
