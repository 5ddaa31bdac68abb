"""SQL for the cells of each field: as text, as a number, as a day or an instant, with what makes a row refused."""

from __future__ import annotations

from evervalue.core.errors import AmbiguousInput, InputError
from evervalue.core.text import listing
from evervalue.sources import raw_zone
from evervalue.sources.dates import EARLIEST, LATEST, DateReading, read_dates
from evervalue.sources.evidence import Cells, Survey
from evervalue.sources.fields import LINE_KINDS, Field, fields_of
from evervalue.sources.numbers import CURRENCY_MARKS, NOT_FINITE, NumberReading, cast_number, read_numbers
from evervalue.sources.plan import Plan, Refusal
from evervalue.sources.relation import Relation
from evervalue.sources.rules import rule_sql
from evervalue.sources.systems import Output
from evervalue.warehouse.duckdb import Connection, literal, quoted

MONEY, WIDE_MONEY = "decimal(18,4)", "decimal(38,4)"
TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
SIGNED = ("amount", "quantity", "cost", "margin", "balance", "interest_income", "interest_expense", "fees")
"""Fields that turn their sign where a row is written without the minus that it means."""
NUMERIC = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "DECIMAL",
)


class FieldsSql:
    """Fills a plan field by field, after weighing the evidence of each column."""

    def __init__(
        self, con: Connection, output: Output, rows: Relation, currency: str, time_zone: str
    ) -> None:
        settings = output.settings
        self.con = con
        self.source = output.name
        self.where = output.where
        self.settings = settings
        self.currency = settings.currency or currency
        self.project_zone = time_zone
        self.zone = settings.time_zone or time_zone
        self.columns = rows.columns
        self.unmatched = rows.unmatched
        self.sought = rows.sought
        self.lookups = output.lookups
        self.surveys: dict[str, Survey] = {}
        self.numbers: dict[str, NumberReading] = {}
        self.out = Plan(output.name, output.feed, settings, rows.table, rows.base, rows.base_columns)
        self.known = fields_of(settings.provides)

    def _column(self, found: str) -> str:
        return next(name for name in self.columns if name.lower() == found.lower())

    def _cell(self, found: str) -> str:
        """SQL: the cell as trimmed text, null where it stands for nothing."""
        column = self._column(found)
        stored = self.columns[column].type
        name = quoted(column)
        if stored in ("DOUBLE", "FLOAT"):
            return (
                f"case when {name} = trunc({name}) and abs({name}) < 1e15 then {name}::bigint::varchar "
                f"else {name}::varchar end"
            )
        if stored != "VARCHAR":
            return f"{name}::varchar"
        looked = self.surveys[column]
        text = f"trim({name})" if looked.spaced else name
        if looked.has_missing:
            return (
                f"case when {text} not in ({raw_zone.in_list(['', *self.settings.missing])}) then {text} end"
            )
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
                known,
                "bad_currency",
                "is not a three-letter currency code",
            )
        if known.reading == "kind":
            value = f"replace(lower(c_{known.name}), ' ', '_')"
            self._refuse(
                f"c_{known.name} is not null and {value} not in ({raw_zone.in_list(LINE_KINDS)})",
                known,
                "bad_kind",
                f"is none of {listing(LINE_KINDS, 9)}",
            )
        if known.reading == "choice":
            said = " ".join(f"when {literal(w)} then {literal(m)}" for w, m in known.choices.items())
            value = f"case translate(lower(c_{known.name}), ' -', '__') {said} end"
            self._refuse(
                f"c_{known.name} is not null and {value} is null",
                known,
                f"bad_{known.name}",
                f"is none of {listing(dict.fromkeys(known.choices.values()), 9)}",
            )
        if known.reading == "identifier":
            self.out.identifiers[known.name] = value
            return
        self.out.mapped[known.name] = value
        if known.needed and known.name != "customer_id":
            self._refuse(f"c_{known.name} is null", known, f"missing_{known.name}", "is empty")

    def _number(self, known: Field) -> None:
        found = self.settings.columns[known.name]
        stored = self.columns[self._column(found)].type
        cell = self._cell(found)
        c, v = f"c_{known.name}", f"v_{known.name}"
        self.out.parsed[c] = cell
        self.out.parsed[v] = self._meant(known.name, found, known.type)
        reading = self.numbers[found]
        readable = "true"
        if stored != "VARCHAR" and stored not in ("DOUBLE", "FLOAT") and not stored.startswith(NUMERIC):
            raise InputError(
                f"{self.where}: column '{found}' ({known.name}) holds {stored.lower()}, not "
                "numbers. Map another column."
            )
        not_finite = f"lower(ltrim({c}, '+-')) in ({raw_zone.in_list(NOT_FINITE)})"
        self._refuse(
            f"{v} is null and {c} is not null and {not_finite}", known, "not_finite", "is not a finite number"
        )
        if stored == "VARCHAR":
            typed = self._typed_files(found)
            readable = f"{reading.normal(c)} is not null"
            if typed:
                readable = f"(_file_id in ({raw_zone.in_list(typed)}) or {readable})"
        self._refuse(
            f"{v} is null and {c} is not null and {readable}",
            known,
            "too_large",
            f"does not fit {known.type}",
        )
        self._refuse(f"{v} is null and {c} is not null", known, "bad_number", "is not a number")
        if known.needed and (known.name != "amount" or self.settings.provides != "order_lines"):
            self._refuse(f"{c} is null", known, f"missing_{known.name}", "is empty")
        if known.name in ("unit_cost", "rate", "interest_expense"):
            sign = "<= 0" if known.name == "rate" else "< 0"
            self._refuse(f"{v} {sign}", known, f"bad_{known.name}", f"is {sign}")
        self.out.mapped[known.name] = v

    def _wide(self, name: str, found: str) -> str:
        """SQL over the raw table: the cell as wide money; the narrow cast first, for the wide one is slow."""
        return f"coalesce({self._meant(name, found, MONEY)}, {self._meant(name, found, WIDE_MONEY)})"

    def _meant(self, name: str, found: str, type: str) -> str:
        """SQL over the rows: the number that a cell means, with the unit and the sign that the settings say."""
        sql = self._number_sql(name, found, type)
        if name in self.settings.minor_units:
            currency = literal(self.currency)
            if column := self.settings.columns.get("currency"):
                currency = f"coalesce(upper({self._cell(column)}), {currency})"
            narrow = "decimal(30,4)" if type == WIDE_MONEY else type
            from evervalue.sources.minor_units import exponent_sql

            unit = (
                f"case {exponent_sql(currency)} when 0 then 1 when 3 then 0.001 else 0.01 end::decimal(4,3)"
            )
            sql = f"try_cast(try_cast({sql} as {narrow}) * {unit} as {type})"
        if self.settings.negative and name in SIGNED:
            if self.settings.negative is True:
                return f"(- {sql})"
            fits = rule_sql(
                self.settings.negative, self._cell, lambda column: f"try_cast({self._cell(column)} as double)"
            )
            return f"(case when {fits} then - {sql} else {sql} end)"
        return sql

    def _number_sql(self, name: str, found: str, type: str) -> str:
        """SQL over the raw table: the cell as a decimal of `type`."""
        cell = self._cell(found)
        stored = self.columns[self._column(found)].type
        if stored.startswith(NUMERIC):
            self.numbers.setdefault(found, NumberReading())
            return f"try_cast({quoted(self._column(found))} as {type})"
        if stored in ("DOUBLE", "FLOAT"):
            if found not in self.numbers:
                self.numbers[found] = NumberReading(finer_than_money=self._finer_doubles(found, name))
                self._note_number(found, name, self.numbers[found])
            return cast_number(f"{quoted(self._column(found))}::varchar", type)
        if found not in self.numbers:
            reading = read_numbers(
                self.con,
                self._cells(found, machine_too=False),
                field_name=name,
                source=self.where.removeprefix("sources."),
                decimal=self.settings.decimal,
                percent=name == "discount",
            )
            self.numbers[found] = reading
            self._note_number(found, name, reading)
        reading = self.numbers[found]
        typed = self._typed_files(found)
        value = reading.value(cell, type)
        if typed and not reading.plain:
            return (
                f"case when _file_id in ({raw_zone.in_list(typed)}) then "
                f"{NumberReading().value(cell, type)} else {value} end"
            )
        return value

    def _finer_doubles(self, found: str, name: str) -> int:
        """How many binary numbers of a column of money have more than four decimals."""
        if name not in ("amount", "margin", "cost"):
            return 0
        text = f"{quoted(self._column(found))}::varchar"
        row = self.con.execute(
            f"select count(*) from {self.out.table} where length(split_part({text}, '.', 2)) > 4 "
            f"or contains({text}, 'e-')"
        ).fetchone()
        return int(row[0]) if row else 0

    def _note_number(self, found: str, name: str, reading: NumberReading) -> None:
        if reading.says:
            self.out.notes.append(reading.says)
        if reading.finer_than_money and name in ("amount", "margin", "cost"):
            self.out.notes.append(
                f"'{found}': cells with more than four decimals ({reading.finer_than_money:,}) are rounded "
                "to four, half away from zero"
            )
        if not reading.currencies or "currency" in self.settings.columns:
            return
        codes = {CURRENCY_MARKS.get(m, m) for m in reading.currencies}
        named = {c for c in codes if c} - {self.currency}
        if len(reading.currencies) > 1 and len(codes) > 1:
            raise AmbiguousInput(
                f"{self.where}: column '{found}' ({name}) holds amounts in several currencies "
                f"({listing(sorted(reading.currencies))}). Map a column of currency codes to `currency`, "
                "or split the file."
            )
        if named:
            code = min(named)
            raise AmbiguousInput(
                f"{self.where}: column '{found}' ({name}) holds amounts in {code} "
                f"({listing(sorted(reading.currencies))}), and the source is set to {self.currency}. "
                f'Set currency = "{code}" under [{self.where}] (or --currency).'
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
                self.con,
                self._cells(found, machine_too=True),
                field_name=known.name,
                source=self.where.removeprefix("sources."),
                date_format=self.settings.date_format,
            )
            if reading.says:
                self.out.notes.append(reading.says)
            local, instant, has_time = reading.local(cell), reading.instant(cell), reading.has_time
            if has_time and zone != self.project_zone:
                self.out.parsed[f"{v}_timed"] = reading.timed(cell)
        if not has_time:
            zone = self.project_zone
        self.out.parsed[f"{v}_local"] = local
        self.out.parsed[f"{v}_instant"] = instant
        day, at = self._day_and_instant(f"{v}_local", f"{v}_instant", zone)
        if f"{v}_timed" in self.out.parsed:
            # A date without a time is a business day as it is, whatever stands in the cells around it.
            as_is = self._day_and_instant(f"{v}_local", f"{v}_instant", self.project_zone)
            day, at = (
                f"case when {v}_timed then {there} else {here} end"
                for there, here in zip((day, at), as_is, strict=True)
            )
        either = f"coalesce({v}_instant, {v}_local)"
        if known.needed:
            self._refuse(f"{c} is null", known, "missing_date", "is empty")
        self._refuse(f"{c} is not null and {either} is null", known, "bad_date", "is not a date")
        self._refuse(
            f"{either} < timestamp '{EARLIEST}' or {either} >= timestamp '{LATEST}'",
            known,
            "absurd_date",
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
        in_project = (
            instant
            if self.project_zone == "UTC"
            else f"timezone({literal(self.project_zone)}, timezone('UTC', {instant}))"
        )
        if zone == self.project_zone:
            return f"coalesce({in_project}, {local})::date", at
        moved = (
            at
            if self.project_zone == "UTC"
            else f"timezone({literal(self.project_zone)}, timezone('UTC', {at}))"
        )
        return f"({moved})::date", at

    def _refuse(self, when: str, known: Field, reason: str, says: str) -> None:
        found = self.settings.columns[known.name]
        self.out.refusals.append(
            Refusal(when, found, f"c_{known.name}", reason, f"the cell in '{found}' ({known.name}) {says}")
        )
