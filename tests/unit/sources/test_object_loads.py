"""Sources whose files lie in a bucket: loaded as files are, and asked for only where something changed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import EvervalueError, SourceUnavailable
from evervalue.sources.read import read_file
from tests.support.s3 import Store, always, cut_off, refusal
from tests.support.sources import COLUMNS, Warehouse

HEADER = "order,date,customer,amount\n"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def rows(*numbers: int) -> str:
    return HEADER + "".join(f"{n},2022-01-05,c{n},{n}\n" for n in numbers)


def amounts(warehouse: Warehouse) -> list[int]:
    return [int(row[0]) for row in warehouse.rows("select amount from mapped.order_lines order by 1")]


def test_a_bucket_is_loaded_and_nothing_is_fetched_twice(s3: Store, warehouse: Warehouse) -> None:
    s3.put("in/a.csv", rows(1, 2))
    s3.put("in/b.csv", rows(3))
    report = warehouse.load("s3://crm/in/*.csv").sources["sales"]
    assert report.files_new == ["s3://crm/in/a.csv", "s3://crm/in/b.csv"]
    assert s3.fetched() == ["in/a.csv", "in/b.csv"]
    assert amounts(warehouse) == [1, 2, 3]
    report = warehouse.load("s3://crm/in/*.csv").sources["sales"]
    assert (s3.fetched(), len(report.files_unchanged), report.remapped) == ([], 2, False)
    s3.put("in/b.csv", rows(3, 4))
    s3.put("in/c.csv", rows(5))
    report = warehouse.load("s3://crm/in/*.csv").sources["sales"]
    assert s3.fetched() == ["in/b.csv", "in/c.csv"]
    assert (report.files_replaced, report.files_new) == (["s3://crm/in/b.csv"], ["s3://crm/in/c.csv"])
    assert amounts(warehouse) == [1, 2, 3, 4, 5]


def test_a_rewrite_of_the_same_bytes_is_fetched_once_and_not_read(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    warehouse.load("s3://crm/*.csv")
    warehouse.con.execute("update raw.files set modified_at = '2020-01-01'")
    s3.fetched()
    report = warehouse.load("s3://crm/*.csv").sources["sales"]
    assert (s3.fetched(), report.files_unchanged, report.remapped) == (["a.csv"], ["s3://crm/a.csv"], False)
    warehouse.load("s3://crm/*.csv")
    assert s3.fetched() == []


def test_a_copy_under_another_key_is_not_counted_twice(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    s3.put("copy.csv", rows(1))
    report = warehouse.load("s3://crm/*.csv").sources["sales"]
    assert report.files_same_content == {"s3://crm/copy.csv": "s3://crm/a.csv"}
    s3.fetched()
    warehouse.load("s3://crm/*.csv")
    assert s3.fetched() == []
    s3.delete("a.csv")
    report = warehouse.load("s3://crm/*.csv").sources["sales"]
    assert report.files_renamed == {"s3://crm/copy.csv": "s3://crm/a.csv"}
    assert amounts(warehouse) == [1]


def test_other_reader_settings_read_again_what_lies_there(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    warehouse.load("s3://crm/*.csv")
    s3.fetched()
    warehouse.load("s3://crm/*.csv", encoding="latin-1")
    assert s3.fetched() == ["a.csv"]
    warehouse.load("s3://crm/*.csv", encoding="latin-1", full_refresh=True)
    assert s3.fetched() == ["a.csv"]
    assert amounts(warehouse) == [1]


def test_rows_of_an_object_that_is_gone_are_kept(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    s3.put("b.csv", rows(2))
    warehouse.load("s3://crm/*.csv")
    s3.delete("b.csv")
    assert warehouse.load("s3://crm/*.csv").sources["sales"].files_kept == ["s3://crm/b.csv"]
    assert amounts(warehouse) == [1, 2]
    warehouse.load("s3://crm/a.csv")
    s3.delete("a.csv")
    report = warehouse.load("s3://crm/a.csv").sources["sales"]
    assert any("s3://crm/a.csv is not there any more; its rows are kept" in w for w in report.warnings)
    assert amounts(warehouse) == [1]


def test_a_bucket_that_cannot_be_read_changes_nothing(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    warehouse.load("s3://crm/*.csv")
    s3.put("a.csv", rows(2))
    for fault in (always(refusal(403, "AccessDenied"), objects=True), cut_off(99)):
        s3.fault = fault
        with pytest.raises(SourceUnavailable):
            warehouse.load("s3://crm/*.csv")
        assert amounts(warehouse) == [1]
    s3.fault = None
    warehouse.load("s3://crm/*.csv")
    assert amounts(warehouse) == [2]


def test_other_sources_load_where_the_user_lets_them(s3: Store, warehouse: Warehouse) -> None:
    s3.put("a.csv", rows(1))
    warehouse.write(rows(7), "here.csv")
    both = {
        "bucket": {"path": "s3://crm/*.csv", "columns": COLUMNS, "on_failure": "skip"},
        "shop": {"path": "here.csv", "columns": COLUMNS},
    }
    warehouse.load_all(both)
    s3.fault = always(refusal(400, "ExpiredToken"), objects=False)
    warehouse.write(rows(7, 8), "here.csv")
    report = warehouse.load_all(both)
    assert "credentials have expired" in report.sources["bucket"].failed
    assert amounts(warehouse) == [1, 7, 8]


def test_parquet_and_packed_files(s3: Store, warehouse: Warehouse) -> None:
    path = warehouse.folder / "made.parquet"
    warehouse.con.execute(
        "copy (select 9 as \"order\", date '2022-01-05' as date, 'c' as customer, 9.5::decimal(9,2) as amount) "
        f"to '{path}' (format parquet)"
    )
    s3.put("a.parquet", path.read_bytes())
    warehouse.load("s3://crm/*.parquet")
    assert warehouse.mapped("order_id, amount") == [("9", Decimal("9.5"))]


def test_a_folder_is_read_when_its_marker_is_there(s3: Store, warehouse: Warehouse) -> None:
    s3.put("d1/a.csv", rows(1))
    with pytest.raises(EvervalueError, match="1 file waits until _SUCCESS is there in d1/"):
        warehouse.load("s3://crm/*/*.csv", complete_when="_SUCCESS")
    s3.put("d1/_SUCCESS", "")
    s3.put("d2/a.csv", rows(2))
    report = warehouse.load("s3://crm/*/*.csv", complete_when="_SUCCESS").sources["sales"]
    assert any("waits until _SUCCESS" in w for w in report.warnings)
    assert amounts(warehouse) == [1]
    s3.put("d2/_SUCCESS", "")
    warehouse.load("s3://crm/*/*.csv", complete_when="_SUCCESS")
    assert amounts(warehouse) == [1, 2]


def test_files_here_wait_for_their_marker_too(warehouse: Warehouse) -> None:
    warehouse.write(rows(1), "in/d1/a.csv")
    warehouse.write("", "in/d1/done.marker")
    warehouse.write("", "in/d2/a.csv")
    warehouse.load("in/*/*.csv", complete_when="*.marker")
    assert amounts(warehouse) == [1]


def test_a_young_file_waits(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime as dt
    import os

    from evervalue.sources import load as loading

    path = warehouse.write(rows(1))
    now = dt.datetime(2024, 5, 1, 12, 0, 30)
    defaults = {**(loading.load.__kwdefaults__ or {}), "known_at": now}
    monkeypatch.setattr(loading.load, "__kwdefaults__", defaults)
    written = dt.datetime(2024, 5, 1, 12, 0, 25, tzinfo=dt.UTC).timestamp()
    os.utime(path, (written, written))
    with pytest.raises(
        EvervalueError, match=r"changed within the last 10 seconds and is not read yet: sales\.csv"
    ):
        warehouse.load(settle="10s")
    warehouse.load(settle="5s")
    assert amounts(warehouse) == [1]


def test_nothing_fetched_is_left_behind(
    s3: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each object is taken off the disk when it has been read, not when all have been."""
    most: list[int] = []

    def counting(*args: Any, **options: Any) -> Any:
        most.append(len(list(options["temp"].glob("object-*"))))
        return read_file(*args, **options)

    monkeypatch.setattr("evervalue.sources.file_feed.read_file", counting)
    for n in range(3):
        s3.put(f"{n}.csv", rows(n + 1))
    warehouse.load("s3://crm/*.csv")
    assert most == [3, 2, 1]


