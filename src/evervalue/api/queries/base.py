"""What all queries share: filters in SQL and in words, and sorted lists that are read page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evervalue.api.cursor import Cursor, decode
from evervalue.api.errors import BadRequest
from evervalue.api.snapshots import Reading, Row, Statement
from evervalue.core.text import did_you_mean


@dataclass(frozen=True)
class Condition:
    """One filter, as the engine takes it; how it is said stands beside it in the filters' own `says`."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class SortKey:
    """A way to order a list: the expression, its type for the cursor, and whether it runs against the name."""

    expression: str
    type: str
    flipped: bool = False
    """True where a better way to the same order exists that runs the other way (rank 1 = highest profit)."""

    nullable: bool = True
    """False where the expression is never null, which saves a question a row."""

    stored: bool = False
    """True where the table's head says that its rows lie in this order, upwards and without a gap: then the
    engine may stop scanning at the limit instead of finding the smallest of a million rows."""


@dataclass(frozen=True)
class Page:
    """Which part of a sorted list is asked for."""

    sort: str
    after: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True)
class PageOfRows:
    """The rows of a page, with the way to its neighbours."""

    rows: list[Row]
    statement: Statement
    seconds: float
    first: int
    next: str | None
    previous: str | None

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return self.first + len(self.rows) - 1


@dataclass(frozen=True)
class ListQuery:
    """A list over one table: filtered, sorted, and read by keyset, so that page 20,000 costs what page 1 costs."""

    table: str
    key: str
    columns: tuple[str, ...]
    sorts: Mapping[str, SortKey]
    conditions: tuple[Condition, ...] = field(default=())

    def total(self, reading: Reading) -> int:
        """How many rows the filters leave; counted once for a snapshot."""
        statement = Statement(f"select count(*) as n from {self.table}{self._where()}", self._parameters())
        return int(reading.result(statement).rows[0][0])

    def everything(self, sort: str) -> Statement:
        """All rows that the filters leave, sorted, for an export."""
        key, down = self._sort(sort)
        order = f"{key.expression} {'desc' if down else 'asc'} nulls last, {self.key}"
        sql = f"select {', '.join(self.columns)}\nfrom {self.table}{self._where()}\norder by {order}"
        return Statement(sql, self._parameters())

    def page(self, reading: Reading, page: Page) -> PageOfRows:
        """One page of the list.

        Raises
        ------
        BadRequest
            The sort order or the cursor is not known.
        """
        if page.after and page.before:
            raise BadRequest("Give 'after' or 'before', not both.")
        given = page.after or page.before
        cursor = self._found(reading, decode(given, page.sort)) if given else None
        back = page.before is not None
        statement = self._statement(page, cursor, back)
        result = reading.result(statement, keep=False)
        rows = result.dicts()
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        if back:
            rows.reverse()
            at = cursor.position if cursor else 1
            first = max(at - len(rows), 1) if more else 1
        else:
            first = cursor.position + 1 if cursor else 1
        has_next = more if not back else True
        has_previous = more if back else cursor is not None
        next_, previous = self._neighbours(page.sort, rows, first, has_next, has_previous)
        shown = [{k: v for k, v in row.items() if k != "_sort"} for row in rows]
        return PageOfRows(shown, statement, result.seconds, first, next_, previous)

    def _found(self, reading: Reading, cursor: Cursor) -> Cursor:
        """The cursor with its row's own value and key, where it came with the key's digest alone."""
        if not cursor.digested:
            return cursor
        key, _ = self._sort(cursor.sort)
        sql = f"select cast({key.expression} as varchar), {self.key} from {self.table} where md5({self.key}) = $digest"
        rows = reading.result(Statement(sql, {"digest": cursor.key})).rows
        if not rows:
            raise BadRequest("The cursor's row is not in this run. Start again from the first page.")
        value, row_key = rows[0]
        return Cursor(cursor.sort, value, row_key, cursor.position)

    def _statement(self, page: Page, cursor: Cursor | None, back: bool) -> Statement:
        key, down = self._sort(page.sort)
        parameters = self._parameters()
        where = [c.sql for c in self.conditions]
        if cursor is not None and key.stored:
            where.append(
                f"{key.expression} {'<' if down != back else '>'} try_cast($cursor_value as {key.type})"
            )
            parameters["cursor_value"] = cursor.value
        elif cursor is not None:
            where.append(_beyond(key, self.key, down, back, cursor.value is None))
            parameters["cursor_key"] = cursor.key
            if cursor.value is not None:
                parameters["cursor_value"] = cursor.value
        descending = down != back
        order = (
            f"{key.expression} {'desc' if descending else 'asc'} nulls {'first' if back else 'last'}, "
            f"{self.key} {'desc' if back else 'asc'}"
        )
        columns = ", ".join((*self.columns, f"cast({key.expression} as varchar) as _sort"))
        conditions = "\nwhere " + "\n  and ".join(where) if where else ""
        if key.stored and not descending:
            sql = f"select {columns}\nfrom {self.table}{conditions}\nlimit {page.limit + 1}"
            return Statement(sql, parameters)
        sql = f"select {columns}\nfrom {self.table}{conditions}\norder by {order}\nlimit {page.limit + 1}"
        return Statement(sql, parameters)

    def _sort(self, sort: str) -> tuple[SortKey, bool]:
        name = sort.removeprefix("-")
        if name not in self.sorts:
            raise BadRequest(f"There is no sort order '{name}'{did_you_mean(name, self.sorts)}.")
        key = self.sorts[name]
        return key, sort.startswith("-") != key.flipped

    def _neighbours(
        self, sort: str, rows: list[Row], first: int, has_next: bool, has_previous: bool
    ) -> tuple[str | None, str | None]:
        if not rows:
            return None, None
        top, end = rows[0], rows[-1]
        after = (
            Cursor(sort, end["_sort"], end[self.key], first + len(rows) - 1).encode() if has_next else None
        )
        before = Cursor(sort, top["_sort"], top[self.key], first).encode() if has_previous else None
        return after, before

    def _where(self) -> str:
        return "\nwhere " + "\n  and ".join(c.sql for c in self.conditions) if self.conditions else ""

    def _parameters(self) -> dict[str, Any]:
        return {name: value for c in self.conditions for name, value in c.parameters.items()}


