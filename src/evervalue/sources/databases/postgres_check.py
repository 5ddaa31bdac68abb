"""Whether a PostgreSQL table can be read, and its changes captured: what is there, or what is missing and its mend."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import listing
from evervalue.sources.databases.postgres_facts import describe, quoted


def check(con: Any, name: str, where: str, *, changes: bool) -> list[str]:
    """What was found, in sentences.

    Raises
    ------
    SourceUnavailable
        Everything that is missing, each with what mends it.
    """
    table = describe(con, name, where)
    version, database, user = con.execute(
        "select current_setting('server_version'), current_database(), current_user"
    ).fetchone()
    rows = "an unknown number of rows" if table.rows is None else f"about {table.rows:,} rows"
    key = f"key {listing(table.key)}" if table.key else "no key"
    said = [
        f"PostgreSQL {version.split()[0]}, database {database}, user {user}",
        f"{table.name}: {len(table.columns)} columns, {key}, {rows}",
        *table.warnings,
    ]
    if not table.key and table.kind != "table":
        said.append(
            f"{table.name} is a {table.kind} without a key and is read whole every time; name its key in `key`"
        )
    if changes:
        _check_changes(con, table.name, bool(table.key), where, user)
        said.append("its changes can be captured")
    return said


def _check_changes(con: Any, name: str, has_key: bool, where: str, user: str) -> None:
    level, may, slots, senders, used = con.execute(
        "select current_setting('wal_level'), "
        "(select rolreplication or rolsuper from pg_roles where rolname = current_user), "
        "current_setting('max_replication_slots')::int, current_setting('max_wal_senders')::int, "
        "(select count(*) from pg_replication_slots)"
    ).fetchone()
    faults = []
    if level != "logical":
        faults.append(
            f"wal_level is {level}: set wal_level = logical in postgresql.conf (in a cloud: "
            "rds.logical_replication = 1 or its like) and restart the server"
        )
    if not may:
        faults.append(f"the user {user} may not replicate: ALTER ROLE {quoted(user)} REPLICATION;")
    if used >= slots:
        faults.append(
            f"all {slots} replication slots are taken: drop one that is not used, or raise max_replication_slots"
        )
    if senders == 0:
        faults.append("max_wal_senders is 0: raise it and restart the server")
    if not has_key:
        faults.append(
            f"{name} has no primary key, so updates and deletes do not say which row they mean: add one, or set "
            "REPLICA IDENTITY USING INDEX"
        )
    if faults:
        raise SourceUnavailable(f"{where}: changes of {name} cannot be captured: {'; '.join(faults)}.")
