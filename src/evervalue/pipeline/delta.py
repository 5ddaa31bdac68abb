"""Decides whether a run may take over the lines of customers who did not change from the run before, and who changed.

It may where nothing but order lines, statements and identities can have changed: the same rates and costs of products,
no costs to share out (which hang on the lines of others). Whoever had a line come, go or change is made anew, and so is
whoever's lines are judged otherwise because of it (a number shared with somebody else's line), or whose records became
one customer, or several.
"""

from __future__ import annotations

from functools import cached_property

from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline.event_delta import TABLES as OF_EVENTS
from evervalue.pipeline.event_delta import EventDelta
from evervalue.pipeline.unchanged import Unchanged, differ
from evervalue.sources.touched import LINES
from evervalue.warehouse.delta import BEFORE, CUSTOMERS, KEYS, SUSPECTS
from evervalue.warehouse.duckdb import Connection, literal
from evervalue.warehouse.sql_model import SqlModel

SAME = ("curated.rates", "curated.costs", "run.source_settings")
"""Tables that every line may hang on, and that must be as they were."""
NONE = ("curated.cost_allocations",)
ONCE = ("curated.same_orders",)
"""Tables through which lines hang on lines of others; where they have rows, everything is made anew."""
VERDICT = "source, file_id, line, verdict"
MOST = 0.2
"""Share of customers above which it is quicker to make all anew."""
JUDGED = "curated.refused_lines"
"""The table that judges lines beside one another, of all customers; it has its turn before the lines."""
BOTH = " union all ".join(f"select source, file_id, line, customer_id from mapped.{table}" for table in LINES)


