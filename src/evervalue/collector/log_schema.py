"""The tables of the event log in SQLite, and how older files come to have them."""

from __future__ import annotations

import time

import apsw

from evervalue.core.errors import StorageError

LAYOUT = 3
"""Version of the schema, kept in the file's user_version."""
SCHEMA = """
create table if not exists source (
    source_id integer primary key,
    name text not null unique
) strict;
create table if not exists event (
    seq integer primary key autoincrement,
    source_id integer not null,
    message_id text not null,
    type text not null,
    at_us integer not null,
    received_us integer not null,
    who text,
    body blob,
    unique (source_id, message_id)
) strict;
create index if not exists event_who on event (source_id, who) where body is not null;
create table if not exists refused (
    refused_id integer primary key autoincrement,
    source_id integer not null,
    received_us integer not null,
    code text not null,
    says text not null,
    body blob not null
) strict;
create table if not exists tally (
    source_id integer primary key,
    accepted integer not null,
    stored integer not null,
    duplicate integer not null,
    quarantined integer not null
) strict;
create table if not exists position (
    source_id integer not null,
    stream text not null,
    part text not null,
    position text not null,
    moved_us integer not null,
    primary key (source_id, stream, part)
) strict, without rowid;
"""
FROM_LAYOUT_1 = """
alter table event add column who text;
update event set who = coalesce(
    nullif(trim(json_extract(cast(body as text), '$.userId')), ''),
    nullif(trim(json_extract(cast(body as text), '$.anonymousId')), '')
) where body is not null;
"""
"""Logs of version 0.1 before there was `who`: whose an event is, found by the index."""
SYNCHRONOUS = "extra"
"""A commit waits for the disk. With less, a power cut takes what was acknowledged; a test shows it.

In WAL mode "extra" is "full". While the file is made it waits for the folder too: a journal that came back would undo
all that followed."""


PAUSE_SECONDS = 0.01


def made_ready(con: apsw.Connection, where: object, seconds: float) -> None:
    """Nothing; the file is a log of this version when it returns.

    Whoever opens a file while another process makes a log of it is refused at once: SQLite waits for no lock where it
    changes how a file is written. So that is tried again for some seconds.

    Raises
    ------
    apsw.BusyError
        Another process held the file all the time.
    StorageError
        A later version of Evervalue wrote it.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            _make_ready(con, where)
            return
        except apsw.BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSE_SECONDS)


def _make_ready(con: apsw.Connection, where: object) -> None:
    found = _layout(con, where)
    if not found:
        con.pragma(
            "auto_vacuum", "incremental"
        )  # only before the first table is made; space is given back by it
    con.pragma("synchronous", SYNCHRONOUS)
    con.pragma("journal_mode", "wal")
    if found < LAYOUT:
        _bring_up(con, where)


def _layout(con: apsw.Connection, where: object) -> int:
    found = int(con.pragma("user_version"))
    if found > LAYOUT:
        raise StorageError(
            f"{where} was written by a later version of Evervalue (layout {found}, ours is {LAYOUT}). "
            "Install that version again."
        )
    return found


def _bring_up(con: apsw.Connection, where: object) -> None:
    """Makes the tables, or brings older ones up to this version, unless another process just did."""
    con.execute("begin immediate")
    try:
        older = FROM_LAYOUT_1 if _layout(con, where) == 1 else ""
        con.execute(f"{older} {SCHEMA} pragma user_version={LAYOUT};").fetchall()
        con.execute("commit")
    except BaseException:
        if con.in_transaction:  # what fails while it is written is rolled back by SQLite itself
            con.execute("rollback")
        raise
