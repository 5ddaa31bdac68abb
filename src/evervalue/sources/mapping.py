"""From the raw table of a source to the plan of its mapped table: which fields, which money, which kind of line."""

from __future__ import annotations

from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.evidence import survey
from evervalue.sources.fields import MONEY, fields_of
from evervalue.sources.fields_sql import FieldsSql
from evervalue.sources.mapping_settings import Rule
from evervalue.sources.plan import Plan, Refusal
from evervalue.sources.relation import check_columns, relation
from evervalue.sources.rules import rule_sql
from evervalue.sources.systems import Output, named_columns
from evervalue.warehouse.duckdb import Connection, literal, quoted


def plan(con: Connection, output: Output, *, currency: str, time_zone: str) -> Plan:
    """The SQL that maps an output, after weighing the evidence of its columns.

    Raises
    ------
    MissingColumns
        A column that the settings name is in none of the files.
    AmbiguousInput
        A column can be read in two ways and nothing decides.
    """
    if not output.lookups and not output.settings.made:
        _check_files(con, output)
    return _Planner(con, output, relation(con, output), currency, time_zone).plan()


def _check_files(con: Connection, output: Output) -> None:
    """Refuse a mapping that one of the files lacks a column for."""
    columns = raw_zone.stored_columns(con, output.feed)
    for row in raw_zone.files_of(con, output.feed):
        if row.status == "loaded" and row.rows_read:
            there = [name for name, column in columns.items() if row.file_id in column.typed_in]
            check_columns(output.where, named_columns(output.settings), row.path, there)


