"""Refused rows are listed, exported, mended and taken back, and every row stays accounted for."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError, NothingPublished
from evervalue.core.progress import Silent
from evervalue.sources import quarantine
from evervalue.sources.load import ANY_TIME
from evervalue.sources.settings import files_source
from tests.support.sources import COLUMNS, Warehouse

HEADER = "order,date,customer,amount\n"
BAD = HEADER + "1,2022-01-05,a,5.50\n2,2022-01-06,,6.25\n3,soon,c,7.75\n4,2022-01-08,d\n5,2022-01-09,e,x\n"
SETTINGS = {"path": "sales.csv", "columns": COLUMNS}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path)
    warehouse.write(BAD)
    warehouse.load()
    return warehouse


def mend(path: Path, changes: dict[str, dict[str, str]]) -> None:
    """Change cells of the rows of an export, by line."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update(changes.get(row["_line"], {}))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def replay(warehouse: Warehouse, path: Path, settings: dict[str, Any] = SETTINGS) -> quarantine.Replayed:
    return quarantine.replay(
        warehouse.con, path, "sales", {"sales": files_source("sales", settings)}, base=warehouse.folder,
        project_currency="USD", time_zone="UTC", run_id="mend", known_at=ANY_TIME, progress=Silent(),
    )  # fmt: skip


def test_groups(warehouse: Warehouse) -> None:
    found = [(g.reason, g.column, g.rows, g.example_line) for g in quarantine.groups(warehouse.con)]
    assert found == [
        ("bad_date", "date", 1, 3),
        ("bad_number", "amount", 1, 5),
        ("missing_customer", "customer", 1, 2),
        ("wrong_width", None, 1, 4),
    ]


def test_refused_rows(warehouse: Warehouse) -> None:
    row = quarantine.refused(warehouse.con, "sales", "bad_date")[0]
    assert (row.path, row.line, row.column, row.cell) == ("sales.csv", 3, "date", "soon")
    assert row.says == "the cell in 'date' (ordered_at) is not a date"
    assert row.row_json == '{"order":"3","date":"soon","customer":"c","amount":"7.75"}'
    assert len(quarantine.refused(warehouse.con, limit=2)) == 2


def test_mended_rows_leave_quarantine(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    assert quarantine.export(warehouse.con, path, "sales") == 4
    mend(path, {"2": {"customer": "b"}, "3": {"date": "2022-01-07"}, "4": {"amount": "8.5"}})
    result = replay(warehouse, path)
    assert (result.rows, result.left, result.stayed) == (3, 3, {})
    assert warehouse.refused() == [(5, "bad_number")]
    assert warehouse.mapped("line, customer_id, amount::text") == [
        (1, "a", "5.5000"), (2, "b", "6.2500"), (3, "c", "7.7500"), (4, "d", "8.5000"),
    ]  # fmt: skip
    totals = warehouse.rows(
        "select rows_read, rows_mapped, rows_quarantined, amount_read::text, amount_mapped::text from "
        "mapped.source_totals"
    )
    assert totals == [(5, 4, 1, "28.0000", "28.0000")]


def test_raw_remembers_what_came(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"4": {"amount": "8.5"}})
    replay(warehouse, path)
    assert warehouse.rows("select line, reason, original_json, path, run_id from raw.mended") == [
        (4, "wrong_width", '["4", "2022-01-08", "d"]', "mend.csv", "mend")
    ]


def test_mended_rows_survive_later_runs(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"2": {"customer": "b"}, "4": {"amount": "8.5"}})
    replay(warehouse, path)
    for full_refresh in (False, True):
        report = warehouse.load(full_refresh=full_refresh).sources["sales"]
        assert (report.rows_read, report.rows_mapped) == (5, 3)
    assert [line for (line,) in warehouse.mapped("line")] == [1, 2, 4]


