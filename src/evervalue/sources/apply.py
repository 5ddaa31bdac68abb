"""Runs the SQL of a plan: mapped rows, refused rows, customer attributes, and the money counted a second time."""

from __future__ import annotations

from evervalue.core.errors import InputError, ReconciliationFailed
from evervalue.sources import raw_zone
from evervalue.sources.attributes import write_attributes
from evervalue.sources.evidence import shown
from evervalue.sources.fields import MONEY
from evervalue.sources.plan import Plan, among
from evervalue.sources.read_text import READ_FAULTS
from evervalue.sources.touched import note, note_all
from evervalue.warehouse.duckdb import Connection, literal, quoted

UNREADABLE = ("bad_date", "bad_number", "absurd_date")


def mapped_tables(con: Connection) -> list[str]:
    """The tables of the mapped zone that hold rows of outputs."""
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'mapped' "
        "order by 1"
    ).fetchall()
    return [str(name) for (name,) in rows]


def clear(con: Connection, source: str, touched: str | None = None) -> None:
    """Take out what was mapped of an output, and the rows that could not be; only `touched` ones where given."""
    if not touched:
        note_all(con, source, mapped_tables(con))
    for table in mapped_tables(con):
        within = ""
        if touched and table == "source_totals":
            within = f" and file_id in (select file_id from {touched})"
        elif touched and table != "customer_attributes":
            within = f" and {among(touched, 'file_id', 'line')}"
        raw_zone.run(con, f"delete from mapped.{table} where source = ?{within}", [source])
    within = f" and {among(touched, 'file_id', 'line')}" if touched else ""
    raw_zone.run(
        con,
        f"delete from raw.quarantine where source = ? and reason not in ({raw_zone.in_list(READ_FAULTS)}){within}",
        [source],
    )


def apply(con: Connection, plan: Plan, *, run_id: str, touched: str | None = None) -> None:
    """Fill the mapped tables and the quarantine of one output.

    Parameters
    ----------
    touched
        Temporary table (file_id, line) of the rows that came, went or changed, where the others are mapped by the
        same plan already; None maps all rows anew.

    Raises
    ------
    InputError
        None of the cells in a column can be read: the wrong column was mapped.
    ReconciliationFailed
        Rows or money are not accounted for.
    """
    _note(con, plan, touched)
    clear(con, plan.source, touched)
    _quarantine(con, plan, run_id, touched)
    _refuse_unreadable(con, plan)
    names = ", ".join(quoted(n) for n in plan.mapped)
    values = ", ".join(f"{sql}" for sql in plan.mapped.values())
    con.execute(
        f"insert into mapped.{plan.settings.provides} (source, file_id, line, {names}) "
        f"{plan.taken(touched=touched)} select {literal(plan.source)}, _file_id, _line, {values} from taken"
    )
    if plan.identifiers:
        _identifiers(con, plan, touched)
    if plan.settings.attributes:
        write_attributes(con, plan)
    _totals(con, plan, touched)
    _note(con, plan, touched)
    _accounted_for(con, plan)


def _note(con: Connection, plan: Plan, touched: str | None) -> None:
    """Tell what is about to change, or has."""
    if not touched:
        note_all(con, plan.source, mapped_tables(con))
        return
    for table in (plan.settings.provides, *(("identifiers",) if plan.identifiers else ())):
        note(con, plan.source, table, touched)
    note_all(con, plan.source, ("customer_attributes", "source_totals"))


def _quarantine(con: Connection, plan: Plan, run_id: str, touched: str | None) -> None:
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
    reason = by_place(
        " ".join(f"when {i} then {r.reason if r.by_row else literal(r.reason)}" for i, r in places)
    )
    says = by_place(" ".join(f"when {i} then {r.says if r.by_row else literal(r.says)}" for i, r in places))
    con.execute(
        f"insert into raw.quarantine (source, file_id, path, line, column_name, cell, reason, says, row_json, run_id) "
        f"{plan.judged(touched)}, bad as (select _file_id, _line, {column} as column_name, {cell} as cell, "
        f"{reason} as reason, "
        f"{says} as says from judged where _why > 0) "
        f"select {literal(plan.source)}, b._file_id, f.path, b._line, b.column_name, b.cell, b.reason, b.says, "
        f"to_json({{{fields}}})::varchar, {literal(run_id)} "
        f"from bad as b join {plan.base} as r using (_file_id, _line) "
        f"join raw.files as f on f.source = {literal(plan.feed)} and f.file_id = b._file_id and f.status = 'loaded'"
    )


def _refuse_unreadable(con: Connection, plan: Plan) -> None:
    """A column of which nothing can be read was mapped by mistake; quarantine is not the place to find out."""
    rows = raw_zone.run(
        con,
        f"select column_name, count(*), min(cell), max(cell) from raw.quarantine where source = ? "
        f"and reason in ({raw_zone.in_list(UNREADABLE)}) and column_name is distinct from ? "
        "group by column_name order by 1",
        [plan.source, plan.settings.faults],  # who wrote the rows found these, cell by cell
    ).fetchall()
    for column, n, least, greatest in rows:
        total = con.execute(f"select count(*) from {plan.base}").fetchone()
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