def _beyond(key: SortKey, row_key: str, down: bool, back: bool, value_is_null: bool) -> str:
    """The rows after (or, going back, before) the cursor's, where empty values always come last."""
    name, ahead = key.expression, ("<" if back else ">")
    if value_is_null:
        tied = f"{name} is null and {row_key} {ahead} $cursor_key"
        return f"({name} is not null or ({tied}))" if back else f"({tied})"
    value = f"try_cast($cursor_value as {key.type})"
    way = "<" if down != back else ">"
    # the cheap comparison first: most rows are decided by it, and the costlier ones are not asked about them
    inside = f"{name} {way}= {value} and ({name} {way} {value} or {row_key} {ahead} $cursor_key)"
    return f"({inside})" if back or not key.nullable else f"(({inside}) or {name} is null)"


def search(text: str, *columns: str) -> Condition:
    """Rows that contain the text anywhere in one of the columns, whatever its case."""
    each = " or ".join(f"contains(lower({c}), lower($search))" for c in columns)
    return Condition(f"({each})", {"search": text})


def chosen(column: str, name: str, values: tuple[object, ...]) -> Condition:
    """Rows whose column is one of the values."""
    parameters = {f"{name}_{i}": value for i, value in enumerate(values)}
    holders = ", ".join(f"${p}" for p in parameters)
    return Condition(f"{column} in ({holders})", parameters)


def within(column: str, name: str, low: object, high: object) -> list[Condition]:
    """Rows whose column is `low` or more and less than `high`; an end that is None is open."""
    found = []
    if low is not None:
        found.append(Condition(f"{column} >= ${name}_from", {f"{name}_from": low}))
    if high is not None:
        found.append(Condition(f"{column} < ${name}_to", {f"{name}_to": high}))
    return found


def joined(words: list[str]) -> str:
    """'a', 'a or b', 'a, b or c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
