"""Tables followed by a column that grows: what is read, and what is known not to be seen."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evervalue.core.errors import InputError, MissingColumns
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.databases.systems import table_feeds
from evervalue.sources.feed import Context
from evervalue.sources.report import SourceReport
from evervalue.sources.systems import system
from evervalue.warehouse.duckdb import Connection, connect

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

MADE = (
    "create table it (id int primary key, v varchar(10), changed timestamp null);"
    "insert into it values (1, 'a', '2025-01-01 10:00:00'), (2, 'b', '2025-01-02 10:00:00');"
    "insert into it values (3, 'c', '2025-01-02 10:00:00')"
)


def settings(kind: str, capture: str = "cursor", **table: Any) -> Any:
    return system(
        "shop",
        {
            "kind": kind,
            "connection": "${SHOP_DSN}",
            "capture": capture,
            "tables": {"it": {"cursor": "changed", **table}},
            "outputs": {"it": {"provides": "customers", "from": "it", "columns": {"customer_id": "id"}}},
        },
    )


def load(
    con: Connection, folder: Path, run: int, given: Any, *, full: bool = False
) -> tuple[SourceReport, int]:
    """The report, and how many rows came or went."""
    (feed,) = table_feeds(given).values()
    report = SourceReport("shop.it", "")
    with raw_zone.transaction(con):
        raw_zone.ensure(con)
        context = Context(con, folder, f"run{run}", dt.datetime(2026, 1, run), Silent(), folder, full)
        brought = feed.bring(context, report)
        touched = con.execute(f"select count(*) from {brought.touched}").fetchone()
    feed.settle()
    return report, touched[0] if touched else 0


def rows(con: Connection) -> list[tuple[Any, ...]]:
    return con.execute('select id, v, _line, _run_id from raw."shop.it" order by id').fetchall()


def follow(kind: str, execute: Callable[[str], object], folder: Path) -> None:
    """The same story in every kind of database."""
    given = settings(kind)
    with closing(connect()) as con:
        assert load(con, folder, 1, given)[1] == 3
        assert load(con, folder, 2, given)[1] == 0  # rows at the last value are read again, and are the same
        execute(
            "update it set v = 'B', changed = '2025-01-03 10:00:00' where id = 2;"
            "insert into it values (4, 'd', '2025-01-02 10:00:00');"  # at the last value, not above it
            "insert into it values (5, 'e', '2024-12-31 10:00:00');"  # below it: not seen
            "delete from it where id = 1"  # not seen
        )
        assert load(con, folder, 3, given)[1] == 2
        assert rows(con) == [
            (1, "a", 1, "run1"),
            (2, "B", 2, "run3"),
            (3, "c", 3, "run1"),
            (4, "d", 4, "run3"),
        ]
        files = con.execute("select rows_read, format from raw.files").fetchall()
        assert files == [(4, "table")]
        load(con, folder, 4, given, full=True)
        assert [row[:2] for row in rows(con)] == [(2, "B"), (3, "c"), (4, "d"), (5, "e")]
        past = con.execute('select id, v, _until_run_id from raw."shop.it~past" order by id, v').fetchall()
        assert past == [(1, "a", "run4"), (2, "b", "run3")]


def test_postgres(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(MADE, "shop")
    follow("postgres", lambda sql: postgres.execute(sql, "shop"), tmp_path)


def test_mariadb(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", mariadb.fresh_database("shop"))
    mariadb.execute(MADE, "shop")
    follow("mysql", lambda sql: mariadb.execute(sql, "shop"), tmp_path)


def test_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", f"sqlite:///{tmp_path / 'shop.db'}")
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as lite:
        # SQLAlchemy writes instants with microseconds, and SQLite compares them as text.
        def execute(sql: str) -> None:
            lite.executescript(sql.replace("10:00:00'", "10:00:00.000000'"))

        execute(MADE)
        follow("sql", execute, tmp_path)


@pytest.mark.parametrize(
    ("made", "table", "error", "message"),
    [
        (
            "id int primary key, v text",
            {},
            MissingColumns,
            "has no column 'changed'.*, which the setting",
        ),
        (
            "id int primary key, changed text",
            {},
            InputError,
            "public.it.changed is of the type text, which",
        ),
        (
            "id int, changed date",
            {},
            InputError,
            "public.it has no key, so a row that was changed cannot be told",
        ),
    ],
)
def test_what_cannot_be_followed(
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: str,
    table: Any,
    error: Any,
    message: str,
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(f"create table it ({made})", "shop")
    with closing(connect()) as con, pytest.raises(error, match=message):
        load(con, tmp_path, 1, settings("postgres", **table))


def test_rows_without_a_value_are_told(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(MADE + "; insert into it values (9, 'x', null)", "shop")
    with closing(connect()) as con:
        report, _ = load(con, tmp_path, 1, settings("postgres"))
        assert report.said == [
            "sources.shop: 1 row of public.it have no changed, so changes to them are seen with --full-refresh only."
        ]


def test_from_snapshots_to_a_cursor_and_back(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(MADE, "shop")
    with closing(connect()) as con:
        for run, capture in enumerate(("snapshot", "cursor", "snapshot", "snapshot"), 1):
            report, touched = load(con, tmp_path, run, settings("postgres", capture))
            assert [row[:2] for row in rows(con)] == [(1, "a"), (2, "b"), (3, "c")]
            assert ("is now kept under the key" in str(report.said)) == (run in (2, 3))
        assert touched == 0
        assert con.execute("select count(*) from raw.files").fetchone() == (1,)