def _identifiers(con: Connection, plan: Plan, touched: str | None) -> None:
    """Take what stands beside a customer, such as an e-mail address, as an identifier of that customer."""
    customer = plan.mapped["customer_id"]
    for type, value in plan.identifiers.items():
        space = plan.settings.external_ids if type == "external_id" else None
        con.execute(
            "insert into mapped.identifiers (source, file_id, line, customer_id, type, value, namespace) "
            f"{plan.taken(touched=touched)} select {literal(plan.source)}, _file_id, _line, {customer}, "
            f"{literal(type)}, {value}, {literal(space) if space else 'null'} from taken where {value} is not null"
        )


def _totals(con: Connection, plan: Plan, touched: str | None) -> None:
    """Rows and money a file brought, counted from the raw cells, beside what was mapped, refused and set aside."""
    source, feed = literal(plan.source), literal(plan.feed)
    amount = plan.totals.get("amount", "null::decimal(38,4)")
    margin = plan.totals.get("margin", "null::decimal(38,4)")
    money = " + ".join(f"coalesce({name}, 0)" for name in MONEY.get(plan.settings.provides, ()))
    lost = "sum(margin)" if plan.settings.provides == "order_lines" else "null"
    sums = f"{f'sum({money})' if money else 'null'} as amount, {lost} as margin"
    within = f" where {{}} in (select file_id from {touched})" if touched else ""
    parsed = ", ".join(f"{sql} as {name}" for name, sql in plan.parsed.items() if name.startswith("k_only_"))
    columns = f"_file_id, _line, {amount} as _amount, {margin} as _margin{', ' + parsed if parsed else ''}"
    con.execute(
        f"""
        insert into mapped.source_totals by name
        with wanted as (
            select * from (select file_id, rows_read from raw.files where source = {feed} and status = 'loaded')
            {within.format("file_id")}
        ),
        money as (
            select _file_id as file_id, _line as line, _amount as amount, _margin as margin,
                {plan.aside or "false"} as aside
            from (select {columns} from {plan.table}{within.format("_file_id")})
        ),
        brought as (select file_id, sum(amount) as amount, sum(margin) as margin from money group by file_id),
        refused_rows as (
            select distinct file_id, line from raw.quarantine where source in ({source}, {feed})
            and (source = {source} or reason in ({raw_zone.in_list(READ_FAULTS)}))
        ),
        refused as (select file_id, count(*) as n from refused_rows group by file_id),
        refused_money as (
            select m.file_id, sum(amount) as amount, sum(margin) as margin
            from money as m semi join refused_rows using (file_id, line)
            group by m.file_id
        ),
        left_aside as (
            select file_id, count(*) as n, sum(amount) as amount, sum(margin) as margin
            from money where aside group by file_id
        ),
        mapped_rows as (
            select file_id, count(*) as n, {sums}
            from mapped.{plan.settings.provides} where source = {source} and file_id in (select file_id from wanted)
            group by file_id
        )
        select {source} as source, f.file_id, {literal(plan.settings.provides)} as provides, f.rows_read,
            coalesce(m.n, 0) as rows_mapped, coalesce(r.n, 0) as rows_quarantined, coalesce(a.n, 0) as rows_set_aside,
            b.amount as amount_read, m.amount as amount_mapped, q.amount as amount_quarantined,
            a.amount as amount_set_aside,
            b.margin as margin_read, m.margin as margin_mapped, q.margin as margin_quarantined,
            a.margin as margin_set_aside
        from wanted as f
        left join brought as b using (file_id)
        left join mapped_rows as m using (file_id)
        left join refused as r using (file_id)
        left join refused_money as q using (file_id)
        left join left_aside as a using (file_id)
        """
    )


def _accounted_for(con: Connection, plan: Plan) -> None:
    bad = raw_zone.run(
        con,
        """
        select f.path, t.rows_read, t.rows_mapped, t.rows_quarantined, t.rows_set_aside, t.amount_read, t.amount_mapped,
            t.amount_quarantined, t.amount_set_aside
        from mapped.source_totals as t
        join raw.files as f on f.source = ? and f.file_id = t.file_id and f.status = 'loaded'
        where t.source = ? and (t.rows_read <> t.rows_mapped + t.rows_quarantined + t.rows_set_aside
            or coalesce(t.amount_read, 0)
                <> coalesce(t.amount_mapped, 0) + coalesce(t.amount_quarantined, 0) + coalesce(t.amount_set_aside, 0)
            or coalesce(t.margin_read, 0)
                <> coalesce(t.margin_mapped, 0) + coalesce(t.margin_quarantined, 0) + coalesce(t.margin_set_aside, 0))
        order by f.path limit 1
        """,
        [plan.feed, plan.source],
    ).fetchone()
    if bad:
        path, read, mapped, refused, aside, *money = bad
        raise ReconciliationFailed(
            f"sources.{plan.source}: {path} does not add up: {read:,} rows read, {mapped:,} mapped, "
            f"{refused:,} in quarantine and {aside:,} set aside; amounts {money[0]} read, "
            f"{money[1]} mapped, {money[2]} in quarantine, {money[3]} set aside. Nothing was stored; "
            "this is a fault of the program, please report it with the file's first lines."
        )