class _Planner(FieldsSql):
    def plan(self) -> Plan:
        named = [*self.settings.columns.values(), *self.settings.attributes.values()]
        named += [r.column for r in (*self.settings.kinds.values(), *self.settings.only)]
        named += [self.settings.negative.column] if isinstance(self.settings.negative, Rule) else []
        named += [self.settings.faults] if self.settings.faults else []
        used = {self._column(c) for c in named}
        texts = sorted(c for c in used if self.columns[c].type == "VARCHAR")
        self.surveys = survey(self.con, self.out.table, texts, raw_zone.in_list(self.settings.missing))
        self._set_aside()
        for name, known in self.known.items():
            if name not in self.settings.columns:
                continue
            reader = {"number": self._number, "instant": self._date, "day": self._date}.get(
                known.reading, self._text
            )
            reader(known)
        if self.settings.provides == "order_lines":
            self._order_lines()
        else:
            self._plain_rows()
        self._unmatched()
        self._faults()
        return self.out

    def _faults(self) -> None:
        """Refuse a row that its own cell says something is wrong with, before anything else is looked at."""
        if self.settings.faults is None:
            return
        self.out.parsed["c_faults"] = self._cell(self.settings.faults)
        reason = "split_part(c_faults, ':', 1)"
        says = (
            "coalesce(nullif(trim(substr(c_faults, length(split_part(c_faults, ':', 1)) + 2)), ''), c_faults)"
        )
        self.out.refusals.insert(
            0,
            Refusal("c_faults is not null", self.settings.faults, "c_faults", reason, says, by_row=True),
        )

    def _order_lines(self) -> None:
        have, out = self.settings.columns, self.out
        key = "customer_id" if "customer_id" in have else "customer_name"
        out.mapped["customer_id"] = f"c_{key}"
        out.refusals.insert(
            0,
            Refusal(
                f"c_{key} is null",
                have[key],
                f"c_{key}",
                "missing_customer",
                f"the cell in '{have[key]}' ({key}) is empty",
            ),
        )
        nothing = " || ".join(f"coalesce(trim({quoted(n)}::varchar), '')" for n in out.all_columns)
        out.parsed["_empty"] = (
            f"case when {self._cell(have[key])} is null then ({nothing}) = '' else false end"
        )
        out.refusals.insert(0, Refusal("_empty", None, "null", "empty_row", "every cell of the row is empty"))
        amount = self._amount()
        out.refusals.append(
            Refusal(
                f"{amount} is null",
                have.get("amount", have.get("unit_price")),
                "null",
                "missing_amount",
                "the row has no amount, and no quantity with unit price to compute it from",
            )
        )
        out.mapped["amount"] = amount
        out.mapped["currency"] = (
            f"coalesce({out.mapped['currency']}, {literal(self.currency)})"
            if "currency" in have
            else literal(self.currency)
        )
        out.mapped["kind"] = self._kind(amount)
        if names := raw_zone.key_of(self.con, out.feed):
            out.parsed["_row_key"] = " || '/' || ".join(
                f"coalesce({quoted(name)}::varchar, '')" for name in names
            )
            out.mapped["row_key"] = "_row_key"
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
            quantity = self._meant("quantity", have["quantity"], "decimal(18,4)")
            price = self._meant("unit_price", have["unit_price"], "decimal(28,10)")
            discount = (
                self._meant("discount", have["discount"], "decimal(18,4)") if "discount" in have else ""
            )
            computed = self._computed(quantity, price, discount)
            parts.append(
                f"case when {self._cell(have['amount'])} is null then {computed} end"
                if "amount" in have
                else computed
            )
        return f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]

    def _computed(self, quantity: str, price: str, discount: str) -> str:
        gross = f"{quantity} * try_cast({price} as decimal(20,10))"
        if self.settings.discount_off == "amount":
            return f"try_cast(try_cast({gross} as decimal(18,4)) - coalesce({discount}, 0) as decimal(18,4))"
        if self.settings.discount_off:
            share = (
                f"coalesce({discount}, 0)"
                if self.settings.discount_off == "fraction"
                else f"coalesce({discount}, 0) * 0.01"
            )
            left = f"try_cast(1 - {share} as decimal(12,6))"
            return f"try_cast(try_cast({gross} as decimal(26,8)) * {left} as decimal(18,4))"
        return f"try_cast({gross} as decimal(18,4))"

    def _kind(self, amount: str) -> str:
        quantity = "v_quantity" if "quantity" in self.settings.columns else None
        whens = [
            f"when {self._rule(kind, rule)} then {literal(kind)}"
            for kind, rule in self.settings.kinds.items()
        ]
        if quantity:
            whens.append(
                f"when {amount} < 0 then case when {quantity} > 0 then 'adjustment' else 'return' end"
            )
            whens.append(f"when {quantity} < 0 then 'adjustment'")
        else:
            whens.append(f"when {amount} < 0 then 'return'")
        by_rule = f"case {' '.join(whens)} else 'sale' end"
        return (
            f"coalesce({self.out.mapped['kind']}, {by_rule})" if "kind" in self.settings.columns else by_rule
        )

    def _rule(self, kind: str, rule: Rule) -> str:
        """Name of a parsed column that says whether a row fits a rule."""
        alias = f"k_{kind}"
        self.out.parsed[alias] = rule_sql(
            rule, self._cell, lambda column: self._number_sql(f"kinds.{kind}", column, "decimal(28,10)")
        )
        return alias

    def _set_aside(self) -> None:
        if self.settings.only:
            fits = [self._rule(f"only_{place}", rule) for place, rule in enumerate(self.settings.only)]
            self.out.aside = f"(not ({' and '.join(fits)}))"
            for alias in self.sought:
                self._warn_of_orphans(alias, fits)

    def _warn_of_orphans(self, alias: str, fits: list[str]) -> None:
        """Tell of rows that are set aside for nothing but that the row which a rule asks for is not there."""
        looked_up = {x.alias for x in self.lookups}
        rules = [
            (rule, fit, rule.column.rpartition(".")[0])
            for rule, fit in zip(self.settings.only, fits, strict=True)
        ]
        # A rule that asks whether there is such a cell means that there may be none.
        asking = [(rule, fit) for rule, fit, of in rules if of == alias and rule.filled is None]
        if not asking:
            return
        others = [fit for _, fit, of in rules if of not in looked_up]
        parsed = ", ".join(f"{self.out.parsed[fit]} as {fit}" for fit in fits)
        key = quoted(self.sought[alias])
        row = self.con.execute(
            f"select count(*), min({key}) from (select {quoted(self.unmatched[alias])} as _alone, {key}, {parsed} "
            f"from {self.out.table}) where _alone and not ({' and '.join(fit for _, fit in asking)})"
            + "".join(f" and {fit}" for fit in others)
        ).fetchone() or (0, None)
        if not row[0]:
            return
        lookup = next(x for x in self.lookups if x.alias == alias)
        columns = listing(lookup.on, 5)
        example = f"for example {columns} = {row[1]}" if row[1] is not None else f"{columns} is empty"
        self.out.warnings.append(
            f"{self.where}: {count(row[0], 'row')} set aside because no row of {lookup.feed} belongs to "
            f"{'it' if row[0] == 1 else 'them'} ({example}), and `only` asks for "
            f"{listing([rule.column for rule, _ in asking], 5)}. If they count, find out why {lookup.feed} lacks "
            "what they name."
        )

    def _unmatched(self) -> None:
        """Refuse a row without the partner that something it cannot do without is looked up in."""
        needed = {f.name for f in fields_of(self.settings.provides).values() if f.needed}
        for alias, flag in self.unmatched.items():
            for name, column in self.settings.columns.items():
                if name in needed and column.rpartition(".")[0] == alias:
                    self.out.parsed[flag] = quoted(flag)
                    says = f"no row of {alias} belongs to it, which {name} is looked up in"
                    self.out.refusals.insert(0, Refusal(flag, None, "null", "no_match", says))
                    break

    def _warn_of_duplicates(self) -> None:
        listed = ", ".join(quoted(n) for n in self.out.all_columns)
        row = self.con.execute(
            f"select coalesce(sum(n - 1), 0) from (select count(*) as n from (select hash({listed}) as h "
            f"from {self.out.base}) "
            "group by h having count(*) > 1)"
        ).fetchone()
        if row and row[0]:
            self.out.warnings.append(
                f"{self.where}: {int(row[0]):,} lines repeat another line in every cell; they are "
                "kept. If they are the same sale, map a line_id in evervalue.toml, or set "
                f'duplicates = "drop" under [{self.where}].'
            )

    def _plain_rows(self) -> None:
        have, out = self.settings.columns, self.out
        if "customer_id" in self.known and self.known["customer_id"].needed:
            key = "customer_id" if "customer_id" in have else "customer_name"
            out.mapped["customer_id"] = f"c_{key}"
            out.refusals.insert(
                0,
                Refusal(
                    f"c_{key} is null",
                    have[key],
                    f"c_{key}",
                    "missing_customer",
                    f"the cell in '{have[key]}' ({key}) is empty",
                ),
            )
        if "currency" in self.known:
            out.mapped["currency"] = (
                f"coalesce({out.mapped['currency']}, {literal(self.currency)})"
                if "currency" in have
                else literal(self.currency)
            )
        if money := [name for name in MONEY.get(self.settings.provides, ()) if name in have]:
            out.totals["amount"] = " + ".join(
                f"coalesce({self._wide(name, have[name])}, 0)" for name in money
            )
