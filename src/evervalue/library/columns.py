"""From the columns of any frame to order lines: keys, business days and exact money, or a clear refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evervalue.core.errors import AmbiguousInput, InputError
from evervalue.core.text import count, listing
from evervalue.sources.fields import LINE_KINDS
from evervalue.warehouse.duckdb import Connection, literal, quoted
from evervalue.warehouse.frames import Kind, chosen, names_in, take_in

INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip
FLOATS = {"FLOAT", "DOUBLE"}
EXACT = 1e11
"""Below this a double tells all amounts of four places apart: one that equals it is what its text shows."""
LARGEST = "99999999999999"


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; None where there is none."""

    customer: str
    date: str
    monetary: str
    order: str | None = None
    name: str | None = None
    kind: str | None = None

    @property
    def all(self) -> list[str]:
        """Those that are there."""
        return [
            c
            for c in (self.customer, self.date, self.monetary, self.order, self.name, self.kind)
            if c is not None
        ]


def columns_of(names: list[str], *, customer: str | None, order: str | None, date: str | None, monetary: str | None,
               customer_name: str | None) -> Columns:  # fmt: skip
    """The columns asked for, and the usual names where nothing was asked."""
    key = chosen(names, customer, ("customer_id", "customer", "customer_name"), "customer")
    shown = ("customer", "customer_name") if customer is None and key == "customer_id" else ()
    return Columns(
        customer=str(key),
        date=str(chosen(names, date, ("order_date", "ordered_at", "date"), "date")),
        monetary=str(chosen(names, monetary, ("monetary", "margin", "amount", "revenue"), "monetary")),
        order=chosen(names, order, ("order_id",), "order", needed=False),
        name=chosen(names, customer_name, shown, "customer_name", needed=False),
        kind=chosen(names, None, ("kind",), "kind", needed=False),
    )


def lines_view(con: Connection, frame: Any, kind: Kind, columns: Columns) -> str:
    """The name of a view of order lines over a frame.

    Raises
    ------
    InputError
        A column has a type or cells that cannot be taken.
    """
    schema = take_in(con, "evervalue_frame", frame, kind, columns.all)
    described = con.execute("describe evervalue_frame").fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    zone = getattr(schema.field(columns.date).type, "tz", None)
    parts = [
        f"{_key(con, columns.customer, types, 'customer')} as customer_id",
        f"{_day(con, columns.date, types[columns.date], zone)} as order_date",
        f"{_money(con, columns.monetary, types[columns.monetary])} as monetary",
    ]
    if columns.order is not None:
        parts.append(f"{_key(con, columns.order, types, 'order')} as order_id")
    if columns.name is not None and columns.name != columns.customer:
        parts.append(f"nullif({quoted(columns.name)}::text, '') as customer")
    if columns.kind is not None:
        parts.append(f"{_kind(con, columns.kind)} as kind")
    con.execute(
        f"create or replace temp view evervalue_lines as select {', '.join(parts)} from evervalue_frame"
    )
    return "evervalue_lines"


def frame_columns(frame: Any, kind: Kind, **asked: str | None) -> Columns:
    """The columns of a frame, by the names asked for."""
    return columns_of(
        names_in(frame, kind),
        customer=asked.get("customer"),
        order=asked.get("order"),
        date=asked.get("date"),
        monetary=asked.get("monetary"),
        customer_name=asked.get("customer_name"),
    )


def _key(con: Connection, column: str, types: dict[str, str], what: str) -> str:
    ident, type = quoted(column), types[column]
    if type in INTEGERS:
        return ident
    if type in FLOATS:
        broken = _number(con, f"count(*) filter (where {ident} <> floor({ident}) or abs({ident}) >= 9e15)")
        if broken:
            raise InputError(
                f"{count(broken, 'cell')} of '{column}' are not whole numbers, so they cannot be {what} keys. "
                "Keys are text or whole numbers."
            )
        return f"{ident}::bigint"
    return f"nullif({ident}::text, '')"


def _day(con: Connection, column: str, type: str, zone: str | None) -> str:
    ident = quoted(column)
    if type == "DATE":
        return ident
    if type == "TIMESTAMP WITH TIME ZONE":
        return f"timezone({literal(zone or 'UTC')}, {ident})::date"
    if type.startswith("TIMESTAMP"):
        return f"{ident}::date"
    if type != "VARCHAR":
        raise InputError(f"'{column}' holds {type.lower()}, not dates. Name the date column: date=...")
    day = f"try_cast(try_cast({ident} as timestamp) as date)"
    unread, example = con.execute(
        f"select count(*), min({ident}) from evervalue_frame where {ident} is not null and {day} is null"
    ).fetchone() or (0, None)
    if unread:
        raise AmbiguousInput(
            f"'{column}' is text, and {count(unread, 'cell')} of it, for example '{example}', do not begin with the "
            "year, so their order of day and month is a guess. Convert the column to dates first, or let "
            "ev.read_orders read the file, which weighs the whole column."
        )
    return day


def _money(con: Connection, column: str, type: str) -> str:
    ident = quoted(column)
    if type not in FLOATS and type not in INTEGERS and not type.startswith("DECIMAL"):
        raise InputError(
            f"'{column}' holds {'text' if type == 'VARCHAR' else type.lower()}, not numbers. Convert it first, "
            "or let ev.read_orders read the file, which knows how amounts are written."
        )
    if type == "DECIMAL(18,4)":
        return ident
    unfit = (
        f"not isfinite({ident}) or abs({ident}) >= {LARGEST}"
        if type in FLOATS
        else f"abs({ident}) >= {LARGEST}"
    )
    bad, example = con.execute(
        f"select count(*), any_value({ident})::text from evervalue_frame where {unfit}"
    ).fetchone() or (0, None)
    if bad:
        raise InputError(
            f"{count(bad, 'cell')} of '{column}' cannot be money, for example {example}: amounts are finite and "
            "below 100,000,000,000,000. Mend or drop those rows first."
        )
    near = f"{ident}::decimal(18,4)"
    if type not in FLOATS:
        return near
    # The amount that a float stands for is its shortest text, rounded half away from zero. Where the float is the one
    # nearest to an amount of four places, that amount has the shortest text, and no text need be made.
    shown = f"{ident}::text::decimal(18,4)"
    if type == "FLOAT":
        return shown
    return f"case when abs({ident}) < {EXACT} and round({ident} * 1e4) / 1e4 = {ident} then {near} else {shown} end"


def _kind(con: Connection, column: str) -> str:
    ident = quoted(column)
    known = ", ".join(literal(kind) for kind in LINE_KINDS)
    unknown = [
        str(row[0])
        for row in con.execute(
            f"select distinct {ident}::text from evervalue_frame "
            f"where {ident} is null or {ident}::text not in ({known}) limit 5"
        ).fetchall()
    ]
    if unknown:
        raise InputError(
            f"The column '{column}' says what a row is ({listing(LINE_KINDS, 9)}), and holds {listing(unknown)}. "
            "Rename it if it means something else, or mend those rows."
        )
    return f"{ident}::text"


def _number(con: Connection, expression: str) -> int:
    return int((con.execute(f"select {expression} from evervalue_frame").fetchone() or (0,))[0])
