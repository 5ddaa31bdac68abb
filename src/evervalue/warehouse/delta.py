"""Builds a table from the one of the run before: rows of customers who changed are made anew, the others taken over."""

from __future__ import annotations

import re

from evervalue.core.errors import TableError
from evervalue.warehouse.checks import check
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.sql_model import SqlModel
from evervalue.warehouse.variables import bindings, with_variables

BEFORE = "before"
"""Name of the attached snapshot of the run before."""
CUSTOMERS, KEYS = "delta_customers", "delta_keys"
"""Temporary tables: (customer_id) of the customers who changed, and (source, customer_key) of their records."""
NAMES, VISITORS = "delta_names", "delta_visitors"
"""Temporary tables: (source, who) of the names of visitors who have something new, and (visitor_id) of the visitors."""
SUSPECTS = "delta_suspects"
"""Temporary table: (source, file_id, line) of the lines that may be judged otherwise than in the run before."""


def build_delta(con: Connection, model: SqlModel) -> int:
    """The number of rows of the table, which is there as the run before made it, brought to date and checked.

    The rows made anew are held against the head; those taken over were, when they were made. A table without customers
    is made anew whole, from the rows that its head picks.
    """
    name = model.name
    of_customers = "customer_id" in model.head.columns
    customers = f"customer_id in (select customer_id from {CUSTOMERS})" if of_customers else "true"
    changed = model.head.changed or customers
    con.execute(f"delete from {name} where {changed}")
    for setting in bindings(model):
        con.execute(setting)
    order = f" order by {', '.join(model.head.layout)}" if model.head.layout else ""
    con.execute(f"insert into {name} select * from (\n{with_variables(restricted(model))}\n){order}")
    return check(con, model.head, only=changed)


def restricted(model: SqlModel) -> str:
    """The SELECT of a table, reading only rows of customers who changed.

    Raises
    ------
    TableError
        The head names a table under `delta` that the SELECT does not read.
    """
    sql = model.sql
    for table, predicate in model.head.delta.items():
        pattern = rf"\b(from|join)\s+{re.escape(table)}\b(?:\s+as\s+(\w+))?"
        short = table.split(".")[1]

        def picked(
            found: re.Match[str], table: str = table, predicate: str = predicate, short: str = short
        ) -> str:
            return f"{found[1]} (select * from {table} where {predicate}) as {found[2] or short}"

        sql, times = re.subn(pattern, picked, sql)
        if not times:
            raise TableError(f"{model.where} names {table} under delta, which its SELECT does not read.")
    return sql
