"""Loads one table of a database into a warehouse, as a load does, and looks at what came of it."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.feed import Snapshot, TableFeed
from evervalue.sources.databases.reader import Reader
from evervalue.sources.feed import Brought, Context
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import Connection, connect

WHERE = "sources.shop"


def reader_of(dsn: str, workers: int = 2) -> Reader:
    """The reader for a connection, by its scheme."""
    address = Address(WHERE, dsn)
    if address.scheme.startswith("postgres"):
        from evervalue.sources.databases.postgres import PostgresReader

        return PostgresReader(address, workers)
    if address.scheme in ("mysql", "mariadb"):
        from evervalue.sources.databases.mysql import MySqlReader

        return MySqlReader(address, workers)
    from evervalue.sources.databases.anything import AnyReader

    return AnyReader(address)


@dataclass
class Loaded:
    """What one load did."""

    brought: Brought
    report: SourceReport
    touched: list[tuple[str, int | None]]


class Loads:
    """A warehouse into which one table is loaded, again and again."""

    def __init__(self, folder: Path, dsn: str, table: str, **options: Any) -> None:
        self.folder, self.dsn, self.table = folder, dsn, table
        self.options = {"range_rows": 1000, **options}
        self.con: Connection = connect(folder / "warehouse.duckdb")
        self.runs = 0
        self.progress = Silent()

    def close(self) -> None:
        self.con.close()

    def feed(self, reader: Reader | None = None) -> TableFeed:
        snapshot = Snapshot(reader or reader_of(self.dsn))
        return TableFeed("shop.it", system="shop", table=self.table, snapshot=snapshot, **self.options)

    def load(
        self, reader: Reader | None = None, *, full_refresh: bool = False, settle: bool = True
    ) -> Loaded:
        """One load, committed."""
        self.runs += 1
        feed, report = self.feed(reader), SourceReport("shop.it", "")
        with raw_zone.transaction(self.con):
            raw_zone.ensure(self.con)
            context = Context(
                self.con, self.folder, f"run{self.runs}", dt.datetime(2026, 1, self.runs), self.progress,
                self.folder, full_refresh,
            )  # fmt: skip
            brought = feed.bring(context, report)
            touched = (
                self.con.execute(f"select file_id, line from {brought.touched}").fetchall()
                if brought.touched
                else []
            )
        if settle:
            feed.settle()
        return Loaded(brought, report, touched)

    def rows(self, columns: str = "*", order: str = "1", where: str = "true") -> list[tuple[Any, ...]]:
        """Live rows."""
        own = " exclude (_file_id, _line, _run_id)" if columns == "*" else ""
        return self.con.execute(
            f'select {columns}{own} from raw."shop.it" where {where} order by {order}'
        ).fetchall()

    def past(self, columns: str, order: str = "1") -> list[tuple[Any, ...]]:
        """Rows that were live once."""
        return self.con.execute(f'select {columns} from raw."shop.it~past" order by {order}').fetchall()

    def types(self) -> dict[str, str]:
        return raw_zone.column_types(self.con, "shop.it")

    def parts(self) -> list[tuple[str, int]]:
        rows = self.con.execute("select path, rows_read from raw.files order by path").fetchall()
        return [(str(path), int(n)) for path, n in rows]


@contextmanager
def loading(folder: Path, dsn: str, table: str, **options: Any) -> Iterator[Loads]:
    """Loads into a warehouse in `folder`, closed at the end."""
    loads = Loads(folder, dsn, table, **options)
    try:
        yield loads
    finally:
        loads.close()


def main() -> None:
    """`python -m tests.support.table_feeds FOLDER DSN TABLE ROWS`: one load in a process that may be killed."""
    folder, dsn, table, rows = sys.argv[1:]
    with loading(Path(folder), dsn, table, range_rows=int(rows)) as loads:
        loads.load()


if __name__ == "__main__":
    main()
