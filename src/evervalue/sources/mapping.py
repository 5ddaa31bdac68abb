"""From the raw table of a source to SQL for its mapped table: one expression a field, one reason a refused row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evervalue.core.errors import AmbiguousInput, InputError, MissingColumns
from evervalue.core.text import did_you_mean, listing
from evervalue.sources import raw_zone
from evervalue.sources.dates import EARLIEST, LATEST, DateReading, read_dates
from evervalue.sources.evidence import Cells, Survey, survey
from evervalue.sources.fields import LINE_KINDS, Field, fields_of
from evervalue.sources.numbers import CURRENCY_MARKS, NOT_FINITE, NumberReading, read_numbers
from evervalue.sources.settings import FilesSource, KindRule
from evervalue.warehouse.duckdb import Connection, literal, quoted

MONEY, WIDE_MONEY = "decimal(18,4)", "decimal(38,4)"
TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "DECIMAL")


@dataclass(frozen=True)
class Refusal:
    """When a row is refused: a predicate over the parsed row, and what is said."""

    when: str
    column: str | None
    cell: str
    reason: str
    says: str


@dataclass
class Plan:
    """SQL that maps one source."""

    source: str
    settings: FilesSource
    table: str
    """The raw table, quoted."""
    all_columns: list[str]
    parsed: dict[str, str] = field(default_factory=dict)
    """Name: expression over the raw table; `c_x` is the cell of field x as text, `v_x` its value."""
    mapped: dict[str, str] = field(default_factory=dict)
    """Column of the mapped table: expression over the parsed row."""
    refusals: list[Refusal] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)
    """amount, margin: expressions over the raw table, wide enough for any number, for the pass that counts money."""
    notes: list[str] = field(default_factory=list)
    """How doubts were settled."""
    warnings: list[str] = field(default_factory=list)

    def taken(self, extra: str = "") -> str:
        """SQL of the parsed rows that are not in quarantine, as the CTE `taken`; to be used after they are."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        return (
            f"with taken as (select _file_id, _line, {columns}{extra} from {self.table} anti join (select file_id, line "
            f"from raw.quarantine where source = {literal(self.source)}) as q on q.file_id = _file_id and q.line = _line)"
        )

    def judged(self, extra: str = "") -> str:
        """SQL of the parsed rows with `_why`: 0, or the place of the first refusal that fits."""
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.parsed.items())
        whens = " ".join(f"when {r.when} then {i}" for i, r in enumerate(self.refusals, 1))
        why = f"case {whens} else 0 end" if whens else "0"
        return (
            f"with parsed as (select _file_id, _line, {columns}{extra} from {self.table}), "
            f"judged as (select *, {why} as _why from parsed)"
        )


def plan(con: Connection, source: str, settings: FilesSource, *, currency: str, time_zone: str) -> Plan:
    """The SQL that maps a source, after weighing the evidence of its columns.

    Raises
    ------
    MissingColumns
        A column that the settings name is in none of the files.
    AmbiguousInput
        A column can be read in two ways and nothing decides.
    """
    return _Planner(con, source, settings, currency, time_zone).plan()


