"""How a column writes its numbers: which mark is the decimal one, what groups thousands, what stands around them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from evervalue.core.errors import AmbiguousInput
from evervalue.sources.evidence import (
    MOST_SHAPES,
    PLAIN_DECIMAL,
    PLAIN_INTEGER,
    Cells,
    Shape,
    number_shapes,
    shown,
)
from evervalue.warehouse.duckdb import Connection, literal

Mark = Literal[".", ","]

CURRENCY_MARKS = {
    "US$": "USD", "A$": "AUD", "C$": "CAD", "R$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW",
    "₺": "TRY", "₽": "RUB", "₪": "ILS", "₫": "VND", "฿": "THB", "zł": "PLN", "Kč": "CZK",
    "$": None, "¥": None, "kr": None,
}  # fmt: skip
"""Signs that may stand beside an amount, and the one currency each means; None where it means several."""

SPACES = r"\s\x{00a0}\x{202f}\x{2009}\x{2007}"
SIGNS = "|".join(re.escape(m) for m in sorted(CURRENCY_MARKS, key=len, reverse=True))
PY_DECORATION = re.compile(f"(?:{SIGNS})|(?<![A-Za-z])[A-Z]{{3}}(?![A-Za-z])")
SQL_SIGNS = "|".join(re.sub(r"([$.])", r"[\1]", m) for m in sorted(CURRENCY_MARKS, key=len, reverse=True))
STRICT = re.compile(r"[-+]?(9+[.]?9*|[.]9+)([eE][-+]?9+)?")
NOT_FINITE = ("nan", "inf", "infinity")


def cast_number(text: str, type: str) -> str:
    """SQL: text as a decimal, rounded half away from zero; null where it does not fit.

    A decimal of more than 18 digits is slow to read, so the narrow one is tried first.
    """
    if type == "decimal(28,10)":
        return f"coalesce(try_cast({text} as decimal(18,10))::decimal(28,10), try_cast({text} as decimal(28,10)))"
    return f"try_cast({text} as {type})"


@dataclass(frozen=True)
class NumberReading:
    """How to read the text cells of a column as numbers."""

    decimal: Mark = "."
    plain: bool = True
    """Every cell that is a number is written as machines do: no grouping, no sign but a leading one."""
    certain: bool = False
    """Every cell was seen to be such a number, so that none needs to be tested again."""
    percent: bool = False
    """Some cells carry a percent sign."""
    says: str = ""
    """How a doubt was settled; empty where there was none."""
    currencies: frozenset[str] = field(default_factory=frozenset)
    """Marks of currencies beside the numbers."""
    finer_than_money: int = 0
    """Cells with more than four decimals."""

    def normal(self, cell: str) -> str:
        """SQL: the cell as a plain number's text (digits, point, leading sign), null where it is no number."""
        if self.certain:
            return cell
        strict = f"regexp_full_match({cell}, '[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?')"
        if self.plain and self.decimal == ".":
            return f"case when {strict} then {cell} end"
        group = re.escape("," if self.decimal == "." else ".")
        mark = re.escape(self.decimal)
        digits = f"([0-9]{{1,3}}({group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+)({mark}[0-9]*)?|{mark}[0-9]+"
        space = f"[{SPACES}'’]"
        spaced = f"[0-9]{{1,3}}({space}[0-9]{{3}})+({mark}[0-9]*)?"
        bare = self._bare(cell)
        sign = r"[-+−]?"
        pattern = literal(
            f"{sign}({digits}|{spaced})([eE][-+]?[0-9]+)?|({digits}|{spaced})[-−]|[(]({digits}|{spaced})[)]"
        )
        removed = literal(f"[{SPACES}'’()+−-]|{group}")
        negative = f"regexp_matches({bare}, '^[-−(]|[-−]$')"
        exponent = f"regexp_matches({bare}, '[eE]')"
        unsigned = f"replace(regexp_replace({bare}, {removed}, '', 'g'), {literal(self.decimal)}, '.')"
        careful = (
            f"case when {exponent} then replace({bare}, {literal(self.decimal)}, '.') "
            f"when {negative} then '-' || {unsigned} else {unsigned} end"
        )
        quick = f"when {strict} then {cell} " if self.decimal == "." else ""
        return f"case {quick}when regexp_full_match({bare}, {pattern}) then {careful} end"

    def value(self, cell: str, type: str) -> str:
        """SQL: the cell as a decimal, rounded half away from zero; null where it is no number or too large."""
        value = cast_number(self.normal(cell), type)
        if self.percent:
            bare = f"rtrim({cell}, '% ')"
            part = f"try_cast(try_cast({self.normal(bare)} as decimal(28,8)) * 0.01 as {type})"
            return f"case when ends_with({cell}, '%') then {part} else {value} end"
        return value

    def _bare(self, cell: str) -> str:
        """SQL: the cell without currency, and without spaces at its ends or beside its sign."""
        text = f"regexp_replace({cell}, {literal(f'({SQL_SIGNS})|^[A-Z]{{3}}|[A-Z]{{3}}$')}, '', 'g')"
        text = f"regexp_replace({text}, {literal(f'^[{SPACES}]+|[{SPACES}]+$')}, '', 'g')"
        text = f"regexp_replace({text}, {literal(f'^([-+−(])[{SPACES}]+')}, '\\1')"
        return f"regexp_replace({text}, {literal(f'[{SPACES}]+([)−-])$')}, '\\1')"


