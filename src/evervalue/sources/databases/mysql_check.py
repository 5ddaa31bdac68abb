"""Whether a MySQL or MariaDB table can be read, and its changes captured: what is there, or what is missing."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import listing
from evervalue.sources.databases import mysql_log
from evervalue.sources.databases.tables import Table

KINDS = {"view": "a view", "versioned": "one with a history kept by the server (system versioning)"}


def check(cursor: Any, table: Table, where: str, *, changes: bool) -> list[str]:
    """What was found, in sentences.

    Raises
    ------
    SourceUnavailable
        Everything that is missing, each with what mends it.
    """
    cursor.execute("select version(), database(), current_user()")
    version, database, user = cursor.fetchone()
    cursor.execute(f"select 1 from {table.address} limit 1")
    rows = "an unknown number of rows" if table.rows is None else f"about {table.rows:,} rows"
    key = f"key {listing(table.key)}" if table.key else "no key"
    name = "MariaDB" if "mariadb" in str(version).lower() else "MySQL"
    said = [
        f"{name} {str(version).partition('-')[0]}, database {database}, user {user}",
        f"{table.name}: {len(table.columns)} columns, {key}, {rows}",
        *table.warnings,
    ]
    if not table.key:
        said.append(f"{table.name} has no key and is read whole every time; name its key in `key`")
    if changes:
        _check_changes(cursor, table, where, str(user))
        said.append("its changes can be captured")
    return said


def _check_changes(cursor: Any, table: Table, where: str, user: str) -> None:
    faults = mysql_log.faults(mysql_log.variables(cursor))
    if table.kind != "table":
        faults.append(
            f"it is no plain table but {KINDS.get(table.kind, table.kind)}, of which the log says nothing"
        )
    cursor.execute("show grants")
    grants = " ".join(str(row[0]).upper() for row in cursor.fetchall())
    everything = "GRANT ALL PRIVILEGES ON *.*" in grants
    if not everything and "REPLICATION SLAVE" not in grants and "REPLICATION REPLICA" not in grants:
        faults.append(f"the user {user} may not follow the log: GRANT REPLICATION SLAVE ON *.* TO {user};")
    if not everything and not any(
        right in grants for right in ("REPLICATION CLIENT", "BINLOG MONITOR", "SUPER")
    ):
        faults.append(f"the user {user} may not see its position: GRANT REPLICATION CLIENT ON *.* TO {user};")
    if not table.key:
        faults.append(f"{table.name} has no primary key: add one")
    if faults:
        raise SourceUnavailable(f"{where}: changes of {table.name} cannot be captured: {'; '.join(faults)}.")
