"""The rows that were refused: listed, written to a file to be mended, and taken back from it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError, NothingPublished
from evervalue.core.progress import Progress
from evervalue.core.text import count, did_you_mean, listing
from evervalue.sources import mend, raw_zone
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.sources.settings import FilesSource
from evervalue.sources.systems import System, system
from evervalue.warehouse.duckdb import Connection, literal

KEYS = ("_file_id", "_line", "_reason", "_says")
REFUSED = (
    "(select source, file_id, path, line, column_name, cell, reason, says, row_json from raw.quarantine "
    "union all select source, file_id, path, line, null, null, reason, says, row_json from raw.conflicts)"
)
"""Rows refused for themselves, and rows refused because they contradict others."""

REST = "_rest"
"""Fields of a row that has more of them than the header."""


@dataclass(frozen=True)
class Group:
    """Rows refused for one reason in one column of one source."""

    source: str
    reason: str
    column: str | None
    rows: int
    says: str
    example_path: str
    example_line: int


@dataclass(frozen=True)
class Refused:
    """A refused row."""

    source: str
    file_id: str
    path: str
    line: int
    column: str | None
    cell: str | None
    reason: str
    says: str
    row_json: str


@dataclass(frozen=True)
class Replayed:
    """What became of mended rows."""

    rows: int
    """Rows of the file that differ from what is in quarantine."""
    left: int
    """Of them, those that were mapped and left quarantine."""
    stayed: dict[str, int]
    """Reason: rows that are refused again."""
    report: LoadReport


def groups(con: Connection, source: str | None = None) -> list[Group]:
    """Refused rows gathered by source, reason and column, the most first."""
    _there(con)
    only = f"where source = {literal(source)}" if source else ""
    rows = con.execute(
        "select source, reason, column_name, count(*), min(says), arg_min(path, (path, line)), "
        "arg_min(line, (path, line)) "
        f"from {REFUSED} {only} group by source, reason, column_name order by count(*) desc, source, "
        "reason, column_name"
    ).fetchall()
    return [Group(*row) for row in rows]


def refused(
    con: Connection, source: str | None = None, reason: str | None = None, *, limit: int | None = None
) -> list[Refused]:
    """Refused rows, in the order of files and lines."""
    _there(con)
    tests = [
        f"{column} in ({raw_zone.in_list(values)})"
        for column, values in (
            # What could not be read was refused for the table; it belongs to what is mapped from it.
            ("source", {source, raw_zone.feed_of(con, source)} if source else ()),
            ("reason", {reason} if reason else ()),
        )
        if values
    ]
    rows = con.execute(
        "select source, file_id, path, line, column_name, cell, reason, says, row_json from "
        + REFUSED
        + " "
        + (f"where {' and '.join(tests)} " if tests else "")
        + "order by source, path, file_id, line"
        + (f" limit {int(limit)}" if limit is not None else "")
    ).fetchall()
    return [Refused(*row) for row in rows]


def export(con: Connection, target: Path, source: str, reason: str | None = None) -> int:
    """Write the refused rows of a source to a CSV file, to be mended there; returns how many.

    The columns are those of the source, then `_file_id`, `_line`, `_reason` and `_says`, which `replay` knows the rows
    by. Fields beyond the header come in `_rest`.
    """
    names = list(raw_zone.column_types(con, raw_zone.feed_of(con, source))) if source in _known(con) else []
    if not names:
        raise InputError(
            f"There is no source '{source}'{did_you_mean(source, _known(con))}; there are {listing(_known(con))}."
        )
    rows = refused(con, source, reason)
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*names, REST, *KEYS])
        for row in rows:
            cells, rest = _cells(row.row_json, names)
            writer.writerow(
                [*(cells.get(n, "") for n in names), rest, row.file_id, row.line, row.reason, row.says]
            )
    return len(rows)


def replay(
    con: Connection,
    path: Path,
    source: str,
    sources: Mapping[str, System | FilesSource],
    *,
    base: Path,
    project_currency: str,
    time_zone: str,
    run_id: str,
    known_at: dt.datetime,
    progress: Progress,
    temp_directory: Path | None = None,
) -> Replayed:
    """Take mended rows from a file that `export` wrote, and map the source anew, in one transaction.

    A mended row takes the place of the one that came, under its file and line, so that what was read is still what was
    stored, counted double or refused; `raw.mended` keeps the row as it came. Rows that were not changed stay where
    they are; rows that are refused again stay in quarantine with the new reason.

    Parameters
    ----------
    known_at
        Instant, UTC without a zone, from which the mended rows, and all else that is read now, are known.

    Raises
    ------
    InputError
        The file is none that `export` wrote, or names rows that are not in quarantine.
    """
    _there(con)
    feed = _mendable(con, sources, source)
    rows = _mended(con, path, source)
    with raw_zone.transaction(con):
        mend.keep(con, feed, rows, path=path.name, run_id=run_id, refused_by=source)
        mend.put_in_place(con, feed, run_id=run_id)
        listed = raw_zone.in_list(_mapped_from(sources, feed))
        con.execute(f"delete from raw.mappings where feed = {literal(feed)} or source in ({listed})")
        report = load(
            con,
            sources,
            base=base,
            project_currency=project_currency,
            time_zone=time_zone,
            run_id=run_id,
            known_at=known_at,
            progress=progress,
            temp_directory=temp_directory,
            own_transaction=False,
        )
    again: dict[str, int] = {}
    keys = {(row.file_id, row.line) for row in rows}
    for row in refused(con, source):
        if (row.file_id, row.line) in keys:
            again[row.reason] = again.get(row.reason, 0) + 1
    return Replayed(len(rows), len(rows) - sum(again.values()), again, report)


def _mendable(con: Connection, sources: Mapping[str, System | FilesSource], source: str) -> str:
    """The feed whose rows a source refused, where they can be mended here."""
    outputs = {name: one for one in _systems(sources) for name in one.outputs}
    if source not in outputs:
        raise InputError(
            f"There is no source '{source}' in evervalue.toml{did_you_mean(source, outputs)}; there are "
            f"{listing(outputs)}."
        )
    kind = outputs[source].settings.kind
    if kind != "files":
        raise InputError(
            f"The rows of '{source}' come from a system of kind {kind}: mend them there, and the next run reads them."
        )
    return outputs[source].outputs[source].feed


def _mapped_from(sources: Mapping[str, System | FilesSource], feed: str) -> list[str]:
    """The outputs that read a feed, those that only look something up in it among them."""
    return [name for one in _systems(sources) for name, output in one.outputs.items() if feed in output.feeds]


def _systems(sources: Mapping[str, System | FilesSource]) -> list[System]:
    return [one if isinstance(one, System) else system(name, one) for name, one in sources.items()]


def _mended(con: Connection, path: Path, source: str) -> list[mend.Mended]:
    """The rows of a mended file that differ from what is in quarantine."""
    names = list(raw_zone.column_types(con, raw_zone.feed_of(con, source)))
    known = {(r.file_id, r.line): r.row_json for r in refused(con, source)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [name for name in reader.fieldnames or [] if name]
            lacking = [name for name in (*names, "_file_id", "_line") if name not in header]
            if lacking:
                raise InputError(
                    f"{path.name} lacks {listing(lacking)}, so it is no export of source '{source}'. Write one with "
                    "`evervalue quarantine export`, and keep its columns."
                )
            mended, strange = [], []
            for row in reader:
                line = row["_line"] or ""
                key = (row["_file_id"] or "", int(line) if line.isdigit() else -1)
                if key not in known:
                    strange.append(f"line {line or '?'} of file {key[0] or '?'}")
                    continue
                cells = {name: row[name] or "" for name in names}
                before, rest = _cells(known[key], names)
                if cells != {name: before.get(name, "") for name in names} or (rest and not row.get(REST)):
                    mended.append(mend.Mended(*key, cells))
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read ({error}). Save it as CSV in UTF-8.") from None
    if strange:
        raise InputError(
            f"{path.name} has {count(len(strange), 'row')} that are not in quarantine of source '{source}' "
            f"(for example {strange[0]}). "
            "They may have been mended before; write a new export."
        )
    return mended


def _cells(row_json: str, names: list[str]) -> tuple[dict[str, str], str]:
    """Cells of a refused row by column, and what it has beyond the header."""
    row = json.loads(row_json)
    if isinstance(row, dict):
        return {
            name: "" if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
            for name, cell in row.items()
        }, ""
    rest = [str(cell) for cell in row[len(names) :]]
    return {name: str(cell) for name, cell in zip(names, row, strict=False)}, ",".join(rest)


def _known(con: Connection) -> list[str]:
    _there(con)
    return [
        row[0]
        for row in con.execute(
            "select source from raw.mappings union select source from raw.files order by source"
        ).fetchall()
    ]


def _there(con: Connection) -> None:
    found = con.execute(
        "select count(*) from information_schema.tables where table_catalog = current_database() "
        "and table_schema = 'raw' and table_name = 'quarantine'"
    ).fetchone()
    if not found or not found[0]:
        raise NothingPublished("Nothing was read yet. Run `evervalue run` first.")