def looks_like_number(shape: str) -> bool:
    """Whether cells of a shape are numbers, whatever their marks mean."""
    return _core(shape, percent=True)[0] is not None


@dataclass
class _Votes:
    """Cells that speak for each reading, with examples."""

    point: list[str] = field(default_factory=list)
    comma: list[str] = field(default_factory=list)
    either: list[str] = field(default_factory=list)
    repeated_point: list[str] = field(default_factory=list)


def read_numbers(
    con: Connection,
    cells: Cells,
    *,
    field_name: str,
    source: str,
    decimal: Mark | None,
    percent: bool = False,
) -> NumberReading:
    """How the column's cells are to be read.

    Raises
    ------
    AmbiguousInput
        Two readings are left and neither the column nor the setting `decimal` decides.
    """
    return settle_numbers(
        number_shapes(con, cells),
        column=cells.column,
        field_name=field_name,
        source=source,
        decimal=decimal,
        percent=percent,
    )


def settle_numbers(
    shapes: list[Shape],
    *,
    column: str,
    field_name: str,
    source: str,
    decimal: Mark | None,
    percent: bool = False,
) -> NumberReading:
    """The reading that the shapes of a column settle; see `read_numbers`."""
    votes = _Votes()
    plain, has_percent, finer = True, False, 0
    certain = len(shapes) < MOST_SHAPES
    currencies: Counter[str] = Counter()
    for shape in shapes:
        if shape.shape in (PLAIN_INTEGER, PLAIN_DECIMAL):
            if shape.shape == PLAIN_DECIMAL:
                votes.point.append(shape.example)
            continue
        core, marks, is_percent = _core(shape.shape, percent)
        certain = certain and STRICT.fullmatch(shape.shape) is not None
        for mark in marks:
            currencies[mark] += shape.cells
        if core is None:
            continue
        has_percent = has_percent or is_percent
        if (
            marks
            or is_percent
            or not re.fullmatch(r"[-+]?[9.,]+(?:[eE][-+]?9+)?", shape.shape)
            or "," in shape.shape
        ):
            plain = plain and is_percent and not marks
        _vote(core, shape.example, votes)
        finer += shape.cells if _decimals(core) > 4 else 0
    mark, says = _decide(votes, column, field_name, source, decimal)
    if votes.repeated_point:
        plain = False
    plain = plain and mark == "."
    return NumberReading(
        mark, plain, plain and certain and not has_percent, has_percent, says, frozenset(currencies), finer
    )


