"""Identity in a run: fills the tables of the schema `identity`, and remembers what must go on to the next run.

The registry, every id ever given, the links and the decisions live in the warehouse, in its own schema `identity`. A
run reads them at its beginning and writes them back once it is published, so that a failed run changes nothing.
Without a warehouse (scores from a file) every run is the first.
"""

from __future__ import annotations

from collections.abc import Callable

from evervalue.identity.ambiguity import refuse_equal_keys
from evervalue.identity.assign import assign
from evervalue.identity.linking import judge_identifiers, link, number_records
from evervalue.identity.settings import IdentitySettings
from evervalue.warehouse.duckdb import Connection, literal

MEMORY = {
    "registry": "namespace text, customer_key text, customer_id text, since_run text, is_present boolean",
    "customer_ids": "customer_id text, namespace text, customer_key text, minted_run text, retired_run text",
    "links": "record_a text, record_b text, type text, shown text, value_hash text, reason text, since_run text",
    "settled": "is_settled boolean",
    "decisions": "decision_id bigint, kind text, record text, why text, decided_at timestamp, undone_at timestamp",
}
"""What goes on from run to run: table of the warehouse's schema `identity`, and its columns."""


class IdentityStage:
    """Fills the tables of identity, each when its turn in the run comes.

    Parameters
    ----------
    settings
        `[identity]` of the project.
    run_id
        Name of the run.
    warehouse
        The attached database that remembers; None where nothing is to be remembered.
    """

    def __init__(self, settings: IdentitySettings, *, run_id: str, warehouse: str | None = None) -> None:
        self.settings = settings
        self.run_id = run_id
        self.warehouse = warehouse
        self.moved: bool | None = None
        """Whether a record moved to another customer; None where nobody looked, since nothing came or went."""

    def fillers(self) -> dict[str, Callable[[Connection], None]]:
        """What fills each table."""
        return {
            "identity.decisions": self._decisions,
            "identity.identifiers": self._identifiers,
            "identity.links": self._links,
            "identity.registry": self._registry,
            "identity.customer_ids": self._customer_ids,
        }

    def settled(self, con: Connection) -> bool:
        """Whether the same records, identifiers and decisions would give the tables of the last run once more.

        Not where a record moved from one customer to another in it: the star around an identifier has the record in
        its middle that belongs to its customer longest, which may be another one now.
        """
        self._remembered(con, "settled", "identity_settled")
        return con.execute("select 1 from identity_settled where is_settled").fetchone() is not None

    def keep(self, con: Connection, built: str) -> None:
        """Remember what the run found, in the caller's transaction; `built` is the database that holds its tables."""
        if self.warehouse is None:
            return
        con.execute(f"create schema if not exists {self.warehouse}.identity")
        for table in ("registry", "customer_ids", "links"):
            con.execute(
                f"create or replace table {self.warehouse}.identity.{table} as from {built}.identity.{table}"
            )
        if self.moved is not None:
            settled = f"{self.warehouse}.identity.settled"
            con.execute(f"create or replace table {settled} as select {not self.moved} as is_settled")

    def _remembered(self, con: Connection, table: str, into: str) -> None:
        """A temporary copy of what the run before left, empty where there is nothing."""
        held = (
            self.warehouse
            and con.execute(
                f"select 1 from duckdb_tables() where database_name = {literal(self.warehouse)} "
                f"and schema_name = 'identity' and table_name = {literal(table)}"
            ).fetchone()
        )
        con.execute(f"create or replace temp table {into} ({MEMORY[table]})")
        if held:
            con.execute(f"insert into {into} by name from {self.warehouse}.identity.{table}")

    def _decisions(self, con: Connection) -> None:
        refuse_equal_keys(con)
        self._remembered(con, "decisions", "identity_decided")
        con.execute("create table identity.decisions as from identity_decided")
        con.execute("delete from identity_decided where undone_at is not null")

    def _identifiers(self, con: Connection) -> None:
        self._remembered(con, "registry", "identity_old")
        number_records(con)
        judge_identifiers(con, self.settings)
        link(con, self.settings, self.run_id)
        con.execute(
            "create table identity.identifiers as select namespace, customer_key, type, value, "
            "min(normal) as normal, min(shown) as shown, min(value_hash) as value_hash, "
            "max(record_count) as record_count, "
            "max(verdict) as verdict from identity_judged group by namespace, customer_key, type, value "
            "order by namespace, customer_key, type, value"
        )
        con.execute("drop table identity_judged")

    def _links(self, con: Connection) -> None:
        self._remembered(con, "links", "identity_known")
        con.execute(
            f"""
            create table identity.links as
            select a.record as record_a, b.record as record_b, e.type, e.shown, e.value_hash, e.reason,
                coalesce(k.since_run, {literal(self.run_id)}) as since_run
            from identity_edges as e
            join identity_nodes as a on a.node = e.a
            join identity_nodes as b on b.node = e.b
            left join identity_known as k on k.record_a = a.record and k.record_b = b.record and k.type = e.type
                and k.value_hash = e.value_hash
            order by all
            """
        )
        con.execute("drop table identity_known")
        con.execute("drop table identity_edges")

    def _registry(self, con: Connection) -> None:
        self._remembered(con, "customer_ids", "identity_old_ids")
        assign(con, self.run_id)
        self.moved = (
            con.execute(
                "select 1 from identity_new as n join identity_old as o using (namespace, customer_key) "
                "where n.since_run <> o.since_run limit 1"
            ).fetchone()
            is not None
        )
        con.execute("create table identity.registry as from identity_new order by namespace, customer_key")
        for table in ("old", "old_ids", "nodes", "clusters", "new", "decided"):
            con.execute(f"drop table identity_{table}")

    def _customer_ids(self, con: Connection) -> None:
        con.execute("create table identity.customer_ids as from identity_ids order by customer_id")
        con.execute("drop table identity_ids")
