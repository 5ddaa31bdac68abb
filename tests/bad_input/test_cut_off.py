"""Half a file: refused as a whole where its end shows it, never read as if it were all there was."""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.core.errors import InputError
from tests.support.sources import Warehouse

HEADER = "order,date,customer,amount\n"
ROW = "1,2022-01-05,c1,5\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.mark.parametrize("end", ["2,2022-01", "2,2022-01-06,", "2", '2,2022-01-06,"c'])
def test_half_a_row_at_the_end(warehouse: Warehouse, end: str) -> None:
    warehouse.write(HEADER + ROW + end)
    with pytest.raises(
        InputError, match=r"sales\.csv ends in the middle of row 2 .* none of its rows was taken"
    ) as e:
        warehouse.load()
    assert 'cut_off = "quarantine"' in str(e.value)
    assert warehouse.rows("select count(*) from raw.files") == [(0,)]


def test_a_file_that_is_cut_off_in_a_later_load_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROW)
    warehouse.load()
    warehouse.write(HEADER + ROW + "2,2022-01-06,c2,7\n3,2022-0")
    with pytest.raises(InputError, match="in the middle of row 3"):
        warehouse.load()
    assert warehouse.mapped("order_id") == [("1",)]


def test_a_last_row_without_a_line_end_is_whole_where_its_fields_are(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROW + "2,2022-01-06,c2,7")
    assert warehouse.load().sources["sales"].rows_mapped == 2


def test_a_short_row_that_has_its_line_end_goes_to_quarantine(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROW + "2,2022-01\n")
    warehouse.load()
    assert warehouse.refused() == [(2, "wrong_width")]


def test_a_long_row_at_the_end_goes_to_quarantine(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROW + "2,2022-01-06,c2,7,8")
    warehouse.load()
    assert warehouse.refused() == [(2, "wrong_width")]


def test_the_user_may_know_better(warehouse: Warehouse) -> None:
    warehouse.write(HEADER + ROW + "in all 5")
    warehouse.load(cut_off="quarantine")
    assert warehouse.refused() == [(2, "wrong_width")]
    assert warehouse.mapped("order_id") == [("1",)]


def test_half_a_json_object_at_the_end(warehouse: Warehouse) -> None:
    row = '{"order": 1, "date": "2022-01-05", "customer": "c", "amount": 5}\n'
    warehouse.write(row + row[:30], "sales.jsonl")
    with pytest.raises(InputError, match="in the middle of row 2"):
        warehouse.load("sales.jsonl")
    warehouse.write(row + row[:30] + "\n", "sales.jsonl")
    warehouse.load("sales.jsonl")
    assert warehouse.refused() == [(2, "bad_json")]


@pytest.mark.parametrize("size", [0, 10, 60])
def test_part_of_a_parquet_file(warehouse: Warehouse, size: int) -> None:
    path = warehouse.folder / "sales.parquet"
    warehouse.con.execute(f"copy (select 1 as \"order\", 'c' as customer) to '{path}' (format parquet)")
    path.write_bytes(path.read_bytes()[:size])
    says = r"is empty \(0 bytes\)" if size == 0 else "cannot be read as Parquet"
    with pytest.raises(InputError, match=says):
        warehouse.load("sales.parquet")