def test_mended_rows_are_carried_over_when_the_file_grows(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"2": {"customer": "b"}, "3": {"date": "2022-01-07"}, "4": {"amount": "8.5"}})
    replay(warehouse, path)
    grown = (
        BAD.replace(HEADER, HEADER + "0,2022-01-04,first,1.5\n") + "2,2022-01-06,,6.25\n6,2022-01-10,f,1\n"
    )
    warehouse.write(grown)
    report = warehouse.load()
    assert report.warnings == []
    assert warehouse.mapped("line, customer_id, amount::text") == [
        (1, "first", "1.5000"), (2, "a", "5.5000"), (3, "b", "6.2500"), (4, "c", "7.7500"), (5, "d", "8.5000"),
        (8, "f", "1.0000"),
    ]  # fmt: skip
    assert warehouse.refused() == [(6, "bad_number"), (7, "missing_customer")]
    warehouse.write(BAD)
    assert warehouse.load().warnings == []
    assert [line for (line,) in warehouse.mapped("line")] == [1, 2, 3, 4]
    warehouse.write(HEADER + "1,2022-01-05,a,5.50\n3,soon,c,7.75\n2,2022-01-06,x,6.25\n")
    said = warehouse.load().warnings
    assert len(said) == 1
    assert (
        "2 rows of 3 that were mended in sales.csv cannot be found as they came in its new content" in said[0]
    )
    assert warehouse.mapped("customer_id") == [("a",), ("c",), ("x",)]


def test_a_corrected_file_makes_mended_rows_pointless(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"2": {"customer": "b"}})
    replay(warehouse, path)
    warehouse.write(HEADER + "1,2022-01-05,z,5.50\n2,2022-01-05,y,5.50\n")
    warehouse.load()
    assert warehouse.mapped("customer_id") == [("z",), ("y",)]


def test_rows_that_are_still_bad_stay(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales", "missing_customer")
    mend(path, {"2": {"customer": "b", "date": "never"}})
    result = replay(warehouse, path)
    assert (result.rows, result.left, result.stayed) == (1, 0, {"bad_date": 1})


def test_an_export_that_nobody_mended_changes_nothing(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    assert replay(warehouse, path).rows == 0
    assert len(warehouse.refused()) == 4


def test_a_replay_that_fails_changes_nothing(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"2": {"customer": "b"}})
    with pytest.raises(InputError, match="lacks the column 'price'"):
        replay(warehouse, path, {**SETTINGS, "columns": {**COLUMNS, "amount": "price"}})
    assert warehouse.rows("select count(*) from raw.mended") == [(0,)]
    assert len(warehouse.refused()) == 4


def test_a_file_that_is_no_export(warehouse: Warehouse) -> None:
    path = warehouse.write("order,date\n1,2\n", "other.csv")
    with pytest.raises(
        InputError, match="lacks customer, amount, _file_id, _line, so it is no export of source 'sales'"
    ):
        replay(warehouse, path)


def test_rows_that_are_not_in_quarantine(warehouse: Warehouse) -> None:
    path = warehouse.folder / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"2": {"customer": "b"}})
    replay(warehouse, path)
    with pytest.raises(InputError, match="has 1 row that are not in quarantine"):
        replay(warehouse, path)


def test_typed_columns_take_mended_cells_that_fit(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    warehouse.con.execute(
        "copy (select 1 as \"order\", date '2022-01-05' as date, null::bigint as customer, 5.5::double as amount) "
        f"to '{tmp_path}/sales.parquet'"
    )
    settings = {**SETTINGS, "path": "sales.parquet"}
    warehouse.load_all({"sales": settings})
    path = tmp_path / "mend.csv"
    quarantine.export(warehouse.con, path, "sales")
    mend(path, {"1": {"customer": "Ann"}})
    with pytest.raises(InputError, match="has 'Ann' in 'customer', a column of bigint"):
        replay(warehouse, path, settings)
    mend(path, {"1": {"customer": "17"}})
    assert replay(warehouse, path, settings).left == 1
    assert warehouse.mapped("customer_id, amount::text, order_date::text") == [("17", "5.5000", "2022-01-05")]


def test_before_anything_was_read(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="evervalue run"):
        quarantine.groups(Warehouse(tmp_path).con)


def test_a_source_that_is_not_there(warehouse: Warehouse) -> None:
    with pytest.raises(InputError, match="no source 'sale' \\(did you mean 'sales'\\?\\)"):
        quarantine.export(warehouse.con, warehouse.folder / "x.csv", "sale")
