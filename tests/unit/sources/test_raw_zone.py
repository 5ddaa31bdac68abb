from __future__ import annotations

from pathlib import Path

from evervalue.sources import raw_zone
from evervalue.warehouse import duckdb


def test_a_table_takes_other_columns_and_types_after_rows_were_deleted(tmp_path: Path) -> None:
    file = tmp_path / "w.duckdb"
    con = duckdb.connect(file)
    raw_zone.ensure(con)
    raw_zone.prepare(con, "shop.orders", [("id", "INTEGER"), ("paid", "DATE")], "orders")
    con.execute(
        "insert into raw.\"shop.orders\" select 'f', i, 'r', i, date '2024-01-31' from range(1, 101) as t(i)"
    )
    for place in range(2):  # one load after the other, each in one transaction
        with raw_zone.transaction(con):
            for kind in ("BIGINT", "DECIMAL(20,2)"):
                raw_zone.retire(con, "shop.orders", f"_line % 10 = {place}", f"r{place}")
                raw_zone.reshape(con, "shop.orders", {"id": kind, f"more {place} {kind}": "DATE"})
            raw_zone.reshape(con, "shop.orders", {"paid": "VARCHAR"})
    con.close()
    con = duckdb.connect(file)
    described = {row[0]: row[1:3] for row in con.execute('describe raw."shop.orders"').fetchall()}
    assert described["_line"] == ("BIGINT", "NO")
    assert described["id"] == ("DECIMAL(20,2)", "YES")
    assert described["paid"] == ("VARCHAR", "YES")
    assert len(described) == 9
    rows = con.execute('select count(*), sum(id), min(paid), max(paid) from raw."shop.orders"').fetchone()
    assert rows is not None
    assert (rows[0], int(rows[1]), *rows[2:]) == (80, 5050 - 550 - 460, "2024-01-31", "2024-01-31")
    gone = con.execute('select count(*), sum(id::decimal(20, 2)) from raw."shop.orders~past"').fetchone()
    assert gone is not None
    assert (gone[0], int(gone[1])) == (20, 1010)
    con.close()


def test_types_of_cells_from_files_are_text_where_they_differ() -> None:
    con = duckdb.connect(None)
    raw_zone.ensure(con)
    raw_zone.prepare(con, "orders", [("Id", "INTEGER")], "orders.csv")
    raw_zone.prepare(con, "orders", [("id", "BIGINT"), ("note", "VARCHAR")], "orders.csv")
    assert raw_zone.column_types(con, "orders") == {"Id": "VARCHAR", "note": "VARCHAR"}
    con.close()