def test_a_preset_reads_a_bucket(s3: Store, warehouse: Warehouse) -> None:
    folder = Path(__file__).parents[2] / "data" / "exports" / "chinook"
    for path in folder.iterdir():
        s3.put(f"chinook/{path.name}", path.read_bytes())
    settings = {"preset": "chinook", "path": "s3://crm/chinook/"}
    assert warehouse.load_all({"store": settings}).sources["store.lines"].rows_mapped == 325
    s3.fetched()
    s3.put("chinook/customer.csv", (folder / "customer.csv").read_text("utf-8").replace("Köhler", "Kohler"))
    warehouse.load_all({"store": settings})
    assert s3.fetched() == ["chinook/customer.csv"]
    named = "select distinct customer_name from mapped.order_lines where customer_id = '2'"
    assert warehouse.rows(named) == [("Leonie Kohler",)]


def test_settings_say_what_is_wrong_with_them(warehouse: Warehouse) -> None:
    for setting, value, says in (
        ("path", "gs://crm/a.csv", "write s3://bucket/key|as s3://bucket/key"),
        ("settle", "5m", "write it as in 10s, 5min, 2h or 1d"),
        ("sse_customer_key", "secret", r"as in \"\$\{CRM_KEY\}\""),
    ):
        with pytest.raises(EvervalueError, match=says) as caught:
            warehouse.load_all({"sales": {"path": "a.csv", "columns": COLUMNS, setting: value}})
        assert "secret" not in str(caught.value)
