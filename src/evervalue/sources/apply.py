"""Runs the SQL of a plan: mapped rows, refused rows, customer attributes, and the money counted a second time."""

from __future__ import annotations

from evervalue.core.errors import InputError, ReconciliationFailed
from evervalue.sources import raw_zone
from evervalue.sources.evidence import shown
from evervalue.sources.plan import Plan
from evervalue.sources.read_text import READ_FAULTS
from evervalue.warehouse.duckdb import Connection, literal, quoted

UNREADABLE = ("bad_date", "bad_number", "absurd_date")


def clear(con: Connection, source: str) -> None:
    """Take out what was mapped from a source, and the rows that could not be mapped."""
    for table in ("order_lines", "customer_attributes", "customers", "costs", "rates", "source_totals"):
        raw_zone.run(con, f"delete from mapped.{table} where source = ?", [source])
    raw_zone.run(
        con,
        f"delete from raw.quarantine where source = ? and reason not in ({raw_zone.in_list(READ_FAULTS)})",
        [source],
    )


def apply(con: Connection, plan: Plan, *, run_id: str) -> None:
    """Fill the mapped tables and the quarantine of one source from its raw table.

    Raises
    ------
    InputError
        None of the cells in a column can be read: the wrong column was mapped.
    ReconciliationFailed
        Rows or money are not accounted for.
    """
    clear(con, plan.source)
    _quarantine(con, plan, run_id)
    _refuse_unreadable(con, plan)
    names = ", ".join(quoted(n) for n in plan.mapped)
    values = ", ".join(f"{sql}" for sql in plan.mapped.values())
    con.execute(
        f"insert into mapped.{plan.settings.provides} (source, file_id, line, {names}) "
        f"{plan.taken()} select {literal(plan.source)}, _file_id, _line, {values} from taken"
    )
    if plan.settings.attributes:
        _attributes(con, plan)
    _totals(con, plan)
    _accounted_for(con, plan)


def _quarantine(con: Connection, plan: Plan, run_id: str) -> None:
    if not plan.refusals:
        return
    fields = ", ".join(f"{literal(n)}: r.{quoted(n)}" for n in plan.all_columns)
    places = list(enumerate(plan.refusals, 1))

    def by_place(value: str) -> str:
        return f"case _why {value} end"

    column = by_place(
        " ".join(f"when {i} then {literal(r.column) if r.column else 'null'}" for i, r in places)
    )
    cell = by_place(" ".join(f"when {i} then left({r.cell}::varchar, 200)" for i, r in places))
    reason = by_place(" ".join(f"when {i} then {literal(r.reason)}" for i, r in places))
    says = by_place(" ".join(f"when {i} then {literal(r.says)}" for i, r in places))
    con.execute(
        f"insert into raw.quarantine (source, file_id, path, line, column_name, cell, reason, says, row_json, run_id) "
        f"{plan.judged()}, bad as (select _file_id, _line, {column} as column_name, {cell} as cell, "
        f"{reason} as reason, "
        f"{says} as says from judged where _why > 0) "
        f"select {literal(plan.source)}, b._file_id, f.path, b._line, b.column_name, b.cell, b.reason, b.says, "
        f"to_json({{{fields}}})::varchar, {literal(run_id)} "
        f"from bad as b join {plan.table} as r using (_file_id, _line) "
        f"join raw.files as f on f.source = {literal(plan.source)} and f.file_id = b._file_id and f.status = 'loaded'"
    )


def _refuse_unreadable(con: Connection, plan: Plan) -> None:
    """A column of which nothing can be read was mapped by mistake; quarantine is not the place to find out."""
    rows = raw_zone.run(
        con,
        f"select column_name, count(*), min(cell), max(cell) from raw.quarantine where source = ? "
        f"and reason in ({raw_zone.in_list(UNREADABLE)}) group by column_name order by 1",
        [plan.source],
    ).fetchall()
    for column, n, least, greatest in rows:
        total = con.execute(f"select count(*) from {plan.table}").fetchone()
        if total and n == total[0] and n > 1:
            field = next((f for f, c in plan.settings.columns.items() if c == column), column)
            kind = (
                "a date"
                if any(r.column == column and r.reason == "bad_date" for r in plan.refusals)
                else "a number"
            )
            setting = "date_format" if kind == "a date" else "decimal"
            raise InputError(
                f"sources.{plan.source}: not one of the {n:,} cells in column '{column}' ({field}) can be "
                f"read as {kind}, for "
                f"example {shown([least, greatest])}. Map another column to {field}, or set {setting} "
                f"under [sources.{plan.source}]."
            )


