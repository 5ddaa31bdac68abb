"""Takes the bodies of events out of a log in SQLite, gives their space back, and puts events where they stood.

An event that changes in place leaves its page half empty, and SQLite gives back whole pages only; so events are taken
out and put back without their bodies, a few hundred in a commit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

PAGES = 200
"""Pages that are given back in one commit."""
PAUSE_SECONDS = 0.005
"""Between commits: SQLite lets nobody queue, so whoever waits to write needs a moment in which nobody does."""
TAKE_OUT = (
    "delete from event where seq = ? and body = ? and source_id = (select source_id from source where name = ?) "
    "returning seq, source_id, message_id, type, at_us, received_us"
)
PUT_BACK = (
    "insert into event (seq, source_id, message_id, type, at_us, received_us) values (?, ?, ?, ?, ?, ?)"
)


def let_go(con: apsw.Connection, source: str, events: Sequence[tuple[int, bytes]]) -> int:
    """How many events lost their bodies, in one commit."""
    con.execute("begin immediate")
    try:
        known = con.executemany(TAKE_OUT, [(seq, body, source) for seq, body in events]).fetchall()
        con.executemany(PUT_BACK, known)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    time.sleep(PAUSE_SECONDS)
    return len(known)


def put_back(
    con: apsw.Connection, source: str, rows: Sequence[tuple[int, str, str, int, int, str | None, bytes]]
) -> int:
    """How many events were stored in their own places and counted, in one commit."""
    con.execute("begin immediate")
    try:
        con.execute("insert or ignore into source (name) values (?)", (source,))
        source_id = con.execute("select source_id from source where name = ?", (source,)).get
        before = con.total_changes()
        con.executemany(
            "insert or ignore into event (source_id, seq, message_id, type, at_us, received_us, who, body) "
            "values (?, ?, ?, ?, ?, ?, ?, ?)",
            [(source_id, *row) for row in rows],
        )
        stored = con.total_changes() - before
        con.execute(
            "insert into tally values (?1, ?2, ?2, 0, 0) on conflict (source_id) do update set "
            "accepted = accepted + ?2, stored = stored + ?2",
            (source_id, stored),
        )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return stored


def give_back(con: apsw.Connection) -> None:
    """Give free pages back to the disk.

    A file that older versions made cannot give pages back one by one: it is written anew once, and whoever writes is
    refused until then.
    """
    if con.pragma("auto_vacuum") == 0:
        con.pragma("auto_vacuum", "incremental")
        con.execute("vacuum")
    while con.pragma("freelist_count"):
        con.execute(f"pragma incremental_vacuum({PAGES})").fetchall()
        time.sleep(PAUSE_SECONDS)
    con.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
