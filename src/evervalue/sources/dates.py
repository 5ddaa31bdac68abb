"""How a column writes its dates and times, settled by evidence over the whole source."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from evervalue.core.errors import AmbiguousInput
from evervalue.sources.evidence import Cells, Shape, date_shapes, shown
from evervalue.warehouse.duckdb import Connection, literal

EARLIEST, LATEST = "1900-01-01", "2200-01-01"
"""Dates outside are refused as absurd."""

_TIME = re.compile(
    r"(?P<gap>[T ,]\s*)(?P<clock>9{1,2}:99(?P<seconds>:99(?P<fraction>[.,]9+)?)?)(?P<half>\s?[AaPp]\.?[Mm]\.?)?"
    r"(?P<zone>\s?(?:Z|UTC|GMT|[+-]99(?::?99)?))?$"
)
_NUMERIC = re.compile(r"9{1,2}([/.\-])9{1,2}\1(9{4}|99)$")
_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_ORDERS = {
    "day first": ("%d", "%m", "%y"),
    "month first": ("%m", "%d", "%y"),
    "year first": ("%y", "%m", "%d"),
}


@dataclass(frozen=True)
class DateReading:
    """How to read the text cells of a column as dates or instants."""

    formats: tuple[str, ...] = ()
    """Formats without an offset."""
    zoned: bool = False
    """Some cells carry an offset."""
    iso: bool = False
    """Some cells are written year-month-day with a time that may have a fraction."""
    epoch: bool = False
    """Some cells count seconds or milliseconds since 1970."""
    has_time: bool = False
    """Some cells carry a time of day."""
    says: str = ""
    """How a doubt was settled; empty where there was none."""
    order: str = ""
    """Which of day, month and year comes first, where that had to be settled."""
    tidy: bool = field(default=False)
    """Some cells need their weekday, dots or commas taken off before they are read."""
    timed_format: str | None = None
    """The format that was set, where it holds a time of day."""

    def timed(self, cell: str) -> str:
        """SQL: whether the cell carries a time of day."""
        test = f"regexp_matches({cell}, '[0-9]:[0-9]{{2}}') or regexp_full_match({cell}, '[0-9]{{14}}')"
        return (
            f"({test} or try_strptime({cell}, {literal(self.timed_format)}) is not null)"
            if self.timed_format
            else f"({test})"
        )

    def local(self, cell: str) -> str:
        """SQL: the cell as a timestamp as written, null where it carries an offset or is no date."""
        tries = []
        if self.formats:
            listed = ", ".join(literal(f) for f in self.formats)
            text = _tidied(cell) if self.tidy else cell
            tries.append(f"try_strptime({text}, {listed if len(self.formats) == 1 else f'[{listed}]'})")
        if self.iso:
            plain = (
                f"regexp_full_match({cell}, '[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}([T "
                f"][0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]+)?)?)?')"
            )
            tries.append(f"case when {plain} then try_cast({cell} as timestamp) end")
        return (
            f"coalesce({', '.join(tries)})" if len(tries) > 1 else (tries[0] if tries else "null::timestamp")
        )

    def instant(self, cell: str) -> str:
        """SQL: the UTC timestamp of a cell that says its own offset, null for others."""
        tries = []
        if self.zoned:
            # The engine takes no blank before an offset.
            written = f"regexp_replace(replace({cell}, 'GMT', 'UTC'), '\\s+([+-][0-9:]+)$', '\\1')"
            tries.append(
                f"case when regexp_matches({cell}, ':[0-9]{{2}}.*(Z|UTC|GMT|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$') "
                f"then timezone('UTC', try_cast({written} as timestamptz)) end"
            )
        if self.epoch:
            tries.append(
                f"case when regexp_full_match({cell}, '[0-9]{{10}}') then make_timestamp(try_cast({cell} "
                "as bigint) * 1000000) end"
            )
            tries.append(
                f"case when regexp_full_match({cell}, '[0-9]{{13}}') then make_timestamp(try_cast({cell} "
                "as bigint) * 1000) end"
            )
        return (
            f"coalesce({', '.join(tries)})" if len(tries) > 1 else (tries[0] if tries else "null::timestamp")
        )


def read_dates(
    con: Connection, cells: Cells, *, field_name: str, source: str, date_format: str | None
) -> DateReading:
    """How the column's cells are to be read.

    Raises
    ------
    AmbiguousInput
        Day and month cannot be told apart, or the column mixes both orders.
    """
    shapes = date_shapes(con, cells)
    formats: list[str] = [date_format] if date_format else []
    numeric: list[tuple[Shape, str, str, str]] = []
    zoned = iso = epoch = tidy = False
    timed_format = date_format if date_format and re.search("%[HI]", date_format) else None
    has_time = timed_format is not None
    for shape in shapes:
        layout = _layout(shape.shape)
        if layout is None:
            continue
        has_time = has_time or layout.has_time
        zoned = zoned or layout.zoned
        iso = iso or layout.iso
        epoch = epoch or layout.epoch
        tidy = tidy or layout.tidy
        formats.extend(f for f in layout.formats if f not in formats)
        if layout.mark:
            numeric.append((shape, layout.mark, layout.year, layout.time))
    says = order = ""
    if numeric:
        order, says = _order(con, cells, numeric, field_name, source, date_format)
        for _, mark, year, time in numeric:
            parts = [year if p == "%y" else p for p in _ORDERS[order]]
            written = mark.join(parts) + time
            if written not in formats:
                formats.append(written)
    return DateReading(tuple(formats), zoned, iso, epoch, has_time, says, order, tidy, timed_format)


def looks_like_date(shape: str) -> bool:
    """Whether cells of a shape are dates in a usual notation; runs of digits are left in doubt."""
    return not shape.isdigit() and _layout(shape) is not None


@dataclass(frozen=True)
class _Layout:
    formats: tuple[str, ...] = ()
    mark: str = ""
    year: str = ""
    time: str = ""
    zoned: bool = False
    iso: bool = False
    epoch: bool = False
    has_time: bool = False
    tidy: bool = False


def _layout(shape: str) -> _Layout | None:
    """What a shape says of how its cells are written; None where it is no date."""
    if re.fullmatch("9{10}|9{13}", shape):
        return _Layout(epoch=True, has_time=True)
    if shape == "9" * 8:
        return _Layout(("%Y%m%d",))
    if shape == "9" * 14:
        return _Layout(("%Y%m%d%H%M%S",), has_time=True)
    found = _TIME.search(shape)
    day = shape[: found.start()] if found else shape
    time = _time_format(found) if found else ""
    zoned = bool(found and found["zone"])
    if re.fullmatch("9{4}-9{1,2}-9{1,2}", day):
        if zoned:
            return _Layout(zoned=True, has_time=True)
        if found and (found["half"] or found["gap"] not in ("T", " ")):
            return _Layout(("%Y-%m-%d" + time,), has_time=True)
        return _Layout(iso=True, has_time=bool(found))
    if zoned:
        return None
    yearly = re.fullmatch(r"9{4}([/.])9{1,2}\1(9{1,2})", day)
    if yearly:
        mark = yearly.group(1)
        return _Layout((f"%Y{mark}%m{mark}%d{time}",), has_time=bool(found))
    numeric = _NUMERIC.match(day)
    if numeric:
        return _Layout(
            mark=numeric.group(1),
            year="%Y" if numeric.group(2) == "9999" else "%y",
            time=time,
            has_time=bool(found),
        )
    return _worded(day, time, bool(found))


def _worded(day: str, time: str, has_time: bool) -> _Layout | None:
    """Dates with the month in (English) words: 9 Jan 2022, Jan 9, 2022, 09-Jan-22."""
    text = (
        re.sub(r"^[A-Za-z]{3,9},? (?=9|[A-Za-z])", "", day)
        if re.match(r"^(mon|tue|wed|thu|fri|sat|sun)", day, re.I)
        else day
    )
    text = text.replace(",", "").replace(".", "")
    tidy = text != day
    month = re.search(_MONTHS, text, re.I)
    if not month:
        return None
    word = "%b" if len(month.group()) == 3 else "%B"
    if found := re.fullmatch(rf"9{{1,2}}([ \-/]?){_MONTHS}([ \-/]?)(9{{4}}|99)", text, re.I):
        year = "%Y" if found.group(3) == "9999" else "%y"
        return _Layout(
            (f"%d{found.group(1)}{word}{found.group(2)}{year}{time}",), has_time=has_time, tidy=tidy
        )
    if re.fullmatch(rf"{_MONTHS} 9{{1,2}} 9{{4}}", text, re.I):
        return _Layout((f"{word} %d %Y{time}",), has_time=has_time, tidy=tidy)
    return None


def _tidied(cell: str) -> str:
    day_names = literal("^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? ")
    return f"regexp_replace(regexp_replace({cell}, {day_names}, ''), '([A-Za-z])[.]|,', '\\1', 'g')"


def _time_format(found: re.Match[str]) -> str:
    gap = re.sub(r"\s+", " ", found["gap"])
    clock = ("%I" if found["half"] else "%H") + ":%M"
    if found["seconds"]:
        clock += ":%S"
    if found["fraction"]:
        clock += found["fraction"][0] + "%f"
    half = ""
    if found["half"]:
        half = (" " if found["half"][0].isspace() else "") + "%p"
    return gap + clock + half


def _order(
    con: Connection,
    cells: Cells,
    numeric: list[tuple[Shape, str, str, str]],
    field_name: str,
    source: str,
    date_format: str | None,
) -> tuple[str, str]:
    """Which part comes first in dates of three numbers, and how that was settled."""
    where = f"sources.{source}: column '{cells.column}' ({field_name})"
    decides = (
        f"Set date_format under [sources.{source}] (or --date-format), for example date_format = "
        '"%d/%m/%Y" for day first '
        'or "%m/%d/%Y" for month first'
    )
    if date_format and (given := _order_of(date_format)):
        return given, f"'{cells.column}' is read {given}, as set"
    short = any(year == "%y" for _, _, year, _ in numeric)
    # Years of two digits come first with dashes only (22-01-13); with points or slashes nobody writes so.
    dashed = short and any(mark == "-" for _, mark, _, _ in numeric)
    orders = list(_ORDERS) if dashed else ["day first", "month first"]
    day = "translate(regexp_extract(c, '^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}'), '.-', '//')"
    tries = {}
    for order in orders:
        formats = ", ".join(
            literal("/".join(year if p == "%y" else p for p in _ORDERS[order]))
            for year in sorted({y for _, _, y, _ in numeric})
        )
        tries[order] = f"try_strptime(d, [{formats}])"
    parsed = ", ".join(f"{sql} as t{i}" for i, sql in enumerate(tries.values()))
    names = [f"t{i}" for i in range(len(orders))]
    any_one = " or ".join(f"{n} is not null" for n in names)
    counts = ", ".join(f"count({n}), min(d) filter ({n} is null)" for n in names)
    same = " and ".join(f"t0 is not distinct from {n}" for n in names[1:])
    row = con.execute(
        f"with cells as (select distinct {cells.sql} as c from {cells.table} where {cells.where}), "
        f"days as (select distinct {day} as d from cells), "
        f"parsed as (select d, {parsed} from days where d is not null and d <> '') "
        f"select count(*), bool_and({same}), min(d), max(d), {counts} from parsed where {any_one}"
    ).fetchone()
    assert row is not None
    total, all_same, least, greatest = row[:4]
    readable = {order: (row[4 + 2 * i], row[5 + 2 * i]) for i, order in enumerate(orders)}
    fits = [order for order, (n, _) in readable.items() if n == total]
    if total == 0 or all_same or fits == ["day first"] or fits == ["month first"] or fits == ["year first"]:
        order = fits[0] if fits else "day first"
        others = [against for o, (_, against) in readable.items() if o != order and against]
        return order, f"'{cells.column}' is read {order}, because of {shown(others, 1)}" if others else ""
    if not fits:
        against = [cell for _, cell in readable.values() if cell]
        raise AmbiguousInput(
            f"{where} mixes two ways of writing dates: {shown(against)}. {decides}; cells written the "
            "other way then go to "
            "quarantine."
        )
    raise AmbiguousInput(
        f"{where} holds {shown(_three(con, cells, day, least, greatest))}, and no cell settles whether it "
        f"is {' or '.join(fits)}. "
        f"{decides}."
    )


def _three(con: Connection, cells: Cells, day: str, least: str, greatest: str) -> list[str]:
    rows = con.execute(
        f"select distinct c from (select {cells.sql} as c from {cells.table} where {cells.where}) where "
        f"{day} <> '' order by c limit 3"
    ).fetchall()
    return [str(r[0]) for r in rows] or [least, greatest]


def _order_of(date_format: str) -> str | None:
    parts = re.findall("%[dmyYbB]", date_format)
    first = parts[0] if parts else ""
    return {"%d": "day first", "%m": "month first", "%y": "year first"}.get(first)
