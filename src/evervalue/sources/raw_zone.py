"""The tables of the raw zone: what was read, from where, in which run; and the rows that could not be taken."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evervalue.core.errors import InputError
from evervalue.sources.wider import same_or_text, to_change
from evervalue.warehouse.duckdb import Connection, EngineError, insert, literal, quoted, value
from evervalue.warehouse.head import Head, split

OWN_COLUMNS = ("_file_id", "_line", "_run_id", "_until_run_id", "_lsn", "_ordinal", "_op", "_unchanged")
"""Columns of raw tables that no source brings."""
PAST = "~past"
"""What stands behind the name of a raw table that holds the rows which are live no more."""


@dataclass(frozen=True)
class FileRow:
    """A row of raw.files."""

    file_id: str
    path: str
    sha256: str
    reader: str
    rows_read: int
    status: str


@dataclass(frozen=True)
class StoredColumn:
    """A column of a source's raw table, and the type each file brought it in."""

    name: str
    type: str
    """Type in the raw table."""
    typed_in: dict[str, str]
    """file_id: stored type; `text` where the file held text."""


@cache
def heads() -> tuple[Head, ...]:
    """The heads of the tables that sources fill."""
    found = sorted(f.name for f in files("evervalue.sources").iterdir() if f.name.endswith(".sql"))
    return tuple(
        split(files("evervalue.sources").joinpath(name).read_text(encoding="utf-8"), f"sources/{name}")[0]
        for name in found
    )


def ensure(con: Connection) -> None:
    """Create the tables of the raw and mapped zones, as their heads declare them, where they are not there yet."""
    con.execute("create schema if not exists raw")
    con.execute("create schema if not exists mapped")
    for head in heads():
        columns = ", ".join(
            f"{quoted(name)} {column.type}{'' if column.nullable else ' not null'}"
            for name, column in head.columns.items()
        )
        con.execute(f"create table if not exists {head.table} ({columns})")
        _upgrade(con, head)


def _upgrade(con: Connection, head: Head) -> None:
    """Give a table that an earlier version made the columns that its head has since got, in its order."""
    there = [
        name
        for name, _ in con.execute(f"select column_name, column_type from (describe {head.table})").fetchall()
    ]
    if there == list(head.columns):
        return
    listed = ", ".join(
        quoted(name) if name in there else f"null::{column.type} as {quoted(name)}"
        for name, column in head.columns.items()
    )
    con.execute(f"create or replace table {head.table} as select {listed} from {head.table}")


def note_load(con: Connection, run_id: str, known_at: dt.datetime, kind: str) -> None:
    """Remember the instant from which what a load reads is known."""
    run(con, "delete from raw.loads where run_id = ?", [run_id])
    con.execute(
        f"insert into raw.loads values ({literal(run_id)}, {literal(known_at.isoformat(' '))}, {literal(kind)}, false)"
    )


def note_built(con: Connection, run_id: str) -> None:
    """Remember that a run was published from all that was loaded so far."""
    con.execute("update raw.loads set built = false where built")
    run(con, "update raw.loads set built = true where run_id = ?", [run_id])
    con.execute("delete from raw.touched")


@contextmanager
def transaction(con: Connection) -> Iterator[None]:
    """All or nothing: commits at the end of the block, rolls back on any exception, an interruption too."""
    con.execute("begin transaction")
    try:
        yield
        con.execute("commit")
    except BaseException:
        with suppress(EngineError):  # nothing to roll back where the engine has ended the transaction itself
            con.execute("rollback")
        raise


def run(con: Connection, sql: str, values: Iterable[str | int | None] = ()) -> Connection:
    """Execute `sql` with each `?` replaced by a literal.

    Not with the client's own binding: it imports pandas, where that is installed, to look at the first value it binds.
    """
    parts = sql.split("?")
    bound = [parts[0]]
    for item, part in zip(values, parts[1:], strict=True):
        bound += [value(item), part]
    return con.execute("".join(bound))


def table(source: str) -> str:
    """The raw table of a source, quoted."""
    return f"raw.{quoted(source)}"


