"""The replication slot of a PostgreSQL source: made where it is missing, refused where it misfits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from evervalue.core.errors import SettingsError, SourceUnavailable
from evervalue.sources.changes.positions import Position
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres_errors import driver, failed, refusal
from evervalue.sources.databases.postgres_facts import quoted

AGAIN = "Then read everything anew with: evervalue run --full-refresh"
WRITTEN = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex"
)
"""Values in the stream are written as the copy of the snapshot writes them."""


@dataclass(frozen=True)
class Server:
    """What IDENTIFY_SYSTEM tells."""

    system_id: str
    timeline: int
    lsn: int


@dataclass(frozen=True)
class Slot:
    """A replication slot as it is now."""

    confirmed: int
    active: bool
    lost: str
    """Why it cannot be used any more; empty where it can."""


def number(lsn: str) -> int:
    """An LSN as a number.

    >>> number("1/A0")
    4294967456
    """
    high, _, low = lsn.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def shown(lsn: int) -> str:
    """A number as PostgreSQL writes LSNs.

    >>> shown(4294967456)
    '1/A0'
    """
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def slot_name(source: str, given: str | None) -> str:
    """The name of the slot, as set or made from the source's.

    Raises
    ------
    SettingsError
        PostgreSQL takes no such name.
    """
    name = given or "evervalue_" + re.sub("[^a-z0-9_]", "_", source.lower())
    if not re.fullmatch("[a-z0-9_]{1,63}", name):
        raise SettingsError(
            f"sources.{source}.slot = '{name}' is no name of a replication slot: small letters, digits and "
            "underscores, at most 63."
        )
    return name


def connect(address: Address, *, replication: bool = False) -> Any:
    """An open connection, for SQL or for the stream.

    Raises
    ------
    SourceUnavailable
        It cannot be reached, or does not let us in.
    """
    psycopg = driver()
    given = psycopg.conninfo.conninfo_to_dict(address.text)
    options = f"{given.get('options', '')} {WRITTEN}".strip()
    more = {"replication": "database"} if replication else {}
    try:
        return psycopg.connect(
            address.text,
            options=options,
            application_name="evervalue",
            client_encoding="UTF8",
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=int(given.get("connect_timeout", 15)),
            **more,
        )
    except psycopg.Error as error:
        if replication and ("WAL sender" in str(error) or "replication role" in str(error)):
            user = given.get("user") or "this user"
            raise SourceUnavailable(
                f"{address.where}: the user {user} may not read the stream of changes (replication). Let an "
                f"administrator run: ALTER ROLE {quoted(user)} REPLICATION; in Amazon RDS: "
                f"GRANT rds_replication TO {quoted(user)};"
            ) from None
        doing = "opening the stream of changes" if replication else ""
        raise refusal(error, address, doing) from None


def command(con: Any, text: str, address: Address) -> list[dict[str, str | None]]:
    """The rows of a replication command, by name of column."""
    result = con.pgconn.exec_(text.encode())
    status = driver().pq.ExecStatus
    if result.status not in (status.TUPLES_OK, status.COMMAND_OK):
        raise refusal(failed(result), address, text.split(" ")[0].lower().replace("_", " "))
    names = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
    return [
        {
            name: None if (cell := result.get_value(row, i)) is None else cell.decode()
            for i, name in enumerate(names)
        }
        for row in range(result.ntuples)
    ]


def identify(con: Any, address: Address) -> Server:
    """Which server this is, and how far its log goes."""
    (row,) = command(con, "IDENTIFY_SYSTEM", address)
    return Server(str(row["systemid"]), int(row["timeline"] or 0), number(str(row["xlogpos"])))


def find(sql: Any, name: str, where: str) -> Slot | None:
    """The slot of that name, where there is one.

    Raises
    ------
    SourceUnavailable
        There is one that is not ours to use.
    """
    cursor = sql.execute("select * from pg_replication_slots where slot_name = %s", [name])
    row = cursor.fetchone()
    if row is None:
        return None
    found = dict(zip([c.name for c in cursor.description], row, strict=True))
    (here,) = sql.execute("select current_database()").fetchone()
    if found["plugin"] != "pgoutput" or found["database"] != here:
        raise SourceUnavailable(
            f"{where}: a replication slot '{name}' is there, of database {found['database']} and plugin "
            f'{found["plugin"]}: it is somebody else\'s. Choose another name: slot = "..." under [{where}].'
        )
    lost = ""
    if found.get("wal_status") == "lost" or found.get("invalidation_reason"):
        lost = str(found.get("invalidation_reason") or "the log it needs was removed")
    confirmed = found["confirmed_flush_lsn"] or found["restart_lsn"]
    return Slot(number(str(confirmed)) if confirmed else 0, bool(found["active"]), lost)


def verify(slot: Slot | None, held: Position, server: Server, name: str, where: str, history: str) -> None:
    """Nothing, where the slot goes on exactly where what is stored ends.

    Parameters
    ----------
    history
        Content of the server's timeline file, where its timeline is not the stored one.

    Raises
    ------
    SourceUnavailable
        Changes between the two are lost, or what is stored was never in this database; with the mend.
    """
    if held.server != server.system_id:
        raise SourceUnavailable(
            f"{where}: this is another database server than the one whose changes were followed (system identifier "
            f"{server.system_id}, not {held.server}). Set `connection` back if it is a mistake. {AGAIN}"
        )
    fork = _left_at(history, held.timeline or 0)
    if server.lsn < held.next_lsn or (fork is not None and fork < held.next_lsn):
        raise SourceUnavailable(
            f"{where}: the database was set back to an earlier state: changes up to {shown(held.next_lsn)} were "
            f"followed, and its log {'parted' if fork is not None else 'ends'} at "
            f"{shown(fork if fork is not None else server.lsn)}. What was read may not be there any more. {AGAIN}"
        )
    if slot is None:
        raise SourceUnavailable(
            f"{where}: the replication slot '{name}' is gone, so changes after {shown(held.next_lsn)} are lost. A "
            f"run with --full-refresh that was broken off drops it; else find out who does. {AGAIN}"
        )
    if slot.lost:
        raise SourceUnavailable(
            f"{where}: the replication slot '{name}' was invalidated ({slot.lost}), so changes after "
            f"{shown(held.next_lsn)} are lost. Raise max_slot_wal_keep_size, or follow more often. {AGAIN}, which "
            "makes a new slot."
        )
    if slot.confirmed > held.next_lsn:
        raise SourceUnavailable(
            f"{where}: the replication slot '{name}' stands at {shown(slot.confirmed)} and what is stored ends at "
            f"{shown(held.next_lsn)}: it was made anew (by a run with --full-refresh that was broken off?), or "
            "somebody else reads from it, or the warehouse was set back to an earlier state. Changes between the two "
            f"are lost. Give every project a slot of its own. {AGAIN}"
        )


def _left_at(history: str, timeline: int) -> int | None:
    """Where the server's history left a timeline; None where it has not."""
    for line in history.splitlines():
        parts = line.split()
        if len(parts) >= 2 and parts[0] == str(timeline):
            return number(parts[1])
    return None