class Delta:
    """What changed in lines since the run before."""

    def __init__(self, con: Connection, unchanged: Unchanged, progress: Progress) -> None:
        self.con = con
        self.unchanged = unchanged
        self.progress = progress
        self.events = EventDelta(con, unchanged)
        self.same_cutoff = "run.settings" in unchanged
        listed = ", ".join(map(literal, LINES))
        self.known = not con.execute(
            f"select 1 from raw.touched where customer_key is null and table_name in ({listed}) limit 1"
        ).fetchone()
        """Whether it is known whose lines changed."""

    def serves(self, model: SqlModel) -> bool:
        """Whether a table with `delta` in its head can be built from the one of the run before.

        If so the temporary tables that its head names are filled. It is asked when the table has its turn, so what
        stands before it in the order of tables is there: rates, costs and verdicts before the lines.
        """
        if model.name in OF_EVENTS:
            return self.events.serves(model.name)
        if not self.known or "run.source_settings" not in self.unchanged or _some(self.con, ONCE):
            return False
        if model.name == JUDGED:
            return self._same_rates and self._suspects
        # A cutoff that is set and moves takes in, or leaves out, orders of customers who did not change.
        return self._customers and ("customers.cutoff" not in model.reads or self.same_cutoff)

    @cached_property
    def _same_rates(self) -> bool:
        """Whether no line can be judged otherwise because of a rate."""
        waiting = "select 1 from run.source_settings where without_rate = 'quarantine' limit 1"
        return (
            "curated.rates" in self.unchanged
            or self.con.execute(waiting).fetchone() is None
            or not differ(self.con, BEFORE, "curated.rates")
        )

    @cached_property
    def _suspects(self) -> bool:
        """Whether few lines changed; the lines that may be judged otherwise are then known."""
        if not _few(self.con, "select source, customer_key from raw.touched"):
            return False
        self._fill_suspects(self.con)
        return True

    @cached_property
    def _customers(self) -> bool:
        """Whether lines of others can stay and few customers changed; who did is then known."""
        others = _some(self.con, NONE) or any(
            table not in self.unchanged and differ(self.con, BEFORE, table) for table in SAME
        )
        if others or not _few(self.con, "select source, customer_key from raw.touched"):
            return False
        return self._fill_customers(self.con)

    @staticmethod
    def _fill_suspects(con: Connection) -> None:
        """Fill the table of lines that may be judged otherwise than before, with all that they are judged beside.

        Those are the lines of customers who had one come, go or change, or whose records moved, and the lines refused
        so far; beside them stand the lines of the same number, order or customer. A line that went leaves nothing to
        look for, but where it had stood beside another, one of the two was refused.
        """
        con.execute(
            f"""
            create or replace temp table {SUSPECTS} as
            with moved as (
                select s.source, m.customer_key
                from ({_only_one("identity.renamed", "*")}) as m
                join run.source_settings as s on s.customer_keys = m.namespace
            ),
            keys as (select source, customer_key from raw.touched where table_name = 'order_lines' union from moved),
            seeds as (
                select l.source, l.line_id, l.order_id, l.customer_id
                from mapped.order_lines as l
                semi join keys as k on k.source = l.source and k.customer_key = l.customer_id
                union
                select l.source, l.line_id, l.order_id, l.customer_id
                from mapped.order_lines as l
                semi join {BEFORE}.{JUDGED} as r on r.source = l.source and r.file_id = l.file_id and r.line = l.line
            )
            select l.source, l.file_id, l.line
            from mapped.order_lines as l
            where (l.source, l.line_id) in (select (source, line_id) from seeds where line_id is not null)
                or (l.source, l.order_id) in (select (source, order_id) from seeds where order_id is not null)
                or (l.source, l.customer_id) in (select (source, customer_id) from seeds)
            """
        )

    def _fill_customers(self, con: Connection) -> bool:
        """Fill the tables of who changed; whether they are few enough."""
        con.execute(
            f"""
            create or replace temp table {CUSTOMERS} as
            with keys as (
                select source, customer_key from raw.touched where customer_key is not null
                union
                select m.source, m.customer_id
                from ({BOTH}) as m
                semi join (
                    select source, file_id, line from ({_only_one("curated.refused_lines", VERDICT)})
                    union all
                    select source, file_id, line from ({_only_one("curated.refused_rows", VERDICT)})
                ) as r on r.source = m.source and r.file_id = m.file_id and r.line = m.line
            ),
            spaces as (select source, customer_keys as namespace from run.source_settings),
            moved as (select namespace, customer_key from ({_only_one("identity.renamed", "*")})),
            records as (
                select s.namespace, k.customer_key from keys as k join spaces as s using (source)
                union
                select namespace, customer_key from moved
            )
            select coalesce(n.customer_id, r.customer_key) as customer_id
            from records as r left join identity.renamed as n using (namespace, customer_key)
            union
            select coalesce(n.customer_id, r.customer_key)
            from records as r left join {BEFORE}.identity.renamed as n using (namespace, customer_key)
            """
        )
        con.execute(
            f"""
            create or replace temp table {KEYS} as
            select s.source, r.customer_key
            from identity.registry as r
            join run.source_settings as s on s.customer_keys = r.namespace
            semi join {CUSTOMERS} as c on c.customer_id = r.customer_id
            """
        )
        if not _few(con, f"from {CUSTOMERS}"):
            return False
        (changed,) = con.execute(f"select count(*) from {CUSTOMERS}").fetchone() or (0,)
        self.progress.step("Lines taken over", detail=f"but of {count(int(changed), 'customer')}")
        return True


def _few(con: Connection, changed: str) -> bool:
    """Whether so few of the customers changed that taking over the others is worth it."""
    sql = f"select (select count(*) from ({changed})) <= {MOST} * count(distinct customer_id) from identity.registry"
    return (con.execute(sql).fetchone() or (False,))[0] is True


def _some(con: Connection, tables: tuple[str, ...]) -> bool:
    """Whether one of the tables has a row, or had one in the run before."""
    return any(
        con.execute(f"select 1 from {where}{table} limit 1").fetchone() is not None
        for table in tables
        for where in ("", f"{BEFORE}.")
    )


def _only_one(table: str, columns: str) -> str:
    """SQL of the rows that only one of the runs has."""
    now, then = f"select {columns} from {table}", f"select {columns} from {BEFORE}.{table}"
    return f"({now} except {then}) union ({then} except {now})"
