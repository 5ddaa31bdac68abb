"""Whatever reads them: rows read = stored + refused, money in = money out, and every reader brings the same rows."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import random
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evervalue.warehouse.duckdb import connect, literal
from tests.support.s3 import Store
from tests.support.sources import Warehouse

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

NAMES = ("id", "order_no", "ordered_on", "customer", "amount")
COLUMNS = {
    "line_id": "id",
    "order_id": "order_no",
    "ordered_at": "ordered_on",
    "customer_id": "customer",
    "amount": "amount",
}
Row = tuple[int, str | None, dt.date | None, str | None, Decimal | None]
Values = dict[str, Any]
TABLE = (
    "create table lines (id int primary key, order_no varchar(40), ordered_on date, customer varchar(40), "
    "amount {money})"
)


def rows_of(seed: int, n: int = 60) -> list[Row]:
    """Rows of which some lack what they need; names with all that may stand in a cell."""
    chance = random.Random(seed)
    names = (
        "Ann",
        "O'Hara, Bo",
        'the "best"',
        "Zoë",
        "a|b;c\td",
        "new\nline",
        "ТОВ",
        "\\N?",
        " pad ",
        "NULLA",
    )
    return [
        (
            n,
            f"o{chance.randrange(30)}" if chance.random() < 0.9 else None,
            dt.date(2020, 1, 1) + dt.timedelta(chance.randrange(1500)) if chance.random() < 0.95 else None,
            f"{chance.choice(names)}{n}" if chance.random() < 0.95 else None,
            Decimal(chance.randrange(-(10**9), 10**9)) / 10_000 if chance.random() < 0.95 else None,
        )
        for n in range(1, n + 1)
    ]


def cells(row: Row) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]


def delimited(rows: list[Row], delimiter: str = ",", header: tuple[str, ...] = NAMES) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(cells(row) for row in rows)
    return out.getvalue()


def plain(row: Row) -> Values:
    return {
        name: cell if cell is None or isinstance(cell, int) else str(cell)
        for name, cell in zip(NAMES, row, strict=True)
    }


def of_csv(w: Warehouse, rows: list[Row]) -> Values:
    w.write(delimited(rows), "lines.csv")
    return {"path": "lines.csv"}


def of_packed_tsv(w: Warehouse, rows: list[Row]) -> Values:
    w.write(gzip.compress(delimited(rows, "\t").encode()), "lines.tsv.gz")
    return {"path": "lines.tsv.gz"}


def of_jsonl(w: Warehouse, rows: list[Row]) -> Values:
    w.write("".join(json.dumps(plain(row)) + "\n" for row in rows), "lines.jsonl")
    return {"path": "lines.jsonl"}


def parquet(w: Warehouse, rows: list[Row], name: str, header: str = "*") -> None:
    w.write(delimited(rows), "made.csv")
    con = connect()
    types = (
        "{'id': 'integer', 'order_no': 'varchar', 'ordered_on': 'date', 'customer': 'varchar', "
        "'amount': 'decimal(14,4)'}"
    )
    made = (
        f"read_csv({literal(str(w.folder / 'made.csv'))}, header = true, columns = {types}, quote = '\"', "
        "escape = '\"')"
    )
    con.execute(f"copy (select {header} from {made}) to {literal(str(w.folder / name))} (format parquet)")


def of_parquet(w: Warehouse, rows: list[Row]) -> Values:
    parquet(w, rows, "lines.parquet")
    return {"path": "lines.parquet"}


def of_workbook(w: Warehouse, rows: list[Row]) -> Values:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(NAMES)
    for row in rows:
        sheet.append(row)
    book.save(w.folder / "lines.xlsx")
    return {"path": "lines.xlsx"}


def of_sqlite(w: Warehouse, rows: list[Row]) -> Values:
    con = sqlite3.connect(w.folder / "shop.sqlite")
    con.execute(TABLE.format(money="decimal(14,4)"))
    con.executemany("insert into lines values (?, ?, ?, ?, ?)", [tuple(plain(row).values()) for row in rows])
    con.commit()
    con.close()
    return {"kind": "sql", "connection": "${SHOP}", "table": "lines"}


def of_debezium(w: Warehouse, rows: list[Row]) -> Values:
    """Every row comes, some are written twice, and one that was there is taken away again."""
    events: list[Values] = [{"before": None, "after": plain(row), "op": "c"} for row in rows]
    events.append(
        {"before": None, "after": plain((999, "gone", dt.date(2020, 1, 1), "x", Decimal(7))), "op": "c"}
    )
    events.append({"before": {"id": 999}, "after": None, "op": "d"})
    for place, event in enumerate(events, 1):
        event |= {"source": {"lsn": place, "txId": place}, "ts_ms": 1_600_000_000_000 + place}
    lines = [json.dumps(event) for event in events]
    w.write("\n".join(lines) + "\n", "changes/1.json")
    w.write("\n".join(lines[:20]) + "\n", "changes/2.json")
    return {"kind": "changes", "format": "debezium", "path": "changes/*.json", "key": ["id"]}


def of_dms(w: Warehouse, rows: list[Row]) -> Values:
    w.write(delimited(rows[:40]), "dms/LOAD00000001.csv")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("Op", "transact_seq", *NAMES))
    for place, row in enumerate(rows[40:], 1):
        writer.writerow(("I", f"{place:020}", *cells(row)))
    w.write(out.getvalue(), "dms/20240101-000000000.csv")
    return {"kind": "changes", "format": "dms", "path": "dms/*.csv", "key": ["id"]}


FILES: dict[str, Callable[[Warehouse, list[Row]], Values]] = {
    "csv": of_csv, "tsv, packed": of_packed_tsv, "jsonl": of_jsonl, "parquet": of_parquet, "workbook": of_workbook,
    "any database": of_sqlite, "debezium": of_debezium, "dms": of_dms,
}  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("SHOP", f"sqlite:///{tmp_path / 'shop.sqlite'}")
    return Warehouse(tmp_path)


def hold(warehouse: Warehouse, rows: list[Row], values: Values, *, trimmed: bool = True) -> None:
    """Load what `values` tells of, and hold it against the rows as they were made."""
    source = {**values, "columns": COLUMNS}
    report = warehouse.load_all({"sales": source}).sources["sales"]
    fine = [row for row in rows if None not in (row[2], row[3], row[4])]
    assert (report.rows_read, report.rows_mapped, report.rows_quarantined) == (
        len(rows),
        len(fine),
        len(rows) - len(fine),
    )
    money = sum((row[4] for row in rows if row[4] is not None), Decimal(0))
    kept = sum((row[4] for row in fine if row[4] is not None), Decimal(0))
    assert warehouse.rows(
        "select sum(rows_read), sum(rows_mapped), sum(rows_quarantined), sum(amount_read), sum(amount_mapped), "
        "sum(amount_quarantined) from mapped.source_totals"
    ) == [(len(rows), len(fine), len(rows) - len(fine), money, kept, money - kept)]
    found = warehouse.rows(
        "select line_id, order_id, order_date, customer_id, amount from mapped.order_lines order by line_id::int"
    )
    assert found == [(str(n), o, d, (c or "").strip(), a) for n, o, d, c, a in fine]
    # Nothing is new the second time: nothing is read, counted or mapped again.
    again = warehouse.load_all({"sales": source}).sources["sales"]
    assert (again.rows_read, again.rows_mapped, again.remapped) == (len(rows), len(fine), False)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("reader", FILES)
def test_files_and_changes(reader: str, seed: int, warehouse: Warehouse) -> None:
    rows = rows_of(seed)
    hold(warehouse, rows, FILES[reader](warehouse, rows))


def test_objects(warehouse: Warehouse, s3: Store) -> None:
    rows = rows_of(3)
    s3.put("in/a.csv", delimited(rows[:30]))
    s3.put("in/b.csv", delimited(rows[30:]))
    hold(warehouse, rows, {"path": "s3://crm/in/*.csv"})


@pytest.mark.parametrize("capture", ["snapshot", "changes"])
def test_postgres(
    capture: str, warehouse: Warehouse, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(4)
    monkeypatch.setenv("SHOP", postgres.fresh_database("conserved"))
    with postgres.connected("conserved") as con, con.cursor() as cursor:
        cursor.execute(TABLE.format(money="numeric(14,4)").encode())
        cursor.executemany("insert into lines values (%s, %s, %s, %s, %s)", rows)
    hold(warehouse, rows, {"kind": "postgres", "connection": "${SHOP}", "capture": capture, "table": "lines"})


@pytest.mark.parametrize("capture", ["snapshot", "changes"])
def test_mariadb(
    capture: str, warehouse: Warehouse, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(5)
    monkeypatch.setenv("SHOP", mariadb.fresh_database("conserved"))
    with mariadb.connected("conserved") as con, con.cursor() as cursor:
        cursor.execute(
            TABLE.replace(" lines ", " `lines` ").format(money="decimal(14,4)") + " character set utf8mb4"
        )
        cursor.executemany("insert into `lines` values (%s, %s, %s, %s, %s)", rows)
        con.commit()
    hold(warehouse, rows, {"kind": "mysql", "connection": "${SHOP}", "capture": capture, "table": "lines"})