def past(source: str) -> str:
    """The table of rows that a source's raw table held once, quoted: the same columns, and `_until_run_id`."""
    return f"raw.{quoted(source + PAST)}"


def files_of(con: Connection, source: str) -> list[FileRow]:
    """What raw.files says of a source, ordered by path."""
    rows = run(
        con,
        "select file_id, path, sha256, reader, rows_read, status from raw.files where source = ? order by path, sha256",
        [source],
    ).fetchall()
    return [FileRow(*row) for row in rows]


def prepare(
    con: Connection,
    source: str,
    columns: Iterable[tuple[str, str]],
    shown: str,
    both: Callable[[str, str], str] = same_or_text,
) -> None:
    """Make the raw table of a source able to hold `columns` (name, type); `both` settles types that differ."""
    columns = list(columns)
    taken = [name for name, _ in columns if name.lower() in OWN_COLUMNS]
    if taken:
        raise InputError(
            f"{shown} has a column '{taken[0]}', a name that the raw zone uses itself. Rename the column."
        )
    existing = column_types(con, source)
    if not existing:
        body = ", ".join(f"{quoted(n)} {t}" for n, t in columns)
        con.execute(
            f"create table {table(source)} (_file_id text not null, _line bigint not null, _run_id text "
            f"not null, {body})"
        )
        return
    reshape(con, source, to_change(existing, columns, both))


def reshape(con: Connection, name: str, changed: Mapping[str, str]) -> None:
    """Give a raw table columns of these types: those it has are cast, others come behind them, without a value.

    The table is written anew: one of which the same transaction has deleted rows cannot be altered, or is altered and
    cannot be committed.
    """
    if not changed:
        return
    body, there = [], []
    for column, type, null, *_ in con.execute(f"describe {table(name)}").fetchall():
        there.append(str(column))
        body.append(f"{quoted(column)} {changed.get(column, type)}{' not null' if null == 'NO' else ''}")
    body += [f"{quoted(column)} {type}" for column, type in changed.items() if column not in there]
    held = ", ".join(map(quoted, there))
    anew = table(f"{name}~anew")
    con.execute(f"create table {anew} ({', '.join(body)})")
    con.execute(f"insert into {anew} ({held}) select {held} from {table(name)}")
    con.execute(f"drop table {table(name)}")
    con.execute(f"alter table {anew} rename to {quoted(name)}")


def column_types(con: Connection, source: str) -> dict[str, str]:
    """The found columns of a source's raw table and their types; empty where there is none."""
    return {name: type for name, type in _types(con, source).items() if name not in OWN_COLUMNS}


def _types(con: Connection, name: str) -> dict[str, str]:
    rows = run(
        con,
        "select column_name, data_type from duckdb_columns() where database_name = current_database() "
        "and schema_name = 'raw' and table_name = ? order by column_index",
        [name],
    ).fetchall()
    return dict(rows)


def feed_of(con: Connection, source: str, database: str = "") -> str:
    """The feed of which one row is one row of a source; the source itself where it is one, or is not known."""
    mappings = f"{database}.raw.mappings" if database else "raw.mappings"
    found = run(con, f"select feed from {mappings} where source = ?", [source]).fetchone()
    return str(found[0]) if found and found[0] else source


def stored_columns(con: Connection, source: str) -> dict[str, StoredColumn]:
    """The columns of a source's raw table, with the type each loaded file brought."""
    types = column_types(con, source)
    typed: dict[str, dict[str, str]] = {name.lower(): {} for name in types}
    for file_id, name, type in run(
        con,
        "select file_id, column_name, stored_type from raw.columns where source = ? and file_id not in "
        "(select file_id from raw.files where source = ? group by file_id having bool_and(status <> 'loaded'))",
        [source, source],
    ).fetchall():
        typed[name.lower()][file_id] = type
    return {name: StoredColumn(name, type, typed[name.lower()]) for name, type in types.items()}


