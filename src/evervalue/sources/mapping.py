"""From the raw table of a source to the plan of its mapped table: which fields, which money, which kind of line."""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.evidence import survey
from evervalue.sources.fields_sql import FieldsSql
from evervalue.sources.plan import Plan, Refusal, check_columns
from evervalue.sources.settings import FilesSource, KindRule
from evervalue.warehouse.duckdb import Connection, literal, quoted


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


class _Planner(FieldsSql):
    def plan(self) -> Plan:
        for row in raw_zone.files_of(self.con, self.source):
            if row.status == "loaded":
                there = [name for name, column in self.columns.items() if row.file_id in column.typed_in]
                check_columns(self.source, self.settings, row.path, there)
        used = {
            self._column(c)
            for c in (*self.settings.columns.values(), *(r.column for r in self.settings.kinds.values()))
        }
        texts = sorted(c for c in used if self.columns[c].type == "VARCHAR")
        self.surveys = survey(self.con, self.out.table, texts, raw_zone.in_list(self.settings.missing))
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
        return self.out

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
            discount = (
                self._number_sql("discount", have["discount"], "decimal(18,4)") if "discount" in have else ""
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

    def _rule(self, kind: str, rule: KindRule) -> str:
        alias = f"k_{kind}"
        if rule.below is not None:
            self.out.parsed[alias] = (
                f"coalesce({self._number_sql(f'kinds.{kind}', rule.column, 'decimal(28,10)')} < {rule.below}, false)"
            )
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
            f"select coalesce(sum(n - 1), 0) from (select count(*) as n from (select hash({listed}) as h "
            f"from {self.out.table}) "
            "group by h having count(*) > 1)"
        ).fetchone()
        if row and row[0]:
            self.out.warnings.append(
                f"sources.{self.source}: {int(row[0]):,} lines repeat another line in every cell; they are "
                "kept. If they are the same sale, map a line_id in evervalue.toml, or set "
                f'duplicates = "drop" under [sources.{self.source}].'
            )

    def _plain_rows(self) -> None:
        have, out = self.settings.columns, self.out
        if self.settings.provides == "customers":
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
        if self.settings.provides == "costs":
            out.mapped["currency"] = (
                f"coalesce({out.mapped['currency']}, {literal(self.currency)})"
                if "currency" in have
                else literal(self.currency)
            )
