"""Values that a change leaves out because they did not change (TOAST), taken from the version before it.

Which version that is, is found out by numbers alone; the values themselves, which are long, are looked up once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evervalue.warehouse.duckdb import Connection, literal, quoted

if TYPE_CHECKING:
    from evervalue.sources.keyed import KeyedTable

STAGED, LIVE, PAST, NOTHING, PENDING = range(5)
"""Where a value lies. A place is row * 8 + one of these."""


def fill(
    con: Connection, table: KeyedTable, staged: str, columns: Sequence[str], *, converging: bool
) -> None:
    """Fills in `staged` what its `_unchanged` names; `_incomplete` (n) then lists the rows where nothing is known.

    Reads `_events`, `_held` and `_emptied` of the batch. Stored versions that took a value over from one that a late
    change came before are corrected as well.
    """
    con.execute("create or replace temp table _incomplete (n bigint)")
    named = {
        str(row[0])
        for row in con.execute(
            "select distinct c from (select unnest(_unchanged) as c from "
            f"{staged} union all select unnest(h.unchanged) from _held as h where exists (from _events as e "
            f"where not e.repeated and e.pos < h.pos and {_same('e', 'h', table)}))"
        ).fetchall()
    }
    for column in columns:
        if column in named:
            _fill_column(con, table, staged, column, converging)


def _fill_column(con: Connection, table: KeyedTable, staged: str, column: str, converging: bool) -> None:
    keys = ", ".join(f"_k{i}" for i in range(len(table.key)))
    con.execute(
        "create or replace temp table _places as with heirs as ("
        f"select distinct {keys} from _events where inherits and puts and not repeated "
        f"union select {keys} from _held where list_contains(unchanged, {literal(column)})), "
        # A key that a moved row comes from is followed too.
        f"wanted as (select * from heirs union select {keys} from _events where not main), "
        "line as ("
        f"select 's' as kind, e.n as id, e.pos, {_of('e', table)}, case when not e.puts then {NOTHING} "
        f"when not list_contains(coalesce(s._unchanged, []), {literal(column)}) then e.n * 8 + {STAGED} "
        f"when e.moves then e.n * 8 + {PENDING} end as place, e.puts "
        f"from _events as e join {staged} as s on s.rowid = e.n where not e.repeated "
        f"union all select case when is_live then 'l' else 'p' end, rid, pos, {keys}, "
        f"case when not puts then {NOTHING} "
        f"when list_contains(unchanged, {literal(column)}) then null "
        f"else rid * 8 + case when is_live then {LIVE} else {PAST} end end, puts from _held "
        f"union all select 't', 0, t.pos, {_of('w', table)}, {NOTHING}, false from _emptied as t, wanted as w) "
        "select kind, id, pos, place as own, puts, "
        f"{keys}, coalesce(last_value(place ignore nulls) over earlier, last_value(case "
        f"when kind = 'l' then id * 8 + {LIVE} when kind = 'p' and puts then id * 8 + {PAST} end ignore nulls) "
        "over earlier) as place "
        f"from line semi join wanted using ({keys}) "
        f"window earlier as (partition by {keys} order by pos rows unbounded preceding)"
    )
    _settle_moves(con, table, converging)
    # Where a stored version inherits and nothing of this batch comes before it, its value is right as it is.
    sources = (
        f"select p.id, p.kind, v.v from _places as p join ("
        f"select rowid * 8 + {STAGED} as place, {quoted(column)} as v from {staged} "
        f"union all select rowid * 8 + {LIVE}, {quoted(column)} from {table.live} "
        f"where rowid in (select rid from _held where is_live) "
        f"union all select rowid * 8 + {PAST}, {quoted(column)} from {table.past} "
        f"where rowid in (select rid from _held where not is_live)) as v on v.place = p.place "
        "where p.own is null and p.puts"
    )
    con.execute(
        f"update {staged} set {quoted(column)} = f.v from ({sources}) as f where f.kind = 's' and f.id = {staged}.rowid"
    )
    for kind, where in (("l", table.live), ("p", table.past)):
        heirs = con.execute(
            f"select count(*) from _places where kind = {literal(kind)} and own is null and place % 8 = {STAGED}"
        ).fetchone()
        if heirs and heirs[0]:
            con.execute(
                f"update {where} as t set {quoted(column)} = f.v from ({sources} and p.place % 8 = {STAGED}) as f "
                f"where f.kind = {literal(kind)} and f.id = t.rowid"
            )
    con.execute(
        f"insert into _incomplete select id from _places where kind = 's' and own is null and puts "
        f"and (place is null or place % 8 = {NOTHING}) and id not in (select n from _incomplete)"
    )
    con.execute("drop table _places")


def _settle_moves(con: Connection, table: KeyedTable, converging: bool) -> None:
    """Rows that came from another key take what that key had just before; through as many keys as they went."""
    keys = ", ".join(f"_k{i}" for i in range(len(table.key)))
    while True:
        # What the old key held just before the move: the place of the event before the one that ended it.
        con.execute(
            "create or replace temp table _moves as select m.id, m.place from ("
            f"select kind, id, puts, lag(place) over (partition by {keys} order by pos) as place from _places) as m "
            "join _events as e on e.n = m.id and not e.main where m.kind = 's' and not m.puts"
        )
        if converging:
            con.execute(
                "update _moves set place = o.place from ("
                f"select kind, id, puts, lag(place) over (partition by {keys} order by pos) as place "
                "from _places) as o "
                # A row that was copied under its new key already came with the values it has there; what stands
                # under the old key may be another row by now.
                f"where o.kind = 's' and o.puts and o.id = _moves.id and o.place % 8 <> {NOTHING}"
            )
        pending = con.execute(
            f"select count(*) from _places as p where p.place % 8 = {PENDING}"
        ).fetchone() or (0,)
        if not pending[0]:
            con.execute("drop table _moves")
            return
        con.execute(
            f"update _places set place = coalesce(m.place, {NOTHING}), "
            f"own = case when own % 8 = {PENDING} then null else own end "
            f"from _moves as m where _places.place = m.id * 8 + {PENDING} "
            f"and (m.place is null or m.place % 8 <> {PENDING})"
        )


def _same(a: str, b: str, table: KeyedTable) -> str:
    return " and ".join(f"{a}._k{i} = {b}._k{i}" for i in range(len(table.key)))


def _of(alias: str, table: KeyedTable) -> str:
    return ", ".join(f"{alias}._k{i}" for i in range(len(table.key)))