def note_columns(
    con: Connection,
    source: str,
    file_id: str,
    columns: Iterable[tuple[str, str]],
    key: Sequence[str] = (),
) -> None:
    """Keep the names and stored types of a file's columns, and which of them name a row."""
    run(con, "delete from raw.columns where source = ? and file_id = ?", [source, file_id])
    places = {name.lower(): place for place, name in enumerate(key)}
    insert(
        con,
        "raw.columns",
        (
            [source, file_id, place, name, type, places.get(name.lower())]
            for place, (name, type) in enumerate(columns)
        ),
    )


def key_of(con: Connection, source: str) -> list[str]:
    """The columns that name a row of a source, in order; empty where rows have no key."""
    rows = run(
        con,
        "select distinct key_position, column_name from raw.columns where source = ? and key_position is not null "
        "order by key_position",
        [source],
    ).fetchall()
    return [str(name) for _, name in rows]


def retire(con: Connection, source: str, where: str, run_id: str) -> int:
    """Move the rows that `where` (SQL over the raw table) means to the past; returns how many."""
    live, gone = table(source), past(source)
    con.execute(
        f"create table if not exists {gone} as select *, ''::varchar as _until_run_id from {live} limit 0"
    )
    holds = _types(con, source + PAST)
    reshape(con, source + PAST, to_change(holds, _types(con, source).items()))
    con.execute(
        f"insert into {gone} by name select *, {literal(run_id)} as _until_run_id from {live} where {where}"
    )
    done = con.execute(f"delete from {live} where {where}").fetchone()
    return int(done[0]) if done else 0


def forget(con: Connection, source: str, file_id: str, run_id: str) -> None:
    """Move a file's rows to the past; its line in raw.files is left to the caller."""
    if column_types(con, source):
        retire(con, source, f"_file_id = {literal(file_id)}", run_id)
    run(con, "delete from raw.quarantine where source = ? and file_id = ?", [source, file_id])


def rename(con: Connection, source: str, file: FileRow, path: str) -> None:
    """Let what was read of a file stand under another path."""
    key = [source, path, file.sha256]
    run(con, "delete from raw.files where source = ? and path = ? and sha256 = ?", key)
    run(
        con,
        "update raw.files set path = ? where source = ? and path = ? and sha256 = ?",
        [path, source, file.path, file.sha256],
    )
    for zone in ("quarantine", "conflicts"):
        run(
            con,
            f"update raw.{zone} set path = ? where (source = ? or source in (select source from raw.mappings "
            "where feed = ?)) and file_id = ?",
            [path, source, source, file.file_id],
        )


def leave(con: Connection, source: str) -> None:
    """Mark the files of a source that left the settings; its raw rows stay, what it had refused goes."""
    run(con, "update raw.files set status = 'left' where source = ? and status = 'loaded'", [source])
    for zone in ("quarantine", "conflicts"):
        run(con, f"delete from raw.{zone} where source = ?", [source])


def come_back(con: Connection, source: str) -> None:
    """Take the files of a source that had left as loaded again, to be read anew where they still lie.

    What had been refused of a file that is gone cannot be told any more, so the file counts by the rows that are left.
    """
    if not any(file.status == "left" for file in files_of(con, source)):
        return
    held = f"select count(*) from {table(source)} as held where held._file_id = files.file_id"
    run(
        con,
        f"update raw.files set status = 'loaded', reader = '', rows_read = ({held}) "
        "where source = ? and status = 'left'",
        [source],
    )


def refuse(
    con: Connection,
    source: str,
    file_id: str,
    path: str,
    run_id: str,
    rows: list[tuple[int, str, str, str, list[str]]],
) -> None:
    """Put records that could not be read into quarantine: (line, reason, says, cell, fields)."""
    insert(
        con,
        "raw.quarantine",
        (
            [
                source,
                file_id,
                path,
                line,
                None,
                cell,
                reason,
                says,
                json.dumps(fields, ensure_ascii=False),
                run_id,
            ]
            for line, reason, says, cell, fields in rows
        ),
    )


def in_list(values: Iterable[str]) -> str:
    """Text literals, joined for an IN list."""
    return ", ".join(literal(v) for v in values)
