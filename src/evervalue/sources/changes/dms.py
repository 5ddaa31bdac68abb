"""Files of AWS DMS: full loads and changes, CSV with a header or Parquet, `Op` in the first column of changes.

Source: the DMS user guide, "Using Amazon S3 as a target". Positions are microseconds: of the sequence DMS numbers its
changes by (AR_H_CHANGE_SEQ, usually named transact_seq), else of the moment in the file's name, behind which comes the
line. Rows of a full load are older than all changes.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import listing
from evervalue.sources.files import FoundFile
from evervalue.warehouse.duckdb import Connection, EngineError, first_line, literal, quoted

SEQUENCES = ("transact_seq", "ar_h_change_seq", "dms_change_seq", "change_seq")
TIMES = (
    "ar_h_commit_timestamp",
    "ar_h_timestamp",
    "dms_commit_timestamp",
    "dms_timestamp",
    "commit_timestamp",
)
"""Names under which the column of commit instants goes (TimestampColumnName, or a header column)."""
STAMP = re.compile(r"(\d{8})-(\d{6})(\d{3})?")
OPERATIONS = {"I": "i", "U": "u", "D": "d"}
EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Arrived:
    """A file in a temporary table `_dms` of its columns, all text in CSV, with `_n` its lines from 1."""

    columns: dict[str, str]
    """Column of the table: type."""
    op: str | None
    sequence: str | None
    rows: int


def read(con: Connection, file: FoundFile, where: str) -> Arrived:
    """The file as it is, in a temporary table.

    Raises
    ------
    InputError
        It cannot be read, or is a file of changes without operations.
    """
    path = literal(str(file.path))
    if file.format == "parquet":
        sql = f"select row_number() over () as _n, * from read_parquet({path})"
    else:
        sql = (
            f"select row_number() over () as _n, * from read_csv({path}, header = true, all_varchar = true, "
            "auto_detect = true, delim = ',', quote = '\"', escape = '\"', nullstr = ['', 'NULL'], "
            "allow_quoted_nulls = false, parallel = false, sample_size = 1)"
        )
    try:
        con.execute(f"create or replace temp table _dms as {sql}")
    except EngineError as error:
        raise InputError(
            f"{where}: {file.shown} cannot be read ({first_line(error)}). Export it again."
        ) from None
    described = {str(r[0]): str(r[1]) for r in con.execute("describe _dms").fetchall() if r[0] != "_n"}
    lower = {name.lower(): name for name in described}
    op = lower.get("op")
    sequence = next((lower[s] for s in SEQUENCES if s in lower), None)
    if op is None and not is_load(file.path):
        raise InputError(
            f"{where}: {file.shown} has no column Op (it has {listing(described, 8)}), so nothing says what its rows "
            "are. Let DMS write column names (AddColumnName = true); files of a full load are named LOAD..."
        )
    (rows,) = con.execute("select count(*) from _dms").fetchone() or (0,)
    own = {op, sequence}
    return Arrived({n: t for n, t in described.items() if n not in own}, op, sequence, rows)


def is_load(path: Path) -> bool:
    """Whether DMS wrote the file in a full load."""
    return path.name.upper().startswith("LOAD")


def positions(con: Connection, arrived: Arrived, file: FoundFile, where: str) -> tuple[str, str]:
    """SQL of the LSN and the ordinal of each row of `_dms`.

    Raises
    ------
    InputError
        Nothing says when the changes were made.
    """
    if arrived.sequence:
        column = f"{quoted(arrived.sequence)}::varchar"
        (bad,) = con.execute(
            f"select count(*) from _dms where not coalesce(regexp_full_match({column}, '[0-9]{{1,35}}'), "
            f"{'false' if not is_load(file.path) else 'true'})"
        ).fetchone() or (0,)
        if bad:
            raise InputError(
                f"{where}: {file.shown} has {bad:,} rows whose {arrived.sequence} is no number of a change."
            )
        long = f"lpad({column}, 35, '0')"
        return f"coalesce({long}[1:16], '1')::ubigint", f"coalesce({long}[17:35], '0')::bigint"
    if is_load(file.path):
        return "1::ubigint", "0::bigint"
    found = STAMP.search(file.path.name)
    if found is None:
        raise InputError(
            f"{where}: the name of {file.shown} does not tell when its changes were made, as in "
            "20260131-123456789.csv. Let DMS write a column transact_seq with the header column AR_H_CHANGE_SEQ."
        )
    day, time, thousandths = found[1], found[2], int(found[3] or 0)
    try:
        at = dt.datetime.strptime(day + time, "%Y%m%d%H%M%S")
    except ValueError:
        raise InputError(f"{where}: {file.shown} has no moment in its name: {found[0]}.") from None
    micros = int((at - EPOCH).total_seconds()) * 1_000_000 + thousandths * 1000
    return f"{micros}::ubigint", "_n::bigint"


def newest_at(con: Connection, arrived: Arrived) -> dt.datetime | None:
    """When the newest change of `_dms` was committed, UTC; None where the file does not say.

    The name of a file tells when it was written, which is later and so says nothing of how far behind it is.
    """
    times = {name.lower(): name for name in arrived.columns}
    told = next((times[name] for name in TIMES if name in times), None)
    if told is not None:
        instant = f"try_cast({quoted(told)} as timestamp)"
    elif arrived.sequence:
        # The number of a change begins with its instant, to the hundredth of a second, in sources that give it so.
        instant = f"try_strptime(lpad({quoted(arrived.sequence)}::varchar, 35, '0')[1:14], '%Y%m%d%H%M%S')"
    else:
        return None
    (newest,) = con.execute(
        f"select max({instant}) from _dms where {instant} > timestamp '1980-01-01'"
    ).fetchone() or (None,)
    return newest if isinstance(newest, dt.datetime) else None