def _attributes(con: Connection, plan: Plan) -> None:
    source, dated = plan.source, "order_date" in plan.mapped
    first, last = ("min(order_date)", "max(order_date)") if dated else ("null", "null")
    day = f", {plan.mapped['order_date']} as order_date" if dated else ""
    for attribute, column in plan.settings.attributes.items():
        name = next(c for c in plan.all_columns if c.lower() == column.lower())
        nothing = raw_zone.in_list(["", *plan.settings.missing])
        cell = f"trim({quoted(name)}::varchar)"
        value = f", case when {cell} not in ({nothing}) then {cell} end as _value"
        con.execute(
            f"insert into mapped.customer_attributes "
            f"{plan.taken(value)}, "
            f"said as (select {plan.mapped['customer_id']} as customer_id, _value{day} from taken where "
            "_value is not null) "
            f"select {literal(source)}, customer_id, {literal(attribute)}, _value, {first}, {last}, "
            "count(*) from said group by customer_id, _value"
        )


def _totals(con: Connection, plan: Plan) -> None:
    """Rows and money a file brought, counted from the raw cells, beside what was mapped and what was refused."""
    source = literal(plan.source)
    amount = plan.totals.get("amount", "null::decimal(38,4)")
    margin = plan.totals.get("margin", "null::decimal(38,4)")
    lines = plan.settings.provides == "order_lines"
    sums = "sum(amount) as amount, sum(margin) as margin" if lines else "null as amount, null as margin"
    con.execute(
        f"""
        insert into mapped.source_totals
        with files as (select file_id, rows_read from raw.files where source = {source} and status = 'loaded'),
        brought as (
            select _file_id as file_id, sum({amount}) as amount, sum({margin}) as margin
            from {plan.table} group by _file_id
        ),
        refused_rows as (select distinct file_id, line from raw.quarantine where source = {source}),
        refused as (select file_id, count(*) as n from refused_rows group by file_id),
        refused_money as (
            select _file_id as file_id, sum({amount}) as amount, sum({margin}) as margin
            from {plan.table} semi join refused_rows on refused_rows.file_id = _file_id and refused_rows.line = _line
            group by _file_id
        ),
        mapped_rows as (
            select file_id, count(*) as n, {sums}
            from mapped.{plan.settings.provides} where source = {source} group by file_id
        )
        select {source}, f.file_id, {literal(plan.settings.provides)}, f.rows_read, coalesce(m.n, 0), coalesce(r.n, 0),
            b.amount, m.amount, q.amount, b.margin, m.margin, q.margin
        from files as f
        left join brought as b using (file_id)
        left join mapped_rows as m using (file_id)
        left join refused as r using (file_id)
        left join refused_money as q using (file_id)
        """
    )


def _accounted_for(con: Connection, plan: Plan) -> None:
    bad = raw_zone.run(
        con,
        """
        select f.path, t.rows_read, t.rows_mapped, t.rows_quarantined, t.amount_read, t.amount_mapped,
            t.amount_quarantined
        from mapped.source_totals as t
        join raw.files as f on f.source = t.source and f.file_id = t.file_id and f.status = 'loaded'
        where t.source = ? and (t.rows_read <> t.rows_mapped + t.rows_quarantined
            or coalesce(t.amount_read, 0) <> coalesce(t.amount_mapped, 0) + coalesce(t.amount_quarantined, 0)
            or coalesce(t.margin_read, 0) <> coalesce(t.margin_mapped, 0) + coalesce(t.margin_quarantined, 0))
        order by f.path limit 1
        """,
        [plan.source],
    ).fetchone()
    if bad:
        path, read, mapped, refused, *money = bad
        raise ReconciliationFailed(
            f"sources.{plan.source}: {path} does not add up: {read:,} rows read, {mapped:,} mapped and "
            f"{refused:,} in quarantine; "
            f"amounts {' = '.join(str(m) for m in money[:1])} read, {money[1]} mapped, {money[2]} in "
            "quarantine. Nothing was stored; "
            "this is a fault of the program, please report it with the file's first lines."
        )
