"""Tables whose rows have a key and to which changes are applied, in whatever order and however often they come.

What is kept is the set of all versions of all keys, each with its position in the source's own order. The newest
version of a key is live, in `raw."feed"`; all others, and the marks that deletes and truncates leave, are in
`raw."feed~past"`. The live table is a function of that set alone, so late, repeated and differently batched changes
end in the same table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.wider import INTEGERS, to_change
from evervalue.warehouse.duckdb import Connection, literal, quoted

NEVER_ROWS = ("d", "t", "x", "m")
"""`_op` of what stands in the past and was never a row: deletes, truncates, incomplete changes."""
OWN = {"_lsn": "UBIGINT", "_ordinal": "BIGINT", "_op": "VARCHAR", "_unchanged": "VARCHAR[]"}
"""Columns that a keyed raw table has beside those of every raw table.

`_op`: i, u: versions; d (delete), t (truncate), x, m (incomplete) and b (of an earlier stream) stand in the past only.
`_unchanged`: columns whose value the version took over from the one before it.
"""
RAW = ("_file_id", "_line", "_run_id")
RESERVED = (*RAW, *OWN, "_until_run_id", "rowid", "_again", "_at")
"""Names that no column of a source may have, in small letters."""


def part_hash(feed: str) -> str:
    """Hash of the name of the one part that all rows of a keyed feed belong to; the same in every load."""
    return hashlib.sha256(f"keyed:{feed}".encode()).hexdigest()


def part_id(feed: str) -> str:
    """Names that part in every row."""
    return part_hash(feed)[:16]


def position(alias: str = "") -> str:
    """SQL of a version's place in the source's order, as one number: 64 bits of LSN above 63 of ordinal."""
    at = f"{alias}." if alias else ""
    return f"({at}_lsn::uhugeint * 9223372036854775808::uhugeint + {at}_ordinal::uhugeint)"


def refuse_another_key(con: Connection, feed: str, key: Sequence[str]) -> None:
    """Nothing, where a feed was filled under this key or is not filled yet.

    Raises
    ------
    InputError
        It was filled under another key.
    """
    known = raw_zone.run(con, "select key_columns from raw.keyed where feed = ?", [feed]).fetchone()
    if known and [k.lower() for k in json.loads(known[0])] != [k.lower() for k in key]:
        raise InputError(
            f"{feed} was filled under the key {known[0]} and is now to be kept under {json.dumps(list(key))}. Set the "
            "key back, or read everything again with --full-refresh."
        )


def begin_anew(
    con: Connection, feed: str, key: Sequence[str], columns: Iterable[tuple[str, str]], run_id: str
) -> None:
    """Put all that is stored of a feed before any position, under a key that may be another than before."""
    try:
        refuse_another_key(con, feed, key)
    except InputError:
        raw_zone.forget(con, feed, part_id(feed), run_id)
        raw_zone.run(
            con, "update raw.keyed set key_columns = ? where feed = ?", [json.dumps(list(key)), feed]
        )
        whole = f"_brought_{part_id(feed)}"
        con.execute(f"create temp table if not exists {whole} (file_id text, line bigint)")
        con.execute(f"insert into {whole} values ({literal(part_id(feed))}, null)")
    KeyedTable(con, feed, key, columns).rebase()


class KeyedTable:
    """The live raw table of a feed whose rows have a key, with its past."""

    def __init__(
        self, con: Connection, feed: str, key: Sequence[str], columns: Iterable[tuple[str, str]]
    ) -> None:
        """Create or widen the tables.

        Parameters
        ----------
        con
            The warehouse.
        feed
            Name of the feed.
        key
            The columns that name a row.
        columns
            (name, engine type) of all columns, the key's too.

        Raises
        ------
        InputError
            There is no key, a key column is not among the columns, or the feed was filled under another key.
        """
        self.con = con
        self.feed = feed
        self.file_id = part_id(feed)
        self.key = list(key)
        self.live = raw_zone.table(feed)
        self.past = raw_zone.table(f"{feed}~past")
        columns = list(columns)
        names = [name for name, _ in columns]
        lacking = [name for name in self.key if name not in names]
        if not self.key or lacking:
            raise InputError(
                f"Changes to {feed} can only be applied by a key, and "
                + (f"its key column '{lacking[0]}' is not among its columns." if lacking else "it has none.")
                + " Name the columns that name a row in the setting `key`."
            )
        self._refuse_own(names)
        self.widen(columns)
        self._begin()

    def widen(self, columns: Iterable[tuple[str, str]]) -> None:
        """Make both tables able to hold `columns`; what does not fit its type any more becomes text."""
        # Values of nested types are kept as the text they came in: rows that hold them change places when updated.
        flat = [
            (n, "VARCHAR" if "[" in t or ("(" in t and not t.startswith("DECIMAL")) else t)
            for n, t in columns
        ]
        wanted = [*OWN.items(), *flat]
        had = self._types(self.feed)
        if not had:
            self._create(self.feed, wanted, "")
        if not self._types(f"{self.feed}~past"):
            self._create(
                f"{self.feed}~past", [*had.items()] if had else wanted, ", _until_run_id text not null"
            )
            had = self._types(self.feed)
        for table in (self.feed, f"{self.feed}~past"):
            raw_zone.reshape(self.con, table, to_change(self._types(table), wanted))
        self.types = {n: t for n, t in self._types(self.feed).items() if n not in OWN}
        folded_names = {n.lower(): n for n in self.types}
        self.key = [folded_names[k.lower()] for k in self.key]

    def apply(self, staged: str, *, run_id: str, converging: bool = False) -> Applied:
        """Counts of what a temporary table of changes did to the live table, which is brought to date.

        Parameters
        ----------
        staged
            Temporary table: `_op` (i, u, d, t), `_lsn` ubigint, `_ordinal` bigint >= 0, `_unchanged` text[] (columns
            whose value is that of the version before), for each key column `"_old KEY"` (null where the key did not
            change), and columns of the feed with the types they have here. A column that is not there is null.
            Deletes have their key in the key columns. The table is changed.
        run_id
            Run or batch that brings them.
        converging
            Whether rows were copied later than the position they stand at, so that changes come which they show
            already. A row that moved to another key then keeps the unchanged values that were copied with it, where
            the row under the old key was gone by then.
        """
        from evervalue.sources.changes.apply import apply

        return apply(self, staged, run_id=run_id, converging=converging)

    def replace(self, rows: str, *, lsn: int, run_id: str) -> Applied:
        """Counts of what a temporary table of all rows, as they are in the source, did to the live table.

        `lsn` is the position that the rows are put at: they are newer than any change at or before it, and any change
        after it is newer than they. Rows that are as they were keep their version; rows that are not there any more
        are deleted.
        """
        from evervalue.sources.changes.replacing import replace

        return replace(self, rows, lsn=lsn, run_id=run_id)

    def rebuilt(self) -> str:
        """SELECT of what must be live, from live and past: the newest version of each key, if not taken away."""
        keys = ", ".join(quoted(k) for k in self.key)
        names = ", ".join(["_lsn", "_ordinal", *(quoted(c) for c in self.types)])
        return (
            f"with versions as (select _op, {names}, {position()} as _at from {self.live} "
            f"union all select _op, {names}, {position()} from {self.past} "
            "where _op <> 'b'), "
            "emptied as (select coalesce(max(_at), 0) as bar from versions where _op = 't') "
            f"select {names} from (select * from versions where _op <> 't' "
            f"qualify row_number() over (partition by {keys} order by _at desc) = 1), emptied "
            "where _op in ('i', 'u') and _at > emptied.bar"
        )

    def state(self) -> Mapping[str, int]:
        """`last_line`, `live_rows`, `incomplete` and `truncated` (a position as one number, 0 for never)."""
        row = raw_zone.run(
            self.con,
            "select last_line, live_rows, incomplete, coalesce(truncated_lsn, 0), coalesce(truncated_ordinal, 0) "
            "from raw.keyed where feed = ?",
            [self.feed],
        ).fetchone()
        assert row is not None
        return {
            "last_line": row[0],
            "live_rows": row[1],
            "incomplete": row[2],
            "truncated": row[3] * 2**63 + row[4],
        }

    def register(self, path: str, stored: Mapping[str, str], *, run_id: str) -> None:
        """Say in raw.files how many rows are live, and in raw.columns what the source calls its columns' types."""
        raw_zone.run(self.con, "delete from raw.files where source = ?", [self.feed])
        raw_zone.run(
            self.con,
            "insert into raw.files (source, file_id, path, sha256, bytes, format, reader, rows_read, run_id, status) "
            "values (?, ?, ?, ?, 0, 'table', '', ?, ?, 'loaded')",
            [self.feed, self.file_id, path, part_hash(self.feed), self.state()["live_rows"], run_id],
        )
        raw_zone.run(self.con, "delete from raw.columns where source = ?", [self.feed])
        columns = [(n, _stored(said, self.types[n])) for n, said in stored.items() if n in self.types]
        raw_zone.note_columns(self.con, self.feed, self.file_id, columns)

    def rebase(self) -> None:
        """Put all that is stored before any position: the source starts to count anew, perhaps from less."""
        self.con.execute(f"update {self.live} set _lsn = 0, _ordinal = 1")
        self.con.execute(f"update {self.past} set _lsn = 0, _ordinal = 0, _op = 'b'")
        raw_zone.run(
            self.con,
            "update raw.keyed set truncated_lsn = null, truncated_ordinal = null, incomplete = 0, "
            f"live_rows = (select count(*) from {self.live}) where feed = ?",
            [self.feed],
        )

    def forget(self) -> None:
        """Take the feed out of the raw zone, its past too."""
        for table in (self.live, self.past):
            self.con.execute(f"drop table if exists {table}")
        for name, column in (("keyed", "feed"), ("files", "source"), ("columns", "source")):
            raw_zone.run(self.con, f"delete from raw.{name} where {column} = ?", [self.feed])

    def _begin(self) -> None:
        known = raw_zone.run(
            self.con, "select key_columns from raw.keyed where feed = ?", [self.feed]
        ).fetchone()
        if known is None:
            raw_zone.run(
                self.con,
                "insert into raw.keyed values (?, ?, ?, 0, 0, 0, null, null)",
                [self.feed, self.file_id, json.dumps(self.key)],
            )
        else:
            refuse_another_key(self.con, self.feed, self.key)

    def _refuse_own(self, names: Iterable[str]) -> None:
        olds = [f"_old {key}".lower() for key in self.key]
        taken = [name for name in names if name.lower() in (*RESERVED, *olds)]
        if taken:
            raise InputError(
                f"{self.feed} has a column '{taken[0]}', a name that the raw zone uses itself. Rename the column, or "
                "read a view with another name for it."
            )

    def _create(self, name: str, columns: Iterable[tuple[str, str]], more: str) -> None:
        columns = list(columns)
        body = ", ".join(f"{quoted(n)} {t}" for n, t in columns)
        self.con.execute(
            f"create table {raw_zone.table(name)} (_file_id text not null, _line bigint not null, "
            f"_run_id text not null, {body}{more})"
        )

    def _types(self, table: str) -> dict[str, str]:
        return {
            str(name): str(type)
            for name, type in self.con.execute(
                "select column_name, data_type from information_schema.columns where table_catalog = "
                f"current_database() and table_schema = 'raw' and table_name = {literal(table)} "
                "order by ordinal_position"
            ).fetchall()
            if name not in (*RAW, "_until_run_id")
        }


def _stored(said: str, type: str) -> str:
    """What raw.columns says: a column that became text because a cell did not fit holds what it was typed as."""
    if type != "VARCHAR":
        return type
    number = said == "number" or said.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or said in INTEGERS
    return "number" if number else "text"