def _core(shape: str, percent: bool) -> tuple[str | None, list[str], bool]:
    """The shape without sign, currency and percent: digits and marks, or None where it is no number."""
    marks = PY_DECORATION.findall(shape)
    text = PY_DECORATION.sub("", shape).strip()
    is_percent = percent and text.endswith("%")
    if is_percent:
        text = text[:-1].strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    elif text[:1] in "+-−" and text:
        text = text[1:].strip()
    elif text[-1:] in ("-", "−"):
        text = text[:-1].strip()
    mantissa = re.sub(r"[eE][-+]?9+$", "", text)
    grouped = re.fullmatch(r"9{1,3}(?:[\s'’]9{3})+((?:[.,]9*)?)", mantissa)
    if grouped:
        return "9 " + grouped.group(1), marks, is_percent
    if not re.fullmatch(r"[9.,]*9[9.,]*", mantissa):
        return None, marks, False
    return mantissa, marks, is_percent


def _vote(core: str, example: str, votes: _Votes) -> None:
    points, commas = core.count("."), core.count(",")
    if core.startswith("9 ") or (points and commas):
        last = max(core.rfind("."), core.rfind(","))
        if last < 0 or core.count(core[last]) > 1:
            return
        (votes.point if core[last] == "." else votes.comma).append(example)
    elif points + commas == 1:
        mark = "." if points else ","
        before, after = core.split(mark)
        digits = re.sub(r"[^0-9.,]", "", example)
        if len(after) == 3 and 1 <= len(before) <= 3 and not digits.startswith("0"):
            votes.either.append(example)
        else:
            (votes.point if mark == "." else votes.comma).append(example)
    elif points > 1 and re.fullmatch(r"9{1,3}(?:\.9{3})+", core):
        votes.repeated_point.append(example)
    elif commas > 1 and re.fullmatch(r"9{1,3}(?:,9{2,3})*,9{3}", core):
        votes.point.append(example)


def _decide(
    votes: _Votes, column: str, field_name: str, source: str, decimal: Mark | None
) -> tuple[Mark, str]:
    where = f"sources.{source}: column '{column}' ({field_name})"
    decides = (
        f'Set decimal = "." or decimal = "," under [sources.{source}] (or --decimal) to say which '
        "mark is the decimal one"
    )
    if decimal is not None:
        doubts = votes.either or votes.repeated_point or (votes.point and votes.comma)
        return decimal, f"'{decimal}' is the decimal mark of '{column}', as set" if doubts else ""
    if votes.point and votes.comma:
        raise AmbiguousInput(
            f"{where} writes numbers in two ways: "
            f"{shown([votes.point[0], votes.comma[0], *votes.comma[1:]])}. {decides}; "
            "cells written the other way then go to quarantine."
        )
    if votes.point and votes.repeated_point:
        raise AmbiguousInput(
            f"{where} holds {shown(votes.repeated_point[:2])} beside {shown(votes.point[:1], 1)}: a point "
            "cannot be both the "
            f"decimal mark and a separator of thousands. {decides}; cells written the other way then go to quarantine."
        )
    if votes.point:
        settled = (
            f"'{column}': {shown(votes.either, 1)} is read with '.' as the decimal mark, because of "
            f"{shown(votes.point, 1)}"
        )
        return ".", settled if votes.either else ""
    if votes.comma:
        return ",", f"'{column}' is read with ',' as the decimal mark, because of {shown(votes.comma, 1)}"
    if votes.repeated_point:
        raise AmbiguousInput(
            f"{where} holds {shown(votes.repeated_point)}: a point that appears twice is either a "
            "separator of thousands or "
            f"the trace of a damaged export, and no other cell settles it. {decides}."
        )
    if votes.either:
        cell = votes.either[0]
        raise AmbiguousInput(
            f"{where} holds {shown(votes.either)}: '{cell}' may have three decimals or be a number of "
            "thousands, and no "
            f"other cell settles it. {decides}."
        )
    return ".", ""


def _decimals(core: str) -> int:
    last = max(core.rfind("."), core.rfind(","))
    return len(core) - last - 1 if last >= 0 else 0