class _Planner:
    def __init__(self, con: Connection, source: str, settings: FilesSource, currency: str, time_zone: str) -> None:
        self.con = con
        self.source = source
        self.settings = settings
        self.currency = settings.currency or currency
        self.project_zone = time_zone
        self.zone = settings.time_zone or time_zone
        self.columns = raw_zone.stored_columns(con, source)
        self.surveys: dict[str, Survey] = {}
        self.numbers: dict[str, NumberReading] = {}
        self.out = Plan(source, settings, raw_zone.table(source), list(self.columns))
        self.known = fields_of(settings.provides)

    def plan(self) -> Plan:
        for row in raw_zone.files_of(self.con, self.source):
            if row.status == "loaded":
                there = [name for name, column in self.columns.items() if row.file_id in column.typed_in]
                check_columns(self.source, self.settings, row.path, there)
        used = {self._column(c) for c in (*self.settings.columns.values(), *(r.column for r in self.settings.kinds.values()))}
        texts = sorted(c for c in used if self.columns[c].type == "VARCHAR")
        self.surveys = survey(self.con, self.out.table, texts, raw_zone.in_list(self.settings.missing))
        for name, known in self.known.items():
            if name not in self.settings.columns:
                continue
            reader = {"number": self._number, "instant": self._date, "day": self._date}.get(known.reading, self._text)
            reader(known)
        if self.settings.provides == "order_lines":
            self._order_lines()
        else:
            self._plain_rows()
        return self.out

    # Cells and values

    def _column(self, found: str) -> str:
        return next(name for name in self.columns if name.lower() == found.lower())

    def _cell(self, found: str) -> str:
        """SQL: the cell as trimmed text, null where it stands for nothing."""
        column = self._column(found)
        stored = self.columns[column].type
        name = quoted(column)
        if stored in ("DOUBLE", "FLOAT"):
            return f"case when {name} = trunc({name}) and abs({name}) < 1e15 then {name}::bigint::varchar else {name}::varchar end"
        if stored != "VARCHAR":
            return f"{name}::varchar"
        looked = self.surveys[column]
        text = f"trim({name})" if looked.spaced else name
        if looked.has_missing:
            return f"case when {text} not in ({raw_zone.in_list(['', *self.settings.missing])}) then {text} end"
        return f"nullif({text}, '')"

    def _typed_files(self, found: str) -> list[str]:
        """Files in which a column of the raw table's text was written by a machine (typed cells)."""
        return sorted(f for f, t in self.columns[self._column(found)].typed_in.items() if t != "text")

    def _cells(self, found: str, machine_too: bool) -> Cells:
        typed = [] if machine_too else self._typed_files(found)
        where = f"_file_id not in ({raw_zone.in_list(typed)})" if typed else "true"
        return Cells(found, self._cell(found), self.out.table, where)

    def _text(self, known: Field) -> None:
        found = self.settings.columns[known.name]
        cell = self._cell(found)
        if known.reading == "id" and (looked := self.surveys.get(self._column(found))) and looked.point_zero:
            self.out.notes.append(f"'{found}': the '.0' behind every {known.name} was taken off")
            cell = f"regexp_replace({cell}, '[.]0$', '')"
        if self.columns[self._column(found)].type in ("DOUBLE", "FLOAT"):
            cell = f"nullif({cell}, 'nan')"
        self.out.parsed[f"c_{known.name}"] = cell
        value = f"c_{known.name}"
        if known.reading == "currency":
            value = f"upper(c_{known.name})"
            self._refuse(
                f"c_{known.name} is not null and not regexp_full_match(upper(c_{known.name}), '[A-Z]{{3}}')",
                known, "bad_currency", "is not a three-letter currency code",
            )
        if known.reading == "kind":
            value = f"replace(lower(c_{known.name}), ' ', '_')"
            self._refuse(
                f"c_{known.name} is not null and {value} not in ({raw_zone.in_list(LINE_KINDS)})",
                known, "bad_kind", f"is none of {listing(LINE_KINDS, 9)}",
            )
        self.out.mapped[known.name] = value
        if known.needed and known.name != "customer_id":
            self._refuse(f"c_{known.name} is null", known, f"missing_{known.name}", "is empty")

    def _number(self, known: Field) -> None:
        found = self.settings.columns[known.name]
        stored = self.columns[self._column(found)].type
        cell = self._cell(found)
        c, v = f"c_{known.name}", f"v_{known.name}"
        self.out.parsed[c] = cell
        self.out.parsed[v] = self._number_sql(known.name, found, known.type)
        reading = self.numbers[found]
        readable = "true"
        if stored != "VARCHAR" and stored not in ("DOUBLE", "FLOAT") and not stored.startswith(NUMERIC):
            raise InputError(
                f"sources.{self.source}: column '{found}' ({known.name}) holds {stored.lower()}, not numbers. Map another column."
            )
        not_finite = f"lower(ltrim({c}, '+-')) in ({raw_zone.in_list(NOT_FINITE)})"
        self._refuse(f"{v} is null and {c} is not null and {not_finite}", known, "not_finite", "is not a finite number")
        if stored == "VARCHAR":
            typed = self._typed_files(found)
            readable = f"{reading.normal(c)} is not null"
            if typed:
                readable = f"(_file_id in ({raw_zone.in_list(typed)}) or {readable})"
        self._refuse(
            f"{v} is null and {c} is not null and {readable}", known, "too_large", f"does not fit {known.type}",
        )
        self._refuse(f"{v} is null and {c} is not null", known, "bad_number", "is not a number")
        if known.needed and known.name != "amount":
            self._refuse(f"{c} is null", known, f"missing_{known.name}", "is empty")
        if known.name in ("unit_cost", "rate"):
            sign = "<= 0" if known.name == "rate" else "< 0"
            self._refuse(f"{v} {sign}", known, f"bad_{known.name}", f"is {sign}")
        self.out.mapped[known.name] = v

    def _wide(self, name: str, found: str) -> str:
        """SQL over the raw table: the cell as wide money; the narrow cast first, for the wide one is slow."""
        return f"coalesce({self._number_sql(name, found, MONEY)}, {self._number_sql(name, found, WIDE_MONEY)})"

    def _number_sql(self, name: str, found: str, type: str) -> str:
        """SQL over the raw table: the cell as a decimal of `type`."""
        cell = self._cell(found)
        stored = self.columns[self._column(found)].type
        if stored.startswith(NUMERIC):
            self.numbers.setdefault(found, NumberReading())
            return f"try_cast({quoted(self._column(found))} as {type})"
        if stored in ("DOUBLE", "FLOAT"):
            self.numbers.setdefault(found, NumberReading())
            return f"try_cast({quoted(self._column(found))}::varchar as {type})"
        if found not in self.numbers:
            reading = read_numbers(
                self.con, self._cells(found, machine_too=False), field_name=name, source=self.source,
                decimal=self.settings.decimal, percent=name == "discount",
            )
            self.numbers[found] = reading
            self._note_number(found, name, reading)
        reading = self.numbers[found]
        typed = self._typed_files(found)
        value = reading.value(cell, type)
        if typed and not reading.plain:
            return f"case when _file_id in ({raw_zone.in_list(typed)}) then {NumberReading().value(cell, type)} else {value} end"
        return value

    def _note_number(self, found: str, name: str, reading: NumberReading) -> None:
        if reading.says:
            self.out.notes.append(reading.says)
        if reading.finer_than_money and name in ("amount", "margin", "cost"):
            self.out.notes.append(
                f"'{found}': cells with more than four decimals ({reading.finer_than_money:,}) are rounded to four, half away from zero"
            )
        if not reading.currencies or "currency" in self.settings.columns:
            return
        codes = {CURRENCY_MARKS.get(m, m) for m in reading.currencies}
        named = {c for c in codes if c} - {self.currency}
        if len(reading.currencies) > 1 and len(codes) > 1:
            raise AmbiguousInput(
                f"sources.{self.source}: column '{found}' ({name}) holds amounts in several currencies "
                f"({listing(sorted(reading.currencies))}). Map a column of currency codes to `currency`, or split the file."
            )
        if named:
            code = min(named)
            raise AmbiguousInput(
                f"sources.{self.source}: column '{found}' ({name}) holds amounts in {code} "
                f"({listing(sorted(reading.currencies))}), and the source is set to {self.currency}. "
                f'Set currency = "{code}" under [sources.{self.source}] (or --currency).'
            )

    def _date(self, known: Field) -> None:
        found = self.settings.columns[known.name]
        stored = self.columns[self._column(found)].type
        column = quoted(self._column(found))
        cell = self._cell(found)
        c, v = f"c_{known.name}", f"v_{known.name}"
        self.out.parsed[c] = cell
        zone = self.zone
        local, instant, has_time = "null::timestamp", "null::timestamp", True
        if stored == "TIMESTAMP WITH TIME ZONE":
            instant = f"timezone('UTC', {column})"
        elif stored in TEMPORAL:
            local, has_time = f"{column}::timestamp", stored != "DATE"
        else:
            reading: DateReading = read_dates(
                self.con, self._cells(found, machine_too=True), field_name=known.name, source=self.source,
                date_format=self.settings.date_format,
            )
            if reading.says:
                self.out.notes.append(reading.says)
            local, instant, has_time = reading.local(cell), reading.instant(cell), reading.has_time
        if not has_time:
            zone = self.project_zone
        self.out.parsed[f"{v}_local"] = local
        self.out.parsed[f"{v}_instant"] = instant
        day, at = self._day_and_instant(f"{v}_local", f"{v}_instant", zone)
        either = f"coalesce({v}_instant, {v}_local)"
        if known.needed:
            self._refuse(f"{c} is null", known, "missing_date", "is empty")
        self._refuse(f"{c} is not null and {either} is null", known, "bad_date", "is not a date")
        self._refuse(
            f"{either} < timestamp '{EARLIEST}' or {either} >= timestamp '{LATEST}'", known, "absurd_date",
            f"lies outside {EARLIEST[:4]} to {int(LATEST[:4]) - 1}",
        )
        if known.reading == "instant":
            self.out.mapped["ordered_at"] = at
            self.out.mapped["order_date"] = day
        else:
            self.out.mapped[known.name] = day

    def _day_and_instant(self, local: str, instant: str, zone: str) -> tuple[str, str]:
        """SQL: the business day in the project's zone, and the UTC instant."""
        from_local = local if zone == "UTC" else f"timezone('UTC', timezone({literal(zone)}, {local}))"
        at = f"coalesce({instant}, {from_local})"
        in_project = instant if self.project_zone == "UTC" else f"timezone({literal(self.project_zone)}, timezone('UTC', {instant}))"
        if zone == self.project_zone:
            return f"coalesce({in_project}, {local})::date", at
        moved = at if self.project_zone == "UTC" else f"timezone({literal(self.project_zone)}, timezone('UTC', {at}))"
        return f"({moved})::date", at

    def _refuse(self, when: str, known: Field, reason: str, says: str) -> None:
        found = self.settings.columns[known.name]
        self.out.refusals.append(Refusal(when, found, f"c_{known.name}", reason, f"the cell in '{found}' ({known.name}) {says}"))

    # Rows

    def _order_lines(self) -> None:
        have, out = self.settings.columns, self.out
        key = "customer_id" if "customer_id" in have else "customer_name"
        out.mapped["customer_id"] = f"c_{key}"
        out.refusals.insert(0, Refusal(
            f"c_{key} is null", have[key], f"c_{key}", "missing_customer", f"the cell in '{have[key]}' ({key}) is empty"
        ))
        nothing = " || ".join(f"coalesce(trim({quoted(n)}::varchar), '')" for n in out.all_columns)
        out.parsed["_empty"] = f"case when {self._cell(have[key])} is null then ({nothing}) = '' else false end"
        out.refusals.insert(0, Refusal("_empty", None, "null", "empty_row", "every cell of the row is empty"))
        amount = self._amount()
        out.refusals.append(Refusal(
            f"{amount} is null", have.get("amount", have.get("unit_price")), "null",
            "missing_amount", "the row has no amount, and no quantity with unit price to compute it from",
        ))
        out.mapped["amount"] = amount
        out.mapped["currency"] = f"coalesce({out.mapped['currency']}, {literal(self.currency)})" if "currency" in have else literal(self.currency)
        out.mapped["kind"] = self._kind(amount)
        out.totals["amount"] = self._wide_amount()
        if "margin" in have:
            out.totals["margin"] = self._wide("margin", have["margin"])
        if "line_id" not in have and self.settings.duplicates == "keep":
            self._warn_of_duplicates()

    def _amount(self) -> str:
        have = self.settings.columns
        parts = ["v_amount"] if "amount" in have else []
        if {"quantity", "unit_price"} <= set(have):
            computed = self._computed("v_quantity", "v_unit_price", "v_discount")
            parts.append(f"case when c_amount is null then {computed} end" if "amount" in have else computed)
        return f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]

    def _wide_amount(self) -> str:
        """The amount once more, from the raw cells alone."""
        have = self.settings.columns
        parts = [self._wide("amount", have["amount"])] if "amount" in have else []
        if {"quantity", "unit_price"} <= set(have):
            quantity = self._number_sql("quantity", have["quantity"], "decimal(18,4)")
            price = self._number_sql("unit_price", have["unit_price"], "decimal(28,10)")
            discount = self._number_sql("discount", have["discount"], "decimal(18,4)") if "discount" in have else ""
            computed = self._computed(quantity, price, discount)
            parts.append(f"case when {self._cell(have['amount'])} is null then {computed} end" if "amount" in have else computed)
        return f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]

    def _computed(self, quantity: str, price: str, discount: str) -> str:
        gross = f"{quantity} * try_cast({price} as decimal(20,10))"
        if self.settings.discount_off == "amount":
            return f"try_cast(try_cast({gross} as decimal(18,4)) - coalesce({discount}, 0) as decimal(18,4))"
        if self.settings.discount_off:
            share = f"coalesce({discount}, 0)" if self.settings.discount_off == "fraction" else f"coalesce({discount}, 0) * 0.01"
            left = f"try_cast(1 - {share} as decimal(12,6))"
            return f"try_cast(try_cast({gross} as decimal(26,8)) * {left} as decimal(18,4))"
        return f"try_cast({gross} as decimal(18,4))"

    def _kind(self, amount: str) -> str:
        quantity = "v_quantity" if "quantity" in self.settings.columns else None
        whens = [f"when {self._rule(kind, rule)} then {literal(kind)}" for kind, rule in self.settings.kinds.items()]
        if quantity:
            whens.append(f"when {amount} < 0 then case when {quantity} > 0 then 'adjustment' else 'return' end")
            whens.append(f"when {quantity} < 0 then 'adjustment'")
        else:
            whens.append(f"when {amount} < 0 then 'return'")
        by_rule = f"case {' '.join(whens)} else 'sale' end"
        return f"coalesce({self.out.mapped['kind']}, {by_rule})" if "kind" in self.settings.columns else by_rule

    def _rule(self, kind: str, rule: KindRule) -> str:
        alias = f"k_{kind}"
        if rule.below is not None:
            self.out.parsed[alias] = f"coalesce({self._number_sql(f'kinds.{kind}', rule.column, 'decimal(28,10)')} < {rule.below}, false)"
            return alias
        cell = self._cell(rule.column)
        if rule.equals is not None:
            test = f"{cell} = {literal(rule.equals)}"
        elif rule.any_of is not None:
            test = f"{cell} in ({raw_zone.in_list(rule.any_of)})" if rule.any_of else "false"
        else:
            test = f"starts_with({cell}, {literal(rule.starts_with or '')})"
        self.out.parsed[alias] = f"coalesce({test}, false)"
        return alias

    def _warn_of_duplicates(self) -> None:
        listed = ", ".join(quoted(n) for n in self.out.all_columns)
        row = self.con.execute(
            f"select coalesce(sum(n - 1), 0) from (select count(*) as n from (select hash({listed}) as h from {self.out.table}) "
            "group by h having count(*) > 1)"
        ).fetchone()
        if row and row[0]:
            self.out.warnings.append(
                f"sources.{self.source}: {int(row[0]):,} lines repeat another line in every cell; they are kept. Map a line_id, or set "
                f'duplicates = "drop" under [sources.{self.source}], if they are the same sale.'
            )

    def _plain_rows(self) -> None:
        have, out = self.settings.columns, self.out
        if self.settings.provides == "customers":
            key = "customer_id" if "customer_id" in have else "customer_name"
            out.mapped["customer_id"] = f"c_{key}"
            out.refusals.insert(0, Refusal(
                f"c_{key} is null", have[key], f"c_{key}", "missing_customer", f"the cell in '{have[key]}' ({key}) is empty"
            ))
        if self.settings.provides == "costs":
            out.mapped["currency"] = f"coalesce({out.mapped['currency']}, {literal(self.currency)})" if "currency" in have else literal(self.currency)


def check_columns(source: str, settings: FilesSource, shown: str, names: Iterable[str]) -> None:
    """Refuse settings that name a column which the file `shown` lacks, gathering all of them."""
    names = list(names)
    wanted = {f"columns.{field}": column for field, column in settings.columns.items()}
    wanted |= {f"attributes.{attribute}": column for attribute, column in settings.attributes.items()}
    wanted |= {f"kinds.{kind}.column": rule.column for kind, rule in settings.kinds.items()}
    have = {name.lower() for name in names}
    lacking = [
        f"'{column}' ({key}){did_you_mean(column, names)}" for key, column in wanted.items() if column.lower() not in have
    ]
    if lacking:
        raise MissingColumns(
            f"sources.{source}: {shown} lacks the column {' and '.join(lacking)}; it has {listing(names, 30)}. "
            f"Map the right name under [sources.{source}.columns] in evervalue.toml."
        )
