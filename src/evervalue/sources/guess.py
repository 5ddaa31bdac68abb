"""Guesses which column is what, from names and from cells, and says why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evervalue.core.errors import AmbiguousInput
from evervalue.core.text import count
from evervalue.sources.dates import read_dates
from evervalue.sources.files import FoundFile
from evervalue.sources.names import ATTRIBUTES, fit, folded
from evervalue.sources.numbers import CURRENCY_MARKS, read_numbers
from evervalue.sources.profile import ColumnProfile, FileProfile, profile, profile_rows
from evervalue.warehouse.duckdb import Connection, quoted

NUMBERS = ("amount", "margin", "cost", "quantity", "unit_price", "discount")
ORDER = (
    "ordered_at", "customer_id", "customer_name", "order_id", "line_id", "amount", "margin", "cost", "quantity",
    "unit_price", "discount", "product_id", "product_name", "category", "currency", "channel", "region", "country",
)  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """A column that is taken for a field."""

    field: str
    column: str
    says: str
    """Why."""
    sure: bool = True
    """Whether it may be written down without asking."""


@dataclass
class Proposal:
    """What a file's columns seem to be, and how its cells are written."""

    path: str
    shown: str
    rows: int
    whole: bool
    guesses: dict[str, Guess] = field(default_factory=dict)
    attributes: dict[str, Guess] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Kind: (rule as written in TOML, why)."""
    date_format: tuple[str, str] | None = None
    """Format and why, where the column settles it."""
    decimal: tuple[str, str] | None = None
    currency: str | None = None
    """Currency whose sign stands beside the amounts."""
    doubts: dict[str, str] = field(default_factory=dict)
    """Setting: what the user has to decide."""
    doubtful: set[str] = field(default_factory=set)
    """Fields whose cells can be read in two ways."""
    lacks: list[str] = field(default_factory=list)
    """Needed fields for which no column was found."""
    found: list[str] = field(default_factory=list)
    """All columns of the file."""
    unused: list[str] = field(default_factory=list)
    """Columns that nothing was made of."""

    @property
    def columns(self) -> dict[str, str]:
        """Canonical field = column, as far as it is sure."""
        return {name: g.column for name, g in self.guesses.items() if g.sure}

    @property
    def monetary(self) -> str:
        """The basis of monetary value that the columns allow."""
        return "margin" if {"margin", "cost"} & set(self.columns) else "revenue"

    def sentences(self) -> list[str]:
        """Each guess in a sentence."""
        return [f"{g.field} = '{g.column}': {g.says}" for g in self.guesses.values() if g.sure]


def guess(con: Connection, path: str, base: Path, **reader: str | None) -> Proposal:
    """What the columns of the file at `path` seem to be.

    Parameters
    ----------
    con
        A connection that may be written to, for the file is loaded into its raw zone.
    path
        File, folder or glob, relative to `base`; of several files the first is looked at.
    """
    return _Guesser(profile(con, path, base, **reader), path).proposal()


def guess_rows(con: Connection, file: FoundFile, rows: int, whole: bool) -> Proposal:
    """What the columns seem to be of the rows that lie in the raw table that is guessed at."""
    return _Guesser(profile_rows(con, file, 1, rows, whole), file.shown).proposal()


class _Guesser:
    def __init__(self, file: FileProfile, path: str) -> None:
        self.file = file
        self.columns = file.columns
        self.out = Proposal(path, file.file.shown, file.rows, file.whole, found=list(file.columns))
        self.taken: set[str] = set()

    def proposal(self) -> Proposal:
        self._date()
        self._customer()
        self._order_and_line()
        for name in NUMBERS:
            self._best(name, lambda c, name=name: _mostly(c.numbers, c, name))
        for name in ("product_id", "product_name", "category", "currency", "channel", "region", "country"):
            self._best(name, lambda c: c.dates < 0.5 and c.distinct > 0)
        self._money()
        self._attributes()
        self._kinds()
        self._formats()
        self.out.guesses = {name: self.out.guesses[name] for name in ORDER if name in self.out.guesses}
        used = {g.column for g in (*self.out.guesses.values(), *self.out.attributes.values())}
        self.out.unused = [name for name in self.columns if name not in used]
        return self.out

    def _ranked(self, name: str) -> list[tuple[float, ColumnProfile]]:
        ranked = [(fit(c.name, name), c) for c in self.columns.values() if c.name not in self.taken]
        return sorted(((f, c) for f, c in ranked if f > 0), key=lambda r: -r[0])

    def _take(self, name: str, column: ColumnProfile, says: str, sure: bool = True) -> None:
        self.out.guesses[name] = Guess(name, column.name, says, sure)
        if sure:
            self.taken.add(column.name)

    def _best(self, name: str, fits: object) -> None:
        assert callable(fits)
        ranked = [(f, c) for f, c in self._ranked(name) if fits(c)]
        if not ranked:
            return
        score, column = ranked[0]
        sure = score >= 0.6
        self._take(
            name,
            column,
            self._content(name, column) if sure else f"the name is like it; {self._content(name, column)}",
            sure,
        )

    def _content(self, name: str, c: ColumnProfile) -> str:
        if name in NUMBERS:
            words = ["numbers" if c.numbers > 0.999 else f"numbers in {c.numbers:.0%} of the cells"]
            if c.negative:
                words.append("some negative")
            if c.filled < self.file.rows:
                words.append(f"{self.file.rows - c.filled:,} empty")
            return ", ".join(words)
        return f"{count(c.distinct, 'distinct value')}" + (
            "" if c.filled == self.file.rows else f", {self.file.rows - c.filled:,} empty"
        )

    def _date(self) -> None:
        dated = [c for c in self.columns.values() if _mostly(c.dates, c, "ordered_at")]
        ranked = sorted(((fit(c.name, "ordered_at"), c) for c in dated), key=lambda r: (-r[0], r[1].name))
        if not ranked:
            self.out.lacks.append("ordered_at")
            return
        score, column = ranked[0]
        says = (
            "the only column of dates"
            if len(ranked) == 1
            else f"dates, {count(column.distinct, 'distinct day or time', 'distinct days or times')}"
        )
        if column.dates <= 0.999:
            says += f", in {column.dates:.0%} of the cells"
        if score < 0.4 and len(ranked) > 1:
            says += "; please check, several columns hold dates"
        self._take("ordered_at", column, says)
        self.taken.update(c.name for c in dated)

    def _customer(self) -> None:
        few = max(self.file.rows, 1)

        def plausible(c: ColumnProfile) -> bool:
            return c.filled > 0 and c.dates < 0.5 and not (c.fractional and c.numbers > 0.9)

        ids = [(f, c) for f, c in self._ranked("customer_id") if plausible(c)]
        names = [(f, c) for f, c in self._ranked("customer_name") if plausible(c) and c.numbers < 0.5]
        if not ids:
            loose = [
                c
                for c in self.columns.values()
                if folded(c.name).endswith("id") and plausible(c) and 1 < c.distinct < few
            ]
            loose = [
                c
                for c in loose
                if c.name not in self.taken
                and fit(c.name, "order_id") == 0
                and fit(c.name, "product_id") == 0
            ]
            if loose and not names:
                ids = [(0.4, loose[0])]
        if ids:
            score, column = ids[0]
            says = count(column.distinct, "distinct value")
            if score < 0.6:
                says += "; please check that it is the customer"
            twins = [c.name for _, c in ids[1:] if self._one_to_one(column, c)]
            names = [(f, c) for f, c in names if c.name != column.name]
            if names and self._one_to_one(column, names[0][1]):
                says += f", 1:1 with '{names[0][1].name}'"
            elif twins:
                says += f", 1:1 with '{twins[0]}'"
            if column.filled < self.file.rows:
                says += f", {self.file.rows - column.filled:,} empty (those rows go to quarantine)"
            self._take("customer_id", column, says)
            key = column
            names = [(f, c) for f, c in names if self.file.values_a_key(key.name, c.name) <= 1 and f >= 0.6]
            if names:
                self._take("customer_name", names[0][1], "one name a customer")
        elif names and names[0][0] >= 0.6:
            column = names[0][1]
            self._take(
                "customer_name",
                column,
                f"{count(column.distinct, 'distinct value')}; there is no key, so the name is the key as well",
            )
        else:
            self.out.lacks.append("customer_id")

    def _one_to_one(self, a: ColumnProfile, b: ColumnProfile) -> bool:
        if a.distinct != b.distinct:
            return False
        return self.file.values_a_key(a.name, b.name) <= 1 and self.file.values_a_key(b.name, a.name) <= 1

    def _order_and_line(self) -> None:
        customer = self.out.guesses.get("customer_id") or self.out.guesses.get("customer_name")
        for _, column in [r for r in self._ranked("order_id") if r[0] >= 0.6 and r[1].filled]:
            shared = self.file.shared_keys(column.name, customer.column) if customer else 0
            lines = self.file.rows / max(column.distinct, 1)
            if shared > 0.05 * column.distinct:
                self._take(
                    "order_id", column, f"{shared:,} of its values belong to several customers", sure=False
                )
                continue
            says = f"{count(column.distinct, 'distinct value')}, {lines:.1f} lines each"
            if shared:
                says += f"; {shared:,} belong to several customers (those rows go to quarantine)"
            elif customer:
                says += ", each of one customer"
            self._take("order_id", column, says)
            break
        for score, column in self._ranked("line_id"):
            unique = column.distinct == column.filled == self.file.rows and self.file.rows > 1
            if unique and score >= 0.6:
                self._take("line_id", column, "unique in every row")
                break

    def _money(self) -> None:
        have = self.out.guesses
        sure = {name for name, g in have.items() if g.sure}
        if "amount" in sure or {"quantity", "unit_price"} <= sure:
            if "amount" not in sure:
                have.pop("amount", None)
            return
        if "unit_price" in sure and "quantity" not in sure and folded(have["unit_price"].column) == "price":
            have["amount"] = Guess(
                "amount", have.pop("unit_price").column, "a price, and no quantity beside it"
            )
            return
        self.out.lacks.append("amount")

    def _attributes(self) -> None:
        customer = self.out.guesses.get("customer_id") or self.out.guesses.get("customer_name")
        if customer is None:
            return
        for c in self.columns.values():
            known = folded(c.name)
            if c.name in (
                customer.column,
                *(
                    g.column
                    for g in self.out.guesses.values()
                    if g.sure and g.field in ("customer_name", *NUMBERS)
                ),
            ):
                continue
            if known not in ATTRIBUTES or c.filled == 0 or c.distinct < 2:
                continue
            if self.file.values_a_key(customer.column, c.name) <= 1:
                key = "_".join("".join(ch if ch.isalnum() else " " for ch in c.name.lower()).split())
                self.out.attributes[key] = Guess(
                    key, c.name, f"one value a customer, {count(c.distinct, 'distinct value')}"
                )

    def _kinds(self) -> None:
        order = self.out.guesses.get("order_id")
        signed = self.out.guesses.get("quantity") or self.out.guesses.get("amount")
        if not (order and order.sure and signed) or not self.columns[signed.column].negative:
            return
        number = f"try_cast({quoted(signed.column)}::varchar as double)"
        row = self.file.con.execute(
            f"select count(*), count(*) filter ({number} < 0) from {self.file.table} where "
            f"starts_with({quoted(order.column)}::varchar, 'C')"
        ).fetchone()
        if row and row[0] and row[0] == row[1]:
            rule = f'{{ column = {toml_text(order.column)}, starts_with = "C" }}'
            self.out.kinds["cancellation"] = (
                rule,
                f"{row[0]:,} lines begin so, and all of them have a negative {signed.field}",
            )

    def _formats(self) -> None:
        dated = self.out.guesses.get("ordered_at")
        if dated and not self.columns[dated.column].typed:
            try:
                reading = read_dates(
                    self.file.con,
                    self.columns[dated.column].cells,
                    field_name="ordered_at",
                    source="guessed",
                    date_format=None,
                )
                if reading.order and len(reading.formats) == 1:
                    self.out.date_format = (reading.formats[0], reading.says.partition(" because of ")[2])
            except AmbiguousInput as error:
                self.out.doubts["date_format"] = _reason(error)
        marks: set[str] = set()
        for name in NUMBERS:
            found = self.out.guesses.get(name)
            if found is None or not found.sure or self.columns[found.column].typed:
                continue
            try:
                numbers = read_numbers(
                    self.file.con,
                    self.columns[found.column].cells,
                    field_name=name,
                    source="guessed",
                    decimal=None,
                    percent=name == "discount",
                )
            except AmbiguousInput as error:
                self.out.doubts["decimal"] = _reason(error)
                self.out.doubtful.add(name)
                continue
            marks |= {CURRENCY_MARKS.get(m, m) or "" for m in numbers.currencies}
            if numbers.decimal == ",":
                self.out.decimal = (",", numbers.says.partition(" because of ")[2])
        codes = {m for m in marks if m}
        if len(codes) == 1:
            self.out.currency = codes.pop()


def _mostly(share: float, column: ColumnProfile, name: str) -> bool:
    """Whether enough cells are what the field needs; fewer will do where the name says it, for files have bad rows."""
    return column.filled > 0 and (share > 0.9 or (share >= 0.5 and fit(column.name, name) >= 0.6))


def toml_text(text: str) -> str:
    """A text as TOML writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _reason(error: AmbiguousInput) -> str:
    """The part of the message that shows the cells."""
    return str(error).partition(": ")[2].split(". Set ")[0].replace("\n", " ")
