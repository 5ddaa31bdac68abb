"""Applies a batch of changes to a keyed table, in a fixed number of statements whatever its size.

A change becomes one event of its key, or two where it moves a row to another key: the old key ends, the new one
begins. Of each key the newest event decides whether and how the key is live; all other versions go to the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evervalue.core.errors import InputError
from evervalue.sources.applied import Applied
from evervalue.sources.changes.fill import fill
from evervalue.warehouse.duckdb import Connection, literal, quoted

if TYPE_CHECKING:
    from evervalue.sources.keyed import KeyedTable

TEMPORARY = ("_emptied", "_events", "_held", "_incomplete", "_fate", "_lines")


def apply(table: KeyedTable, staged: str, *, run_id: str, converging: bool) -> Applied:
    """Counts of what `staged` did to the table; see `KeyedTable.apply`."""
    try:
        return _Batch(table, staged, run_id, converging).apply()
    finally:
        for name in TEMPORARY:
            table.con.execute(f"drop table if exists temp.{name}")


class _Batch:
    def __init__(self, table: KeyedTable, staged: str, run_id: str, converging: bool) -> None:
        from evervalue.sources.keyed import position

        self.con: Connection = table.con
        self.table = table
        self.staged = staged
        self.run_id = run_id
        self.converging = converging
        self.at = position
        self.state = table.state()
        self.counts = Applied()
        self.keys = ", ".join(f"_k{i}" for i in range(len(table.key)))
        """Key columns in the tables of this module, where the source's own names might mean something else."""
        self.columns = [
            str(row[0]) for row in self.con.execute(f"describe {staged}").fetchall() if row[0] in table.types
        ]

    def apply(self) -> Applied:
        self._check()
        self._retry()
        self._emptied()
        self._events()
        self._held()
        fill(self.con, self.table, self.staged, self.columns, converging=self.converging)
        self._fate()
        self._lines()
        self._retire()
        self._keep()
        self._count()
        return self.counts

    @property
    def theirs(self) -> str:
        """The key columns of this module under the source's names."""
        return ", ".join(f"_k{i} as {quoted(k)}" for i, k in enumerate(self.table.key))

    def same_key(self, a: str, b: str) -> str:
        """Two of this module's tables mean one key."""
        return " and ".join(f"{a}._k{i} = {b}._k{i}" for i in range(len(self.table.key)))

    def has_key(self, stored: str, event: str) -> str:
        """A row with the source's columns has the key of one of this module's."""
        return " and ".join(f"{stored}.{quoted(k)} = {event}._k{i}" for i, k in enumerate(self.table.key))

    def named(self, alias: str = "", form: str = "{}") -> str:
        """The source's key columns under this module's names."""
        at = f"{alias}." if alias else ""
        return ", ".join(f"{at}{quoted(form.format(k))} as _k{i}" for i, k in enumerate(self.table.key))

    def one(self, sql: str) -> tuple[int, ...]:
        return self.con.execute(sql).fetchone() or (0,)

    def _check(self) -> None:
        """Changes without a key cannot be applied: they would be lost."""
        nulls = " or ".join(f"{quoted(k)} is null" for k in self.table.key)
        (bad,) = self.one(f"select count(*) from {self.staged} where _op <> 't' and ({nulls})")
        if bad:
            raise InputError(
                f"{bad:,} changes to {self.table.feed} have no value in their key "
                f"({', '.join(self.table.key)}), so nothing says which row they mean. Name other columns in the "
                "setting `key`, or give the table a primary key."
            )

    def _retry(self) -> None:
        """Changes that were set aside as incomplete come again with those of their key."""
        self.con.execute(f"alter table {self.staged} add column _again boolean")
        if not self.state["incomplete"]:
            return
        named = ", ".join(quoted(c) for c in self.table.types)
        for column in set(self.table.types) - set(self.columns):
            self.con.execute(
                f"alter table {self.staged} add column {quoted(column)} {self.table.types[column]}"
            )
        self.columns = list(self.table.types)
        waiting = (
            f"from {self.table.past} as p where p._op = 'x' and exists "
            f"(from {self.staged} as s where s._again is null and "
            + " and ".join(f"p.{quoted(k)} = s.{quoted(k)}" for k in self.table.key)
            + ")"
        )
        self.con.execute(
            f"insert into {self.staged} by name select 'u' as _op, _lsn, _ordinal, _unchanged, "
            f"true as _again, {named} {waiting}"
        )
        self.con.execute(f"delete from {self.table.past} where rowid in (select p.rowid {waiting})")

    def _emptied(self) -> None:
        """Truncates of this batch; each counts once, and none older than the last one known counts."""
        self.con.execute(
            f"create or replace temp table _emptied as select _lsn, _ordinal, {self.at()} as pos, count(*) as times, "
            f"exists (from {self.table.past} as p where p._op = 't' and p._lsn = s._lsn "
            f"and p._ordinal = s._ordinal) as known from {self.staged} as s where _op = 't' group by all"
        )
        (newest,) = self.one("select coalesce(max(pos), 0) from _emptied")
        self.bar = max(int(newest), self.state["truncated"])
        """No version at or before this position is live."""
        self.old_bar = self.state["truncated"]

    def _events(self) -> None:
        moved = " or ".join(f"{quoted(f'_old {k}')} is distinct from {quoted(k)}" for k in self.table.key)
        told = " or ".join(f"{quoted(f'_old {k}')} is not null" for k in self.table.key)
        old = ", ".join(
            f"coalesce({quoted(f'_old {k}')}, {quoted(k)}) as _k{i}" for i, k in enumerate(self.table.key)
        )
        here = {str(row[0]) for row in self.con.execute(f"describe {self.staged}").fetchall()}
        can_move = all(f"_old {k}" in here for k in self.table.key)
        at = self.at()
        self.con.execute(
            f"create or replace temp table _events as with events as ("
            f"select rowid as n, _op <> 'd' as puts, true as main, {at} as pos, {self.named()}, _lsn, _ordinal, "
            + (f"_op = 'u' and ({told}) and ({moved})" if can_move else "false")
            + " as moves, coalesce(len(_unchanged), 0) > 0 as inherits, coalesce(_again, false) as again "
            f"from {self.staged} where _op <> 't' "
            + (
                f"union all select rowid, false, false, {at}, {old}, _lsn, _ordinal, false, false, "
                f"coalesce(_again, false) from {self.staged} where _op = 'u' and ({told}) and ({moved})"
                if can_move
                else ""
            )
            + f") select *, row_number() over (partition by {self.keys}, pos order by again desc, n) > 1 as repeated "
            "from events"
        )

    def _held(self) -> None:
        """What is stored of the keys of this batch. Versions older than all of the batch cannot matter to it."""
        (oldest, late_heirs) = self.con.execute(
            "select coalesce(min(_lsn), 0), coalesce(bool_or(inherits), false) from _events"
        ).fetchone() or (0, False)
        (newest,) = self.one(f"select coalesce(max(_lsn), 0) from {self.table.past}")
        # Only a change that comes late can take its unchanged values from a version that is past.
        since = 0 if late_heirs and newest >= oldest else oldest
        some = f"semi join (select distinct {self.keys} from _events) as e on {self.has_key('t', 'e')}"
        stored = (
            f"{self.named('t')}, {self.at('t')} as pos, t._op in ('i', 'u') as "
            "puts, t.rowid as rid, t._line as line, coalesce(t._unchanged, []) as unchanged"
        )
        self.con.execute(
            f"create or replace temp table _held as "
            f"select true as is_live, {stored} from {self.table.live} as t {some} "
            f"union all select false, {stored} from {self.table.past} as t {some} "
            f"where t._lsn >= {since} and t._op not in ('t', 'x', 'b')"
        )
        self.con.execute(
            "update _events set repeated = true from _held as h where "
            f"h.pos = _events.pos and {self.same_key('h', '_events')}"
        )

    def _fate(self) -> None:
        """Each event once: whether its change is refused, repeated, late, overtaken, or decides its key."""
        self.con.execute(
            f"create or replace temp table _fate as with held as (select {self.keys}, max(pos) as newest, "
            f"any_value(line) filter (where is_live) as line, any_value(rid) filter (where is_live) as rid, "
            f"any_value(pos) filter (where is_live) as live_at from _held group by {self.keys}), "
            f"fresh as (select e.*, i.n is not null as incomplete, h.newest, h.line, h.rid, h.live_at, "
            f"max(e.pos) filter (where not e.repeated) over (partition by "
            + ", ".join(f"e._k{i}" for i in range(len(self.table.key)))
            + ") as top "
            f"from _events as e left join held as h on {self.same_key('h', 'e')} "
            "left join _incomplete as i on i.n = e.n and e.main) "
            "select *, case when repeated then 'repeated' when incomplete then 'refused' "
            f"when newest > pos or pos <= {self.old_bar}::uhugeint then 'late' "
            f"when pos < top or pos <= {self.bar}::uhugeint then 'superseded' "
            "when not puts then 'deleted' when live_at is not null then 'updated' else 'inserted' end as fate, "
            # An incomplete change that is the newest of its key ends it too: what the row is now is not known.
            "not repeated and pos = top and (newest is null or newest < pos) "
            f"and pos > {self.bar}::uhugeint as decides "
            "from fresh"
        )

    def _lines(self) -> None:
        """The line of every key that is live after this batch and has a change in it."""
        self.con.execute(
            f"create or replace temp table _lines as select n, coalesce(line, {self.state['last_line']} + "
            f"sum(case when line is null then 1 else 0 end) over (order by pos, {self.keys} rows unbounded preceding)"
            ")::bigint as line "
            "from _fate where decides and puts and not incomplete"
        )

    def _retire(self) -> None:
        """Live versions that something took the place of go to the past; what a truncate took goes too."""
        self.counts.touched = f"_touched_{self.table.file_id}"
        self.con.execute(f"create or replace temp table {self.counts.touched} (file_id text, line bigint)")
        self._leave("rowid in (select rid from _fate where decides and rid is not null)")
        self.cleared = 0
        if self.bar > self.old_bar:
            self.cleared = self._leave(f"{self.at()} <= {self.bar}::uhugeint")

    def _leave(self, where: str) -> int:
        """Moves live rows to the past and notes their lines; returns how many they are."""
        self.con.execute(
            f"insert into {self.counts.touched} select _file_id, _line from {self.table.live} where {where}"
        )
        self.con.execute(
            f"insert into {self.table.past} by name select *, {literal(self.run_id)} as _until_run_id "
            f"from {self.table.live} where {where}"
        )
        (gone,) = self.one(f"delete from {self.table.live} where {where}")
        return int(gone)

    def _keep(self) -> None:
        """New versions land: those that decide their key in the live table, all others and the marks in the past."""
        own = f"{literal(self.table.file_id)} as _file_id, {literal(self.run_id)} as _run_id"
        named = ", ".join(f"s.{quoted(c)}" for c in self.columns)
        # A row that moved here has its values from another key, so no late change to this one may alter them.
        heir = "case when f.moves and not f.incomplete then [] else s._unchanged end as _unchanged"
        version = f"{own}, s._lsn, s._ordinal, {{}}, {heir}, {named}"
        until = f"{literal(self.run_id)} as _until_run_id"
        self.con.execute(
            f"insert into {self.table.live} by name select l.line as _line, {version.format('s._op')} "
            f"from {self.staged} as s join _lines as l on l.n = s.rowid join _fate as f on f.n = l.n and f.main"
        )
        self.con.execute(
            f"insert into {self.counts.touched} select {literal(self.table.file_id)}, line from _lines"
        )
        self.con.execute(
            f"insert into {self.table.past} by name "
            f"select coalesce(f.line, 0) as _line, {version.format(self._past_op())}, "
            f"{until} from {self.staged} as s join _fate as f on f.n = s.rowid and f.main and f.puts "
            "where not f.repeated and (f.incomplete or not f.decides)"
        )
        self.con.execute(
            f"insert into {self.table.past} by name select coalesce(line, 0) as _line, {own}, _lsn, _ordinal, "
            f"'d' as _op, {self.theirs}, {until} from _fate where not puts and not repeated"
        )
        self.con.execute(
            f"insert into {self.table.past} by name select 0::bigint as _line, {own}, _lsn, _ordinal, 't' as _op, "
            f"{until} from _emptied where not known"
        )

    @staticmethod
    def _past_op() -> str:
        """X can be tried again; m cannot: which key the row came from is not kept."""
        return "case when not f.incomplete then s._op when f.moves then 'm' else 'x' end as _op"

    def _count(self) -> None:
        counts = self.counts
        fates = {
            str(fate): int(n)
            for fate, n in self.con.execute(
                "select fate, count(*) from _fate where main and not again group by fate"
            ).fetchall()
        }
        for fate, n in fates.items():
            setattr(counts, fate, n)
        (counts.truncated, times, known) = (
            int(n)
            for n in self.one(
                f"select count(*) filter (where not known and pos > {self.old_bar}::uhugeint), "
                "coalesce(sum(times), 0), "
                "count(*) filter (where not known) from _emptied"
            )
        )
        counts.late += known - counts.truncated
        counts.repeated += times - known
        (counts.read,) = self.one(f"select count(*) from {self.staged} where _again is null")
        come, gone, lines, again, refused = self.one(
            "select count(*) filter (where decides and puts and not incomplete and live_at is null), "
            "count(*) filter (where decides and (not puts or incomplete) and live_at is not null), "
            "(select coalesce(max(line), 0) from _lines), count(*) filter (where main and again), "
            "count(*) filter (where main and not repeated and incomplete) from _fate"
        )
        counts.rows_come, counts.rows_gone = come, gone + self.cleared
        if refused:
            named = self.con.execute(
                f"select {self.keys} from _fate where incomplete and main and not repeated order by pos limit 1"
            ).fetchone()
            counts.example = ", ".join(f"{k}={v}" for k, v in zip(self.table.key, named or (), strict=True))
        self.con.execute(
            f"update raw.keyed set last_line = greatest(last_line, {lines}), "
            f"live_rows = live_rows + {counts.rows_come - counts.rows_gone}, "
            f"incomplete = incomplete + {refused - again}"
            + (
                f", truncated_lsn = {self.bar >> 63}, truncated_ordinal = {self.bar & (2**63 - 1)}"
                if self.bar > self.old_bar
                else ""
            )
            + f" where feed = {literal(self.table.feed)}"
        )