def create(con: Any, name: str, address: Address, where: str) -> tuple[int, str]:
    """Position and snapshot of a new slot: the snapshot holds exactly what was committed before the position.

    The snapshot lives until the next command on `con`.

    Raises
    ------
    SourceUnavailable
        No slot is free, the right is missing, or the log is not kept for it.
    """
    try:
        (row,) = command(
            con, f"CREATE_REPLICATION_SLOT {quoted(name)} LOGICAL pgoutput (SNAPSHOT 'export')", address
        )
    except SourceUnavailable as error:
        raise SourceUnavailable(f"{error} Look at all that is needed with: evervalue sources check") from None
    return number(str(row["consistent_point"])), str(row["snapshot_name"])


def drop(sql: Any, name: str, where: str) -> None:
    """Take the slot away.

    Raises
    ------
    SourceUnavailable
        Somebody reads from it.
    """
    try:
        sql.execute("select pg_drop_replication_slot(%s)", [name])
    except driver().errors.ObjectInUse:
        raise SourceUnavailable(
            f"{where}: the replication slot '{name}' is in use, so it cannot be made anew. End what reads from it "
            "(`evervalue sources watch`?) and run again."
        ) from None


def history(con: Any, timeline: int, address: Address) -> str:
    """What the server says of the timelines before this one."""
    (row,) = command(con, f"TIMELINE_HISTORY {timeline}", address)
    return str(row["content"])
