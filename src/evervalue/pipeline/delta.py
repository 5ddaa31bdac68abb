"""Decides whether a run may take over the lines of customers who did not change from the run before, and who changed.

The new snapshot then begins as a copy of the one before, from which only those tables are kept. It may where nothing
but order lines, statements and identities can have changed: the same settings and versions, the same rates and costs of
products, no costs to share out (which hang on the lines of others), and the run before built from this very warehouse.
Whoever had a line come, go or change is made anew, and so is whoever's lines are judged otherwise because of it (a
number shared with somebody else's line), or whose records became one customer, or several.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from evervalue import __version__
from evervalue.core.errors import EvervalueError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline.settings import Settings
from evervalue.warehouse import duckdb
from evervalue.warehouse.delta import BEFORE, CUSTOMERS, KEYS
from evervalue.warehouse.duckdb import Connection, literal
from evervalue.warehouse.publish import Publisher, sha256

SAME = ("curated.rates", "curated.costs", "run.source_settings")
"""Tables that every line may hang on, and that must be as they were."""
NONE = ("curated.cost_allocations", "curated.same_orders")
"""Tables through which lines hang on lines of others; where they have rows, everything is made anew."""
VERDICT = "source, file_id, line, verdict"
MOST = 0.2
"""Share of customers above which it is quicker to make all anew."""


class Delta:
    """What a run may take over from the one before."""

    def __init__(
        self, con: Connection, publisher: Publisher, settings: Settings, progress: Progress, file: Path
    ) -> None:
        """Look for the run before; where there is one to take over from, `file` becomes a copy of its snapshot."""
        self.progress = progress
        self.attached = self._attach(con, publisher, settings, progress, file)
        self.possible: bool | None = None

    def clear(self, con: Connection, kept: Iterable[str]) -> None:
        """Drop what the copied snapshot holds, the current database, but for the tables `kept`."""
        if not self.attached:
            return
        rows = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
        ).fetchall()
        self.kept = sorted({str(name) for (name,) in rows} & set(kept))
        for (name,) in rows:
            if name not in self.kept:
                con.execute(f"drop table {name}")

    def __call__(self, con: Connection) -> bool:
        """Whether tables can be built from those of the run before; found out when the first of them has its turn."""
        if self.possible is None:
            self.possible = self.attached and self._same(con) and self._changed(con)
            if self.attached and not self.possible:
                for name in self.kept:
                    con.execute(f"drop table {name}")
        return self.possible

    def close(self, con: Connection) -> None:
        """Let the run before go."""
        if self.attached:
            con.execute(f"detach {BEFORE}")
            self.attached = False

    @staticmethod
    def _attach(
        con: Connection, publisher: Publisher, settings: Settings, progress: Progress, file: Path
    ) -> bool:
        """Whether the last run built from this warehouse is there and was set to the same."""
        found = con.execute("select run_id from warehouse.raw.loads where built").fetchone()
        if not found:
            return False
        try:
            before = publisher.get(str(found[0]))
        except EvervalueError:
            return False
        versions = before.manifest.get("versions", {})
        ours = {"evervalue": __version__, "duckdb": duckdb.version}
        if (
            before.manifest.get("settings_sha256") != settings.sha256
            or {name: versions.get(name) for name in ours} != ours
            or "known_at" in before.manifest
        ):
            return False
        if not before.path.is_file() or sha256(before.path) != before.manifest["sha256"]:
            progress.warn(f"The snapshot of run {before.run_id} is damaged or gone, so all is built anew.")
            return False
        shutil.copyfile(before.path, file)
        con.execute(f"attach {literal(str(before.path))} as {BEFORE} (read_only)")
        return True

    @staticmethod
    def _same(con: Connection) -> bool:
        if con.execute("select 1 from raw.touched where customer_key is null limit 1").fetchone():
            return False
        for table in NONE:
            if con.execute(f"select 1 from {table} limit 1").fetchone():
                return False
            if con.execute(f"select 1 from {BEFORE}.{table} limit 1").fetchone():
                return False
        return not any(
            con.execute(
                f"select 1 from ((from {table} except all from {BEFORE}.{table}) union all "
                f"(from {BEFORE}.{table} except all from {table})) limit 1"
            ).fetchone()
            for table in SAME
        )

    def _changed(self, con: Connection) -> bool:
        """Fill the tables of who changed; whether they are few enough."""
        con.execute(
            f"""
            create or replace temp table {CUSTOMERS} as
            with keys as (
                select source, customer_key from raw.touched
                union
                select m.source, m.customer_id
                from (select source, file_id, line, customer_id from mapped.order_lines
                    union all select source, file_id, line, customer_id from mapped.income) as m
                semi join (
                    select source, file_id, line from ({_differ("curated.refused_lines", VERDICT)})
                    union all
                    select source, file_id, line from ({_differ("curated.refused_rows", VERDICT)})
                ) as r on r.source = m.source and r.file_id = m.file_id and r.line = m.line
            ),
            spaces as (select source, customer_keys as namespace from run.source_settings),
            moved as (select namespace, customer_key from ({_differ("identity.renamed", "*")})),
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
        (changed,) = con.execute(f"select count(*) from {CUSTOMERS}").fetchone() or (0,)
        (whole,) = con.execute("select count(distinct customer_id) from identity.registry").fetchone() or (0,)
        if changed > MOST * whole:
            return False
        self.progress.step("Lines taken over", detail=f"but of {count(int(changed), 'customer')}")
        return True


def _differ(table: str, columns: str) -> str:
    """SQL of the rows that only one of the runs has."""
    now, then = f"select {columns} from {table}", f"select {columns} from {BEFORE}.{table}"
    return f"({now} except {then}) union ({then} except {now})"
